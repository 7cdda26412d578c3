package nodeos

import "fmt"

// Host says how a machine that runs the system becomes a node and stops being
// one. It is data: scripts of a POSIX shell that run as root, with set -eu.
type Host struct {
	// BinDir is where the release's programs go: in the PATH, and writable.
	BinDir string
	// Packages are what a node needs of the system, its own container runtime
	// among them: which containerd runs is part of what is qualified.
	Packages []string
	Manager  Manager
	// Prepare does what the system needs beside that, and Restore undoes it.
	// What they change must show in the state of the host that is compared
	// afterwards. Both may be run again. "" is nothing.
	Prepare, Restore string
}

// Manager are a package manager's commands. "$@" are packages.
type Manager struct {
	Name    string
	List    string // prints a line for each installed package
	Missing string // prints those of "$@" that are not installed
	Plan    string // prints all that installing "$@" would install; fails where it cannot be had
	Refresh string // fetches what there is to install
	Install string
	Remove  string // with what they have left in /etc
}

// apt is Debian's, and that of its children. Nothing that it installs is
// started by it, and it asks nothing.
func apt() Manager {
	const quiet = "export DEBIAN_FRONTEND=noninteractive LC_ALL=C\n"
	return Manager{
		Name:    "apt",
		List:    "dpkg-query -W -f '${db:Status-Abbrev}${Package} ${Version}\\n'",
		Missing: `for p; do case $(dpkg-query -W -f '${db:Status-Status}' "$p" 2>/dev/null) in installed) ;; *) echo "$p";; esac; done`,
		Plan:    quiet + `plan=$(apt-get install -s -q --no-install-recommends "$@") && echo "$plan" | sed -n 's/^Inst \([^ ]*\) .*/\1/p'`,
		Refresh: quiet + `apt-get update -q`,
		Install: quiet + `apt-get install -q -y --no-install-recommends -o Dpkg::Options::=--force-confold -o DPkg::Lock::Timeout=60 "$@" </dev/null`,
		// What was cut off in the middle has to be brought to an end first.
		Remove: quiet + `dpkg --configure -a </dev/null || :; apt-get purge -q -y -o DPkg::Lock::Timeout=60 "$@" </dev/null`,
	}
}

// ByRelease returns the operating system with the ID and the VERSION_ID of an
// /etc/os-release.
func ByRelease(id, version string) (OS, error) {
	for _, os := range All() {
		if os.ReleaseID == id && os.ReleaseVersion == version {
			return os, nil
		}
	}
	return OS{}, fmt.Errorf("operating system %q %q is not known", id, version)
}
