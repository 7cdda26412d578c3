package run

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"github.com/qualify-dev/qualify/internal/cache"
	"github.com/qualify-dev/qualify/internal/identity"
	"github.com/qualify-dev/qualify/internal/provision"
	"github.com/qualify-dev/qualify/internal/release"
	"github.com/qualify-dev/qualify/internal/result"
	"github.com/qualify-dev/qualify/suites"
)

// Deps is what executing a plan needs of the world.
type Deps struct {
	Run          string // run id
	Dir          string // the run's directory, exists
	Owner        string // host and process
	Journal      *result.Journal
	Provisioners map[string]provision.Provisioner
	Releases     map[string]*release.Release // by digest
	Suite        func(name string) (suites.Suite, error)
	Prover       identity.Prover
	Artifact     func(ctx context.Context, rel *release.Release, asset string) (string, error)
	Tool         func(name string) (string, error)
	Procs        int  // processes of a suite
	Keep         bool // leave the clusters
	Collect      bool // collect logs of passing cells too
	Log          *slog.Logger
	Now          func() time.Time
	// Observe hears of each event after it is safe on disk. It is called from
	// one goroutine at a time and must not block.
	Observe func(result.Event)
}

// Interrupted is the cause with which a signal cancels a run.
type Interrupted struct{ Signal string }

// Error names the signal.
func (i Interrupted) Error() string { return "interrupted by " + i.Signal }

// Execute runs every cell of the plan. What was found is in the journal; the
// error means that the journal could not be written, and no more than that.
func Execute(ctx context.Context, plan Plan, d Deps) error {
	work, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	r := &recorder{journal: d.Journal, observe: d.Observe, stop: stop}
	r.add(result.Event{Kind: result.RunStarted, Text: d.Run, Plan: plan.Hash, Release: plan.Judged().Release.Digest})
	for _, cell := range plan.Cells {
		if work.Err() != nil {
			break
		}
		e := &execution{Deps: d, recorder: r, plan: plan, cell: cell}
		e.run(work)
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

// execution is the loop over one cell.
type execution struct {
	Deps
	*recorder
	plan  Plan
	cell  PlanCell
	lease provision.Lease
	dir   string
	sound bool // nothing went wrong so far; decides whether logs are collected
}

// leaseMargin is how long a lease outlives the budgets of its cell.
const leaseMargin = 10 * time.Minute

func (e *execution) run(ctx context.Context) {
	e.lease = e.newLease()
	e.dir = filepath.Join(e.Dir, "cells", e.cell.ID)
	e.sound = true
	if err := os.MkdirAll(e.dir, 0o700); err != nil {
		e.infra(fmt.Errorf("making the cell's directory: %w", err), "")
		return
	}
	provisioner, ok := e.Provisioners[e.cell.Values["provisioner"]]
	if !ok {
		e.infra(fmt.Errorf("no provisioner %q", e.cell.Values["provisioner"]), "")
		return
	}
	// The intent comes first: from here on resources may exist, whatever
	// happens to this process.
	e.add(result.Event{Kind: result.LeaseOpened, Cell: e.cell.ID, Lease: &result.Lease{
		Name: e.lease.Name, Run: e.lease.Run, Cell: e.lease.Cell, Owner: e.lease.Owner, Expires: e.lease.Expires,
	}})
	if e.failed() != nil {
		return // an unrecorded lease must never become resources
	}
	defer e.tearDown(ctx, provisioner)
	e.qualify(ctx, provisioner)
	if (!e.sound || e.Collect) && e.failed() == nil {
		e.collect(ctx, provisioner)
	}
}

func (e *execution) newLease() provision.Lease {
	b := e.plan.Budgets
	total := b.Up + 2*b.Identify + b.Suite*len(e.cell.Suites) + b.Collect + b.Down
	return provision.Lease{
		Name: LeaseName(e.Run, e.cell.ID), Run: e.Run, Cell: e.cell.ID, Owner: e.Owner,
		Expires: e.Now().Add(seconds(total) + leaseMargin).UTC().Truncate(time.Second),
	}
}

// LeaseName is the name of a cell's resources: the same whenever it is asked
// for, different for every run and cell, and short enough for a host name.
func LeaseName(run, cell string) string { return "q-" + cache.Key(run, cell)[:16] }

// infra records a fault that is not the release's.
func (e *execution) infra(err error, log string) {
	e.sound = false
	e.add(result.Event{Kind: result.InfraFault, Cell: e.cell.ID, Text: err.Error(), Log: log})
}

// phase runs a step under its budget and journals its length.
func (e *execution) phase(ctx context.Context, name string, budget int, step func(context.Context) error) error {
	ctx, cancel := context.WithTimeoutCause(ctx, seconds(budget), fmt.Errorf("%s took longer than its budget of %s", name, seconds(budget)))
	defer cancel()
	start := e.Now()
	e.add(result.Event{Kind: result.PhaseStarted, Cell: e.cell.ID, Phase: name})
	err := step(ctx)
	if cause := context.Cause(ctx); err != nil && cause != nil {
		err = fmt.Errorf("%w: %w", cause, err)
	}
	e.add(result.Event{Kind: result.PhaseEnded, Cell: e.cell.ID, Phase: name, Seconds: e.Now().Sub(start).Seconds()})
	return err
}

// collect gathers logs; that it failed is worth a note and no more.
func (e *execution) collect(ctx context.Context, p provision.Provisioner) {
	// Also after an interrupt: the logs are what is left of the work done.
	err := e.phase(context.WithoutCancel(ctx), "collect", e.plan.Budgets.Collect, func(ctx context.Context) error {
		return p.Collect(ctx, e.lease, filepath.Join(e.dir, "logs"))
	})
	if err != nil {
		e.add(result.Event{Kind: result.Note, Cell: e.cell.ID, Text: "logs are incomplete: " + err.Error()})
	}
}

// tearDown removes the cell's resources, on a context that ignores the cancel
// of the run and has a deadline of its own.
func (e *execution) tearDown(ctx context.Context, p provision.Provisioner) {
	if e.Keep {
		e.add(result.Event{Kind: result.LeaseKept, Cell: e.cell.ID, Text: e.lease.Name})
		return
	}
	err := e.phase(context.WithoutCancel(ctx), "down", e.plan.Budgets.Down, func(ctx context.Context) error { return p.Down(ctx, e.lease) })
	if err == nil {
		e.add(result.Event{Kind: result.LeaseClosed, Cell: e.cell.ID, Text: e.lease.Name})
		return
	}
	var left *provision.LeftoverError
	if errors.As(err, &left) {
		for _, r := range left.Resources {
			e.add(result.Event{Kind: result.Leftover, Cell: e.cell.ID, Text: r.Kind + " " + r.Name})
		}
		return
	}
	e.add(result.Event{Kind: result.Leftover, Cell: e.cell.ID, Text: "unknown resources of lease " + e.lease.Name + ": " + err.Error()})
}
