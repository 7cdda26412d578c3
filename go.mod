module github.com/qualify-dev/qualify

go 1.26.0

require (
	github.com/gofrs/flock v0.13.0 // indirect
	github.com/google/jsonschema-go v0.4.3 // indirect
	go.yaml.in/yaml/v3 v3.0.6 // indirect
	golang.org/x/sys v0.37.0 // indirect
	pgregory.net/rapid v1.3.0 // indirect
)
