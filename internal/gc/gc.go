// Package gc removes what runs have left. It goes by two witnesses: the labels
// of the resources, and the journal and the claim in the directory of the run
// that they name. It can be called from any process, at any time, twice.
package gc

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/qualify-dev/qualify/internal/claim"
	"github.com/qualify-dev/qualify/internal/provision"
	"github.com/qualify-dev/qualify/internal/result"
)

// Options say what may be removed.
type Options struct {
	Run     string // everything of this run, kept or not
	AllRuns bool   // everything of every run, also of those that are worked on
	DryRun  bool   // only tell
	// Results is where runs are looked for whose directory is not where their
	// labels say.
	Results string
	Now     func() time.Time
}

// Leftover is what was found of one lease, and what was done about it.
type Leftover struct {
	Provisioner string   `json:"provisioner"`
	Run         string   `json:"run"`
	Cell        string   `json:"cell"`
	Lease       string   `json:"lease"`
	Resources   []string `json:"resources"`
	Removed     bool     `json:"removed"`
	Why         string   `json:"why"`

	lease provision.Lease
}

// Sweep removes what one provisioner's runs have left, and tells of each lease
// what was done and why. The error joins what could not be removed.
func Sweep(ctx context.Context, entry provision.Entry, cfg provision.Config, o Options) ([]Leftover, error) {
	resources, err := entry.List(ctx, cfg)
	if err != nil {
		return nil, fmt.Errorf("asking %s what is left: %w", entry.Name, err)
	}
	found := byLease(entry.Name, resources)
	if len(found) == 0 {
		return nil, nil // also where the provisioner lacks what it is made from
	}
	p, err := entry.New(cfg)
	if err != nil {
		return found, err
	}
	var problems error
	for i := range found {
		var remove bool
		remove, found[i].Why = o.decide(found[i].lease)
		if !remove || o.DryRun {
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

// byLease groups resources, in order of the leases' names.
func byLease(provisioner string, resources []provision.Resource) []Leftover {
	var found []Leftover
	for _, r := range resources {
		i := slices.IndexFunc(found, func(l Leftover) bool { return l.Lease == r.Lease.Name })
		if i < 0 {
			i = len(found)
			found = append(found, Leftover{Provisioner: provisioner, Run: r.Lease.Run, Cell: r.Lease.Cell, Lease: r.Lease.Name, lease: r.Lease})
		}
		found[i].Resources = append(found[i].Resources, r.Kind+" "+r.Name)
	}
	slices.SortFunc(found, func(a, b Leftover) int { return strings.Compare(a.Lease, b.Lease) })
	return found
}

// decide says whether a lease may be ended, and why. A living run renews its
// leases by its claim. Without one, a lease may be ended once it has expired
// by its label, or where the run that opened it is known here: its journal
// holds the lease, and its claim shows that nobody works on it.
func (o Options) decide(l provision.Lease) (bool, string) {
	switch {
	case o.AllRuns:
		return true, "all runs were asked for"
	case o.Run != "":
		return l.Run == o.Run, "run " + l.Run
	}
	run := o.look(l)
	until := l.Expires.Format(time.RFC3339)
	switch expired := !l.Expires.IsZero() && o.Now().After(l.Expires); {
	case run.alive:
		return false, "in use by " + run.owner
	case expired:
		return true, "its lease expired at " + until
	case run.kept:
		return false, "kept by --keep until " + until
	case run.known:
		return true, "its run's process " + run.owner + " is gone"
	case l.Expires.IsZero():
		return false, "its lease says no end, and its run is not known here"
	}
	return false, "its run is not known here; its lease expires at " + until
}

// run is what the directory of a lease's run says.
type run struct {
	owner string
	alive bool // somebody works on it
	known bool // it opened the lease, and nobody works on it any more
	kept  bool // by the user's wish
}

func (o Options) look(l provision.Lease) run {
	for _, dir := range o.places(l) {
		state, err := claim.Look(dir)
		if err != nil || state.Owner == "" {
			continue
		}
		events, _, err := result.ReadFile(filepath.Join(dir, "journal.jsonl"))
		if err != nil || !opened(events, l) {
			continue
		}
		return run{owner: state.Owner, alive: state.Alive, known: !state.Alive, kept: kept(events, l)}
	}
	return run{}
}

// places are where a lease's run may be.
func (o Options) places(l provision.Lease) []string {
	var places []string
	if filepath.IsAbs(l.Home) {
		places = append(places, l.Home)
	}
	if name := filepath.Base(l.Run); o.Results != "" && name == l.Run && filepath.IsLocal(name) {
		places = append(places, filepath.Join(o.Results, name))
	}
	return places
}

func opened(events []result.Event, l provision.Lease) bool {
	return slices.ContainsFunc(events, func(e result.Event) bool {
		return e.Kind == result.LeaseOpened && e.Lease != nil && e.Lease.Name == l.Name && e.Lease.Run == l.Run
	})
}

// kept tells whether the last word about the lease is that it stays.
func kept(events []result.Event, l provision.Lease) bool {
	stays := false
	for _, e := range events {
		switch {
		case e.Kind == result.LeaseKept && e.Text == l.Name:
			stays = true
		case e.Kind == result.LeaseOpened && e.Lease != nil && e.Lease.Name == l.Name:
			stays = false
		}
	}
	return stays
}
