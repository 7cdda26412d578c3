package nodeos

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// run runs a script with made-up tools before those of this machine.
func run(t *testing.T, tools map[string]string, script string, args ...string) (out string, err error) {
	t.Helper()
	bin := t.TempDir()
	for name, text := range tools {
		if err := os.WriteFile(filepath.Join(bin, name), []byte("#!/bin/sh\n"+text+"\n"), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.Command("sh", append([]string{"-euc", script, "sh"}, args...)...)
	cmd.Env = []string{"PATH=" + bin + ":/usr/bin:/bin"}
	text, err := cmd.CombinedOutput()
	return string(text), err
}

// The plan of each package manager: what is new is told line by line, and
// nothing that is there may be replaced.
func TestPlans(t *testing.T) {
	dir, err := filepath.Abs("testdata/plans")
	if err != nil {
		t.Fatal(err)
	}
	yum := amazonLinux2().Host.Manager
	for file, tt := range map[string]struct {
		manager Manager
		tool    string
		code    int
		want    string // all of it where the plan is good; a part of the complaint otherwise
		fails   bool
	}{
		"dnf-new":        {dnf("dnf"), "dnf", 1, "conntrack-tools\nsocat\nlibnetfilter_cthelper-with-a-long-name\nlibnetfilter_queue\ngeolite2-city\n", false},
		"dnf-upgrade":    {dnf("dnf"), "dnf", 1, "would replace installed packages (openssl-libs )", true},
		"dnf-replace":    {dnf("dnf"), "dnf", 1, "would replace installed packages (runc.x86_64 )", true},
		"dnf-none":       {dnf("dnf"), "dnf", 1, "Unable to find a match: conntrack-tools", true},
		"yum-new":        {yum, "yum", 1, "containerd\nrunc\n", false},
		"yum-upgrade":    {yum, "yum", 1, "would replace installed packages (libseccomp )", true},
		"zypper-new":     {zypper(), "zypper", 0, "containerd\nsocat\n", false},
		"zypper-upgrade": {zypper(), "zypper", 0, "would replace installed packages (libseccomp2 )", true},
		"zypper-none":    {zypper(), "zypper", 104, "No provider of", true},
		"apt-new":        {apt(), "apt-get", 0, "runc\ncontainerd\n", false},
		"apt-upgrade":    {apt(), "apt-get", 0, "would replace installed packages (libseccomp2 )", true},
	} {
		tool := map[string]string{tt.tool: "cat " + filepath.Join(dir, file) + "; exit " + map[int]string{0: "0", 1: "1", 104: "104"}[tt.code]}
		out, err := run(t, tool, tt.manager.Plan, "some", "package")
		if (err != nil) != tt.fails || !tt.fails && out != tt.want || !strings.Contains(out, tt.want) {
			t.Errorf("%s: %v, %q, want %q", file, err, out, tt.want)
		}
	}
	// A manager that fails before it has a plan.
	if out, err := run(t, map[string]string{"apt-get": "echo no such package >&2; exit 100"}, apt().Plan, "x"); err == nil {
		t.Errorf("apt: %q", out)
	}
	if out, err := run(t, nil, noManager().Plan, "socat"); err == nil || !strings.Contains(out, "the system lacks socat, and nothing can be installed") {
		t.Errorf("none: %v, %q", err, out)
	}
}

// What is missing is asked one by one, and keys have a name of their own in
// the list.
func TestMissingAndList(t *testing.T) {
	rpm := map[string]string{"rpm": `case $1 in
-qa) printf 'socat 1.7-1 x86_64\ngpg-pubkey 8d8b756f-6 (none)\ngpg-pubkey 350d275d-6 (none)\n';;
-q) [ "$3" = socat ];;
esac`}
	for _, m := range []Manager{dnf("dnf"), zypper()} {
		if out, err := run(t, rpm, m.Missing, "containerd", "socat", "runc"); err != nil || out != "containerd\nrunc\n" {
			t.Errorf("%s: missing: %v, %q", m.Name, err, out)
		}
		out, err := run(t, rpm, m.List)
		if err != nil || out != "socat 1.7-1 x86_64\ngpg-pubkey-8d8b756f-6\ngpg-pubkey-350d275d-6\n" {
			t.Errorf("%s: list: %v, %q", m.Name, err, out)
		}
		if !strings.Contains(out, "\n"+m.Keys) {
			t.Errorf("%s: keys begin with %q", m.Name, m.Keys)
		}
	}
	if out, err := run(t, map[string]string{"socat": ""}, noManager().Missing, "socat", "no-such-program"); err != nil || out != "no-such-program\n" {
		t.Errorf("none: missing: %v, %q", err, out)
	}
}

// What Prepare changes is told by Guards and undone by Restore: on a system
// that enforces, on one that does not, and on one that has no SELinux.
func TestGuards(t *testing.T) {
	host := rhel9().Host
	for mode, tt := range map[string]struct{ prepared, guards, restored string }{
		"Enforcing":  {"systemctl stop firewalld\nsetenforce 0\n", Enforcing + "\n", "setenforce 1\n"},
		"Permissive": {"systemctl stop firewalld\n", "selinux Permissive\n", ""},
		"":           {"systemctl stop firewalld\n", "selinux none\n", ""},
	} {
		tools := map[string]string{
			"systemctl":  `[ "$1" = is-active ] || echo systemctl "$@"`,
			"setenforce": `echo setenforce "$@"`,
		}
		if mode != "" {
			tools["getenforce"] = "echo " + mode
		}
		if out, err := run(t, tools, host.Prepare()); err != nil || out != tt.prepared {
			t.Errorf("%q: prepared: %v, %q", mode, err, out)
		}
		guards, err := run(t, tools, host.Guards())
		if err != nil || guards != tt.guards {
			t.Errorf("%q: guards: %v, %q", mode, err, guards)
		}
		if out, err := run(t, tools, host.Restore(strings.Split(strings.TrimSpace(guards), "\n"))); err != nil || out != tt.restored {
			t.Errorf("%q: restored: %v, %q", mode, err, out)
		}
	}
	if out, err := run(t, map[string]string{"systemctl": "exit 3"}, host.Prepare()); err != nil || out != "" {
		t.Errorf("a host without what it stops: %v, %q", err, out)
	}
	if debian := debian12().Host; debian.Restore([]string{Enforcing}) != "" || debian.Prepare() != "" {
		t.Error("a system that nothing is changed of")
	}
}
