package kind

import (
	"context"
	"strconv"
	"time"

	"github.com/qualify-dev/qualify/internal/bootstrap"
	"github.com/qualify-dev/qualify/internal/cluster"
	"github.com/qualify-dev/qualify/internal/provision"
)

// hopeless is how often systemd may have started a kubelet in vain before
// nobody waits any longer. It is started once a second, and a good one is not
// started again at all.
const hopeless = 10

// watchKubelets ends a creation that cannot succeed: kubeadm would wait four
// minutes for a kubelet that ends as soon as it starts. It ends kubeadm alone,
// so that the nodes stay and show what happened.
func watchKubelets(ctx context.Context, lease provision.Lease, every time.Duration) {
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		nodes, err := leaseNodes(ctx, lease)
		if err != nil {
			continue
		}
		sick := false
		for _, n := range nodes {
			if !n.running {
				continue
			}
			state, _ := bootstrap.UnitState(ctx, node{n.name}, "kubelet") // one that cannot be asked is not sick
			restarts, err := strconv.Atoi(state.Restarts)
			sick = sick || (err == nil && restarts >= hopeless && state.Sick())
		}
		if !sick {
			continue
		}
		for _, n := range nodes {
			_, _ = node{n.name}.Exec(ctx, cluster.Command("pkill", "-KILL", "-x", "kubeadm"))
		}
	}
}
