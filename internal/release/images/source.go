package images

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote/transport"

	"github.com/qualify-dev/qualify/internal/release"
	"github.com/qualify-dev/qualify/internal/release/remote"
)

// source is where the parts of one image are: in a layout, in an archive of the
// release, or else in a registry, which is not spoken to before something is
// missing.
type source struct {
	ref      name.Tag
	layout   string
	archives []*archive
	client   *remote.Client // nil: no registry is spoken to

	once sync.Once
	auth *remote.Client
	err  error
}

func (f *Fetcher) source(ctx context.Context, rel *release.Release, a release.Asset) (*source, error) {
	ref, err := name.NewTag(f.Mirrors.Rewrite(a.URI), name.StrictValidation)
	if err != nil {
		return nil, fmt.Errorf("fetching image %s: %w", a.URI, err)
	}
	s := &source{ref: ref, layout: f.Layout}
	if !f.Offline {
		s.client = f.Client
	}
	if s.layout == "" {
		s.layout = LayoutOf(rel)
	}
	s.archives, err = f.archivesOf(ctx, rel, a)
	return s, err
}

// address is where a part is: in the layout, or where the registry has it.
func (s *source) address(digest v1.Hash, manifest bool) string {
	if s.layout != "" {
		file := filepath.Join(s.layout, "blobs", "sha256", digest.Hex)
		if _, err := os.Stat(file); err == nil {
			return release.FileURI(absolute(file))
		}
	}
	if a := s.archived(digest.Hex); a != nil {
		return release.FileURI(absolute(a.path))
	}
	kind := "blobs"
	if manifest {
		kind = "manifests"
	}
	return s.url(kind, digest.String())
}

func (s *source) url(kind, what string) string {
	return fmt.Sprintf("%s://%s/v2/%s/%s/%s", s.ref.Scheme(), s.ref.RegistryStr(), s.ref.RepositoryStr(), kind, what)
}

func (s *source) archived(hex string) *archive {
	for _, a := range s.archives {
		if _, ok := a.blobs[hex]; ok {
			return a
		}
	}
	return nil
}

func absolute(path string) string {
	if abs, err := filepath.Abs(path); err == nil {
		return abs
	}
	return path
}

// open is the release.Opener of parts.
func (s *source) open(ctx context.Context, a release.Asset, from int64) (release.Source, error) {
	if strings.HasPrefix(a.URI, "file:") {
		if in := s.archived(a.SHA256); in != nil && a.URI == release.FileURI(absolute(in.path)) {
			return in.open(a.SHA256)
		}
		return release.Open(ctx, a, from)
	}
	client, err := s.registry(ctx)
	if err != nil {
		return release.Source{}, err
	}
	return client.Open(ctx, a, from)
}

// registry returns a client that may pull from the image's repository. The
// user's own credentials are used, as container engines do.
func (s *source) registry(ctx context.Context) (*remote.Client, error) {
	if s.client == nil {
		return nil, fmt.Errorf("%s is not in the image layout, and no registry is to be asked", s.ref.Name())
	}
	s.once.Do(func() {
		auth, err := authn.DefaultKeychain.Resolve(s.ref.Context())
		if err != nil {
			s.err = fmt.Errorf("finding credentials for %s: %w", s.ref.RegistryStr(), err)
			return
		}
		t, err := transport.NewWithContext(ctx, s.ref.Registry, auth, patient(s.client), []string{s.ref.Scope(transport.PullScope)})
		if err != nil {
			s.err = fmt.Errorf("speaking to registry %s: %w", s.ref.RegistryStr(), err)
			return
		}
		s.auth = s.client.With(t, accepted())
	})
	return s.auth, s.err
}

// patient tries again where the first word with a registry meets a server that
// is busy.
func patient(c *remote.Client) http.RoundTripper { return transport.NewRetry(c.Transport()) }

var tagged = regexp.MustCompile(`^sha256:[0-9a-f]{64}$`)

// digestOfTag asks what a tag stands for now: in the layout by its index, in
// the registry by the manifest itself.
func (s *source) digestOfTag(ctx context.Context) (string, error) {
	if s.layout != "" {
		if d, err := taggedIn(s.layout, s.ref.Name()); err == nil && tagged.MatchString(d) {
			return d, nil
		} else if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return "", err
		}
	}
	client, err := s.registry(ctx)
	if err != nil {
		return "", err
	}
	data, err := client.Get(ctx, s.url("manifests", s.ref.TagStr()), mostManifest)
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256(data)
	return "sha256:" + hex.EncodeToString(sum[:]), nil
}

// taggedIn looks a reference up in a layout's index.
func taggedIn(layout, ref string) (string, error) {
	f, err := os.Open(filepath.Join(layout, "index.json"))
	if err != nil {
		return "", err
	}
	defer f.Close()
	index, err := v1.ParseIndexManifest(f)
	if err != nil {
		return "", fmt.Errorf("reading %s: %w", f.Name(), err)
	}
	for _, m := range index.Manifests {
		if m.Annotations[refName] == ref {
			return m.Digest.String(), nil
		}
	}
	return "", fs.ErrNotExist
}

// refName is the annotation that names an image in a layout.
const refName = "org.opencontainers.image.ref.name"
