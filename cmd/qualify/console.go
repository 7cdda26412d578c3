package main

import (
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/qualify-dev/qualify/internal/release/source"
	"github.com/qualify-dev/qualify/internal/report"
	"github.com/qualify-dev/qualify/internal/result"
	"github.com/qualify-dev/qualify/internal/run"
)

// console shows how a run goes on, on stderr: a line per phase, one for each
// case that did not pass, and one every 30 s so that nobody has to wonder.
type console struct {
	out io.Writer

	mu      sync.Mutex
	started time.Time
	doing   string // what goes on now
	since   time.Time
	total   map[string]int // expected cases by cell and suite
	done    map[string]int
	failed  int
	stop    chan struct{}
	once    sync.Once
}

// heartbeat is how often a long step says that it is alive.
const heartbeat = 30 * time.Second

func newConsole(out io.Writer) *console {
	c := &console{out: out, started: now(), total: map[string]int{}, done: map[string]int{}, stop: make(chan struct{})}
	go c.beat()
	return c
}

func (c *console) beat() {
	tick := time.NewTicker(heartbeat)
	defer tick.Stop()
	for {
		select {
		case <-c.stop:
			return
		case <-tick.C:
			c.mu.Lock()
			if c.doing != "" && now().Sub(c.since) >= heartbeat {
				c.print(fmt.Sprintf("… %s, for %s", c.doing, now().Sub(c.since).Round(time.Second)))
			}
			c.mu.Unlock()
		}
	}
}

func (c *console) close() { c.once.Do(func() { close(c.stop) }) }

// line shows one line of the caller's.
func (c *console) line(text string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.print(text)
}

func (c *console) print(text string) {
	elapsed := now().Sub(c.started).Round(time.Second)
	fmt.Fprintf(c.out, "%8s  %s\n", elapsed, report.Console(text))
}

func (c *console) now(doing string) { c.doing, c.since = doing, now() }

// step shows a step of a release build.
func (c *console) step(s source.Step) {
	c.mu.Lock()
	defer c.mu.Unlock()
	name := fmt.Sprintf("release: %d of %d, %s", s.N, s.Total, s.Name)
	switch {
	case !s.Done:
		c.now(name)
		return
	case s.Cached:
		c.print(name + ": from the cache")
	default:
		c.print(fmt.Sprintf("%s: made in %s", name, s.Took.Round(time.Second)))
	}
	c.now("")
}

// begin shows what the run will do.
func (c *console) begin(id string, plan run.Plan) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.print(fmt.Sprintf("run %s: %d cell(s), plan %s", id, len(plan.Cells), plan.Hash))
	for _, cell := range plan.Cells {
		for _, s := range cell.Suites {
			c.total[cell.ID+"/"+s.Name] = len(s.Expected)
		}
	}
}

// event shows what the journal has just recorded.
func (c *console) event(e result.Event) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch e.Kind {
	case result.PhaseStarted:
		c.now(e.Cell + ": " + e.Phase)
	case result.PhaseEnded:
		c.print(fmt.Sprintf("%s: %s: %.1f s", e.Cell, e.Phase, e.Seconds))
		c.now("")
	case result.IdentityMatch:
		c.print(fmt.Sprintf("%s: identity %s the suites: %d compared, %d differ", e.Cell, e.Stage, len(e.Checked), len(e.Mismatched)))
	case result.CaseEnded:
		c.caseEnded(e)
	case result.SuiteEnded:
		key := e.Cell + "/" + e.Suite
		c.print(fmt.Sprintf("%s: %s: %d of %d specs ran%s", e.Cell, e.Suite, c.done[key], c.total[key], suffix(": ", e.Text)))
	case result.ProductFault, result.InfraFault, result.Note, result.Leftover:
		c.print(fmt.Sprintf("%s: %s: %s", e.Cell, e.Kind, e.Text))
	}
}

func (c *console) caseEnded(e result.Event) {
	key := e.Cell + "/" + e.Suite
	c.done[key]++
	c.doing = fmt.Sprintf("%s: %s: spec %d of %d", e.Cell, e.Suite, c.done[key], c.total[key])
	if e.Case.Outcome != result.Pass {
		c.failed++
		c.print(fmt.Sprintf("%s: %s: %s: %s", e.Cell, e.Suite, e.Case.Outcome, e.Case.Name))
	}
}

func suffix(separator, text string) string {
	if text == "" {
		return ""
	}
	return separator + text
}
