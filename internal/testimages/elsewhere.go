package testimages

// The reasons for which an image is not made.
const (
	ofRelease = "it is a part of the release, and on the nodes with it"
	otherTag  = "the release has it with another tag or not at all, and it is not made"
	noSpec    = "no conformance test runs it"
)

// elsewhere are the images that are not made, and why. An entry that ends in a
// slash is about all images of that folder.
func elsewhere() []entry {
	var all []entry
	for image, why := range map[string]string{
		"e2e-test-images/agnhost":         ofRelease,
		"pause":                           ofRelease,
		"k8s-authenticated-test/":         "tests want a registry that asks for credentials",
		"authenticated-image-pulling/":    "tests want a registry that asks for credentials",
		"invalid/":                        "it does not exist: tests want the pull to fail",
		"sig-storage/":                    noSpec + ": it is of storage drivers",
		"cloud-provider-gcp/":             noSpec + ": it is a storage driver of a cloud",
		"e2e-test-images/volume/":         noSpec + ": it serves volumes over a network, with modules of the kernel",
		"e2e-test-images/node-perf/":      noSpec + ": it measures nodes",
		"e2e-test-images/perl":            noSpec,
		"e2e-test-images/redis":           noSpec,
		"e2e-test-images/apparmor-loader": noSpec + ": it is for nodes with AppArmor",
		"build-image/":                    noSpec + ": it inspects packet filters",
	} {
		all = append(all, entry{image: image, why: why})
	}
	return all
}
