// Package images is the candidate's container images: every part of one is
// fetched by its digest, from OCI layouts or registries, into the release's
// store, and verified there as archives are.
package images

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/qualify-dev/qualify/internal/release"
	"github.com/qualify-dev/qualify/internal/release/remote"
)

// Bounds of what an image may be: real indexes have up to some twenty
// manifests and images up to some fifty layers.
const (
	mostManifest  = 4 << 20 // bytes
	mostManifests = 100
	mostLayers    = 500
	mostDepth     = 3 // of indexes in indexes
)

// Fetcher gets images into a store.
type Fetcher struct {
	Store   *release.Store // where verified parts go; its Open is not used
	Client  *remote.Client
	Mirrors Mirrors // where images are, if not in the registries they name
	Layout  string  // directory of an OCI layout that is looked into first; "" is the one beside the manifest
	Offline bool    // no registry is spoken to
}

// Image is one image with all its parts in the store.
type Image struct {
	Asset  release.Asset
	Digest string // of the index or manifest; what was found, where the release does not say it
	Root   v1.Descriptor
	Parts  []Part // the root first, each before what it refers to, each once
}

// Part is one blob of an image.
type Part struct {
	v1.Descriptor
	Path string // of its verified bytes
}

// ContentError says that an image's parts have the right digests and still make
// no image as the release describes it. That is the release's own fault.
type ContentError struct{ Image, Text string }

// Error names the image.
func (e *ContentError) Error() string { return "image " + e.Image + ": " + e.Text }

// Fetch gets an image with all platforms that its index lists.
func (f *Fetcher) Fetch(ctx context.Context, rel *release.Release, a release.Asset) (*Image, error) {
	src, err := f.source(ctx, rel, a)
	if err != nil {
		return nil, err
	}
	image := &Image{Asset: a, Digest: a.Digest}
	w := walk{f: f, src: src, image: image, seen: map[string]bool{}}
	root := v1.Descriptor{Size: -1}
	if a.Digest == "" {
		if !f.Store.AllowUnbound {
			return nil, &release.UnboundError{Release: rel.Name, Asset: a.Name}
		}
		if image.Digest, err = src.digestOfTag(ctx); err != nil {
			return nil, fmt.Errorf("fetching image %s: %w", a.URI, err)
		}
	}
	if root.Digest, err = v1.NewHash(image.Digest); err != nil {
		return nil, fmt.Errorf("fetching image %s: %w", a.URI, err)
	}
	if err := w.manifest(ctx, root, 0); err != nil {
		return nil, err
	}
	image.Root = image.Parts[0].Descriptor
	return image, w.platforms(a)
}

// walk follows an image's descriptors.
type walk struct {
	f     *Fetcher
	src   *source
	image *Image
	seen  map[string]bool
	arch  []string // of the manifests for linux
}

func (w *walk) refuse(format string, args ...any) error {
	return &ContentError{Image: w.image.Asset.URI, Text: fmt.Sprintf(format, args...)}
}

// manifest gets an index or a manifest, and what it refers to.
func (w *walk) manifest(ctx context.Context, d v1.Descriptor, depth int) error {
	if depth > mostDepth || len(w.seen) > mostManifests*mostLayers {
		return w.refuse("it has too many parts or too deep an index")
	}
	path, again, err := w.part(ctx, &d, true)
	if err != nil || again {
		return err
	}
	var doc struct {
		MediaType types.MediaType `json:"mediaType"`
		Manifests []v1.Descriptor `json:"manifests"`
		Config    *v1.Descriptor  `json:"config"`
		Layers    []v1.Descriptor `json:"layers"`
	}
	data, err := readManifest(path)
	if err == nil {
		err = json.Unmarshal(data, &doc)
	}
	if err != nil {
		return w.refuse("%s is no image manifest: %v", d.Digest, err)
	}
	if doc.MediaType != "" {
		w.image.Parts[len(w.image.Parts)-1].MediaType = doc.MediaType
	}
	switch {
	case len(doc.Manifests) > mostManifests || len(doc.Layers) > mostLayers:
		return w.refuse("%s lists too much", d.Digest)
	case doc.Config != nil && len(doc.Manifests) == 0:
		return w.content(ctx, *doc.Config, doc.Layers, d.Platform)
	case doc.Config == nil && len(doc.Manifests) > 0:
		for _, child := range doc.Manifests {
			if err := w.manifest(ctx, child, depth+1); err != nil {
				return err
			}
		}
		return nil
	}
	return w.refuse("%s is neither an index nor a manifest", d.Digest)
}

// content gets the config and the layers of one manifest.
func (w *walk) content(ctx context.Context, config v1.Descriptor, layers []v1.Descriptor, platform *v1.Platform) error {
	path, _, err := w.part(ctx, &config, false)
	if err != nil {
		return err
	}
	var of struct {
		OS           string `json:"os"`
		Architecture string `json:"architecture"`
	}
	if data, err := readManifest(path); err == nil {
		_ = json.Unmarshal(data, &of) // the config of an attestation need not be one
	}
	if platform != nil && platform.Architecture != "unknown" && (platform.Architecture != of.Architecture || platform.OS != of.OS) {
		return w.refuse("its index says %s/%s of a manifest whose config says %s/%s", platform.OS, platform.Architecture, of.OS, of.Architecture)
	}
	if of.OS == "linux" {
		w.arch = append(w.arch, of.Architecture)
	}
	for _, layer := range layers {
		if len(layer.URLs) > 0 {
			return w.refuse("layer %s is somewhere else: %s", layer.Digest, strings.Join(layer.URLs, ", "))
		}
		if _, _, err := w.part(ctx, &layer, false); err != nil {
			return err
		}
	}
	return nil
}

// part gets one blob, once.
func (w *walk) part(ctx context.Context, d *v1.Descriptor, manifest bool) (path string, again bool, err error) {
	if d.Digest.Algorithm != "sha256" || len(d.Digest.Hex) != 64 {
		return "", false, w.refuse("part %q has no sha256 digest", d.Digest)
	}
	a := release.Asset{Name: w.image.Asset.Name + " " + d.Digest.Hex[:12], URI: w.src.address(d.Digest, manifest), SHA256: d.Digest.Hex}
	store := &release.Store{Dir: w.f.Store.Dir, Limit: w.f.Store.Limit, Log: w.f.Store.Log, Progress: w.f.Store.Progress, Open: w.src.open}
	if path, err = store.FetchFile(ctx, a); err != nil {
		return "", false, err
	}
	info, err := os.Stat(path)
	if err != nil {
		return "", false, err
	}
	if d.Size >= 0 && d.Size != info.Size() {
		return "", false, w.refuse("part %s has %d bytes, its manifest says %d", d.Digest, info.Size(), d.Size)
	}
	d.Size = info.Size()
	if w.seen[d.Digest.Hex] {
		return path, true, nil
	}
	w.seen[d.Digest.Hex] = true
	w.image.Parts = append(w.image.Parts, Part{Descriptor: *d, Path: path})
	return path, false, nil
}

// platforms makes sure that the image is there for each architecture that the
// release says.
func (w *walk) platforms(a release.Asset) error {
	for _, arch := range a.Arch {
		if !slices.Contains(w.arch, arch) {
			return w.refuse("it has no %s: the release says %s, there is %s", arch, strings.Join(a.Arch, ", "), strings.Join(w.arch, ", "))
		}
	}
	return nil
}

func readManifest(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, mostManifest+1))
	if err == nil && len(data) > mostManifest {
		err = fmt.Errorf("it has more than %d bytes", mostManifest)
	}
	return data, err
}

// LayoutOf returns the OCI layout beside a release's manifest, "" where there
// is none.
func LayoutOf(rel *release.Release) string {
	if rel.Path == "" || strings.Contains(rel.Path, "://") {
		return ""
	}
	dir := filepath.Join(filepath.Dir(rel.Path), "images")
	if _, err := os.Stat(filepath.Join(dir, "oci-layout")); err != nil {
		return ""
	}
	return dir
}

// accepted are the types of manifests that registries are asked for.
func accepted() http.Header {
	var all []string
	for _, t := range []types.MediaType{types.OCIImageIndex, types.DockerManifestList, types.OCIManifestSchema1, types.DockerManifestSchema2} {
		all = append(all, string(t))
	}
	return http.Header{"Accept": {strings.Join(all, ", ")}}
}
