package provision

import (
	"context"
	"fmt"

	"github.com/qualify-dev/qualify/internal/cluster"
	"github.com/qualify-dev/qualify/internal/release"
)

// NodeImage is an image that nodes hold, and what it is a part of.
type NodeImage struct {
	release.Asset
	Of *release.Release
}

// NodeImages are the images that nodes hold of a release and of what they are
// given beside it.
func NodeImages(rel *release.Release, beside []*release.Release) []NodeImage {
	var all []NodeImage
	for _, a := range rel.NodeImages() {
		all = append(all, NodeImage{a, rel})
	}
	for _, part := range beside {
		for _, a := range part.Images() {
			all = append(all, NodeImage{a, part})
		}
	}
	return all
}

// ProveImages proves that a node's containerd holds images by the digests of
// their manifests. where is what the node is called: "node", "host".
func ProveImages(ctx context.Context, t cluster.Transport, where string, images []NodeImage) error {
	held, err := cluster.Images(ctx, t)
	if err != nil {
		return err
	}
	for _, image := range images {
		// One that is not bound has been allowed; the verdict names it.
		if digest, ok := held[image.URI]; !ok || digest != image.Digest && image.Digest != "" {
			return fmt.Errorf("image %s on the %s has digest %q, the release says %s", image.URI, where, digest, image.Digest)
		}
	}
	return nil
}
