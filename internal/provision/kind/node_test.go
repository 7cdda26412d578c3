package kind

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/qualify-dev/qualify/internal/cluster"
)

func TestExecTellsCommandsFromTheEngine(t *testing.T) {
	tests := []struct {
		name, stderr string
		code         int
		exit         bool // a command that ran
	}{
		{"plain", "boom", 3, true},
		{"silent", "", 1, true},
		{"talks of connections", "curl: (7) Failed to connect: connection refused", 7, true},
		{"talks of ends", "unexpected EOF", 1, true},
		{"talks of containers", "E1122 No such container: coredns", 1, true},
		{"quotes the engine", "first\nit said Error response from daemon: no\nlast", 1, true},
		{"no container", "Error: No such container: q-1", 1, false},
		{"stopped", "Error response from daemon: Container q-1 is not running", 1, false},
		{"daemon gone", "Cannot connect to the Docker daemon at unix:///var/run/docker.sock. Is the docker daemon running?", 1, false},
		{"daemon gone under it", "half a line of the command\nerror during connect: Get http://x: EOF", 1, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			e := newEngine(t)
			e.says("exec --privileged q-1 probe", tt.stderr, tt.code)
			out, err := node{"q-1"}.Exec(context.Background(), cluster.Command("probe"))
			var exit *cluster.ExitError
			if err == nil || errors.As(err, &exit) != tt.exit {
				t.Fatalf("error %v", err)
			}
			if string(out.Stderr) != tt.stderr+"\n" {
				t.Errorf("stderr %q", out.Stderr)
			}
			if tt.exit && (exit.Code != tt.code || exit.Node != "q-1" || exit.Cmd.String() != "probe" || string(exit.Output.Stderr) != tt.stderr+"\n") {
				t.Errorf("exit error %+v", exit)
			}
		})
	}
}

func TestExecKeepsBothStreams(t *testing.T) {
	e := newEngine(t)
	e.on("exec --privileged q-1 probe", `printf 'out\n\n'; printf ' err\n\n' >&2; exit 0`)
	out, err := node{"q-1"}.Exec(context.Background(), cluster.Command("probe"))
	if err != nil || string(out.Stdout) != "out\n\n" || string(out.Stderr) != " err\n\n" {
		t.Errorf("stdout %q, stderr %q, %v", out.Stdout, out.Stderr, err)
	}
	e.on("exec --privileged -i q-1 probe", "cat; exit 0")
	out, err = node{"q-1"}.Exec(context.Background(), cluster.Cmd{Argv: []string{"probe"}, Stdin: strings.NewReader("in")})
	if err != nil || string(out.Stdout) != "in" {
		t.Errorf("stdin came back as %q, %v", out.Stdout, err)
	}
}

// onThisHost lets commands for a node run here.
func (e engine) onThisHost() {
	e.on("exec --privileged -i *", `shift 4; exec "$@"`)
	e.on("exec --privileged *", `shift 3; exec "$@"`)
}

// The whole transport contract runs against real nodes; this is the part that
// was wrong once: a sender that fails must not publish half a file.
func TestPutIsWholeOrNothing(t *testing.T) {
	e := newEngine(t)
	e.onThisHost()
	dir := t.TempDir()
	file := filepath.Join(dir, "new folder", "f")
	n := node{"q-1"}
	if err := n.Put(context.Background(), file, 0o640, strings.NewReader("old")); err != nil {
		t.Fatal(err)
	}
	broken := errors.New("the source broke")
	if err := n.Put(context.Background(), file, 0o644, &halfReader{err: broken}); !errors.Is(err, broken) {
		t.Errorf("error %v", err)
	}
	got, err := os.ReadFile(file)
	if err != nil || string(got) != "old" {
		t.Errorf("the file has %q, %v", got, err)
	}
	if info, err := os.Stat(file); err != nil || info.Mode() != 0o640 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
	entries, err := os.ReadDir(filepath.Dir(file))
	if err != nil || len(entries) != 1 {
		t.Errorf("files %v, %v", entries, err)
	}
	var b bytes.Buffer
	if err := n.Get(context.Background(), file, &b); err != nil || b.String() != "old" {
		t.Errorf("get: %q, %v", b.String(), err)
	}
	if err := n.Get(context.Background(), dir+"/absent", &b); err == nil || !strings.Contains(err.Error(), "absent") {
		t.Errorf("get of nothing: %v", err)
	}
	// A folder in the file's place is not moved into.
	if err := n.Put(context.Background(), filepath.Dir(file), 0o644, strings.NewReader("x")); err == nil {
		t.Error("a folder was replaced by a file")
	}
}

// halfReader gives something, and then fails.
type halfReader struct {
	given bool
	err   error
}

// Read is part of io.Reader.
func (h *halfReader) Read(p []byte) (int, error) {
	if h.given {
		return 0, h.err
	}
	h.given = true
	return copy(p, "new, but not all of it"), nil
}

func TestClusterNodesHaveKindsNames(t *testing.T) {
	var names []string
	for _, n := range clusterNodes("q-1", 3) {
		names = append(names, string(n.Role)+" "+n.Name)
		if n.Transport != (node{n.Name}) {
			t.Errorf("the transport of %s is %v", n.Name, n.Transport)
		}
	}
	want := []string{"control-plane q-1-control-plane", "worker q-1-worker", "worker q-1-worker2", "worker q-1-worker3"}
	if !slices.Equal(names, want) {
		t.Errorf("nodes %q, want %q", names, want)
	}
}
