package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/qualify-dev/qualify/internal/planning"
	"github.com/qualify-dev/qualify/internal/provision"
	"github.com/qualify-dev/qualify/internal/result"
	"github.com/qualify-dev/qualify/internal/run"
	"github.com/qualify-dev/qualify/matrix"
)

// planOptions are the flags of plan.
type planOptions struct {
	runOptions
	format, explain, order, shard string
	changedSince                  string
	maxTime                       time.Duration
	maxCost                       float64
	github, verify                bool
}

func newPlanCommand(w wiring) *cobra.Command {
	o := planOptions{runOptions: runOptions{w: w}}
	cmd := &cobra.Command{
		Use:   "plan",
		Short: "Show what would be run, what would not and why, and what it would cost; creates nothing",
		Long: `plan shows the cells that run would qualify, with their suites and an estimate of
time and cost, and every combination that would not be run, with its reason.
It builds, fetches and creates nothing, and needs no cluster.

A plan that was saved, with -o json, can be run: qualify run plan.json executes
exactly it, and the verdict names its hash.

` + environmentHelp,
		Example: `  qualify plan
  qualify plan -f eks-distro --os ubuntu --k8s 1.34 -o markdown
  qualify plan --explain debian-12-v1-34-4-kind
  qualify plan -f eks-distro --strength 2 --verify
  qualify plan --max-time 2h --shard 2/5 -o json > plan.json
  qualify plan --release eks-d:1-34-21 --changed-since eks-d:1-34-20
  qualify plan --github`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return o.run(cmd) },
	}
	o.flags(cmd)
	f := cmd.Flags()
	f.StringVarP(&o.format, "output", "o", "table", "output format: table, json, yaml or markdown")
	f.StringVar(&o.explain, "explain", "", "say why a cell is run or not: its id, the beginning of it, or os=…,k8s=…")
	f.StringVar(&o.changedSince, "changed-since", "", "leave out cells that have nothing of what changed since this release, and that an earlier run found qualified with it")
	f.StringVar(&o.order, "order", planning.ByRisk, "order of the cells: "+strings.Join(planning.Orders(), ", "))
	f.DurationVar(&o.maxTime, "max-time", 0, "leave cells out that do not fit into this time, one after the other")
	f.Float64Var(&o.maxCost, "max-cost", 0, "leave cells out that do not fit into this sum, in USD")
	f.StringVar(&o.shard, "shard", "", "only one part of the plan, e.g. 2/5, all parts of about the same time")
	f.BoolVar(&o.github, "github", false, "print a job matrix for GitHub Actions, at most 256 jobs, each with its cells for --only")
	f.BoolVar(&o.verify, "verify", false, "have the guarantee checked by a checker that shares nothing with what made the plan")
	resultsFlag(cmd, &o.results)
	o.complete(cmd)
	completeFlag(cmd, "output", func(string) []string { return []string{"table", "json", "yaml", "markdown"} })
	completeFlag(cmd, "order", func(string) []string { return planning.Orders() })
	return cmd
}

func (o *planOptions) run(cmd *cobra.Command) error {
	used, err := o.w.fromEnvironment(cmd)
	if err != nil {
		return err
	}
	if err := o.checkFlags(); err != nil {
		return err
	}
	if o.explain != "" {
		return blameEnvironment(o.runExplain(cmd), used)
	}
	plan, s, err := o.plan(cmd.Context(), func(text string) { fmt.Fprintln(cmd.ErrOrStderr(), "warning: "+text) })
	if err != nil {
		return blameEnvironment(err, used)
	}
	if err := o.w.plain(plan); err != nil {
		return err
	}
	if o.github {
		line, err := json.Marshal(planning.GitHub(plan)) // on one line, as $GITHUB_OUTPUT wants it
		if err != nil {
			return err
		}
		_, err = fmt.Fprintf(cmd.OutOrStdout(), "%s\n", line)
		return err
	}
	if o.format == "markdown" {
		_, err := fmt.Fprint(cmd.OutOrStdout(), planMarkdown(plan, s.counts()))
		return err
	}
	return printAs(cmd.OutOrStdout(), o.format, plan, func() string { return planTable(plan, s.counts()) })
}

func (o *planOptions) checkFlags() error {
	switch {
	case !slices.Contains([]string{"table", "json", "yaml", "markdown"}, o.format):
		return usagef("unknown output format %q: use table, json, yaml or markdown", o.format)
	case o.maxTime < 0 || o.maxCost < 0:
		return usagef("--max-time and --max-cost cannot be negative")
	case o.maxTime > 0 && o.maxTime < time.Second:
		return usagef("--max-time is %s, and is a second at least", o.maxTime)
	}
	return nil
}

// plan makes the plan of the chosen cells. warn is told what weakens it.
func (o *planOptions) plan(ctx context.Context, warn func(string)) (run.Plan, selected, error) {
	w, err := o.w.workshop()
	if err == nil {
		err = w.publishedAt(o.baseURL)
	}
	if err != nil {
		return run.Plan{}, selected{}, err
	}
	s, err := o.chooseCells(ctx, w)
	if err != nil {
		return run.Plan{}, s, err
	}
	if len(s.unknown) > 0 {
		return run.Plan{}, s, usage(errors.Join(s.unknown...))
	}
	if err := o.selectPolicy(&s); err != nil {
		return run.Plan{}, s, err
	}
	for _, warning := range s.warnings() {
		warn(warning.String())
	}
	plan, err := o.draft(ctx, w, s)
	if err != nil {
		return plan, s, usage(err)
	}
	if o.changedSince != "" {
		if plan, err = o.since(ctx, w, plan, warn); err != nil {
			return plan, s, err
		}
	}
	plan, err = o.shape(plan, history(o.results, warn))
	if err != nil {
		return plan, s, usage(err)
	}
	if plan.Guarantee, err = s.guaranteed(ctx, plan); err != nil {
		return plan, s, err
	}
	if o.verify {
		if err := s.verify(ctx, plan); err != nil {
			return plan, s, err
		}
	}
	plan, err = plan.Sealed()
	return plan, s, err
}

// draft is the plan of all chosen cells, in the matrix's order.
func (o *planOptions) draft(ctx context.Context, w workshop, s selected) (run.Plan, error) {
	refs := map[string]string{}
	for _, cell := range s.Cells {
		version := cell.Value(matrix.K8s)
		if value, _ := s.matrix.Value(matrix.K8s, version); refs[version] == "" && value.Release != "" {
			refs[version] = value.Release
		}
	}
	if o.release != "" { // a path on the command line, which means another thing elsewhere
		for version, ref := range refs {
			lasting, err := w.lasting(ctx, ref)
			if err != nil {
				return run.Plan{}, err
			}
			refs[version] = lasting
		}
	}
	c := run.Compilation{
		Cells: s.Cells, Excluded: s.Excluded, Absent: s.absent, Forced: s.Forced, Workers: o.workersOf(s.matrix), Suites: s.suites, Modes: o.modes(), Retries: o.retries, Reruns: o.reruns, Policy: policyOf(s.policy),
		Entries: s.entries, Suite: o.w.suite,
	}
	c.MadeImages = o.decideImages(ctx, c)
	plan, err := run.Draft(c, refs)
	plan.AsOf, plan.Matrix = s.request.AsOf, s.matrix.File
	if o.clusters > 1 {
		plan.Clusters = o.clusters
	}
	for i, required := range s.matrix.Required(s.Cells) {
		if i < len(plan.Cells) {
			plan.Cells[i].Required = required
			if why := s.blocked[plan.Cells[i].ID]; why != nil {
				plan.Cells[i].Blocked = why.Error()
			}
		}
	}
	return plan, err
}

// shape estimates, orders, limits and divides a plan.
func (o *planOptions) shape(plan run.Plan, past planning.History) (run.Plan, error) {
	estimator := planning.NewEstimator(past)
	plan, err := estimator.Order(estimator.Estimate(plan), o.order)
	if err != nil {
		return plan, err
	}
	plan, err = planning.Limit(plan, planning.Limits{Seconds: int(o.maxTime.Seconds()), USD: o.maxCost})
	if err != nil || o.shard == "" {
		return plan, err
	}
	return planning.Shard(plan, o.shard)
}

func (o *runOptions) workersOf(m *matrix.Matrix) int {
	if o.workers == 0 {
		return m.Workers
	}
	return o.workers
}

// guaranteed says what the plan stands for. What was chosen is known; of less
// than that the checker has to find out.
func (s selected) guaranteed(ctx context.Context, plan run.Plan) (*run.Guarantee, error) {
	switch {
	case len(plan.Cells) == s.chosen:
		return s.guarantee, nil
	case s.guarantee.Strength < len(s.matrix.Axes):
		covers, err := s.measure(ctx, plan)
		return guaranteeOf(covers), err
	}
	g := &run.Guarantee{Strength: s.guarantee.Strength, Covered: len(plan.Cells), Total: len(s.whole.Cells)}
	planned := map[string]bool{}
	for _, c := range plan.Cells {
		planned[c.ID] = true
	}
	for _, c := range s.whole.Cells {
		if !planned[c.ID] {
			g.Uncovered = append(g.Uncovered, maps.Clone(c.Values))
		}
	}
	return g, nil
}

// mostRemembered is how many runs a plan looks back on.
const mostRemembered = 100

// history reads the verdicts of the latest runs. One that cannot be read
// weakens the estimates, and no more than them.
func history(results string, warn func(string)) planning.History {
	var h planning.History
	found, _ := filepath.Glob(filepath.Join(results, "*", "verdict.json")) // sorted, and run ids begin with the time
	found = slices.DeleteFunc(found, func(file string) bool { return filepath.Base(filepath.Dir(file)) == "latest" })
	for _, file := range found[max(0, len(found)-mostRemembered):] {
		var doc result.Document
		if err := readJSON(file, &doc); err != nil {
			warn("the estimates go without a run: " + err.Error())
			continue
		}
		h.Learn(doc)
	}
	return h
}

// runSaved executes a plan that was saved.
func (o *runOptions) runSaved(cmd *cobra.Command, file string) error {
	used, err := o.w.fromEnvironment(cmd)
	if err != nil {
		return err
	}
	if err := o.how.settle(); err != nil {
		return err
	}
	if err := soleChoice(cmd); err != nil {
		return blameEnvironment(err, used)
	}
	var saved run.Plan
	if info, err := os.Stat(file); err == nil && info.IsDir() {
		file = filepath.Join(file, "plan.json")
	}
	if err := readJSON(file, &saved); err != nil {
		return usagef("reading the plan: %w", err)
	}
	w, err := o.w.workshop()
	if err == nil {
		err = w.publishedAt(o.baseURL)
	}
	if err != nil {
		return blameEnvironment(err, used)
	}
	return o.execute(cmd, w, used, func(ui console) (run.Plan, releases, error) {
		return o.adopt(cmd, w, saved, ui)
	})
}

// soleChoice refuses flags beside a saved plan that would choose something else.
func soleChoice(cmd *cobra.Command) error {
	var scratch choice
	own := &cobra.Command{}
	scratch.flags(own)
	var problems []error
	for _, name := range flagNames(own) {
		if name == "base-url" || name == "allow-unbound" {
			continue // where releases are fetched, and what is put up with, chooses nothing
		}
		if cmd.Flags().Changed(name) {
			problems = append(problems, fmt.Errorf("--%s does not go with a saved plan, which says what is run: make another plan with it", name))
		}
	}
	return usage(errors.Join(problems...))
}

// adopt takes the releases from where the plan says, and makes the plan that
// is run.
func (o *runOptions) adopt(cmd *cobra.Command, w workshop, saved run.Plan, ui console) (run.Plan, releases, error) {
	if err := saved.Check(); err != nil {
		return run.Plan{}, nil, &usageError{err}
	}
	g, entries := newGathered(), map[string]provision.Entry{}
	for _, cell := range saved.Cells {
		entry, err := w.entry(cell.Values[matrix.Provisioner])
		if err != nil {
			return run.Plan{}, nil, usagef("cell %s: %w", cell.ID, err)
		}
		entries[entry.Name] = entry
	}
	for _, cell := range saved.Cells {
		ref := cell.Source
		if ref == "" {
			ref = saved.Sources[cell.Release.Digest]
		}
		if ref == "" {
			return run.Plan{}, nil, usagef("cell %s: the plan does not say where its release comes from", cell.ID)
		}
		if err := g.gather(cmd.Context(), w, cell.Values[matrix.K8s], ref, ui); err != nil {
			return run.Plan{}, nil, err
		}
	}
	for _, cell := range saved.Cells {
		if err := g.components(cmd.Context(), w, cell.Values[matrix.K8s], cell.Components, ui); err != nil {
			return run.Plan{}, nil, err
		}
	}
	plan, err := run.Adopt(saved, run.Compilation{Releases: g.byVersion, Components: g.parts, Sources: g.sources, AllowUnbound: o.allowUnbound, Entries: entries, Suite: w.suite})
	if err != nil {
		return run.Plan{}, nil, usagef("running the plan: %w", err)
	}
	for _, rule := range plan.Policy.Idle(plan.Judged()) {
		return run.Plan{}, nil, usagef("running the plan: its policy has a rule that fits nothing: %s: %s", rule.Path, rule.Text)
	}
	return plan, g.byDigest, nil
}

func flagNames(cmd *cobra.Command) []string {
	var names []string
	cmd.Flags().VisitAll(func(f *pflag.Flag) { names = append(names, f.Name) })
	return names
}
