package kind

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/qualify-dev/qualify/internal/cache"
	"github.com/qualify-dev/qualify/internal/provision"
	"github.com/qualify-dev/qualify/internal/provision/provisiontest"
	"github.com/qualify-dev/qualify/internal/redact"
	"github.com/qualify-dev/qualify/internal/release"
	"github.com/qualify-dev/qualify/internal/sink"
	"github.com/qualify-dev/qualify/matrix"
)

// TestContract brings up about ten clusters, most of them not to the end. It
// takes a quarter of an hour, so run it with -timeout 60m.
func TestContract(t *testing.T) {
	if os.Getenv("QUALIFY_E2E") != "1" {
		t.Skip("needs a container engine and a quarter of an hour: set QUALIFY_E2E=1, and QUALIFY_E2E_MANIFEST to a release's manifest")
	}
	manifest := os.Getenv("QUALIFY_E2E_MANIFEST")
	if manifest == "" {
		t.Skip("QUALIFY_E2E_MANIFEST names no release's manifest: qualify release build makes one")
	}
	ref, err := release.ParseRef(manifest)
	if err != nil {
		t.Fatal(err)
	}
	rel, err := release.Load(ref, release.Options{})
	if err != nil {
		t.Fatal(err)
	}
	c, err := cache.Default()
	if err != nil {
		t.Fatal(err)
	}
	store := &release.Store{Dir: filepath.Join(c.Dir, "store")}
	provisiontest.Run(t, func(t *testing.T) provisiontest.Harness {
		return provisiontest.Harness{
			Entry: Entry(), Release: rel, Workers: 2,
			Config:   provision.Config{CacheDir: c.Dir, Owner: "contract-test/1", Store: store, Log: t.Logf, Sink: sink.New(redact.New())},
			Cell:     matrix.NewCell(map[string]string{matrix.OS: "debian-12", matrix.K8s: rel.Kubernetes(), matrix.Provisioner: "kind"}),
			Add:      addNetwork,
			Left:     named,
			Patience: 15 * time.Minute, Prompt: time.Minute,
		}
	})
}

// addNetwork makes a network, the cheapest thing that can carry labels.
func addNetwork(t *testing.T, name string, lease provision.Lease) func() bool {
	t.Helper()
	args := []string{"network", "create"}
	if lease.Name != "" {
		for k, v := range leaseLabels(lease) {
			args = append(args, "--label", k+"="+v)
		}
	}
	ctx := context.Background()
	if _, err := docker(ctx, append(args, name)...); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if _, err := docker(ctx, "network", "rm", name); err != nil && !isAbsent(err) {
			t.Error(err)
		}
	})
	return func() bool {
		_, err := docker(ctx, "network", "inspect", name)
		if err != nil && !isAbsent(err) {
			t.Error(err)
		}
		return err == nil
	}
}

// named asks the engine by names, whatever the labels say.
func named(t *testing.T, lease provision.Lease) []string {
	t.Helper()
	var names []string
	for _, ls := range [][]string{
		{"ps", "--all", "--format", "{{.Names}}"}, {"network", "ls", "--format", "{{.Name}}"}, {"image", "ls", "--format", "{{.Repository}}:{{.Tag}}"},
	} {
		out, err := docker(context.Background(), ls...)
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range lines(out) {
			if name == lease.Name || strings.HasPrefix(name, lease.Name+"-") || name == "qualify/cell:"+lease.Name {
				names = append(names, name)
			}
		}
	}
	return names
}
