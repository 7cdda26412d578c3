package sink

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// Files that replace others are made beside them: where temporary files go a
// killed process would leave them, with nothing that says whose they are.
func TestReplacesFromBesideTheFile(t *testing.T) {
	s, own, dir := newSink(t), t.TempDir(), t.TempDir()
	t.Setenv("TMPDIR", own)
	before := time.Now().Add(-time.Hour).Truncate(time.Second)
	if err := os.Chtimes(own, before, before); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(s.WriteFile(filepath.Join(dir, "a"), []byte("a")), s.WriteKubeconfig(filepath.Join(dir, "kubeconfig"), []byte("kind: Config\n"))); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(own); err != nil || !info.ModTime().Equal(before) {
		t.Errorf("files were made in %s: %v, %v", own, info, err)
	}
}
