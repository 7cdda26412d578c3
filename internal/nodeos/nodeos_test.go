package nodeos

import (
	"regexp"
	"slices"
	"strings"
	"testing"
)

func TestEveryOSIsComplete(t *testing.T) {
	seen := map[string]bool{}
	for _, os := range All() {
		if !regexp.MustCompile(`^[a-z0-9]+(-[a-z0-9.]+)*$`).MatchString(os.ID) {
			t.Errorf("%q is no id", os.ID)
		}
		if seen[os.ID] {
			t.Errorf("%s is listed twice", os.ID)
		}
		seen[os.ID] = true
		if !strings.HasPrefix(os.ID, os.Family) || os.Name == "" || os.ReleaseID == "" || os.ReleaseVersion == "" || len(os.Arches) == 0 {
			t.Errorf("%s is incomplete: %+v", os.ID, os)
		}
		if !regexp.MustCompile(`^([1-9]\.[0-9]+|none|)$`).MatchString(os.Containerd) {
			t.Errorf("%s: its containerd is %q, want a minor version", os.ID, os.Containerd)
		}
		if (os.Host == nil) == (os.NoHost == "") {
			t.Errorf("%s: either it can be a host, or there is a reason", os.ID)
		}
		if u := os.Userland; u != nil {
			if u.Suite == "" || !slices.IsSorted(u.NodePackages) {
				t.Errorf("%s: the userland has no suite or unsorted packages", os.ID)
			}
			for _, needed := range []string{"containerd", "runc", "systemd", "iptables", "conntrack"} {
				if !slices.Contains(u.NodePackages, needed) {
					t.Errorf("%s: a node cannot do without %s", os.ID, needed)
				}
			}
		}
	}
}

func TestFindNamesWhatIsKnown(t *testing.T) {
	if os, err := Find("debian-12"); err != nil || os.Userland.Suite != "bookworm" {
		t.Errorf("debian-12: %+v, %v", os, err)
	}
	if _, err := Find("solaris"); err == nil || !strings.Contains(err.Error(), "debian-12") {
		t.Errorf("solaris: %v", err)
	}
}

// Where a host can become a node, all that it takes is said.
func TestEveryHostIsComplete(t *testing.T) {
	hosts := 0
	for _, os := range All() {
		h := os.Host
		if h == nil {
			continue
		}
		hosts++
		if !strings.HasPrefix(h.BinDir, "/") || !slices.IsSorted(h.Packages) || slices.Contains(h.Packages, "containerd") {
			t.Errorf("%s: programs in %q, packages %q", os.ID, h.BinDir, h.Packages)
		}
		for _, needed := range []string{"conntrack", "iptables", "runc", "socat"} {
			if !slices.ContainsFunc(h.Packages, func(p string) bool { return strings.HasPrefix(p, needed) }) {
				t.Errorf("%s: a node cannot do without %s", os.ID, needed)
			}
		}
		if (h.Runtime == nil) != (os.Containerd == NoContainerd) {
			t.Errorf("%s: its containerd is %q, and its runtime %+v", os.ID, os.Containerd, h.Runtime)
		}
		if h.Runtime != nil && (len(h.Runtime.Packages) > 0) != (h.Manager.Name != "none") {
			t.Errorf("%s: its runtime is in %q", os.ID, h.Runtime.Packages)
		}
		with, without := h.NodePackages(true), h.NodePackages(false)
		if slices.Contains(without, "containerd") || h.Manager.Name != "none" && slices.Contains(with, "containerd") != (h.Runtime != nil) {
			t.Errorf("%s: packages %q, without its own runtime %q", os.ID, with, without)
		}
		m := h.Manager
		for name, script := range map[string]string{"list": m.List, "missing": m.Missing, "plan": m.Plan, "refresh": m.Refresh, "install": m.Install, "remove": m.Remove} {
			if script == "" || m.Name == "" {
				t.Errorf("%s: the package manager %q has no %s", os.ID, m.Name, name)
			}
		}
	}
	if hosts < 14 {
		t.Errorf("%d operating systems can be hosts", hosts)
	}
}
