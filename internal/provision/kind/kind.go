// Package kind provisions clusters of containers with the sigs.k8s.io/kind
// library, on node images that it makes from the candidate release itself.
package kind

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"regexp"
	"time"

	kindcluster "sigs.k8s.io/kind/pkg/cluster"
	"sigs.k8s.io/kind/pkg/log"

	"github.com/qualify-dev/qualify/internal/bootstrap"
	"github.com/qualify-dev/qualify/internal/cache"
	"github.com/qualify-dev/qualify/internal/cluster"
	"github.com/qualify-dev/qualify/internal/nodeos"
	"github.com/qualify-dev/qualify/internal/provision"
	"github.com/qualify-dev/qualify/internal/release"
	"github.com/qualify-dev/qualify/matrix"
)

// Entry describes the provisioner to the planner.
func Entry() provision.Entry {
	return provision.Entry{
		Name:     "kind",
		Doc:      "containers on this machine, through the kind library",
		Caveat:   "the nodes have the userland of their operating system; the kernel is this host's",
		Capacity: room(usualNodes).Cells,
		Room:     room,
		Preloads: true,
		Can:      can,
		New:      newProvisioner,
		List: func(ctx context.Context, _ provision.Config) ([]provision.Resource, error) {
			return list(ctx, labelLease)
		},
		Purge: purge,
	}
}

// usualNodes is a control plane and the two workers of the shipped matrix.
const usualNodes = 3

func can(cell matrix.Cell) error {
	h, err := inspectHost("")
	if err != nil {
		return err
	}
	return canOn(h, cell)
}

// runtimeForm is what a cell's container runtime can be; without the axis it is
// the operating system's own.
var runtimeForm = regexp.MustCompile(`^(|os|v[0-9]+\.[0-9]+\.[0-9]+)$`)

// canOn tells whether a host can serve a cell.
func canOn(h host, cell matrix.Cell) error {
	os, err := nodeos.Find(cell.Value(matrix.OS))
	switch {
	case err != nil:
		return err
	case os.Userland == nil:
		return fmt.Errorf("%s cannot be made as a container on this machine", os.Name)
	case !runtimeForm.MatchString(cell.Value(matrix.Containerd)):
		return fmt.Errorf("containerd %q is neither %q nor a version like v1.7.32", cell.Value(matrix.Containerd), matrix.OfOS)
	case os.CgroupV2 != "" && h.cgroupV1:
		return &provision.UnsupportedError{Reason: fmt.Sprintf("%s: %s, and this host has those", os.Name, os.CgroupV2)}
	}
	return nil
}

type provisioner struct {
	cfg   provision.Config
	store *release.Store
}

func newProvisioner(cfg provision.Config) (provision.Provisioner, error) {
	return &provisioner{cfg: cfg, store: cfg.Store}, nil
}

// Up makes the cluster; see provision.Provisioner.
func (p *provisioner) Up(ctx context.Context, lease provision.Lease, spec provision.Spec) (*cluster.Cluster, error) {
	bring := p.up
	if spec.Adopt {
		bring = p.adopt
	}
	c, err := bring(ctx, lease, spec)
	return c, cutShort(ctx, err)
}

func (p *provisioner) up(ctx context.Context, lease provision.Lease, spec provision.Spec) (*cluster.Cluster, error) {
	if err := engineAnswers(ctx); err != nil {
		return nil, err
	}
	if held, err := list(ctx, labelLease+"="+lease.Name); err != nil {
		return nil, err
	} else if len(held) > 0 {
		return nil, fmt.Errorf("lease %s is in use: there is %s %s", lease.Name, held[0].Kind, held[0].Name)
	}
	spec.Phase("image")
	image, err := p.NodeImage(ctx, spec)
	if err != nil {
		return nil, releaseFault(err)
	}
	spec.Phase("create")
	owned, err := ownNetworkAndImage(ctx, lease, image)
	if err != nil {
		return nil, err
	}
	config, err := Config(owned, spec)
	if err != nil {
		return nil, err
	}
	logger, closeLog, err := fileLogger(p.cfg.Sink, filepath.Join(spec.Dir, "kind.log"))
	if err != nil {
		return nil, err
	}
	defer closeLog()
	provider := providerTo(logger)
	c := &cluster.Cluster{Name: lease.Name, Kubeconfig: filepath.Join(spec.Dir, "kubeconfig"), Nodes: clusterNodes(lease.Name, spec.Workers)}
	restartable(c)
	err = create(ctx, func() error {
		return onNetwork(ctx, lease.Name, logger, func(logger log.Logger) error {
			return providerTo(logger).Create(lease.Name, kindcluster.CreateWithV1Alpha4Config(Tuned(config)), kindcluster.CreateWithRetain(true),
				kindcluster.CreateWithKubeconfigPath(c.Kubeconfig), kindcluster.CreateWithStopBeforeSettingUpKubernetes(true))
		})
	}, func() error { return provider.Delete(lease.Name, c.Kubeconfig) })
	if err != nil {
		return nil, diagnose(ctx, lease, err)
	}
	way := &bootstrap.Access{Kubeconfig: func(context.Context) (string, error) { return provider.KubeConfig(lease.Name, false) }, Sink: p.cfg.Sink, File: c.Kubeconfig}
	wiring, err := setUp(ctx, lease, c, way, logger)
	if err != nil {
		return nil, diagnose(ctx, lease, err)
	}
	defer wiring.Stop()
	spec.Phase("ready")
	if err := awaitReady(ctx, c, spec, wiring); err != nil {
		return nil, diagnose(ctx, lease, err)
	}
	return c, nil
}

// providerTo is kind's library with a log.
func providerTo(logger log.Logger) *kindcluster.Provider {
	return kindcluster.NewProvider(kindcluster.ProviderWithDocker(), kindcluster.ProviderWithLogger(logger))
}

// NodeImage returns the name of the node image of a spec, built where the
// engine does not hold it.
func (p *provisioner) NodeImage(ctx context.Context, spec provision.Spec) (string, error) {
	os, err := nodeos.Find(spec.Cell.Value("os"))
	if err != nil {
		return "", err
	}
	builder := imageBuilder{cache: cache.Cache{Dir: p.cfg.CacheDir}, store: p.store, owner: p.cfg.Owner, log: p.cfg.Log}
	return builder.ensure(ctx, spec.Release, os, spec.Components)
}

// releaseFault blames the release for bytes that are not those of its manifest.
func releaseFault(err error) error {
	var digest *release.DigestError
	if errors.As(err, &digest) {
		return &provision.ProductError{Component: digest.Asset, Doing: "verifying the release", Err: err}
	}
	return err
}

// ownNetworkAndImage makes what the nodes will stand on, labelled with the
// lease: a network, and an image that differs from the node image by
// its labels only. Containers inherit an image's labels, and kind's library
// has no other way to label them in the call that creates them.
func ownNetworkAndImage(ctx context.Context, lease provision.Lease, image string) (string, error) {
	labels := leaseLabels(lease)
	network := lease.Name
	args := []string{"network", "create", "--driver", "bridge"}
	for k, v := range labels {
		args = append(args, "--label", k+"="+v)
	}
	if _, err := dockerMake(ctx, append(args, network)...); err != nil {
		return "", fmt.Errorf("making the network: %w", err)
	}
	return labelledImage(ctx, lease, image, labels)
}

// labelledImage commits a never-started container of the node image.
func labelledImage(ctx context.Context, lease provision.Lease, image string, labels map[string]string) (string, error) {
	name, scratch := "qualify/cell:"+lease.Name, lease.Name+"-labels"
	args := []string{"create", "--name", scratch, "--network", "none"}
	var changes []string
	for k, v := range labels {
		args = append(args, "--label", k+"="+v)
		changes = append(changes, "--change", fmt.Sprintf("LABEL %s=%s", k, quoteLabel(v)))
	}
	if _, err := dockerMake(ctx, append(args, image)...); err != nil {
		return "", fmt.Errorf("labelling the node image: %w", err)
	}
	_, err := dockerMake(ctx, append(append([]string{"commit"}, changes...), scratch, name)...)
	if err != nil {
		return "", fmt.Errorf("labelling the node image: %w", err)
	}
	if _, err := docker(ctx, "rm", "-f", "-v", scratch); err != nil {
		return "", fmt.Errorf("labelling the node image: %w", err)
	}
	return name, nil
}

// errCancelled ends a creation whose context ended first.
var errCancelled = errors.New("creation was cancelled")

// create runs kind's creation, which takes no context: it is cancelled by
// deleting the cluster under it. It does not return before the creation has,
// since a creation left alone would go on making containers.
func create(ctx context.Context, run, remove func() error) error {
	done := make(chan error, 1)
	go func() { done <- run() }()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
	}
	for {
		_ = remove()
		select {
		case <-done: //nolint:errcheck // how it ended is told elsewhere
			// The last containers may have appeared after the last removal.
			return errors.Join(fmt.Errorf("%w: %w", errCancelled, context.Cause(ctx)), remove())
		case <-time.After(time.Second):
		}
	}
}

// clusterNodes are the nodes under the names that kind gives them.
func clusterNodes(name string, workers int) []cluster.Node {
	nodes := []cluster.Node{{Name: name + "-control-plane", Role: cluster.ControlPlane}}
	for i := range workers {
		worker := name + "-worker"
		if i > 0 {
			worker += fmt.Sprint(i + 1)
		}
		nodes = append(nodes, cluster.Node{Name: worker, Role: cluster.Worker})
	}
	for i := range nodes {
		nodes[i].Transport = node{nodes[i].Name}
	}
	return nodes
}
