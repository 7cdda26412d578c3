package kind

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"time"

	kindcluster "sigs.k8s.io/kind/pkg/cluster"

	"github.com/qualify-dev/qualify/internal/bootstrap"
	"github.com/qualify-dev/qualify/internal/cluster"
	"github.com/qualify-dev/qualify/internal/provision"
)

// adoptTime is how long a cluster that is to be taken over has to show that it
// is ready: it was, so it need not become so.
const adoptTime = time.Minute

// adopt takes over the cluster that an earlier Up made under the lease. It
// changes nothing but the kubeconfig in the cell's directory, and no error of
// it blames the release: what is not whole is made again.
func (p *provisioner) adopt(ctx context.Context, lease provision.Lease, spec provision.Spec) (*cluster.Cluster, error) {
	spec.Phase("adopt")
	if err := engineAnswers(ctx); err != nil {
		return nil, err
	}
	c := &cluster.Cluster{
		Name: lease.Name, Kubeconfig: filepath.Join(spec.Dir, "kubeconfig"), Nodes: clusterNodes(lease.Name, spec.Workers),
	}
	restartable(c)
	if err := allRun(ctx, lease, c.Nodes); err != nil {
		return nil, fmt.Errorf("taking over the cluster of lease %s: %w", lease.Name, err)
	}
	logger, closeLog, err := fileLogger(p.cfg.Sink, filepath.Join(spec.Dir, "kind.log"))
	if err != nil {
		return nil, err
	}
	defer closeLog()
	provider := kindcluster.NewProvider(kindcluster.ProviderWithDocker(), kindcluster.ProviderWithLogger(logger))
	kubeconfig, err := provider.KubeConfig(lease.Name, false)
	if err != nil {
		return nil, fmt.Errorf("taking over the cluster of lease %s: %w", lease.Name, err)
	}
	if err := p.cfg.Sink.WriteKubeconfig(c.Kubeconfig, []byte(kubeconfig)); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, adoptTime)
	defer cancel()
	if err := awaitReady(ctx, c, spec, bootstrap.Wired()); err != nil {
		return nil, fmt.Errorf("taking over the cluster of lease %s: %w", lease.Name, err)
	}
	return c, nil
}

// allRun is an error unless the lease's containers are the nodes, and run.
func allRun(ctx context.Context, lease provision.Lease, nodes []cluster.Node) error {
	states, err := leaseNodes(ctx, lease)
	if err != nil {
		return err
	}
	for _, n := range nodes {
		at := slices.IndexFunc(states, func(s nodeState) bool { return s.name == n.Name })
		if at < 0 {
			return fmt.Errorf("node %s is gone", n.Name)
		}
		if !states[at].running {
			return fmt.Errorf("node %s is %s", n.Name, states[at].state)
		}
	}
	if len(states) != len(nodes) {
		return fmt.Errorf("the lease has %d containers, want %d", len(states), len(nodes))
	}
	return nil
}
