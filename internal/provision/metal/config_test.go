package metal

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"

	"github.com/qualify-dev/qualify/internal/inventory"
	"github.com/qualify-dev/qualify/internal/nodeos"
)

var update = flag.Bool("update", false, "write the goldens anew")

func golden(t *testing.T, name, text string) {
	t.Helper()
	file := filepath.Join("testdata", name)
	if *update {
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

// The steps on each operating system that can be a host, as they are run: the
// same in a family, and what undoes them the same for a package manager.
func TestSteps(t *testing.T) {
	seen := 0
	for _, os := range nodeos.All() {
		if os.Host == nil {
			continue
		}
		seen++
		golden(t, "prepare-"+os.Family+".sh", preparer{os: os}.script())
		golden(t, "state-"+os.Host.Manager.Name+".sh", stateScript(os))
		before := state{"packages": {"ii base 1"}, "mounts": {"/"}, "links": {"lo"}, "routes": {}, "rules": {}, "modules": {}, "sysctls": {"net/ipv4/ip_forward 0"}, "swap": {}, "units": {"containerd active", "kubelet inactive"}, "files": {}}
		now := state{
			"packages": {"ii base 1", "ii containerd 2", "ii it's 3"}, "mounts": {"/", "/mnt/theirs", "/var/lib/kubelet/pods/a", "/var/lib/kubelet/pods/a/b c"}, "links": {"lo", "tun0", "veth1"},
			"routes": {"10.244.1.0/24 via 10.0.0.2 dev eth0", "192.0.2.0/24 dev tun0"}, "modules": {"br_netfilter"}, "sysctls": {"net/ipv4/ip_forward 1"}, "swap": {}, "units": {},
			"rules": {"iptables nat -A POSTROUTING -m comment --comment \"kubernetes $(reboot)\" -j KUBE-X", "iptables nat chain :KUBE-X", "iptables filter -A INPUT -j DROP"}, "files": {"/etc/systemd/new d 755 root"},
		}
		golden(t, "undo-"+os.Host.Manager.Name+".sh", undoScript(before, now, os))
	}
	if seen == 0 {
		t.Error("no operating system can be a host")
	}
}
