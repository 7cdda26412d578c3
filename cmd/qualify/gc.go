package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/qualify-dev/qualify/internal/gc"
	"github.com/qualify-dev/qualify/internal/provision"
	"github.com/qualify-dev/qualify/internal/scratch"
)

// gcOptions are the flags of gc.
type gcOptions struct {
	wiring
	run, results, format string
	inventory            string
	allRuns, dryRun      bool
	cache                bool
}

func newGCCommand(w wiring) *cobra.Command {
	o := gcOptions{wiring: w}
	cmd := &cobra.Command{
		Use:   "gc",
		Short: "Remove what earlier runs left: containers, networks and images that carry our labels",
		Long: `gc removes the resources of leases that have expired, and of runs whose directory
is here and whose process has ended. What a living run uses, what --keep left, and
what belongs to a run that is not known here and has not expired stay, unless
--run or --all-runs names them. With --cache it also removes what is kept to be
faster the next time: node images, compiled components, built releases. Nothing
without our labels is ever touched.`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return o.collect(cmd) },
	}
	f := cmd.Flags()
	f.StringVar(&o.run, "run", "", "remove everything of this run, kept or not")
	f.BoolVar(&o.allRuns, "all-runs", false, "remove everything of every run, live ones too")
	f.BoolVar(&o.cache, "cache", false, "also remove node images and the cache directory")
	f.BoolVar(&o.dryRun, "dry-run", false, "only say what would be removed")
	f.StringVar(&o.results, "results", "results", "directory for results")
	f.StringVar(&o.inventory, "inventory", "", "also give back machines of this file that runs have taken")
	outputFlag(cmd, &o.format)
	return cmd
}

func (o *gcOptions) collect(cmd *cobra.Command) error {
	if o.run != "" && o.allRuns {
		return usagef("--run and --all-runs exclude each other")
	}
	if _, err := o.fromEnvironment(cmd, "results", "inventory"); err != nil {
		return err
	}
	if o.inventory != "" {
		if _, err := os.Stat(o.inventory); err != nil {
			return usagef("--inventory: %w", err)
		}
	}
	w, err := o.workshop()
	if err != nil {
		return err
	}
	found := []gc.Leftover{}
	var problems error
	cfg := provision.Config{CacheDir: w.cache.Dir, Store: w.store, Owner: owner(), Log: func(string, ...any) {}, Sink: w.sink, Inventory: o.inventory}
	for _, entry := range o.entries() {
		of, err := gc.Sweep(cmd.Context(), entry, cfg, gc.Options{Run: o.run, AllRuns: o.allRuns, DryRun: o.dryRun, Results: o.results, Now: now})
		found, problems = append(found, of...), errors.Join(problems, err)
	}
	litter, err := o.litter()
	found, problems = append(found, litter...), errors.Join(problems, err)
	if o.cache {
		kept, err := o.purge(cmd.Context(), w)
		found, problems = append(found, kept), errors.Join(problems, err)
	}
	if err := printAs(cmd.OutOrStdout(), o.format, found, func() string { return gcTable(found, o.dryRun) }); err != nil {
		return err
	}
	return problems
}

// litter removes the temporary files of processes that were killed, and run
// directories that one of them was about to make.
func (o *gcOptions) litter() ([]gc.Leftover, error) {
	if o.run != "" {
		return nil, nil // they belong to no run
	}
	dirs, problems := scratch.Litter()
	unfinished, err := unfinishedRuns(o.results)
	problems = errors.Join(problems, err)
	var found []gc.Leftover
	for _, dir := range append(dirs, unfinished...) {
		l := gc.Leftover{Provisioner: "-", Run: "-", Cell: "-", Lease: "scratch", Resources: []string{"directory " + dir}, Why: "the process that made it is gone"}
		if !o.dryRun {
			err := scratch.Remove(dir)
			l.Removed, problems = err == nil, errors.Join(problems, err)
		}
		found = append(found, l)
	}
	return found, problems
}

// cacheKinds are the folders of the cache directory; nothing else in it, and
// nothing beside it, is ours to remove.
func cacheKinds() []string { return []string{"compiled", "release", "rootfs", "store"} }

// purge removes what is kept between runs.
func (o *gcOptions) purge(ctx context.Context, w workshop) (gc.Leftover, error) {
	kept := gc.Leftover{Lease: "cache", Run: "-", Cell: "-", Removed: !o.dryRun, Why: "the cache was asked for", Resources: []string{}}
	var problems error
	for _, entry := range o.entries() {
		if entry.Purge == nil {
			continue
		}
		resources, err := entry.Purge(ctx, o.dryRun)
		problems = errors.Join(problems, err)
		for _, r := range resources {
			kept.Resources = append(kept.Resources, r.Kind+" "+r.Name)
		}
	}
	for _, kind := range cacheKinds() {
		dir := filepath.Join(w.cache.Dir, kind)
		if _, err := os.Stat(dir); err != nil {
			continue
		}
		kept.Resources = append(kept.Resources, "directory "+dir)
		if !o.dryRun {
			problems = errors.Join(problems, os.RemoveAll(dir))
		}
	}
	return kept, problems
}

func gcTable(found []gc.Leftover, dryRun bool) string {
	if len(found) == 0 {
		return "nothing is left\n"
	}
	var text strings.Builder
	for _, l := range found {
		done := "stays  "
		if l.Removed {
			done = "removed"
		} else if dryRun {
			done = "found  "
		}
		fmt.Fprintf(&text, "%s  %s  run %s  cell %s  (%s)\n", done, l.Lease, l.Run, l.Cell, l.Why)
		for _, r := range l.Resources {
			fmt.Fprintf(&text, "         %s\n", r)
		}
	}
	return text.String()
}
