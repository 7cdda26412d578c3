package debootstrap

import (
	"archive/tar"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/qualify-dev/qualify/internal/cache"
)

// debian is a root filesystem of a few packages, as debootstrap leaves one:
// /lib leads into /usr, alternatives were set up by scripts.
func debian(t *testing.T, status string) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "key of the recipe")
	must(t, os.Mkdir(dir, 0o755))
	f, err := os.Create(filepath.Join(dir, "rootfs.tar"))
	must(t, err)
	defer f.Close()
	w := tar.NewWriter(f)
	add := func(kind byte, name, content string) {
		h := tar.Header{Typeflag: kind, Name: name, Mode: 0o755}
		if kind == tar.TypeReg {
			h.Size = int64(len(content))
		} else {
			h.Linkname = content
		}
		must(t, w.WriteHeader(&h))
		if kind == tar.TypeReg {
			_, err := w.Write([]byte(content))
			must(t, err)
		}
	}
	file := func(name string) { add(tar.TypeReg, name, name) }
	link := func(name, to string) { add(tar.TypeSymlink, name, to) }
	list := func(pkg string, files ...string) {
		add(tar.TypeReg, "var/lib/dpkg/info/"+pkg+".list", "/.\n/usr\n"+strings.Join(files, "\n")+"\n")
	}
	link("bin", "usr/bin")
	add(tar.TypeDir, "etc/", "")
	add(tar.TypeDir, "etc/alternatives/", "")
	link("etc/alternatives/filter", "/usr/sbin/filter-new")
	link("etc/alternatives/editor", "/usr/bin/vi")
	file("etc/passwd")
	file("etc/shadow")
	link("lib", "usr/lib")
	add(tar.TypeDir, "usr/", "")
	add(tar.TypeDir, "usr/bin/", "")
	file("usr/bin/installer")
	file("usr/bin/vi")
	link("usr/bin/editor", "/etc/alternatives/editor")
	file("usr/lib/libc.so.6")
	file("usr/lib/libfilter.so.1.2")
	link("usr/lib/libfilter.so.1", "libfilter.so.1.2")
	file("usr/sbin/filter-new")
	add(tar.TypeLink, "usr/sbin/filter-old", "usr/sbin/filter-new")
	link("usr/sbin/filter", "/etc/alternatives/filter")
	file("usr/share/doc/filter/changelog")
	file("usr/share/doc/filter/copyright")
	list("filter:amd64", "/usr/sbin/filter-new", "/usr/sbin/filter-old", "/usr/share/doc/filter/changelog", "/usr/share/doc/filter/copyright")
	list("libfilter1", "/lib/libfilter.so.1.2", "/lib/libfilter.so.1")
	list("libc6", "/lib/libc.so.6")
	list("vi", "/usr/bin/vi")
	list("dpkg", "/usr/bin/installer")
	add(tar.TypeReg, "var/lib/dpkg/status", status)
	must(t, w.Close())
	return f.Name()
}

const status = `Package: filter
Depends: libfilter1 (>= 1.2), absent | libc-virtual
Pre-Depends: dpkg (>= 1.15)
Description: a filter
 Depends: nothing, this is a description

Package: libfilter1
Depends: libc6:any

Package: libc6
Provides: libc-virtual (= 2.36)
Depends: libfilter1

Package: vi
Depends: libgone

Package: dpkg
`

func names(t *testing.T, file string) []string {
	t.Helper()
	f, err := os.Open(file)
	must(t, err)
	defer f.Close()
	var all []string
	for in := tar.NewReader(f); ; {
		h, err := in.Next()
		if errors.Is(err, io.EOF) {
			return all
		}
		must(t, err)
		all = append(all, h.Name)
	}
}

func TestSlim(t *testing.T) {
	c := cache.Cache{Dir: t.TempDir()}
	full := debian(t, status)
	slim, err := Slim(context.Background(), c, full, "filter")
	must(t, err)
	want := []string{
		"bin", "etc/", "etc/alternatives/", "etc/alternatives/filter", "etc/passwd", "lib", "usr/",
		"usr/lib/libc.so.6", "usr/lib/libfilter.so.1.2", "usr/lib/libfilter.so.1",
		"usr/sbin/filter-new", "usr/sbin/filter-old", "usr/sbin/filter", "usr/share/doc/filter/copyright",
	}
	if got := names(t, slim); !slices.Equal(got, want) {
		t.Errorf("it holds\n%s, want\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	again, err := Slim(context.Background(), c, full, "filter")
	if err != nil || again != slim {
		t.Errorf("the second time: %s, %v", again, err)
	}
	other, err := Slim(context.Background(), c, full, "libc6")
	if err != nil || other == slim || slices.Contains(names(t, other), "usr/sbin/filter-new") {
		t.Errorf("other packages: %s, %v", other, err)
	}
}

func TestSlimRefuses(t *testing.T) {
	for name, test := range map[string]struct {
		full string
		pkg  string
		says string
	}{
		"a package that is not there":      {debian(t, status), "emacs", "package emacs is not installed"},
		"a dependency that is not there":   {debian(t, status), "vi", "package vi needs libgone"},
		"a root filesystem of no packages": {emptyTar(t), "filter", "it holds no packages"},
		"no root filesystem":               {filepath.Join(t.TempDir(), "absent"), "filter", "no such file"},
	} {
		c := cache.Cache{Dir: t.TempDir()}
		if slim, err := Slim(context.Background(), c, test.full, test.pkg); err == nil || !strings.Contains(err.Error(), test.says) {
			t.Errorf("%s: %s, %v", name, slim, err)
		}
	}
}

func emptyTar(t *testing.T) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "rootfs.tar")
	f, err := os.Create(file)
	must(t, err)
	must(t, errors.Join(tar.NewWriter(f).Close(), f.Close()))
	return file
}
