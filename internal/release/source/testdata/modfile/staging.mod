// A module with staging modules, as Kubernetes has them.
module example.test/kube

go 1.24.0

godebug default=go1.24

require (
	example.test/other v1.2.3
	example.test/staged v0.0.0
	example.test/staged/nested v0.0.0 // indirect
)

require example.test/forked v1.0.0

replace (
	example.test/staged => ./staging/src/example.test/staged
	example.test/staged/nested => ./staging/src/example.test/staged/nested
)

// Replaced by a module, not by a directory: that stays.
replace example.test/forked => example.test/fork v1.0.1

// Required by nobody.
replace example.test/unused => ./staging/src/example.test/unused
