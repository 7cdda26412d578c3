package nodeos

// amazonLinux2023 is Amazon Linux 2023. SELinux is there, and permissive unless
// somebody has changed it. Its containerd moves on within the version.
func amazonLinux2023() OS {
	return OS{
		ID: "amazon-linux-2023", Family: "amazon-linux", Name: "Amazon Linux 2023",
		Arches:    []string{"amd64", "arm64"},
		ReleaseID: "amzn", ReleaseVersion: "2023",
		Host: &Host{
			BinDir: "/usr/bin", Manager: dnf("dnf"),
			Packages: []string{"conntrack-tools", "ethtool", "iproute", "iproute-tc", "iptables-nft", "kmod", "runc", "socat", "util-linux"},
			Runtime:  &Runtime{Packages: []string{"containerd"}}, SELinux: true,
		},
	}
}
