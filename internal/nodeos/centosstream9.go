package nodeos

// centosStream9 is CentOS Stream 9, which rolls: its version has no minor.
func centosStream9() OS {
	return OS{
		ID: "centos-stream-9", Family: "centos-stream", Name: "CentOS Stream 9",
		Arches:    []string{"amd64", "arm64"},
		ReleaseID: "centos", ReleaseVersion: "9",
		Containerd: NoContainerd, Host: redHatHost(),
	}
}
