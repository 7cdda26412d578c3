package fake

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"time"
)

// roll returns a number in [0,1) that depends on the seed, the lease, the call
// and how often this provisioner has rolled for them before: a call that is
// tried again may fare better.
func (p *provisioner) roll(lease, call string) float64 {
	key := fmt.Sprintf("%d %q %q", p.options.Seed, lease, call)
	p.mu.Lock()
	n := p.rolls[key]
	p.rolls[key]++
	p.mu.Unlock()
	sum := sha256.Sum256(fmt.Appendf(nil, "%s %d", key, n))
	return float64(binary.BigEndian.Uint64(sum[:])>>11) / (1 << 53)
}

// call is what every call to the cloud begins with: it takes its time, and may
// be refused. Then it has changed nothing.
func (p *provisioner) call(ctx context.Context, lease, what string) error {
	if p.options.Called != nil {
		p.options.Called(what)
	}
	took := time.Duration(p.roll(lease, what+": time") * float64(p.options.Slow))
	if err := sleep(ctx, took); err != nil {
		return fmt.Errorf("fake cloud: %s: %w", what, err)
	}
	if p.roll(lease, what) < p.options.ErrorRate {
		return fmt.Errorf("fake cloud: %s: refused: %w", what, ErrInjected)
	}
	return nil
}

// create makes a resource. On an error it may exist all the same, now or up to
// the options' time later; that it may is remembered for Down.
func (p *provisioner) create(ctx context.Context, r *Record) error {
	lease, what := r.Lease.Name, "create "+r.ID()
	if err := p.call(ctx, lease, what); err != nil {
		return err
	}
	r.Created = time.Now()
	r.Appears = r.Created
	if p.roll(lease, what+": late") < p.options.LateRate {
		r.Appears = r.Created.Add(time.Duration(p.roll(lease, what+": delay") * float64(p.options.Late)))
	}
	if err := p.cloud.add(*r); errors.Is(err, fs.ErrExist) {
		return p.cloud.misuse("Up: lease %s is in use: there is a second %s %s", lease, r.Kind, r.Name)
	} else if err != nil {
		return err
	}
	if p.roll(lease, what+": lost") < p.options.LostRate {
		p.unsettle(lease)
		return fmt.Errorf("fake cloud: %s: no answer: %w", what, ErrInjected)
	}
	if err := sleep(ctx, time.Until(r.Appears)); err != nil {
		p.unsettle(lease)
		return fmt.Errorf("fake cloud: %s: %w", what, err)
	}
	return nil
}

// sleep returns early with the context's error when that ends.
func sleep(ctx context.Context, d time.Duration) error {
	if d <= 0 || ctx.Err() != nil {
		return ctx.Err()
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}
