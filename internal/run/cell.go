package run

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/qualify-dev/qualify/internal/cache"
	"github.com/qualify-dev/qualify/internal/provision"
	"github.com/qualify-dev/qualify/internal/result"
)

// execution is the loop over one cell.
type execution struct {
	Deps
	*recorder
	plan  Plan
	cell  PlanCell
	was   standing
	tries int // with leases of its own
	// provisioner is nil until the first attempt.
	provisioner provision.Provisioner
	lease       provision.Lease
	dir         string
	cancelled   *moment
	begun       map[string]begun // by earlier processes, on the lease that was adopted
	sound       bool             // nothing went wrong so far; decides whether logs are collected
	faulty      bool             // the infrastructure failed: another attempt may fare better
	hung        bool             // the provisioner has not returned
	since       time.Time        // when the attempt began; zero where a former process began it
}

// leaseMargin is how long a lease outlives the budgets of its cell.
const leaseMargin = 10 * time.Minute

// turn does one attempt at the cell, the first time with what earlier processes
// left of it: what is useless is removed, a cluster that holds is gone on with.
// again tells that the infrastructure failed, and that the plan has patience.
func (e *execution) turn(ctx context.Context) (again bool) {
	if e.provisioner == nil {
		if !e.open(ctx) {
			return false
		}
		if e.was.adopt != nil {
			e.begun = e.was.suites
			gone := e.attempt(ctx, e.provisioner, *e.was.adopt, true)
			// That it could not be gone on with is no failure of an attempt.
			return e.faulty && gone && ctx.Err() == nil
		}
	}
	e.begun = nil
	e.tries++
	lease := provision.Lease{Name: LeaseName(e.Run, e.cell.ID, e.was.leases+e.tries), Run: e.Run, Cell: e.cell.ID}
	gone := e.attempt(ctx, e.provisioner, lease, false)
	return e.faulty && gone && ctx.Err() == nil && e.tries <= e.plan.Retries
}

// open makes ready for attempts; false where there will be none.
func (e *execution) open(ctx context.Context) bool {
	e.dir = filepath.Join(e.Dir, "cells", e.cell.ID)
	if e.was.done && len(e.was.remove) == 0 {
		return false
	}
	if err := os.MkdirAll(e.dir, 0o700); err != nil {
		e.infra(fmt.Errorf("making the cell's directory: %w", err), "")
		return false
	}
	provisioner, ok := e.Provisioners[e.cell.Values["provisioner"]]
	if !ok {
		e.infra(fmt.Errorf("no provisioner %q", e.cell.Values["provisioner"]), "")
		return false
	}
	for _, lease := range e.was.remove {
		e.lease = lease
		if !e.down(ctx, provisioner) {
			return false // on top of what is left nothing new is made
		}
	}
	e.provisioner = provisioner
	return !e.was.done
}

// attempt is one lease from its opening to its end; it tells whether the
// lease's resources are proven gone.
func (e *execution) attempt(ctx context.Context, p provision.Provisioner, lease provision.Lease, adopt bool) (gone bool) {
	lease.Owner, lease.Home, lease.Expires = e.Owner, e.Dir, e.expiry()
	e.lease, e.sound, e.faulty, e.hung, e.since = lease, true, false, false, time.Time{}
	if !adopt {
		e.since = e.Now()
	}
	// The intent comes first: from here on resources may exist, whatever
	// happens to this process.
	e.add(result.Event{Kind: result.LeaseOpened, Cell: e.cell.ID, Lease: (*result.Lease)(&lease)})
	if e.failed() != nil {
		return false // an unrecorded lease must never become resources
	}
	defer func() { gone = e.tearDown(ctx, p) }()
	e.qualify(ctx, p, adopt)
	if (!e.sound || e.Collect) && e.failed() == nil && !e.hung {
		e.collect(ctx, p)
	}
	return false
}

func (e *execution) expiry() time.Time {
	b := e.plan.Budgets
	total := seconds(b.Up + 2*b.Identify + b.Collect + b.Down)
	for _, s := range e.cell.Suites {
		total += e.plan.budget(s)
	}
	return e.Now().Add(total + leaseMargin).UTC().Truncate(time.Second)
}

// LeaseName is the name of the resources of a cell's n-th lease: the same
// whenever it is asked for, different for every run, cell and n, and short
// enough for a host name. What a process that was given up still makes under
// the former lease is therefore never taken for part of the next.
func LeaseName(run, cell string, n int) string {
	return "q-" + cache.Key(run, cell, strconv.Itoa(n))[:16]
}

// infra records a fault that is not the release's.
func (e *execution) infra(err error, log string) {
	e.sound, e.faulty = false, true
	e.add(result.Event{Kind: result.InfraFault, Cell: e.cell.ID, Text: err.Error(), Log: log})
}

// tearDown ends the lease. Nothing is removed that is to be kept, or that
// another process has taken over.
func (e *execution) tearDown(ctx context.Context, p provision.Provisioner) (gone bool) {
	switch {
	case lost(ctx, e.recorder) != nil:
		return false
	case e.Keep:
		e.add(result.Event{Kind: result.LeaseKept, Cell: e.cell.ID, Text: e.lease.Name})
		return false
	case e.hung:
		e.leftover("unknown resources of lease " + e.lease.Name + ": its provisioner has not returned")
		return false
	}
	return e.down(ctx, p)
}

// down removes a lease's resources, on a context that ignores the cancel of
// the run and has a deadline of its own.
func (e *execution) down(ctx context.Context, p provision.Provisioner) (gone bool) {
	budget := e.spare(seconds(e.plan.Budgets.Down), 1)
	err := e.phase(context.WithoutCancel(ctx), "down", budget, func(ctx context.Context) error { return p.Down(ctx, e.lease) })
	if err == nil {
		e.add(result.Event{Kind: result.LeaseClosed, Cell: e.cell.ID, Text: e.lease.Name})
		return true
	}
	var left *provision.LeftoverError
	if errors.As(err, &left) {
		for _, r := range left.Resources {
			e.leftover(r.Kind + " " + r.Name)
		}
		return false
	}
	e.leftover("unknown resources of lease " + e.lease.Name + ": " + err.Error())
	return false
}

// leftover records something that is not proven gone.
func (e *execution) leftover(text string) {
	lease := result.Lease(e.lease)
	e.add(result.Event{Kind: result.Leftover, Cell: e.cell.ID, Text: text, Lease: &lease})
}

// spare is how long one of the last steps may take: its budget or, after an
// interrupt, its share of what is left of the grace period.
func (e *execution) spare(budget time.Duration, share float64) time.Duration {
	passed, is := e.cancelled.since()
	if !is || e.Grace <= 0 {
		return budget
	}
	left := time.Duration(float64(e.Grace-passed) * share)
	return min(budget, max(left, time.Second))
}

// collect gathers logs; that it failed is worth a note and no more. Also after
// an interrupt: the logs are what is left of the work done.
func (e *execution) collect(ctx context.Context, p provision.Provisioner) {
	const share = 0.3 // the teardown is what must not run out of time
	budget := e.spare(seconds(e.plan.Budgets.Collect), share)
	dir, err := freshDir(filepath.Join(e.dir, "logs"))
	if err == nil {
		err = e.phase(context.WithoutCancel(ctx), "collect", budget, func(ctx context.Context) error { return p.Collect(ctx, e.lease, dir) })
	}
	if err != nil {
		e.add(result.Event{Kind: result.Note, Cell: e.cell.ID, Text: "logs are incomplete: " + err.Error()})
	}
}

// freshDir makes a directory of a name, or of that name with a number where an
// earlier attempt has left one: what that one wrote is kept.
func freshDir(path string) (string, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return "", err
	}
	const most = 1000
	name := path
	for n := 2; n < most; n++ {
		err := os.Mkdir(name, 0o700)
		if err == nil {
			return name, nil
		}
		if !errors.Is(err, os.ErrExist) {
			return "", err
		}
		name = fmt.Sprintf("%s.%d", path, n)
	}
	return "", fmt.Errorf("making a directory: there are %d of %s", most, path)
}
