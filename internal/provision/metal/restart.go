package metal

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/qualify-dev/qualify/internal/bootstrap"
	"github.com/qualify-dev/qualify/internal/cluster"
	"github.com/qualify-dev/qualify/internal/provision"
	"github.com/qualify-dev/qualify/internal/remote"
)

// One look at whether a machine is back may take this long, and the next
// comes after a pause.
const (
	lookTime  = 10 * time.Second
	lookPause = 500 * time.Millisecond
)

// restart boots a machine of the lease, waits until it answers from another
// boot, and puts back what does not outlive one: settings of the kernel, what is
// stopped of the system's guards, and the pod network. See cluster.Node.
func restart(ctx context.Context, m *machine, lease provision.Lease, c *cluster.Cluster) error {
	root := m.remote.Root(worker(lease))
	before, err := cluster.Boot(ctx, root)
	if err != nil {
		return fmt.Errorf("restarting host %s: %w", m.Name, err)
	}
	_, err = root.Exec(ctx, cluster.Command("systemctl", "--no-block", "reboot"))
	if err != nil && !errors.Is(err, remote.ErrLost) { // it may be gone before it has answered
		return fmt.Errorf("restarting host %s: %w", m.Name, err)
	}
	if err := back(ctx, m, root, before); err != nil {
		return fmt.Errorf("restarting host %s: %w", m.Name, err)
	}
	os, err := systemOn(ctx, root)
	if err == nil {
		_, err = root.Exec(ctx, cluster.Command("sh", "-euc", kernelScript()+os.Host.Prepare()))
	}
	if err != nil {
		return fmt.Errorf("setting up host %s again: %w", m.Name, err)
	}
	return bootstrap.Rewire(ctx, c.Nodes, c.Kubeconfig)
}

// back waits until a machine answers from another boot than the one before. It
// may refuse for a while: on its way down it loses sight of the file that says
// who holds it.
func back(ctx context.Context, m *machine, root remote.Root, before string) error {
	last := errors.New("nobody has looked")
	for {
		look, cancel := context.WithTimeout(ctx, lookTime)
		// Nobody answers any more on a connection to the boot before.
		stop := context.AfterFunc(look, m.remote.HangUp)
		now, err := cluster.Boot(look, root)
		stop()
		cancel()
		switch {
		case err == nil && now != before:
			return nil
		case err == nil:
			last = errors.New("it still is in the boot of before")
		case ctx.Err() == nil:
			last = err
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("it did not come back: %w: %w", context.Cause(ctx), last)
		case <-time.After(lookPause):
		}
	}
}
