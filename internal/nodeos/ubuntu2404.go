package nodeos

// ubuntu2404 is Ubuntu 24.04 LTS, with the containerd 1.7 of its updates.
func ubuntu2404() OS {
	return OS{
		ID: "ubuntu-24.04", Family: "ubuntu", Name: "Ubuntu 24.04 LTS (Noble Numbat)",
		Arches:    []string{"amd64", "arm64"},
		ReleaseID: "ubuntu", ReleaseVersion: "24.04",
		Containerd: "1.7",
		Host:       ubuntuHost(),
	}
}
