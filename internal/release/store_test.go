package release

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/hex"
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// source is a folder of artifacts and the release that names them.
type source struct {
	dir     string
	release *Release
	bytes   map[string][]byte // by asset name
}

func newSource(t testing.TB, files map[string][]byte) *source {
	t.Helper()
	s := &source{dir: t.TempDir(), bytes: files}
	c := Component{Name: "kubernetes", GitTag: "v1.34.4"}
	for name, data := range files {
		path := s.path(name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		write(t, path, data)
		h256, h512 := sha256.Sum256(data), sha512.Sum512(data)
		c.Assets = append(c.Assets, Asset{
			Component: c.Name, Name: name, Type: Archive, URI: FileURI(path),
			SHA256: hex.EncodeToString(h256[:]), SHA512: hex.EncodeToString(h512[:]),
		})
	}
	s.release = &Release{Name: "kubernetes-1-34-eks-1", Channel: "1-34", Number: 1, Components: []Component{c}}
	return s
}

func (s *source) path(name string) string { return filepath.Join(s.dir, filepath.FromSlash(name)) }

// change edits the manifest's entry for an asset.
func (s *source) change(name string, edit func(*Asset)) {
	assets := s.release.Components[0].Assets
	for i := range assets {
		if assets[i].Name == name {
			edit(&assets[i])
		}
	}
}

// write replaces what is at a path in place, whatever its permissions.
func write(t testing.TB, path string, data []byte) {
	t.Helper()
	if err := os.Chmod(path, 0o644); err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
	// Not truncated first: some file systems then wait for the disk.
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE, 0o644)
	if err != nil {
		t.Fatal(err)
	}
	_, err = f.WriteAt(data, 0)
	if err := errors.Join(err, f.Truncate(int64(len(data))), f.Close()); err != nil {
		t.Fatal(err)
	}
}

func content(t testing.TB, path string) []byte {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

const kubelet, tarball = "bin/linux/amd64/kubelet", "etcd.tar.gz"

func twoFiles(t testing.TB) *source {
	return newSource(t, map[string][]byte{kubelet: []byte("#!/bin/sh\nexit 0\n"), tarball: bytes.Repeat([]byte("etcd"), 100_000)})
}

func fetch(t testing.TB, s *Store, src *source, name string) string {
	t.Helper()
	path, err := s.Fetch(context.Background(), src.release, name)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(content(t, path), src.bytes[name]) {
		t.Fatalf("%s has other bytes", path)
	}
	return path
}

func quarantined(t testing.TB, s *Store) []string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(s.Dir, "quarantine", "*"))
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// noLeftovers wants nothing in the store but finished files.
func noLeftovers(t testing.TB, s *Store) {
	t.Helper()
	entries, err := os.ReadDir(filepath.Join(s.Dir, "sha256"))
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), ".") {
			t.Errorf("left over: %s", e.Name())
		}
	}
}

func TestFetch(t *testing.T) {
	src, s := twoFiles(t), &Store{Dir: filepath.Join(t.TempDir(), "made", "when needed")}
	for name, mode := range map[string]fs.FileMode{kubelet: 0o555, tarball: 0o444} {
		path := fetch(t, s, src, name)
		a, _ := src.release.Asset(name)
		if want := filepath.Join(s.Dir, "sha256", a.SHA256); path != want {
			t.Errorf("path %s, want %s", path, want)
		}
		info, err := os.Lstat(path)
		if err != nil || info.Mode() != mode {
			t.Errorf("%s: mode %v, want %v (%v)", name, info.Mode(), mode, err)
		}
		if err := os.Remove(src.path(name)); err != nil {
			t.Fatal(err)
		}
		if again := fetch(t, s, src, name); again != path {
			t.Errorf("second path %s, want %s", again, path)
		}
		if other := fetch(t, &Store{Dir: s.Dir}, src, name); other != path {
			t.Errorf("another process gets %s, want %s", other, path)
		}
	}
	noLeftovers(t, s)
	if got := quarantined(t, s); got != nil {
		t.Errorf("in quarantine: %v", got)
	}
}

func TestImageTarIsNoProgram(t *testing.T) {
	for name, want := range map[string]fs.FileMode{
		"bin/linux/amd64/kube-proxy": 0o555, "bin/linux/amd64/kube-proxy.tar": 0o444,
		"bin/windows/amd64/kubectl.exe": 0o555, "cni.tar.gz": 0o444,
	} {
		if got := mode(Asset{Name: name}); got != want {
			t.Errorf("%s: %v, want %v", name, got, want)
		}
	}
}

func TestSameBytesAsProgramAndAsFile(t *testing.T) {
	src := newSource(t, map[string][]byte{"tool": []byte("same"), kubelet: []byte("same")})
	s := &Store{Dir: t.TempDir()}
	for _, name := range []string{"tool", kubelet, "tool"} {
		fetch(t, s, src, name)
	}
	info, err := os.Stat(fetch(t, s, src, kubelet))
	if err != nil || info.Mode() != 0o555 {
		t.Errorf("mode %v, %v: the program cannot be run", info.Mode(), err)
	}
}

func TestWrongBytesAreRefusedAndKept(t *testing.T) {
	src, s := twoFiles(t), &Store{Dir: t.TempDir()}
	a, _ := src.release.Asset(kubelet)
	bad := []byte("#!/bin/sh\nexit 1\n")
	write(t, src.path(kubelet), bad)
	path, err := s.Fetch(context.Background(), src.release, kubelet)
	var wrong *DigestError
	if !errors.As(err, &wrong) || path != "" {
		t.Fatalf("got %q, %v; want a DigestError", path, err)
	}
	got := sha256.Sum256(bad)
	if wrong.Asset != kubelet || wrong.Want != "sha256:"+a.SHA256 || wrong.Got != "sha256:"+hex.EncodeToString(got[:]) || wrong.URI != a.URI {
		t.Errorf("got %+v", wrong)
	}
	for _, part := range []string{kubelet, wrong.Want, wrong.Got, wrong.URI, wrong.Quarantined} {
		if !strings.Contains(err.Error(), part) || part == "" {
			t.Errorf("%q is not in %q", part, err)
		}
	}
	if !bytes.Equal(content(t, wrong.Quarantined), bad) {
		t.Error("the quarantined bytes are others")
	}
	if info, err := os.Stat(wrong.Quarantined); err != nil || info.Mode() != 0o400 {
		t.Errorf("quarantined with mode %v, %v", info.Mode(), err)
	}
	if _, err := s.Fetch(context.Background(), src.release, kubelet); !errors.As(err, &wrong) || len(quarantined(t, s)) != 1 {
		t.Errorf("second time: %v, %d in quarantine", err, len(quarantined(t, s)))
	}
	noLeftovers(t, s)
	write(t, src.path(kubelet), src.bytes[kubelet])
	fetch(t, s, src, kubelet)
}

// TestEitherDigestIsEnoughToRefuse: a manifest may have one of them, or both
// where one is wrong.
func TestEitherDigestIsEnoughToRefuse(t *testing.T) {
	zero := strings.Repeat("0", 128)
	for name, tc := range map[string]struct {
		edit func(*Asset)
		want string
	}{
		"sha256 only":         {func(a *Asset) { a.SHA512 = "" }, ""},
		"sha512 only":         {func(a *Asset) { a.SHA256 = "" }, ""},
		"wrong sha256":        {func(a *Asset) { a.SHA256 = zero[:64] }, "sha256:"},
		"wrong sha512":        {func(a *Asset) { a.SHA512 = zero }, "sha512:"},
		"only a wrong sha512": {func(a *Asset) { a.SHA256, a.SHA512 = "", zero }, "sha512:"},
	} {
		src, s := twoFiles(t), &Store{Dir: t.TempDir()}
		src.change(tarball, tc.edit)
		_, err := s.Fetch(context.Background(), src.release, tarball)
		var wrong *DigestError
		if tc.want == "" && err != nil || tc.want != "" && (!errors.As(err, &wrong) || !strings.HasPrefix(wrong.Want, tc.want+"0") || !strings.HasPrefix(wrong.Got, tc.want)) {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

// TestStoredFileThatContradictsSHA512: the file's name vouches for SHA-256.
func TestStoredFileThatContradictsSHA512(t *testing.T) {
	src, s := twoFiles(t), &Store{Dir: t.TempDir()}
	fetch(t, s, src, tarball)
	src.change(tarball, func(a *Asset) { a.SHA512 = strings.Repeat("0", 128) })
	for _, store := range []*Store{s, {Dir: s.Dir}} {
		_, err := store.Fetch(context.Background(), src.release, tarball)
		var wrong *DigestError
		if !errors.As(err, &wrong) || !strings.HasPrefix(wrong.Want, "sha512:000") {
			t.Errorf("got %v", err)
		}
	}
}

func TestChangedStoreIsSeenAndHealed(t *testing.T) {
	src := twoFiles(t)
	var log bytes.Buffer
	s := &Store{Dir: t.TempDir(), Log: slog.New(slog.NewTextHandler(&log, nil))}
	path := fetch(t, s, src, kubelet)
	bad := bytes.Repeat([]byte("x"), len(src.bytes[kubelet]))
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	write(t, path, bad)
	if err := errors.Join(os.Chtimes(path, info.ModTime(), info.ModTime()), os.Chmod(path, info.Mode())); err != nil {
		t.Fatal(err)
	}
	fetch(t, s, src, kubelet)
	kept := quarantined(t, s)
	if len(kept) != 1 || !bytes.Equal(content(t, kept[0]), bad) {
		t.Errorf("in quarantine: %v", kept)
	}
	if !strings.Contains(log.String(), "changed") || !strings.Contains(log.String(), kubelet) {
		t.Errorf("log says %q", log.String())
	}
	write(t, path, bad)
	if err := os.Remove(src.path(kubelet)); err != nil {
		t.Fatal(err)
	}
	if got, err := (&Store{Dir: s.Dir}).Fetch(context.Background(), src.release, kubelet); !errors.Is(err, fs.ErrNotExist) || got != "" {
		t.Errorf("changed file and no source: %q, %v", got, err)
	}
}

// TestTrustEndsWithTheFile lets a file settle, so that it is not hashed at
// every use, and then changes it as well as one can.
func TestTrustEndsWithTheFile(t *testing.T) {
	if testing.Short() {
		t.Skip("waits until a file has settled")
	}
	t.Parallel()
	src, s := twoFiles(t), &Store{Dir: t.TempDir()}
	path := fetch(t, s, src, tarball)
	time.Sleep(settle + 100*time.Millisecond)
	fetch(t, s, src, tarball)
	a, _ := src.release.Asset(tarball)
	info, err := os.Lstat(path)
	if err != nil || !s.entry(a).trusts(info) {
		t.Fatalf("a settled file is not trusted (%v)", err)
	}
	bad := bytes.Clone(src.bytes[tarball])
	bad[len(bad)/2] ^= 1
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		t.Skipf("the file cannot be opened for writing: %v", err)
	}
	if _, err := f.WriteAt(bad, 0); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(f.Close(), os.Chtimes(path, info.ModTime(), info.ModTime())); err != nil {
		t.Fatal(err)
	}
	fetch(t, s, src, tarball)
	if len(quarantined(t, s)) != 1 {
		t.Error("the changed file is not in quarantine")
	}
}

// TestFreshFilesAreNotTrusted: a second change in the same tick of the file
// system's clock would not be seen.
func TestFreshFilesAreNotTrusted(t *testing.T) {
	path := filepath.Join(t.TempDir(), "file")
	write(t, path, []byte("x"))
	info, err := os.Lstat(path)
	mustDo(t, err)
	changed, known := changeTime(info)
	if !known {
		t.Skip("this system does not tell when an inode changed")
	}
	for after, want := range map[time.Duration]bool{0: false, settle: false, settle + 1: true, time.Hour: true, -time.Hour: false} {
		var c cached
		c.remember(sums{}, info, changed.Add(after))
		if got := c.trusts(info); got != want {
			t.Errorf("hashed %s after its last change, the file is trusted: %v", after, got)
		}
	}
}

// spoiling is a context that calls a function when it is first asked for its
// error for the n-th time: in the middle of a stream.
type spoiling struct {
	context.Context
	n     int
	spoil func()
}

func (s *spoiling) Err() error {
	if s.n--; s.n == 0 {
		s.spoil()
	}
	return s.Context.Err()
}

// TestFileThatChangesWhileItIsHashed: the part that was hashed is not what is
// there in the end.
func TestFileThatChangesWhileItIsHashed(t *testing.T) {
	src := newSource(t, map[string][]byte{tarball: bytes.Repeat([]byte("tar"), chunk)})
	s := &Store{Dir: t.TempDir()}
	path := fetch(t, s, src, tarball)
	time.Sleep(20 * time.Millisecond) // more than a tick
	spoiled := false
	ctx := &spoiling{context.Background(), 2, func() {
		write(t, path, append([]byte("X"), src.bytes[tarball][1:]...))
		spoiled = true
	}}
	got, err := s.Fetch(ctx, src.release, tarball)
	if err != nil || !spoiled || !bytes.Equal(content(t, got), src.bytes[tarball]) {
		t.Fatalf("spoiled %v: got the wrong bytes or %v", spoiled, err)
	}
	always := &spoiling{context.Background(), 0, nil}
	always.spoil = func() {
		write(t, path, src.bytes[tarball])
		time.Sleep(20 * time.Millisecond)
		always.n = 3
	}
	always.n = 1
	if _, err := (&Store{Dir: s.Dir}).Fetch(always, src.release, tarball); err == nil || !strings.Contains(err.Error(), "changes while it is read") {
		t.Errorf("a file that never rests: %v", err)
	}
}

func TestUnbound(t *testing.T) {
	src, s := twoFiles(t), &Store{Dir: t.TempDir()}
	src.change(kubelet, func(a *Asset) { a.SHA256, a.SHA512 = "", "" })
	_, err := s.Fetch(context.Background(), src.release, kubelet)
	var unbound *UnboundError
	if !errors.As(err, &unbound) || unbound.Asset != kubelet || unbound.Release != src.release.Name || !strings.Contains(err.Error(), kubelet) {
		t.Fatalf("got %v", err)
	}
	if files, _ := os.ReadDir(s.Dir); len(files) != 0 {
		t.Errorf("made %v", files)
	}
	fetch(t, s, src, tarball)
	s.AllowUnbound = true
	fetch(t, s, src, kubelet)
	src.bytes[kubelet] = []byte("another program")
	write(t, src.path(kubelet), src.bytes[kubelet])
	fetch(t, s, src, kubelet)
	noLeftovers(t, s)
}
