package main

import (
	"context"
	"errors"
	"fmt"
	"runtime"

	"github.com/spf13/cobra"

	"github.com/qualify-dev/qualify/internal/identity"
	"github.com/qualify-dev/qualify/internal/release"
	"github.com/qualify-dev/qualify/internal/report"
	"github.com/qualify-dev/qualify/internal/result"
	"github.com/qualify-dev/qualify/internal/run"
	"github.com/qualify-dev/qualify/matrix"
)

// runOptions are the flags of run.
type runOptions struct {
	w                            wiring
	os, k8s, provisioner, suites []string
	file, release, results       string
	workers, procs               int
	keep, collect, noLive        bool
}

func newRunCommand(w wiring) *cobra.Command {
	o := runOptions{w: w}
	cmd := &cobra.Command{
		Use:   "run",
		Short: "Qualify the selected cells of the matrix (also what happens without a verb)",
		Long: `run resolves the releases of the selected cells, brings a cluster up for each,
proves that it runs that release, runs the suites in it, and judges what it saw.

` + environmentHelp + `
` + exitTable,
		Example: `  qualify --os debian-12 --k8s 1.34
  qualify --os debian --k8s 1.33,1.34 --keep
  qualify --os debian-12 --release ./candidate/kubernetes-v1.34.4-source.yaml
  QUALIFY_RESULTS=/srv/results qualify --os debian-12 --k8s latest`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return o.run(cmd) },
	}
	f := cmd.Flags()
	f.StringSliceVar(&o.os, "os", nil, "operating systems, by name or family (repeatable, comma-separated)")
	f.StringSliceVar(&o.k8s, "k8s", nil, "Kubernetes versions: 1.34, v1.34.4, latest, n-1 (repeatable, comma-separated)")
	f.StringSliceVar(&o.provisioner, "provisioner", nil, "provisioners (repeatable, comma-separated)")
	f.StringSliceVar(&o.suites, "suite", nil, "suites to run instead of the matrix's (repeatable, comma-separated)")
	f.StringVarP(&o.file, "file", "f", "", "matrix file (default: the shipped matrix/default.yaml)")
	f.StringVar(&o.release, "release", "", "qualify this release: a manifest, the directory that holds it, or source:v1.34.4")
	f.IntVar(&o.workers, "workers", 0, "worker nodes beside the control plane (default: the matrix's)")
	f.IntVar(&o.procs, "procs", 6, "processes of a suite; specs mostly wait, so more than cores is right")
	f.BoolVar(&o.keep, "keep", false, "keep the clusters, and say how to reach and how to remove them")
	f.BoolVar(&o.collect, "collect", false, "collect the nodes' logs of passing cells too")
	resultsFlag(cmd, &o.results)
	noLiveFlag(cmd, &o.noLive)
	o.complete(cmd)
	return cmd
}

func (o *runOptions) run(cmd *cobra.Command) error {
	used, err := o.w.fromEnvironment(cmd)
	if err != nil {
		return err
	}
	chosen, err := o.selectCells()
	if err != nil {
		return blameEnvironment(err, used)
	}
	ui := o.w.newConsole(cmd.ErrOrStderr(), o.noLive)
	defer ui.close()
	defer context.AfterFunc(cmd.Context(), func() {
		ui.line("stopping: a second signal ends at once, and leaves the rest to qualify gc")
	})()
	for _, warning := range chosen.matrix.Warnings {
		ui.line("warning: " + warning.String())
	}
	w, err := o.w.workshop()
	if err != nil {
		return err
	}
	plan, releases, err := o.compile(cmd.Context(), w, chosen, ui)
	if err != nil {
		return blameEnvironment(err, used)
	}
	dir, err := newRunDirectory(o.results, plan, o.info(cmd.Context(), used))
	if err != nil {
		return err
	}
	journal, err := result.Create(dir.file("journal.jsonl"), now)
	if err != nil {
		return err
	}
	ui.begin(dir.id, plan)
	err = errors.Join(o.execute(cmd.Context(), execution{w, plan, releases, dir, journal, ui}), journal.Close())
	ui.close()
	return o.conclude(cmd, dir, err)
}

// compile resolves the releases, which may mean building them, and compiles
// the plan.
func (o *runOptions) compile(ctx context.Context, w workshop, s selected, ui console) (run.Plan, map[string]*release.Release, error) {
	byVersion, byDigest := map[string]*release.Release{}, map[string]*release.Release{}
	for _, cell := range s.cells {
		version := cell.Value(matrix.K8s)
		if byVersion[version] != nil {
			continue
		}
		value, ok := s.matrix.Value(matrix.K8s, version)
		if !ok || value.Release == "" {
			return run.Plan{}, nil, usagef("the matrix does not say where the release of Kubernetes %s comes from", version)
		}
		rel, err := w.resolve(ctx, value.Release, ui.step)
		if err != nil {
			return run.Plan{}, nil, err
		}
		byVersion[version], byDigest[rel.Digest()] = rel, rel
	}
	workers := o.workers
	if workers == 0 {
		workers = s.matrix.Workers
	}
	plan, err := run.Compile(run.Compilation{
		Cells: s.cells, Excluded: s.excluded, Workers: workers, Suites: o.suiteNames(s.matrix), Releases: byVersion,
		Entries: s.entries, Suite: w.suite,
	})
	if err != nil {
		return run.Plan{}, nil, &usageError{err}
	}
	return plan, byDigest, nil
}

// execution is what a run is executed with.
type execution struct {
	workshop
	plan     run.Plan
	releases map[string]*release.Release
	dir      runDirectory
	journal  *result.Journal
	ui       console
}

func (o *runOptions) execute(ctx context.Context, x execution) error {
	var names []string
	for _, c := range x.plan.Cells {
		names = append(names, c.Values[matrix.Provisioner])
	}
	provisioners, err := x.provisioners(names, func(format string, args ...any) { x.ui.line(fmt.Sprintf(format, args...)) })
	if err != nil {
		return err
	}
	return run.Execute(ctx, x.plan, run.Deps{
		Run: x.dir.id, Dir: x.dir.path, Owner: owner(), Journal: x.journal, Provisioners: provisioners, Releases: x.releases, Suite: x.suite,
		Prover: identity.Prover{Artifact: x.artifact, Arch: runtime.GOARCH}, Artifact: x.artifact, Tool: tool,
		Procs: o.procs, Keep: o.keep, Collect: o.collect, Now: now, Observe: x.ui.event,
	})
}

// conclude judges what was recorded, also of a run that could not record
// everything. That one is said, and proves nothing that is good.
func (o *runOptions) conclude(cmd *cobra.Command, dir runDirectory, failed error) error {
	err := conclude(cmd, o.w, dir)
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
