package bootstrap

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

var threeNodes = []podRange{
	{"q-1-control-plane", "172.18.0.3", "10.244.0.0/24", true},
	{"q-1-worker", "172.18.0.4", "10.244.1.0/24", false},
	{"q-1-worker2", "172.18.0.2", "10.244.2.0/24", false},
}

func TestPodRanges(t *testing.T) {
	node := func(name, cidr string, addresses ...corev1.NodeAddress) corev1.Node {
		return corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: name}, Spec: corev1.NodeSpec{PodCIDR: cidr}, Status: corev1.NodeStatus{Addresses: addresses}}
	}
	internal := func(address string) corev1.NodeAddress {
		return corev1.NodeAddress{Type: corev1.NodeInternalIP, Address: address}
	}
	hostname := corev1.NodeAddress{Type: corev1.NodeHostName, Address: "q-1-worker"}
	head := node("q-1-control-plane", "10.244.0.0/24", internal("172.18.0.3"))
	head.Labels = map[string]string{"node-role.kubernetes.io/control-plane": ""}
	got := podRanges([]corev1.Node{
		node("q-1-worker", "10.244.1.0/24", hostname, internal("172.18.0.4"), internal("fc00::4")),
		node("no-address", "10.244.3.0/24", hostname),
		node("no-range", "", internal("172.18.0.9")),
		head,
	})
	if !slices.Equal(got, threeNodes[:2]) {
		t.Errorf("ranges %v", got)
	}
}

func TestNetworkScript(t *testing.T) {
	golden(t, "network-alone.sh", nodeNetworkScript(threeNodes[0], threeNodes[:1]))
	golden(t, "network-worker.sh", nodeNetworkScript(threeNodes[1], threeNodes))
}

func TestCNIConfigIsOfTheNodesRange(t *testing.T) {
	var read struct {
		CNIVersion, Name string
		Plugins          []struct {
			Type string
			IPAM struct{ Ranges [][]struct{ Subnet string } }
		}
	}
	if err := json.Unmarshal([]byte(cniConfig("10.244.7.0/24")), &read); err != nil {
		t.Fatal(err)
	}
	if len(read.Plugins) != 2 || read.Plugins[0].Type != "ptp" || read.Plugins[0].IPAM.Ranges[0][0].Subnet != "10.244.7.0/24" {
		t.Errorf("configuration %+v", read)
	}
}

// networkHost runs network scripts below a root of its own, with tools that
// write down what they are asked.
type networkHost struct {
	t    *testing.T
	root string
}

func newNetworkHost(t *testing.T) networkHost {
	t.Helper()
	h := networkHost{t, t.TempDir()}
	tools := filepath.Join(h.root, "tools")
	for _, dir := range []string{tools, filepath.Join(h.root, "etc/cni/net.d")} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(h.root, "rules"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	for name, body := range map[string]string{
		"ip": "",
		// -C finds the rule that -A has added.
		"iptables": `rule=$(echo "$*" | sed 's/ -[CA] / /'); case "$*" in *-C*) grep -qxF -e "$rule" ` + h.root + `/rules ;; *-A*) echo "$rule" >> ` + h.root + "/rules ;; esac\n",
	} {
		script := "#!/bin/sh\necho " + name + ` "$@" >> ` + h.root + "/log\n" + body
		if err := os.WriteFile(filepath.Join(tools, name), []byte(script), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("PATH", tools+":"+os.Getenv("PATH"))
	return h
}

// run runs a script as Transport does, and returns what the tools were asked.
func (h networkHost) run(script string) []string {
	h.t.Helper()
	if err := os.Remove(filepath.Join(h.root, "log")); err != nil && !os.IsNotExist(err) {
		h.t.Fatal(err)
	}
	script = strings.ReplaceAll(script, "/etc/cni", h.root+"/etc/cni")
	if out, err := exec.Command("sh", "-euc", script).CombinedOutput(); err != nil {
		h.t.Fatalf("%v: %s", err, out)
	}
	log, err := os.ReadFile(filepath.Join(h.root, "log"))
	if err != nil {
		h.t.Fatal(err)
	}
	return strings.Split(strings.TrimSpace(string(log)), "\n")
}

func (h networkHost) config() (os.FileInfo, string) {
	h.t.Helper()
	dir := filepath.Join(h.root, "etc/cni/net.d")
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != 1 {
		h.t.Fatalf("files %v, %v", entries, err)
	}
	file := filepath.Join(dir, "10-qualify.conflist")
	info, err := os.Stat(file)
	if err != nil {
		h.t.Fatal(err)
	}
	text, err := os.ReadFile(file)
	if err != nil {
		h.t.Fatal(err)
	}
	return info, string(text)
}

// The script is run again for every node that joins: it adds, and repeats
// nothing. The configuration's file stays the same one, or the container
// runtime would load it anew.
func TestNetworkScriptRunsAgain(t *testing.T) {
	h := newNetworkHost(t)
	rule := "-s 10.244.0.0/16 ! -d 10.244.0.0/16 -j MASQUERADE"
	own := threeNodes[1]
	first := h.run(nodeNetworkScript(own, threeNodes[1:2]))
	const refuse = " -d 10.96.0.0/16 -j REJECT"
	if want := []string{
		"iptables -w -t nat -C POSTROUTING " + rule, "iptables -w -t nat -A POSTROUTING " + rule,
		"iptables -w -C FORWARD" + refuse, "iptables -w -A FORWARD" + refuse, "iptables -w -C OUTPUT" + refuse, "iptables -w -A OUTPUT" + refuse,
	}; !slices.Equal(first, want) {
		t.Errorf("first %q, want %q", first, want)
	}
	before, text := h.config()
	if text != cniConfig(own.cidr)+"\n" {
		t.Errorf("configuration %s", text)
	}
	second := h.run(nodeNetworkScript(own, threeNodes))
	want := []string{
		"iptables -w -t nat -C POSTROUTING " + rule, "iptables -w -C FORWARD" + refuse, "iptables -w -C OUTPUT" + refuse,
		"ip route replace 10.244.0.0/24 via 172.18.0.3", "ip route replace 10.244.2.0/24 via 172.18.0.2",
	}
	if !slices.Equal(second, want) {
		t.Errorf("second %q, want %q", second, want)
	}
	if after, _ := h.config(); !os.SameFile(before, after) {
		t.Error("the configuration was replaced by itself")
	}
}
