package intake

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/qualify-dev/qualify/internal/release"
	"github.com/qualify-dev/qualify/internal/release/images"
	"github.com/qualify-dev/qualify/internal/scratch"
)

// Files of a bundle, beside the manifest, which has the release's name.
const (
	bundleFile     = "bundle.json"     // what the bundle is
	testImagesFile = "test-images.txt" // what suites want that is not part of the release
	mirrorsFile    = "mirrors.yaml"    // where the images are pushed to
)

// BundleInfo is what a bundle says of itself.
type BundleInfo struct {
	APIVersion string `json:"apiVersion"` // "qualify/v1"
	Kind       string `json:"kind"`       // "Bundle"
	Release    string `json:"release"`
	Kubernetes string `json:"kubernetes"`
	Digest     string `json:"digest"` // of the release; the bundle's manifest has the same
	Source     string `json:"source"` // where the manifest was
	Manifest   string `json:"manifest"`
	Assets     int    `json:"assets"`
	Bytes      int64  `json:"bytes"`
}

// Bundle writes a verified release into a directory that must not be there yet,
// or be empty: manifest, archives, and the images as one OCI layout. Its manifest
// has relative paths, and so the release can be used from wherever it is taken,
// without a network and with the same digest. It appears whole or not at all.
func (in Intake) Bundle(ctx context.Context, rel *release.Release, r *Report, dir string) (BundleInfo, error) {
	info := BundleInfo{
		APIVersion: "qualify/v1", Kind: "Bundle", Release: rel.Name, Kubernetes: rel.Kubernetes(), Digest: rel.Digest(),
		Source: rel.Path, Manifest: rel.Name + ".yaml", Assets: len(r.Rows), Bytes: r.Bytes,
	}
	if len(r.Rows) == 0 || r.Count(Failed) > 0 {
		return info, errors.New("bundling release: it is not verified")
	}
	if err := CheckTarget(dir); err != nil {
		return info, err
	}
	dir, err := filepath.Abs(dir)
	if err != nil {
		return info, fmt.Errorf("bundling release: %w", err)
	}
	scratch := filepath.Join(filepath.Dir(dir), "."+filepath.Base(dir)+".partial")
	if err := os.RemoveAll(scratch); err != nil { // of one that was killed
		return info, fmt.Errorf("bundling release: %w", err)
	}
	if err := os.MkdirAll(scratch, 0o755); err != nil {
		return info, fmt.Errorf("bundling release: %w", err)
	}
	err = in.fill(ctx, rel, r, scratch, info)
	if err == nil {
		// An empty directory may be replaced, by a rename that fails for any other.
		if err = os.Remove(dir); errors.Is(err, fs.ErrNotExist) {
			err = nil
		}
	}
	if err == nil {
		err = os.Rename(scratch, dir)
	}
	if err != nil {
		return info, errors.Join(fmt.Errorf("bundling release: %w", err), os.RemoveAll(scratch))
	}
	return info, nil
}

// TargetError says that a bundle cannot be written where it was asked for.
type TargetError struct{ Dir, Text string }

// Error names the directory.
func (e *TargetError) Error() string { return "bundling release: " + e.Dir + " " + e.Text }

// CheckTarget refuses a directory that has something in it, before anything is
// fetched for it.
func CheckTarget(dir string) error {
	entries, err := os.ReadDir(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return &TargetError{dir, "cannot be written to: " + err.Error()}
	case len(entries) > 0:
		return &TargetError{dir, "is not empty: name a new directory"}
	}
	return nil
}

func (in Intake) fill(ctx context.Context, rel *release.Release, r *Report, dir string, info BundleInfo) error {
	moved := *rel
	moved.Components = nil
	for _, c := range rel.Components {
		c.Assets = slices.Clone(c.Assets)
		for i := range c.Assets {
			if c.Assets[i].Type == release.Archive {
				c.Assets[i].URI = path.Join("artifacts", c.Assets[i].Name)
			}
		}
		moved.Components = append(moved.Components, c)
	}
	for _, row := range r.Rows {
		if row.path == "" {
			continue
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := copyAsset(ctx, row, filepath.Join(dir, "artifacts", filepath.FromSlash(row.Asset))); err != nil {
			return err
		}
	}
	if err := images.WriteLayout(filepath.Join(dir, "images"), r.images()); err != nil {
		return err
	}
	manifest, err := release.Marshal(&moved)
	if err != nil {
		return err
	}
	about, err := json.MarshalIndent(info, "", "  ")
	if err != nil {
		return err
	}
	return errors.Join(
		os.WriteFile(filepath.Join(dir, info.Manifest), manifest, 0o644),
		os.WriteFile(filepath.Join(dir, bundleFile), append(about, '\n'), 0o644),
		os.WriteFile(filepath.Join(dir, testImagesFile), []byte(testImages(rel)), 0o644),
	)
}

// copyAsset makes sure once more of the bytes that it copies: the store's file
// may have been changed since it was verified.
func copyAsset(ctx context.Context, row Row, to string) error {
	if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
		return err
	}
	digest, err := release.Copy(ctx, row.path, to)
	if err != nil {
		return err
	}
	if digest != row.Digest {
		return fmt.Errorf("asset %s changed in the store after it was verified: %s became %s; fetch it again", row.Asset, row.Digest, digest)
	}
	return nil
}

// testImages lists what conformance tests want beside the release, one
// reference to a line. A release that was built here has its own.
func testImages(rel *release.Release) string {
	var names []string
	for _, a := range rel.Images() {
		if a.Component == "kubernetes-test" {
			names = append(names, a.URI)
		}
	}
	if len(names) > 0 {
		return "# Images of tests. They are in the bundle.\n" + strings.Join(names, "\n") + "\n"
	}
	return "# Images of tests. They are not part of the release, nor of the bundle.\nregistry.k8s.io/conformance:" + release.BaseVersion(rel.Kubernetes()) + "\n"
}

// Push copies a bundle's images to a mirror, HOST/PREFIX, and returns the
// mapping by which they are found there. With a bundle it is written into it.
func (in Intake) Push(ctx context.Context, r *Report, dir, place string) ([]images.Mirror, error) {
	to := images.Mirrors{All: place}
	layout, remove, err := scratch.Dir("images")
	if err != nil {
		return nil, fmt.Errorf("pushing images: %w", err)
	}
	defer func() { _ = remove() }()
	if err := images.WriteLayout(layout, r.images()); err != nil {
		return nil, err
	}
	if err := images.Push(ctx, layout, r.images(), to, in.Client.Transport()); err != nil {
		return nil, err
	}
	var uris []string
	for _, image := range r.images() {
		uris = append(uris, image.Asset.URI)
	}
	mapping := to.For(uris)
	text, err := images.WriteMirrors(mapping)
	if err == nil && dir != "" {
		err = os.WriteFile(filepath.Join(dir, mirrorsFile), text, 0o644)
	}
	return mapping, err
}
