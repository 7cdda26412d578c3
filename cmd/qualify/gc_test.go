package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/qualify-dev/qualify/internal/claim"
	"github.com/qualify-dev/qualify/internal/gc"
	"github.com/qualify-dev/qualify/internal/provision"
)

// expired is a lease with one network in the cloud that belongs to gc.
func expired(t *testing.T, w *world, run string) {
	t.Helper()
	lease(t, w, run, time.Now().Add(-time.Minute))
}

func lease(t *testing.T, w *world, run string, expires time.Time) {
	t.Helper()
	l := provision.Lease{Name: "q-" + run, Run: run, Cell: "a", Owner: "host/1", Expires: expires.UTC().Truncate(time.Second)}
	if err := w.cloud.Add("network", l.Name, l); err != nil {
		t.Fatal(err)
	}
}

func (w *world) gc(t *testing.T, args ...string) []gc.Leftover {
	t.Helper()
	said := w.call(context.Background(), append([]string{"gc", "-o", "json", "--results", w.file("results")}, args...)...)
	var found []gc.Leftover
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
	expired(t, w, "old")
	lease(t, w, "young", time.Now().Add(time.Hour))
	lease(t, w, "younger", time.Now().Add(time.Hour))
	for _, step := range []struct {
		flags []string
		stay  []string
	}{
		{[]string{"--dry-run"}, []string{"q-old", "q-young", "q-younger"}},
		{nil, []string{"q-young", "q-younger"}},
		{nil, []string{"q-young", "q-younger"}},
		{[]string{"--run", "young"}, []string{"q-younger"}},
		{[]string{"--all-runs"}, nil},
		{nil, nil},
	} {
		w.gc(t, step.flags...)
		if got := w.names(t); !slices.Equal(got, step.stay) {
			t.Errorf("after gc %v there are %v, want %v", step.flags, got, step.stay)
		}
	}
	if said := w.call(context.Background(), "gc", "--run", "a", "--all-runs"); said.code != 2 {
		t.Errorf("two selections at once: exit code %d", said.code)
	}
}

func TestGCSaysWhatItDoes(t *testing.T) {
	w := newWorld(t)
	said := w.call(context.Background(), "gc")
	if said.code != 0 || said.stdout != "nothing is left\n" {
		t.Errorf("exit code %d: %s", said.code, said.stdout)
	}
	expired(t, w, "old")
	for _, test := range []struct{ flag, want string }{
		{"--dry-run", "found    q-old  run old  cell a  (its lease expired at "}, {"--all-runs=false", "removed  q-old  run old  cell a  (its lease expired at "},
	} {
		if said := w.call(context.Background(), "gc", test.flag); said.code != 0 || !strings.HasPrefix(said.stdout, test.want) || !strings.Contains(said.stdout, "         network q-old\n") {
			t.Errorf("gc %s: exit code %d: %s", test.flag, said.code, said.stdout)
		}
	}
}

// What cannot be removed, and what cannot be asked, is no success.
func TestGCFails(t *testing.T) {
	t.Run("something is stuck", func(t *testing.T) {
		w := newWorld(t)
		w.options.Stuck = func(provision.Resource) bool { return true }
		expired(t, w, "old")
		said := w.call(context.Background(), "gc")
		if said.code != 3 || !strings.Contains(said.stderr, "lease q-old: ") || !strings.HasPrefix(said.stdout, "stays") {
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

// Temporary files of killed processes are found too, and nothing like them of
// others.
func TestGCRemovesLitter(t *testing.T) {
	w := newWorld(t)
	t.Setenv("TMPDIR", t.TempDir())
	dir := filepath.Join(os.TempDir(), "qualify-list-1")
	c, err := claim.Take(dir, claim.Options{Owner: "a process"})
	if err != nil {
		t.Fatal(err)
	}
	if found := w.gc(t); len(found) > 0 {
		t.Fatalf("a living process's files: %+v", found)
	}
	if err := c.Release(); err != nil {
		t.Fatal(err)
	}
	for name, age := range map[string]time.Duration{".new-old": 2 * time.Hour, ".new-young": 0, "20261125-100000-00000001": 2 * time.Hour} {
		run := w.file(filepath.Join("results", name))
		if err := os.MkdirAll(run, 0o700); err != nil {
			t.Fatal(err)
		}
		at := time.Now().Add(-age)
		if err := os.Chtimes(run, at, at); err != nil {
			t.Fatal(err)
		}
	}
	old := w.file("results/.new-old")
	for _, dryRun := range []bool{true, false} {
		var got []string
		for _, l := range w.gc(t, fmt.Sprintf("--dry-run=%v", dryRun)) {
			if l.Removed == dryRun {
				t.Errorf("dry run %v: %+v", dryRun, l)
			}
			got = append(got, l.Resources...)
		}
		if want := []string{"directory " + dir, "directory " + old}; !slices.Equal(got, want) {
			t.Errorf("found %v, want %v", got, want)
		}
		if _, err := os.Stat(dir); (err == nil) != dryRun {
			t.Errorf("dry run %v: %v", dryRun, err)
		}
	}
	if left, err := filepath.Glob(w.file("results/*")); err != nil || len(left) != 2 {
		t.Errorf("runs: %v, %v", left, err)
	}
	if _, err := os.Stat(w.file("results/.new-young")); err != nil {
		t.Error("one that may still be made is gone")
	}
}
