package planning

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/qualify-dev/qualify/internal/release"
	"github.com/qualify-dev/qualify/internal/result"
	"github.com/qualify-dev/qualify/internal/run"
)

// rel is a release whose assets have the digests given, by component/asset.
func rel(name string, digests map[string]string) *release.Release {
	r := &release.Release{Name: name, Channel: "1-34", Number: 1}
	for _, key := range slices.Sorted(maps.Keys(digests)) {
		component, asset, _ := strings.Cut(key, "/")
		if len(r.Components) == 0 || r.Components[len(r.Components)-1].Name != component {
			r.Components = append(r.Components, release.Component{Name: component, GitTag: "v1.34.4"})
		}
		c := &r.Components[len(r.Components)-1]
		a := release.Asset{Component: component, Name: asset, Type: release.Archive, SHA256: strings.Repeat(digests[key], 64)}
		for _, arch := range []string{"amd64", "arm64"} {
			if strings.Contains(asset, arch) {
				a.Arch = []string{arch}
			}
		}
		if system, _, _ := strings.Cut(asset, "-"); system == "windows" || system == "linux" {
			a.OS = system
		}
		c.Assets = append(c.Assets, a)
	}
	return r
}

var before = map[string]string{
	"coredns/coredns": "a", "etcd/etcd": "a", "kubernetes/linux-amd64-kubelet": "a", "kubernetes/linux-arm64-kubelet": "a",
	"kubernetes/windows-amd64-kubelet": "a", "livenessprobe/livenessprobe": "a",
}

func TestReaches(t *testing.T) {
	tests := []struct {
		change     map[string]string // new digests; "" takes an asset out
		arch, want string
	}{
		{nil, "", ""},
		{map[string]string{"coredns/coredns": "b"}, "", "coredns"},
		{map[string]string{"etcd/etcd": "b", "coredns/coredns": "b"}, "arm64", "coredns etcd"},
		{map[string]string{"kubernetes/linux-arm64-kubelet": "b"}, "arm64", "kubernetes"},
		{map[string]string{"kubernetes/linux-arm64-kubelet": "b"}, "amd64", ""},
		{map[string]string{"kubernetes/linux-arm64-kubelet": "b"}, "", "kubernetes"}, // it may be any
		{map[string]string{"kubernetes/windows-amd64-kubelet": "b"}, "amd64", ""},
		{map[string]string{"livenessprobe/livenessprobe": "b"}, "", ""},
		{map[string]string{"newest/newest": "b"}, "", "newest"}, // nobody knows it, so it is in every cell
		{map[string]string{"coredns/coredns": ""}, "", "coredns"},
		{map[string]string{"livenessprobe/livenessprobe": ""}, "", ""},
	}
	for _, tt := range tests {
		after := maps.Clone(before)
		for key, digest := range tt.change {
			after[key] = digest
			if digest == "" {
				delete(after, key)
			}
		}
		i := NewImpact(rel("old", before), rel("new", after))
		if got := strings.Join(i.Reaches(map[string]string{"arch": tt.arch}), " "); got != tt.want {
			t.Errorf("%v on %q reaches %q, want %q", tt.change, tt.arch, got, tt.want)
		}
	}
	// Another version is another component on every architecture.
	to := rel("new", before)
	to.Components[2].GitTag = "v1.34.5"
	if got := NewImpact(rel("old", before), to).Reaches(map[string]string{"arch": "arm64"}); !slices.Equal(got, []string{"kubernetes"}) {
		t.Errorf("a new version of kubernetes reaches %v", got)
	}
}

// proven is a run that found its cells so, and its plan.
func proven(t *testing.T, r *release.Release, v result.Verdict, cells ...run.PlanCell) (run.Plan, result.Document) {
	t.Helper()
	var plan run.Plan
	var doc result.Document
	for _, c := range cells {
		c.Release.Digest = r.Digest()
		plan.Cells = append(plan.Cells, c)
		doc.Cells = append(doc.Cells, result.CellVerdict{ID: c.ID, Verdict: v})
	}
	plan, err := plan.Sealed()
	if err != nil {
		t.Fatal(err)
	}
	doc.Plan.Hash, doc.Policy.Hash = plan.Hash, plan.Measure().Hash()
	return plan, doc
}

func TestSince(t *testing.T) {
	old := rel("old", before)
	after := maps.Clone(before)
	after["livenessprobe/livenessprobe"] = "b"
	impact := NewImpact(old, rel("new", after))
	one, two := cell("debian-12", "v1.34.4", "kind"), cell("debian-11", "v1.34.4", "kind")
	all := func(run.PlanCell) (Impact, bool) { return impact, true }
	current := run.Plan{Cells: []run.PlanCell{one, two}}

	if got := Since(current, all, Proofs{}); len(got.Cells) != 2 || len(got.Excluded) != 0 {
		t.Errorf("without a proof %d of 2 cells are run", len(got.Cells))
	}
	p := Proofs{}
	plan, doc := proven(t, old, result.Qualified, one)
	p.Learn("run-7", plan, doc)
	got := Since(current, all, p)
	want := "nothing of this cell has changed since old, only livenessprobe did; run run-7 found it qualified"
	if len(got.Cells) != 1 || got.Cells[0].ID != two.ID || len(got.Excluded) != 1 || got.Excluded[0].Rule != RuleUnchanged || got.Excluded[0].Reason != want {
		t.Errorf("cells %v, excluded %+v", got.Cells, got.Excluded)
	}
	if len(current.Cells) != 2 || len(current.Excluded) != 0 {
		t.Error("the plan that was given has changed")
	}
	none := func(run.PlanCell) (Impact, bool) { return Impact{}, false }
	if got := Since(current, none, p); len(got.Cells) != 2 {
		t.Error("a cell is left out although nobody knows what changed")
	}
	required := one
	required.Required = true
	if impact.Unchanged(current, required, p) != "" {
		t.Error("a required cell is left out")
	}
	more := one
	more.Suites = append(slices.Clone(one.Suites), result.PlanSuite{Name: "conformance"})
	if impact.Unchanged(current, more, p) != "" {
		t.Error("a suite that was never run is proven")
	}
	after["etcd/etcd"] = "b"
	if NewImpact(old, rel("new", after)).Unchanged(current, one, p) != "" {
		t.Error("a cell with another etcd is left out")
	}
}

// What proves nothing: a bad verdict, another release, another plan, a suite
// that was cut down, one in another mode.
func TestProofs(t *testing.T) {
	old, other := rel("old", before), rel("other", map[string]string{"etcd/etcd": "c"})
	c := cell("debian-12", "v1.34.4", "kind")
	narrow, mode := c, c
	narrow.Suites = []result.PlanSuite{{Name: "smoke", SuiteMode: result.SuiteMode{Focus: "dns"}}}
	mode.Suites = []result.PlanSuite{{Name: "smoke", SuiteMode: result.SuiteMode{Mode: "full"}}}
	for name, make := range map[string]func() (run.Plan, result.Document){
		"not qualified": func() (run.Plan, result.Document) { return proven(t, old, result.NotQualified, c) },
		"inconclusive":  func() (run.Plan, result.Document) { return proven(t, old, result.Inconclusive, c) },
		"other release": func() (run.Plan, result.Document) { return proven(t, other, result.Qualified, c) },
		"narrowed":      func() (run.Plan, result.Document) { return proven(t, old, result.Qualified, narrow) },
		"another mode":  func() (run.Plan, result.Document) { return proven(t, old, result.Qualified, mode) },
		"another policy": func() (run.Plan, result.Document) {
			plan, doc := proven(t, old, result.Qualified, c)
			doc.Policy.Hash = "sha256:00"
			return plan, doc
		},
		"other workers": func() (run.Plan, result.Document) {
			plan, doc := proven(t, old, result.Qualified, c)
			plan.Workers = 9
			plan, err := plan.Sealed()
			doc.Plan.Hash = plan.Hash
			if err != nil {
				t.Fatal(err)
			}
			return plan, doc
		},
		"another plan": func() (run.Plan, result.Document) {
			plan, doc := proven(t, old, result.Qualified, c)
			doc.Plan.Hash = "sha256:00"
			return plan, doc
		},
		"a changed plan": func() (run.Plan, result.Document) {
			plan, doc := proven(t, old, result.Qualified, c)
			plan.Workers = 9
			return plan, doc
		},
	} {
		p := Proofs{}
		p.Learn("run-1", first(make()), second(make()))
		if id, ok := p.of(run.Plan{}, c, old.Digest()); ok {
			t.Errorf("%s: proven by %s", name, id)
		}
	}
}

func first[A, B any](a A, _ B) A  { return a }
func second[A, B any](_ A, b B) B { return b }
