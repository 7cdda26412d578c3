package metal

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/qualify-dev/qualify/internal/cluster"
	"github.com/qualify-dev/qualify/internal/identity"
	"github.com/qualify-dev/qualify/internal/nodeos"
	"github.com/qualify-dev/qualify/internal/provision"
	"github.com/qualify-dev/qualify/internal/remote"
	"github.com/qualify-dev/qualify/matrix"
)

// Three machines become a cluster of the release, by SSH alone, are what the
// release says, and are given back as they were.
func TestRealHosts(t *testing.T) {
	rel, c := candidate(t)
	f := newFleet(t, c, 3)
	unchanged := f.unchanged(t)
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Minute)
	defer cancel()
	p, err := newProvisioner(f.cfg)
	if err != nil {
		t.Fatal(err)
	}
	lease := testLease("q-real")
	down := func() {
		again, err := newProvisioner(f.cfg) // another process: it knows the lease and the inventory
		if err != nil {
			t.Fatal(err)
		}
		if err := again.Down(ctx, lease); err != nil {
			t.Errorf("down: %v", err)
		}
	}
	start := time.Now()
	spec := provision.Spec{
		Cell:    matrix.NewCell(map[string]string{matrix.OS: "debian-12", matrix.K8s: rel.Kubernetes(), matrix.Provisioner: Name}),
		Release: rel, Workers: 2, Dir: t.TempDir(), Phase: func(phase string) { t.Logf("%6.1fs %s", time.Since(start).Seconds(), phase) },
	}
	made, err := p.Up(ctx, lease, spec)
	if err != nil {
		_ = p.Collect(ctx, lease, t.ArtifactDir())
		down()
		t.Fatal(err)
	}
	t.Logf("%6.1fs up: %s", time.Since(start).Seconds(), made.Version)
	prover := identity.Prover{Arch: "amd64", Program: f.cfg.Store.Program, Image: f.cfg.Store.Image}
	compared, err := prover.Compare(ctx, made, rel)
	if err != nil || len(compared.Mismatched) > 0 {
		t.Errorf("identity: %v, %q", err, compared.Mismatched)
	}
	t.Logf("%6.1fs identity: %d things compared", time.Since(start).Seconds(), len(compared.Checked))
	if err := p.Collect(ctx, lease, t.TempDir()); err != nil {
		t.Errorf("collect: %v", err)
	}
	down()
	t.Logf("%6.1fs given back", time.Since(start).Seconds())
	unchanged(t)
	down() // there is nothing any more
}

// One machine is prepared up to where kubeadm would begin, twice, and given
// back as it was. It needs no cluster, and packages are installed for real.
func TestRealHostPrepared(t *testing.T) {
	rel, c := candidate(t)
	f := newFleet(t, c, 2)
	p, err := newProvisioner(f.cfg)
	if err != nil {
		t.Fatal(err)
	}
	machines, end, err := p.(*provisioner).connect(p.(*provisioner).inv.Hosts)
	if err != nil {
		t.Fatal(err)
	}
	defer end()
	ctx, cancel := context.WithTimeout(context.Background(), 8*time.Minute)
	defer cancel()
	if err := preflight(ctx, machines, debian); err != nil {
		t.Fatal(err)
	}
	m := machines[1] // by sudo
	before := f.everything(t, f.names[1])
	os, err := nodeos.Find("debian-12")
	if err != nil {
		t.Fatal(err)
	}
	lease := testLease("q-prepared")
	if err := claimHost(ctx, m, lease, os); err != nil {
		t.Fatal(err)
	}
	if err := take(ctx, m.remote.Root(remote.Guard{}), testLease("q-other")); !errors.Is(err, errHeld) || !strings.Contains(err.Error(), "by lease "+lease.Name+" of run run-1") {
		t.Errorf("a host that is held: %v", err)
	}
	prepare := preparer{rel: rel, store: f.cfg.Store, os: os, digests: &digests{}}
	for _, round := range []string{"first", "again"} {
		start := time.Now()
		if err := prepare.node(ctx, m, m.remote.Root(worker(lease)), "# no configuration\n"); err != nil {
			t.Fatalf("%s: %v", round, err)
		}
		t.Logf("prepared %s: %.1f s", round, time.Since(start).Seconds())
	}
	if err := p.Down(ctx, testLease("q-other")); err != nil {
		t.Errorf("down of another lease: %v", err)
	}
	if _, err := m.remote.Root(guard(lease)).Exec(ctx, cluster.Command("true")); err != nil {
		t.Errorf("after down of another lease: %v", err)
	}
	start := time.Now()
	if err := p.Down(ctx, lease); err != nil {
		t.Errorf("down: %v", err)
	}
	t.Logf("given back: %.1f s", time.Since(start).Seconds())
	same(t, f.names[1], before, f.everything(t, f.names[1]))
	if _, err := m.remote.Root(guard(lease)).Exec(ctx, cluster.Command("true")); !errors.Is(err, remote.ErrRefused) {
		t.Errorf("a command on a host that was given back: %v", err)
	}
}

// built is the program; the test is skipped where nobody made it.
func built(t *testing.T) string {
	t.Helper()
	program := os.Getenv("QUALIFY_E2E_BINARY")
	if program == "" {
		t.Skip("QUALIFY_E2E_BINARY names no qualify: make build makes bin/qualify")
	}
	return program
}

// qualifies is the program as its user starts it on the fleet.
func (f *fleet) qualifies(program, results string, args ...string) *exec.Cmd {
	return exec.Command(program, append([]string{
		"-f", "../../../matrix/baremetal.yaml", "--k8s", "1.34", "--release", os.Getenv("QUALIFY_E2E_MANIFEST"),
		"--inventory", f.cfg.Inventory, "--results", results, "--no-live",
	}, args...)...)
}

// The whole way, as its user goes it: three machines, smoke and, where there is
// time for it, conformance, a verdict, and the machines as they were.
func TestQualifyOnRealHosts(t *testing.T) {
	_, c := candidate(t)
	program := built(t)
	f := newFleet(t, c, 3)
	unchanged := f.unchanged(t)
	var args []string
	if os.Getenv("QUALIFY_E2E_MANY") != "1" { // conformance takes minutes, and is no other here
		args = []string{"--suite", "smoke"}
	}
	out, err := f.qualifies(program, t.TempDir(), args...).CombinedOutput()
	t.Logf("%s", out)
	if err != nil {
		t.Errorf("qualify: %v", err)
	}
	if key, err := os.ReadFile(filepath.Join(filepath.Dir(f.cfg.Inventory), "key")); err != nil || strings.Contains(string(out), string(key)) {
		t.Errorf("the key is in the output, or cannot be looked for: %v", err)
	}
	unchanged(t)
}

// The reboot suite, as its user starts it, on real machines.
func TestRealReboot(t *testing.T) {
	_, c := candidate(t)
	patiently(t)
	program := built(t)
	f := newFleet(t, c, 3)
	out, err := f.qualifies(program, t.TempDir(), "--suite", "reboot").CombinedOutput()
	t.Logf("%s", out)
	if err != nil || !strings.Contains(string(out), "6 of 6 cases passed") {
		t.Errorf("qualify: %v", err)
	}
}

// A real machine boots anew when it is told to, and is reached again.
func TestRealHostBoots(t *testing.T) {
	_, c := candidate(t)
	f := newFleet(t, c, 2)
	p := f.instance(t).(*provisioner)
	machines, end, err := p.connect(p.inv.Hosts)
	if err != nil {
		t.Fatal(err)
	}
	defer end()
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Minute)
	defer cancel()
	for _, m := range machines { // as root, and by sudo
		root := m.remote.Root(remote.Guard{})
		before, err := cluster.Boot(ctx, root)
		if err != nil {
			t.Fatal(err)
		}
		start := time.Now()
		if _, err := root.Exec(ctx, cluster.Command("systemctl", "--no-block", "reboot")); err != nil && !errors.Is(err, remote.ErrLost) {
			t.Fatal(err)
		}
		if err := back(ctx, m, root, before); err != nil {
			t.Fatal(err)
		}
		t.Logf("%s is back after %.1f s", m.Name, time.Since(start).Seconds())
	}
}
