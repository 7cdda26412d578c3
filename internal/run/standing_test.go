package run

import (
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/qualify-dev/qualify/internal/result"
)

// told are events of the cell c, in few words.
type told struct {
	events []result.Event
}

func (d *told) add(e result.Event) *told {
	e.Cell, e.Seq = "c", len(d.events)+1
	e.Time = time.Date(2026, 11, 25, 10, 0, len(d.events), 0, time.UTC)
	d.events = append(d.events, e)
	return d
}

func (d *told) lease(name string) *told {
	return d.add(result.Event{Kind: result.LeaseOpened, Lease: &result.Lease{Name: name, Run: "r", Cell: "c", Owner: "host/1"}})
}

func (d *told) closed(name string) *told {
	return d.add(result.Event{Kind: result.LeaseClosed, Text: name})
}
func (d *told) kept(name string) *told {
	return d.add(result.Event{Kind: result.LeaseKept, Text: name})
}

func (d *told) compared(stage string, change ...func(*result.Event)) *told {
	e := result.Event{Kind: result.IdentityMatch, Stage: stage, Release: "sha256:1", Checked: []string{"kubelet: 1"}}
	for _, c := range change {
		c(&e)
	}
	return d.add(e)
}

func (d *told) begins(suite string) *told {
	return d.add(result.Event{Kind: result.SuiteStarted, Suite: suite})
}

func (d *told) ends(suite, why string) *told {
	return d.add(result.Event{Kind: result.SuiteEnded, Suite: suite, Text: why})
}

func (d *told) shows(suite string, names ...string) *told {
	for _, name := range names {
		d.add(result.Event{Kind: result.CaseEnded, Suite: suite, Case: &result.Case{Name: name, Outcome: result.Pass, Attempt: 1}})
	}
	return d
}

func (d *told) attempt(suite, name string, n int, outcome result.Outcome) *told {
	return d.add(result.Event{Kind: result.CaseEnded, Suite: suite, Case: &result.Case{Name: name, Outcome: outcome, Attempt: n, Message: "because"}})
}

func (d *told) fault(kind result.Kind) *told { return d.add(result.Event{Kind: kind, Text: "because"}) }

// whole is a lease on which everything was shown.
func (d *told) whole(lease string) *told {
	d.lease(lease).compared(result.StageBefore)
	for _, s := range []string{"one", "two"} {
		d.begins(s).shows(s, "a", "b").ends(s, "")
	}
	return d.compared(result.StageAfter)
}

func TestStand(t *testing.T) {
	cell := PlanCell{ID: "c", Release: result.ReleaseRef{Digest: "sha256:1"}, Suites: []result.PlanSuite{
		{Name: "one", Expected: []string{"a", "b"}}, {Name: "two", Expected: []string{"a", "b"}},
	}}
	d := func() *told { return &told{} }
	differs := func(e *result.Event) { e.Mismatched = []string{"kubelet"} }
	nothing := func(e *result.Event) { e.Checked = nil }
	another := func(e *result.Event) { e.Release = "sha256:2" }
	before := result.StageBefore
	tests := []struct {
		name   string
		told   *told
		done   bool
		adopt  string
		remove []string
		suites map[string]begun
	}{
		{"nothing", d(), false, "", nil, nil},
		{"half-made", d().lease("q1"), false, "", []string{"q1"}, nil},
		{"half-made and removed", d().lease("q1").closed("q1"), false, "", nil, nil},
		{"up and proven", d().lease("q1").compared(before), false, "q1", nil, map[string]begun{}},
		{"compared with nothing", d().lease("q1").compared(before, nothing), false, "", []string{"q1"}, nil},
		{"compared with another release", d().lease("q1").compared(before, another), false, "", []string{"q1"}, nil},
		{"compared at another time only", d().lease("q1").compared(result.StageAfter), false, "", []string{"q1"}, nil},
		{"another release runs", d().lease("q1").compared(before, differs), true, "", []string{"q1"}, nil},
		{"the release did not boot", d().lease("q1").fault(result.ProductFault), true, "", []string{"q1"}, nil},
		{"the infrastructure failed", d().lease("q1").fault(result.InfraFault), false, "", []string{"q1"}, nil},
		{"it failed after the proof", d().lease("q1").compared(before).fault(result.InfraFault), false, "", []string{"q1"}, nil},
		{"it failed and was removed", d().lease("q1").fault(result.InfraFault).closed("q1"), false, "", nil, nil},
		{"in a suite", d().lease("q1").compared(before).begins("one").shows("one", "b"), false, "q1", nil,
			map[string]begun{"one": {shown: []string{"b"}}}},
		{"in a suite that failed in part", d().lease("q1").compared(before).begins("one").
			attempt("one", "a", 1, result.Fail).attempt("one", "b", 1, result.Error).attempt("one", "b", 2, result.Error), false, "q1", nil,
			map[string]begun{"one": {shown: []string{"a", "b"}, broken: map[string]int{"a": 1, "b": 2}}}},
		{"in a suite that passed in the end", d().lease("q1").compared(before).begins("one").
			attempt("one", "a", 1, result.Fail).attempt("one", "a", 2, result.Pass).attempt("one", "b", 1, result.Skip), false, "q1", nil,
			map[string]begun{"one": {shown: []string{"a", "b"}}}},
		{"between suites", d().lease("q1").compared(before).begins("one").shows("one", "a", "b").ends("one", ""), false, "q1", nil,
			map[string]begun{"one": {ended: true, shown: []string{"a", "b"}}}},
		{"a suite that was cut short", d().lease("q1").compared(before).begins("one").ends("one", "interrupted").closed("q1"), false, "", nil, nil},
		{"before the last comparison", d().whole("q1").begins("one").shows("one", "a").ends("one", ""), false, "q1", nil,
			map[string]begun{"one": {ended: true, shown: []string{"a", "b"}}, "two": {ended: true, shown: []string{"a", "b"}}}},
		{"whole", d().whole("q1"), true, "", []string{"q1"}, nil},
		{"whole and removed", d().whole("q1").closed("q1"), true, "", nil, nil},
		{"whole and kept", d().whole("q1").kept("q1"), true, "", nil, nil},
		{"kept before its end", d().lease("q1").compared(before).kept("q1"), false, "q1", nil, map[string]begun{}},
		{"whole, then another lease", d().whole("q1").closed("q1").lease("q2"), false, "", []string{"q2"}, nil},
		{"two that are not removed", d().lease("q1").lease("q2").compared(before), false, "q2", []string{"q1"}, map[string]begun{}},
		{"what the first lease showed", d().lease("q1").compared(before).begins("one").shows("one", "a").closed("q1").lease("q2").compared(before).begins("one"), false, "q2", nil,
			map[string]begun{"one": {}}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got, _ := result.Fold(test.told.events).Cell("c")
			s := stand(cell, got)
			if s.done != test.done {
				t.Errorf("done is %v", s.done)
			}
			adopt := ""
			if s.adopt != nil {
				adopt = s.adopt.Name
				if s.adopt.Run != "r" || s.adopt.Owner != "host/1" {
					t.Errorf("the lease is %+v", *s.adopt)
				}
			}
			var remove []string
			for _, l := range s.remove {
				remove = append(remove, l.Name)
			}
			if adopt != test.adopt || !slices.Equal(remove, test.remove) {
				t.Errorf("adopts %q and removes %v, want %q and %v", adopt, remove, test.adopt, test.remove)
			}
			same := func(a, b begun) bool {
				return a.ended == b.ended && slices.Equal(a.shown, b.shown) && maps.Equal(a.broken, b.broken)
			}
			if !maps.EqualFunc(s.suites, test.suites, same) {
				t.Errorf("suites %+v, want %+v", s.suites, test.suites)
			}
			if s.leases != len(got.Leases) {
				t.Errorf("%d leases", s.leases)
			}
		})
	}
}
