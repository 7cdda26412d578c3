package metal

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"time"

	"github.com/qualify-dev/qualify/internal/bootstrap"
	"github.com/qualify-dev/qualify/internal/cluster"
	"github.com/qualify-dev/qualify/internal/provision"
	"github.com/qualify-dev/qualify/internal/release"
)

func hostPort(address string) string { return net.JoinHostPort(address, strconv.Itoa(apiPort)) }

// releaseFault blames the release for bytes that are not those of its manifest.
func releaseFault(err error) error {
	var digest *release.DigestError
	if errors.As(err, &digest) {
		return &provision.ProductError{Component: digest.Asset, Doing: "verifying the release", Err: err}
	}
	return err
}

// cutShort makes an error that came after the end of the context one of the
// context: it shows nothing against the release, whatever it says.
func cutShort(ctx context.Context, err error) error {
	if err == nil || ctx.Err() == nil {
		return err
	}
	return fmt.Errorf("%w: %v", ctx.Err(), err)
}

// diagnose decides whose fault a cluster is that did not come up. The release is
// blamed only for what was seen: every host answers and is held, its containerd
// runs, and a program of the release does not do what it should.
func diagnose(ctx context.Context, nodes []cluster.Node, cause error) error {
	if ctx.Err() != nil {
		return cause
	}
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	var sick *cluster.Node
	for i, n := range nodes {
		containerd, err := bootstrap.UnitState(ctx, n, "containerd")
		if err != nil {
			return fmt.Errorf("infrastructure: %w (seen when: %v)", err, firstLine(cause))
		}
		if containerd.Active != "active" || containerd.Sick() {
			return fmt.Errorf("infrastructure: containerd of the node OS is not well on host %s (%s): %w", n.Name, containerd, cause)
		}
		kubelet, err := bootstrap.UnitState(ctx, n, "kubelet")
		if err != nil {
			return fmt.Errorf("infrastructure: %w (seen when: %v)", err, firstLine(cause))
		}
		if kubelet.Sick() && sick == nil {
			sick = &nodes[i]
		}
	}
	reason, said, failed := bootstrap.KubeadmFailed(cause)
	switch {
	case sick != nil:
		log := bootstrap.Journal(ctx, *sick, "kubelet")
		return &provision.ProductError{
			Component: "kubelet", Doing: "starting on host " + sick.Name, Log: log, Err: errors.New(cmp.Or(bootstrap.LastWords(log), firstLine(cause))),
		}
	case bootstrap.Unready(cause):
		return &provision.ProductError{Component: "cluster", Doing: "becoming ready", Log: bootstrap.Journal(ctx, nodes[0], "kubelet"), Err: cause}
	case failed:
		return &provision.ProductError{Component: "kubeadm", Doing: "setting up the cluster", Log: said, Err: errors.New(reason)}
	}
	return fmt.Errorf("infrastructure: %w", cause)
}

func firstLine(err error) string {
	line, _, _ := strings.Cut(strings.TrimSpace(err.Error()), "\n")
	return line
}
