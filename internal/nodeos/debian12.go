package nodeos

// debian12 is Debian 12 (bookworm), with containerd 1.6 and runc 1.1.
func debian12() OS {
	return OS{
		ID: "debian-12", Family: "debian", Name: "Debian 12 (bookworm)",
		Arches:    []string{"amd64", "arm64"},
		ReleaseID: "debian", ReleaseVersion: "12",
		Containerd: "1.6",
		Userland:   &Userland{Suite: "bookworm", NodePackages: debianNodePackages(), Image: "debian:bookworm-slim"},
		Host:       debianHost(),
	}
}

// debianNodePackages are the packages of a node, the same in each Debian so far.
func debianNodePackages() []string {
	return []string{
		"bash", "ca-certificates", "conntrack", "containerd", "curl", "dbus", "e2fsprogs", "ethtool",
		"findutils", "hostname", "iproute2", "ipset", "iptables", "jq", "kmod", "libseccomp2", "mount",
		"nftables", "procps", "runc", "socat", "systemd", "systemd-sysv", "util-linux",
	}
}

// debianHost is the same in each Debian so far.
func debianHost() *Host {
	return &Host{
		BinDir: "/usr/local/bin", Packages: []string{"conntrack", "ethtool", "iproute2", "iptables", "kmod", "mount", "runc", "socat", "util-linux"},
		Manager: apt(), Runtime: &Runtime{Packages: []string{"containerd"}},
	}
}
