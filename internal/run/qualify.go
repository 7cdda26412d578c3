package run

import (
	"context"
	"errors"
	"fmt"
	"os"
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

// qualify brings the cluster up, proves what it runs, and runs the suites.
func (e *execution) qualify(ctx context.Context, p provision.Provisioner) {
	rel, ok := e.Releases[e.cell.Release.Digest]
	if !ok {
		e.infra(fmt.Errorf("the release %s of the plan is not at hand", e.cell.Release.Digest), "")
		return
	}
	c := e.up(ctx, p, rel)
	if c == nil || !e.identify(ctx, c, rel, result.StageBefore) {
		return
	}
	for _, s := range e.cell.Suites {
		if ctx.Err() != nil || e.failed() != nil {
			return
		}
		e.suite(ctx, c, rel, s)
	}
	// Again after the suites: what was swapped while they ran was not the
	// release that they tested.
	e.identify(ctx, c, rel, result.StageAfter)
}

// up runs the provisioner; each phase that it announces ends the one before.
// There is no cluster where it failed, and the journal says why.
func (e *execution) up(ctx context.Context, p provision.Provisioner, rel *release.Release) *cluster.Cluster {
	ctx, cancel := context.WithTimeoutCause(ctx, seconds(e.plan.Budgets.Up), fmt.Errorf("the cluster took longer than its budget of %s", seconds(e.plan.Budgets.Up)))
	defer cancel()
	current, start := "", e.Now()
	next := func(phase string) {
		if current != "" {
			e.add(result.Event{Kind: result.PhaseEnded, Cell: e.cell.ID, Phase: current, Seconds: e.Now().Sub(start).Seconds()})
		}
		current, start = phase, e.Now()
		if phase != "" {
			e.add(result.Event{Kind: result.PhaseStarted, Cell: e.cell.ID, Phase: phase})
		}
	}
	c, err := p.Up(ctx, e.lease, provision.Spec{
		Cell: matrix.Cell{ID: e.cell.ID, Values: e.cell.Values}, Release: rel, Workers: e.plan.Workers, Dir: e.dir, Phase: next,
	})
	next("")
	if err == nil && c == nil {
		err = errors.New("the provisioner gave neither a cluster nor an error")
	}
	if err != nil {
		e.blame(ctx, err)
		return nil
	}
	return c
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

// identify compares what runs with the release and tells whether it is it.
func (e *execution) identify(ctx context.Context, c *cluster.Cluster, rel *release.Release, stage string) bool {
	if ctx.Err() != nil || e.failed() != nil {
		return false
	}
	same := false
	err := e.phase(ctx, "identify-"+stage, e.plan.Budgets.Identify, func(ctx context.Context) error {
		comparison, err := e.Prover.Compare(ctx, c, rel)
		if err != nil {
			return err
		}
		same = len(comparison.Mismatched) == 0
		e.add(result.Event{
			Kind: result.IdentityMatch, Cell: e.cell.ID, Stage: stage, Release: rel.Digest(),
			Checked: comparison.Checked, Mismatched: comparison.Mismatched,
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

// suite runs one suite under its budget.
func (e *execution) suite(ctx context.Context, c *cluster.Cluster, rel *release.Release, planned result.PlanSuite) {
	at := func(event result.Event) result.Event {
		event.Cell, event.Suite = e.cell.ID, planned.Name
		return event
	}
	shown := newTally(planned.Expected)
	e.add(at(result.Event{Kind: result.SuiteStarted}))
	err := e.phase(ctx, planned.Name, e.plan.Budgets.Suite, func(ctx context.Context) error {
		if ctx.Err() != nil { // the journal may have failed just now
			return ctx.Err()
		}
		suite, err := e.Suite(planned.Name)
		if err != nil {
			return err
		}
		dir := filepath.Join(e.dir, "suites", planned.Name)
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return err
		}
		env := suites.Env{
			Cluster: c, Release: rel, Expected: planned.Expected, Dir: dir, Procs: e.Procs, Tool: e.Tool,
			Artifact: func(ctx context.Context, asset string) (string, error) { return e.Artifact(ctx, rel, asset) },
		}
		return suite.Run(ctx, env, func(found result.Case) {
			shown.take(found)
			e.add(at(result.Event{Kind: result.CaseEnded, Case: &found}))
		})
	})
	ended := result.Event{Kind: result.SuiteEnded}
	if err != nil {
		ended.Text = err.Error()
	}
	e.sound = e.sound && err == nil && shown.sound()
	e.add(at(ended))
}

// tally tells whether a suite showed all that it had to, and nothing else.
type tally struct {
	mu      sync.Mutex
	missing map[string]bool
	wrong   bool
}

func newTally(expected []string) *tally {
	t := &tally{missing: map[string]bool{}}
	for _, name := range expected {
		t.missing[name] = true
	}
	return t
}

func (t *tally) take(c result.Case) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.missing, c.Name)
	t.wrong = t.wrong || c.Outcome != result.Pass
}

func (t *tally) sound() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return !t.wrong && len(t.missing) == 0
}

// recorder appends events and remembers the first failure. A run whose journal
// cannot be written proves nothing any more: its work is cancelled, nothing
// new is taken up, and only the teardown remains.
// Suites emit from goroutines of their own, hence the lock.
type recorder struct {
	journal *result.Journal
	observe func(result.Event)
	stop    context.CancelCauseFunc
	mu      sync.Mutex
	err     error
}

func (r *recorder) add(event result.Event) {
	r.mu.Lock()
	defer r.mu.Unlock()
	written, err := r.journal.Append(event)
	if err != nil {
		if r.err == nil {
			r.err = fmt.Errorf("writing the journal: %w", err)
			r.stop(r.err)
		}
		return
	}
	if r.observe != nil {
		r.observe(written)
	}
}

func (r *recorder) failed() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.err
}

// NewID names a run by its start: names sort as the runs were started.
func NewID(now time.Time, random string) string {
	return now.UTC().Format("20060102-150405") + "-" + random
}
