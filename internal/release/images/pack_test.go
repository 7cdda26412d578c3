package images

import (
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/qualify-dev/qualify/internal/release"
)

// pulled takes the world's image into a store as an archive.
func (w *world) pulled(t *testing.T) (string, error) {
	t.Helper()
	store := &release.Store{Dir: t.TempDir(), Pull: w.fetcher.Pull}
	return store.Image(t.Context(), w.rel, "pause-image", "amd64")
}

// An image that is pulled is an archive that leads from the digest in the
// manifest to the configuration of the node's architecture, and names itself.
func TestPull(t *testing.T) {
	w := newWorld(t)
	file, err := w.pulled(t)
	if err != nil {
		t.Fatal(err)
	}
	a := w.rel.Images()[0]
	list, err := w.index.IndexManifest()
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range list.Manifests {
		image, err := w.index.Image(d.Digest)
		if err != nil {
			t.Fatal(err)
		}
		want, err := image.ConfigName()
		got, readErr := release.ImageConfig(file, a.Digest, d.Platform.Architecture)
		if err != nil || readErr != nil || got != want.String() {
			t.Errorf("%s: configuration %s, want %s; %v, %v", d.Platform, got, want, err, readErr)
		}
	}
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		`"io.containerd.image.name":"` + a.URI + `"`, `"org.opencontainers.image.ref.name":"v1.34.4-eks-1-34-21"`, `"digest":"` + a.Digest + `"`,
	} {
		if !strings.Contains(string(data), want) {
			t.Errorf("the archive does not say %s", want)
		}
	}
	if err := w.fetcher.Pull(t.Context(), w.rel, a, "amd64", file); !errors.Is(err, os.ErrExist) {
		t.Errorf("onto a file that is there: %v", err)
	}
}

// A registry that sends other bytes, of whatever part, is found out.
func TestPullOfWrongBytes(t *testing.T) {
	w := newWorld(t)
	list, err := w.index.IndexManifest()
	if err != nil {
		t.Fatal(err)
	}
	image, err := w.index.Image(list.Manifests[0].Digest)
	if err != nil {
		t.Fatal(err)
	}
	layers, err := image.Layers()
	if err != nil {
		t.Fatal(err)
	}
	for name, of := range map[string]interface{ Digest() (v1.Hash, error) }{"index": w.index, "manifest": image, "layer": layers[0]} {
		spoilt := digest(t, of)
		w.fetcher.Store = &release.Store{Dir: t.TempDir()}
		w.spoil = func(rw http.ResponseWriter, r *http.Request) bool {
			if !strings.HasSuffix(r.URL.Path, spoilt) {
				return false
			}
			_, _ = rw.Write([]byte(`{"schemaVersion":2}`))
			return true
		}
		if file, err := w.pulled(t); err == nil {
			t.Errorf("another %s is taken: %s", name, file)
		}
	}
	w.spoil = nil
	w.fetcher.Store = &release.Store{Dir: t.TempDir()}
	if file, err := w.pulled(t); err != nil || filepath.Ext(file) != ".tar" {
		t.Errorf("an honest registry: %s, %v", file, err)
	}
}
