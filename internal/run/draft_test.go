package run

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/qualify-dev/qualify/internal/release"
	"github.com/qualify-dev/qualify/internal/result"
	"github.com/qualify-dev/qualify/suites"
)

// drafted is a saved plan of the world's cells, as it comes out of a file.
func drafted(t *testing.T, w *world) Plan {
	t.Helper()
	draft, err := Draft(w.compilation(), map[string]string{"v1.34.4": "file.yaml"})
	if err != nil {
		t.Fatal(err)
	}
	draft.AsOf, draft.Matrix, draft.Shard = "2026-01-01", "m.yaml", "1/2"
	draft.Guarantee = &Guarantee{Strength: 3, Covered: 1, Total: 2, Uncovered: []map[string]string{{"os": "flatcar"}}}
	draft.Cells[0].Estimate = &Estimate{Seconds: 60, USD: 0.1, Source: "history"}
	draft.Cells[0].Required = true
	draft, err = draft.Sealed()
	if err != nil {
		t.Fatal(err)
	}
	data, err := json.Marshal(draft)
	if err != nil {
		t.Fatal(err)
	}
	var read Plan
	if err := json.Unmarshal(data, &read); err != nil {
		t.Fatal(err)
	}
	return read
}

func TestAdopt(t *testing.T) {
	w := newWorld(t)
	w.systems = []string{"debian-12", "ubuntu-24.04"}
	saved := drafted(t, w)
	if saved.Cells[0].Suites[0].Expected != nil || saved.Cells[0].Source != "file.yaml" {
		t.Errorf("draft %+v", saved.Cells[0])
	}
	saved.Retries, saved.Workers = 3, 2
	slices.Reverse(saved.Cells) // the order is the plan's
	saved, err := saved.Sealed()
	if err != nil {
		t.Fatal(err)
	}
	c := w.compilation()
	c.Cells, c.Suites, c.Workers, c.Retries = nil, nil, 0, 0
	plan, err := Adopt(saved, c)
	if err != nil {
		t.Fatal(err)
	}
	if err := plan.Check(); err != nil {
		t.Error(err)
	}
	if plan.From != saved.Hash || plan.Hash == saved.Hash || plan.Judged().From != saved.Hash {
		t.Errorf("from %s, hash %s; the saved plan's is %s", plan.From, plan.Hash, saved.Hash)
	}
	if plan.Retries != 3 || plan.Workers != 2 || plan.Shard != "1/2" || plan.AsOf != "2026-01-01" || plan.Guarantee.Total != 2 {
		t.Errorf("plan %+v", plan)
	}
	if len(plan.Cells) != 2 || plan.Cells[0].ID != saved.Cells[0].ID || plan.Cells[0].Release.Digest != w.rel.Digest() || !plan.Cells[1].Required || plan.Cells[1].Estimate.Seconds != 60 {
		t.Errorf("cells %+v", plan.Cells)
	}
	if !slices.Equal(plan.Cells[0].Suites[0].Expected, expected()) {
		t.Errorf("suites %+v", plan.Cells[0].Suites)
	}
	// The plan of a run is a saved plan too: of the same digests.
	again, err := Adopt(plan, c)
	if err != nil || again.From != plan.Hash {
		t.Errorf("from %s, error %v", again.From, err)
	}
}

func TestAdoptRefuses(t *testing.T) {
	tests := []struct {
		name   string
		change func(*Plan)
		want   string
	}{
		{"another kind", func(p *Plan) { p.Kind = "Verdict" }, "it is a Verdict of qualify/v1, not a Plan of qualify/v1"},
		{"no cells", func(p *Plan) { p.Cells = nil }, "it has no cells"},
		{"workers below none", func(p *Plan) { p.Workers = -1 }, "cannot be negative"},
		{"no time", func(p *Plan) { p.Budgets.Collect = 0 }, "its budgets leave no time for a phase"},
		{"a cell that is another", func(p *Plan) { p.Cells[0].Values["os"] = "ubuntu-24.04" }, "its values are those of ubuntu-24-04"},
		{"other suites", func(p *Plan) {
			p.Cells = append(p.Cells, p.Cells[0])
			p.Cells[1].Suites = nil
		}, "its suites are not those of"},
		{"a cell twice", func(p *Plan) { p.Cells = append(p.Cells, p.Cells[0]) }, "is in the plan twice"},
		{"another digest", func(p *Plan) { p.Cells[0].Release.Digest, p.Cells[0].Release.Name = "sha256:00", "other" }, "the plan is for the release other with digest sha256:00, and what is there now is"},
		{"other cases", func(p *Plan) {
			p.Cells[0].Suites = slices.Clone(p.Cells[0].Suites)
			p.Cells[0].Suites[0].Expected = []string{"dns"}
		}, "the suite tiny shows other cases now than those of the plan"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t)
			saved := drafted(t, w)
			tt.change(&saved)
			saved, err := saved.Sealed()
			if err != nil {
				t.Fatal(err)
			}
			if _, err := Adopt(saved, w.compilation()); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %v, want %s", err, tt.want)
			}
		})
	}
	w := newWorld(t)
	saved := drafted(t, w)
	saved.Workers = 7
	if _, err := Adopt(saved, w.compilation()); err == nil || !strings.Contains(err.Error(), "the plan was changed after it was made") {
		t.Errorf("error %v", err)
	}
	c := w.compilation()
	c.Releases = map[string]*release.Release{}
	if _, err := Adopt(drafted(t, w), c); err == nil || !strings.Contains(err.Error(), "no release for Kubernetes v1.34.4") {
		t.Errorf("error %v", err)
	}
}

func TestDraftRefuses(t *testing.T) {
	w := newWorld(t)
	if _, err := Draft(w.compilation(), nil); err == nil || !strings.Contains(err.Error(), "does not say where the release of Kubernetes v1.34.4 comes from") {
		t.Errorf("error %v", err)
	}
	c := w.compilation()
	c.Cells = nil
	if _, err := Draft(c, nil); err == nil || !strings.Contains(err.Error(), "no cell is selected") {
		t.Errorf("error %v", err)
	}
	c = w.compilation()
	c.Suites = nil
	if _, err := Draft(c, nil); err == nil || !strings.Contains(err.Error(), "no suite is selected") {
		t.Errorf("error %v", err)
	}
}

// A saved plan comes from outside: one with hardly anything in it is refused,
// and nothing panics.
func TestAdoptHostile(t *testing.T) {
	w := &world{}
	for _, text := range []string{
		`{}`, `{"apiVersion":"qualify/v1","kind":"Plan"}`, `{"kind":"Plan","cells":[{"suites":null}]}`,
		`{"apiVersion":"qualify/v1","kind":"Plan","cells":[{"id":"x","values":{"os":"x"},"suites":[{"name":"tiny"}]}]}`,
		`{"apiVersion":"qualify/v1","kind":"Plan","cells":[{"id":"cell-0","values":null,"suites":null},{"suites":[{}]}]}`,
	} {
		var saved Plan
		if err := json.Unmarshal([]byte(text), &saved); err != nil {
			t.Fatal(err)
		}
		saved, err := saved.Sealed()
		if err != nil {
			t.Fatal(err)
		}
		if plan, err := Adopt(saved, Compilation{Suite: w.suite}); err == nil {
			t.Errorf("%s became %+v", text, plan)
		}
	}
}

// A saved plan keeps the backend of a suite, and the usual one has no name in it.
func TestAdoptKeepsTheBackend(t *testing.T) {
	for asked, want := range map[string]string{"pod": "pod", "direct": "", "": ""} {
		w := newWorld(t)
		tiny := w.suites[0]
		tiny.Backends = []suites.Backend{{Name: "direct"}, {Name: "pod"}}
		w.suites = []suites.Suite{tiny}
		w.modes = map[string]result.SuiteMode{tiny.Name: {Backend: asked}}
		c := w.compilation()
		c.Cells, c.Suites, c.Modes = nil, nil, nil
		plan, err := Adopt(drafted(t, w), c)
		if err != nil || plan.Cells[0].Suites[0].Backend != want {
			t.Errorf("%q became %+v, %v", asked, plan.Cells[0].Suites[0].SuiteMode, err)
		}
	}
}
