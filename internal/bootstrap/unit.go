package bootstrap

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/qualify-dev/qualify/internal/cluster"
)

// Unit is a systemd unit's state, in systemd's words. The zero value is that of
// a unit that nobody could ask for.
type Unit struct{ Active, Restarts, Status string }

// Sick tells a unit that ended, or that systemd keeps starting in vain. One
// that was never started (kubelet before kubeadm wrote its configuration) has
// no restarts and is not sick.
func (u Unit) Sick() bool {
	return u.Active == "failed" || u.Restarts != "0" && u.Restarts != "" && u.Status != "0"
}

// String says it for people.
func (u Unit) String() string {
	if u == (Unit{}) {
		return "state unknown"
	}
	return fmt.Sprintf("%s, %s restarts, last exit status %s", u.Active, u.Restarts, u.Status)
}

// UnitState asks a node for the state of one of its units.
func UnitState(ctx context.Context, t cluster.Transport, name string) (Unit, error) {
	out, err := t.Exec(ctx, cluster.Command("systemctl", "show", name, "-p", "ActiveState,NRestarts,ExecMainStatus"))
	if err != nil {
		return Unit{}, err
	}
	var u Unit
	for _, line := range strings.Split(string(out.Stdout), "\n") {
		key, value, _ := strings.Cut(line, "=")
		switch key {
		case "ActiveState":
			u.Active = value
		case "NRestarts":
			u.Restarts = value
		case "ExecMainStatus":
			u.Status = value
		}
	}
	return u, nil
}

// Journal returns the last lines that a unit of a node wrote, or why they
// cannot be had.
func Journal(ctx context.Context, t cluster.Transport, name string) string {
	out, err := t.Exec(ctx, cluster.Command("journalctl", "--no-pager", "-q", "-o", "short-iso", "-n", "30", "-u", name))
	if err != nil {
		return "the journal cannot be read: " + err.Error()
	}
	return strings.TrimSpace(string(out.Stdout))
}

// KubeadmFailed tells a kubeadm that ran and failed from one that could not be
// run, and returns the last lines that it printed.
func KubeadmFailed(cause error) (said string, failed bool) {
	var step *StepError
	var exit *cluster.ExitError
	if !errors.As(cause, &step) || !errors.As(step.Err, &exit) {
		return "", false
	}
	return lastLines(step.Output, 40), true
}

func lastLines(text string, n int) string {
	all := strings.Split(strings.TrimSpace(text), "\n")
	return strings.Join(all[max(0, len(all)-n):], "\n")
}
