package kind

import (
	"context"
	"crypto/rand"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/qualify-dev/qualify/internal/provision"
)

// frozen makes a directory like the kernel's, of some groups and their states.
func frozen(t *testing.T, groups map[string]string) (root string, state func(group string) string) {
	t.Helper()
	root = t.TempDir()
	for group, state := range groups {
		if err := os.MkdirAll(filepath.Join(root, group), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(root, group, "freezer.state"), []byte(state+"\n"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return root, func(group string) string {
		data, err := os.ReadFile(filepath.Join(root, group, "freezer.state"))
		if err != nil {
			t.Fatal(err)
		}
		return strings.TrimSpace(string(data))
	}
}

var ours, theirs = strings.Repeat("a", 64), strings.Repeat("b", 64)

// refusesUntil has the engine refuse to remove a container as long as a file
// does not say THAWED.
func (e engine) refusesUntil(id, file string) {
	e.on("rm -f -v "+id, "if ! grep -q THAWED "+file+"; then echo 'Error response from daemon: Could not kill running container "+id+", cannot remove - tried to kill container, but did not receive an exit event' >&2; exit 1; fi\nrm container/"+id+"\nexit 0")
}

// A container that cannot be ended because something in it is frozen is
// removed; nothing else is thawed.
func TestDownThaws(t *testing.T) {
	for _, group := range []string{"docker/" + ours, "system.slice/docker-" + ours + ".scope"} {
		pod := group + "/kubelet/kubepods/pod1/x"
		root, state := frozen(t, map[string]string{group: "THAWED", group + "/kubelet": "THAWED", pod: "FROZEN", "docker/" + theirs: "FROZEN", "docker": "FREEZING"})
		e := newEngine(t)
		e.add("container", ours, "q-1-worker", leaseLabels(testLease("q-1")))
		e.refusesUntil(ours, filepath.Join(root, pod, "freezer.state"))
		r := provision.Resource{Kind: "container", ID: ours, Name: "q-1-worker", Lease: testLease("q-1")}
		if err := removeContainer(context.Background(), r, root); err != nil {
			t.Errorf("%s: %v", group, err)
		}
		if e.there("container", ours) || state(pod) != "THAWED" || state("docker/"+theirs) != "FROZEN" || state("docker") != "FREEZING" {
			t.Errorf("%s: it is there: %v; %s, theirs %s, all %s", group, e.there("container", ours), state(pod), state("docker/"+theirs), state("docker"))
		}
		if got := e.calls(); !slices.Equal(got, []string{"rm -f -v " + ours, "rm -f -v " + ours}) {
			t.Errorf("%s: calls %q", group, got)
		}
	}
}

// What carries no lease of ours stays as it is, and so does what can be removed
// as it is.
func TestDownThawsNothingElse(t *testing.T) {
	group := "docker/" + ours
	root, state := frozen(t, map[string]string{group: "FROZEN"})
	e := newEngine(t)
	e.refusesUntil(ours, filepath.Join(root, group, "freezer.state"))
	for name, r := range map[string]provision.Resource{
		"without a lease":  {Kind: "container", ID: ours},
		"no container":     {Kind: "network", ID: ours, Lease: testLease("q-1")},
		"leads elsewhere":  {Kind: "container", ID: "../docker/" + ours, Lease: testLease("q-1")},
		"part of an id":    {Kind: "container", ID: ours[:12], Lease: testLease("q-1")},
		"of other letters": {Kind: "container", ID: strings.Repeat("z", 64), Lease: testLease("q-1")},
	} {
		if freed, err := thaw(root, r); freed != 0 || err != nil || state(group) != "FROZEN" {
			t.Errorf("%s: %d groups, %v", name, freed, err)
		}
	}
	if err := removeContainer(context.Background(), provision.Resource{Kind: "container", ID: ours}, root); err == nil || !strings.Contains(err.Error(), "did not receive an exit event") {
		t.Errorf("a container that is not ours: %v", err)
	}
	e.add("container", theirs, "q-2-worker", leaseLabels(testLease("q-2")))
	other, otherState := frozen(t, map[string]string{"docker/" + theirs: "FROZEN"})
	if err := removeContainer(context.Background(), provision.Resource{Kind: "container", ID: theirs, Lease: testLease("q-2")}, other); err != nil || otherState("docker/"+theirs) != "FROZEN" {
		t.Errorf("one that can be removed: %v, %s", err, otherState("docker/"+theirs))
	}
}

// The real thing: a container with a frozen process, which the engine cannot
// remove, and Down can.
func TestRealFrozenContainer(t *testing.T) {
	if os.Getenv("QUALIFY_E2E") != "1" {
		t.Skip("needs a container engine: set QUALIFY_E2E=1")
	}
	if _, err := os.Stat(freezer); err != nil {
		t.Skipf("this machine has no control groups of version 1: %v", err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Minute)
	defer cancel()
	run := func(args ...string) string {
		t.Helper()
		out, err := docker(ctx, args...)
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	images := lines(run("image", "ls", "--quiet", "--filter", "label="+labelCache+"=node-image"))
	if len(images) == 0 {
		t.Skip("the engine holds no node image to make a container of")
	}
	lease := testLease("q-test-frozen-" + strings.ToLower(rand.Text()[:8]))
	args := []string{"run", "-d", "--network", "none", "--name", lease.Name, "--entrypoint", "sleep"}
	for k, v := range leaseLabels(lease) {
		args = append(args, "--label", k+"="+v)
	}
	id := run(append(args, images[0], "infinity")...)
	run("exec", "-d", id, "sleep", "1000000")
	group := filepath.Join(freezer, "docker", id, "pod")
	t.Cleanup(func() { // whatever the test did
		ctx := context.WithoutCancel(ctx)
		_, _ = thaw(freezer, provision.Resource{Kind: "container", ID: id, Lease: lease})
		_, _ = docker(ctx, "rm", "-f", "-v", id)
		_ = os.Remove(group)
	})
	if err := os.Mkdir(group, 0o755); err != nil {
		t.Skipf("the engine makes its groups elsewhere: %v", err)
	}
	pids := strings.Fields(run("top", id, "-o", "pid"))
	for _, change := range [][2]string{{"cgroup.procs", pids[len(pids)-1]}, {"freezer.state", "FROZEN"}} {
		if err := os.WriteFile(filepath.Join(group, change[0]), []byte(change[1]), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := docker(ctx, "rm", "-f", "-v", id); err == nil || !strings.Contains(err.Error(), "did not receive an exit event") {
		t.Fatalf("the engine alone: %v", err)
	} else {
		t.Logf("the engine alone: %v", err)
	}
	start := time.Now()
	if err := testProvisioner(t).Down(ctx, lease); err != nil {
		t.Errorf("down: %v", err)
	}
	t.Logf("down: %.1f s", time.Since(start).Seconds())
	if _, err := inspect(ctx, "container", id); !isAbsent(err) {
		t.Errorf("after down: %v", err)
	}
}

// A group that cannot be read is told beside what the engine said.
func TestThawFails(t *testing.T) {
	root := t.TempDir()
	// A directory in place of the file is refused by every kernel, also for root.
	if err := os.MkdirAll(filepath.Join(root, "docker", ours, "freezer.state"), 0o755); err != nil {
		t.Fatal(err)
	}
	e := newEngine(t)
	e.says("rm -f -v "+ours, "did not receive an exit event", 1)
	err := removeContainer(context.Background(), provision.Resource{Kind: "container", ID: ours, Name: "n", Lease: testLease("q-1")}, root)
	if err == nil || !strings.Contains(err.Error(), "did not receive") || !strings.Contains(err.Error(), "thawing what is frozen in container n") {
		t.Error(err)
	}
}
