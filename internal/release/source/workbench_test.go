package source

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/qualify-dev/qualify/internal/cache"
	"github.com/qualify-dev/qualify/internal/release"
)

// Packed images are a release that the store can verify, made once for a key,
// with the same bytes each time.
func TestWorkbenchPacksImages(t *testing.T) {
	program := filepath.Join(t.TempDir(), "program")
	if err := os.WriteFile(program, []byte("program"), 0o755); err != nil {
		t.Fatal(err)
	}
	pack := func(c cache.Cache, key string) *release.Release {
		t.Helper()
		w, err := NewWorkbench(t.Context(), c)
		if err != nil {
			t.Fatal(err)
		}
		var images []Image
		for _, tag := range []string{"1", "2"} {
			images = append(images, Image{
				Ref: "registry.example/tests/tool:" + tag, Files: []File{{Path: "tool", Source: program, Mode: 0o4755}, {Path: "bin/tool", Link: "/tool"}},
				Entrypoint: []string{"/tool"}, User: "1234", Labels: map[string]string{"for": tag},
			})
		}
		rel, err := w.Images(t.Context(), "tests", "v1.34.4", key, images)
		if err != nil {
			t.Fatal(err)
		}
		return rel
	}
	c := cache.Cache{Dir: t.TempDir()}
	rel := pack(c, "a")
	if again := pack(c, "a"); again.Path != rel.Path || again.Digest() != rel.Digest() {
		t.Errorf("%s in %s, and %s in %s", rel.Digest(), rel.Path, again.Digest(), again.Path)
	}
	if pack(c, "b").Path == rel.Path {
		t.Error("another key has the same place")
	}
	all := rel.Images()
	if len(all) != 2 || all[0].URI != "registry.example/tests/tool:1" || all[0].Digest == all[1].Digest {
		t.Fatalf("images %+v", all)
	}
	elsewhere := pack(cache.Cache{Dir: t.TempDir()}, "a").Images()
	for i := range all {
		if elsewhere[i].Digest != all[i].Digest {
			t.Errorf("%s has another digest elsewhere", all[i].URI)
		}
	}
	store := &release.Store{Dir: t.TempDir()}
	for _, image := range all {
		if _, err := store.Image(t.Context(), rel, image.Name, hostArch); err != nil {
			t.Error(err)
		}
	}
	// What was changed in the cache is found out.
	archive := rel.Assets()[slices.IndexFunc(rel.Assets(), func(a release.Asset) bool { return a.Type == release.Archive })]
	if err := os.WriteFile(strings.TrimPrefix(archive.URI, "file://"), []byte("other"), 0o644); err != nil {
		t.Fatal(err)
	}
	var digest *release.DigestError
	if _, err := (&release.Store{Dir: t.TempDir()}).Image(t.Context(), rel, all[0].Name, hostArch); !errors.As(err, &digest) {
		t.Errorf("a changed archive: %v", err)
	}
}

func TestWorkbenchRefuses(t *testing.T) {
	if _, err := NewWorkbench(t.Context(), cache.Cache{Dir: "relative"}); err == nil || !strings.Contains(err.Error(), "no absolute path") {
		t.Error(err)
	}
	c := cache.Cache{Dir: t.TempDir()}
	w, err := NewWorkbench(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	absent := []Image{{Ref: "registry.example/a:1"}, {Ref: "registry.example/b:1", Files: []File{{Path: "x", Source: filepath.Join(c.Dir, "absent")}}}}
	if _, err := w.Images(t.Context(), "tests", "v1.34.4", "a", absent); !errors.Is(err, os.ErrNotExist) {
		t.Error(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err = w.Images(ctx, "tests", "v1.34.4", "a", absent[:1]); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
	if left, err := filepath.Glob(filepath.Join(c.Dir, "release", "*", "*")); err != nil || len(left) > 0 {
		t.Errorf("left %q, %v", left, err)
	}
}

func TestAssetName(t *testing.T) {
	for ref, want := range map[string]string{
		"registry.k8s.io/e2e-test-images/httpd:2.4.38-4": "httpd-2.4.38-4", "moon.example:5000/etcd:3.6.4-0": "etcd-3.6.4-0",
	} {
		if got := AssetName(ref); got != want {
			t.Errorf("%s is %s", ref, got)
		}
	}
}
