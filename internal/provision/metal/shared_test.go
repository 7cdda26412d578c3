package metal

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/qualify-dev/qualify/internal/cluster"
	"github.com/qualify-dev/qualify/internal/inventory"
)

// With an endpoint every control plane of the inventory is one, by way of it,
// and the key of their certificates is in no file of ours.
func TestSeveralControlPlanes(t *testing.T) {
	f := newShams(t, 4)
	f.inv.Hosts[2].Role = inventory.ControlPlane
	f.inv.Endpoint = &inventory.Endpoint{Address: f.address, Port: apiPort}
	text, err := f.inv.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	write(t, f.cfg.Inventory, string(text))
	before := f.files(t)
	lease, dir := testLease("q-several"), t.TempDir()
	spec := f.spec(dir)
	spec.Workers = 2
	p := f.instance(t)
	c, err := p.Up(soon(t), lease, spec)
	if err != nil {
		t.Fatal(err)
	}
	var roles []cluster.Role
	for _, n := range c.Nodes {
		roles = append(roles, n.Role)
	}
	if want := []cluster.Role{cluster.ControlPlane, cluster.ControlPlane, cluster.Worker, cluster.Worker}; !slices.Equal(roles, want) || c.Nodes[1].Name != "h2" {
		t.Errorf("nodes %+v", c.Nodes)
	}
	config, err := os.ReadFile(filepath.Join(f.hosts[2].root, kubeadmConfig))
	if err != nil || !strings.Contains(string(config), "controlPlane: {localAPIEndpoint") {
		t.Errorf("the second control plane is told %s, %v", config, err)
	}
	key := regexp.MustCompile(`certificateKey: "([0-9a-f]{64})"`).FindSubmatch(config)
	log, err := os.ReadFile(filepath.Join(dir, "kubeadm.log"))
	if err != nil || key == nil || strings.Contains(string(log), string(key[1])) || !strings.Contains(string(log), "certificateKey") {
		t.Errorf("the key of the certificates is in the log, or there is none: %v", err)
	}
	// Also where nothing beside it tells what it is.
	said := filepath.Join(dir, "said")
	out, err := p.cfg.Sink.Create(said)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := out.Write(append([]byte("it says "), key[1]...)); err != nil {
		t.Fatal(err)
	}
	if err := out.Close(); err != nil {
		t.Fatal(err)
	}
	if text, err := os.ReadFile(said); err != nil || strings.Contains(string(text), string(key[1])) {
		t.Errorf("the key is not known to be a secret: %s, %v", text, err)
	}
	worker, err := os.ReadFile(filepath.Join(f.hosts[1].root, kubeadmConfig))
	if err != nil || strings.Contains(string(worker), "certificateKey") {
		t.Errorf("a worker is told %s, %v", worker, err)
	}
	if err := f.instance(t).Down(soon(t), lease); err != nil {
		t.Errorf("down: %v", err)
	}
	f.unchanged(t, before)
}
