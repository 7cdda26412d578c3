package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/qualify-dev/qualify/internal/provision"
	"github.com/qualify-dev/qualify/internal/result"
)

// leases are in the cloud, one network each.
func leases(t *testing.T, w *world, all ...provision.Lease) {
	t.Helper()
	for _, l := range all {
		name := l.Name
		if name == "" {
			name = "foreign"
		}
		if err := w.cloud.Add("network", name, l); err != nil {
			t.Fatal(err)
		}
	}
}

func leaseOf(run, owner string, expires time.Time) provision.Lease {
	return provision.Lease{Name: "q-" + run, Run: run, Cell: "a", Owner: owner, Expires: expires}
}

// dead is a process of this host that has ended.
func dead(t *testing.T) string {
	t.Helper()
	cmd := exec.Command("true")
	if err := cmd.Run(); err != nil {
		t.Fatal(err)
	}
	host, err := os.Hostname()
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("%s/%d", host, cmd.Process.Pid)
}

func (w *world) gc(t *testing.T, args ...string) []leftover {
	t.Helper()
	said := w.call(context.Background(), append([]string{"gc", "-o", "json", "--results", w.file("results")}, args...)...)
	var found []leftover
	if err := json.Unmarshal([]byte(said.stdout), &found); err != nil || said.code != 0 {
		t.Fatalf("exit code %d, %v: %s%s", said.code, err, said.stdout, said.stderr)
	}
	return found
}

func (w *world) names(t *testing.T) []string {
	t.Helper()
	all, err := w.cloud.All()
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, r := range all {
		names = append(names, r.Name)
	}
	return names
}

func TestGC(t *testing.T) {
	w := newWorld(t)
	future := time.Now().Add(time.Hour).UTC().Truncate(time.Second)
	leases(t, w,
		leaseOf("live", owner(), future),
		leaseOf("expired", owner(), time.Now().Add(-time.Minute)),
		leaseOf("dead", dead(t), future),
		leaseOf("kept", dead(t), future),
		leaseOf("elsewhere", "another-host/1", future),
		leaseOf("odd", "nobody", future),
		provision.Lease{}, // foreign
	)
	keep(t, w, "kept")
	before := w.names(t)
	for _, l := range w.gc(t, "--dry-run") {
		if l.Removed {
			t.Errorf("a dry run removed %+v", l)
		}
	}
	if got := w.names(t); !slices.Equal(got, before) {
		t.Fatalf("a dry run left %v of %v", got, before)
	}
	removed := map[string]string{}
	for _, l := range w.gc(t) {
		if l.Removed {
			removed[l.Run] = l.Why
		}
	}
	if len(removed) != 2 || !strings.Contains(removed["expired"], "expired at") || !strings.Contains(removed["dead"], "is gone") {
		t.Errorf("removed %v", removed)
	}
	if got, want := w.names(t), []string{"foreign", "q-elsewhere", "q-kept", "q-live", "q-odd"}; !slices.Equal(got, want) {
		t.Errorf("there are %v, want %v", got, want)
	}
	w.gc(t, "--run", "kept")
	if got := w.names(t); slices.Contains(got, "q-kept") || !slices.Contains(got, "q-live") {
		t.Errorf("--run kept leaves %v", got)
	}
	w.gc(t, "--all-runs")
	if got, want := w.names(t), []string{"foreign"}; !slices.Equal(got, want) {
		t.Errorf("--all-runs leaves %v, want %v", got, want)
	}
	if found := w.gc(t); len(found) > 0 {
		t.Errorf("gc finds %v when nothing is left", found)
	}
}

// keep records that a run keeps its cell.
func keep(t *testing.T, w *world, run string) {
	t.Helper()
	dir := w.file(filepath.Join("results", run))
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	j, err := result.Create(filepath.Join(dir, "journal.jsonl"), now)
	if err != nil {
		t.Fatal(err)
	}
	defer j.Close()
	if _, err := j.Append(result.Event{Kind: result.LeaseKept, Cell: "a", Text: "q-" + run}); err != nil {
		t.Fatal(err)
	}
}

func TestGCSaysWhatItDoes(t *testing.T) {
	w := newWorld(t)
	said := w.call(context.Background(), "gc")
	if said.code != 0 || said.stdout != "nothing is left\n" {
		t.Errorf("exit code %d: %s", said.code, said.stdout)
	}
	leases(t, w, leaseOf("dead", dead(t), time.Now().Add(time.Hour)))
	for _, test := range []struct{ flag, want string }{
		{"--dry-run", "found    q-dead  run dead  cell a  (its process "}, {"--all-runs=false", "removed  q-dead  run dead  cell a  (its process "},
	} {
		if said := w.call(context.Background(), "gc", test.flag); said.code != 0 || !strings.HasPrefix(said.stdout, test.want) || !strings.Contains(said.stdout, "         network q-dead\n") {
			t.Errorf("gc %s: exit code %d: %s", test.flag, said.code, said.stdout)
		}
	}
}

// What cannot be removed, and what cannot be asked, is no success.
func TestGCFails(t *testing.T) {
	t.Run("something is stuck", func(t *testing.T) {
		w := newWorld(t)
		w.options.Stuck = func(provision.Resource) bool { return true }
		leases(t, w, leaseOf("dead", dead(t), time.Now().Add(time.Hour)))
		said := w.call(context.Background(), "gc")
		if said.code != 3 || !strings.Contains(said.stderr, "lease q-dead: ") || !strings.HasPrefix(said.stdout, "stays") {
			t.Errorf("exit code %d: %s%s", said.code, said.stdout, said.stderr)
		}
	})
	t.Run("nobody answers", func(t *testing.T) {
		w := newWorld(t)
		w.options.ErrorRate = 1
		said := w.call(context.Background(), "gc")
		if said.code != 3 || !strings.Contains(said.stderr, "asking fake what is left: ") {
			t.Errorf("exit code %d: %s%s", said.code, said.stdout, said.stderr)
		}
	})
}
