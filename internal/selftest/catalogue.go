package selftest

import "slices"

// Catalogue lists every mutation, the known false greens of the field first.
func Catalogue() []Mutation {
	return slices.Concat(known(), knownToo(), damaged(), foreign(), reduced(), cases(), tries(), strangers(), suites(), identities(), clusters(), frames())
}
