package nodeos

import "slices"

// rhel8 is Red Hat Enterprise Linux 8.
func rhel8() OS {
	return OS{
		ID: "rhel-8", Family: "rhel", Name: "Red Hat Enterprise Linux 8",
		Arches:    []string{"amd64", "arm64"},
		ReleaseID: "rhel", ReleaseVersion: "8.*",
		Containerd: NoContainerd, Host: redHatHost(),
	}
}

// redHatHost is the same in Red Hat's systems and their rebuilds. None of them
// brings containerd: Red Hat has runtimes of its own.
func redHatHost() *Host {
	return &Host{
		BinDir: "/usr/bin", Packages: redHatPackages("container-selinux"), Manager: dnf("dnf"),
		Firewalls: []string{"firewalld"}, SELinux: true,
	}
}

// redHatPackages are what a node needs of a system whose packages are called as
// Red Hat calls them.
func redHatPackages(more ...string) []string {
	all := append(more, "conntrack-tools", "ethtool", "iproute", "iproute-tc", "iptables", "kmod", "runc", "socat", "util-linux")
	slices.Sort(all)
	return all
}
