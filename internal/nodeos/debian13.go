package nodeos

// debian13 is Debian 13 (trixie), with containerd 1.7, runc 1.1 and a systemd
// that does not boot on control groups of version 1.
func debian13() OS {
	return OS{
		ID: "debian-13", Family: "debian", Name: "Debian 13 (trixie)",
		Arches:    []string{"amd64", "arm64"},
		ReleaseID: "debian", ReleaseVersion: "13",
		Containerd: "1.7", CgroupV2: "systemd 257 does not boot on control groups of version 1",
		Userland: &Userland{Suite: "trixie", NodePackages: debianNodePackages(), Image: "debian:trixie-slim"},
		Host:     debianHost(),
	}
}
