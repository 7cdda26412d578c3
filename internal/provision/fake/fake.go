// Package fake is a provisioner of nothing, for tests: it passes the same
// contract suite as the real ones, refuses every misuse, and goes wrong in the
// ways that clouds do, as often as it is told to.
//
// Its cloud is a directory with one file per resource. So it outlives a killed
// process, and can be listed and torn down from another one.
package fake

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/qualify-dev/qualify/internal/provision"
	"github.com/qualify-dev/qualify/matrix"
)

// Name is the provisioner's name.
const Name = "fake"

// Options are the ways in which a cloud can be hard to work with. The zero
// value of each is the easy cloud; Dir alone is needed. What goes wrong is
// decided by the seed, the lease and the call, not by the order in which
// goroutines run: the same run meets the same faults again.
type Options struct {
	Dir      string // the cloud, see Cloud; shared by processes
	Seed     uint64
	Capacity int // cells at a time; 0 stands for 8

	ErrorRate float64       // of calls that are refused, and change nothing
	LostRate  float64       // of create calls that are done and answered with an error
	LateRate  float64       // of create calls that take effect later, the caller dead or not
	Late      time.Duration // at most so much later
	Slow      time.Duration // each call takes up to so long

	// Product is asked before a cluster becomes ready: what it returns is the
	// release's fault. Nil, and a nil answer, stand for a release that boots.
	Product func(lease provision.Lease, spec provision.Spec) *provision.ProductError
	// Stuck tells resources that cannot be removed.
	Stuck func(r provision.Resource) bool

	// Called hears of each call to the cloud as it begins; nil hears nothing.
	Called func(what string)

	// Console is what a machine has printed by the time that logs are
	// collected; nil stands for a line.
	Console func(machine string) string

	Answers []Answer // what the nodes say to commands: the first that knows, says it
	Server  string   // URL of an API server for all clusters, see Cloud.API; "" leads nowhere
}

// ErrInjected is what every fault that was asked for wraps.
var ErrInjected = errors.New("a fault that the test asked for")

// Entry describes the provisioner to the planner.
func Entry(o Options) provision.Entry {
	if o.Capacity == 0 {
		o.Capacity = 8
	}
	listing := newProvisioner(o, provision.Config{})
	return provision.Entry{
		Name:     Name,
		Doc:      "files that stand for machines; for tests",
		Capacity: o.Capacity,
		Can:      func(matrix.Cell) error { return nil },
		New: func(cfg provision.Config) (provision.Provisioner, error) {
			if err := o.check(cfg); err != nil {
				return nil, err
			}
			return newProvisioner(o, cfg), nil
		},
		List: listing.list,
	}
}

func (o Options) check(cfg provision.Config) error {
	switch {
	case o.Dir == "":
		return errors.New("fake: the options have no directory")
	case o.LateRate > 0 && o.Late <= 0:
		return errors.New("fake: the options have late creates and no time for them")
	case cfg.Log == nil || cfg.Sink == nil:
		return errors.New("fake: the configuration has no log or no sink")
	}
	for _, rate := range []float64{o.ErrorRate, o.LostRate, o.LateRate} {
		if rate < 0 || rate > 1 {
			return fmt.Errorf("fake: %v is no rate between 0 and 1", rate)
		}
	}
	return nil
}

// list is provision.Entry.List: foreign things are not in it, nor is what has
// not appeared yet.
func (p *provisioner) list(ctx context.Context, _ provision.Config) ([]provision.Resource, error) {
	if err := p.call(ctx, "", "list everything"); err != nil {
		return nil, err
	}
	return p.visible(func(l provision.Lease) bool { return l.Name != "" })
}
