package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sort"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/qualify-dev/qualify/internal/provision"
	"github.com/qualify-dev/qualify/internal/result"
)

// gcOptions are the flags of gc.
type gcOptions struct {
	wiring
	run, results, format string
	allRuns, dryRun      bool
	cache                bool
}

func newGCCommand(w wiring) *cobra.Command {
	o := gcOptions{wiring: w}
	cmd := &cobra.Command{
		Use:   "gc",
		Short: "Remove what earlier runs left: containers, networks and images that carry our labels",
		Long: `gc removes the resources of leases that have expired or whose process has died.
What a live run uses and what --keep left stay, unless --run or --all-runs names
them. With --cache it also removes what is kept to be faster the next time: node
images, compiled components, built releases. Nothing without our labels is ever
touched.`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return o.collect(cmd) },
	}
	f := cmd.Flags()
	f.StringVar(&o.run, "run", "", "remove everything of this run, kept or not")
	f.BoolVar(&o.allRuns, "all-runs", false, "remove everything of every run, live ones too")
	f.BoolVar(&o.cache, "cache", false, "also remove node images and the cache directory")
	f.BoolVar(&o.dryRun, "dry-run", false, "only say what would be removed")
	f.StringVar(&o.results, "results", "results", "directory for results")
	outputFlag(cmd, &o.format)
	return cmd
}

// leftover is what gc found of one lease and what it did about it.
type leftover struct {
	Provisioner string   `json:"provisioner"`
	Run         string   `json:"run"`
	Cell        string   `json:"cell"`
	Lease       string   `json:"lease"`
	Resources   []string `json:"resources"`
	Removed     bool     `json:"removed"`
	Why         string   `json:"why"`

	lease provision.Lease
}

func (o *gcOptions) collect(cmd *cobra.Command) error {
	if o.run != "" && o.allRuns {
		return usagef("--run and --all-runs exclude each other")
	}
	if _, err := o.fromEnvironment(cmd, "results"); err != nil {
		return err
	}
	w, err := o.workshop()
	if err != nil {
		return err
	}
	var found []leftover
	var problems error
	for _, entry := range o.entries() {
		of, err := o.sweep(cmd.Context(), w, entry)
		found, problems = append(found, of...), errors.Join(problems, err)
	}
	if o.cache {
		kept, err := o.purge(cmd.Context(), w)
		found, problems = append(found, kept), errors.Join(problems, err)
	}
	if err := printAs(cmd.OutOrStdout(), o.format, found, func() string { return gcTable(found, o.dryRun) }); err != nil {
		return err
	}
	return problems
}

// sweep removes what one provisioner left behind.
func (o *gcOptions) sweep(ctx context.Context, w workshop, entry provision.Entry) ([]leftover, error) {
	resources, err := entry.List(ctx)
	if err != nil {
		return nil, fmt.Errorf("asking %s what is left: %w", entry.Name, err)
	}
	found := byLease(entry.Name, resources)
	p, err := entry.New(provision.Config{CacheDir: w.cache.Dir, Store: w.store, Owner: owner(), Log: func(string, ...any) {}})
	if err != nil {
		return found, err
	}
	var problems error
	for i := range found {
		var remove bool
		remove, found[i].Why = o.decide(found[i].lease)
		if !remove || o.dryRun {
			continue
		}
		if err := p.Down(ctx, found[i].lease); err != nil {
			problems = errors.Join(problems, fmt.Errorf("lease %s: %w", found[i].Lease, err))
			continue
		}
		found[i].Removed = true
	}
	return found, problems
}

// cacheKinds are the folders of the cache directory; nothing else in it, and
// nothing beside it, is ours to remove.
func cacheKinds() []string { return []string{"compiled", "release", "rootfs", "store"} }

// purge removes what is kept between runs.
func (o *gcOptions) purge(ctx context.Context, w workshop) (leftover, error) {
	kept := leftover{Lease: "cache", Run: "-", Cell: "-", Removed: !o.dryRun, Why: "the cache was asked for", Resources: []string{}}
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

func byLease(provisioner string, resources []provision.Resource) []leftover {
	leases := map[string]*leftover{}
	var order []string
	for _, r := range resources {
		l := leases[r.Lease.Name]
		if l == nil {
			l = &leftover{Provisioner: provisioner, Run: r.Lease.Run, Cell: r.Lease.Cell, Lease: r.Lease.Name, lease: r.Lease}
			leases[r.Lease.Name] = l
			order = append(order, r.Lease.Name)
		}
		l.Resources = append(l.Resources, r.Kind+" "+r.Name)
	}
	sort.Strings(order)
	found := []leftover{}
	for _, name := range order {
		found = append(found, *leases[name])
	}
	return found
}

// decide says whether a lease may be ended, and why.
func (o *gcOptions) decide(l provision.Lease) (bool, string) {
	switch {
	case o.allRuns:
		return true, "all runs were asked for"
	case o.run != "":
		return l.Run == o.run, "run " + l.Run
	case !l.Expires.IsZero() && now().After(l.Expires):
		return true, "its lease expired at " + l.Expires.Format(time.RFC3339)
	case o.kept(l):
		return false, "kept by --keep until " + l.Expires.Format(time.RFC3339)
	case ownerIsDead(l.Owner):
		return true, "its process " + l.Owner + " is gone"
	}
	return false, "in use by " + l.Owner
}

// kept tells whether the run's journal says that the lease stays.
func (o *gcOptions) kept(l provision.Lease) bool {
	events, _, err := result.ReadFile(filepath.Join(o.results, filepath.Base(l.Run), "journal.jsonl"))
	if err != nil {
		return false
	}
	for _, e := range events {
		if e.Kind == result.LeaseKept && e.Cell == l.Cell {
			return true
		}
	}
	return false
}

// ownerIsDead is true only where that is certain: the owner was a process of
// this host, and there is none with its number.
func ownerIsDead(owner string) bool {
	host, number, ok := strings.Cut(owner, "/")
	pid, err := strconv.Atoi(number)
	if !ok || err != nil || pid <= 0 {
		return false
	}
	if self, err := os.Hostname(); err != nil || self != host {
		return false
	}
	return errors.Is(syscall.Kill(pid, 0), syscall.ESRCH)
}

func gcTable(found []leftover, dryRun bool) string {
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
