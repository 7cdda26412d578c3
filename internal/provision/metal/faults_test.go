package metal

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/qualify-dev/qualify/internal/provision"
	"github.com/qualify-dev/qualify/internal/redact"
	"github.com/qualify-dev/qualify/internal/release"
	"github.com/qualify-dev/qualify/internal/remote"
	"github.com/qualify-dev/qualify/internal/sink"
)

// tokenForm is how a token for joining looks in a configuration.
var tokenForm = regexp.MustCompile(`"[a-z0-9]{6}\.[a-z0-9]{16}"`)

// files are all files of the hosts with their modes and contents.
func (f *fleetOfShams) files(t *testing.T) []string {
	t.Helper()
	var all []string
	for _, s := range f.hosts {
		err := filepath.WalkDir(s.root, func(path string, entry fs.DirEntry, err error) error {
			if err != nil {
				return err
			}
			info, err := entry.Info()
			if err != nil {
				return err
			}
			line := fmt.Sprintf("%s %s %s", s.name, strings.TrimPrefix(path, s.root), info.Mode())
			if entry.Type().IsRegular() {
				data, err := os.ReadFile(path)
				if err != nil {
					return err
				}
				sum := sha256.Sum256(data)
				line += " " + hex.EncodeToString(sum[:])
			}
			all = append(all, line)
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return all
}

// unchanged wants the hosts as they were.
func (f *fleetOfShams) unchanged(t *testing.T, before []string) {
	t.Helper()
	after := f.files(t)
	for _, line := range after {
		if !slices.Contains(before, line) {
			t.Errorf("now there is %s", line)
		}
	}
	for _, line := range before {
		if !slices.Contains(after, line) {
			t.Errorf("gone is %s", line)
		}
	}
}

// instance is another process's provisioner, that is not patient.
func (f *fleetOfShams) instance(t testing.TB) *provisioner {
	t.Helper()
	cfg := f.cfg
	cfg.Sink = sink.New(redact.New())
	p, err := newProvisioner(cfg)
	if err != nil {
		t.Fatal(err)
	}
	made := p.(*provisioner)
	made.options = remote.Options{Redial: 300 * time.Millisecond, Pace: 20 * time.Millisecond}
	return made
}

func (f *fleetOfShams) spec(dir string) provision.Spec {
	return provision.Spec{Cell: cell(), Release: f.rel, Workers: len(f.hosts) - 1, Dir: dir, Phase: func(string) {}}
}

// at calls do, once, when a host is sent a command that has a text in it.
func (s *sham) at(text string, do func()) {
	var done atomic.Bool
	s.before = func(line string) {
		if strings.Contains(line, text) && done.CompareAndSwap(false, true) {
			do()
		}
	}
}

// steps are texts of the commands that an Up sends, one for each of its steps.
var steps = map[string]string{
	"facts": "say clock", "network": "/dev/tcp/", "claim": "lease.json", "record": "before.new", "system": "apt-get install",
	"stage": "cat >>", "programs": "install -m", "settings": "daemon-reload", "images": "images import", "init": "kubeadm init", "join": "kubeadm join",
	"pod network": "MASQUERADE", "ready": "/dev/udp",
}

// stepLease is the lease of one of several tests at once; see process.
func stepLease(name, step string) provision.Lease {
	return testLease(name + "-" + strings.NewReplacer(" ", "-", "'", "").Replace(step))
}

// A host that dies at any step fails the Up, which blames nobody. What can be
// given back is; when the host is there again, it is too.
func TestAHostDiesAtEachStep(t *testing.T) {
	for step, text := range steps {
		t.Run(step, func(t *testing.T) {
			t.Parallel()
			f := newShams(t, 2)
			before := f.files(t)
			victim := f.hosts[1]
			if strings.HasPrefix(text, "kubeadm init") {
				victim = f.hosts[0]
			}
			victim.at(text, func() { victim.server.Away(true) })
			lease := stepLease("q-dies", step)
			// Readiness is waited for: longer than a test wants to.
			ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
			defer cancel()
			_, err := f.instance(t).Up(ctx, lease, f.spec(t.TempDir()))
			var product *provision.ProductError
			if err == nil || errors.As(err, &product) {
				t.Fatalf("up: %v", err)
			}
			if strings.Contains(err.Error(), password) {
				t.Errorf("the error tells the password: %v", err)
			}
			down := f.instance(t).Down(soon(t), lease)
			if down == nil {
				t.Error("down said that all is given back, and did not reach a host")
			}
			victim.server.Away(false)
			if err := f.instance(t).Down(soon(t), lease); err != nil {
				t.Errorf("down when it is there again: %v", err)
			}
			f.unchanged(t, before)
		})
	}
}

// What goes wrong on a host is told with its words, blames nobody, and is
// undone.
func TestFaultsOfHosts(t *testing.T) {
	for name, tt := range map[string]struct{ file, text, says string }{
		"disk full":                 {"fault-apt", "E: You don't have enough free space: No space left on device", "No space left on device"},
		"apt lock":                  {"fault-apt", "E: Could not get lock /var/lib/dpkg/lock-frontend. It is held by process 42", "It is held by process 42"},
		"containerd does not start": {"fault-containerd", "", "starting the containerd of the node OS"},
		"foreign cluster":           {"etc/kubernetes/admin.conf", "theirs", "it holds a cluster or containers that are not ours"},
		"foreign kubelet's pods":    {"var/lib/kubelet/pods", "", "it holds a cluster or containers that are not ours"},
		"swap":                      {"proc/swaps", "Filename Type\n/dev/sda2 partition\n", "it swaps to /dev/sda2"},
		"another operating system":  {"etc/os-release", "ID=solaris\nVERSION_ID=11\n", `operating system "solaris" "11" is not known`},
		"the machine-id of another": {"etc/machine-id", "id-of-h0", "it has the machine-id of host h0"},
		"held by what is no lease":  {"var/lib/qualify/lease.json", "{}", "it is held by lease unknown"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newShams(t, 2)
			write(t, filepath.Join(f.hosts[1].root, tt.file), tt.text)
			before := f.files(t)
			lease := stepLease("q-fault", name)
			_, err := f.instance(t).Up(soon(t), lease, f.spec(t.TempDir()))
			var product *provision.ProductError
			if err == nil || errors.As(err, &product) || !strings.Contains(err.Error(), tt.says) || !strings.Contains(err.Error(), "h1") {
				t.Errorf("up: %v", err)
			}
			err = f.instance(t).Down(soon(t), lease)
			if name == "held by what is no lease" {
				if err == nil {
					t.Error("down is sure that an unreadable lease is not its own")
				}
			} else if err != nil {
				t.Errorf("down: %v", err)
			}
			f.unchanged(t, before)
		})
	}
}

// kubeadm's failure is the release's: everything else was seen to be well.
func TestKubeadmFails(t *testing.T) {
	f := newShams(t, 2)
	write(t, filepath.Join(f.hosts[0].root, "fault-init"), "")
	before := f.files(t)
	lease := testLease("q-product")
	_, err := f.instance(t).Up(soon(t), lease, f.spec(t.TempDir()))
	var product *provision.ProductError
	if !errors.As(err, &product) || product.Component != "kubeadm" || !strings.Contains(product.Log, "as the test wants") {
		t.Errorf("up: %v", err)
	}
	if err := f.instance(t).Down(soon(t), lease); err != nil {
		t.Errorf("down: %v", err)
	}
	f.unchanged(t, before)
}

// A network that is away for a while under a step is not noticed.
func TestTheNetworkIsAwayForAWhile(t *testing.T) {
	f := newShams(t, 2)
	stalled := f.hosts[1]
	stalled.at("images import", func() {
		resume := stalled.server.Stall()
		time.AfterFunc(200*time.Millisecond, resume)
	})
	lease := testLease("q-away")
	dir := t.TempDir()
	p := f.instance(t)
	if _, err := p.Up(soon(t), lease, f.spec(dir)); err != nil {
		t.Errorf("up: %v", err)
	}
	// The sham kubeadm prints its configuration, with the token in it.
	log, err := os.ReadFile(filepath.Join(dir, "kubeadm.log"))
	if err != nil || !strings.Contains(string(log), "JoinConfiguration") {
		t.Errorf("kubeadm's log: %v", err)
	}
	if token := tokenForm.Find(log); token != nil {
		t.Errorf("the log has the token %s", token)
	}
	if err := f.instance(t).Down(soon(t), lease); err != nil {
		t.Errorf("down: %v", err)
	}
}

// What an administrator does meanwhile is told, and not undone.
func TestForeignChangesAreTold(t *testing.T) {
	f := newShams(t, 2)
	lease := testLease("q-foreign")
	if _, err := f.instance(t).Up(soon(t), lease, f.spec(t.TempDir())); err != nil {
		t.Fatal(err)
	}
	theirs := filepath.Join(f.hosts[1].root, "etc/motd")
	write(t, theirs, "hello")
	err := f.instance(t).Down(soon(t), lease)
	var left *provision.LeftoverError
	if !errors.As(err, &left) || len(left.Resources) != 1 || left.Resources[0].Name != "h1" || !strings.Contains(err.Error(), "/etc/motd") {
		t.Errorf("down: %v", err)
	}
	if _, err := os.Stat(theirs); err != nil {
		t.Errorf("their file: %v", err)
	}
	if err := os.Remove(theirs); err != nil {
		t.Fatal(err)
	}
	if err := f.instance(t).Down(soon(t), lease); err != nil {
		t.Errorf("down again: %v", err)
	}
}

// childVariable makes this test's program a runner that brings a cluster up.
const childVariable = "QUALIFY_TEST_METAL_CHILD"

// errand is what the runner is told.
type errand struct {
	Inventory, Store, Dir string
	Lease                 provision.Lease
	Release               *release.Release
	Workers               int
}

func TestMain(m *testing.M) {
	if text := os.Getenv(childVariable); text != "" {
		var e errand
		if err := json.Unmarshal([]byte(text), &e); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		p, err := newProvisioner(provision.Config{
			Inventory: e.Inventory, Store: &release.Store{Dir: e.Store}, Log: func(string, ...any) {}, Sink: sink.New(redact.New()), Owner: "child/1",
		})
		if err == nil {
			_, err = p.Up(context.Background(), e.Lease, provision.Spec{Cell: cell(), Release: e.Release, Workers: e.Workers, Dir: e.Dir, Phase: func(string) {}})
		}
		fmt.Fprintln(os.Stderr, "the runner was not killed:", err)
		os.Exit(1)
	}
	os.Exit(m.Run())
}

// A runner that is killed at any step leaves hosts that say whose they are, and
// a fresh process gives them back as they were.
func TestTheRunnerIsKilledAtEachStep(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	for step, text := range steps {
		t.Run(step, func(t *testing.T) {
			t.Parallel()
			f := newShams(t, 2)
			before := f.files(t)
			dir := t.TempDir()
			lease := stepLease("q-killed", step)
			told, err := json.Marshal(errand{f.cfg.Inventory, f.cfg.Store.Dir, dir, lease, f.rel, 1})
			if err != nil {
				t.Fatal(err)
			}
			child := exec.CommandContext(soon(t), self)
			child.Env = append(os.Environ(), childVariable+"="+string(told))
			started := make(chan bool)
			kill := func() { <-started; _ = child.Process.Kill() }
			if text == "kubeadm init" {
				f.hosts[0].at(text, kill)
			} else {
				f.hosts[1].at(text, kill)
			}
			var said strings.Builder
			child.Stderr = &said
			if err := child.Start(); err != nil {
				t.Fatal(err)
			}
			close(started)
			if err := child.Wait(); err == nil || child.ProcessState.Exited() {
				t.Fatalf("the runner ended by itself: %v, %s", err, said.String())
			}
			log, _ := os.ReadFile(filepath.Join(dir, "kubeadm.log")) // not there before kubeadm is
			if text := said.String() + string(log); strings.Contains(text, password) || tokenForm.MatchString(text) {
				t.Errorf("a secret is in the output: %s", text)
			}
			// What was sent last may still run: it began before the kill.
			held, err := list(soon(t), f.cfg)
			if err != nil {
				t.Fatal(err)
			}
			for _, r := range held {
				if r.Lease != lease {
					t.Errorf("host %s is held by %+v", r.Name, r.Lease)
				}
			}
			if err := f.instance(t).Down(soon(t), lease); err != nil {
				t.Errorf("down: %v", err)
			}
			f.settled(t, lease)
			f.unchanged(t, before)
		})
	}
}

// settled gives back again what a command took that was on its way when the
// runner was killed: a host that says whose it is, is found.
func (f *fleetOfShams) settled(t *testing.T, lease provision.Lease) {
	t.Helper()
	for range 50 {
		held, err := list(soon(t), f.cfg)
		if err != nil {
			t.Fatal(err)
		}
		if len(held) == 0 {
			return
		}
		if err := f.instance(t).Down(soon(t), lease); err != nil {
			t.Errorf("down again: %v", err)
		}
	}
	t.Error("hosts are held for ever")
}
