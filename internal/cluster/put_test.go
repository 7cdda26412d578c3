package cluster

import (
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"testing/iotest"
)

// local runs commands here.
func local(ctx context.Context, cmd Cmd) (Output, error) {
	c := exec.CommandContext(ctx, cmd.Argv[0], cmd.Argv[1:]...)
	c.Stdin = cmd.Stdin
	out, err := c.Output()
	return Output{Stdout: out}, err
}

// A file is whole, with its mode, or what it was; and nothing is left beside it.
func TestPut(t *testing.T) {
	ctx := context.Background()
	file := filepath.Join(t.TempDir(), "new dir", "it's")
	if err := Put(ctx, local, file, 0o640, strings.NewReader("old")); err != nil {
		t.Fatal(err)
	}
	broken := errors.New("cable")
	if err := Put(ctx, local, file, 0o600, iotest.ErrReader(broken)); !errors.Is(err, broken) || !strings.HasPrefix(err.Error(), "writing "+file) {
		t.Errorf("error %v", err)
	}
	cancelled, cancel := context.WithCancel(ctx)
	dies := func(ctx context.Context, cmd Cmd) (Output, error) { // after the bytes, before the name
		out, err := local(ctx, cmd)
		if cmd.Stdin != nil {
			cancel()
		}
		return out, err
	}
	if err := Put(cancelled, dies, file, 0o600, bytes.NewReader([]byte("half"))); err == nil {
		t.Error("a Put that was cancelled ended well")
	}
	data, err := os.ReadFile(file)
	info, statErr := os.Stat(file)
	if err != nil || statErr != nil || string(data) != "old" || info.Mode() != 0o640 {
		t.Errorf("%q, %v, %v, %v", data, info.Mode(), err, statErr)
	}
	if left, err := os.ReadDir(filepath.Dir(file)); err != nil || len(left) != 1 {
		t.Errorf("left are %v, %v", left, err)
	}
}
