package report

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/qualify-dev/qualify/internal/result"
)

// samples are the runs that every writer is tested on.
func samples() map[string]Input {
	return map[string]Input{"good": goodRun(), "failing": failingRun(), "lost": lostRun(), "hostile": hostileRun(), "contested": contestedRun(), "big": bigRun(4, 60), "nothing": {}}
}

func mustJSON(t *testing.T, v any) string {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestBuildIsPure(t *testing.T) {
	for name, in := range samples() {
		before := mustJSON(t, in)
		a := Build(in)
		if mustJSON(t, in) != before {
			t.Errorf("%s: Build changed its input", name)
		}
		for _, f := range Formats() {
			for _, file := range f.Files(a) {
				if err := file.Write(discard{}); err != nil && name != "nothing" {
					t.Errorf("%s: writing %s: %v", name, file.Path, err)
				}
			}
		}
		if mustJSON(t, in) != before {
			t.Errorf("%s: a writer changed the input", name)
		}
		if b := Build(in); !reflect.DeepEqual(a, b) {
			t.Errorf("%s: the same input gives two reports, or a writer changed the report", name)
		}
	}
}

type discard struct{}

func (discard) Write(p []byte) (int, error) { return len(p), nil }

func TestBuildIgnoresTheOrderOfTheSlice(t *testing.T) {
	in := failingRun()
	want := Build(in)
	in.Events = append(in.Events, in.Events[3], in.Events[40]) // read twice
	rand.New(rand.NewPCG(1, 2)).Shuffle(len(in.Events), func(i, j int) { in.Events[i], in.Events[j] = in.Events[j], in.Events[i] })
	if got := Build(in); !reflect.DeepEqual(got, want) {
		t.Error("a shuffled journal gives another report; its numbers are the order")
	}
}

func TestGoodRun(t *testing.T) {
	r := Build(goodRun())
	if len(r.Alerts) > 0 {
		t.Errorf("alerts on a good run: %q", r.Alerts)
	}
	if want := (Counts{Expected: 49, Passed: 49, Flaky: 1}); r.Counts != want {
		t.Errorf("counts %+v, want %+v", r.Counts, want)
	}
	if want := "49 of 49 expected cases passed in 1 cell, 1 of them passed only after a failed attempt."; r.Headline != want {
		t.Errorf("headline %q, want %q", r.Headline, want)
	}
	for _, s := range r.Cells[0].Steps {
		if s.Outcome != result.Pass {
			t.Errorf("step %q is %v in a good run: %s", s.Name, s.Outcome, s.Message())
		}
	}
	flaky := r.Cells[0].Suites[1].Cases[0]
	if !flaky.Flaky || len(flaky.Attempts) != 2 || flaky.Attempts[0].Message == "" {
		t.Errorf("the attempt that failed is lost: %+v", flaky)
	}
	if len(r.Notes) != 1 || !strings.Contains(r.Notes[0].Text, "cgroup v1") {
		t.Errorf("the warning did not travel with the answer: %+v", r.Notes)
	}
}

func TestFailingRun(t *testing.T) {
	r := Build(failingRun())
	if len(r.Alerts) > 0 {
		t.Errorf("alerts: %q", r.Alerts)
	}
	if r.Cells[0].Verdict != result.NotQualified || r.Cells[2].Verdict != result.Qualified {
		t.Errorf("cells are not red first: %v, %v, %v", r.Cells[0].Verdict, r.Cells[1].Verdict, r.Cells[2].Verdict)
	}
	broken, _ := r.Cell("ubuntu-24-04-v1-34-4-kind")
	if want := (Counts{Expected: 37, NotRun: 37}); broken.Counts != want {
		t.Errorf("counts of the broken cell %+v, want %+v", broken.Counts, want)
	}
	wantSteps(t, broken, map[string]result.Outcome{
		"provision": result.Fail, "phase node image": result.Pass, "phase up": result.Fail, "identity before the suites": result.NotRun,
		"suite smoke ran to its end": result.NotRun, "clean up": result.Pass, "verdict": result.Fail,
	})
	bad, _ := r.Cell("debian-12-v1-34-4-kind")
	if want := (Counts{Expected: 37, Passed: 31, Failed: 2, Errored: 1, Skipped: 1, NotRun: 2, Unexpected: 1}); bad.Counts != want {
		t.Errorf("counts of the bad cell %+v, want %+v", bad.Counts, want)
	}
	wantSteps(t, bad, map[string]result.Outcome{
		"provision": result.Pass, "suite smoke ran to its end": result.Pass, "suite conformance ran to its end": result.Error, "verdict": result.Fail,
	})
}

func wantSteps(t *testing.T, c Cell, want map[string]result.Outcome) {
	t.Helper()
	got := map[string]result.Outcome{}
	for _, s := range c.Steps {
		got[s.Name] = s.Outcome
	}
	for name, o := range want {
		if g, ok := got[name]; !ok || g != o {
			t.Errorf("cell %s: step %q is %v (there: %v), want %v", c.ID, name, g, ok, o)
		}
	}
}

func TestLostRun(t *testing.T) {
	r := Build(lostRun())
	c := r.Cells[0]
	wantSteps(t, c, map[string]result.Outcome{
		"provision": result.Pass, "phase up": result.Pass, "phase suites": result.Error,
		"identity before the suites": result.Error, "identity after the suites": result.NotRun,
		"suite smoke ran to its end": result.NotRun, "clean up": result.Error, "verdict": result.Error,
	})
	if !c.Faults[0].Retried || c.Faults[1].Retried || !c.Faults[0].Early || c.Faults[1].Early {
		t.Errorf("faults are not told apart: %+v", c.Faults)
	}
	if len(r.Leftovers) != 1 || r.Leftovers[0] != "container q-second-worker-1" {
		t.Errorf("leftovers %q", r.Leftovers)
	}
	if p := c.Phases[len(c.Phases)-1]; p.Name != "suites" || p.Ended {
		t.Errorf("the phase that never ended reads %+v", p)
	}
	if r.Ending != "interrupted: SIGINT" {
		t.Errorf("ending %q", r.Ending)
	}
}

func TestProductFaultIsNotClearedByALaterTry(t *testing.T) {
	in := lostRun()
	for i := range in.Events {
		if e := &in.Events[i]; e.Kind == result.InfraFault && e.Phase == "" && i < 6 {
			e.Kind = result.ProductFault
		}
	}
	wantSteps(t, Build(in).Cells[0], map[string]result.Outcome{"provision": result.Fail, "phase up": result.Fail})
}

func TestSettle(t *testing.T) {
	att := func(lease, number int, o result.Outcome) Attempt {
		return Attempt{Lease: lease, Session: lease, Number: number, Outcome: o}
	}
	for name, tc := range map[string]struct {
		attempts []Attempt
		want     result.Outcome
		flaky    bool
	}{
		"none":                       {nil, result.NotRun, false},
		"pass":                       {[]Attempt{att(1, 1, result.Pass)}, result.Pass, false},
		"fail then pass":             {[]Attempt{att(1, 1, result.Fail), att(1, 2, result.Pass)}, result.Pass, true},
		"error then pass":            {[]Attempt{att(1, 1, result.Error), att(1, 2, result.Pass)}, result.Pass, true},
		"pass then fail":             {[]Attempt{att(1, 1, result.Pass), att(1, 2, result.Fail)}, result.Fail, false},
		"fail then error":            {[]Attempt{att(1, 1, result.Fail), att(1, 2, result.Error)}, result.Fail, false},
		"fail then skip":             {[]Attempt{att(1, 1, result.Fail), att(1, 2, result.Skip)}, result.Fail, false},
		"out of order":               {[]Attempt{att(1, 2, result.Pass), att(1, 1, result.Fail)}, result.Pass, true},
		"one attempt, two outcomes":  {[]Attempt{att(1, 1, result.Fail), att(1, 1, result.Pass)}, result.Error, false},
		"passed on the first lease":  {[]Attempt{att(0, 1, result.Pass)}, result.NotRun, false},
		"failed on the first lease":  {[]Attempt{att(0, 1, result.Fail)}, result.Fail, false},
		"failed first, passed later": {[]Attempt{att(0, 1, result.Fail), att(1, 1, result.Pass)}, result.Pass, true},
	} {
		if c := settle(tc.attempts, 1); c.Outcome != tc.want || c.Flaky != tc.flaky {
			t.Errorf("%s: %v flaky=%v, want %v flaky=%v", name, c.Outcome, c.Flaky, tc.want, tc.flaky)
		}
	}
}

func TestSuiteStopsCountingOnANewLease(t *testing.T) {
	pc := planCell("debian-12", result.PlanSuite{Name: "smoke", Expected: []string{"a", "b"}})
	tp := newTape()
	tp.cell = pc.ID
	tp.add(result.Event{Kind: result.LeaseOpened, Lease: &result.Lease{Name: "one"}})
	tp.suite("smoke", "", func() { tp.pass("smoke", "a", "b") })
	tp.add(result.Event{Kind: result.LeaseClosed})
	tp.add(result.Event{Kind: result.LeaseOpened, Lease: &result.Lease{Name: "two"}})
	in := sampleInput(result.Plan{Hash: sampleHash, Release: sampleRelease, Cells: []result.PlanCell{pc}}, tp)
	c := Build(in).Cells[0]
	if c.Suites[0].Ended || c.Counts.NotRun != 2 || c.Counts.Passed != 0 {
		t.Errorf("evidence from resources that were given up counts: %+v", c.Suites[0])
	}
	if want := "everything of lease two, which was never closed"; len(c.Leftovers) != 1 || c.Leftovers[0] != want {
		t.Errorf("leftovers %q, want %q", c.Leftovers, want)
	}
}

// TestAlerts breaks the agreement of verdict and evidence, one way at a time.
func TestAlerts(t *testing.T) {
	drop := func(in *Input, kind result.Kind) {
		var kept []result.Event
		for _, e := range in.Events {
			if e.Kind != kind {
				kept = append(kept, e)
			}
		}
		in.Events = kept
	}
	add := func(in *Input, e result.Event) {
		e.Seq, e.Cell = len(in.Events)+1, in.Plan.Cells[0].ID
		in.Events = append(in.Events, e)
	}
	for want, breakIt := range map[string]func(in *Input){
		"not run in suite":               func(in *Input) { drop(in, result.CaseEnded) },
		"no case that passed":            func(in *Input) { drop(in, result.CaseEnded) },
		"no comparison of what ran":      func(in *Input) { drop(in, result.IdentityMatch) },
		"no evidence that the run ended": func(in *Input) { drop(in, result.RunEnded) },
		"suite smoke not run to its end": func(in *Input) { drop(in, result.SuiteEnded) },
		"1 parts that are not the release's": func(in *Input) {
			add(in, result.Event{Kind: result.IdentityMatch, Checked: []string{"a"}, Mismatched: []string{"a"}})
		},
		"a fault of the release: boom":       func(in *Input) { add(in, result.Event{Kind: result.ProductFault, Text: "boom"}) },
		"a fault that nothing followed":      func(in *Input) { add(in, result.Event{Kind: result.InfraFault, Text: "boom"}) },
		"the plan does not hold this cell":   func(in *Input) { in.Plan.Cells = nil },
		"the verdict does not name this":     func(in *Input) { in.Document.Cells = nil },
		"is Inconclusive":                    func(in *Input) { in.Document.Cells[0].Verdict = result.Inconclusive },
		"was judged on 7 expected, 6 passed": func(in *Input) { in.Document.Cells[0].Suites[0].Passed = 6 },
		"suite smoke was not judged":         func(in *Input) { in.Document.Cells[0].Suites = in.Document.Cells[0].Suites[1:] },
		"the plan shown here is":             func(in *Input) { in.Document.Plan.Hash = "sha256:other" },
		"but the plan is about":              func(in *Input) { in.Plan.Release.Digest = "" },
		"but the exit code is 0":             func(in *Input) { in.Document.Verdict = result.NotQualified },
		"there is no cell":                   func(in *Input) { *in = Input{} },
		"1 failed in suite smoke":            func(in *Input) { failOne(in) },
	} {
		in := goodRun()
		breakIt(&in)
		if got := strings.Join(Build(in).Alerts, "\n"); !strings.Contains(got, want) {
			t.Errorf("no alert with %q, but:\n%s", want, got)
		}
	}
}

// failOne fails one case in journal and counts, but not in the verdicts.
func failOne(in *Input) {
	for i := range in.Events {
		if c := in.Events[i].Case; c != nil && in.Events[i].Suite == "smoke" {
			c.Outcome = result.Fail
			in.Document.Cells[0].Suites[0].Passed--
			in.Document.Cells[0].Suites[0].Failed++
			return
		}
	}
}

func TestWaivedFailureIsNoContradiction(t *testing.T) {
	in := goodRun()
	failOne(&in)
	in.Document.Notes = []result.Reason{{Code: result.ReasonCaseFailed, Cell: in.Plan.Cells[0].ID, Suite: "smoke", Text: "failed (does not decide: waiver)"}}
	r := Build(in)
	if len(r.Alerts) > 0 {
		t.Errorf("alerts on a waived failure: %q", r.Alerts)
	}
	if n := r.Cells[0].Notes; len(n) != 1 || n[0].Code != result.ReasonCaseFailed {
		t.Errorf("the waiver is not shown: %+v", n)
	}
}

func TestHeadlines(t *testing.T) {
	for name, tc := range map[string]struct {
		in   Input
		want string
	}{
		"failing": {failingRun(), "The release failed in 2 of 3 cells: \"[sig-network] Services should be able to switch session affinity for service with type clusterIP, variant 1 [Conformance]\" failed: timed out after 300.000s waiting for session affinity, and 10 more reasons."},
		"lost":    {lostRun(), "This run cannot say whether the release is good: infrastructure: the container engine does not answer any more, and 3 more reasons."},
		"nothing": {Input{}, "This run cannot say whether the release is good: no evidence of why."},
	} {
		if got := Build(tc.in).Headline; !strings.HasPrefix(got, tc.want) {
			t.Errorf("%s: headline %q, want %q", name, got, tc.want)
		}
	}
}

func TestReasonsOfFailedCellsComeFirst(t *testing.T) {
	in := failingRun()
	in.Document.Reasons = append([]result.Reason{{Code: result.ReasonInfrastructure, Cell: "rocky-9-v1-34-4-kind", Text: "elsewhere"}}, in.Document.Reasons...)
	r := Build(in)
	if last := r.Reasons[len(r.Reasons)-1]; last.Text != "elsewhere" {
		t.Errorf("the last reason is %+v", last)
	}
}

// TestRandomJournals feeds nonsense: whatever is recorded, in any order, no
// count may come out that its rows do not add up to.
func TestRandomJournals(t *testing.T) {
	kinds := []result.Kind{
		result.RunStarted, result.RunEnded, result.LeaseOpened, result.LeaseClosed, result.LeaseKept, result.Leftover, result.PhaseStarted, result.PhaseEnded,
		result.IdentityMatch, result.SuiteStarted, result.CaseEnded, result.CaseEnded, result.SuiteEnded, result.ProductFault, result.InfraFault, result.Note, "odd",
	}
	for seed := range uint64(300) {
		rnd := rand.New(rand.NewPCG(seed, 7))
		in := goodRun()
		in.Events = nil
		for i := range rnd.IntN(60) {
			e := result.Event{Seq: i + 1, Kind: kinds[rnd.IntN(len(kinds))], Text: "t", Phase: "p", Stage: "before", Seconds: rnd.Float64()}
			e.Cell = []string{"", in.Plan.Cells[0].ID, "other"}[rnd.IntN(3)]
			e.Suite = []string{"smoke", "conformance", "else"}[rnd.IntN(3)]
			if rnd.IntN(4) > 0 {
				e.Time = sampleStart.Add(time.Duration(rnd.IntN(1000)) * time.Second)
				e.Case = &result.Case{Name: fmt.Sprint("deployment rolls out", rnd.IntN(3)), Outcome: result.Outcome(rnd.IntN(6)), Attempt: rnd.IntN(3)}
				e.Lease = &result.Lease{Name: fmt.Sprint(rnd.IntN(2))}
			}
			in.Events = append(in.Events, e)
		}
		r := Build(in)
		for _, c := range r.Cells {
			if n := c.Counts; n.Passed+n.Failed+n.Errored+n.Skipped+n.NotRun != n.Expected {
				t.Fatalf("seed %d: counts do not add up: %+v", seed, n)
			}
			if v := c.Steps[len(c.Steps)-1]; v.Name != "verdict" || v.Outcome == result.Pass && c.Verdict != result.Qualified {
				t.Fatalf("seed %d: step %+v of a cell that is %v", seed, v, c.Verdict)
			}
		}
		if len(r.Alerts) == 0 {
			t.Fatalf("seed %d: a green verdict over a random journal raises no alert", seed)
		}
	}
}
