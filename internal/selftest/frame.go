package selftest

import (
	"slices"
	"time"

	"github.com/qualify-dev/qualify/internal/result"
)

// clusters are cells and leases: evidence that is not from the clusters that
// it should be from, and clusters that nobody removed.
func clusters() []Mutation {
	mismatch, left := []string{result.ReasonRunMismatch}, []string{result.ReasonLeftovers}
	opened, closed := kind(result.LeaseOpened), kind(result.LeaseClosed, result.LeaseKept)
	inTarget := func(d *draft) where { return d.target().inCell() }
	lease := func(how func(*result.Lease)) change {
		return events(func(d *draft) bool { return d.edit(opened, func(e *result.Event) { how(e.Lease) }) })
	}
	return []Mutation{
		{ID: "cell-missing", Wants: []string{result.ReasonCellMissing}, Imitates: "a cell was never run", change: events(func(d *draft) bool { return d.drop(inTarget(d)) })},
		{ID: "cells-all-missing", Wants: []string{result.ReasonCellMissing}, Imitates: "the run did nothing and completed", change: events(func(d *draft) bool { return d.drop(not(kind(result.RunStarted, result.RunEnded))) })},
		{ID: "cell-renamed", Wants: []string{result.ReasonCellMissing}, Imitates: "another cell was run in place of the planned one", change: events(func(d *draft) bool {
			return d.edit(inTarget(d), func(e *result.Event) {
				e.Cell += "-other"
				if e.Lease != nil {
					e.Lease.Cell = e.Cell
				}
			})
		})},
		{ID: "cell-unplanned", Wants: []string{result.ReasonCellUnexpected}, Imitates: "a cell was run that nobody had planned", change: events(func(d *draft) bool {
			return d.before(kind(result.RunEnded), result.Event{Kind: result.Note, Cell: "a cell that nobody planned", Text: "no cluster"})
		})},
		{ID: "lease-never-opened", Wants: []string{result.ReasonIdentityMissing}, Imitates: "the tests ran on resources that this run never claimed", change: events(func(d *draft) bool { return d.drop(and(inTarget(d), opened)) })},
		{ID: "lease-of-another-run", Wants: mismatch, Imitates: "the tests ran on a cluster that another run had left", change: lease(func(l *result.Lease) { l.Run = otherID })},
		{ID: "lease-of-no-run", Wants: mismatch, Imitates: "the tests ran on a cluster of which nobody knows whose it is", change: lease(func(l *result.Lease) { l.Run = "" })},
		{ID: "lease-of-another-cell", Wants: mismatch, Imitates: "a broken configuration led the tests to the cluster of another cell", change: lease(func(l *result.Lease) { l.Cell = "another-cell" })},
		{ID: "lease-of-no-cell", Wants: mismatch, Imitates: "the tests ran on a cluster that belongs to no cell", change: lease(func(l *result.Lease) { l.Cell = "" })},
		{ID: "lease-closed-before-the-tests", Wants: []string{result.ReasonJournalDamaged}, Imitates: "the cluster was gone when the results were recorded", change: events(func(d *draft) bool {
			return d.move(and(inTarget(d), closed), func() int { return d.first(d.ends(result.SuiteStarted)) })
		})},
		{ID: "lease-opened-again", Wants: []string{result.ReasonSuiteMissing}, Imitates: "the cluster was made anew after the tests, and nothing was tested on it", change: events(func(d *draft) bool {
			i := d.first(and(inTarget(d), opened))
			return i >= 0 && d.after(and(inTarget(d), closed), d.events[i])
		})},
		{ID: "lease-never-closed", Wants: left, Imitates: "the cluster was left behind", change: events(func(d *draft) bool { return d.drop(and(inTarget(d), closed)) })},
		{ID: "lease-of-another-name-closed", Wants: left, Imitates: "another cluster was removed than the one that was made", change: lease(func(l *result.Lease) { l.Name += "-b" })},
		{ID: "teardown-left-something", Wants: left, Imitates: "a volume could not be removed", change: events(func(d *draft) bool {
			return d.after(and(inTarget(d), closed), result.Event{Kind: result.Leftover, Cell: d.target().cell, Text: "volume data-0"})
		})},
		{ID: "run-left-something", Wants: left, Imitates: "a network that belongs to no cell could not be removed", change: events(func(d *draft) bool {
			return d.before(kind(result.RunEnded), result.Event{Kind: result.Leftover, Text: "network shared"})
		})},
		{ID: "cell-broke", Wants: []string{result.ReasonInfrastructure}, Imitates: "the container engine went away after the tests", change: events(func(d *draft) bool {
			return d.before(and(inTarget(d), stage(result.StageAfter)), result.Event{Kind: result.InfraFault, Cell: d.target().cell, Text: "the engine does not answer"})
		})},
		{ID: "cell-faulty-after-the-tests", Wants: []string{result.ReasonProductFault}, Imitates: "the control plane crashed after the tests", change: events(func(d *draft) bool {
			return d.after(stage(result.StageAfter), result.Event{Kind: result.ProductFault, Cell: d.target().cell, Text: "the API server exited with 2"})
		})},
		{ID: "run-broke", Wants: []string{result.ReasonInfrastructure}, Imitates: "something broke that belongs to no cell", change: events(func(d *draft) bool {
			return d.before(kind(result.RunEnded), result.Event{Kind: result.InfraFault, Text: "the disk is full"})
		})},
	}
}

// frames are runs that did not start, end or keep time as they should.
func frames() []Mutation {
	interrupted, plan, mixed := []string{result.ReasonInterrupted}, []string{result.ReasonPlanMismatch}, []string{result.ReasonRunMismatch}
	clock, damaged := []string{result.ReasonClockJumped}, []string{result.ReasonJournalDamaged}
	started, ended := kind(result.RunStarted), kind(result.RunEnded)
	end := func(text string) change {
		return events(func(d *draft) bool { return d.edit(ended, say(text)) })
	}
	resumed := func(how func(*result.Event)) change {
		return events(func(d *draft) bool {
			i := d.first(started)
			if i < 0 {
				return false
			}
			again := d.events[i]
			how(&again)
			return d.before(d.ends(result.SuiteStarted), again)
		})
	}
	return []Mutation{
		{ID: "run-never-ended", Wants: interrupted, Imitates: "the process was killed between its last result and its end", change: events(func(d *draft) bool { return d.drop(ended) })},
		{ID: "run-killed-halfway", Wants: interrupted, Imitates: "the process was killed in the middle of a suite", change: events(func(d *draft) bool {
			i := d.first(d.target().victim())
			d.events = d.events[:max(i, 0)]
			return i > 0
		})},
		{ID: "run-interrupted", Wants: interrupted, Imitates: "Ctrl-C was pressed after the last test", change: end(result.RunInterrupted("SIGINT"))},
		{ID: "run-terminated", Wants: interrupted, Imitates: "the job was stopped after the last test", change: end(result.RunInterrupted("SIGTERM"))},
		{ID: "run-hung-up", Wants: interrupted, Imitates: "a signal without an exit code of its own ended the run", change: end(result.RunInterrupted("SIGHUP"))},
		{ID: "run-stopped", Wants: interrupted, Imitates: "the journal could not be written for a time", change: end("stopped: writing the journal: no space left on device")},
		{ID: "run-ended-without-words", Wants: interrupted, Imitates: "the run ended and did not say how", change: end("")},
		{ID: "run-completed-almost", Wants: interrupted, Imitates: "the end only looks like that of a complete run", change: end("completed with errors")},
		{ID: "run-never-started", Wants: plan, Imitates: "results were recorded by something that never started a run", change: events(func(d *draft) bool { return d.drop(started) })},
		{ID: "run-started-too-late", Wants: append(damaged, mixed...), Imitates: "results are older than the run that they are said to be of", change: events(func(d *draft) bool { return d.move(started, func() int { return d.first(d.target().victim()) }) })},
		{ID: "run-ended-too-soon", Wants: damaged, Imitates: "the run was said to be complete while tests still ran", change: events(func(d *draft) bool { return d.move(ended, func() int { return d.first(d.target().victim()) }) })},
		{ID: "run-ended-twice", Wants: damaged, Imitates: "two processes said that they completed one run", change: events(func(d *draft) bool {
			return d.after(ended, result.Event{Kind: result.RunEnded, Text: result.RunComplete})
		})},
		{ID: "run-resumed-and-killed", Wants: interrupted, Imitates: "the run was resumed after its end, and killed", change: events(func(d *draft) bool {
			i := d.first(started)
			return i >= 0 && d.after(ended, d.events[i])
		})},
		{ID: "run-resumed-with-another-plan", Wants: plan, Imitates: "the second half followed another plan", change: resumed(func(e *result.Event) { e.Plan = otherDigest })},
		{ID: "run-resumed-with-another-release", Wants: plan, Imitates: "the second half tested another release", change: resumed(func(e *result.Event) { e.Release = otherDigest })},
		{ID: "run-resumed-as-another", Wants: mixed, Imitates: "the second half is that of another run", change: resumed(say(otherID))},
		{ID: "runs-joined", Wants: mixed, Imitates: "the journals of two runs were joined to one", change: events(joined)},
		{ID: "runs-mixed", Wants: []string{result.ReasonCaseDuplicate}, Imitates: "two runs wrote one journal and both reported every test", change: events(mixedRuns)},
		{ID: "results-after-the-end", Wants: damaged, Imitates: "a result was recorded after the run had ended", change: events(func(d *draft) bool {
			t := d.target()
			return d.after(ended, t.attempt(t.name(), 1, result.Pass))
		})},
		{ID: "clock-went-back", Wants: clock, Imitates: "the clock was set back by three hours in the middle of a suite", change: shift(-3 * time.Hour)},
		{ID: "clock-went-forward", Wants: clock, Imitates: "the clock was set, or the machine slept, for a day in the middle of a suite", change: shift(24 * time.Hour)},
		{ID: "clock-stood-at-zero", Wants: clock, Imitates: "the second half carries no times", change: events(func(d *draft) bool {
			return d.edit(and(d.target().in(), kind(result.SuiteEnded)), func(e *result.Event) { e.Time = time.Time{} })
		})},
	}
}

// shift moves the clock from the victim on.
func shift(by time.Duration) change {
	return events(func(d *draft) bool {
		i := d.first(d.target().victim())
		for k := max(i, 0); k < len(d.events); k++ {
			d.events[k].Time = d.events[k].Time.Add(by)
		}
		return i > 0
	})
}

// joined appends the run as another one, made later.
func joined(d *draft) bool {
	n := len(d.events)
	if n == 0 {
		return false
	}
	later := d.events[n-1].Time.Sub(d.events[0].Time) + time.Hour
	var second draft
	for _, e := range d.events {
		e.Time = e.Time.Add(later)
		if e.Lease != nil {
			l := *e.Lease
			e.Lease = &l
		}
		second.events = append(second.events, e)
	}
	second.otherRun(otherID)
	d.events = append(d.events, second.events...)
	return true
}

// mixedRuns reports every result of the target twice.
func mixedRuns(d *draft) bool {
	var twice []result.Event
	for _, e := range d.events {
		twice = append(twice, e)
		if d.target().cases()(e) {
			twice = append(twice, e)
		}
	}
	d.events = slices.Clip(twice)
	return true
}
