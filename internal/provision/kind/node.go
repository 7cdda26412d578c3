package kind

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os/exec"
	"strings"

	"github.com/qualify-dev/qualify/internal/cluster"
)

// node reaches into a node container through the engine.
type node struct{ container string }

// Exec runs cmd in the node; see cluster.Transport.
func (n node) Exec(ctx context.Context, cmd cluster.Cmd) (cluster.Output, error) {
	var stdout bytes.Buffer
	stderr, err := n.stream(ctx, cmd, &stdout)
	out := cluster.Output{Stdout: stdout.Bytes(), Stderr: stderr}
	var exit *cluster.ExitError
	if errors.As(err, &exit) {
		exit.Output = out
	}
	return out, err
}

// stream runs cmd in the node with its standard output going to w.
func (n node) stream(ctx context.Context, cmd cluster.Cmd, w io.Writer) (stderr []byte, err error) {
	args := []string{"exec", "--privileged"}
	if cmd.Stdin != nil {
		args = append(args, "-i")
	}
	args = append(append(args, n.container), cmd.Argv...)
	var said bytes.Buffer
	err = runDocker(ctx, streams{cmd.Stdin, w, &said}, args...)
	if err == nil || ctx.Err() != nil || errors.Is(err, errEngine) {
		return said.Bytes(), err
	}
	var exit *exec.ExitError
	if errors.As(err, &exit) && !engineSpoke(said.String()) {
		return said.Bytes(), &cluster.ExitError{Node: n.container, Cmd: cmd, Code: exit.ExitCode(), Output: cluster.Output{Stderr: said.Bytes()}}
	}
	return said.Bytes(), &commandError{args: args, err: err, stderr: strings.TrimSpace(said.String())}
}

// engineSpoke tells the engine's own complaints from a failed command's, which
// may be about connections and containers of its own. The engine's come alone,
// or last where it went away under the command.
func engineSpoke(stderr string) bool {
	said := lines(stderr)
	if len(said) == 0 {
		return false
	}
	for _, sign := range []string{"Cannot connect to the Docker daemon", "error during connect:", "Error response from daemon:", "Error: No such container:"} {
		if strings.HasPrefix(said[0], sign) || strings.HasPrefix(said[len(said)-1], sign) {
			return true
		}
	}
	return false
}

// Put writes r to file in the node; see cluster.Transport.
func (n node) Put(ctx context.Context, file string, mode fs.FileMode, r io.Reader) error {
	return cluster.Put(ctx, n.Exec, file, mode, r)
}

// Get copies file from the node to w; see cluster.Transport.
func (n node) Get(ctx context.Context, file string, w io.Writer) error {
	if _, err := n.stream(ctx, cluster.Command("cat", file), w); err != nil {
		return fmt.Errorf("reading %s on node %s: %w", file, n.container, err)
	}
	return nil
}
