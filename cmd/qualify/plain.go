package main

import (
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"github.com/qualify-dev/qualify/internal/release/source"
	"github.com/qualify-dev/qualify/internal/result"
)

// plain is the screen of logs and pipes: a line for each phase, one for each
// case that did not pass, and one every 30 s so that nobody has to wonder.
type plain struct {
	out  io.Writer
	stop chan struct{}
	once sync.Once

	mu sync.Mutex
	progress
}

// heartbeat is how often a long step says that it is alive.
const heartbeat = 30 * time.Second

// mostText is how much of a text goes onto one line.
const mostText = 400

// newPlain goes on from a progress.
func newPlain(out io.Writer, from progress) *plain {
	p := &plain{out: out, stop: make(chan struct{}), progress: from}
	go p.beat()
	return p
}

func (p *plain) beat() {
	tick := time.NewTicker(heartbeat)
	defer tick.Stop()
	for {
		select {
		case <-p.stop:
			return
		case <-tick.C:
			p.mu.Lock()
			p.alive(now())
			p.mu.Unlock()
		}
	}
}

// alive says what goes on, where it has gone on for long.
func (p *plain) alive(at time.Time) {
	if doing, since := p.doing(at); doing != "" && at.Sub(since) >= heartbeat {
		p.print(at, fmt.Sprintf("… %s, for %s", doing, at.Sub(since).Round(time.Second)))
	}
}

func (p *plain) close() { p.once.Do(func() { close(p.stop) }) }

func (p *plain) show(at time.Time, news any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.take(at, news)
	switch n := news.(type) {
	case remark:
		for line := range strings.Lines(string(n)) {
			p.print(at, line)
		}
	case source.Step:
		if n.Done {
			p.print(at, stepText(n))
		}
	case begun:
		p.print(at, fmt.Sprintf("run %s: %d cell(s), plan %s", n.id, len(n.plan.Cells), n.plan.Hash))
		if len(n.past) > 0 {
			p.print(at, fmt.Sprintf("going on after %d recorded events, the last of %s", len(n.past), n.past[len(n.past)-1].Time.Format(time.RFC3339)))
		}
	case result.Event:
		p.event(at, n)
	}
}

func (p *plain) print(at time.Time, text string) {
	fmt.Fprintf(p.out, "%8s  %s\n", at.Sub(p.started).Round(time.Second), headline(text, mostText))
}

func stepText(s source.Step) string {
	text := fmt.Sprintf("release: %d of %d, %s: made in %s", s.N, s.Total, s.Name, s.Took.Round(time.Second))
	if s.Cached {
		text = fmt.Sprintf("release: %d of %d, %s: from the cache", s.N, s.Total, s.Name)
	}
	if s.Without != "" {
		text += ", without " + s.Without
	}
	return text
}

func (p *plain) event(at time.Time, e result.Event) {
	switch e.Kind {
	case result.PhaseEnded:
		p.print(at, fmt.Sprintf("%s: %s: %.1f s", e.Cell, e.Phase, e.Seconds))
	case result.IdentityMatch:
		p.print(at, fmt.Sprintf("%s: identity %s the suites: %d compared, %d differ", e.Cell, e.Stage, len(e.Checked), len(e.Mismatched)))
	case result.CaseEnded:
		if e.Case.Outcome != result.Pass {
			why := headline(e.Case.Message, mostText)
			p.print(at, fmt.Sprintf("%s: %s: %s: %s%s", e.Cell, e.Suite, e.Case.Outcome, headline(e.Case.Name, mostText), suffix(": ", why)))
		}
	case result.SuiteEnded:
		ran, total := 0, 0
		if c := p.cell(e.Cell); c != nil {
			s := c.suite(e.Suite)
			ran, _ = s.counts()
			total = s.total
		}
		p.print(at, fmt.Sprintf("%s: %s: %d of %d specs ran%s", e.Cell, e.Suite, ran, total, suffix(": ", e.Text)))
	case result.ProductFault, result.InfraFault, result.Note, result.Leftover:
		p.print(at, fmt.Sprintf("%s: %s: %s", e.Cell, e.Kind, e.Text))
	}
}

func suffix(separator, text string) string {
	if text == "" {
		return ""
	}
	return separator + text
}
