package metal

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"

	"github.com/qualify-dev/qualify/internal/inventory"
	"github.com/qualify-dev/qualify/internal/nodeos"
	"github.com/qualify-dev/qualify/internal/release"
)

var update = flag.Bool("update", false, "write the goldens anew")

func golden(t *testing.T, name, text string) {
	t.Helper()
	file := filepath.Join("testdata", name)
	if *update {
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if text != string(want) {
		t.Errorf("%s differs from its golden; look at the change and run with -update\ngot:\n%s", name, text)
	}
}

// What kubeadm and the programs of a node are told, for plain and odd hosts.
func TestConfigurations(t *testing.T) {
	rel := shamRelease(t)
	head := inventory.Host{Name: "m1", Role: inventory.ControlPlane, Private: "10.0.0.1", Access: inventory.Access{Address: "m1.example"}}
	worker := inventory.Host{Name: "m2", Role: inventory.Worker, Access: inventory.Access{Address: "m2.example"}, Labels: map[string]string{"rack": "a", "disk": ""}}
	second := inventory.Host{Name: "m3", Role: inventory.ControlPlane, Private: "10.0.0.3", Access: inventory.Access{Address: "m3.example"}}
	shared := &sharing{endpoint: "api.example:443", names: []string{"api.example", "m3.example", "10.0.0.3"}, key: strings.Repeat("0123", 16)}
	for file, c := range map[string]nodeConfig{
		"kubeadm-second.yaml":    {rel: rel, controlPlane: head, own: second, facts: facts{cgroups: "v2"}, token: "abcdef.0123456789abcdef", shared: shared},
		"kubeadm-head.yaml":      {rel: rel, controlPlane: head, own: head, facts: facts{cgroups: "v2"}, token: "abcdef.0123456789abcdef"},
		"kubeadm-worker.yaml":    {rel: rel, controlPlane: head, own: worker, facts: facts{cgroups: "v2", container: "none"}, token: "abcdef.0123456789abcdef"},
		"kubeadm-contained.yaml": {rel: rel, controlPlane: head, own: head, facts: facts{cgroups: "v1", container: "docker", lessRights: true}, token: "abcdef.0123456789abcdef"},
		"kubeadm-v1beta3.yaml":   {rel: minor(rel, "v1.30.14"), controlPlane: head, own: worker, facts: facts{cgroups: "v2"}, volumePlugins: "/var/lib/kubelet/volumeplugins", token: "abcdef.0123456789abcdef"},
		"kubeadm-v1beta2.yaml":   {rel: minor(rel, "v1.21.14"), controlPlane: head, own: head, facts: facts{cgroups: "v2"}, token: "abcdef.0123456789abcdef"},
	} {
		text, err := c.kubeadm()
		if err != nil {
			t.Fatal(err)
		}
		golden(t, file, text)
		for _, part := range strings.Split(text, "---\n") {
			var read map[string]any
			if err := yaml.UnmarshalStrict([]byte(part), &read); err != nil || read["kind"] == nil {
				t.Errorf("%s: %v\n%s", file, err, part)
			}
		}
	}
	golden(t, "containerd.toml", containerdConfig("registry.example/pause:v1", facts{}))
	golden(t, "containerd-less-rights.toml", containerdConfig("registry.example/pause:v1", facts{lessRights: true}))
	golden(t, "kubelet.service", kubeletUnit("/usr/local/bin"))
}

// minor is the release with another version of Kubernetes.
func minor(rel *release.Release, version string) *release.Release {
	other := *rel
	other.Components = slices.Clone(rel.Components)
	other.Components[0].GitTag = version
	return &other
}

// The version of kubeadm's configuration is one that the minor's kubeadm reads,
// and the flags have its form.
func TestKubeadmVersions(t *testing.T) {
	rel := shamRelease(t)
	head := inventory.Host{Name: "m1", Role: inventory.ControlPlane, Access: inventory.Access{Address: "192.0.2.1"}}
	for version, want := range map[string]string{
		"v1.18.20": "v1beta2", "v1.21.14": "v1beta2", "v1.22.17": "v1beta3", "v1.30.14": "v1beta3", "v1.31.14": "v1beta4", "v1.36.2": "v1beta4",
	} {
		text, err := nodeConfig{rel: minor(rel, version), controlPlane: head, own: head, token: "abcdef.0123456789abcdef"}.kubeadm()
		if err != nil {
			t.Fatal(err)
		}
		if n := strings.Count(text, "kubeadm.k8s.io/"+want+"\n"); n != 3 || strings.Count(text, "kubeadm.k8s.io/") != 3 {
			t.Errorf("%s: %d documents of %s:\n%s", version, n, want, text)
		}
		if list := strings.Contains(text, "{name: node-ip"); list != (want == "v1beta4") {
			t.Errorf("%s: flags in a list: %v", version, list)
		}
	}
}

// The steps on each operating system that can be a host, as they are run: one
// golden for each, with what is installed, what prepares it, what is written
// down of it and what undoes it.
func TestSteps(t *testing.T) {
	before := state{
		"packages": {"ii base 1", "base 1 x86_64", "ii moved 1", "moved 1 x86_64"}, "mounts": {"/"}, "links": {"lo"}, "routes": {}, "rules": {}, "modules": {}, "sysctls": {"net/ipv4/ip_forward 0"}, "swap": {},
		"units": {"containerd active", "firewalld enabled active", "kubelet inactive", "ufw enabled active"}, "guards": {nodeos.Enforcing}, "files": {},
	}
	now := state{
		"packages": {"ii base 1", "base 1 x86_64", "ii containerd 2", "containerd 2 x86_64", "ii it's 3", "gpg-pubkey-1-2", "ii moved 2", "moved 2 x86_64"},
		"mounts":   {"/", "/mnt/theirs", "/var/lib/kubelet/pods/a", "/var/lib/kubelet/pods/a/b c"}, "links": {"lo", "tun0", "veth1"},
		"routes": {"10.244.1.0/24 via 10.0.0.2 dev eth0", "192.0.2.0/24 dev tun0"}, "modules": {"br_netfilter"}, "sysctls": {"net/ipv4/ip_forward 1"}, "swap": {}, "units": {},
		"rules": {"iptables nat -A POSTROUTING -m comment --comment \"kubernetes $(reboot)\" -j KUBE-X", "iptables nat chain :KUBE-X", "iptables filter -A INPUT -j DROP"}, "files": {"/etc/systemd/new d 755 root"},
	}
	for _, s := range []state{before, now} {
		for _, lines := range s {
			slices.Sort(lines)
		}
	}
	seen := 0
	for _, os := range nodeos.All() {
		if os.Host == nil {
			continue
		}
		seen++
		own, brought := preparer{os: os}, preparer{os: os, runtime: &release.Release{}}
		var text strings.Builder
		if os.Host.Runtime != nil {
			file, unit := own.runtimeUnit()
			fmt.Fprintf(&text, "# packages, its own containerd among them: %s\n# %s %q\n", strings.Join(os.Host.NodePackages(true), " "), file, unit)
		}
		file, unit := brought.runtimeUnit()
		fmt.Fprintf(&text, "# packages where a containerd is brought: %s\n# %s:\n# %s\n", strings.Join(os.Host.NodePackages(false), " "), file, strings.ReplaceAll(unit, "\n", "\n# "))
		for what, script := range map[int]string{0: own.script(), 1: stateScript(os), 2: undoScript(before, now, os)} {
			if out, err := exec.Command("sh", "-n", "-c", script).CombinedOutput(); err != nil {
				t.Errorf("%s: script %d is none of a shell: %v: %s", os.ID, what, err, out)
			}
		}
		fmt.Fprintf(&text, "\n# PREPARE\n%s\n# STATE\n%s\n# UNDO\n%s", own.script(), stateScript(os), undoScript(before, now, os))
		golden(t, "steps/"+os.ID+".sh", text.String())
	}
	if seen == 0 {
		t.Error("no operating system can be a host")
	}
}

// A package of which there is another version now is not new, and never goes;
// what was not planned is somebody else's.
func TestUndoPackagesKeepsWhatWasThere(t *testing.T) {
	for _, os := range nodeos.All() {
		if os.Host == nil {
			continue
		}
		text := undoScript(state{"packages": {"libc6 1"}}, state{"packages": {"gpg-pubkey-a-b", "libc6 2", "runc 1"}}, os)
		if strings.Contains(text, "libc6") || !strings.Contains(text, `if grep -qxF -e runc "$0/packages"`) {
			t.Errorf("%s:\n%s", os.ID, text)
		}
		if keys := strings.Contains(text, `  set -- "$@" gpg-pubkey-a-b`); keys != (os.Host.Manager.Keys != "") {
			t.Errorf("%s: keys are removed: %v", os.ID, keys)
		}
	}
}
