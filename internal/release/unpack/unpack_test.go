package unpack

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// packed writes an archive of some entries; edit spoils the packed bytes.
func packed(t testing.TB, entries []tar.Header, edit func([]byte) []byte) string {
	t.Helper()
	var out bytes.Buffer
	zip := gzip.NewWriter(&out)
	w := tar.NewWriter(zip)
	for _, h := range entries {
		if h.Mode == 0 {
			h.Mode = 0o644
		}
		if err := w.WriteHeader(&h); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write(make([]byte, h.Size)); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(w.Close(), zip.Close()); err != nil {
		t.Fatal(err)
	}
	data := out.Bytes()
	if edit != nil {
		data = edit(data)
	}
	file := filepath.Join(t.TempDir(), "a.tar.gz")
	if err := os.WriteFile(file, data, 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

func folder(t testing.TB) (*os.Root, string) {
	t.Helper()
	dir := t.TempDir()
	root, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { root.Close() })
	return root, dir
}

func file(name string, size int64) tar.Header {
	return tar.Header{Typeflag: tar.TypeReg, Name: name, Size: size}
}

func TestInto(t *testing.T) {
	root, dir := folder(t)
	archive := packed(t, []tar.Header{
		{Typeflag: tar.TypeDir, Name: "./"}, {Typeflag: tar.TypeDir, Name: "kubernetes/"}, {Typeflag: tar.TypeDir, Name: "kubernetes/"},
		{Typeflag: tar.TypeReg, Name: "kubernetes/server/bin/kubelet", Size: 7, Mode: 0o6755}, file("./LICENSES", 3),
	}, nil)
	if err := Into(context.Background(), root, archive, Limits{}); err != nil {
		t.Fatal(err)
	}
	for name, mode := range map[string]fs.FileMode{"kubernetes/server/bin/kubelet": 0o755, "LICENSES": 0o644} {
		if info, err := os.Lstat(filepath.Join(dir, name)); err != nil || info.Mode() != mode {
			t.Errorf("%s: %v, %v; want %v", name, info, err, mode)
		}
	}
	if err := Into(context.Background(), root, archive, Limits{}); !errors.Is(err, fs.ErrExist) {
		t.Errorf("a second time: %v", err)
	}
}

func TestRefused(t *testing.T) {
	small := Limits{Bytes: 1 << 20, Entries: 3, Depth: 3, Ratio: 100}
	for name, tc := range map[string]struct {
		entries []tar.Header
		edit    func([]byte) []byte
		limits  Limits
		want    string
	}{
		"a symbolic link":    {[]tar.Header{{Typeflag: tar.TypeSymlink, Name: "a", Linkname: "/etc"}}, nil, small, "only files and folders"},
		"a hard link":        {[]tar.Header{file("a", 1), {Typeflag: tar.TypeLink, Name: "b", Linkname: "a"}}, nil, small, "only files and folders"},
		"a device":           {[]tar.Header{{Typeflag: tar.TypeBlock, Name: "a"}}, nil, small, "only files and folders"},
		"a pipe":             {[]tar.Header{{Typeflag: tar.TypeFifo, Name: "a"}}, nil, small, "only files and folders"},
		"upwards":            {[]tar.Header{file("../a", 1)}, nil, small, "no plain relative path"},
		"upwards inside":     {[]tar.Header{file("a/../../b", 1)}, nil, small, "no plain relative path"},
		"absolute":           {[]tar.Header{file("/etc/passwd", 1)}, nil, small, "no plain relative path"},
		"not clean":          {[]tar.Header{file("a//b", 1)}, nil, small, "no plain relative path"},
		"too deep":           {[]tar.Header{file("a/b/c/d", 1)}, nil, small, "no plain relative path of at most 3"},
		"backslash":          {[]tar.Header{file(`a\b`, 1)}, nil, small, "not plain text"},
		"a line break":       {[]tar.Header{file("a\nb", 1)}, nil, small, "not plain text"},
		"twice":              {[]tar.Header{file("a", 1), file("a", 1)}, nil, small, "is there twice"},
		"twice but for case": {[]tar.Header{file("a", 1), file("A", 1)}, nil, small, "is there twice"},
		"too many":           {[]tar.Header{file("a", 1), file("b", 1), file("c", 1), file("d", 1)}, nil, small, "more than 3 entries"},
		"too large":          {[]tar.Header{file("a", 2<<20)}, nil, small, "has more than 1048576 bytes"},
		"a bomb":             {[]tar.Header{file("a", 64<<20)}, nil, Limits{}, "more than 100 times as many"},
		"empty":              {nil, nil, small, "is empty"},
		"cut off":            {[]tar.Header{file("a", 5000)}, func(b []byte) []byte { return b[:len(b)-12] }, small, "cannot be read"},
		"no archive":         {nil, func([]byte) []byte { return []byte("<html>not found</html>") }, small, "cannot be read"},
		"a wrong checksum":   {[]tar.Header{file("a", 5000)}, func(b []byte) []byte { b[len(b)-6] ^= 1; return b }, small, "cannot be read"},
	} {
		t.Run(name, func(t *testing.T) {
			archive := packed(t, tc.entries, tc.edit)
			root, _ := folder(t)
			for how, err := range map[string]error{
				"checked": Check(context.Background(), archive, tc.limits), "unpacked": Into(context.Background(), root, archive, tc.limits),
			} {
				var bad *Error
				if !errors.As(err, &bad) || !strings.Contains(err.Error(), tc.want) {
					t.Errorf("%s: got %v, want %q", how, err, tc.want)
				}
			}
		})
	}
}

// TestLinksThatAreThere lead nowhere: the folder may be one that others wrote to.
func TestLinksThatAreThere(t *testing.T) {
	root, dir := folder(t)
	outside := t.TempDir()
	if err := os.Symlink(outside, filepath.Join(dir, "a")); err != nil {
		t.Fatal(err)
	}
	err := Into(context.Background(), root, packed(t, []tar.Header{file("a/b", 1)}, nil), Limits{})
	if files, _ := os.ReadDir(outside); err == nil || len(files) > 0 {
		t.Errorf("written outside: %v, %v", files, err)
	}
	var bad *Error
	if errors.As(err, &bad) {
		t.Errorf("the archive is blamed: %v", err)
	}
}

func TestCancelled(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := Check(ctx, packed(t, []tar.Header{file("a", 1)}, nil), Limits{}); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

// FuzzInto: whatever an archive holds, nothing is written outside and nothing
// but files and folders inside.
func FuzzInto(f *testing.F) {
	for _, entries := range [][]tar.Header{{file("a/b", 10)}, {{Typeflag: tar.TypeSymlink, Name: "a", Linkname: ".."}, file("a/b", 1)}, {file("../x", 1)}} {
		data, err := os.ReadFile(packed(f, entries, nil))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		outer := t.TempDir()
		dir, archive := filepath.Join(outer, "in"), filepath.Join(t.TempDir(), "a.tar.gz")
		if err := errors.Join(os.Mkdir(dir, 0o755), os.WriteFile(archive, data, 0o600)); err != nil {
			t.Fatal(err)
		}
		root, err := os.OpenRoot(dir)
		if err != nil {
			t.Fatal(err)
		}
		defer root.Close()
		_ = Into(context.Background(), root, archive, Limits{Bytes: 1 << 20, Entries: 100, Depth: 8, Ratio: 100})
		files, err := os.ReadDir(outer)
		if err != nil || len(files) != 1 {
			t.Fatalf("outside: %v, %v", files, err)
		}
		_ = filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
			if err != nil || !e.IsDir() && !e.Type().IsRegular() {
				t.Errorf("%s: %v, %v", path, e, err)
			}
			return nil
		})
	})
}
