package report

import (
	"cmp"
	"slices"
	"time"

	"github.com/qualify-dev/qualify/internal/result"
)

// folding gathers a journal into cells, one event after the other. It reads a
// journal as the judge does: what counts there counts here.
type folding struct {
	cells  map[string]*cellFold
	order  []string  // ids as they were first named: plan, document, journal
	run    *cellFold // what belongs to no cell
	ending string
	odd    []string // events that have no place
}

// cellFold is a cell while its events are gathered.
type cellFold struct {
	cell        Cell
	first, last time.Time
	leased, up  time.Time // when the last lease was opened, and the first evidence of a cluster after it
	isUp        bool
	open        []int // phases that have not ended, by index
	notes       []string
	suite       string
	suites      map[string]*suiteFold
	suiteOrder  []string
}

// suiteFold is a suite while its events are gathered. Names are kept as they
// were recorded, so that two that look the same when cleaned stay two.
type suiteFold struct {
	suite    Suite
	sessions int
	planned  result.PlanSuite
	seen     []string
	attempts map[string][]Attempt
}

func newFolding() *folding {
	return &folding{cells: map[string]*cellFold{}, run: newCellFold("")}
}

func newCellFold(id string) *cellFold {
	return &cellFold{cell: Cell{ID: Clean(id), Unplanned: true}, suites: map[string]*suiteFold{}}
}

func (f *folding) cellOf(id string) *cellFold {
	c := f.cells[id]
	if c == nil {
		c = newCellFold(id)
		f.cells[id] = c
		f.order = append(f.order, id)
	}
	return c
}

func (c *cellFold) suiteOf(name string) *suiteFold {
	s := c.suites[name]
	if s == nil {
		s = &suiteFold{suite: Suite{Name: Clean(name), Unplanned: true}, attempts: map[string][]Attempt{}}
		c.suites[name] = s
		c.suiteOrder = append(c.suiteOrder, name)
	}
	return s
}

// plan notes what had to be there.
func (f *folding) plan(p result.Plan) {
	for _, pc := range p.Cells {
		c := f.cellOf(pc.ID)
		c.cell.Unplanned = false
		c.cell.Release = cleanRelease(pc.Release)
		c.cell.Values = valuePairs(pc.Values)
		for _, ps := range pc.Suites {
			s := c.suiteOf(ps.Name)
			s.suite.Unplanned = false
			ps.Expected = slices.Concat(s.planned.Expected, ps.Expected)
			s.planned = ps
		}
	}
}

// document notes what was judged.
func (f *folding) document(d result.Document) {
	for _, dc := range d.Cells {
		c := f.cellOf(dc.ID)
		c.cell.hasVerdict = true
		c.cell.Verdict = dc.Verdict
		c.cell.Reasons = cleanReasons(dc.Reasons)
		if len(c.cell.Values) == 0 {
			c.cell.Values = valuePairs(dc.Values)
		}
		for _, ds := range dc.Suites {
			c.suiteOf(ds.Name)
		}
	}
}

// events notes what happened, in the order of the journal's numbers.
func (f *folding) events(events []result.Event) {
	sorted := slices.Clone(events)
	slices.SortStableFunc(sorted, func(a, b result.Event) int { return cmp.Compare(a.Seq, b.Seq) })
	for i, e := range sorted {
		if i > 0 && e.Seq > 0 && e.Seq == sorted[i-1].Seq {
			continue // read twice; the judge looks at whether it is the same
		}
		f.event(e)
	}
}

func (f *folding) event(e result.Event) {
	switch {
	case e.Kind == result.RunStarted:
		f.ending = "" // a resumed run has not ended yet
	case e.Kind == result.RunEnded:
		f.ending = cmp.Or(Clean(e.Text), "ended, without saying how")
	case e.Cell == "":
		f.place(f.run, e)
	default:
		f.place(f.cellOf(e.Cell), e)
	}
}

func (f *folding) place(c *cellFold, e result.Event) {
	c.seen(e.Time)
	switch e.Kind {
	case result.LeaseOpened, result.LeaseClosed, result.LeaseKept, result.Leftover:
		c.leaseEvent(e)
	case result.PhaseStarted, result.PhaseEnded:
		c.phaseEvent(e)
	case result.SuiteStarted, result.CaseEnded, result.SuiteEnded:
		c.markUp(e.Time)
		c.suiteEvent(e)
	case result.IdentityMatch:
		c.markUp(e.Time)
		c.cell.Identity = append(c.cell.Identity, Comparison{
			Lease: len(c.cell.Leases), Stage: Clean(e.Stage), Checked: cleanAll(e.Checked), Mismatched: cleanAll(e.Mismatched),
		})
	case result.ProductFault, result.InfraFault:
		c.cell.Faults = append(c.cell.Faults, c.fault(e))
	case result.Note:
		c.notes = append(c.notes, Clean(e.Text))
	default:
		f.odd = append(f.odd, Clean("the journal holds an event that this page cannot place: "+string(e.Kind)+" "+e.Cell+" "+e.Text))
	}
}

func (c *cellFold) seen(t time.Time) {
	if t.IsZero() {
		return
	}
	if c.first.IsZero() || t.Before(c.first) {
		c.first = t
	}
	if t.After(c.last) {
		c.last = t
	}
}

func (c *cellFold) markUp(t time.Time) {
	if !c.isUp {
		c.isUp, c.up = true, t
	}
}

func (c *cellFold) leaseEvent(e result.Event) {
	name := "unnamed"
	if e.Lease != nil {
		name = Clean(e.Lease.Name)
	}
	if e.Kind == result.LeaseOpened {
		c.openLease(name, e.Time)
		return
	}
	l := c.lease(name, e.Lease != nil)
	switch {
	case l == nil && e.Kind == result.Leftover:
		c.cell.Leftovers = append(c.cell.Leftovers, Clean(e.Text))
	case l == nil:
	case e.Kind == result.Leftover:
		l.Leftovers = append(l.Leftovers, Clean(e.Text))
	case e.Kind == result.LeaseClosed:
		l.Closed, l.Kept, l.Leftovers = true, false, nil
	default:
		l.Kept = true
	}
}

// openLease begins another try, unless a resume adopts the lease that is open.
func (c *cellFold) openLease(name string, at time.Time) {
	if n := len(c.cell.Leases); n > 0 && !c.cell.Leases[n-1].Closed && c.cell.Leases[n-1].Name == name {
		c.cell.Leases[n-1].Kept = false
		return
	}
	c.cell.Leases = append(c.cell.Leases, Lease{Name: name})
	for i := range c.cell.Faults {
		c.cell.Faults[i].Retried = true
	}
	for _, s := range c.suites {
		s.suite.Started, s.suite.Ended, s.suite.EndText = false, false, ""
	}
	c.leased, c.isUp, c.open, c.suite = at, false, nil, ""
}

// lease finds the lease that an event is about: by name where the event has
// one, else the last.
func (c *cellFold) lease(name string, named bool) *Lease {
	for i := len(c.cell.Leases) - 1; i >= 0; i-- {
		if !named || c.cell.Leases[i].Name == name {
			return &c.cell.Leases[i]
		}
	}
	return nil
}

func (c *cellFold) phaseEvent(e result.Event) {
	name := Clean(e.Phase)
	at := max(0, e.Time.Sub(c.first).Seconds())
	if e.Kind == result.PhaseStarted {
		c.open = append(c.open, len(c.cell.Phases))
		c.cell.Phases = append(c.cell.Phases, Phase{Name: name, Start: at})
		return
	}
	for i := len(c.open) - 1; i >= 0; i-- {
		if p := &c.cell.Phases[c.open[i]]; p.Name == name {
			p.Seconds, p.Ended = e.Seconds, true
			c.open = slices.Delete(c.open, i, i+1)
			return
		}
	}
	c.cell.Phases = append(c.cell.Phases, Phase{Name: name, Start: max(0, at-e.Seconds), Seconds: e.Seconds, Ended: true})
}

// fault places a fault: in the phase and suite it names, else in those that
// were open.
func (c *cellFold) fault(e result.Event) Fault {
	f := Fault{Product: e.Kind == result.ProductFault, Early: !c.isUp, Phase: Clean(e.Phase), Suite: Clean(e.Suite), Text: Clean(e.Text), Log: Clean(e.Log)}
	if f.Phase == "" && len(c.open) > 0 {
		f.Phase = c.cell.Phases[c.open[len(c.open)-1]].Name
	}
	if f.Suite == "" {
		f.Suite = Clean(c.suite)
	}
	return f
}

func (c *cellFold) suiteEvent(e result.Event) {
	s := c.suiteOf(e.Suite)
	switch e.Kind {
	case result.SuiteStarted:
		s.sessions++
		s.suite.Started, s.suite.Ended, s.suite.EndText = true, false, ""
		c.suite = e.Suite
	case result.SuiteEnded:
		s.suite.Ended, s.suite.EndText = true, Clean(e.Text)
		if !s.suite.Started {
			s.suite.EndText = "its end was recorded, but not its start"
		}
		c.suite = ""
	case result.CaseEnded:
		if e.Case != nil {
			s.attempt(*e.Case, len(c.cell.Leases))
		}
	}
}

func (s *suiteFold) attempt(c result.Case, lease int) {
	if _, ok := s.attempts[c.Name]; !ok {
		s.seen = append(s.seen, c.Name)
	}
	s.attempts[c.Name] = append(s.attempts[c.Name], Attempt{
		Lease: lease, Session: s.sessions, Number: c.Attempt,
		Outcome: c.Outcome, Seconds: c.Seconds, Message: Clean(c.Message), Log: Clean(c.Log),
	})
}

// done turns the gathered suite into rows: every expected case, seen or not,
// then what nobody expected.
func (s *suiteFold) done(lease int) Suite {
	listed := make(map[string]bool, len(s.planned.Expected))
	add := func(name string, unexpected bool) {
		if listed[name] {
			return
		}
		listed[name] = true
		c := settle(s.attempts[name], lease)
		c.Name, c.Unexpected = Clean(name), unexpected
		s.suite.Cases = append(s.suite.Cases, c)
		s.suite.Counts.count(c)
	}
	for _, name := range s.planned.Wanted(s.seen) {
		add(name, false)
	}
	for _, name := range s.seen {
		add(name, true)
	}
	return s.suite
}

// done turns the gathered cell into what is shown of it.
func (c *cellFold) done() Cell {
	for _, name := range c.suiteOrder {
		s := c.suites[name].done(len(c.cell.Leases))
		c.cell.Counts = c.cell.Counts.plus(s.Counts)
		c.cell.Suites = append(c.cell.Suites, s)
	}
	for _, l := range c.cell.Leases {
		c.cell.Leftovers = append(c.cell.Leftovers, l.left()...)
	}
	c.cell.HasTime = !c.first.IsZero()
	c.cell.Seconds = c.last.Sub(c.first).Seconds()
	c.cell.Steps = c.steps()
	return c.cell
}

// left lists what of a lease is not proven gone and nobody asked to keep.
func (l Lease) left() []string {
	if !l.Closed && !l.Kept && len(l.Leftovers) == 0 {
		return []string{"everything of lease " + l.Name + ", which was never closed"}
	}
	return l.Leftovers
}
