package fake

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/qualify-dev/qualify/internal/provision"
)

// unsettle remembers that a create call of the lease may still take effect.
func (p *provisioner) unsettle(lease string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.settled[lease] = time.Now().Add(p.options.Late)
}

// settles returns from when on an empty listing is the truth. What calls
// another process made, and when, nobody knows: any of them may have been made
// just now.
func (p *provisioner) settles(lease string) time.Time {
	p.mu.Lock()
	defer p.mu.Unlock()
	if known, is := p.settled[lease]; is {
		return known
	}
	return time.Now().Add(p.options.Late)
}

// visible lists what can be seen now of the leases that are asked for, in an
// order in which it can be removed.
func (p *provisioner) visible(of func(provision.Lease) bool) ([]provision.Resource, error) {
	all, err := p.cloud.All()
	if err != nil {
		return nil, err
	}
	now := time.Now()
	var seen []provision.Resource
	for _, r := range all {
		if of(r.Lease) && !r.Appears.After(now) {
			seen = append(seen, r.resource())
		}
	}
	slices.SortStableFunc(seen, func(a, b provision.Resource) int {
		return slices.Index(kinds, a.Kind) - slices.Index(kinds, b.Kind)
	})
	return seen, nil
}

// Rounds are how often Down tries what fails, and pause how long it waits then.
const (
	rounds = 5
	pause  = 5 * time.Millisecond
)

// Down removes what carries the lease until nothing does, and nothing can
// appear any more; see provision.Provisioner.
func (p *provisioner) Down(ctx context.Context, lease provision.Lease) error {
	if lease.Name == "" {
		return p.cloud.misuse("Down: the lease has no name")
	}
	p.mu.Lock()
	under := p.ups[lease.Name]
	p.mu.Unlock()
	if under {
		return p.cloud.misuse("Down: the Up of lease %s has not returned", lease.Name)
	}
	settles := p.settles(lease.Name)
	var last error
	for failures := 0; failures < rounds; {
		asked := time.Now()
		seen, err := p.sweep(ctx, lease)
		settled := !asked.Before(settles)
		if err == nil && len(seen) == 0 && settled {
			p.mu.Lock()
			defer p.mu.Unlock()
			p.settled[lease.Name] = time.Time{}
			return nil
		}
		if last = err; err != nil && settled {
			failures++
		}
		if ended := sleep(ctx, pause); ended != nil {
			return fmt.Errorf("tearing down %s: %w", lease.Name, errors.Join(ended, err))
		}
	}
	left, err := p.visible(func(l provision.Lease) bool { return l.Name == lease.Name })
	if err != nil || len(left) == 0 {
		return fmt.Errorf("tearing down %s: %w", lease.Name, errors.Join(last, err))
	}
	return &provision.LeftoverError{Resources: left, Err: last}
}

// sweep removes what can be seen of a lease. It returns what it saw: only an
// empty listing proves that nothing is left.
func (p *provisioner) sweep(ctx context.Context, lease provision.Lease) ([]provision.Resource, error) {
	if err := p.call(ctx, lease.Name, "list the lease"); err != nil {
		return nil, err
	}
	seen, err := p.visible(func(l provision.Lease) bool { return l.Name == lease.Name })
	if err != nil {
		return nil, err
	}
	var problems error
	for _, r := range seen {
		problems = errors.Join(problems, p.remove(ctx, r))
	}
	return seen, problems
}

func (p *provisioner) remove(ctx context.Context, r provision.Resource) error {
	if err := p.call(ctx, r.Lease.Name, "remove "+r.ID); err != nil {
		return err
	}
	if p.options.Stuck != nil && p.options.Stuck(r) {
		return fmt.Errorf("fake cloud: removing %s %s: it is stuck: %w", r.Kind, r.Name, ErrInjected)
	}
	return p.cloud.remove(r.ID)
}

// Collect writes a console log for each machine; see provision.Provisioner.
func (p *provisioner) Collect(ctx context.Context, lease provision.Lease, dir string) error {
	if lease.Name == "" {
		return p.cloud.misuse("Collect: the lease has no name")
	}
	if err := p.call(ctx, lease.Name, "list the lease"); err != nil {
		return fmt.Errorf("collecting logs: %w", err)
	}
	seen, err := p.visible(func(l provision.Lease) bool { return l.Name == lease.Name })
	if err != nil {
		return fmt.Errorf("collecting logs: %w", err)
	}
	var problems error
	for _, r := range seen {
		if r.Kind == machine {
			problems = errors.Join(problems, p.collectNode(ctx, r, filepath.Join(dir, r.Name)))
		}
	}
	return problems
}

func (p *provisioner) collectNode(ctx context.Context, r provision.Resource, dir string) error {
	if err := p.call(ctx, r.Lease.Name, "console of "+r.Name); err != nil {
		return fmt.Errorf("collecting logs of %s: %w", r.Name, err)
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("collecting logs of %s: %w", r.Name, err)
	}
	text := fmt.Sprintf("%s booted %s\n", r.Created.UTC().Format(time.RFC3339), r.Name)
	if p.options.Console != nil {
		text += p.options.Console(r.Name)
	}
	f, err := p.config.Sink.Create(filepath.Join(dir, "console.log"))
	if err != nil {
		return fmt.Errorf("collecting logs of %s: %w", r.Name, err)
	}
	_, err = io.WriteString(f, text)
	return errors.Join(err, f.Close())
}
