// Package cluster is the handle that a suite gets: a Kubernetes cluster that
// somebody brought up, and its nodes. It does not know who made it.
package cluster

import (
	"context"
	"fmt"
	"io"
	"io/fs"
	"strings"
)

// Cluster is a running Kubernetes cluster.
type Cluster struct {
	Name       string
	Kubeconfig string // path of a file of mode 0600; nothing else is ever consulted
	Version    string // what the API server reports, e.g. "v1.34.4"
	Nodes      []Node
	// Foreign is a cluster that somebody else made: its nodes cannot be reached.
	Foreign bool
	// Notes are warnings on how it came to be, which travel with every answer
	// that it gives.
	Notes []string
}

// Role is what a node does in the cluster.
type Role string

// The roles.
const (
	ControlPlane Role = "control-plane"
	Worker       Role = "worker"
)

// Node is one machine of a cluster. Its name equals its Node object's.
type Node struct {
	Name string
	Role Role
	Transport
	// Restart boots the node anew, and returns when it answers again and is part
	// of the pod network. What runs on it may still be starting. nil where nobody
	// can boot it.
	Restart func(ctx context.Context) error
}

// Transport reaches into a node as root. Implementations honour ctx on every
// call and pass the contract suite in provisiontest.
type Transport interface {
	// Exec runs cmd to its end. A command that ran and exited non-zero gives
	// an *ExitError; any other error means that it could not be run.
	Exec(ctx context.Context, cmd Cmd) (Output, error)
	// Put writes r to path atomically with the given mode.
	Put(ctx context.Context, path string, mode fs.FileMode, r io.Reader) error
	// Get copies the file at path to w.
	Get(ctx context.Context, path string, w io.Writer) error
}

// Cmd is a command without a shell: what Argv says is what runs.
type Cmd struct {
	Argv  []string
	Stdin io.Reader // nil: no input
}

// Command is the Cmd of its arguments.
func Command(argv ...string) Cmd { return Cmd{Argv: argv} }

// Script is the Cmd of a POSIX shell script that stops at its first error.
func Script(text string) Cmd { return Command("sh", "-euc", text) }

// String prints the command so that it can be pasted into a shell.
func (c Cmd) String() string {
	words := make([]string, len(c.Argv))
	for i, w := range c.Argv {
		words[i] = quote(w)
	}
	return strings.Join(words, " ")
}

func quote(w string) string {
	safe := func(r rune) bool {
		return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("-_./:=@,+%", r)
	}
	if w != "" && strings.IndexFunc(w, func(r rune) bool { return !safe(r) }) < 0 {
		return w
	}
	return "'" + strings.ReplaceAll(w, "'", `'\''`) + "'"
}

// Output is what a command printed.
type Output struct {
	Stdout, Stderr []byte
}

// ExitError is a command that ran and exited non-zero.
type ExitError struct {
	Node   string
	Cmd    Cmd
	Code   int
	Output Output
}

// Error shows the pasteable command, its code and the end of what it printed.
func (e *ExitError) Error() string {
	said := strings.TrimSpace(string(e.Output.Stderr))
	if said == "" {
		said = strings.TrimSpace(string(e.Output.Stdout))
	}
	const most = 600
	if len(said) > most {
		said = "…" + said[len(said)-most:]
	}
	return fmt.Sprintf("on node %s: %s: exit code %d: %s", e.Node, e.Cmd, e.Code, said)
}
