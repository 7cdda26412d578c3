package bootstrap

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strconv"
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
// run. reason is why it failed, in its own words and one line; said are the
// last lines that it printed.
func KubeadmFailed(cause error) (reason, said string, failed bool) {
	var step *StepError
	var exit *cluster.ExitError
	if !errors.As(cause, &step) || !errors.As(step.Err, &exit) {
		return "", "", false
	}
	reason = fmt.Sprintf("kubeadm %s on node %s: exit code %d", step.Step, step.Node, exit.Code)
	if own := kubeadmError(step.Output); own != "" {
		reason += ": " + own
	}
	return reason, lastLines(step.Output, 40), true
}

// kubeadmError is the error that kubeadm ended with. It prints one with the
// stack of each of its wrappings between the lines, which are functions and,
// indented below them, their places; since 1.34 in one line with one stack.
func kubeadmError(output string) string {
	lines := strings.Split(output, "\n")
	var parts []string
	for i, line := range lines {
		function := i+1 < len(lines) && strings.HasPrefix(lines[i+1], "\t")
		switch {
		case strings.HasPrefix(line, "\t"), function, strings.TrimSpace(line) == "":
		case kubeadmLog.MatchString(line):
			// What came before was said on the way.
			parts = nil
		default:
			parts = append(parts, strings.TrimPrefix(strings.TrimSpace(line), "error: "))
		}
	}
	return strings.Join(parts[max(0, len(parts)-6):], "; ")
}

// kubeadmLog is a line of kubeadm's log, or of what it tells of its progress.
var kubeadmLog = regexp.MustCompile(`^([IWEF]\d{4} |\[[a-z-]+\] )`)

func lastLines(text string, n int) string {
	all := strings.Split(strings.TrimSpace(text), "\n")
	return strings.Join(all[max(0, len(all)-n):], "\n")
}

// LastWords is why a program of Kubernetes ended, by its own log: it says so
// in one line, and what waited for it only that it waited in vain.
func LastWords(log string) string {
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
