// Package archtest holds the architecture as ordinary tests: who may import
// whom, what no package may do, and the house numbers for sizes. It has no
// code of its own; table_test.go is what to edit when a package is added.
package archtest
