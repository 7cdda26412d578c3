package nodeos

// ubuntu2204 is Ubuntu 22.04 LTS, with the containerd 1.7 of its updates.
func ubuntu2204() OS {
	return OS{
		ID: "ubuntu-22.04", Family: "ubuntu", Name: "Ubuntu 22.04 LTS (Jammy Jellyfish)",
		Arches:    []string{"amd64", "arm64"},
		ReleaseID: "ubuntu", ReleaseVersion: "22.04",
		Containerd: "1.7",
		Host:       ubuntuHost(),
	}
}
