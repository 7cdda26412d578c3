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

	"github.com/qualify-dev/qualify/internal/inventory"
	"github.com/qualify-dev/qualify/internal/provision"
	"github.com/qualify-dev/qualify/internal/provision/metal/metaltest"
	"github.com/qualify-dev/qualify/internal/release"
	"github.com/qualify-dev/qualify/internal/remote/remotetest"
	"github.com/qualify-dev/qualify/matrix"
)

// patiently skips a test for which make e2e has no time.
func patiently(t *testing.T) {
	t.Helper()
	if os.Getenv("QUALIFY_E2E_MANY") != "1" {
		t.Skip("takes minutes: set QUALIFY_E2E_MANY=1")
	}
}

// rewrite changes the inventory of a fleet.
func (f *fleet) rewrite(t *testing.T, change func(hosts []inventory.Host)) {
	t.Helper()
	inv, err := open(f.cfg.Inventory)
	if err != nil {
		t.Fatal(err)
	}
	change(inv.Hosts)
	text, err := inv.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	write(t, f.cfg.Inventory, string(text))
}

func (f *fleet) spec(t *testing.T, rel *release.Release, os string) provision.Spec {
	t.Helper()
	start := time.Now()
	return provision.Spec{
		Cell:    matrix.NewCell(map[string]string{matrix.OS: os, matrix.K8s: rel.Kubernetes(), matrix.Provisioner: Name}),
		Release: rel, Workers: len(f.names) - 1, Dir: t.TempDir(), Phase: func(phase string) { t.Logf("%6.1fs %s", time.Since(start).Seconds(), phase) },
	}
}

func (f *fleet) instance(t *testing.T) provision.Provisioner {
	t.Helper()
	p, err := newProvisioner(f.cfg)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// What is wrong with real hosts is found on real hosts, blames nobody, and is
// the only thing that is different on them afterwards: nothing.
func TestRealFaults(t *testing.T) {
	rel, c := candidate(t)
	patiently(t)
	f := newFleet(t, c, 2)
	good, err := os.ReadFile(f.cfg.Inventory)
	if err != nil {
		t.Fatal(err)
	}
	_, strange, err := remotetest.Key()
	if err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(filepath.Dir(f.cfg.Inventory), "password"), password)
	for _, tt := range []struct {
		name, breaks, mends string
		inventory           func(hosts []inventory.Host)
		says                string
	}{
		{name: "wrong host key", inventory: func(h []inventory.Host) { h[1].Access.HostKey = strings.TrimSpace(strange) }, says: "host m1: the host cannot be reached: m1 (admin@"},
		{name: "wrong password", inventory: func(h []inventory.Host) { h[1].Access.Key, h[1].Access.PasswordFile = "", "password" }, says: "unable to authenticate"},
		{"a clock that is off by an hour", `printf '#!/bin/sh\nexec /bin/date -d "now + 1 hour" "$@"\n' > /usr/local/bin/date; chmod 755 /usr/local/bin/date`, "rm /usr/local/bin/date", nil, "its clock is off by 1h0m0s"},
		{"the machine-id of another", "cp /etc/machine-id /tmp/own; echo ID > /etc/machine-id", "cat /tmp/own > /etc/machine-id", nil, "it has the machine-id of host m0"},
		{"a cluster of somebody else's", "mkdir -p /etc/kubernetes; touch /etc/kubernetes/admin.conf", "rm -r /etc/kubernetes", nil, "it holds a cluster or containers that are not ours: /etc/kubernetes/admin.conf"},
		{"apt is at work", "sleep 600 9>>/var/lib/dpkg/lock-frontend >/dev/null 2>&1 & echo $! > /tmp/apt", `kill "$(cat /tmp/apt)"`, nil, "another process installs packages"},
		{"a full disk", "mkdir -p /var/cache/apt/archives; mount -t tmpfs -o size=64k tmpfs /var/cache/apt/archives", "umount /var/cache/apt/archives", nil, "You don't have enough free space in /var/cache/apt/archives"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			write(t, f.cfg.Inventory, string(good))
			if tt.inventory != nil {
				f.rewrite(t, tt.inventory)
			}
			breaks := strings.ReplaceAll(tt.breaks, "ID", f.inside(t, f.names[0], "cat /etc/machine-id"))
			f.inside(t, f.names[1], breaks+"\n:")
			defer f.inside(t, f.names[1], tt.mends+"\n:")
			unchanged := f.unchanged(t)
			ctx, cancel := context.WithTimeout(context.Background(), 3*time.Minute)
			defer cancel()
			lease := testLease("q-fault")
			_, err := f.instance(t).Up(ctx, lease, f.spec(t, rel, "debian-12"))
			var product *provision.ProductError
			if err == nil || errors.As(err, &product) || !strings.Contains(err.Error(), tt.says) || strings.Contains(err.Error(), password) {
				t.Errorf("up: %v", err)
			}
			write(t, f.cfg.Inventory, string(good))
			if err := f.instance(t).Down(ctx, lease); err != nil {
				t.Errorf("down: %v", err)
			}
			unchanged(t)
		})
	}
}

// The containerd of Debian 11 serves no CRI that the kubelet asks for. Forced
// into it, the cluster does not come up, says why, and leaves nothing.
func TestRealDebian11(t *testing.T) {
	rel, c := candidate(t)
	patiently(t)
	f := newFleetOf(t, c, metaltest.Options{Machines: 2, Suite: "bullseye"})
	unchanged := f.unchanged(t)
	ctx, cancel := context.WithTimeout(context.Background(), 15*time.Minute)
	defer cancel()
	lease := testLease("q-debian11")
	_, err := f.instance(t).Up(ctx, lease, f.spec(t, rel, "debian-11"))
	var product *provision.ProductError
	if !errors.As(err, &product) || !strings.Contains(err.Error()+product.Log, "runtime.v1.RuntimeService") && !strings.Contains(err.Error()+product.Log, "CRI v1") {
		t.Errorf("up: %v", err)
		if product != nil {
			t.Log(product.Log)
		}
	}
	if err := f.instance(t).Down(ctx, lease); err != nil {
		t.Errorf("down: %v", err)
	}
	unchanged(t)
}

// The network of a worker is away for half a minute while it is prepared, and
// again while it joins: the cluster comes up all the same.
func TestRealNetworkIsCut(t *testing.T) {
	rel, c := candidate(t)
	patiently(t)
	f := newFleet(t, c, 2)
	before := f.everything(t, f.names[1])
	ctx, cancel := context.WithTimeout(context.Background(), 15*time.Minute)
	defer cancel()
	lease := testLease("q-cut")
	spec := f.spec(t, rel, "debian-12")
	phase := spec.Phase
	cuts := 0
	spec.Phase = func(name string) {
		phase(name)
		if name == "prepare" || name == "bootstrap" {
			cuts++
			docker(t, "exec", "-d", f.names[1], "sh", "-c", "sleep 3; iptables -w -I INPUT ! -i lo -j DROP; iptables -w -I OUTPUT ! -o lo -j DROP; sleep 30; iptables -w -D INPUT ! -i lo -j DROP; iptables -w -D OUTPUT ! -o lo -j DROP")
		}
	}
	if _, err := f.instance(t).Up(ctx, lease, spec); err != nil || cuts != 2 {
		t.Errorf("up with %d cuts: %v", cuts, err)
	}
	if err := f.instance(t).Down(ctx, lease); err != nil {
		t.Errorf("down: %v", err)
	}
	same(t, f.names[1], before, f.everything(t, f.names[1]))
}

// started is a program that runs; once ended is closed, err is how it did.
type started struct {
	*exec.Cmd
	said  strings.Builder // not to be read before the end
	ended chan struct{}
	err   error
}

func start(t *testing.T, cmd *exec.Cmd) *started {
	t.Helper()
	s := &started{Cmd: cmd, ended: make(chan struct{})}
	cmd.Stdout, cmd.Stderr = &s.said, &s.said
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		s.err = cmd.Wait()
		close(s.ended)
	}()
	return s
}

// comesTo waits until the journal of the newest run has some text in it, and
// tells whether it came to that before the program ended.
func (s *started) comesTo(results, text string) bool {
	for {
		journal, _ := os.ReadFile(filepath.Join(results, "latest", "journal.jsonl")) // not there yet
		if strings.Contains(string(journal), text) {
			return true
		}
		select {
		case <-s.ended:
			return false
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// The disk of a worker fills up while a suite runs: its pods are evicted, cases
// fail, and the release is not blamed.
func TestRealDiskFillsUp(t *testing.T) {
	_, c := candidate(t)
	patiently(t)
	program := built(t)
	f := newFleet(t, c, 2)
	f.inside(t, f.names[1], "mkdir -p /var/lib/kubelet; mount -t tmpfs -o size=3g tmpfs /var/lib/kubelet")
	results := t.TempDir()
	run := start(t, f.qualifies(program, results, "--suite", "smoke", "--workers", "1"))
	if run.comesTo(results, `"kind":"suite-started"`) {
		f.inside(t, f.names[1], "fallocate -l 2950m /var/lib/kubelet/fill")
	}
	<-run.ended
	t.Logf("%s", run.said.String())
	var exit *exec.ExitError
	if !errors.As(run.err, &exit) || exit.ExitCode() != 3 {
		t.Errorf("qualify: %v, want exit code 3", run.err)
	}
	for _, words := range []string{"Inconclusive", "too little left", "DiskPressure"} {
		if !strings.Contains(run.said.String(), words) {
			t.Errorf("it does not say %q", words)
		}
	}
}

// A runner that is killed on real hosts leaves what a fresh process gives back,
// which knows nothing but the inventory.
func TestRealRunnerIsKilled(t *testing.T) {
	_, c := candidate(t)
	patiently(t)
	program := built(t)
	f := newFleet(t, c, 2)
	key, err := os.ReadFile(filepath.Join(filepath.Dir(f.cfg.Inventory), "key"))
	if err != nil {
		t.Fatal(err)
	}
	unchanged := f.unchanged(t)
	for _, phase := range []string{`"phase":"claim"`, `"phase":"prepare"`, `"phase":"bootstrap"`, `"phase":"ready"`, `"kind":"suite-started"`} {
		t.Run(phase, func(t *testing.T) {
			results := t.TempDir()
			run := start(t, f.qualifies(program, results, "--suite", "smoke", "--workers", "1"))
			reached := run.comesTo(results, phase)
			time.Sleep(2 * time.Second) // into the middle of it
			_ = run.Process.Kill()
			<-run.ended
			if !reached {
				t.Fatalf("the phase did not come: %s", run.said.String())
			}
			latest, err := os.Readlink(filepath.Join(results, "latest"))
			if err != nil {
				t.Fatal(err)
			}
			gc := exec.Command(program, "gc", "--run", filepath.Base(latest), "--inventory", f.cfg.Inventory, "--results", t.TempDir())
			out, err := gc.CombinedOutput()
			if err != nil {
				t.Errorf("gc: %v: %s", err, out)
			}
			if text := run.said.String() + string(out); strings.Contains(text, string(key)) || strings.Contains(text, "PRIVATE KEY") {
				t.Errorf("a key is in the output: %s", text)
			}
			unchanged(t)
		})
	}
}
