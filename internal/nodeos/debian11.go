package nodeos

// debian11 is Debian 11 (bullseye), with containerd 1.4 and runc 1.0. That
// containerd serves no CRI v1, which Kubernetes asks for from 1.26 on.
func debian11() OS {
	return OS{
		ID: "debian-11", Family: "debian", Name: "Debian 11 (bullseye)",
		Arches:    []string{"amd64", "arm64"},
		ReleaseID: "debian", ReleaseVersion: "11",
		Containerd: "1.4",
		Userland:   &Userland{Suite: "bullseye", NodePackages: debianNodePackages(), Image: "debian:bullseye-slim"},
		Host:       debianHost(),
	}
}
