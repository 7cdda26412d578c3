package bootstrap

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/qualify-dev/qualify/internal/cluster"
	"github.com/qualify-dev/qualify/internal/redact"
	"github.com/qualify-dev/qualify/internal/sink"
)

// What can be had of a node is written, behind the redactor, also where a part
// of it cannot be had; each part is told.
func TestCollect(t *testing.T) {
	to := sink.New(redact.New())
	if err := to.Add("token", "hunter2hunter2"); err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	broken := errors.New("no such unit")
	err := Collect(context.Background(), to, dir, func(_ context.Context, cmd cluster.Cmd, w io.Writer) error {
		if _, err := io.WriteString(w, "it is hunter2hunter2\n"); err != nil {
			return err
		}
		if strings.Contains(cmd.String(), "-u containerd") {
			return broken
		}
		return nil
	})
	if !errors.Is(err, broken) || strings.Count(err.Error(), "no such unit") != 1 {
		t.Errorf("error %v", err)
	}
	for _, log := range logs {
		if log.file == "pods.tar" {
			continue // what is no archive is not kept
		}
		data, err := os.ReadFile(filepath.Join(dir, log.file))
		if err != nil || !strings.HasPrefix(string(data), "it is ") || strings.Contains(string(data), "hunter2") {
			t.Errorf("%s: %q, %v", log.file, data, err)
		}
		if bounded := strings.Contains(log.script, "journalctl") == strings.Contains(log.script, "tail -c"); !bounded {
			t.Errorf("%s is as long as a cluster wants it: %s", log.file, log.script)
		}
	}
	if err := Collect(context.Background(), to, filepath.Join(dir, "none"), func(context.Context, cluster.Cmd, io.Writer) error { return nil }); err == nil {
		t.Error("a directory that is not there")
	}
}
