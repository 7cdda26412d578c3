package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"runtime"

	"github.com/spf13/cobra"

	"github.com/qualify-dev/qualify/internal/bootstrap"
	"github.com/qualify-dev/qualify/internal/claim"
	"github.com/qualify-dev/qualify/internal/identity"
	"github.com/qualify-dev/qualify/internal/provision"
	"github.com/qualify-dev/qualify/internal/release"
	"github.com/qualify-dev/qualify/internal/report"
	"github.com/qualify-dev/qualify/internal/result"
	"github.com/qualify-dev/qualify/internal/run"
	"github.com/qualify-dev/qualify/matrix"
)

// execution is what a run is executed with, by run and by resume.
type execution struct {
	workshop
	plan     run.Plan
	releases map[string]*release.Release // by digest
	how      manner
	ui       console
}

// work executes what is left of the plan in the run's directory, and judges
// what was recorded, also of a run that could not record everything. That one
// is said, and proves nothing that is good.
func (x execution) work(cmd *cobra.Command, dir runDirectory) error {
	hold, err := holdOn(dir)
	if err != nil {
		return err
	}
	if err := x.learn(dir); err != nil {
		return errors.Join(err, hold.end())
	}
	x.ui.begin(dir.id, x.plan, hold.past)
	failed := x.execute(cmd.Context(), hold)
	x.ui.close()
	var lost *claim.LostError
	if errors.As(failed, &lost) {
		return errors.Join(failed, hold.end()) // what the run shows is the other process's to say
	}
	failed = errors.Join(failed, hold.end())
	err = conclude(cmd, x.wiring, dir)
	if failed == nil {
		return err
	}
	var verdict *verdictError
	if errors.As(err, &verdict) {
		fmt.Fprintln(cmd.ErrOrStderr(), "qualify: "+report.Console(failed.Error()))
		return err
	}
	return errors.Join(failed, err)
}

// learn registers the secrets of the clusters that earlier processes of the run
// made: what is said of them from here on must not show any.
func (x execution) learn(dir runDirectory) error {
	kubeconfigs, err := filepath.Glob(dir.file(filepath.Join("cells", "*", "kubeconfig")))
	for _, file := range kubeconfigs {
		err = errors.Join(err, x.sink.Kubeconfig(file))
	}
	return err
}

// made are the provisioners that the plan asks for. Nothing is touched by
// making them, so it shows what is wrong with their settings.
func (x execution) made() (map[string]provision.Provisioner, error) {
	var names []string
	for _, c := range x.plan.Cells {
		names = append(names, c.Values[matrix.Provisioner])
	}
	return x.provisioners(names, x.how, func(format string, args ...any) { x.ui.line(fmt.Sprintf(format, args...)) })
}

func (x execution) execute(ctx context.Context, hold *hold) error {
	capacity := map[string]int{}
	for _, c := range x.plan.Cells {
		name := c.Values[matrix.Provisioner]
		entry, err := x.entry(name)
		if err != nil {
			return err
		}
		room := entry.RoomFor(1 + x.plan.Workers)
		if x.how.Parallel > 0 {
			room = provision.Room{Cells: x.how.Parallel, Why: "--parallel"}
		}
		if _, again := capacity[name]; !again && len(x.plan.Cells) > 1 {
			x.ui.line(fmt.Sprintf("at most %d cell(s) of %s at a time: %s", room.Cells, name, room.Why))
		}
		capacity[name] = room.Cells
	}
	provisioners, err := x.made()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	go hold.claim.Keep(ctx, cancel)
	return run.Execute(ctx, x.plan, run.Deps{
		Run: hold.dir.id, Dir: hold.dir.path, Owner: owner(), Journal: hold.journal, Past: hold.past, Relieve: hold.reserve.free,
		Provisioners: provisioners, Capacity: capacity, Releases: x.releases, Suite: x.suite,
		Prover: identity.Prover{Image: x.image, Program: x.store.Program, Arch: runtime.GOARCH}, Shortage: bootstrap.Shortage, Artifact: x.artifact, Tool: tool,
		Conformance: x.conformance, Sonobuoy: x.sonobuoy, Say: x.ui.line,
		Sink: x.sink, Procs: x.how.Procs, Keep: x.how.Keep, Collect: x.how.Collect, Grace: x.how.Grace, Now: now, Observe: x.ui.event,
	})
}

// hold is this process's hold on a run's directory: nobody else works on it,
// the journal is open, and there is space for the last words.
type hold struct {
	dir     runDirectory
	claim   *claim.Claim
	reserve *reserve
	journal *result.Journal
	past    []result.Event
}

// holdOn claims a run's directory and opens its journal. The error is a
// usageError where another process works on the run.
func holdOn(dir runDirectory) (*hold, error) {
	c, err := claim.Take(dir.path, claim.Options{Owner: owner()})
	var busy *claim.BusyError
	if errors.As(err, &busy) {
		return nil, &usageError{err}
	}
	if err != nil {
		return nil, err
	}
	h := &hold{dir: dir, claim: c}
	if h.reserve, err = setAside(dir.file(".reserve")); err != nil {
		return nil, errors.Join(err, c.Release())
	}
	if h.journal, h.past, err = result.Open(dir.file("journal.jsonl"), now); err != nil {
		return nil, errors.Join(err, h.reserve.remove(), c.Release())
	}
	h.journal.Guard(c.Held)
	return h, nil
}

// end lets go of the directory.
func (h *hold) end() error {
	return errors.Join(h.journal.Close(), h.reserve.remove(), h.claim.Release())
}
