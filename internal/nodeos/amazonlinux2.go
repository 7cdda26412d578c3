package nodeos

// amazonLinux2 is Amazon Linux 2. Its containerd is in an extra repository that
// every machine has and none has switched on: it is, for one command.
func amazonLinux2() OS {
	manager := dnf("yum --enablerepo=amzn2extra-docker")
	manager.Name = "yum"
	return OS{
		ID: "amazon-linux-2", Family: "amazon-linux", Name: "Amazon Linux 2",
		Arches:    []string{"amd64", "arm64"},
		ReleaseID: "amzn", ReleaseVersion: "2",
		Host: &Host{
			BinDir: "/usr/bin", Packages: redHatPackages(), Manager: manager,
			Runtime: &Runtime{Packages: []string{"containerd"}},
		},
	}
}
