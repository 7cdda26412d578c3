package release

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
)

func TestSourcesThatCannotBeRead(t *testing.T) {
	for name, tc := range map[string]struct {
		spoil func(t *testing.T, path string)
		want  string
		is    error
	}{
		"missing":          {func(t *testing.T, path string) {}, "no such file", fs.ErrNotExist},
		"directory":        {func(t *testing.T, path string) { mustDo(t, os.Mkdir(path, 0o755)) }, "is a directory, not a file", nil},
		"pipe":             {func(t *testing.T, path string) { mustDo(t, syscall.Mkfifo(path, 0o644)) }, "is not a regular file", nil},
		"link to nothing":  {func(t *testing.T, path string) { mustDo(t, os.Symlink("nothing", path)) }, "no such file", fs.ErrNotExist},
		"link to a folder": {func(t *testing.T, path string) { mustDo(t, os.Symlink(".", path)) }, "is a directory", nil},
		"link to itself":   {func(t *testing.T, path string) { mustDo(t, os.Symlink(filepath.Base(path), path)) }, "too many levels", nil},
		"link to a device": {func(t *testing.T, path string) { mustDo(t, os.Symlink("/dev/zero", path)) }, "is not a regular file", nil},
		"link to other bytes": {func(t *testing.T, path string) {
			write(t, path+".other", []byte("other"))
			mustDo(t, os.Symlink(path+".other", path))
		}, "wrong bytes", nil},
		"empty": {func(t *testing.T, path string) { write(t, path, nil) }, "wrong bytes", nil},
	} {
		t.Run(name, func(t *testing.T) {
			src, s := twoFiles(t), &Store{Dir: t.TempDir()}
			mustDo(t, os.Remove(src.path(tarball)))
			tc.spoil(t, src.path(tarball))
			path, err := s.Fetch(context.Background(), src.release, tarball)
			if err == nil || path != "" || !strings.Contains(err.Error(), tc.want) || !strings.Contains(err.Error(), "asset "+tarball) || tc.is != nil && !errors.Is(err, tc.is) {
				t.Errorf("got %q, %v; want %q", path, err, tc.want)
			}
			noLeftovers(t, s)
		})
	}
}

func mustDo(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestLinkToTheRightBytesIsFollowed(t *testing.T) {
	src, s := twoFiles(t), &Store{Dir: t.TempDir()}
	mustDo(t, os.Rename(src.path(tarball), src.path("moved")))
	mustDo(t, os.Symlink("moved", src.path(tarball)))
	path := fetch(t, s, src, tarball)
	if info, err := os.Lstat(path); err != nil || !info.Mode().IsRegular() {
		t.Errorf("the store has %v, %v: want a copy", info.Mode(), err)
	}
}

func TestStoreWithTricksInside(t *testing.T) {
	for name, spoil := range map[string]func(t *testing.T, file, outside string){
		"link to a file outside": func(t *testing.T, file, outside string) { mustDo(t, os.Symlink(outside, file)) },
		"link to a file inside": func(t *testing.T, file, outside string) {
			mustDo(t, os.Rename(outside, file+".x"))
			mustDo(t, os.Symlink(filepath.Base(file)+".x", file))
		},
		"link to nothing": func(t *testing.T, file, outside string) { mustDo(t, os.Symlink("nothing", file)) },
		"directory":       func(t *testing.T, file, outside string) { mustDo(t, os.MkdirAll(file+"/a/b", 0o755)) },
		"pipe":            func(t *testing.T, file, outside string) { mustDo(t, syscall.Mkfifo(file, 0o644)) },
		"empty file":      func(t *testing.T, file, outside string) { write(t, file, nil) },
	} {
		t.Run(name, func(t *testing.T) {
			src, s := twoFiles(t), &Store{Dir: t.TempDir()}
			file := fetch(t, s, src, kubelet)
			outside := filepath.Join(t.TempDir(), "outside")
			write(t, outside, src.bytes[kubelet]) // even the right bytes: they can be changed there
			mustDo(t, os.Remove(file))
			spoil(t, file, outside)
			fetch(t, s, src, kubelet)
			if info, err := os.Lstat(file); err != nil || !info.Mode().IsRegular() {
				t.Errorf("the store has %v, %v", info.Mode(), err)
			}
			if len(quarantined(t, s)) != 1 {
				t.Errorf("in quarantine: %v", quarantined(t, s))
			}
		})
	}
	t.Run("folder is a link outside", func(t *testing.T) {
		src, s, outside := twoFiles(t), &Store{Dir: t.TempDir()}, t.TempDir()
		mustDo(t, os.Symlink(outside, filepath.Join(s.Dir, "sha256")))
		if path, err := s.Fetch(context.Background(), src.release, kubelet); err == nil {
			t.Errorf("wrote through a link: %s", path)
		}
		if files, _ := os.ReadDir(outside); len(files) != 0 {
			t.Errorf("written outside: %v", files)
		}
	})
}

func TestStoresThatCannotBe(t *testing.T) {
	src := twoFiles(t)
	file := filepath.Join(t.TempDir(), "file")
	write(t, file, nil)
	for dir, want := range map[string]string{"": "no folder", file: "opening store", filepath.Join(file, "below"): "not a directory"} {
		if _, err := (&Store{Dir: dir}).Fetch(context.Background(), src.release, kubelet); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: got %v, want %q", dir, err, want)
		}
	}
}

func TestPermissions(t *testing.T) {
	if os.Getuid() == 0 {
		t.Skip("root may read and write everything")
	}
	src, s := twoFiles(t), &Store{Dir: t.TempDir()}
	mustDo(t, os.Chmod(src.path(kubelet), 0))
	if _, err := s.Fetch(context.Background(), src.release, kubelet); !errors.Is(err, fs.ErrPermission) {
		t.Errorf("source: got %v", err)
	}
	mustDo(t, os.Chmod(filepath.Join(s.Dir, "sha256"), 0o555))
	if _, err := s.Fetch(context.Background(), src.release, tarball); !errors.Is(err, fs.ErrPermission) {
		t.Errorf("store: got %v", err)
	}
}

func TestWhatCannotBeFetched(t *testing.T) {
	r, s := candidate(), &Store{Dir: t.TempDir(), AllowUnbound: true}
	for name, want := range map[string]string{
		"pause-image": "is an image in a registry", "kubelet": `no asset "kubelet"`, "../kubelet": "no asset",
	} {
		if _, err := s.Fetch(context.Background(), r, name); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %q", name, err, want)
		}
	}
	r.Components[0].Assets[1].URI = "https://distro.eks.amazonaws.com/kubelet"
	if _, err := s.Fetch(context.Background(), r, kubelet); err == nil || !strings.Contains(err.Error(), "is not a local file") {
		t.Errorf("got %v", err)
	}
}

// TestRelativePathsAreFromTheManifest, wherever the program runs.
func TestRelativePathsAreFromTheManifest(t *testing.T) {
	src, s := twoFiles(t), &Store{Dir: t.TempDir()}
	src.release.Path = filepath.Join(src.dir, "release.yaml")
	src.change(kubelet, func(a *Asset) { a.URI = "bin/linux/../linux/amd64/kubelet" })
	fetch(t, s, src, kubelet)
	src.change(tarball, func(a *Asset) { a.URI = src.path(tarball) })
	fetch(t, s, src, tarball)
	for _, tc := range [][3]string{
		{"release.yaml", "a/b", "a/b"}, {"x/release.yaml", "../b", "b"}, {"release.yaml", "./a:b", "./a:b"},
		{"x/release.yaml", "/b", "/b"}, {"x/release.yaml", "file:///b", "file:///b"}, {"x/release.yaml", "https://h/b", "https://h/b"},
	} {
		if got := (&Release{Path: tc[0]}).locate(tc[1]); got != tc[2] {
			t.Errorf("%s in %s is at %s, want %s", tc[1], tc[0], got, tc[2])
		}
	}
}

func TestFileURIFindsEveryPath(t *testing.T) {
	for _, path := range []string{"/a", "/a b", "/a#1", "/50%", "/x?y", "/%41", "/ä/€", "/a:b", "//a"} {
		if got, err := localPath(FileURI(path)); err != nil || got != path {
			t.Errorf("%s becomes %s becomes %s, %v", path, FileURI(path), got, err)
		}
	}
}

// flaky is an Opener with bytes, and an error after them.
func flaky(data []byte, fail error, opens *atomic.Int32) Opener {
	return func(ctx context.Context, a Asset, _ int64) (Source, error) {
		opens.Add(1)
		return Source{Body: io.NopCloser(io.MultiReader(bytes.NewReader(data), errReader{fail})), Size: -1}, nil
	}
}

type errReader struct{ err error }

func (e errReader) Read([]byte) (int, error) { return 0, e.err }

// TestStreamCutOff: a transport that breaks is not the release's fault, and
// what came before is no file, bound or not.
func TestStreamCutOff(t *testing.T) {
	for _, fail := range []error{io.ErrUnexpectedEOF, syscall.ECONNRESET, fs.ErrPermission} {
		for _, bound := range []bool{true, false} {
			src := twoFiles(t)
			var opens atomic.Int32
			data := src.bytes[tarball]
			s := &Store{Dir: t.TempDir(), AllowUnbound: true, Open: flaky(data, fail, &opens)}
			if !bound {
				src.change(tarball, func(a *Asset) { a.SHA256, a.SHA512 = "", "" })
			}
			path, err := s.Fetch(context.Background(), src.release, tarball)
			var wrong *DigestError
			if !errors.Is(err, fail) || errors.As(err, &wrong) || path != "" {
				t.Errorf("%v, bound %v: got %q, %v", fail, bound, path, err)
			}
			noLeftovers(t, s)
		}
	}
}

func TestSizeBound(t *testing.T) {
	src := twoFiles(t)
	size := int64(len(src.bytes[tarball]))
	s := &Store{Dir: t.TempDir(), Limit: size - 1}
	_, err := s.Fetch(context.Background(), src.release, tarball)
	var wrong *DigestError
	if err == nil || errors.As(err, &wrong) || !strings.Contains(err.Error(), fmt.Sprintf("more than the allowed %d", size-1)) {
		t.Errorf("got %v", err)
	}
	noLeftovers(t, s)
	fetch(t, &Store{Dir: t.TempDir(), Limit: size}, src, tarball)
	endless := func(context.Context, Asset, int64) (Source, error) {
		return Source{Body: io.NopCloser(zeros{}), Size: -1}, nil
	}
	s = &Store{Dir: t.TempDir(), Limit: 4 << 20, Open: endless}
	if _, err := s.Fetch(context.Background(), src.release, tarball); err == nil || len(quarantined(t, s)) != 0 {
		t.Errorf("an endless source: %v, kept %v", err, quarantined(t, s))
	}
}

type zeros struct{}

func (zeros) Read(b []byte) (int, error) { return len(b), nil }

func TestCancel(t *testing.T) {
	src := twoFiles(t)
	ctx, cancel := context.WithCancel(context.Background())
	s := &Store{Dir: t.TempDir(), Open: func(context.Context, Asset, int64) (Source, error) {
		return Source{Body: io.NopCloser(cancelling{cancel}), Size: -1}, nil
	}}
	if _, err := s.Fetch(ctx, src.release, tarball); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	noLeftovers(t, s)
	if _, err := (&Store{Dir: t.TempDir()}).Fetch(ctx, src.release, tarball); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled before: %v", err)
	}
}

type cancelling struct{ cancel func() }

func (c cancelling) Read(b []byte) (int, error) { c.cancel(); return len(b), nil }

func TestManyAtOnce(t *testing.T) {
	src := twoFiles(t)
	dir := t.TempDir()
	var opens atomic.Int32
	counting := func(ctx context.Context, a Asset, from int64) (Source, error) {
		opens.Add(1)
		return Open(ctx, a, from)
	}
	stores := []*Store{{Dir: dir, Open: counting}, {Dir: dir, Open: counting}} // two processes
	var wg sync.WaitGroup
	for i := range 40 {
		wg.Go(func() {
			name := []string{kubelet, tarball}[i%2]
			path, err := stores[i/2%2].Fetch(context.Background(), src.release, name)
			if err != nil {
				t.Error(err)
			} else if data, err := os.ReadFile(path); err != nil || !bytes.Equal(data, src.bytes[name]) {
				t.Errorf("%s: %d bytes, %v", name, len(data), err)
			}
		})
	}
	wg.Wait()
	if n := opens.Load(); n > 4 {
		t.Errorf("the sources were read %d times by two stores", n)
	}
	noLeftovers(t, stores[0])
}
