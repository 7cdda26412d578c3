package kind

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/qualify-dev/qualify/internal/bootstrap"
	"github.com/qualify-dev/qualify/internal/cluster"
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
		if state := unitState(ctx, n.name, "containerd"); state.active != "active" || state.sick() {
			return fmt.Errorf("infrastructure: containerd of the node OS is not well on %s (%s): %w", n.name, state, cause)
		}
	}
	for _, n := range nodes {
		if state := unitState(ctx, n.name, "kubelet"); state.sick() {
			log := journal(ctx, n.name, "kubelet")
			return &provision.ProductError{
				Component: "kubelet",
				Doing:     fmt.Sprintf("starting on node %s (%s)", n.name, state),
				Log:       log,
				Err:       errors.New(cmp.Or(lastWords(log), firstLine(cause))),
			}
		}
	}
	if errors.Is(cause, bootstrap.ErrUnready) || errors.Is(cause, bootstrap.ErrNotReady) {
		return &provision.ProductError{Component: "cluster", Doing: "becoming ready", Log: journal(ctx, nodes[0].name, "kubelet"), Err: cause}
	}
	if step := kubeadmFailed(cause); step != nil {
		return &provision.ProductError{Component: "kubeadm", Doing: "setting up the cluster", Log: lastLines(step.Output, 40), Err: errors.New(firstLine(cause))}
	}
	return fmt.Errorf("infrastructure: %w", cause)
}

// kubeadmFailed tells a kubeadm that ran and failed from one that could not be
// run.
func kubeadmFailed(cause error) *bootstrap.StepError {
	var step *bootstrap.StepError
	var exit *cluster.ExitError
	if errors.As(cause, &step) && errors.As(step.Err, &exit) {
		return step
	}
	return nil
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

// unit is a systemd unit's state.
type unit struct {
	active, restarts, status string
	known                    bool
}

// sick tells a unit that ended, or that systemd keeps starting in vain. One
// that was never started (kubelet before kubeadm wrote its configuration) has
// no restarts and is not sick.
func (u unit) sick() bool {
	return u.known && (u.active == "failed" || (u.restarts != "0" && u.restarts != "" && u.status != "0"))
}

// String says it for people.
func (u unit) String() string {
	if !u.known {
		return "state unknown"
	}
	return fmt.Sprintf("%s, %s restarts, last exit status %s", u.active, u.restarts, u.status)
}

func unitState(ctx context.Context, container, name string) unit {
	out, err := node{container}.Exec(ctx, cluster.Command("systemctl", "show", name, "-p", "ActiveState,NRestarts,ExecMainStatus"))
	if err != nil {
		return unit{}
	}
	u := unit{known: true}
	for _, line := range lines(string(out.Stdout)) {
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
	return u
}

// journal returns the last lines that a unit wrote.
func journal(ctx context.Context, container, name string) string {
	out, err := node{container}.Exec(ctx, cluster.Command("journalctl", "--no-pager", "-q", "-o", "short-iso", "-n", "30", "-u", name))
	if err != nil {
		return "the journal cannot be read: " + err.Error()
	}
	return strings.TrimSpace(string(out.Stdout))
}

// lastWords is why a program of Kubernetes ended, by its own log: it says so
// in one line, and what waited for it only that it waited in vain.
func lastWords(log string) string {
	const before = `"command failed" err=`
	at := strings.LastIndex(log, before)
	if at < 0 {
		return ""
	}
	line, _, _ := strings.Cut(log[at+len(before):], "\n")
	text, err := strconv.Unquote(strings.TrimSpace(line))
	if err != nil {
		return line
	}
	return text
}

func firstLine(err error) string {
	line, _, _ := strings.Cut(strings.TrimSpace(err.Error()), "\n")
	return line
}

func lastLines(text string, n int) string {
	all := strings.Split(strings.TrimSpace(text), "\n")
	if len(all) > n {
		all = all[len(all)-n:]
	}
	return strings.Join(all, "\n")
}
