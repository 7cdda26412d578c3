package images

import (
	"context"
	"fmt"
	"net/http"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/remote"
)

// Push copies the images of a layout into where the mirrors say that they are,
// under their tags, and makes sure that the registry then has the same digests.
func Push(ctx context.Context, dir string, all []*Image, to Mirrors, transport http.RoundTripper) error {
	path, err := layout.FromPath(dir)
	if err != nil {
		return fmt.Errorf("pushing images: reading layout: %w", err)
	}
	index, err := path.ImageIndex()
	if err != nil {
		return fmt.Errorf("pushing images: reading layout: %w", err)
	}
	placed := map[string]string{}
	for _, image := range all {
		where := to.Rewrite(image.Asset.URI)
		if other, taken := placed[where]; taken && other != image.Digest {
			return fmt.Errorf("pushing images: %s would be two images, %s and %s: their registries differ, their paths do not", where, other, image.Digest)
		}
		placed[where] = image.Digest
		if err := push(ctx, index, image, where, transport); err != nil {
			return fmt.Errorf("pushing image %s to %s: %w", image.Asset.URI, where, err)
		}
	}
	return nil
}

func push(ctx context.Context, from v1.ImageIndex, image *Image, where string, transport http.RoundTripper) error {
	ref, err := name.NewTag(where, name.StrictValidation)
	if err != nil {
		return err
	}
	options := []remote.Option{remote.WithContext(ctx), remote.WithAuthFromKeychain(authn.DefaultKeychain), remote.WithTransport(transport), remote.WithJobs(4)}
	if image.Root.MediaType.IsIndex() {
		index, err := from.ImageIndex(image.Root.Digest)
		if err == nil {
			err = remote.WriteIndex(ref, index, options...)
		}
		if err != nil {
			return err
		}
	} else {
		one, err := from.Image(image.Root.Digest)
		if err == nil {
			err = remote.Write(ref, one, options...)
		}
		if err != nil {
			return err
		}
	}
	held, err := remote.Head(ref, options...)
	if err != nil {
		return fmt.Errorf("asking for what was pushed: %w", err)
	}
	if held.Digest.String() != image.Digest {
		return fmt.Errorf("the registry holds %s under this name, not %s", held.Digest, image.Digest)
	}
	return nil
}
