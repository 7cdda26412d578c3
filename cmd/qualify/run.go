package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/qualify-dev/qualify/internal/release"
	"github.com/qualify-dev/qualify/internal/result"
	"github.com/qualify-dev/qualify/internal/run"
	"github.com/qualify-dev/qualify/matrix"
)

// stopping is said at the first signal.
const stopping = "stopping: a second signal ends at once, and leaves the rest to qualify resume or qualify gc"

// runOptions are the flags of run.
type runOptions struct {
	w wiring
	choice
	results string
	how     manner
	noLive  bool
}

// manner is how a plan is executed. It is recorded with the run, since a
// resume goes on in the same manner.
type manner struct {
	Procs int `json:"procs"` // of a suite
	// Parallel is how many cells of a provisioner are worked on at a time; 0
	// leaves it to the provisioner.
	Parallel int           `json:"parallel,omitempty"`
	Keep     bool          `json:"keep"`
	Collect  bool          `json:"collect"`
	Grace    time.Duration `json:"grace"` // ns
	// Inventory is the absolute path of the file that lists the machines.
	Inventory string `json:"inventory,omitempty"`
	// TrustNewHostKeys accepts machines that nobody has vouched for.
	TrustNewHostKeys bool `json:"trustNewHostKeys,omitempty"`
	// Kubeconfig and Context name a cluster that the user made.
	Kubeconfig string `json:"kubeconfig,omitempty"`
	Context    string `json:"context,omitempty"`
}

// flags adds those that say in what manner.
func (m *manner) flags(f *pflag.FlagSet) {
	f.IntVar(&m.Procs, "procs", 6, "processes of a suite; specs mostly wait, so more than cores is right")
	f.IntVar(&m.Parallel, "parallel", 0, "cells of a provisioner at a time (default: as many as this machine takes; 1: one after the other)")
	f.BoolVar(&m.Keep, "keep", false, "keep the clusters, and say how to reach and how to remove them")
	f.BoolVar(&m.Collect, "collect", false, "collect the nodes' logs of passing cells too")
	f.StringVar(&m.Inventory, "inventory", "", "file that lists the machines of the provisioner baremetal, and how each is reached by SSH")
	f.BoolVar(&m.TrustNewHostKeys, "trust-new-host-keys", false, trustHelp)
	f.StringVar(&m.Kubeconfig, "kubeconfig", "", "with --provisioner existing: the kubeconfig of the cluster, which is tested and left as it was")
	f.StringVar(&m.Context, "context", "", "with --provisioner existing: the context in it (default: its current one)")
	f.DurationVar(&m.Grace, "grace", 5*time.Minute, "after a first SIGINT or SIGTERM, time for collecting logs and tearing down")
}

// trustHelp says what --trust-new-host-keys does.
const trustHelp = "accept machines of the inventory that its knownHosts file lacks, and add them to it; which they were goes into the notes of the verdict"

// settle makes the paths such that they mean the same in another working
// directory, and refuses what makes no sense.
func (m *manner) settle() error {
	if m.Inventory != "" {
		path, err := filepath.Abs(m.Inventory)
		if err != nil {
			return fmt.Errorf("inventory %s: %w", m.Inventory, err)
		}
		m.Inventory = path
	}
	switch {
	case m.Procs < 1:
		return usagef("--procs is %d, and is at least 1", m.Procs)
	case m.Parallel < 0:
		return usagef("--parallel is %d, and is at least 1, or 0 for as many as the machine takes", m.Parallel)
	case m.Context != "" && m.Kubeconfig == "":
		return usagef("--context says which cluster of a kubeconfig is meant: name that with --kubeconfig")
	case m.TrustNewHostKeys && m.Inventory == "":
		return usagef("--trust-new-host-keys is about the machines of an inventory: name that with --inventory")
	case m.Grace <= 0:
		return usagef("--grace is %s, and is more than nothing", m.Grace)
	}
	return nil
}

func newRunCommand(w wiring) *cobra.Command {
	return newRunCommandOf(&runOptions{w: w})
}

func newRunCommandOf(o *runOptions) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "run [PLAN]",
		Short: "Qualify the selected cells of the matrix (also what happens without a verb)",
		Long: `run resolves the releases of the selected cells, brings a cluster up for each,
proves that it runs that release, runs the suites in it, and judges what it saw.
With a plan that qualify plan -o json saved, it executes exactly that.

` + environmentHelp + `
` + exitTable,
		Example: `  qualify --os debian-12 --k8s 1.34
  qualify --os debian --k8s 1.33,1.34 --keep
  qualify --os debian-11 --k8s 1.34 --containerd v1.7.32
  qualify --os debian-12 --release ./candidate/kubernetes-v1.34.4-source.yaml
  qualify run plan.json
  QUALIFY_RESULTS=/srv/results qualify --os debian-12 --k8s latest`,
		Args: atMostOneArg("a saved plan"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 1 {
				return o.runSaved(cmd, args[0])
			}
			return o.run(cmd)
		},
	}
	o.flags(cmd)
	o.how.flags(cmd.Flags())
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
	w, err := o.w.workshop()
	if err != nil {
		return err
	}
	if err := errors.Join(w.publishedAt(o.baseURL), w.imagesFrom(o.imageRegistry)); err != nil {
		return blameEnvironment(err, used)
	}
	chosen, err := o.selectCells(cmd.Context(), w)
	if err != nil {
		return blameEnvironment(err, used)
	}
	return o.execute(cmd, w, used, func(ui console) (run.Plan, releases, error) {
		for _, warning := range chosen.warnings() {
			ui.line("warning: " + warning.String())
		}
		for _, cell := range chosen.leftOut() {
			ui.line(cell)
		}
		return o.compile(cmd.Context(), w, chosen, ui)
	})
}

// releases are the candidates of a plan, by digest.
type releases = map[string]*release.Release

// execute makes a plan, whatever that takes, and runs it.
func (o *runOptions) execute(cmd *cobra.Command, w workshop, used []string, compile func(console) (run.Plan, releases, error)) error {
	ui := o.w.newConsole(cmd.ErrOrStderr(), o.noLive)
	defer ui.close()
	defer context.AfterFunc(cmd.Context(), func() { ui.line(stopping) })()
	w.store.Log, w.store.AllowUnbound = o.w.sink.Logger(ui), o.allowUnbound
	plan, releases, err := compile(ui)
	if err != nil {
		return blameEnvironment(err, used)
	}
	x := execution{workshop: w, plan: plan, releases: releases, how: o.how, ui: ui}
	if _, err := x.made(); err != nil {
		return blameEnvironment(err, used) // before anything is created
	}
	dir, err := o.w.newRunDirectory(o.results, plan, o.info(cmd.Context(), used, plan))
	if err != nil {
		return err
	}
	return x.work(cmd, dir)
}

// gathered are the releases that were resolved so far.
type gathered struct {
	byVersion, byDigest releases
	sources             map[string]string // by digest
	parts               map[result.ComponentRef]*release.Release
}

func newGathered() gathered {
	return gathered{byVersion: releases{}, byDigest: releases{}, sources: map[string]string{}, parts: map[result.ComponentRef]*release.Release{}}
}

// gather resolves the release of a version, which may mean building it.
func (g gathered) gather(ctx context.Context, w workshop, version, ref string, ui console) error {
	if g.byVersion[version] != nil {
		return nil
	}
	rel, err := w.resolve(ctx, ref, ui.step)
	if err != nil {
		return err
	}
	g.byVersion[version], g.byDigest[rel.Digest()] = rel, rel
	g.sources[rel.Digest()], err = w.lasting(ctx, ref)
	return err
}

// components builds what a cell's nodes are given beside its release.
func (g gathered) components(ctx context.Context, w workshop, version string, parts []result.ComponentRef, ui console) error {
	for _, part := range parts {
		part.Digest = "" // of a saved plan: what is built now is compared with it
		if g.parts[part] != nil {
			continue
		}
		built, err := w.component(ctx, part, g.byVersion[version], ui.step)
		if err != nil {
			return err
		}
		g.parts[part], g.byDigest[built.Digest()] = built, built
	}
	return nil
}

// compile resolves the releases and compiles the plan.
func (o *runOptions) compile(ctx context.Context, w workshop, s selected, ui console) (run.Plan, releases, error) {
	g := newGathered()
	for _, cell := range s.Cells {
		version := cell.Value(matrix.K8s)
		value, ok := s.matrix.Value(matrix.K8s, version)
		if !ok || value.Release == "" {
			return run.Plan{}, nil, usagef("the matrix does not say where the release of Kubernetes %s comes from", version)
		}
		if err := g.gather(ctx, w, version, value.Release, ui); err != nil {
			return run.Plan{}, nil, err
		}
	}
	if err := run.Bound(g.byVersion); err != nil && !o.allowUnbound {
		return run.Plan{}, nil, &usageError{err} // before anything is built for it
	}
	c := run.Compilation{
		Cells: s.Cells, Excluded: s.Excluded, Absent: s.absent, Forced: s.Forced, Components: g.parts, Workers: o.workersOf(s.matrix), Suites: s.suites, Modes: o.modes(), Releases: g.byVersion,
		Sources: g.sources, Retries: o.retries, Reruns: o.reruns, AllowUnbound: o.allowUnbound, Policy: policyOf(s.policy), Entries: s.entries, Suite: w.suite,
	}
	c.MadeImages = o.decideImages(ctx, c)
	for _, cell := range s.Cells {
		if err := g.components(ctx, w, cell.Value(matrix.K8s), c.ComponentsOf(cell), ui); err != nil {
			return run.Plan{}, nil, err
		}
	}
	plan, err := run.Compile(c)
	if err != nil {
		return run.Plan{}, nil, &usageError{err}
	}
	plan.AsOf, plan.Matrix = s.request.AsOf, s.matrix.File
	if plan.Guarantee, err = s.guaranteed(ctx, plan); err != nil {
		return run.Plan{}, nil, err
	}
	if plan, err = plan.Divided(o.clusters, g.byVersion, w.suite); err != nil {
		return run.Plan{}, nil, &usageError{err}
	}
	if plan, err = plan.Sealed(); err != nil {
		return run.Plan{}, nil, err
	}
	return plan, g.byDigest, s.fits(plan)
}
