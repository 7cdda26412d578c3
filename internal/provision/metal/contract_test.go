package metal

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/qualify-dev/qualify/internal/provision"
	"github.com/qualify-dev/qualify/internal/provision/provisiontest"
	"github.com/qualify-dev/qualify/matrix"
)

func cell() matrix.Cell {
	return matrix.NewCell(map[string]string{matrix.OS: "debian-12", matrix.K8s: "v1.34.4", matrix.Provisioner: Name})
}

// The contract of all provisioners, on sham hosts: every script is run.
func TestContract(t *testing.T) {
	provisiontest.Run(t, func(t *testing.T) provisiontest.Harness {
		f := newShams(t, 4)
		return provisiontest.Harness{
			Entry: Entry(), Config: f.cfg, Cell: cell(), Release: f.rel, Workers: 2,
			Add: f.add, Left: f.left, Patience: 2 * time.Minute, Prompt: 40 * time.Second,
		}
	})
}

// add stamps the spare host, or puts a file of nobody's there.
func (f *fleetOfShams) add(t *testing.T, name string, lease provision.Lease) func() bool {
	t.Helper()
	file := filepath.Join(f.hosts[3].root, "etc", name)
	if lease.Name != "" {
		file = filepath.Join(f.hosts[3].root, home, "lease.json")
		text, err := json.Marshal(claim{Lease: lease, Created: time.Now()})
		if err != nil {
			t.Fatal(err)
		}
		write(t, file, string(text))
		write(t, filepath.Join(filepath.Dir(file), "name"), lease.Name+"\n")
	} else {
		write(t, file, "nobody's")
	}
	there := func() bool { _, err := os.Stat(file); return err == nil }
	t.Cleanup(func() {
		if lease.Name == "" {
			_ = os.Remove(file)
		}
	})
	return there
}

// left looks at the hosts' directories.
func (f *fleetOfShams) left(t *testing.T, lease provision.Lease) []string {
	t.Helper()
	var names []string
	for _, s := range f.hosts {
		text, err := os.ReadFile(filepath.Join(s.root, home, "name"))
		if err == nil && string(text) == lease.Name+"\n" {
			names = append(names, s.name)
		}
		if litter, _ := filepath.Glob(filepath.Join(s.root, home) + "-*"); len(litter) > 0 {
			names = append(names, litter...)
		}
	}
	return names
}
