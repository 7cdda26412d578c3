package kind

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/qualify-dev/qualify/internal/provision"
)

// clusterOf adds what a cluster consists of.
func (e engine) clusterOf(name string) {
	labels := leaseLabels(testLease(name))
	e.add("container", name+"-c1", name+"-control-plane", labels)
	e.add("container", name+"-c2", name+"-worker", labels)
	e.add("network", name+"-n", name, labels)
	e.add("image", name+"-i", "qualify/cell:"+name, labels)
}

func TestListReadsEveryLabel(t *testing.T) {
	e := newEngine(t)
	e.clusterOf("q-1")
	e.add("container", "foreign", "web", map[string]string{"com.example": "q-1"})
	e.add("image", "base", "qualify/node:1", map[string]string{labelLease: "", labelCache: "node-image"})
	e.add("image", "nameless", "", leaseLabels(testLease("q-2")))
	e.add("network", "odd", "odd", map[string]string{labelLease: "q-3", labelExpires: "tomorrow"})
	all, err := Entry().List(context.Background(), provision.Config{})
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{
		"container q-1-control-plane": "q-1", "container q-1-worker": "q-1", "network q-1": "q-1", "image qualify/cell:q-1": "q-1",
		"image nameless": "q-2", "network odd": "q-3",
	}
	got := map[string]string{}
	for _, r := range all {
		got[r.Kind+" "+r.Name] = r.Lease.Name
		if r.Lease.Name != "q-3" && r.Lease != testLease(r.Lease.Name) {
			t.Errorf("%s %s carries %+v", r.Kind, r.Name, r.Lease)
		}
		if r.Lease.Name == "q-3" && !r.Lease.Expires.IsZero() {
			t.Errorf("an unreadable expiry became %s", r.Lease.Expires)
		}
		if r.Created.Year() != 2026 {
			t.Errorf("%s %s was created %s", r.Kind, r.Name, r.Created)
		}
	}
	if !maps.Equal(got, want) {
		t.Errorf("listed %q, want %q", got, want)
	}
}

func TestListFaults(t *testing.T) {
	t.Run("removed since the listing", func(t *testing.T) {
		e := newEngine(t)
		e.clusterOf("q-1")
		e.on("container inspect q-1-c1", "rm container/q-1-c1")
		all, err := list(context.Background(), labelLease)
		if err != nil || len(all) != 3 {
			t.Errorf("%d resources, %v", len(all), err)
		}
	})
	t.Run("an answer that is not understood", func(t *testing.T) {
		e := newEngine(t)
		e.clusterOf("q-1")
		for _, answer := range []string{`{"%s":"q-1"}`, `[] "%s":"q-1"`, `[{"x":{"%s":"q-1"}},{}]`} {
			e.write("network/q-1-n", fmt.Sprintf(answer, labelLease))
			if _, err := list(context.Background(), labelLease); err == nil || !strings.Contains(err.Error(), "not understood") {
				t.Errorf("%s: error %v", answer, err)
			}
		}
	})
	t.Run("the engine is down", func(t *testing.T) {
		e := newEngine(t)
		e.write("down", "")
		if _, err := list(context.Background(), labelLease); !errors.Is(err, errEngine) {
			t.Errorf("error %v", err)
		}
	})
}

func TestDownRemovesTheLeaseAlone(t *testing.T) {
	e := newEngine(t)
	e.clusterOf("q-1")
	e.clusterOf("q-11") // whose name begins like the other's
	e.add("container", "foreign", "q-1-web", map[string]string{"com.example": "q-1"})
	p := testProvisioner(t)
	for range 2 { // the second time, there is nothing to do
		if err := p.Down(context.Background(), testLease("q-1")); err != nil {
			t.Fatal(err)
		}
	}
	want := []string{"rm -f -v q-1-c1", "rm -f -v q-1-c2", "network rm q-1-n", "rmi -f q-1-i"}
	if got := e.calls(); !slices.Equal(got, want) {
		t.Errorf("calls %q, want %q", got, want)
	}
	if !e.there("container", "foreign") || !e.there("container", "q-11-c1") || !e.there("network", "q-11-n") {
		t.Error("what is not the lease's was removed")
	}
}

func TestDownWithoutALeaseTouchesNothing(t *testing.T) {
	e := newEngine(t)
	e.clusterOf("q-1")
	if err := testProvisioner(t).Down(context.Background(), provision.Lease{Run: "run", Cell: "cell"}); err == nil {
		t.Error("a lease without a name was taken")
	}
	if calls := e.calls(); len(calls) > 0 {
		t.Errorf("calls %q", calls)
	}
}

func TestDownTriesAgain(t *testing.T) {
	e := newEngine(t)
	e.clusterOf("q-1")
	// A container holds its network for a moment, and another process removes
	// the image meanwhile.
	e.on("network rm q-1-n", "if [ ! -e tried ]; then touch tried; echo 'Error response from daemon: network q-1 has active endpoints' >&2; exit 1; fi")
	e.on("rmi -f q-1-i", "rm -f image/q-1-i")
	if err := testProvisioner(t).Down(context.Background(), testLease("q-1")); err != nil {
		t.Error(err)
	}
}

func TestRemoveOfWhatIsGone(t *testing.T) {
	newEngine(t)
	for _, kind := range resourceKinds {
		if err := remove(context.Background(), provision.Resource{Kind: kind, ID: "gone"}); err != nil {
			t.Error(err)
		}
	}
	if err := remove(context.Background(), provision.Resource{Kind: "volume", ID: "v"}); err == nil {
		t.Error("what nobody can remove was removed")
	}
}

func TestDownNamesWhatStays(t *testing.T) {
	e := newEngine(t)
	e.clusterOf("q-1")
	e.says("rmi -f q-1-i", "Error response from daemon: conflict: unable to delete", 1)
	err := testProvisioner(t).Down(context.Background(), testLease("q-1"))
	var left *provision.LeftoverError
	if !errors.As(err, &left) || len(left.Resources) != 1 || left.Resources[0].Name != "qualify/cell:q-1" {
		t.Fatalf("error %v", err)
	}
	if !strings.Contains(err.Error(), "image/qualify/cell:q-1") || !strings.Contains(err.Error(), "conflict") {
		t.Errorf("error %v does not say what stays and why", err)
	}
}

func TestDownIsNotSureWithoutTheEngine(t *testing.T) {
	e := newEngine(t)
	e.write("down", "")
	err := testProvisioner(t).Down(context.Background(), testLease("q-1"))
	if !errors.Is(err, errEngine) {
		t.Errorf("down said %v although nobody answered", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := testProvisioner(t).Down(ctx, testLease("q-1")); !errors.Is(err, context.Canceled) {
		t.Errorf("down said %v although it could not ask", err)
	}
}

// A docker command that outlives a killed process makes something after an
// empty listing.
func TestDownAwaitsOrphanedMakers(t *testing.T) {
	e := newEngine(t)
	e.on("run --name q-1-worker", "sleep 1.5; cp late container/late; exit 0")
	e.add("container", "late", "q-1-worker", leaseLabels(testLease("q-1")))
	if err := os.Rename(filepath.Join(e.dir, "container", "late"), filepath.Join(e.dir, "late")); err != nil {
		t.Fatal(err)
	}
	orphan := exec.Command("docker", "run", "--name", "q-1-worker")
	if err := orphan.Start(); err != nil {
		t.Fatal(err)
	}
	for !slices.Contains(e.calls(), "run --name q-1-worker") {
		time.Sleep(10 * time.Millisecond)
	}
	if makerAtWork("/proc", "q-2") {
		t.Error("it counts for another lease")
	}
	reaped := make(chan error, 1)
	go func() { reaped <- orphan.Wait() }()
	if err := testProvisioner(t).Down(context.Background(), testLease("q-1")); err != nil {
		t.Error(err)
	}
	if err := <-reaped; err != nil {
		t.Fatal(err)
	}
	if e.there("container", "late") {
		t.Error("what the orphan made is left over")
	}
}

func TestMakerAtWork(t *testing.T) {
	for _, tt := range []struct {
		argv []string
		want bool
	}{
		{[]string{"docker", "run", "--name", "q-1-worker"}, true},
		{[]string{"/usr/bin/docker", "create", "--name", "q-1-labels"}, true},
		{[]string{"/bin/sh", "/usr/bin/docker", "commit", "x", "qualify/cell:q-1"}, true},
		{[]string{"docker", "network", "create", "q-1"}, true},
		{[]string{"docker", "run", "--name", "q-2-worker"}, false},
		{[]string{"docker", "exec", "q-1-worker", "run"}, false},
		{[]string{"docker", "network", "rm", "q-1"}, false},
		{[]string{"docker", "logs", "-f", "q-1-worker"}, false},
		{[]string{"grep", "docker", "run", "q-1"}, true}, // looks like a script, and only costs a wait
		{[]string{"podman", "run", "q-1"}, false},
		{[]string{"docker"}, false},
		{[]string{""}, false},
	} {
		proc := t.TempDir()
		if err := os.Mkdir(filepath.Join(proc, "42"), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(proc, "42", "cmdline"), []byte(strings.Join(tt.argv, "\x00")+"\x00"), 0o644); err != nil {
			t.Fatal(err)
		}
		if got := makerAtWork(proc, "q-1"); got != tt.want {
			t.Errorf("%q: %t", tt.argv, got)
		}
	}
}

func TestPurgeRemovesNodeImagesAlone(t *testing.T) {
	e := newEngine(t)
	cached := map[string]string{labelCache: "node-image"}
	e.add("image", "node", "qualify/node:1", cached)
	e.add("image", "theirs", "theirs/node:1", cached)
	e.add("image", "unlabelled", "qualify/node:2", nil)
	e.clusterOf("q-1")
	for _, dryRun := range []bool{true, false} {
		images, err := Entry().Purge(context.Background(), dryRun)
		if err != nil || len(images) != 1 || images[0].Name != "qualify/node:1" {
			t.Errorf("purged %+v, %v", images, err)
		}
		if e.there("image", "node") != dryRun {
			t.Errorf("dry run %t: the image is there: %t", dryRun, e.there("image", "node"))
		}
	}
	if !e.there("image", "theirs") || !e.there("image", "unlabelled") || !e.there("image", "q-1-i") {
		t.Error("another image was removed")
	}
}

func TestCollect(t *testing.T) {
	e := newEngine(t)
	e.write("nodes", "q-1-control-plane running\nq-1-worker running\n")
	e.on("exec --privileged *journalctl*", "echo journal; exit 0")
	e.on("exec --privileged q-1-worker*", "echo refused >&2; exit 1")
	e.on("exec --privileged *", "echo something; exit 0")
	e.says("logs --tail 2000 q-1-*", "console", 0)
	dir := t.TempDir()
	err := testProvisioner(t).Collect(context.Background(), testLease("q-1"), dir)
	if err == nil || !strings.Contains(err.Error(), "q-1-worker") || strings.Contains(err.Error(), "control-plane") {
		t.Errorf("error %v", err)
	}
	for _, name := range []string{"q-1-control-plane", "q-1-worker"} {
		for file, want := range map[string]string{"kubelet.log": "journal\n", "container.log": "console"} {
			got, err := os.ReadFile(filepath.Join(dir, name, file))
			if err != nil || string(got) != want {
				t.Errorf("%s of %s: %q, %v", file, name, got, err)
			}
		}
	}
}
