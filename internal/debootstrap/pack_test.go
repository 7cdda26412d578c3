package debootstrap

import (
	"archive/tar"
	"bytes"
	"crypto/sha256"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/qualify-dev/qualify/internal/stabletar"
)

// tree writes a small root filesystem with everything that could make two
// packings differ: times, logs, hard links, symbolic links, odd modes.
func tree(t *testing.T, when time.Time) string {
	t.Helper()
	root := t.TempDir()
	files := map[string]string{
		"usr/bin/tool":              "#!/bin/sh\n",
		"etc/passwd":                "root:x:0:0\n",
		"etc/shadow":                "root:*:" + when.Format("02") + "999:0:99999:7:::\n",
		"etc/machine-id":            when.String(),
		"var/log/dpkg.log":          when.String(),
		"var/cache/apt/pkgcache":    when.String(),
		"usr/share/doc/x/copyright": "licence\n",
		"usr/share/doc/x/changelog": when.String(),
	}
	for name, content := range files {
		file := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(file, when, when); err != nil {
			t.Fatal(err)
		}
	}
	must(t, os.Link(filepath.Join(root, "usr/bin/tool"), filepath.Join(root, "usr/bin/tool-2")))
	must(t, os.Symlink("tool", filepath.Join(root, "usr/bin/alias")))
	must(t, os.Chmod(filepath.Join(root, "usr/bin/tool"), 0o755|os.ModeSetuid))
	return root
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func packed(t *testing.T, root string) []byte {
	t.Helper()
	must(t, neutralise(root))
	var out bytes.Buffer
	must(t, stabletar.Pack(&out, root, dropped))
	return out.Bytes()
}

func TestPackIsTheSameForTheSameContentAtAnotherTimeAndPlace(t *testing.T) {
	a := packed(t, tree(t, time.Date(2026, 1, 2, 3, 4, 5, 6, time.UTC)))
	b := packed(t, tree(t, time.Date(2030, 9, 8, 7, 6, 5, 4, time.UTC)))
	if sha256.Sum256(a) != sha256.Sum256(b) {
		t.Error("two packings of the same installation differ")
	}
}

func TestPackKeepsLinksAndModesAndDropsTheUnstable(t *testing.T) {
	headers := map[string]*tar.Header{}
	r := tar.NewReader(bytes.NewReader(packed(t, tree(t, time.Now()))))
	for {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		must(t, err)
		headers[h.Name] = h
	}
	if h := headers["usr/bin/tool-2"]; h == nil || h.Typeflag != tar.TypeLink || h.Linkname != "usr/bin/tool" {
		t.Errorf("hard link: got %+v", h)
	}
	if h := headers["usr/bin/alias"]; h == nil || h.Typeflag != tar.TypeSymlink || h.Linkname != "tool" {
		t.Errorf("symbolic link: got %+v", h)
	}
	if h := headers["usr/bin/tool"]; h == nil || h.Mode&0o4000 == 0 {
		t.Errorf("setuid bit is lost: %+v", h)
	}
	for _, name := range []string{"etc/machine-id", "var/log/dpkg.log", "var/cache/apt/pkgcache", "usr/share/doc/x/changelog"} {
		if headers[name] != nil {
			t.Errorf("%s is in the stream", name)
		}
	}
	for _, name := range []string{"usr/share/doc/x/copyright", "var/log/", "etc/passwd"} {
		if headers[name] == nil {
			t.Errorf("%s is not in the stream", name)
		}
	}
}

func TestFailureShowsTheEndOfTheLog(t *testing.T) {
	root := t.TempDir()
	must(t, os.MkdirAll(filepath.Join(root, "debootstrap"), 0o755))
	must(t, os.WriteFile(filepath.Join(root, "debootstrap", "debootstrap.log"), []byte("E: no such package solaris-base\n"), 0o644))
	if got := failure(root, "W: Failure"); !strings.Contains(got, "solaris-base") {
		t.Errorf("the cause is not shown: %q", got)
	}
}
