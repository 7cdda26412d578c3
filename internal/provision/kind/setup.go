package kind

import (
	"context"
	"fmt"
	"os"
	"time"

	"sigs.k8s.io/kind/pkg/log"

	"github.com/qualify-dev/qualify/internal/bootstrap"
	"github.com/qualify-dev/qualify/internal/cluster"
	"github.com/qualify-dev/qualify/internal/provision"
)

// kubeadmConfig is where kind's library puts kubeadm's configuration.
const kubeadmConfig = "/kind/kubeadm.conf"

// setUp makes a cluster of nodes that kind's library has made and configured,
// and does what that does around kubeadm. The pod network is wired beside it,
// and may be unfinished when setUp returns: wiring tells.
func setUp(ctx context.Context, lease provision.Lease, c *cluster.Cluster, way *bootstrap.Access, logger log.Logger) (bootstrap.Wiring, error) {
	network := &bootstrap.PodNetwork{Nodes: c.Nodes, Client: way.Client, Forwards: bootstrap.ProxyForwards}
	wires := network.Start(ctx)
	watchCtx, stopWatch := context.WithCancel(ctx)
	defer stopWatch()
	go watchKubelets(watchCtx, lease, 15*time.Second)
	kubeadm := bootstrap.Kubeadm{
		ControlPlane: c.Nodes[0], Workers: c.Nodes[1:], Config: kubeadmConfig, Access: way.Client,
		Log: func(node, text string) { logger.V(0).Infof("kubeadm on %s:\n%s", node, text) },
	}
	err := kubeadm.Up(ctx)
	if err == nil {
		err = bootstrap.Finish(ctx, way, len(c.Nodes) == 1)
	}
	if err != nil {
		wires.Stop()
		return bootstrap.Wiring{}, err
	}
	return wires, nil
}

// awaitReady returns when everything that "ready" means was seen.
func awaitReady(ctx context.Context, c *cluster.Cluster, spec provision.Spec, network bootstrap.Wiring) error {
	text, err := os.ReadFile(c.Kubeconfig)
	if err != nil {
		return fmt.Errorf("reading the cluster's kubeconfig: %w", err)
	}
	client, err := bootstrap.NewClient(text)
	if err != nil {
		return err
	}
	return bootstrap.Ready(ctx, client, c, spec.Release.Kubernetes(), network)
}
