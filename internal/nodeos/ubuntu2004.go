package nodeos

// ubuntu2004 is Ubuntu 20.04 LTS, with the containerd 1.7 of its updates.
func ubuntu2004() OS {
	return OS{
		ID: "ubuntu-20.04", Family: "ubuntu", Name: "Ubuntu 20.04 LTS (Focal Fossa)",
		Arches:    []string{"amd64", "arm64"},
		ReleaseID: "ubuntu", ReleaseVersion: "20.04",
		Containerd: "1.7",
		Host:       ubuntuHost(),
	}
}

// ubuntuHost is Debian's, but for a firewall of its own that may be on.
func ubuntuHost() *Host {
	h := debianHost()
	h.Firewalls = []string{"ufw"}
	return h
}
