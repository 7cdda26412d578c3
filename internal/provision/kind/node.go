package kind

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os/exec"
	"path"

	"github.com/qualify-dev/qualify/internal/cluster"
)

// node reaches into a node container through the engine.
type node struct{ container string }

// Exec runs cmd in the node; see cluster.Transport.
func (n node) Exec(ctx context.Context, cmd cluster.Cmd) (cluster.Output, error) {
	var out cluster.Output
	args := []string{"exec", "--privileged"}
	if cmd.Stdin != nil {
		args = append(args, "-i")
	}
	args = append(append(args, n.container), cmd.Argv...)
	var stdout bytes.Buffer
	err := dockerStream(ctx, cmd.Stdin, &stdout, args...)
	out.Stdout = stdout.Bytes()
	var failed *commandError
	var exit *exec.ExitError
	if errors.As(err, &failed) && errors.As(err, &exit) && !isContainerGone(failed.stderr) {
		out.Stderr = []byte(failed.stderr)
		return out, &cluster.ExitError{Node: n.container, Cmd: cmd, Code: exit.ExitCode(), Output: out}
	}
	return out, err
}

// isContainerGone tells the engine's own complaints from a failed command's.
func isContainerGone(stderr string) bool {
	return bytes.Contains([]byte(stderr), []byte("Error response from daemon")) || bytes.Contains([]byte(stderr), []byte("Error: No such container"))
}

// Put writes r to file in the node; see cluster.Transport.
func (n node) Put(ctx context.Context, file string, mode fs.FileMode, r io.Reader) error {
	script := fmt.Sprintf(`mkdir -p "$1" && cat > "$2.put" && chmod %#o "$2.put" && mv "$2.put" "$2"`, mode.Perm())
	_, err := n.Exec(ctx, cluster.Cmd{Argv: []string{"sh", "-euc", script, "put", path.Dir(file), file}, Stdin: r})
	if err != nil {
		return fmt.Errorf("writing %s: %w", file, err)
	}
	return nil
}

// Get copies file from the node to w; see cluster.Transport.
func (n node) Get(ctx context.Context, file string, w io.Writer) error {
	if err := dockerStream(ctx, nil, w, "exec", "--privileged", n.container, "cat", file); err != nil {
		return fmt.Errorf("reading %s on node %s: %w", file, n.container, err)
	}
	return nil
}
