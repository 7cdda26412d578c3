package fake

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"

	"github.com/qualify-dev/qualify/internal/cluster"
)

// Call is a command on a node.
type Call struct {
	Node string
	Root string // where the files that were put on the node are on this machine
	Cmd  cluster.Cmd
}

// Answer says what a node says to a command. One that does not know the
// command returns false. It need not watch ctx, but may.
type Answer func(ctx context.Context, call Call) (out cluster.Output, known bool, err error)

// Script is the Answer to one command, and to those that begin with its words:
// it says the same on every node.
func Script(words []string, say func(cluster.Cmd) (cluster.Output, error)) Answer {
	return func(_ context.Context, call Call) (cluster.Output, bool, error) {
		argv := call.Cmd.Argv
		if len(argv) < len(words) || !slices.Equal(argv[:len(words)], words) {
			return cluster.Output{}, false, nil
		}
		out, err := say(call.Cmd)
		return out, true, err
	}
}

// node is the transport to a machine. It is the provisioner's: a process that
// was not told of the machine by Up has none.
type node struct {
	p *provisioner
	m Record
}

// alive refuses what no caller may ask of a node. A machine of the same name
// that was made later is another one.
func (n node) alive(ctx context.Context, doing string) error {
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("fake node %s: %s: %w", n.m.Name, doing, err)
	}
	now, err := n.p.cloud.record(n.m.ID())
	if errors.Is(err, fs.ErrNotExist) || err == nil && !now.Created.Equal(n.m.Created) {
		return n.p.cloud.misuse("%s: there is no node %s", doing, n.m.Name)
	}
	return err
}

// Exec asks the answers; see cluster.Transport.
func (n node) Exec(ctx context.Context, cmd cluster.Cmd) (cluster.Output, error) {
	if len(cmd.Argv) == 0 || cmd.Argv[0] == "" {
		return cluster.Output{}, n.p.cloud.misuse("Exec: no command")
	}
	if err := n.alive(ctx, "Exec"); err != nil {
		return cluster.Output{}, err
	}
	type said struct {
		out cluster.Output
		err error
	}
	// Aside, since an answer that does not watch the context may take longer.
	done := make(chan said, 1)
	go func() {
		out, err := n.answer(ctx, cmd)
		done <- said{out, err}
	}()
	select {
	case s := <-done:
		if s.err == nil || ctx.Err() == nil {
			return s.out, s.err
		}
	case <-ctx.Done():
	}
	return cluster.Output{}, fmt.Errorf("fake node %s: %s: %w", n.m.Name, cmd, ctx.Err())
}

func (n node) answer(ctx context.Context, cmd cluster.Cmd) (cluster.Output, error) {
	for _, a := range n.p.options.Answers {
		out, known, err := a(ctx, Call{Node: n.m.Name, Root: n.p.cloud.files(n.m.Name), Cmd: cmd})
		if !known {
			continue
		}
		var exit *cluster.ExitError
		if errors.As(err, &exit) {
			return exit.Output, &cluster.ExitError{Node: n.m.Name, Cmd: cmd, Code: exit.Code, Output: exit.Output}
		}
		return out, err
	}
	return cluster.Output{}, fmt.Errorf("fake node: no answer scripted for %s", cmd)
}

// place is where a file of the node is on this machine.
func (n node) place(doing, file string) (string, error) {
	if !path.IsAbs(file) || path.Clean(file) != file || file == "/" {
		return "", n.p.cloud.misuse("%s: %q is no absolute path of a file", doing, file)
	}
	return filepath.Join(n.p.cloud.files(n.m.Name), filepath.FromSlash(file)), nil
}

// Put writes a file of the node; see cluster.Transport.
func (n node) Put(ctx context.Context, file string, mode fs.FileMode, r io.Reader) error {
	at, err := n.place("Put", file)
	if err != nil {
		return err
	}
	if err := n.alive(ctx, "Put"); err != nil {
		return err
	}
	data, err := readAll(ctx, r)
	if err == nil {
		err = write(at, mode.Perm(), data)
	}
	if err != nil {
		return fmt.Errorf("fake node %s: writing %s: %w", n.m.Name, file, err)
	}
	return nil
}

// readAll reads r aside, since nothing else ends a read that blocks.
func readAll(ctx context.Context, r io.Reader) ([]byte, error) {
	var b bytes.Buffer
	done := make(chan error, 1)
	go func() {
		_, err := b.ReadFrom(r)
		done <- err
	}()
	select {
	case err := <-done:
		return b.Bytes(), err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// write replaces a file in one step.
func write(at string, mode fs.FileMode, data []byte) error {
	if err := os.MkdirAll(filepath.Dir(at), 0o755); err != nil {
		return err
	}
	scratch, err := os.CreateTemp(filepath.Dir(at), ".put-*")
	if err != nil {
		return err
	}
	defer func() { _ = os.Remove(scratch.Name()) }()
	_, err = scratch.Write(data)
	if err := errors.Join(err, scratch.Chmod(mode), scratch.Close()); err != nil {
		return err
	}
	return os.Rename(scratch.Name(), at)
}

// Get reads a file of the node; see cluster.Transport.
func (n node) Get(ctx context.Context, file string, w io.Writer) error {
	at, err := n.place("Get", file)
	if err != nil {
		return err
	}
	if err := n.alive(ctx, "Get"); err != nil {
		return err
	}
	data, err := os.ReadFile(at)
	if errors.Is(err, fs.ErrNotExist) {
		err = fs.ErrNotExist // without the path, which is none of the node's
	} else if err == nil {
		_, err = w.Write(data)
	}
	if err != nil {
		return fmt.Errorf("fake node %s: reading %s: %w", n.m.Name, file, err)
	}
	return nil
}
