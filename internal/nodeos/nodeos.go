// Package nodeos holds what is known of the operating systems that nodes run,
// as data: one file an operating system, one line in the list. It knows no
// provisioner.
package nodeos

import (
	"fmt"
	"strings"
)

// OS is what is known of one version of one operating system.
type OS struct {
	ID     string   // as in the matrix, e.g. "debian-12"
	Family string   // "debian"
	Name   string   // for people, e.g. "Debian 12 (bookworm)"
	Arches []string // "amd64", "arm64"
	// Release identifies the system by the ID and VERSION_ID of its
	// /etc/os-release. "9.*" means 9 and its minor versions, "*" any.
	ReleaseID, ReleaseVersion string
	// Containerd is the minor version of its own container runtime, e.g. "1.6":
	// which runtime a system brings decides what it can serve. It is "none" where
	// it brings none, and "" where it moves on or nobody has looked it up.
	Containerd string
	// CgroupV2 is why it needs control groups of version 2; "" where it runs on
	// either version.
	CgroupV2 string
	// Userland says how to make its root filesystem on this machine; nil
	// where nobody knows how.
	Userland *Userland
	// Host says how a machine that runs it becomes a node; nil where it cannot,
	// for the reason in NoHost.
	Host   *Host
	NoHost string
	// OwnKubelet says that its kubelet is in its image, and none can be put in:
	// it can be a worker, with a kubelet that is not the release's.
	OwnKubelet bool
}

// Userland is a root filesystem that can be made of packages.
type Userland struct {
	Suite string // "bookworm"
	// NodePackages are what a Kubernetes node needs of the distribution,
	// its own container runtime included: which runtime an operating system
	// brings is part of what is qualified.
	NodePackages []string
	// Image is the published image of the system without those packages: the
	// other source, where an engine can pull and debootstrap is not installed.
	Image string
}

// NoContainerd is the Containerd of a system that brings none.
const NoContainerd = "none"

// All lists the known operating systems.
func All() []OS {
	return []OS{
		debian11(),
		debian12(),
		debian13(),
		ubuntu2004(),
		ubuntu2204(),
		ubuntu2404(),
		amazonLinux2(),
		amazonLinux2023(),
		rhel8(),
		rhel9(),
		centosStream9(),
		rocky9(),
		sles15(),
		flatcar(),
		bottlerocket(),
	}
}

// Find returns the operating system with an id.
func Find(id string) (OS, error) {
	var known []string
	for _, os := range All() {
		if os.ID == id {
			return os, nil
		}
		known = append(known, os.ID)
	}
	return OS{}, fmt.Errorf("unknown operating system %q: known are %s", id, strings.Join(known, ", "))
}
