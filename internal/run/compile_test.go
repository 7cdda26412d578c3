package run

import (
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/qualify-dev/qualify/internal/provision"
	"github.com/qualify-dev/qualify/internal/provision/fake"
	"github.com/qualify-dev/qualify/internal/release"
	"github.com/qualify-dev/qualify/internal/result"
	"github.com/qualify-dev/qualify/matrix"
	"github.com/qualify-dev/qualify/suites"
)

func TestCompile(t *testing.T) {
	w := newWorld(t)
	w.systems = []string{"debian-12", "ubuntu-24.04"}
	c := w.compilation()
	rule := matrix.Exclusion{Reason: "no kernel", Owner: "me", Expires: "2027-01-01", File: "m.yaml", Line: 7}
	c.Excluded = []matrix.Excluded{{Values: cellOf("flatcar").Values, Rule: rule}}
	plan, err := Compile(c)
	if err != nil {
		t.Fatal(err)
	}
	if err := plan.Check(); err != nil {
		t.Error(err)
	}
	if len(plan.Cells) != 2 || plan.Workers != 1 || plan.Budgets != DefaultBudgets() {
		t.Errorf("plan %+v", plan)
	}
	for i, cell := range plan.Cells {
		if cell.ID != c.Cells[i].ID || !maps.Equal(cell.Values, c.Cells[i].Values) {
			t.Errorf("cell %d is %+v, want %+v", i, cell, c.Cells[i])
		}
		if cell.Release != (result.ReleaseRef{Name: w.rel.Name, Kubernetes: "v1.34.4", Digest: w.rel.Digest()}) {
			t.Errorf("cell %s is of release %+v", cell.ID, cell.Release)
		}
		if len(cell.Suites) != 1 || cell.Suites[0].Name != "tiny" || !slices.Equal(cell.Suites[0].Expected, expected()) {
			t.Errorf("cell %s runs %+v", cell.ID, cell.Suites)
		}
	}
	if len(plan.Excluded) != 1 || plan.Excluded[0].Rule != "m.yaml:7" || plan.Excluded[0].Reason != "no kernel" {
		t.Errorf("excluded %+v", plan.Excluded)
	}
}

func TestCompileRefuses(t *testing.T) {
	tests := []struct {
		name   string
		change func(*world, *Compilation)
		want   string
	}{
		{"no cell", func(_ *world, c *Compilation) { c.Cells = nil }, "no cell is selected"},
		{"no suite", func(_ *world, c *Compilation) { c.Suites = nil }, "no suite is selected"},
		{"an unknown suite", func(_ *world, c *Compilation) { c.Suites = []string{"huge"} }, "unknown suite huge"},
		{"a suite twice", func(_ *world, c *Compilation) { c.Suites = []string{"tiny", "tiny"} }, "suite tiny is named twice"},
		{"a cell twice", func(_ *world, c *Compilation) { c.Cells = append(c.Cells, c.Cells[0]) }, "is in the plan twice"},
		{"an unknown provisioner", func(_ *world, c *Compilation) { c.Entries = nil }, `unknown provisioner "fake"`},
		{"no release", func(_ *world, c *Compilation) { c.Releases = nil }, "no release for Kubernetes v1.34.4"},
		{"a provisioner that cannot", func(_ *world, c *Compilation) {
			entry := c.Entries[fake.Name]
			entry.Can = func(matrix.Cell) error { return errors.New("not on a Tuesday") }
			c.Entries = map[string]provision.Entry{fake.Name: entry}
		}, "not on a Tuesday"},
		{"a suite that expects nothing", func(w *world, _ *Compilation) {
			w.suites = []suites.Suite{{Name: "tiny", Expect: func(*release.Release) ([]string, error) { return nil, nil }}}
		}, "expects nothing"},
		{"a suite that expects a case twice", func(w *world, _ *Compilation) {
			w.suites = []suites.Suite{{Name: "tiny", Expect: func(*release.Release) ([]string, error) { return []string{"dns", "job", "dns"}, nil }}}
		}, `expects "dns" twice`},
		{"a suite that cannot tell", func(w *world, _ *Compilation) {
			w.suites = []suites.Suite{{Name: "tiny", Expect: func(*release.Release) ([]string, error) { return nil, errors.New("no list") }}}
		}, "no list"},
		{"a mode of a suite without any", modes(result.SuiteMode{Mode: "full"}), "tiny has no modes"},
		{"a backend of a suite without any", modes(result.SuiteMode{Backend: "pod"}), "tiny has no backends"},
		{"a focus that is no expression", modes(result.SuiteMode{Focus: "("}), "the focus is no regular expression"},
		{"a skip that is no expression", modes(result.SuiteMode{Skip: "["}), "the skip is no regular expression"},
		{"a focus on nothing", modes(result.SuiteMode{Focus: "solaris"}), "select none of its 3 cases"},
		{"a skip of everything", modes(result.SuiteMode{Skip: "."}), "select none of its 3 cases"},
		{"a mode of a suite that is not run", func(_ *world, c *Compilation) {
			c.Modes = map[string]result.SuiteMode{"huge": {Mode: "full"}}
		}, "how suite huge is run is said, but it is not run"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			w := newWorld(t)
			c := w.compilation()
			test.change(w, &c)
			plan, err := Compile(c)
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("error %v, want %q in it", err, test.want)
			}
			if plan.Hash != "" {
				t.Error("a plan that was refused has a hash")
			}
		})
	}
}

func modes(m result.SuiteMode) func(*world, *Compilation) {
	return func(_ *world, c *Compilation) { c.Modes = map[string]result.SuiteMode{"tiny": m} }
}

// The plan says how a suite is run, expects all of it, and covers that by its hash.
func TestCompileModes(t *testing.T) {
	w := newWorld(t)
	w.suites[0].Modes = []suites.Mode{
		{Name: "part", Expect: w.suites[0].Expect},
		{Name: "all", Expect: func(*release.Release) ([]string, error) { return []string{"dns", "exec", "job", "serial"}, nil }, Budget: time.Hour},
	}
	hashes := map[string]bool{}
	for _, c := range []struct {
		asked map[string]result.SuiteMode
		want  result.SuiteMode
		cases int
	}{
		{nil, result.SuiteMode{Mode: "part"}, 3},
		{map[string]result.SuiteMode{"tiny": {Mode: "all"}}, result.SuiteMode{Mode: "all", Budget: 3600}, 4},
		{map[string]result.SuiteMode{"tiny": {Mode: "all", Focus: "s"}}, result.SuiteMode{Mode: "all", Focus: "s", Budget: 3600}, 4},
		{map[string]result.SuiteMode{"tiny": {Skip: "job"}}, result.SuiteMode{Mode: "part", Skip: "job"}, 3},
	} {
		compilation := w.compilation()
		compilation.Modes = c.asked
		plan, err := Compile(compilation)
		if err != nil {
			t.Fatal(err)
		}
		if got := plan.Cells[0].Suites[0]; got.SuiteMode != c.want || len(got.Expected) != c.cases || plan.Check() != nil {
			t.Errorf("%+v: planned %+v", c.asked, got)
		}
		hashes[plan.Hash] = true
		want := 45 * time.Minute
		if c.want.Budget > 0 {
			want = time.Hour
		}
		if got := plan.budget(plan.Cells[0].Suites[0]); got != want {
			t.Errorf("%+v: the budget is %s", c.asked, got)
		}
	}
	if len(hashes) != 4 {
		t.Errorf("%d hashes of 4 plans", len(hashes))
	}
}

func TestCompileSaysEverythingAtOnce(t *testing.T) {
	w := newWorld(t)
	w.systems = []string{"debian-12", "ubuntu-24.04"}
	c := w.compilation()
	c.Suites = []string{"huge"}
	_, err := Compile(c)
	if err == nil || strings.Count(err.Error(), "unknown suite huge") != 2 {
		t.Errorf("error %v, want one for each cell", err)
	}
}

// The hash covers every field: a change of any byte that is not of the hash
// itself is seen, or the plan is no plan any more.
func TestCheckSeesEveryChange(t *testing.T) {
	w := newWorld(t)
	data, err := json.Marshal(w.plan())
	if err != nil {
		t.Fatal(err)
	}
	original := w.plan()
	rapid.Check(t, func(t *rapid.T) {
		changed := slices.Clone(data)
		at := rapid.IntRange(0, len(changed)-1).Draw(t, "at")
		changed[at] = rapid.Byte().Draw(t, "byte")
		var plan Plan
		if json.Unmarshal(changed, &plan) != nil {
			return
		}
		same, err := json.Marshal(plan)
		if err != nil {
			t.Fatal(err)
		}
		if string(same) == string(data) {
			return
		}
		if plan.Check() == nil {
			t.Fatalf("changed to %s, and unnoticed", changed)
		}
	})
	if err := original.Check(); err != nil {
		t.Error(err)
	}
	original.Cells[0].Suites[0].Expected = original.Cells[0].Suites[0].Expected[1:]
	if err := original.Check(); err == nil || !strings.Contains(err.Error(), "changed after it was made") {
		t.Errorf("a case less: %v", err)
	}
}

func TestJudgedNamesTheRelease(t *testing.T) {
	w := newWorld(t)
	w.systems = []string{"debian-12", "ubuntu-24.04"}
	plan := w.plan()
	if judged := plan.Judged(); judged.Release != plan.Cells[0].Release || judged.Hash != plan.Hash || len(judged.Cells) != 2 {
		t.Errorf("judged by %+v", judged)
	}
	plan.Cells[1].Release.Digest = "sha256:other"
	several := plan.Judged().Release
	if several.Name != "several" || several.Digest == plan.Cells[0].Release.Digest || several.Digest == "" {
		t.Errorf("two releases are %+v", several)
	}
	plan.Cells[0].Release, plan.Cells[1].Release = plan.Cells[1].Release, plan.Cells[0].Release
	if again := plan.Judged().Release; again.Digest == several.Digest {
		t.Error("which cell has which release does not matter")
	}
}

func TestLeaseName(t *testing.T) {
	type key struct {
		run, cell string
		n         int
	}
	seen := map[string]key{}
	rapid.Check(t, func(t *rapid.T) {
		k := key{rapid.String().Draw(t, "run"), rapid.String().Draw(t, "cell"), rapid.IntRange(1, 99).Draw(t, "n")}
		name := LeaseName(k.run, k.cell, k.n)
		if name != LeaseName(k.run, k.cell, k.n) {
			t.Fatal("the name changes")
		}
		if of, known := seen[name]; known && of != k {
			t.Fatalf("%+v and %+v have the same lease %s", of, k, name)
		}
		seen[name] = k
		if len(name) > 63-len("-control-plane") || strings.Trim(name, "abcdefghijklmnopqrstuvwxyz0123456789-") != "" || name[0] == '-' {
			t.Fatalf("%q is no DNS label that leaves room", name)
		}
		// Where one ends and the other begins matters.
		if n := len(k.run); n > 0 && LeaseName(k.run[:n-1], k.run[n-1:]+k.cell, k.n) == name {
			t.Fatal("run and cell run into each other")
		}
	})
}

// TestUnboundReleases: without digests nothing ties a verdict to a release. An
// image that no cluster runs may be without; either way the verdict says so.
func TestUnboundReleases(t *testing.T) {
	for _, tc := range []struct {
		component string
		allow     bool
		want      string
	}{
		{"kubernetes", false, "is unbound: it has no digest for 1 assets that every cluster is made of, extra-image among them"},
		{"etcd", false, "--allow-unbound accepts that"},
		{"kubernetes", true, ""},
		{"external-attacher", false, ""},
	} {
		w := newWorld(t)
		rel := *w.rel
		extra := release.Asset{Component: tc.component, Name: "extra-image", Type: release.Image, URI: "r.io/x:1"}
		rel.Components = append(slices.Clone(rel.Components), release.Component{Name: tc.component, Assets: []release.Asset{extra}})
		w.rel = &rel
		c := w.compilation()
		c.AllowUnbound = tc.allow
		plan, err := Compile(c)
		if tc.want != "" {
			if err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("%s, allowed %v: got %v, want %q", tc.component, tc.allow, err, tc.want)
			}
			continue
		}
		judged := plan.Judged()
		if err != nil || !slices.Equal(judged.Unbound, []string{"extra-image"}) {
			t.Errorf("%s, allowed %v: %v, unbound %v", tc.component, tc.allow, err, judged.Unbound)
		}
	}
}
