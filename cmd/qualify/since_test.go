package main

import (
	"os"
	"strings"
	"testing"

	"github.com/qualify-dev/qualify/internal/planning"
	"github.com/qualify-dev/qualify/internal/release"
)

// release writes a changed form of the world's release beside it.
func (w *world) release(t *testing.T, name string, change func(*release.Release)) string {
	t.Helper()
	rel := candidate()
	rel.Components = append(rel.Components, release.Component{Name: "livenessprobe", GitTag: "v2.1.0", Assets: []release.Asset{{
		Component: "livenessprobe", Name: "livenessprobe-image", Type: release.Image, Arch: []string{"amd64"},
		URI: "registry.example/livenessprobe:v2.1.0", Digest: "sha256:" + strings.Repeat("a", 64),
	}}})
	change(rel)
	data, err := release.Marshal(rel)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(w.file(name), data, 0o600); err != nil {
		t.Fatal(err)
	}
	return w.file(name)
}

func TestPlanChangedSince(t *testing.T) {
	w := wideWorld(t)
	text := strings.Replace(wide, "{os: debian-12, provisioner: fake}", "{os: ubuntu-22.04, provisioner: moon}", 1)
	if err := os.WriteFile(w.file("matrix.yaml"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	next := w.release(t, "next.yaml", func(r *release.Release) { r.Number++ })
	call := func(rel string, more ...string) said {
		args := []string{"plan", "-f", w.file("matrix.yaml"), "--results", w.file("results"), "--release", rel, "--changed-since", w.file("release.yaml")}
		return w.call(t.Context(), append(args, more...)...)
	}
	// Nothing proves the cells: all of them are run, although nothing reaches them.
	if got := call(next); got.code != 0 || !strings.Contains(got.stdout, "debian-12-v1-34-4-fake") {
		t.Fatalf("code %d: %s%s", got.code, got.stdout, got.stderr)
	}
	if got := w.qualify(t.Context(), "--only", "debian-12-v1-34-4-fake"); got.code != 0 {
		t.Fatalf("code %d: %s", got.code, got.stderr)
	}
	got := call(next)
	if got.code != 0 || strings.Contains(got.stdout, "debian-12-v1-34-4-fake") || !strings.Contains(got.stdout, planning.RuleUnchanged) ||
		!strings.Contains(got.stdout, "only livenessprobe did; run 20") || !strings.Contains(got.stdout, "guarantee: 2 of 3 cells that can be") {
		t.Errorf("code %d: %s%s", got.code, got.stdout, got.stderr)
	}
	// With nothing left there is no plan, and no good news.
	if got := call(next, "--only", "debian-12-v1-34-4-fake"); got.code != 2 || !strings.Contains(got.stderr, "nothing is left to run: nothing of this cell has changed since") {
		t.Errorf("code %d: %s%s", got.code, got.stdout, got.stderr)
	}
	// What is in the cell has changed.
	changed := w.release(t, "changed.yaml", func(r *release.Release) {
		r.Number++
		for i := range r.Components {
			if r.Components[i].Name == "kubernetes" {
				r.Components[i].Assets[0].SHA256 = strings.Repeat("b", 64)
				r.Components[i].Assets[0].SHA512 = ""
			}
		}
	})
	if got := call(changed); got.code != 0 || !strings.Contains(got.stdout, "debian-12-v1-34-4-fake") {
		t.Errorf("code %d: %s%s", got.code, got.stdout, got.stderr)
	}
	// What cannot be compared is run, and that is said.
	if got := call("source:v1.34.4"); got.code != 0 || !strings.Contains(got.stderr, "warning: source:v1.34.4 is not built yet") || !strings.Contains(got.stdout, "debian-12-v1-34-4-fake") {
		t.Errorf("code %d: %s%s", got.code, got.stdout, got.stderr)
	}
	other := w.release(t, "other.yaml", func(r *release.Release) {
		r.Channel = "1-35"
		for i := range r.Components {
			if r.Components[i].Name == "kubernetes" {
				r.Components[i].GitTag = "v1.35.4"
			}
		}
	})
	if got := call(other); got.code != 0 || !strings.Contains(got.stderr, "is of another channel than") || !strings.Contains(got.stdout, "debian-12-v1-35-4-fake") {
		t.Errorf("code %d: %s%s", got.code, got.stdout, got.stderr)
	}
	for since, want := range map[string]string{"source:v1.34.4": "only a release with a manifest can be compared with", "nowhere": "nowhere"} {
		got := w.call(t.Context(), append(append([]string{"plan"}, w.flags()...), "--changed-since", since)...)
		if got.code != 2 || !strings.Contains(got.stderr, want) {
			t.Errorf("%s: code %d: %s", since, got.code, got.stderr)
		}
	}
}
