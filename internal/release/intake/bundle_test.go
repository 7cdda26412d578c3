package intake

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"log"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/registry"

	"github.com/qualify-dev/qualify/internal/release"
	"github.com/qualify-dev/qualify/internal/release/images"
)

// TestBundle: what was packed is the same release, and is taken in again where
// nothing answers.
func TestBundle(t *testing.T) {
	w := newWorld(t)
	ctx := context.Background()
	report, err := w.in.Verify(ctx, w.rel)
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(t.TempDir(), "usb")
	if err := errors.Join(os.Mkdir(dir, 0o755), os.MkdirAll(filepath.Join(filepath.Dir(dir), ".usb.partial", "of a killed one"), 0o755)); err != nil {
		t.Fatal(err)
	}
	info, err := w.in.Bundle(ctx, w.rel, report, dir)
	if err != nil {
		t.Fatal(err)
	}
	for name, mode := range map[string]fs.FileMode{
		"kubernetes-1-34-eks-21.yaml": 0o644, "artifacts/bin/linux/amd64/kubelet": 0o755, "images/oci-layout": 0o644, "bundle.json": 0o644, "test-images.txt": 0o644,
	} {
		if got, err := os.Stat(filepath.Join(dir, name)); err != nil || got.Mode() != mode {
			t.Errorf("%s: %v, %v", name, got, err)
		}
	}
	if text, _ := os.ReadFile(filepath.Join(dir, "test-images.txt")); !strings.Contains(string(text), "registry.k8s.io/conformance:v1.34.4\n") {
		t.Errorf("images of tests: %s", text)
	}
	if others, _ := os.ReadDir(filepath.Dir(dir)); len(others) != 1 {
		t.Errorf("left over: %v", others)
	}
	before := w.requests.Load()
	moved := filepath.Join(t.TempDir(), "elsewhere")
	if err := os.Rename(dir, moved); err != nil {
		t.Fatal(err)
	}
	ref, err := release.ParseRef(moved)
	if err != nil {
		t.Fatal(err)
	}
	rel, err := release.Load(ref, release.Options{Strict: true})
	if err != nil || rel.Digest() != w.rel.Digest() || info.Digest != rel.Digest() {
		t.Fatalf("%v: another release came out", err)
	}
	in := Intake{Store: &release.Store{Dir: t.TempDir()}, Client: w.in.Client, Parallel: 2, Offline: true}
	again, err := in.Verify(ctx, rel)
	if err != nil || again.Count(Verified) != 5 || w.requests.Load() != before {
		t.Errorf("from the bundle: %v, %+v, %d requests", err, again.Failures(), w.requests.Load()-before)
	}
	if _, err := w.in.Bundle(ctx, w.rel, report, moved); err == nil || !strings.Contains(err.Error(), "is not empty") {
		t.Errorf("over another: %v", err)
	}
}

// TestBundleIsWholeOrNot: what cannot be bundled leaves nothing.
func TestBundleIsWholeOrNot(t *testing.T) {
	w := newWorld(t)
	ctx, cancel := context.WithCancel(context.Background())
	report, err := w.in.Verify(ctx, w.rel)
	if err != nil {
		t.Fatal(err)
	}
	for name, spoil := range map[string]func() (context.Context, *Report){
		"a file of the store changed": func() (context.Context, *Report) {
			if err := errors.Join(os.Chmod(report.Rows[0].path, 0o644), os.WriteFile(report.Rows[0].path, []byte("x"), 0o644)); err != nil {
				t.Fatal(err)
			}
			return context.Background(), report
		},
		"an image's part changed": func() (context.Context, *Report) {
			fresh, err := w.in.Verify(context.Background(), w.rel)
			if err != nil {
				t.Fatal(err)
			}
			part := fresh.images()[0].Parts[1].Path
			if err := errors.Join(os.Chmod(part, 0o644), os.WriteFile(part, []byte("x"), 0o644)); err != nil {
				t.Fatal(err)
			}
			return context.Background(), fresh
		},
		"not verified": func() (context.Context, *Report) { return context.Background(), &Report{} },
		"cancelled":    func() (context.Context, *Report) { cancel(); return ctx, report },
	} {
		parent := t.TempDir()
		c, r := spoil()
		if _, err := w.in.Bundle(c, w.rel, r, filepath.Join(parent, "usb")); err == nil {
			t.Errorf("%s: bundled", name)
		}
		if files, _ := os.ReadDir(parent); len(files) > 0 {
			t.Errorf("%s: left %v", name, files)
		}
	}
}

// TestPushOfABundle: the mirror has everything, by the mapping that was written.
func TestPushOfABundle(t *testing.T) {
	w := newWorld(t)
	ctx := context.Background()
	report, err := w.in.Verify(ctx, w.rel)
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(registry.New(registry.Logger(log.New(io.Discard, "", 0))))
	defer server.Close()
	dir := t.TempDir()
	mirrors, err := w.in.Push(ctx, report, dir, strings.TrimPrefix(server.URL, "http://")+"/eks")
	if err != nil || len(mirrors) != 1 || mirrors[0].Source != w.host {
		t.Fatalf("%+v, %v", mirrors, err)
	}
	text, err := os.ReadFile(filepath.Join(dir, "mirrors.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	in := w.in
	in.Store = &release.Store{Dir: t.TempDir(), Open: w.in.Client.Open}
	if in.Mirrors, err = images.ReadMirrors("mirrors.yaml", text); err != nil {
		t.Fatal(err)
	}
	if again, err := in.Verify(ctx, w.rel); err != nil || again.Count(Verified) != 5 {
		t.Errorf("by the mirror: %v", err)
	}
}
