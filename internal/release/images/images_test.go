package images

import (
	"archive/tar"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/random"
	pushes "github.com/google/go-containerregistry/pkg/v1/remote"

	"github.com/qualify-dev/qualify/internal/release"
	"github.com/qualify-dev/qualify/internal/release/remote"
)

// world is a registry with an image of two architectures, and a release that
// names it.
type world struct {
	rel      *release.Release
	index    v1.ImageIndex
	fetcher  *Fetcher
	host     string
	requests atomic.Int32
	spoil    func(w http.ResponseWriter, r *http.Request) bool // tells that it has answered
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{}
	behind := registry.New(registry.Logger(log.New(io.Discard, "", 0)))
	server := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		w.requests.Add(1)
		if w.spoil == nil || !w.spoil(rw, r) {
			behind.ServeHTTP(rw, r)
		}
	}))
	t.Cleanup(server.Close)
	w.host = strings.TrimPrefix(server.URL, "http://")
	w.index = indexOf(t, "amd64", "arm64")
	uri := w.host + "/kubernetes/pause:v1.34.4-eks-1-34-21"
	w.push(t, uri, w.index)
	w.rel = &release.Release{Name: "kubernetes-1-34-eks-21", Components: []release.Component{{Name: "kubernetes", Assets: []release.Asset{
		{Component: "kubernetes", Name: "pause-image", Type: release.Image, OS: "linux", Arch: []string{"amd64", "arm64"}, URI: uri, Digest: digest(t, w.index)},
	}}}}
	client, err := remote.New("")
	if err != nil {
		t.Fatal(err)
	}
	w.fetcher = &Fetcher{Store: &release.Store{Dir: t.TempDir()}, Client: client}
	return w
}

func digest(t *testing.T, of interface{ Digest() (v1.Hash, error) }) string {
	t.Helper()
	h, err := of.Digest()
	if err != nil {
		t.Fatal(err)
	}
	return h.String()
}

func indexOf(t *testing.T, arches ...string) v1.ImageIndex {
	t.Helper()
	var index v1.ImageIndex = empty.Index
	for _, arch := range arches {
		index = mutate.AppendManifests(index, mutate.IndexAddendum{
			Add: imageOf(t, arch), Descriptor: v1.Descriptor{Platform: &v1.Platform{OS: "linux", Architecture: arch}},
		})
	}
	return index
}

func imageOf(t *testing.T, arch string) v1.Image {
	t.Helper()
	image, err := random.Image(5000, 2)
	if err == nil {
		image, err = mutate.ConfigFile(image, configOf(t, image, arch))
	}
	if err != nil {
		t.Fatal(err)
	}
	return image
}

func configOf(t *testing.T, image v1.Image, arch string) *v1.ConfigFile {
	t.Helper()
	config, err := image.ConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	config = config.DeepCopy()
	config.OS, config.Architecture = "linux", arch
	return config
}

func (w *world) push(t *testing.T, uri string, index v1.ImageIndex) {
	t.Helper()
	ref, err := name.NewTag(uri)
	if err == nil {
		err = pushes.WriteIndex(ref, index)
	}
	if err != nil {
		t.Fatal(err)
	}
}

func (w *world) asset() *release.Asset { return &w.rel.Components[0].Assets[0] }

func (w *world) fetch() (*Image, error) {
	return w.fetcher.Fetch(context.Background(), w.rel, *w.asset())
}

func TestFetch(t *testing.T) {
	w := newWorld(t)
	image, err := w.fetch()
	if err != nil {
		t.Fatal(err)
	}
	if len(image.Parts) != 1+2*(1+1+2) || image.Digest != w.asset().Digest || !image.Root.MediaType.IsIndex() {
		t.Errorf("%d parts of %s: %+v", len(image.Parts), image.Digest, image.Root)
	}
	before := w.requests.Load()
	if _, err := w.fetch(); err != nil || w.requests.Load() != before {
		t.Errorf("a second time: %v, %d more requests", err, w.requests.Load()-before)
	}
	dir := t.TempDir()
	if err := WriteLayout(dir, []*Image{image}); err != nil {
		t.Fatal(err)
	}
	path, err := layout.FromPath(dir)
	if err != nil {
		t.Fatal(err)
	}
	if err := whole(path, image.Root.Digest); err != nil {
		t.Errorf("the layout: %v", err)
	}
	// From the layout beside the manifest, without the registry.
	w.rel.Path = filepath.Join(filepath.Dir(dir), "release.yaml")
	if err := os.Rename(dir, filepath.Join(filepath.Dir(dir), "images")); err != nil {
		t.Fatal(err)
	}
	w.fetcher.Store = &release.Store{Dir: t.TempDir()}
	if again, err := w.fetch(); err != nil || len(again.Parts) != len(image.Parts) || w.requests.Load() != before {
		t.Errorf("from the layout: %v, %d requests", err, w.requests.Load()-before)
	}
}

// whole reads every byte of an image.
func whole(path layout.Path, h v1.Hash) error {
	index, err := path.ImageIndex()
	if err != nil {
		return err
	}
	if index, err = index.ImageIndex(h); err != nil {
		return err
	}
	manifest, err := index.IndexManifest()
	if err != nil {
		return err
	}
	for _, m := range manifest.Manifests {
		image, err := index.Image(m.Digest)
		if err != nil {
			return err
		}
		layers, err := image.Layers()
		if err != nil {
			return err
		}
		for _, l := range layers {
			r, err := l.Compressed()
			if err != nil {
				return err
			}
			if _, err := io.Copy(io.Discard, r); err != nil {
				return err
			}
		}
	}
	return nil
}

// TestWrongImages: what does not have its digest, and what has it and is still
// not what the release says.
func TestWrongImages(t *testing.T) {
	for name, tc := range map[string]struct {
		edit   func(t *testing.T, w *world)
		want   string
		blamed bool // the release, not the network
	}{
		"a byte of the index": {func(t *testing.T, w *world) { w.spoil = changing("/manifests/" + w.asset().Digest) }, "wrong bytes", true},
		"a byte of a part":    {func(t *testing.T, w *world) { w.spoil = changing("/blobs/") }, "wrong bytes", true},
		"no such digest":      {func(t *testing.T, w *world) { w.asset().Digest = "sha256:" + strings.Repeat("0", 64) }, "is not there (HTTP status 404)", false},
		"an arch is missing":  {func(t *testing.T, w *world) { w.asset().Arch = append(w.asset().Arch, "riscv64") }, "it has no riscv64", true},
		"an arch is another's": {func(t *testing.T, w *world) {
			index := mutate.AppendManifests(empty.Index, mutate.IndexAddendum{
				Add: imageOf(t, "arm64"), Descriptor: v1.Descriptor{Platform: &v1.Platform{OS: "linux", Architecture: "amd64"}},
			})
			w.push(t, w.asset().URI, index)
			w.asset().Digest = digest(t, index)
		}, "its index says linux/amd64 of a manifest whose config says linux/arm64", true},
		"a size that is a lie": {func(t *testing.T, w *world) { w.raw(t, `"size":`, `"size":1`) }, "its manifest says", true},
		"a layer elsewhere": {func(t *testing.T, w *world) {
			w.raw(t, `"layers":[{`, `"layers":[{"urls":["http://169.254.169.254/x"],`)
		}, "is somewhere else", true},
		"no digest of a layer": {func(t *testing.T, w *world) { w.raw(t, `"layers":[{`, `"layers":[{"digest":"md5:00",`) }, "is no image manifest", true},
		"no manifest":          {func(t *testing.T, w *world) { w.raw(t, `"config"`, `"konfig"`) }, "neither an index nor a manifest", true},
		"no JSON":              {func(t *testing.T, w *world) { w.raw(t, `{`, `[`) }, "is no image manifest", true},
		"unbound":              {func(t *testing.T, w *world) { w.asset().Digest = "" }, "unbound assets are not allowed", false},
		"no tag":               {func(t *testing.T, w *world) { w.asset().URI = w.host + "/pause" }, "fetching image", false},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			tc.edit(t, w)
			image, err := w.fetch()
			var wrong *release.DigestError
			var content *ContentError
			if err == nil || !strings.Contains(err.Error(), tc.want) || (errors.As(err, &wrong) || errors.As(err, &content)) != tc.blamed {
				t.Errorf("got %v, %v; want %q, blamed %v", image, err, tc.want, tc.blamed)
			}
		})
	}
}

// changing changes one byte of what has a part of a path.
func changing(path string) func(http.ResponseWriter, *http.Request) bool {
	return func(w http.ResponseWriter, r *http.Request) bool {
		if !strings.Contains(r.URL.Path, path) {
			return false
		}
		_, _ = io.WriteString(w, "something else")
		return true
	}
}

// raw serves a manifest of one image with a text replaced, under its own right
// digest: who makes a release can make anything.
func (w *world) raw(t *testing.T, from, to string) {
	t.Helper()
	image := imageOf(t, "amd64")
	data, err := image.RawManifest()
	if err != nil {
		t.Fatal(err)
	}
	data = bytes.Replace(data, []byte(from), []byte(to), 1)
	sum, _, err := v1.SHA256(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	w.asset().Digest, w.asset().Arch = sum.String(), []string{"amd64"}
	w.push(t, w.host+"/kubernetes/pause:x", mutate.AppendManifests(empty.Index, mutate.IndexAddendum{Add: image}))
	w.spoil = func(rw http.ResponseWriter, r *http.Request) bool {
		if strings.HasSuffix(r.URL.Path, sum.String()) {
			_, _ = rw.Write(data)
			return true
		}
		return false
	}
}

// TestUnbound: a tag is believed only where that is allowed, and what it stood
// for is told.
func TestUnbound(t *testing.T) {
	w := newWorld(t)
	want := w.asset().Digest
	w.asset().Digest, w.fetcher.Store.AllowUnbound = "", true
	image, err := w.fetch()
	if err != nil || image.Digest != want {
		t.Errorf("got %+v, %v; want %s", image, err, want)
	}
}

// TestPush: by way of a mirror the same digests are found, under mapped names.
func TestPush(t *testing.T) {
	w := newWorld(t)
	image, err := w.fetch()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := WriteLayout(dir, []*Image{image}); err != nil {
		t.Fatal(err)
	}
	mirror := httptest.NewServer(registry.New(registry.Logger(log.New(io.Discard, "", 0))))
	defer mirror.Close()
	to := Mirrors{All: strings.TrimPrefix(mirror.URL, "http://") + "/air/gap"}
	if err := Push(context.Background(), dir, []*Image{image}, to, http.DefaultTransport); err != nil {
		t.Fatal(err)
	}
	w.spoil = func(http.ResponseWriter, *http.Request) bool { t.Error("the first registry was asked"); return false }
	text, err := WriteMirrors(to.For([]string{w.asset().URI}))
	if err != nil {
		t.Fatal(err)
	}
	w.fetcher.Store = &release.Store{Dir: t.TempDir()}
	if w.fetcher.Mirrors, err = ReadMirrors("mirrors.yaml", text); err != nil {
		t.Fatal(err)
	}
	if again, err := w.fetch(); err != nil || again.Digest != image.Digest {
		t.Errorf("from the mirror: %+v, %v", again, err)
	}
	liar := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodHead && strings.HasSuffix(r.URL.Path, "/manifests/v1.34.4-eks-1-34-21") {
			rw.Header().Set("Content-Type", string(image.Root.MediaType))
			rw.Header().Set("Content-Length", "7")
			rw.Header().Set("Docker-Content-Digest", "sha256:"+strings.Repeat("0", 64))
			return
		}
		mirror.Config.Handler.ServeHTTP(rw, r)
	}))
	defer liar.Close()
	err = Push(context.Background(), dir, []*Image{image}, Mirrors{All: strings.TrimPrefix(liar.URL, "http://")}, http.DefaultTransport)
	if err == nil || !strings.Contains(err.Error(), "the registry holds sha256:0000") {
		t.Errorf("a registry with something else: %v", err)
	}
	other := *image
	other.Asset.URI, other.Digest = "registry.example/kubernetes/pause:v1.34.4-eks-1-34-21", "sha256:0"
	if err := Push(context.Background(), dir, []*Image{image, &other}, to, http.DefaultTransport); err == nil || !strings.Contains(err.Error(), "would be two images") {
		t.Errorf("two images of one name: %v", err)
	}
}

func TestMirrors(t *testing.T) {
	m := Mirrors{Mirrors: []Mirror{{"public.ecr.aws", "10.0.0.5:5000/x"}}}
	for from, want := range map[string]string{
		"public.ecr.aws/eks-distro/pause:1": "10.0.0.5:5000/x/eks-distro/pause:1", "registry.k8s.io/pause:1": "registry.k8s.io/pause:1",
	} {
		if got := m.Rewrite(from); got != want {
			t.Errorf("%s is at %s, want %s", from, got, want)
		}
	}
	head := "apiVersion: qualify/v1\nkind: Mirrors\n"
	for text, want := range map[string]string{
		"kind: Mirrors": "not of kind Mirrors",
		head + "mirrors: [{source: public.ecr.aws, mirror: a b}]":                  "not one registry to another",
		head + "mirrors: [{source: public.ecr.aws/x, mirror: a.b}]":                "not one registry to another",
		head + "mirrors: [{source: a.b, mirror: c.d}, {source: a.b, mirror: e.f}]": "once",
		head + "mirrors: [{source: a.b, mirror: c.d, colour: green}]":              "colour",
	} {
		if _, err := ReadMirrors("m.yaml", []byte(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %q", text, err, want)
		}
	}
	for _, bad := range []string{"", "x", "a.b/", "a.b/X", "https://a.b", "a.b/../c", "a.b:x"} {
		if CheckPlace(bad) == nil {
			t.Errorf("%q passes", bad)
		}
	}
}

// FuzzManifest: whatever stands in a manifest of an image, the answer is an
// image that is whole or an error.
func FuzzManifest(f *testing.F) {
	f.Add([]byte(`{"config":{"digest":"sha256:0","size":1},"layers":[]}`))
	f.Add([]byte(`{"manifests":[{"digest":"sha256:0"}]}`))
	f.Add([]byte(`{"manifests":[{}]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		dir := t.TempDir()
		sum, _, err := v1.SHA256(bytes.NewReader(data))
		if err == nil {
			err = os.MkdirAll(filepath.Join(dir, "blobs", "sha256"), 0o755)
		}
		if err == nil {
			err = os.WriteFile(filepath.Join(dir, "blobs", "sha256", sum.Hex), data, 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
		fetcher := &Fetcher{Store: &release.Store{Dir: t.TempDir()}, Layout: dir, Offline: true}
		a := release.Asset{Name: "x", URI: "127.0.0.1:1/x:1", Digest: sum.String()}
		if image, err := fetcher.Fetch(context.Background(), &release.Release{}, a); err == nil {
			text, _ := json.Marshal(image)
			t.Errorf("an image of one part: %s", fmt.Sprint(string(text)))
		}
	})
}

// TestArchive: an image that is in no registry comes out of the release's own
// archive, and what is in that is verified as anything else.
func TestArchive(t *testing.T) {
	w := newWorld(t)
	image, err := w.fetch()
	if err != nil {
		t.Fatal(err)
	}
	for _, spoil := range []bool{false, true} {
		var out bytes.Buffer
		tw := tar.NewWriter(&out)
		for i, part := range image.Parts {
			data := read(t, part.Path)
			if spoil && i == 2 {
				data[0] ^= 1
			}
			if err := tw.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: "blobs/sha256/" + part.Digest.Hex, Size: int64(len(data)), Mode: 0o644}); err != nil {
				t.Fatal(err)
			}
			_, _ = tw.Write(data)
		}
		tw.Close()
		sum, _, err := v1.SHA256(bytes.NewReader(out.Bytes()))
		if err != nil {
			t.Fatal(err)
		}
		file := filepath.Join(t.TempDir(), "pause.tar")
		overwrite(t, file, out.Bytes())
		rel := &release.Release{Components: []release.Component{{Name: "kubernetes", Assets: []release.Asset{
			*w.asset(), {Component: "kubernetes", Name: "bin/linux/amd64/pause.tar", Type: release.Archive, URI: file, SHA256: sum.Hex},
		}}}}
		f := &Fetcher{Store: &release.Store{Dir: t.TempDir()}, Offline: true}
		again, err := f.Fetch(context.Background(), rel, *w.asset())
		var wrong *release.DigestError
		if spoil != errors.As(err, &wrong) || !spoil && (err != nil || len(again.Parts) != len(image.Parts)) {
			t.Errorf("spoilt %v: %v", spoil, err)
		}
	}
}
