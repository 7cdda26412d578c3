package kind

import (
	"context"
	"fmt"

	"github.com/qualify-dev/qualify/internal/bootstrap"
	"github.com/qualify-dev/qualify/internal/cluster"
)

// restartable lets the nodes of a cluster be booted: their containers are
// started again, and their init with them.
func restartable(c *cluster.Cluster) {
	for i := range c.Nodes {
		name := c.Nodes[i].Name
		c.Nodes[i].Restart = func(ctx context.Context) error {
			if _, err := docker(ctx, "restart", "-t", "20", name); err != nil {
				return fmt.Errorf("restarting node %s: %w", name, err)
			}
			return bootstrap.Rewire(ctx, c.Nodes, c.Kubeconfig)
		}
	}
}
