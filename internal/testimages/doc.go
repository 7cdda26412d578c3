// Package testimages makes the container images that conformance tests run, for
// machines that reach no registry: from Go modules and Debian packages, each by
// an entry of a catalogue. They are substitutes, made to behave as the tests
// want, and say so of themselves. To add one, add an entry to its group and
// nothing else.
package testimages
