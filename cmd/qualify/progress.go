package main

import (
	"fmt"
	"strings"
	"time"

	"github.com/qualify-dev/qualify/internal/release/source"
	"github.com/qualify-dev/qualify/internal/result"
	"github.com/qualify-dev/qualify/internal/run"
)

// What a screen is told, beside source.Step and result.Event.
type (
	// remark is a line of the caller's own.
	remark string
	// begun is the start of a run.
	begun struct {
		id   string
		plan run.Plan
		past []result.Event // recorded by earlier processes
	}
)

// progress is how far a run has come: everything that was told, folded.
type progress struct {
	started time.Time
	run     string // its id, once there is one
	builds  []build
	cells   []*cellProgress
	// together says that several cells have been at work at the same time.
	together bool
	remarks  []string // the last few
	failure  failure  // the last one
}

// build is the making of one release.
type build struct {
	started, ended   time.Time
	n, total, cached int
	step             string    // the current one
	since            time.Time // from when on
	done             []source.Step
}

// cellProgress is how far a cell has come.
type cellProgress struct {
	id             string
	suites         []*suiteProgress
	phases         []phaseProgress
	started, ended time.Time
	wrong          bool // something is not as a qualified cell has it
	closed         bool
}

// phaseProgress is a phase of a cell; a suite's has the suite's name.
type phaseProgress struct {
	name    string
	since   time.Time
	seconds float64
	ended   bool
	wrong   bool
}

// suiteProgress counts the cases of a suite, each by its last attempt.
type suiteProgress struct {
	name  string
	total int
	last  map[string]result.Outcome
	*forecast
}

// failure is something that did not pass.
type failure struct{ cell, what, why string }

// maxRemarks is how many remarks are kept.
const maxRemarks = 3

// take folds news in. at is when it came.
func (p *progress) take(at time.Time, news any) {
	switch n := news.(type) {
	case remark:
		p.remarks = append(p.remarks, string(n))
		p.remarks = p.remarks[max(0, len(p.remarks)-maxRemarks):]
	case source.Step:
		p.takeStep(at, n)
	case begun:
		p.run = n.id
		for _, c := range n.plan.Cells {
			cell := &cellProgress{id: c.ID}
			for _, s := range c.Suites {
				cell.suites = append(cell.suites, &suiteProgress{name: s.Name, total: len(s.Expected), last: map[string]result.Outcome{}, forecast: newForecast(c.Release.Kubernetes, s)})
			}
			p.cells = append(p.cells, cell)
		}
		for _, e := range n.past {
			if cell := p.cell(e.Cell); cell != nil {
				p.takeEvent(e.Time, cell, e)
			}
		}
		p.resumed()
	case result.Event:
		if cell := p.cell(n.Cell); cell != nil {
			p.takeEvent(at, cell, n)
		}
	}
}

// resumed ends the phases in which an earlier process ended.
func (p *progress) resumed() {
	for _, c := range p.cells {
		for i := range c.phases {
			c.phases[i].ended = true
		}
		for _, s := range c.suites {
			s.begin()
		}
	}
}

func (p *progress) takeStep(at time.Time, s source.Step) {
	n := len(p.builds)
	if n == 0 || !p.builds[n-1].ended.IsZero() {
		p.builds = append(p.builds, build{started: at})
		n++
	}
	b := &p.builds[n-1]
	b.n, b.total = s.N, s.Total
	if !s.Done {
		b.step, b.since = s.Name, at
		return
	}
	b.step = ""
	b.done = append(b.done, s)
	if s.Cached {
		b.cached++
	}
	if s.N == s.Total {
		b.ended = at
	}
}

func (p *progress) cell(id string) *cellProgress {
	for _, c := range p.cells {
		if c.id == id {
			return c
		}
	}
	return nil
}

func (p *progress) takeEvent(at time.Time, c *cellProgress, e result.Event) {
	if c.started.IsZero() {
		c.started = at
	}
	c.ended = at
	switch e.Kind {
	case result.PhaseStarted:
		c.phases = append(c.phases, phaseProgress{name: e.Phase, since: at})
	case result.PhaseEnded:
		c.endPhase(e)
	case result.IdentityMatch:
		if len(e.Mismatched) > 0 {
			p.fail(c, "identity "+e.Stage+" the suites", e.Mismatched[0])
		}
	case result.CaseEnded:
		s := c.suite(e.Suite)
		s.last[e.Case.Name] = e.Case.Outcome
		s.take(*e.Case)
		if e.Case.Outcome != result.Pass {
			p.fail(c, e.Case.Name, e.Case.Message)
		}
	case result.SuiteEnded:
		if e.Text != "" {
			p.fail(c, e.Suite+" did not end", e.Text)
		}
	case result.ProductFault:
		p.fail(c, "the release failed", e.Text)
	case result.InfraFault:
		p.fail(c, "infrastructure", e.Text)
	case result.Leftover:
		p.fail(c, "left over", e.Text)
	case result.LeaseOpened:
		c.closed = false // tried again
	case result.LeaseClosed, result.LeaseKept:
		c.closed = true
	}
	p.together = p.together || p.atWork() > 1
}

// atWork is how many cells are.
func (p *progress) atWork() int {
	n := 0
	for _, c := range p.cells {
		if c.atWork() {
			n++
		}
	}
	return n
}

// fail notes what went wrong in the phase that the cell is in, or was in last.
func (p *progress) fail(c *cellProgress, what, why string) {
	c.wrong = true
	if n := len(c.phases); n > 0 {
		c.phases[n-1].wrong = true
	}
	p.failure = failure{cell: c.id, what: what, why: why}
}

func (c *cellProgress) endPhase(e result.Event) {
	for i := len(c.phases) - 1; i >= 0; i-- {
		if at := &c.phases[i]; at.name == e.Phase && !at.ended {
			at.ended, at.seconds = true, e.Seconds
			return
		}
	}
}

// suite finds a suite; one that was not planned is added.
func (c *cellProgress) suite(name string) *suiteProgress {
	s := c.planned(name)
	if s == nil {
		s = &suiteProgress{name: name, last: map[string]result.Outcome{}}
		c.suites = append(c.suites, s)
	}
	return s
}

// planned finds a suite, nil where the cell has none of that name.
func (c *cellProgress) planned(name string) *suiteProgress {
	for _, s := range c.suites {
		if s.name == name {
			return s
		}
	}
	return nil
}

// counts tells how many cases ran, and how many of them did not pass.
func (s *suiteProgress) counts() (ran, failed int) {
	for _, outcome := range s.last {
		ran++
		if outcome != result.Pass {
			failed++
		}
	}
	return ran, failed
}

// doing says what goes on and since when; nothing where that is not known. Of
// several cells at work it names each, and since when the longest is at it.
func (p *progress) doing(now time.Time) (string, time.Time) {
	var texts []string
	var longest time.Time
	for _, c := range p.cells {
		for i := len(c.phases) - 1; i >= 0; i-- {
			at := c.phases[i]
			if at.ended {
				continue
			}
			text := c.id + ": " + at.name
			if s := c.planned(at.name); s != nil {
				ran, _ := s.counts()
				text += fmt.Sprintf(": spec %d of %d%s", ran, s.total, s.aboutLeft(now.Sub(at.since)))
			}
			if texts = append(texts, text); longest.IsZero() || at.since.Before(longest) {
				longest = at.since
			}
			break
		}
	}
	if len(texts) > 0 {
		return strings.Join(texts, "; "), longest
	}
	if n := len(p.builds); n > 0 && p.builds[n-1].step != "" {
		b := p.builds[n-1]
		return fmt.Sprintf("release: %d of %d, %s", b.n, b.total, b.step), b.since
	}
	return "", time.Time{}
}
