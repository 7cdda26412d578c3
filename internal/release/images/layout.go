package images

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"golang.org/x/sync/errgroup"

	"github.com/qualify-dev/qualify/internal/release"
)

// FetchAll gets several images, at most so many at a time, in the order of the
// assets. The error has all that went wrong.
func (f *Fetcher) FetchAll(ctx context.Context, rel *release.Release, assets []release.Asset, at int) ([]*Image, error) {
	all, failed := make([]*Image, len(assets)), make([]error, len(assets))
	var group errgroup.Group
	group.SetLimit(max(at, 1))
	for i, a := range assets {
		group.Go(func() error {
			all[i], failed[i] = f.Fetch(ctx, rel, a)
			return nil
		})
	}
	_ = group.Wait() // each failure is in its place
	return all, errors.Join(failed...)
}

// WriteLayout writes images as one OCI layout into an empty directory, which is
// whole when it returns and says nothing before: its index is written last.
func WriteLayout(dir string, images []*Image) error {
	blobs := filepath.Join(dir, "blobs", "sha256")
	if err := os.MkdirAll(blobs, 0o755); err != nil {
		return fmt.Errorf("writing image layout: %w", err)
	}
	index := v1.IndexManifest{SchemaVersion: 2, MediaType: types.OCIImageIndex, Manifests: []v1.Descriptor{}}
	for _, image := range images {
		for _, part := range image.Parts {
			if err := copyPart(part, filepath.Join(blobs, part.Digest.Hex)); err != nil {
				return fmt.Errorf("writing image layout: %w", err)
			}
		}
		root := image.Root
		root.Annotations = map[string]string{refName: image.Asset.URI}
		index.Manifests = append(index.Manifests, root)
	}
	data, err := json.Marshal(index)
	if err != nil {
		return fmt.Errorf("writing image layout: %w", err)
	}
	err = errors.Join(
		os.WriteFile(filepath.Join(dir, "index.json"), data, 0o644),
		os.WriteFile(filepath.Join(dir, "oci-layout"), []byte(`{"imageLayoutVersion":"1.0.0"}`), 0o644),
	)
	if err != nil {
		return fmt.Errorf("writing image layout: %w", err)
	}
	return nil
}

// copyPart makes a file of its own, of the same bytes: a link into the store
// would let whoever changes one change the other. What is there already is the
// same part of another image. The bytes are made sure of once more, since the
// store's file may have been changed since it was verified.
func copyPart(part Part, to string) error {
	digest, err := release.Copy(context.Background(), part.Path, to)
	if errors.Is(err, os.ErrExist) {
		return nil
	}
	if err == nil && digest != part.Digest.String() {
		err = fmt.Errorf("part %s changed in the store after it was verified: it is %s now; fetch it again", part.Digest, digest)
	}
	return err
}
