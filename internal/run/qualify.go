package run

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"sync"
	"time"

	"github.com/qualify-dev/qualify/internal/cluster"
	"github.com/qualify-dev/qualify/internal/provision"
	"github.com/qualify-dev/qualify/internal/release"
	"github.com/qualify-dev/qualify/internal/result"
	"github.com/qualify-dev/qualify/matrix"
	"github.com/qualify-dev/qualify/suites"
)

// qualify brings the cluster up, or takes it over, proves what it runs, and
// runs the suites.
func (e *execution) qualify(ctx context.Context, p provision.Provisioner, adopt bool) {
	rel, ok := e.Releases[e.cell.Release.Digest]
	if !ok {
		e.infra(fmt.Errorf("the release %s of the plan is not at hand", e.cell.Release.Digest), "")
		return
	}
	var parts []*release.Release
	for _, planned := range e.cell.Components {
		part, ok := e.Releases[planned.Digest]
		if !ok {
			e.infra(fmt.Errorf("%s of the plan, %s, is not at hand", planned.Name, planned.Digest), "")
			return
		}
		parts = append(parts, part)
	}
	c := e.up(ctx, p, provision.Spec{Release: rel, Components: parts, Adopt: adopt})
	if c == nil || !e.identify(ctx, c, result.StageBefore, rel, parts) {
		return
	}
	for _, s := range e.cell.Suites {
		if ctx.Err() != nil || e.failed() != nil {
			return
		}
		if begun := e.begun[s.Name]; !begun.ended {
			e.suite(ctx, c, rel, begun.left(s), begun)
		}
	}
	// Again after the suites: what was swapped while they ran was not the
	// release that they tested.
	e.identify(ctx, c, result.StageAfter, rel, parts)
}

// up runs the provisioner; each phase that it announces ends the one before.
// There is no cluster where it failed, and the journal says why.
func (e *execution) up(ctx context.Context, p provision.Provisioner, spec provision.Spec) *cluster.Cluster {
	ctx, cancel := context.WithTimeoutCause(ctx, seconds(e.plan.Budgets.Up), fmt.Errorf("the cluster took longer than its budget of %s", seconds(e.plan.Budgets.Up)))
	defer cancel()
	phases := phases{execution: e}
	spec.Cell = matrix.Cell{ID: e.cell.ID, Values: e.cell.Values}
	spec.Workers, spec.Dir, spec.Phase = e.plan.Workers, e.dir, phases.next
	var c *cluster.Cluster
	err := e.within(ctx, func() (err error) {
		c, err = p.Up(ctx, e.lease, spec)
		return err
	})
	phases.end()
	if errors.Is(err, errHung) {
		e.hung = true
		e.infra(err, "")
		return nil
	}
	if err == nil && c == nil {
		err = errors.New("the provisioner gave neither a cluster nor an error")
	}
	if err != nil {
		e.blame(ctx, err)
		return nil
	}
	for _, text := range c.Notes {
		e.add(result.Event{Kind: result.Note, Cell: e.cell.ID, Text: text})
	}
	return c
}

// phases journals the phases that a provisioner announces, from whatever
// goroutine it does.
type phases struct {
	*execution
	mu      sync.Mutex
	current string
	start   time.Time
	over    bool
}

func (p *phases) next(phase string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.over {
		return // nobody waits for it any more
	}
	if p.current != "" {
		p.add(result.Event{Kind: result.PhaseEnded, Cell: p.cell.ID, Phase: p.current, Seconds: p.Now().Sub(p.start).Seconds()})
	}
	p.current, p.start = phase, p.Now()
	if phase != "" {
		p.add(result.Event{Kind: result.PhaseStarted, Cell: p.cell.ID, Phase: phase})
	}
}

func (p *phases) end() {
	p.next("")
	p.mu.Lock()
	defer p.mu.Unlock()
	p.over = true
}

// blame records why there is no cluster: the release's fault only where the
// provisioner says so and nothing, the budget neither, cut it short. What had
// not come up by then might have.
func (e *execution) blame(ctx context.Context, err error) {
	product := &provision.ProductError{}
	if errors.As(err, &product) && ctx.Err() == nil {
		e.sound = false
		e.add(result.Event{Kind: result.ProductFault, Cell: e.cell.ID, Text: product.Error(), Log: product.Log})
		return
	}
	if cause := context.Cause(ctx); cause != nil && !errors.Is(err, cause) {
		err = fmt.Errorf("%w: %w", cause, err)
	}
	e.infra(err, product.Log)
}

// identify compares what runs with the release, and with what was built beside
// it, and tells whether it is it.
func (e *execution) identify(ctx context.Context, c *cluster.Cluster, stage string, rel *release.Release, parts []*release.Release) bool {
	if ctx.Err() != nil || e.failed() != nil {
		return false
	}
	same := false
	err := e.phase(ctx, "identify-"+stage, seconds(e.plan.Budgets.Identify), func(ctx context.Context) error {
		comparison, err := e.Prover.Compare(ctx, c, rel, parts...)
		if err != nil {
			return err
		}
		same = len(comparison.Mismatched) == 0
		e.add(result.Event{
			Kind: result.IdentityMatch, Cell: e.cell.ID, Stage: stage, Release: rel.Digest(),
			Checked: comparison.Checked, Mismatched: comparison.Mismatched, Unproven: comparison.Unproven,
		})
		return nil
	})
	if err != nil {
		e.infra(err, "")
	}
	if !same {
		e.sound = false
	}
	return same
}

// suite runs what one suite has to show, under its budget.
func (e *execution) suite(ctx context.Context, c *cluster.Cluster, rel *release.Release, wanted result.PlanSuite, was begun) {
	at := func(event result.Event) result.Event {
		event.Cell, event.Suite = e.cell.ID, wanted.Name
		return event
	}
	shown := newTally(wanted.Expected)
	e.add(at(result.Event{Kind: result.SuiteStarted}))
	err := e.phase(ctx, wanted.Name, e.plan.budget(wanted), func(ctx context.Context) error {
		if ctx.Err() != nil { // the journal may have failed just now
			return ctx.Err()
		}
		suite, err := e.Suite(wanted.Name)
		if err != nil {
			return err
		}
		dir, err := freshDir(filepath.Join(e.dir, "suites", wanted.Name))
		if err != nil {
			return fmt.Errorf("making the suite's directory: %w", err)
		}
		env := suites.Env{
			Cluster: c, Release: rel, Expected: wanted.Expected, Mode: wanted.Mode, Backend: wanted.Backend, Plugin: wanted.Plugin,
			Reruns: e.plan.Reruns, Broken: was.broken, Shown: was.shown, Sink: e.Sink, Dir: dir, Procs: e.Procs, Tool: e.Tool,
			Artifact:    func(ctx context.Context, asset string) (string, error) { return e.Artifact(ctx, rel, asset) },
			Conformance: func(ctx context.Context) (suites.Image, error) { return e.Conformance(ctx, rel) },
			Sonobuoy:    e.Sonobuoy,
		}
		if e.Say != nil {
			env.Say = func(text string) { e.Say(e.cell.ID + ": " + wanted.Name + ": " + text) }
		}
		return suite.Run(ctx, env, func(found result.Case) {
			shown.take(found, func() { e.add(at(result.Event{Kind: result.CaseEnded, Case: &found})) })
		})
	})
	shown.end()
	ended := result.Event{Kind: result.SuiteEnded}
	if err != nil {
		ended.Text = err.Error()
	}
	e.sound = e.sound && err == nil && shown.sound()
	if ctx.Err() == nil && (shown.failed() || len(was.broken) > 0) {
		e.short(ctx, c, wanted.Name)
	}
	e.add(at(ended))
}

// shortageTime is how long a cluster has to answer what its nodes were short of.
const shortageTime = 30 * time.Second

// short records that a suite with failures had nodes that were short of
// something. It does so before the suite ends: a later process asks no more.
func (e *execution) short(ctx context.Context, c *cluster.Cluster, suite string) {
	ctx, cancel := context.WithTimeout(ctx, shortageTime)
	defer cancel()
	text, err := e.Shortage(ctx, c, e.since)
	switch {
	case err != nil:
		e.add(result.Event{Kind: result.Note, Cell: e.cell.ID, Text: "it is not known whether nodes were short of anything while " + suite + " ran: " + err.Error()})
	case text != "":
		e.faulty = true
		e.add(result.Event{Kind: result.InfraFault, Cell: e.cell.ID, Suite: suite, Text: "what failed may have failed for a machine that has too little left: " + text})
	}
}

// tally tells whether a suite showed all that it had to, and nothing else.
type tally struct {
	mu      sync.Mutex
	missing map[string]bool
	wrong   bool // a case did not pass
	fails   bool // a case failed
	over    bool
}

func newTally(expected []string) *tally {
	t := &tally{missing: map[string]bool{}}
	for _, name := range expected {
		t.missing[name] = true
	}
	return t
}

// take counts a case and records it. What comes after the suite was given up
// is neither: it would stand outside the suite.
func (t *tally) take(c result.Case, record func()) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.over {
		return
	}
	delete(t.missing, c.Name)
	t.wrong, t.fails = t.wrong || c.Outcome != result.Pass, t.fails || c.Outcome == result.Fail
	record()
}

func (t *tally) end() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.over = true
}

func (t *tally) failed() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.fails
}

func (t *tally) sound() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return !t.wrong && len(t.missing) == 0
}
