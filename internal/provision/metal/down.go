package metal

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"github.com/qualify-dev/qualify/internal/bootstrap"
	"github.com/qualify-dev/qualify/internal/cluster"
	"github.com/qualify-dev/qualify/internal/nodeos"
	"github.com/qualify-dev/qualify/internal/provision"
	"github.com/qualify-dev/qualify/internal/remote"
)

// held is a machine that somebody holds.
type held struct {
	*machine
	claim claim
}

// ask asks all hosts of the inventory who holds them. Those that could not be
// asked are in the error, beside the answers of the others.
func ask(ctx context.Context, machines []*machine) ([]held, error) {
	var mu sync.Mutex
	var all []held
	err := remote.Each(len(machines), func(i int) error {
		c, err := holder(ctx, machines[i].remote.Root(remote.Guard{}))
		if err != nil {
			return fmt.Errorf("asking host %s who holds it: %w", machines[i].Name, err)
		}
		if c == nil {
			return nil
		}
		mu.Lock()
		defer mu.Unlock()
		all = append(all, held{machines[i], *c})
		return nil
	})
	slices.SortFunc(all, func(a, b held) int { return strings.Compare(a.Name, b.Name) })
	return all, err
}

// resource is a held host, as gc sees it.
func (h held) resource() provision.Resource {
	return provision.Resource{Kind: "host", ID: h.Access.Address, Name: h.Name, Lease: h.claim.Lease, Created: h.claim.Created}
}

// list is provision.Entry.List. Without an inventory nobody knows of any host.
func list(ctx context.Context, cfg provision.Config) ([]provision.Resource, error) {
	if cfg.Inventory == "" {
		return nil, nil
	}
	inv, err := open(cfg.Inventory)
	if err != nil {
		return nil, err
	}
	p := provisionerOf(cfg, inv)
	machines, end, err := p.connect(inv.Hosts)
	defer end()
	if err != nil {
		return nil, err
	}
	all, err := ask(ctx, machines)
	var resources []provision.Resource
	for _, h := range all {
		resources = append(resources, h.resource())
	}
	return resources, err
}

// Down gives back every host that the lease holds, and proves that each is as
// it was; see provision.Provisioner. It asks all hosts of the inventory: which
// ones Up took is written on them and nowhere else.
func (p *provisioner) Down(ctx context.Context, lease provision.Lease) error {
	if lease.Name == "" {
		return errors.New("tearing down: the lease has no name")
	}
	machines, end, err := p.connect(p.inv.Hosts)
	defer end()
	if err != nil {
		return fmt.Errorf("tearing down %s: %w", lease.Name, err)
	}
	all, unasked := ask(ctx, machines)
	if unasked != nil {
		started, err := p.recover(ctx, machines, all, lease)
		if started {
			all, unasked = ask(ctx, machines)
		}
		unasked = errors.Join(unasked, err)
	}
	if ctx.Err() != nil {
		return fmt.Errorf("tearing down %s: %w", lease.Name, ctx.Err())
	}
	own := slices.DeleteFunc(all, func(h held) bool { return h.claim.Lease.Name != lease.Name })
	errs := make([]error, len(own))
	_ = remote.Each(len(own), func(i int) error {
		errs[i] = giveBack(ctx, own[i].machine, lease)
		return nil
	})
	_ = remote.Each(len(machines), func(i int) error { // what a taking has left that was cut
		_, err := machines[i].remote.Root(remote.Guard{}).Exec(ctx, cluster.Command("rm", "-rf", home+"-gone", home+"-"+lease.Name))
		return err
	})
	var left []provision.Resource
	var problems error
	for i, err := range errs {
		if err != nil {
			left = append(left, own[i].resource())
			problems = errors.Join(problems, fmt.Errorf("host %s: %w", own[i].Name, err))
		}
	}
	problems = errors.Join(problems, unasked)
	switch {
	case len(left) > 0:
		return &provision.LeftoverError{Resources: left, Err: problems}
	case problems != nil:
		return fmt.Errorf("tearing down %s: some hosts may still be held: %w", lease.Name, problems)
	}
	return nil
}

// giveBack undoes what was done to one host.
func giveBack(ctx context.Context, m *machine, lease provision.Lease) error {
	os, err := systemOn(ctx, m.remote.Root(guard(lease)))
	if err != nil {
		return err
	}
	return undo(ctx, m, lease, os)
}

// systemOn asks a host what it runs: it must be something that can be a node.
func systemOn(ctx context.Context, root remote.Root) (nodeos.OS, error) {
	out, err := root.Exec(ctx, cluster.Command("head", "-c", "65537", "/etc/os-release"))
	if err != nil {
		return nodeos.OS{}, err
	}
	os, err := systemOf(string(out.Stdout))
	if err == nil && os.Host == nil {
		err = fmt.Errorf("%s cannot be made a node: %s", os.Name, os.NoHost)
	}
	return os, err
}

// Collect writes what the hosts of the lease tell of themselves into dir; see
// provision.Provisioner.
func (p *provisioner) Collect(ctx context.Context, lease provision.Lease, dir string) error {
	machines, end, err := p.connect(p.inv.Hosts)
	defer end()
	if err != nil {
		return fmt.Errorf("collecting logs: %w", err)
	}
	all, unasked := ask(ctx, machines)
	own := slices.DeleteFunc(all, func(h held) bool { return h.claim.Lease.Name != lease.Name })
	err = remote.Each(len(own), func(i int) error {
		err := p.collectHost(ctx, own[i].machine, lease, filepath.Join(dir, own[i].Name))
		if err != nil {
			return fmt.Errorf("collecting logs of host %s: %w", own[i].Name, err)
		}
		return nil
	})
	return errors.Join(unasked, err)
}

func (p *provisioner) collectHost(ctx context.Context, m *machine, lease provision.Lease, dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	return bootstrap.Collect(ctx, p.cfg.Sink, dir, m.remote.Root(guard(lease)).Stream)
}
