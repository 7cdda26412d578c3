package nodeos

// rocky9 is Rocky Linux 9.
func rocky9() OS {
	return OS{
		ID: "rocky-9", Family: "rocky", Name: "Rocky Linux 9",
		Arches:    []string{"amd64", "arm64"},
		ReleaseID: "rocky", ReleaseVersion: "9.*",
		Containerd: NoContainerd, Host: redHatHost(),
	}
}
