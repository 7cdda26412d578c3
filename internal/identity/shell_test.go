package identity

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/qualify-dev/qualify/internal/cluster"
)

// shell is a node whose commands are run by this machine's own shell, in a
// directory of programs in front of the usual ones: so what the prover's
// scripts really hash is what is tested.
type shell struct{ bin string }

func (s shell) Exec(ctx context.Context, cmd cluster.Cmd) (cluster.Output, error) {
	// Through env, which looks programs up in the PATH that it is given, and
	// not in that of this process.
	c := exec.CommandContext(ctx, "env", cmd.Argv...)
	c.Env = []string{"PATH=" + s.bin + ":/usr/bin:/bin"}
	var stdout, stderr bytes.Buffer
	c.Stdout, c.Stderr = &stdout, &stderr
	err := c.Run()
	out := cluster.Output{Stdout: stdout.Bytes(), Stderr: stderr.Bytes()}
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return out, &cluster.ExitError{Node: "shell", Cmd: cmd, Code: exit.ExitCode(), Output: out}
	}
	return out, err
}

func (s shell) Put(context.Context, string, fs.FileMode, io.Reader) error {
	return errors.New("unused")
}

func (s shell) Get(context.Context, string, io.Writer) error { return errors.New("unused") }

func (s shell) install(t *testing.T, name, text string) {
	t.Helper()
	// By rename: the program of a running process cannot be written to.
	file := filepath.Join(s.bin, name)
	must(t, os.WriteFile(file+".new", []byte(text), 0o755))
	must(t, os.Rename(file+".new", file))
}

// newShell has a kubelet that runs: a copy of sleep, and a service manager
// that knows its number.
func newShell(t *testing.T) (s shell, program string) {
	t.Helper()
	for _, tool := range []string{"sh", "sleep", "sha256sum"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skip(tool + " is not installed")
		}
	}
	s = shell{bin: t.TempDir()}
	sleep, err := exec.LookPath("sleep")
	must(t, err)
	data, err := os.ReadFile(sleep)
	must(t, err)
	program = string(data)
	s.install(t, "kubelet", program)
	s.install(t, "kubeadm", "#!/bin/sh\n")
	kubelet := exec.Command(filepath.Join(s.bin, "kubelet"), "60")
	must(t, kubelet.Start())
	t.Cleanup(func() {
		_ = kubelet.Process.Kill()
		_ = kubelet.Wait()
	})
	s.install(t, "systemctl", fmt.Sprintf("#!/bin/sh\n[ \"$*\" = 'show -p MainPID --value kubelet' ] && echo %d\n", kubelet.Process.Pid))
	s.install(t, "ctr", "#!/bin/sh\necho 'REF TYPE DIGEST SIZE'\n")
	return s, program
}

func (s shell) compare(t *testing.T, c *candidate) (Comparison, error) {
	t.Helper()
	var got Comparison
	err := c.prover().node(context.Background(), cluster.Node{Name: "n", Transport: s}, c.rel, &got)
	return got, err
}

func (c *candidate) setSHA256(asset, sum string) {
	for i, a := range c.rel.Components[0].Assets {
		if a.Name == asset {
			c.rel.Components[0].Assets[i].SHA256 = sum
		}
	}
}

func TestHashesAreThoseOfTheFilesAndOfTheProcess(t *testing.T) {
	s, program := newShell(t)
	c := newCandidate(t)
	c.setSHA256("bin/linux/amd64/kubelet", sumOf(program))
	c.setSHA256("bin/linux/amd64/kubeadm", sumOf("#!/bin/sh\n"))
	if _, err := s.compare(t, c); err == nil || !strings.Contains(err.Error(), "no image of the release") {
		t.Errorf("a node that lists no image: %v", err)
	}
	held := c.rel.Images()[0]
	s.install(t, "ctr", "#!/bin/sh\necho 'REF TYPE DIGEST SIZE'\necho '"+held.URI+" t "+held.Digest+" 1'\n")
	got, err := s.compare(t, c)
	must(t, err)
	if len(got.Mismatched) > 0 || len(got.Checked) != 4 {
		t.Errorf("the same everywhere: %+v", got)
	}

	// The file is put back to another one while the process goes on: only the
	// file differs.
	s.install(t, "kubelet", "#!/bin/sh\nexit 1\n")
	got, err = s.compare(t, c)
	must(t, err)
	if len(got.Mismatched) != 1 || !strings.Contains(got.Mismatched[0], "file kubelet") {
		t.Errorf("another file: %+v", got.Mismatched)
	}

	// The other way round: the file is the release's, the process is not.
	c.setSHA256("bin/linux/amd64/kubelet", sumOf("#!/bin/sh\nexit 1\n"))
	got, err = s.compare(t, c)
	must(t, err)
	if len(got.Mismatched) != 1 || !strings.Contains(got.Mismatched[0], "process kubelet") {
		t.Errorf("another process: %+v", got.Mismatched)
	}
}

func TestWhatCannotBeHashedIsAnError(t *testing.T) {
	tests := []struct {
		name   string
		change func(t *testing.T, s shell)
	}{
		{"no kubelet is installed", func(t *testing.T, s shell) { must(t, os.Remove(filepath.Join(s.bin, "kubelet"))) }},
		{"no kubelet runs", func(t *testing.T, s shell) { s.install(t, "systemctl", "#!/bin/sh\necho 0\n") }},
		{"the service manager knows no kubelet", func(t *testing.T, s shell) { s.install(t, "systemctl", "#!/bin/sh\n") }},
		{"the service manager fails", func(t *testing.T, s shell) { s.install(t, "systemctl", "#!/bin/sh\nexit 1\n") }},
		{"containerd does not answer", func(t *testing.T, s shell) { s.install(t, "ctr", "#!/bin/sh\necho down >&2\nexit 1\n") }},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			s, _ := newShell(t)
			test.change(t, s)
			got, err := s.compare(t, newCandidate(t))
			if err == nil {
				t.Errorf("no error, checked %q", got.Checked)
			}
		})
	}
}
