// One of several modules of a repository, as etcd's server is.
module example.test/store/server/v3

go 1.24

toolchain go1.24.11

require (
	example.test/store/api/v3 v3.6.5
	example.test/store/pkg/v3 v3.6.5
)

require example.test/store/client/v3 v3.6.5 // indirect

exclude example.test/bad v1.0.0

replace (
	example.test/store/api/v3 => ../api
	example.test/store/client/v3 v3.6.5 => ../client/v3
	example.test/store/pkg/v3 => ../pkg
)

// Bad imports are sometimes causing attempts to pull that code.
// This makes the error more explicit.
replace example.test/store => ./FORBIDDEN_DEPENDENCY

replace example.test/tests/v3 => ./FORBIDDEN_DEPENDENCY
