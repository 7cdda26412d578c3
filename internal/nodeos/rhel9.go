package nodeos

// rhel9 is Red Hat Enterprise Linux 9.
func rhel9() OS {
	return OS{
		ID: "rhel-9", Family: "rhel", Name: "Red Hat Enterprise Linux 9",
		Arches:    []string{"amd64", "arm64"},
		ReleaseID: "rhel", ReleaseVersion: "9.*",
		Containerd: NoContainerd, Host: redHatHost(),
	}
}
