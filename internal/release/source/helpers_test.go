package source

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"errors"
	"flag"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/mod/module"

	"github.com/qualify-dev/qualify/internal/cache"
)

var update = flag.Bool("update", false, "write the golden files")

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func write(t testing.TB, file, content string, mode fs.FileMode) string {
	t.Helper()
	must(t, os.MkdirAll(filepath.Dir(file), 0o755))
	must(t, os.WriteFile(file, []byte(content), mode))
	return file
}

func read(t testing.TB, file string) string {
	t.Helper()
	data, err := os.ReadFile(file)
	must(t, err)
	return string(data)
}

func golden(t *testing.T, file, got string) {
	t.Helper()
	if *update {
		write(t, file, got, 0o644)
	}
	if want := read(t, file); got != want {
		t.Errorf("%s differs; run with -update and look at the change. Got:\n%s", file, got)
	}
}

// fakeModule is a module that the test's own proxy serves.
type fakeModule struct {
	path, version string
	files         map[string]string
}

// fakeTime is when all of them were made.
const fakeTime = "2026-02-03T04:05:06Z"

// serve makes the go command fetch the modules, and no others, from a
// directory, into a module cache of the test's own.
func serve(t *testing.T, modules []fakeModule) {
	t.Helper()
	proxy, modcache := t.TempDir(), filepath.Join(t.TempDir(), "mod")
	for _, m := range modules {
		escaped, err := module.EscapePath(m.path)
		must(t, err)
		at := filepath.Join(proxy, filepath.FromSlash(escaped), "@v", m.version)
		write(t, at+".info", `{"Version":"`+m.version+`","Time":"`+fakeTime+`"}`, 0o644)
		write(t, at+".mod", m.files["go.mod"], 0o644)
		var archive bytes.Buffer
		w := zip.NewWriter(&archive)
		for name, content := range m.files {
			f, err := w.Create(m.path + "@" + m.version + "/" + name)
			must(t, err)
			_, err = io.WriteString(f, content)
			must(t, err)
		}
		must(t, w.Close())
		write(t, at+".zip", archive.String(), 0o644)
	}
	t.Setenv("GOPROXY", "file://"+filepath.ToSlash(proxy))
	t.Setenv("GOSUMDB", "off")
	t.Setenv("GOMODCACHE", modcache)
	t.Setenv("GOPRIVATE", "")
	t.Setenv("GONOPROXY", "")
	t.Cleanup(func() { // the go command makes it read-only
		_ = filepath.WalkDir(modcache, func(path string, d fs.DirEntry, err error) error {
			if err == nil && d.IsDir() {
				return os.Chmod(path, 0o755)
			}
			return err
		})
	})
}

// tiny is the source of a program that prints a text.
func tiny(text string) string {
	return "package main\n\nimport \"os\"\n\nfunc main() { os.Stdout.WriteString(" + "`" + text + "`" + ") }\n"
}

// newBuilder is a builder with a cache of its own.
func newBuilder(t *testing.T, version string) *builder {
	t.Helper()
	plain, err := Layout{}.of(version)
	must(t, err)
	tool, err := newGoTool(t.Context(), hostArch, "")
	must(t, err)
	return &builder{
		version: version, layout: plain, arch: hostArch, tool: tool, cache: cache.Cache{Dir: t.TempDir()},
		programs: map[string]string{}, replace: map[string]string{},
	}
}

// tarOf writes a tar of regular files and returns its path.
func tarOf(t *testing.T, files ...[2]string) string {
	t.Helper()
	var out bytes.Buffer
	w := tar.NewWriter(&out)
	for _, f := range files {
		must(t, w.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: f[0], Mode: 0o644, Size: int64(len(f[1]))}))
		_, err := io.WriteString(w, f[1])
		must(t, err)
	}
	must(t, w.Close())
	return write(t, filepath.Join(t.TempDir(), "files.tar"), out.String(), 0o644)
}

// tarEntry is an entry of a tar with its content.
type tarEntry struct {
	tar.Header
	content string
}

// untar reads a whole tar, in its order.
func untar(t *testing.T, r io.Reader) []tarEntry {
	t.Helper()
	var all []tarEntry
	in := tar.NewReader(r)
	for {
		h, err := in.Next()
		if errors.Is(err, io.EOF) {
			return all
		}
		must(t, err)
		content, err := io.ReadAll(in)
		must(t, err)
		all = append(all, tarEntry{*h, string(content)})
	}
}
