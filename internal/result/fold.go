package result

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"time"
)

// clockTolerance is how far the clock may step back between two events, as
// time synchronisation makes it do, before durations and expiry dates of the
// run can no longer be believed.
const clockTolerance = 2 * time.Minute

// Fold sorts events into evidence. It is pure, and indifferent to the order of
// the slice and to events given twice: the journal's numbering is the order.
// Events without numbers never went through a journal and are no evidence.
func Fold(events []Event) Evidence {
	f := folder{cells: map[string]*cellFolder{}, begun: map[phase]time.Time{}}
	for _, e := range f.inOrder(events) {
		f.take(e)
	}
	return f.evidence()
}

type folder struct {
	ev     Evidence
	cells  map[string]*cellFolder
	open   bool                // between a run-started and its run-ended
	latest time.Time           // of the events so far
	begun  map[phase]time.Time // the phases that this process is in
}

// phase tells the phases of cells that are worked on side by side apart.
type phase struct{ cell, name string }

// inOrder sorts by number, drops repetitions and reports gaps.
func (f *folder) inOrder(events []Event) []Event {
	sorted := slices.Clone(events)
	slices.SortStableFunc(sorted, func(a, b Event) int {
		if c := cmp.Compare(a.Seq, b.Seq); c != 0 {
			return c
		}
		return bytes.Compare(content(a), content(b))
	})
	kept := sorted[:0]
	for _, e := range sorted {
		n := len(kept)
		if n > 0 && kept[n-1].Seq == e.Seq {
			if !bytes.Equal(content(kept[n-1]), content(e)) {
				f.anomaly(ReasonJournalDamaged, "", "two different events have the same number")
			}
			continue
		}
		kept = append(kept, e)
	}
	for i, e := range kept {
		if e.Seq != i+1 {
			f.anomaly(ReasonJournalDamaged, "", "events are missing: their numbers have gaps or do not begin at 1")
			break
		}
	}
	return kept
}

// content tells two events with the same number apart. The error cannot occur
// for what a journal holds, and equal garbage is still a repetition.
func content(e Event) []byte {
	text, err := json.Marshal(e)
	if err != nil {
		return fmt.Appendf(nil, "%+v", e)
	}
	return text
}

func (f *folder) anomaly(code, cell, text string) {
	a := Anomaly{Code: code, Cell: cell, Text: text}
	if !slices.Contains(f.ev.Anomalies, a) {
		f.ev.Anomalies = append(f.ev.Anomalies, a)
	}
}

func (f *folder) take(e Event) {
	f.checkClock(e)
	f.checkPhase(e)
	if err := wellFormed(e); err != nil {
		f.anomaly(ReasonJournalDamaged, e.Cell, err.Error())
		return
	}
	if e.Cell == "" {
		f.takeRun(e)
		return
	}
	c := f.cells[e.Cell]
	if c == nil {
		c = &cellFolder{ev: CellEvidence{ID: e.Cell}, suites: map[string]*suiteFolder{}}
		f.cells[e.Cell] = c
	}
	f.checkPlace(e, c)
	c.take(e, len(f.ev.Starts))
}

// checkClock compares with the latest time so far rather than with the event
// before, so that many small steps back count like a large one.
func (f *folder) checkClock(e Event) {
	if e.Time.Before(f.latest.Add(-clockTolerance)) {
		f.anomaly(ReasonClockJumped, "", fmt.Sprintf("the clock went back by %s to %s",
			f.latest.Sub(e.Time).Round(time.Second), e.Time.UTC().Format(time.RFC3339)))
		f.latest = e.Time // one jump is told once
	}
	if e.Time.After(f.latest) {
		f.latest = e.Time
	}
}

// checkPhase compares how long a phase took by the time of its events with how
// long it took by its own count, which a clock that is set does not change: so
// steps forward are seen, and steps back that later events hide.
func (f *folder) checkPhase(e Event) {
	id := phase{e.Cell, e.Phase}
	switch e.Kind {
	case RunStarted:
		clear(f.begun)
	case PhaseStarted:
		f.begun[id] = e.Time
	case PhaseEnded:
		start, known := f.begun[id]
		delete(f.begun, id)
		counted := time.Duration(e.Seconds * float64(time.Second))
		if jump := e.Time.Sub(start) - counted; known && jump.Abs() > clockTolerance {
			f.anomaly(ReasonClockJumped, "", fmt.Sprintf("the clock jumped by %s in phase %s, which took %s",
				jump.Round(time.Second), e.Phase, counted.Round(time.Second)))
		}
	}
}

// checkPlace finds evidence that cannot be about this run or this cluster.
func (f *folder) checkPlace(e Event, c *cellFolder) {
	if l := e.Lease; l != nil {
		says := func(name string) bool { return name != "" || e.Kind == LeaseOpened } // a claim says for whom
		if n := len(f.ev.Starts); says(l.Run) && (n == 0 || f.ev.Starts[n-1].Run != l.Run) {
			f.anomaly(ReasonRunMismatch, e.Cell, fmt.Sprintf("lease %q belongs to run %q", l.Name, l.Run))
		}
		if says(l.Cell) && l.Cell != e.Cell {
			f.anomaly(ReasonRunMismatch, e.Cell, fmt.Sprintf("lease %q belongs to cell %q", l.Name, l.Cell))
		}
	}
	switch e.Kind {
	case IdentityMatch, SuiteStarted, CaseEnded, SuiteEnded:
	default:
		return
	}
	if !f.open {
		f.anomaly(ReasonJournalDamaged, e.Cell, "results were recorded before the run started or after it ended")
	}
	if l := c.lease(); l != nil && l.State == LeaseClosed {
		f.anomaly(ReasonJournalDamaged, e.Cell, "results were recorded after the cell's resources were gone")
	}
}

func (f *folder) takeRun(e Event) {
	switch e.Kind {
	case RunStarted:
		f.ev.Starts = append(f.ev.Starts, RunStart{Run: e.Text, Plan: e.Plan, Release: e.Release, Time: e.Time})
		f.open, f.ev.Ended, f.ev.End = true, false, ""
	case RunEnded:
		if !f.open {
			f.anomaly(ReasonJournalDamaged, "", "the run ended without having started")
		}
		f.open, f.ev.Ended, f.ev.End = false, true, e.Text
	case InfraFault:
		f.ev.Faults = append(f.ev.Faults, Fault{Lease: len(f.ev.Starts), Text: e.Text, Log: e.Log})
	case PhaseStarted, PhaseEnded:
		f.ev.Phases = addPhase(f.ev.Phases, e)
	case Leftover:
		f.ev.Leftovers = append(f.ev.Leftovers, e.Text)
	case Note:
		f.ev.Notes = append(f.ev.Notes, e.Text)
	}
}

func (f *folder) evidence() Evidence {
	for _, id := range slices.Sorted(maps.Keys(f.cells)) {
		f.ev.Cells = append(f.ev.Cells, f.cells[id].evidence())
	}
	slices.SortFunc(f.ev.Anomalies, func(a, b Anomaly) int {
		return cmp.Or(cmp.Compare(a.Code, b.Code), cmp.Compare(a.Cell, b.Cell), cmp.Compare(a.Text, b.Text))
	})
	return f.ev
}

type cellFolder struct {
	ev     CellEvidence
	suites map[string]*suiteFolder
	at     int // events so far
}

// lease is the lease that is current, nil before the first.
func (c *cellFolder) lease() *LeaseState {
	if n := len(c.ev.Leases); n > 0 {
		return &c.ev.Leases[n-1]
	}
	return nil
}

func (c *cellFolder) take(e Event, process int) {
	c.at++
	switch e.Kind {
	case LeaseOpened, LeaseClosed, LeaseKept, Leftover:
		c.takeLease(e)
	case PhaseStarted, PhaseEnded:
		c.ev.Phases = addPhase(c.ev.Phases, e)
	case IdentityMatch:
		c.ev.Identity = append(c.ev.Identity, Comparison{
			Lease: len(c.ev.Leases), At: c.at, Stage: e.Stage, Release: e.Release,
			Checked: e.Checked, Mismatched: e.Mismatched, Unproven: e.Unproven,
		})
	case SuiteStarted, CaseEnded, SuiteEnded:
		s := c.suites[e.Suite]
		if s == nil {
			s = &suiteFolder{ev: SuiteEvidence{Name: e.Suite}, cases: map[string]*CaseEvidence{}}
			c.suites[e.Suite] = s
		}
		s.take(e, Session{Lease: len(c.ev.Leases), Process: process, First: c.at, Last: c.at})
	case ProductFault, InfraFault:
		c.ev.Faults = append(c.ev.Faults, Fault{
			Lease: len(c.ev.Leases), Product: e.Kind == ProductFault, Suite: e.Suite, Text: e.Text, Log: e.Log,
		})
	case Note:
		c.ev.Notes = append(c.ev.Notes, e.Text)
	}
}

func (c *cellFolder) takeLease(e Event) {
	current := c.lease()
	if e.Kind == LeaseOpened {
		// A lease opened again under its name is one that a resume adopted.
		if current == nil || current.State == LeaseClosed || current.Name != e.Lease.Name {
			c.ev.Leases = append(c.ev.Leases, LeaseState{Name: e.Lease.Name, State: LeaseOpened, Claim: *e.Lease})
		} else {
			current.State, current.Claim = LeaseOpened, *e.Lease
		}
		return
	}
	switch {
	case e.Lease != nil:
		current = c.named(e.Lease.Name)
	case e.Kind != Leftover && e.Text != "":
		current = c.named(e.Text) // of another lease nothing is proven
	}
	switch {
	case current == nil && e.Kind == Leftover:
		c.ev.Leftovers = append(c.ev.Leftovers, e.Text)
	case current == nil:
	case e.Kind == Leftover:
		current.Leftovers = append(current.Leftovers, e.Text)
	case e.Kind == LeaseClosed:
		current.State, current.Leftovers = LeaseClosed, nil
	default:
		current.State = e.Kind
	}
}

// named finds the latest lease of a name.
func (c *cellFolder) named(name string) *LeaseState {
	for i := len(c.ev.Leases) - 1; i >= 0; i-- {
		if c.ev.Leases[i].Name == name {
			return &c.ev.Leases[i]
		}
	}
	return nil
}

func (c *cellFolder) evidence() CellEvidence {
	for _, name := range slices.Sorted(maps.Keys(c.suites)) {
		c.ev.Suites = append(c.ev.Suites, c.suites[name].evidence())
	}
	return c.ev
}

type suiteFolder struct {
	ev    SuiteEvidence
	cases map[string]*CaseEvidence
}

// take sorts an event in; here is where a session that begins with it would be.
func (s *suiteFolder) take(e Event, here Session) {
	if e.Kind == SuiteStarted {
		s.ev.Sessions = append(s.ev.Sessions, here)
		return
	}
	n := len(s.ev.Sessions)
	if n == 0 || s.ev.Sessions[n-1].Ended || s.ev.Sessions[n-1].Lease != here.Lease {
		s.ev.Stray++
	} else {
		session := &s.ev.Sessions[n-1]
		session.Last = here.Last
		if e.Kind == SuiteEnded {
			session.Ended, session.Text, session.Seconds = true, e.Text, e.Seconds
		}
	}
	if e.Kind == CaseEnded {
		c := s.cases[e.Case.Name]
		if c == nil {
			c = &CaseEvidence{Name: e.Case.Name}
			s.cases[e.Case.Name] = c
		}
		c.Attempts = append(c.Attempts, Attempt{Lease: here.Lease, Session: n, Case: *e.Case})
	}
}

func (s *suiteFolder) evidence() SuiteEvidence {
	for _, name := range slices.Sorted(maps.Keys(s.cases)) {
		c := *s.cases[name]
		slices.SortStableFunc(c.Attempts, func(a, b Attempt) int {
			return cmp.Or(cmp.Compare(a.Lease, b.Lease), cmp.Compare(a.Session, b.Session),
				cmp.Compare(a.Case.Attempt, b.Case.Attempt))
		})
		s.ev.Cases = append(s.ev.Cases, c)
	}
	return s.ev
}

// addPhase lists a phase when it starts and fills in its time when it ends, so
// that a phase that never ended is seen too, with no time.
func addPhase(phases []Phase, e Event) []Phase {
	if e.Kind == PhaseStarted {
		return append(phases, Phase{Name: e.Phase})
	}
	for i := len(phases) - 1; i >= 0; i-- {
		if phases[i].Name == e.Phase && phases[i].Seconds == 0 {
			phases[i].Seconds = e.Seconds
			return phases
		}
	}
	return append(phases, Phase{Name: e.Phase, Seconds: e.Seconds})
}
