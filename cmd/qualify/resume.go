package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/qualify-dev/qualify/internal/release"
	"github.com/qualify-dev/qualify/internal/run"
	"github.com/qualify-dev/qualify/matrix"
	"github.com/qualify-dev/qualify/suites"
)

// resumeOptions are the flags of resume.
type resumeOptions struct {
	w       wiring
	results string
	how     manner
	noLive  bool
}

func newResumeCommand(w wiring) *cobra.Command {
	o := resumeOptions{w: w}
	cmd := &cobra.Command{
		Use:   "resume RUN",
		Short: "Go on with a run that was killed or interrupted, or that the infrastructure failed",
		Long: `resume takes a run over whose process has ended, however it ended, and goes on
where its journal stops. Cells that are finished are not run again. A cluster that
was proven to be the release is taken over and proven again, and what its suites
had not shown is run; one that was half-made is removed and made again. Cells that
the infrastructure failed are tried again.

It goes on in the manner of the run, unless a flag says otherwise.

` + exitTable,
		Args: oneArg("a run directory, a run id or latest"),
		RunE: func(cmd *cobra.Command, args []string) error { return o.resume(cmd, args[0]) },
	}
	cmd.ValidArgsFunction = completeRuns(&o.results)
	o.how.flags(cmd.Flags())
	resultsFlag(cmd, &o.results)
	noLiveFlag(cmd, &o.noLive)
	return cmd
}

func (o *resumeOptions) resume(cmd *cobra.Command, name string) error {
	if _, err := o.w.fromEnvironment(cmd); err != nil {
		return err
	}
	r, err := openRun(o.results, name)
	if err != nil {
		return err
	}
	how := o.manner(cmd, r.info)
	if err := how.settle(); err != nil {
		return err
	}
	ui := o.w.newConsole(cmd.ErrOrStderr(), o.noLive)
	defer ui.close()
	defer context.AfterFunc(cmd.Context(), func() { ui.line(stopping) })()
	w, err := o.w.workshop()
	if err != nil {
		return err
	}
	// That they are unbound was accepted when the plan was made.
	w.store.Log, w.store.AllowUnbound = o.w.sink.Logger(ui), len(r.plan.Unbound) > 0
	if err := w.serves(r.plan); err != nil {
		return err
	}
	releases, err := w.releasesOf(cmd.Context(), r.plan, ui)
	if err != nil {
		return err
	}
	return execution{workshop: w, plan: r.plan, releases: releases, how: how, ui: ui}.work(cmd, r.dir)
}

// manner is the run's own, with what the flags change of it.
func (o *resumeOptions) manner(cmd *cobra.Command, info runInfo) manner {
	how := info.How
	if how == (manner{}) {
		return o.how // of a run from before it was recorded
	}
	cmd.Flags().Visit(func(f *pflag.Flag) {
		switch f.Name {
		case "procs":
			how.Procs = o.how.Procs
		case "parallel":
			how.Parallel = o.how.Parallel
		case "keep":
			how.Keep = o.how.Keep
		case "collect":
			how.Collect = o.how.Collect
		case "grace":
			how.Grace = o.how.Grace
		case "inventory":
			how.Inventory = o.how.Inventory
		case "trust-new-host-keys":
			how.TrustNewHostKeys = o.how.TrustNewHostKeys
		case "kubeconfig":
			how.Kubeconfig = o.how.Kubeconfig
		case "context":
			how.Context = o.how.Context
		}
	})
	return how
}

// serves refuses a plan that this program cannot execute.
func (w workshop) serves(plan run.Plan) error {
	for _, cell := range plan.Cells {
		entry, err := w.entry(cell.Values[matrix.Provisioner])
		if err == nil {
			err = entry.Can(matrix.Cell{ID: cell.ID, Values: cell.Values})
		}
		for _, s := range cell.Suites {
			if err != nil {
				break
			}
			var suite suites.Suite
			if suite, err = w.suite(s.Name); err == nil && s.Mode != "" {
				_, err = suite.In(s.Mode)
			}
			if err == nil {
				_, err = suite.By(s.Backend)
			}
		}
		if err != nil {
			return usagef("cell %s cannot be resumed: %w", cell.ID, err)
		}
	}
	return nil
}

// releasesOf takes the releases of a plan from where they were taken when it
// was made, and makes sure that they are the same.
func (w workshop) releasesOf(ctx context.Context, plan run.Plan, ui console) (map[string]*release.Release, error) {
	releases := map[string]*release.Release{}
	for _, cell := range plan.Cells {
		digest := cell.Release.Digest
		if releases[digest] != nil {
			continue
		}
		from := plan.Sources[digest]
		if from == "" {
			return nil, usagef("the plan does not say where the release %s came from: start a new run", cell.Release.Name)
		}
		rel, err := w.resolve(ctx, from, ui.step)
		if err != nil {
			return nil, fmt.Errorf("resuming: %w", err)
		}
		if rel.Digest() != digest {
			return nil, fmt.Errorf("resuming: %s is no longer the release of the plan: it has digest %s, the plan is for %s; start a new run", from, rel.Digest(), digest)
		}
		releases[digest] = rel
	}
	for _, cell := range plan.Cells {
		for _, part := range cell.Components {
			if releases[part.Digest] != nil {
				continue
			}
			built, err := w.component(ctx, part, releases[cell.Release.Digest], ui.step)
			if err != nil {
				return nil, fmt.Errorf("resuming: %w", err)
			}
			if built.Digest() != part.Digest {
				return nil, fmt.Errorf("resuming: %s %s is no longer that of the plan: it has digest %s, the plan is for %s; start a new run", part.Name, part.Version, built.Digest(), part.Digest)
			}
			releases[part.Digest] = built
		}
	}
	return releases, nil
}
