package intake

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"strings"
	"sync"

	"github.com/qualify-dev/qualify/internal/release"
	"github.com/qualify-dev/qualify/internal/release/remote"
)

// siblings compares manifests with the files of checksums that are published
// beside archives. They need not be there: a digest is the manifest's, and a
// second word for it is worth something only where it differs.
type siblings struct {
	client *remote.Client

	mu    sync.Mutex
	lists map[string]func() ([]release.Checksum, error) // by URI, each read once
}

func newSiblings(c *remote.Client) *siblings {
	return &siblings{client: c, lists: map[string]func() ([]release.Checksum, error){}}
}

// check returns how many files agree with the manifest.
func (s *siblings) check(ctx context.Context, a release.Asset) (int, error) {
	agree := 0
	for _, suffix := range []string{".sha256", ".sha512"} {
		file := a.URI + suffix
		sums, err := s.read(ctx, file)
		if err != nil {
			return agree, err
		}
		if len(sums) > 1 {
			return agree, &SiblingError{a.Name, file, fmt.Sprintf("%d digests, not one", len(sums))}
		}
		if len(sums) == 1 {
			if !strings.HasSuffix(suffix, kindOf(sums[0])) {
				return agree, &SiblingError{a.Name, file, "a digest of another kind"}
			}
			if text := a.Contradicts(sums[0]); text != "" {
				return agree, &SiblingError{a.Name, file, text}
			}
			agree++
		}
	}
	dir, _, ok := cutLast(a.URI)
	if !ok {
		return agree, nil
	}
	for _, list := range []string{"SHA256SUM", "SHA512SUM"} {
		n, err := s.inList(ctx, a, dir+"/"+list)
		agree += n
		if err != nil {
			return agree, err
		}
	}
	return agree, nil
}

// inList looks the asset up in a list of its directory.
func (s *siblings) inList(ctx context.Context, a release.Asset, file string) (int, error) {
	s.mu.Lock()
	read := s.lists[file]
	if read == nil {
		read = sync.OnceValues(func() ([]release.Checksum, error) { return s.read(ctx, file) })
		s.lists[file] = read
	}
	s.mu.Unlock()
	sums, err := read()
	if err != nil {
		return 0, err
	}
	agree := 0
	for _, c := range sums {
		if !c.Names(a.URI) {
			continue
		}
		if text := a.Contradicts(c); text != "" {
			return agree, &SiblingError{a.Name, file, text}
		}
		agree = 1
	}
	return agree, nil
}

func kindOf(c release.Checksum) string {
	if len(c.Digest) == 128 {
		return "sha512"
	}
	return "sha256"
}

// cutLast splits a URI before its last element.
func cutLast(uri string) (dir, last string, ok bool) {
	at := strings.LastIndex(uri, "/")
	if at <= 0 {
		return "", uri, false
	}
	return uri[:at], path.Base(uri), true
}

// read returns what is in a file of checksums, nothing where there is none.
func (s *siblings) read(ctx context.Context, file string) ([]release.Checksum, error) {
	src, err := s.client.Open(ctx, release.Asset{URI: file}, 0)
	var absent *remote.NotThereError
	if errors.As(err, &absent) || errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("reading checksums %s: %w", file, err)
	}
	defer src.Body.Close()
	data, err := io.ReadAll(io.LimitReader(src.Body, release.MaxChecksums+1))
	if err != nil {
		return nil, fmt.Errorf("reading checksums %s: %w", file, err)
	}
	// One that cannot be read contradicts nothing: it may be a page of a proxy.
	return release.ParseChecksums(file, data)
}
