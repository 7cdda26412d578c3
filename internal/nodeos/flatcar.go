package nodeos

// flatcar is Flatcar Container Linux. It rolls, its /usr cannot be written, and
// nothing is installed on it: what a node needs is in the image.
func flatcar() OS {
	return OS{
		ID: "flatcar", Family: "flatcar", Name: "Flatcar Container Linux",
		Arches:    []string{"amd64", "arm64"},
		ReleaseID: "flatcar", ReleaseVersion: "*",
		Host: &Host{
			BinDir: "/opt/bin", Packages: []string{"conntrack", "ethtool", "ip", "iptables", "kmod", "mount", "runc", "socat"}, Manager: noManager(),
			// Its unit names a configuration below /usr.
			Runtime: &Runtime{DropIn: "[Service]\nEnvironment=CONTAINERD_CONFIG=/etc/containerd/config.toml\n"},
			SELinux: true, VolumePlugins: "/var/lib/kubelet/volumeplugins",
		},
	}
}
