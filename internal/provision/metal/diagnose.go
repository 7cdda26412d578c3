package metal

import (
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
		containerd, err := unitState(ctx, n, "containerd")
		if err != nil {
			return fmt.Errorf("infrastructure: %w (seen when: %v)", err, firstLine(cause))
		}
		if containerd.active != "active" || containerd.sick() {
			return fmt.Errorf("infrastructure: containerd of the node OS is not well on host %s (%s): %w", n.Name, containerd, cause)
		}
		kubelet, err := unitState(ctx, n, "kubelet")
		if err != nil {
			return fmt.Errorf("infrastructure: %w (seen when: %v)", err, firstLine(cause))
		}
		if kubelet.sick() && sick == nil {
			sick = &nodes[i]
		}
	}
	var step *bootstrap.StepError
	var exit *cluster.ExitError
	switch {
	case sick != nil:
		return &provision.ProductError{Component: "kubelet", Doing: "starting on host " + sick.Name, Log: journal(ctx, *sick, "kubelet"), Err: errors.New(firstLine(cause))}
	case errors.Is(cause, bootstrap.ErrUnready) || errors.Is(cause, bootstrap.ErrNotReady):
		return &provision.ProductError{Component: "cluster", Doing: "becoming ready", Log: journal(ctx, nodes[0], "kubelet"), Err: cause}
	case errors.As(cause, &step) && errors.As(step.Err, &exit):
		return &provision.ProductError{Component: "kubeadm", Doing: "setting up the cluster", Log: lastLines(step.Output, 40), Err: errors.New(firstLine(cause))}
	}
	return fmt.Errorf("infrastructure: %w", cause)
}

// unit is a systemd unit's state.
type unit struct{ active, restarts, status string }

// sick tells a unit that ended, or that systemd keeps starting in vain.
func (u unit) sick() bool {
	return u.active == "failed" || u.restarts != "0" && u.restarts != "" && u.status != "0"
}

// String says it for people.
func (u unit) String() string {
	return fmt.Sprintf("%s, %s restarts, last exit status %s", u.active, u.restarts, u.status)
}

func unitState(ctx context.Context, n cluster.Node, name string) (unit, error) {
	out, err := n.Exec(ctx, cluster.Command("systemctl", "show", name, "-p", "ActiveState,NRestarts,ExecMainStatus"))
	if err != nil {
		return unit{}, err
	}
	var u unit
	for _, line := range strings.Split(string(out.Stdout), "\n") {
		key, value, _ := strings.Cut(line, "=")
		switch key {
		case "ActiveState":
			u.active = value
		case "NRestarts":
			u.restarts = value
		case "ExecMainStatus":
			u.status = value
		}
	}
	return u, nil
}

// journal returns the last lines that a unit wrote.
func journal(ctx context.Context, n cluster.Node, name string) string {
	out, err := n.Exec(ctx, cluster.Command("journalctl", "--no-pager", "-q", "-o", "short-iso", "-n", "30", "-u", name))
	if err != nil {
		return "the journal cannot be read: " + err.Error()
	}
	return strings.TrimSpace(string(out.Stdout))
}

func firstLine(err error) string {
	line, _, _ := strings.Cut(strings.TrimSpace(err.Error()), "\n")
	return line
}

func lastLines(text string, n int) string {
	all := strings.Split(strings.TrimSpace(text), "\n")
	return strings.Join(all[max(0, len(all)-n):], "\n")
}
