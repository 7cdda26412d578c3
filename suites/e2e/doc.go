// Package e2e is compiled as one Ginkgo test binary, qualify-e2e: the release
// smoke specs, written on the Kubernetes end-to-end framework. It is a module
// of its own because that framework pins every k8s.io module to one minor
// release, which the runner must not inherit. The specs are in package specs;
// the README says how to build and run the binary.
package e2e
