package metal

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/qualify-dev/qualify/matrix"
)

// A firewall of the system is stopped as long as the host is a node, also after
// a boot, and runs again when it is given back.
func TestGuardsStayDown(t *testing.T) {
	f := newShams(t, 2)
	units := func(s *sham) string {
		data, err := os.ReadFile(filepath.Join(s.root, "state/units"))
		if err != nil {
			t.Fatal(err)
		}
		return "\n" + string(data)
	}
	for _, s := range f.hosts {
		write(t, filepath.Join(s.root, "etc/os-release"), "ID=ubuntu\nVERSION_ID=\"22.04\"\n")
		write(t, filepath.Join(s.root, "state/units"), "ufw\n")
	}
	lease, spec := testLease("q-guards"), f.spec(t.TempDir())
	spec.Cell = matrix.NewCell(map[string]string{matrix.OS: "ubuntu-22.04", matrix.K8s: "v1.34.4", matrix.Provisioner: Name})
	c, err := f.instance(t).Up(soon(t), lease, spec)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range f.hosts {
		if strings.Contains(units(s), "\nufw\n") {
			t.Errorf("the firewall of host %s runs", s.name)
		}
	}
	victim := f.hosts[1]
	victim.at("--no-block", func() {
		write(t, victim.root+"/proc/sys/kernel/random/boot_id", "boot-1\n")
		write(t, filepath.Join(victim.root, "state/units"), "containerd\nkubelet\nufw\n")
		victim.server.Away(true)
		time.AfterFunc(300*time.Millisecond, func() { victim.server.Away(false) })
	})
	if err := c.Nodes[1].Restart(soon(t)); err != nil {
		t.Fatal(err)
	}
	if strings.Contains(units(victim), "\nufw\n") {
		t.Error("the firewall runs after the boot")
	}
	if err := f.instance(t).Down(soon(t), lease); err != nil {
		t.Fatal(err)
	}
	for _, s := range f.hosts {
		if !strings.Contains(units(s), "\nufw\n") {
			t.Errorf("the firewall of host %s does not run again", s.name)
		}
	}
}
