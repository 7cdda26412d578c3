package nodeos

// sles15 is SUSE Linux Enterprise Server 15 with any service pack. Its
// containerd is in the Containers module, which a machine must be registered
// for; it moves on with updates.
func sles15() OS {
	return OS{
		ID: "sles-15", Family: "sles", Name: "SUSE Linux Enterprise Server 15",
		Arches:    []string{"amd64", "arm64"},
		ReleaseID: "sles", ReleaseVersion: "15.*",
		Host: &Host{
			BinDir: "/usr/bin", Packages: []string{"conntrack-tools", "ethtool", "iproute2", "iptables", "kmod", "runc", "socat", "util-linux"}, Manager: zypper(),
			Runtime: &Runtime{Packages: []string{"containerd"}}, Firewalls: []string{"firewalld"},
		},
	}
}
