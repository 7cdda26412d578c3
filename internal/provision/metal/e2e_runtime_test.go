package metal

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/qualify-dev/qualify/internal/cluster"
	"github.com/qualify-dev/qualify/internal/nodeos"
	"github.com/qualify-dev/qualify/internal/release"
	"github.com/qualify-dev/qualify/internal/release/source"
)

// A real machine is prepared with a containerd that its system does not bring,
// which runs, holds the release's images, and is gone afterwards.
func TestRealHostWithAnotherRuntime(t *testing.T) {
	rel, c := candidate(t)
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Minute)
	defer cancel()
	const version = "v1.7.32"
	runtime, err := source.Containerd(ctx, c, version, nil)
	if err != nil {
		t.Fatal(err)
	}
	f := newFleet(t, c, 1)
	p, err := newProvisioner(f.cfg)
	if err != nil {
		t.Fatal(err)
	}
	machines, end, err := p.(*provisioner).connect(p.(*provisioner).inv.Hosts)
	if err != nil {
		t.Fatal(err)
	}
	defer end()
	if err := preflight(ctx, machines, debian); err != nil {
		t.Fatal(err)
	}
	before := f.everything(t, f.names[0])
	os, err := nodeos.Find("debian-12")
	if err != nil {
		t.Fatal(err)
	}
	m, lease := machines[0], testLease("q-runtime")
	if err := claimHost(ctx, m, lease, os); err != nil {
		t.Fatal(err)
	}
	prepare := preparer{rel: rel, store: f.cfg.Store, os: os, runtime: runtime, parts: []*release.Release{runtime}, digests: &digests{}}
	if err := prepare.node(ctx, m, m.remote.Root(worker(lease)), "# no configuration\n"); err != nil {
		t.Fatal(err)
	}
	out, err := m.remote.Root(guard(lease)).Exec(ctx, cluster.Script("ctr version; dpkg-query -W containerd 2>&1 || :"))
	if err != nil || strings.Count(string(out.Stdout), version) != 2 || !strings.Contains(string(out.Stdout)+string(out.Stderr), "no packages found matching containerd") {
		t.Errorf("%v: client, server and package: %s %s", err, out.Stdout, out.Stderr)
	}
	if err := p.Down(ctx, lease); err != nil {
		t.Errorf("down: %v", err)
	}
	same(t, f.names[0], before, f.everything(t, f.names[0]))
}
