package nodeos

import (
	"fmt"
	"strings"
)

// Host says how a machine that runs the system becomes a node and stops being
// one. It is data: scripts of a POSIX shell that run as root, with set -eu.
type Host struct {
	// BinDir is where the release's programs go: in the PATH, and writable.
	BinDir string
	// Packages are what a node needs of the system, beside its containerd.
	Packages []string
	Manager  Manager
	// Runtime is the system's own container runtime; nil where it has none, and
	// one must be brought.
	Runtime *Runtime
	// Firewalls are services of the system that would keep nodes apart. They are
	// stopped; who was running runs again afterwards, with its rules.
	Firewalls []string
	// SELinux says that the system confines what runs on it. It is made
	// permissive, as EKS Distro's guide for such systems asks, and enforces
	// again afterwards where it did before.
	SELinux bool
	// VolumePlugins is where the kubelet looks for plugins of volumes; "" is its
	// own place, /usr/libexec/kubernetes, which must be writable.
	VolumePlugins string
}

// Runtime is the container runtime that a system brings: which containerd runs
// is part of what is qualified.
type Runtime struct {
	// Packages hold its containerd; none where each machine has it from the beginning.
	Packages []string
	// DropIn is what its unit needs to read /etc/containerd/config.toml; "" where
	// it does so by itself.
	DropIn string
}

// RuntimeDropIn is where a runtime's DropIn belongs.
const RuntimeDropIn = "/etc/systemd/system/containerd.service.d/50-qualify.conf"

// NodePackages are what must be installed for a node, with the packages of the
// system's own runtime or without them.
func (h Host) NodePackages(ownRuntime bool) []string {
	all := append([]string{}, h.Packages...)
	if ownRuntime && h.Runtime != nil {
		all = append(all, h.Runtime.Packages...)
	}
	return all
}

// Units are the services whose state a node changes.
func (h Host) Units() []string { return append([]string{"containerd", "kubelet"}, h.Firewalls...) }

// Prepare does what the system needs beside packages. What it changes is in
// Guards or in the state of Units, so that it can be undone. It may be run
// again, and on a system without what it stops it does nothing.
func (h Host) Prepare() string {
	var s strings.Builder
	for _, unit := range h.Firewalls {
		fmt.Fprintf(&s, "if systemctl is-active -q %[1]s 2>/dev/null; then systemctl stop %[1]s; fi\n", unit)
	}
	if h.SELinux {
		s.WriteString("if [ \"$(getenforce 2>/dev/null)\" = Enforcing ]; then setenforce 0; fi\n")
	}
	return s.String()
}

// Enforcing is the line that Guards prints where SELinux enforces.
const Enforcing = "selinux Enforcing"

// Guards prints, sorted, what the system's guards do that Prepare changes and
// that is no unit.
func (h Host) Guards() string {
	if !h.SELinux {
		return ":"
	}
	return "echo \"selinux $(getenforce 2>/dev/null || echo none)\""
}

// Restore undoes Prepare, by what Guards had printed before. Units are not its
// business.
func (h Host) Restore(guards []string) string {
	for _, line := range guards {
		if h.SELinux && line == Enforcing {
			return "setenforce 1"
		}
	}
	return ""
}
