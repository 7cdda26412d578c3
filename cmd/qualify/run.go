package main

import (
	"context"
	"fmt"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/qualify-dev/qualify/internal/release"
	"github.com/qualify-dev/qualify/internal/run"
	"github.com/qualify-dev/qualify/matrix"
)

// stopping is said at the first signal.
const stopping = "stopping: a second signal ends at once, and leaves the rest to qualify resume or qualify gc"

// runOptions are the flags of run.
type runOptions struct {
	w                            wiring
	os, k8s, provisioner, suites []string
	file, release, results       string
	policy                       string
	workers, retries             int
	how                          manner
	noLive                       bool
}

// manner is how a plan is executed. It is recorded with the run, since a
// resume goes on in the same manner.
type manner struct {
	Procs   int           `json:"procs"` // of a suite
	Keep    bool          `json:"keep"`
	Collect bool          `json:"collect"`
	Grace   time.Duration `json:"grace"` // ns
	// Inventory is the absolute path of the file that lists the machines.
	Inventory string `json:"inventory,omitempty"`
}

// flags adds those that say in what manner.
func (m *manner) flags(f *pflag.FlagSet) {
	f.IntVar(&m.Procs, "procs", 6, "processes of a suite; specs mostly wait, so more than cores is right")
	f.BoolVar(&m.Keep, "keep", false, "keep the clusters, and say how to reach and how to remove them")
	f.BoolVar(&m.Collect, "collect", false, "collect the nodes' logs of passing cells too")
	f.StringVar(&m.Inventory, "inventory", "", "file that lists the machines of the provisioner baremetal, and how each is reached by SSH")
	f.DurationVar(&m.Grace, "grace", 5*time.Minute, "after a first SIGINT or SIGTERM, time for collecting logs and tearing down")
}

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
	case m.Grace <= 0:
		return usagef("--grace is %s, and is more than nothing", m.Grace)
	}
	return nil
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
	policyFlag(cmd, &o.policy, "policy file: what is tolerated (default: nothing, matrix/policy/default.yaml)")
	f.IntVar(&o.workers, "workers", 0, "worker nodes beside the control plane (default: the matrix's)")
	f.IntVar(&o.retries, "retries", 1, "how often a cell is tried again, with new resources, after a fault of the infrastructure")
	o.how.flags(f)
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
	defer context.AfterFunc(cmd.Context(), func() { ui.line(stopping) })()
	for _, warning := range chosen.matrix.Warnings {
		ui.line("warning: " + warning.String())
	}
	w, err := o.w.workshop()
	if err != nil {
		return err
	}
	w.store.Log = o.w.sink.Logger(ui)
	plan, releases, err := o.compile(cmd.Context(), w, chosen, ui)
	if err != nil {
		return blameEnvironment(err, used)
	}
	x := execution{workshop: w, plan: plan, releases: releases, how: o.how, ui: ui}
	if _, err := x.made(); err != nil {
		return blameEnvironment(err, used) // before anything is created
	}
	dir, err := o.w.newRunDirectory(o.results, plan, o.info(cmd.Context(), used))
	if err != nil {
		return err
	}
	return x.work(cmd, dir)
}

// compile resolves the releases, which may mean building them, and compiles
// the plan.
func (o *runOptions) compile(ctx context.Context, w workshop, s selected, ui console) (run.Plan, map[string]*release.Release, error) {
	byVersion, byDigest, sources := map[string]*release.Release{}, map[string]*release.Release{}, map[string]string{}
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
		if sources[rel.Digest()], err = lasting(value.Release); err != nil {
			return run.Plan{}, nil, err
		}
	}
	workers := o.workers
	if workers == 0 {
		workers = s.matrix.Workers
	}
	plan, err := run.Compile(run.Compilation{
		Cells: s.cells, Excluded: s.excluded, Workers: workers, Suites: o.suiteNames(s.matrix), Releases: byVersion,
		Sources: sources, Retries: o.retries, Policy: policyOf(s.policy), Entries: s.entries, Suite: w.suite,
	})
	if err != nil {
		return run.Plan{}, nil, &usageError{err}
	}
	return plan, byDigest, s.fits(plan)
}

// lasting is a reference that means the same in another working directory.
func lasting(text string) (string, error) {
	ref, err := release.ParseRef(text)
	if err != nil {
		return "", &usageError{err}
	}
	if ref.Kind != release.PathRef && ref.Kind != release.DirectoryRef {
		return text, nil
	}
	path, err := filepath.Abs(ref.Value)
	if err != nil {
		return "", fmt.Errorf("release %s: %w", text, err)
	}
	return path, nil
}
