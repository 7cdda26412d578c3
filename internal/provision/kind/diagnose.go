package kind

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/qualify-dev/qualify/internal/bootstrap"
	"github.com/qualify-dev/qualify/internal/provision"
)

// diagnose decides whose fault a failed Up is. It blames the release only on
// what it saw: the engine answers, the node containers run, the node OS's
// container runtime works, and a program of the release does not.
func diagnose(ctx context.Context, lease provision.Lease, cause error) error {
	if errors.Is(cause, errCancelled) || ctx.Err() != nil {
		return cause // see cutShort
	}
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	if err := engineAnswers(ctx); err != nil {
		return fmt.Errorf("infrastructure: %w (seen when: %v)", err, firstLine(cause))
	}
	nodes, err := leaseNodes(ctx, lease)
	if err != nil {
		return fmt.Errorf("infrastructure: %w (seen when: %v)", err, firstLine(cause))
	}
	if len(nodes) == 0 {
		return fmt.Errorf("infrastructure: no node container runs: %w", cause)
	}
	for _, n := range nodes {
		if !n.running {
			return fmt.Errorf("infrastructure: node container %s is %s: %w", n.name, n.state, cause)
		}
		// A node that does not answer has shown nothing against the release.
		if state, _ := bootstrap.UnitState(ctx, node{n.name}, "containerd"); state.Active != "active" || state.Sick() {
			return fmt.Errorf("infrastructure: containerd of the node OS is not well on %s (%s): %w", n.name, state, cause)
		}
	}
	for _, n := range nodes {
		if state, _ := bootstrap.UnitState(ctx, node{n.name}, "kubelet"); state.Sick() {
			log := bootstrap.Journal(ctx, node{n.name}, "kubelet")
			return &provision.ProductError{
				Component: "kubelet",
				Doing:     fmt.Sprintf("starting on node %s (%s)", n.name, state),
				Log:       log,
				Err:       errors.New(cmp.Or(bootstrap.LastWords(log), firstLine(cause))),
			}
		}
	}
	if bootstrap.Unready(cause) {
		return &provision.ProductError{Component: "cluster", Doing: "becoming ready", Log: bootstrap.Journal(ctx, node{nodes[0].name}, "kubelet"), Err: cause}
	}
	if reason, said, failed := bootstrap.KubeadmFailed(cause); failed {
		return &provision.ProductError{Component: "kubeadm", Doing: "setting up the cluster", Log: said, Err: errors.New(reason)}
	}
	return fmt.Errorf("infrastructure: %w", cause)
}

// cutShort makes an error that came after the end of the context one of the
// context: it shows nothing against the release, whatever it says.
func cutShort(ctx context.Context, err error) error {
	var product *provision.ProductError
	if err == nil || ctx.Err() == nil || errors.Is(err, ctx.Err()) && !errors.As(err, &product) {
		return err
	}
	return fmt.Errorf("%w: %v", ctx.Err(), err)
}

// nodeState is what the engine says of a node container.
type nodeState struct {
	name, state string
	running     bool
}

func leaseNodes(ctx context.Context, lease provision.Lease) ([]nodeState, error) {
	out, err := docker(ctx, "ps", "--all", "--filter", "label="+labelLease+"="+lease.Name, "--format", "{{.Names}} {{.State}}")
	if err != nil {
		return nil, err
	}
	var nodes []nodeState
	for _, line := range lines(out) {
		name, state, _ := strings.Cut(line, " ")
		nodes = append(nodes, nodeState{name: name, state: state, running: state == "running"})
	}
	return nodes, nil
}

func firstLine(err error) string {
	line, _, _ := strings.Cut(strings.TrimSpace(err.Error()), "\n")
	return line
}
