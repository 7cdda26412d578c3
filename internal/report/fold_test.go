package report

import (
	"bytes"
	"strings"
	"testing"

	"github.com/qualify-dev/qualify/internal/result"
)

// cellOf records a journal of one cell and returns what is shown of it.
func cellOf(t *testing.T, record func(tp *tape)) (Cell, Report) {
	t.Helper()
	pc := planCell("debian-12", result.PlanSuite{Name: "smoke", Expected: []string{"a"}})
	tp := newTape()
	tp.cell = pc.ID
	record(tp)
	r := Build(sampleInput(result.Plan{Hash: sampleHash, Release: sampleRelease, Cells: []result.PlanCell{pc}}, tp))
	if len(r.Cells) != 1 {
		t.Fatalf("%d cells", len(r.Cells))
	}
	return r.Cells[0], r
}

func TestLeases(t *testing.T) {
	lease := &result.Lease{Name: "l"}
	opened := result.Event{Kind: result.LeaseOpened, Lease: lease}
	for name, tc := range map[string]struct {
		events []result.Event
		want   string // leftovers
		step   result.Outcome
	}{
		"closed":            {[]result.Event{opened, {Kind: result.LeaseClosed, Lease: lease}}, "", result.Pass},
		"closed, nameless":  {[]result.Event{opened, {Kind: result.LeaseClosed}}, "", result.Pass},
		"never closed":      {[]result.Event{opened}, "everything of lease l, which was never closed", result.Error},
		"kept":              {[]result.Event{opened, {Kind: result.LeaseKept, Lease: lease}}, "", result.Skip},
		"left":              {[]result.Event{opened, {Kind: result.Leftover, Text: "a net"}}, "a net", result.Error},
		"left, then gone":   {[]result.Event{opened, {Kind: result.Leftover, Text: "a net"}, {Kind: result.LeaseClosed, Lease: lease}}, "", result.Pass},
		"kept, then gone":   {[]result.Event{opened, {Kind: result.LeaseKept}, {Kind: result.LeaseClosed}}, "", result.Pass},
		"kept, then used":   {[]result.Event{opened, {Kind: result.LeaseKept}, opened}, "everything of lease l, which was never closed", result.Error},
		"of no lease":       {[]result.Event{{Kind: result.Leftover, Text: "a net"}}, "a net", result.Error},
		"closed, but which": {[]result.Event{opened, {Kind: result.LeaseClosed, Lease: &result.Lease{Name: "other"}}}, "everything of lease l, which was never closed", result.Error},
	} {
		c, r := cellOf(t, func(tp *tape) {
			for _, e := range tc.events {
				tp.add(e)
			}
		})
		if got := strings.Join(r.Leftovers, ","); got != tc.want {
			t.Errorf("%s: leftovers %q, want %q", name, got, tc.want)
		}
		wantSteps(t, c, map[string]result.Outcome{"clean up": tc.step})
	}
}

func TestIdentityStepsAndRows(t *testing.T) {
	lease := func(tp *tape, name string) {
		tp.add(result.Event{Kind: result.LeaseOpened, Lease: &result.Lease{Name: name}})
	}
	c, r := cellOf(t, func(tp *tape) {
		lease(tp, "one")
		tp.identity(result.StageBefore, "kubelet")
		lease(tp, "two")
		tp.identity(result.StageBefore)
	})
	wantSteps(t, c, map[string]result.Outcome{"identity before the suites": result.Error, "identity after the suites": result.NotRun})
	var b bytes.Buffer
	if err := WriteHTML(&b, r); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"not counted: before the suites", "after the suites: no evidence"} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("the page lacks %q", want)
		}
	}
	c, _ = cellOf(t, func(tp *tape) {
		lease(tp, "one")
		tp.identity(result.StageBefore)
		lease(tp, "two")
	})
	wantSteps(t, c, map[string]result.Outcome{"identity before the suites": result.NotRun})
	if got := checks(c); !got[0].Old || !got[1].Missing {
		t.Errorf("a comparison with resources that were given up counts: %+v", got)
	}
}

func TestResumedRunHasNotEnded(t *testing.T) {
	_, r := cellOf(t, func(tp *tape) {
		tp.cell = ""
		tp.add(result.Event{Kind: result.RunEnded, Text: result.RunComplete})
		tp.add(result.Event{Kind: result.RunStarted})
	})
	if r.Ending != "" {
		t.Errorf("the run that was resumed ended: %q", r.Ending)
	}
}

func TestPhasesWithoutAStart(t *testing.T) {
	c, _ := cellOf(t, func(tp *tape) {
		tp.add(result.Event{Kind: result.PhaseEnded, Phase: "up", Seconds: 3})
		tp.add(result.Event{Kind: result.PhaseStarted, Phase: "up"})
		tp.add(result.Event{Kind: result.LeaseOpened, Lease: &result.Lease{Name: "another try"}})
		tp.add(result.Event{Kind: result.PhaseEnded, Phase: "up", Seconds: 4})
	})
	if len(c.Phases) != 3 || !c.Phases[0].Ended || c.Phases[1].Ended || c.Phases[2].Seconds != 4 {
		t.Errorf("phases %+v", c.Phases)
	}
}

func TestNotesOfNowhere(t *testing.T) {
	in := goodRun()
	long := strings.Repeat("a long warning ", 60)
	in.Events = append(in.Events, result.Event{Seq: len(in.Events) + 1, Kind: result.Note, Text: long})
	in.Document.Notes = append(in.Document.Notes,
		result.Reason{Code: result.NoteWarning, Cell: "nobody knows it", Text: "lost"},
		result.Reason{Code: result.NoteWarning, Text: long[:600] + "…"})
	r := Build(in)
	if n := len(r.Notes); n != 3 {
		t.Errorf("%d notes on the run; one is about a cell that is not there, one was cut by the judge: %+v", n, r.Notes)
	}
}

func TestAFlakesNoteExcusesNoFailure(t *testing.T) {
	in := contestedRun()
	for i := range in.Document.Notes {
		in.Document.Notes[i].Suite = "smoke"
	}
	if !Build(in).Contested() {
		t.Error("a note about something else excuses a failure")
	}
}

func TestCellsAreFoundByTheirRecordedName(t *testing.T) {
	in := hostileRun()
	if err := WriteJUnit(&bytes.Buffer{}, Build(in), in.Plan.Cells[0].ID); err != nil {
		t.Error(err)
	}
}

func TestUnexpectedAndManyNotRun(t *testing.T) {
	p := pageOf(t, failingRun())
	if !strings.Contains(p, "1 unexpected: not in the plan, counted nowhere") || !strings.Contains(p, `<details class="group g-notRun" open>`) {
		t.Error("the case that nobody planned, or a short list of what did not run, is hidden")
	}
	big := bigRun(1, 100)
	big.Events = nil
	if p := pageOf(t, big); !strings.Contains(p, `<details class="group g-notRun"><summary>`) {
		t.Error("100 names of cases that did not run lie open")
	}
}
