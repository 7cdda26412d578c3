package run

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"sync"
	"time"

	"github.com/qualify-dev/qualify/internal/claim"
	"github.com/qualify-dev/qualify/internal/cluster"
	"github.com/qualify-dev/qualify/internal/identity"
	"github.com/qualify-dev/qualify/internal/provision"
	"github.com/qualify-dev/qualify/internal/release"
	"github.com/qualify-dev/qualify/internal/result"
	"github.com/qualify-dev/qualify/internal/sink"
	"github.com/qualify-dev/qualify/suites"
)

// Deps is what executing a plan needs of the world.
type Deps struct {
	Run     string // run id
	Dir     string // the run's directory, exists
	Owner   string // host and process
	Journal *result.Journal
	// Past is what earlier processes of this run recorded; none in a new run.
	Past         []result.Event
	Provisioners map[string]provision.Provisioner
	Capacity     map[string]int              // cells at a time, by provisioner; 1 where it says nothing
	Releases     map[string]*release.Release // by digest, and what is built beside them
	Suite        func(name string) (suites.Suite, error)
	Prover       identity.Prover
	// Shortage tells which nodes of a cluster were short of something since a
	// time, so that their pods may have failed for it. Empty: none.
	Shortage func(ctx context.Context, c *cluster.Cluster, since time.Time) (string, error)
	Artifact func(ctx context.Context, rel *release.Release, asset string) (string, error)
	Tool     func(name string) (string, error)
	// Conformance returns the conformance image of a release.
	Conformance func(ctx context.Context, rel *release.Release) (suites.Image, error)
	// Sonobuoy returns the image of Sonobuoy.
	Sonobuoy func(ctx context.Context) (suites.Image, error)
	// Say tells the user what no event is about, such as how far a suite is that
	// reports at its end; may be nil.
	Say     func(text string)
	Procs   int  // processes of a suite
	Keep    bool // leave the clusters
	Collect bool // collect logs of passing cells too
	// Grace bounds what is still done after an interrupt: collecting logs and
	// tearing down. 0 leaves it to the budgets.
	Grace time.Duration
	// Linger is how long a step that was told to stop may take to return before
	// the run goes on without it. 0 stands for a few minutes.
	Linger time.Duration
	// Relieve frees disk space that was set aside for a run's last records, and
	// tells whether there was any. Nil where nothing was.
	Relieve func() bool
	// Sink is what text leaves through: the journal and the suites' files.
	Sink *sink.Sink
	Now  func() time.Time
	// Observe hears of each event after it is safe on disk. It is called from
	// one goroutine at a time and must not block.
	Observe func(result.Event)
}

// Interrupted is the cause with which a signal cancels a run.
type Interrupted struct{ Signal string }

// Error names the signal.
func (i Interrupted) Error() string { return "interrupted by " + i.Signal }

// Execute runs every cell of the plan that is not finished yet. What was found
// is in the journal; the error means that the journal could not be written, or
// that the run is another process's by now, and no more than that.
func Execute(ctx context.Context, plan Plan, d Deps) error {
	work, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	r := &recorder{journal: d.Journal, redact: d.Sink.Text, observe: d.Observe, relieve: d.Relieve, stop: stop, failFast: newFailFast(plan, d.Past)}
	interrupted := &moment{now: d.Now, of: work}
	defer context.AfterFunc(work, func() { interrupted.since() })()
	r.add(result.Event{Kind: result.RunStarted, Text: d.Run, Plan: plan.Hash, Release: plan.Judged().Release.Digest})
	past := result.Fold(d.Past)
	var cells []*execution
	for _, cell := range plan.Cells {
		before, _ := past.Cell(cell.ID)
		cells = append(cells, &execution{Deps: d, recorder: r, plan: plan, cell: cell, was: stand(cell, before), cancelled: interrupted})
	}
	inSlots(cells, d.Capacity, func(e *execution) (again bool) {
		if work.Err() != nil {
			return false
		}
		if by := r.failFast.stopped(); by != "" && !e.was.done {
			e.add(result.Event{Kind: result.Note, Cell: e.cell.ID, Text: "not run: the policy ends the run at the first cell that is not qualified, which is " + by})
			e.was.abandon()
		}
		if again = e.turn(work); !again {
			r.failFast.ended(e.cell.ID)
		}
		return again
	})
	if lost := lost(work, r); lost != nil {
		return lost
	}
	r.add(result.Event{Kind: result.RunEnded, Text: ending(ctx, r)})
	return r.failed()
}

// ending is what the journal says of the run's end. A journal that lost an
// event and can be written again must not call the run complete: what it lost
// may be the very failure that matters.
func ending(ctx context.Context, r *recorder) string {
	var signal Interrupted
	switch {
	case errors.As(context.Cause(ctx), &signal):
		return result.RunInterrupted(signal.Signal)
	case r.failed() != nil:
		return "stopped: " + r.failed().Error()
	case ctx.Err() != nil:
		return "stopped: " + context.Cause(ctx).Error()
	}
	return result.RunComplete
}

// lost is not nil where another process has taken the run over. Then nothing is
// this process's any more: not the journal, and not the clusters.
func lost(ctx context.Context, r *recorder) error {
	var gone *claim.LostError
	for _, err := range []error{context.Cause(ctx), r.failed()} {
		if errors.As(err, &gone) {
			return err
		}
	}
	return nil
}

// moment is the end of a context, as a point in time.
type moment struct {
	now func() time.Time
	of  context.Context
	mu  sync.Mutex
	at  time.Time
}

// since is how long ago it was; false before it came. Who asks before anybody
// has seen the end is the one who saw it: on a busy machine, what a context
// calls at its end can come after what the end set going.
func (m *moment) since() (time.Duration, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.of.Err() == nil {
		return 0, false
	}
	now := m.now()
	if m.at.IsZero() {
		m.at = now
	}
	return now.Sub(m.at), true
}

// panicked keeps the first panic of several goroutines, with its stack.
type panicked struct {
	mu   sync.Mutex
	text string
}

// keep is to be deferred.
func (p *panicked) keep() {
	if value := recover(); value != nil {
		p.mu.Lock()
		defer p.mu.Unlock()
		if p.text == "" {
			p.text = fmt.Sprintf("%v\n%s", value, debug.Stack())
		}
	}
}

func (p *panicked) again() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.text != "" {
		panic(p.text)
	}
}
