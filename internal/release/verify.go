package release

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path"
	"path/filepath"
	"strings"
	"sync"
	"time"
)

// DigestError says that an asset's bytes are not those of its manifest. That
// is the release's own fault; the bytes are kept for a look at them.
type DigestError struct {
	Asset       string
	URI         string // where the bytes came from
	Want        string // with its algorithm, e.g. "sha256:…"
	Got         string
	Quarantined string // where they are kept now, "" where they are not
}

// Error names the asset and both digests.
func (e *DigestError) Error() string {
	text := fmt.Sprintf("verifying asset %s: wrong bytes from %s: manifest says %s, they have %s", e.Asset, e.URI, e.Want, e.Got)
	if e.Quarantined != "" {
		text += "; kept as " + e.Quarantined
	}
	return text
}

// UnboundError says that the manifest has no digest for an asset, so that
// nothing can tell whether its bytes are the release's.
type UnboundError struct {
	Release string
	Asset   string
}

// Error names the asset.
func (e *UnboundError) Error() string {
	return fmt.Sprintf("verifying asset %s: release %s has no digest for it, and unbound assets are not allowed", e.Asset, e.Release)
}

// DefaultLimit bounds the size of one asset. The largest published archives
// have about 400 MB.
const DefaultLimit = 8 << 30

// UnstableError says that a source gave different wrong bytes when it was read
// twice. That is a fault on the way, and says nothing about the release.
type UnstableError struct{ Asset, URI, Want, First, Second string }

// Error names the asset and the digests.
func (e *UnstableError) Error() string {
	return fmt.Sprintf("verifying asset %s: %s gave two different files, %s and %s, and neither is the manifest's %s", e.Asset, e.URI, e.First, e.Second, e.Want)
}

// Store keeps verified files under the digest of their content. The zero value
// with Dir set is ready for use, from several goroutines and processes at once.
type Store struct {
	Dir          string       // holds sha256/<digest>, partial/ and quarantine/; made when absent
	Limit        int64        // bytes in one asset; 0 means DefaultLimit
	AllowUnbound bool         // accept assets without digest
	Open         Opener       // nil means the function Open
	Pull         Puller       // nil means that images are read from archives alone
	Log          *slog.Logger // where a damaged cache is reported; nil means nowhere
	// Progress is told how many bytes of an asset have been read, and of how
	// many, -1 where nobody says. It is called from several goroutines.
	Progress func(asset string, done, size int64)

	mu       sync.Mutex
	files    map[string]*cached
	unpacked map[string]string // digests of programs, by archive and entry
}

// Fetch returns the path of a file with the asset's verified bytes: what runs
// is this file, not a second copy. It reads the source only when the store has
// no such file, or when the one it has was changed since it was written.
func (s *Store) Fetch(ctx context.Context, r *Release, assetName string) (string, error) {
	a, err := r.Asset(assetName)
	if err != nil {
		return "", fmt.Errorf("fetching asset: %w", err)
	}
	if a.Type != Archive {
		return "", fmt.Errorf("fetching asset %s: it is an image in a registry, not a file", a.Name)
	}
	if !a.Bound() && !s.AllowUnbound {
		return "", &UnboundError{Release: r.Name, Asset: a.Name}
	}
	return s.FetchFile(ctx, r.Located(a))
}

// FetchFile is Fetch for a file that no manifest lists by itself, such as the
// part of an image, or one whose URI is as seen from the working directory.
// Without a digest whatever comes is accepted.
func (s *Store) FetchFile(ctx context.Context, a Asset) (string, error) {
	root, err := s.root()
	if err != nil {
		return "", fmt.Errorf("opening store: %w", err)
	}
	defer root.Close()
	entry := s.entry(a)
	entry.Lock()
	defer entry.Unlock()
	if a.SHA256 != "" {
		if got, ok, err := s.look(ctx, root, entry, a); err != nil {
			return "", fmt.Errorf("fetching asset %s from the store: %w", a.Name, err)
		} else if ok {
			return s.answer(a, got)
		}
	}
	return s.pull(ctx, root, entry, a)
}

// Located is an asset with its URI as seen from the working directory.
func (r *Release) Located(a Asset) Asset {
	a.URI = r.locate(a.URI)
	return a
}

// Held returns the path that Fetch would, if the store has the asset's bytes
// already. Nothing is fetched.
func (s *Store) Held(ctx context.Context, r *Release, assetName string) (string, bool) {
	a, err := r.Asset(assetName)
	if err != nil || a.SHA256 == "" {
		return "", false
	}
	if _, err := os.Lstat(filepath.Join(s.Dir, filepath.FromSlash(place(a.SHA256)))); err != nil {
		return "", false // and no store is made
	}
	local := &Store{Dir: s.Dir, Limit: s.Limit, Log: s.Log, Open: func(context.Context, Asset, int64) (Source, error) {
		return Source{}, errNotHeld
	}}
	path, err := local.Fetch(ctx, r, assetName)
	return path, err == nil
}

var errNotHeld = errors.New("not in the store")

// answer checks a file of the store against the asset: its name vouches for
// sha256 only, and the manifest's sha512 may contradict that.
func (s *Store) answer(a Asset, got sums) (string, error) {
	if want, have, same := got.against(a); !same {
		return "", &DigestError{Asset: a.Name, URI: a.URI, Want: want, Got: have}
	}
	return filepath.Join(s.Dir, filepath.FromSlash(place(got.sha256))), nil
}

// locate returns the URI of a file as seen from the working directory: a plain
// relative path is one from the manifest.
func (r *Release) locate(uri string) string {
	if hasScheme(uri) || filepath.IsAbs(filepath.FromSlash(uri)) {
		return uri
	}
	// Joined as a path: "./" keeps a first element with a colon from becoming a scheme.
	joined := filepath.ToSlash(filepath.Join(filepath.Dir(r.Path), filepath.FromSlash(uri)))
	if hasScheme(joined) {
		return "./" + joined
	}
	return joined
}

// root opens the store's folder as a root: no link in it leads out of it.
func (s *Store) root() (*os.Root, error) {
	if s.Dir == "" {
		return nil, fmt.Errorf("it has no folder")
	}
	if err := os.MkdirAll(s.Dir, 0o755); err != nil {
		return nil, err
	}
	root, err := os.OpenRoot(s.Dir)
	if err != nil {
		return nil, err
	}
	for _, dir := range []string{"sha256", "partial", "quarantine"} {
		if err := root.MkdirAll(dir, 0o755); err != nil {
			root.Close()
			return nil, err
		}
	}
	return root, nil
}

// entry returns the lock and memory of an asset's file, so that of two callers
// one copies and both get the result.
func (s *Store) entry(a Asset) *cached {
	key := a.SHA256
	if key == "" {
		key = "from " + a.URI
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.files == nil {
		s.files = map[string]*cached{}
	}
	if s.files[key] == nil {
		s.files[key] = &cached{}
	}
	return s.files[key]
}

// place is the name of a file with this SHA-256, in the store's root.
func place(digest string) string { return path.Join("sha256", digest) }

// mode is read-only for all, and executable for programs. Under bin/ there are
// archives of images too.
func mode(a Asset) fs.FileMode {
	if strings.HasPrefix(a.Name, "bin/") && !strings.HasSuffix(a.Name, ".tar") {
		return 0o555
	}
	return 0o444
}

func (s *Store) log() *slog.Logger {
	if s.Log == nil {
		return slog.New(slog.DiscardHandler)
	}
	return s.Log
}

// settle is how old a file's last change must be for its time to tell it from
// the next: file systems count in ticks, some of a whole second, and of two
// changes in one tick the second cannot be seen.
const settle = 2 * time.Second

// cached is what this process knows about one file of the store.
type cached struct {
	sync.Mutex
	sums sums
	info fs.FileInfo // as it was when the file was last hashed; nil: not yet, or too fresh
}

// trusts tells whether the file is as it was when it was hashed. Size and
// modification time can be put back by whoever changes a file; the time of the
// last change of its inode cannot. Where the system does not say it, nothing
// is trusted.
func (c *cached) trusts(info fs.FileInfo) bool {
	if c.info == nil || !same(c.info, info) {
		return false
	}
	_, known := changeTime(info)
	return known
}

func same(a, b fs.FileInfo) bool {
	at, _ := changeTime(a)
	bt, _ := changeTime(b)
	return os.SameFile(a, b) && a.Size() == b.Size() && a.ModTime().Equal(b.ModTime()) && at.Equal(bt)
}

// remember keeps the digests of a file as it was at a time.
func (c *cached) remember(got sums, info fs.FileInfo, at time.Time) {
	c.sums, c.info = got, nil
	if changed, known := changeTime(info); known && changed.Before(at.Add(-settle)) {
		c.info = info
	}
}
