package source

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	ocilayout "github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// opened is an OCI archive as other programs see it.
type opened struct {
	descriptor v1.Descriptor
	image      v1.Image
	config     *v1.ConfigFile
	layers     [][]tarEntry
}

// openImage unpacks an OCI archive and reads its only image.
func openImage(t *testing.T, file string) opened {
	t.Helper()
	dir := t.TempDir()
	in, err := os.Open(file)
	must(t, err)
	defer in.Close()
	for _, e := range untar(t, in) {
		if e.Typeflag == tar.TypeReg {
			write(t, filepath.Join(dir, e.Name), e.content, 0o644)
		}
	}
	index, err := ocilayout.ImageIndexFromPath(dir)
	must(t, err)
	manifest, err := index.IndexManifest()
	must(t, err)
	if len(manifest.Manifests) != 1 {
		t.Fatalf("%d images in the archive", len(manifest.Manifests))
	}
	o := opened{descriptor: manifest.Manifests[0]}
	o.image, err = index.Image(o.descriptor.Digest)
	must(t, err)
	o.config, err = o.image.ConfigFile()
	must(t, err)
	layers, err := o.image.Layers()
	must(t, err)
	for _, l := range layers {
		r, err := l.Uncompressed()
		must(t, err)
		o.layers = append(o.layers, untar(t, r))
		must(t, r.Close())
	}
	return o
}

func sampleImage(t *testing.T, dir string) imageSpec {
	t.Helper()
	return imageSpec{
		ref:  "registry.example:5000/kube/proxy:v1.34.4",
		base: tarOf(t, [2]string{"etc/passwd", "root:x:0:0::/root:/bin/sh\n"}, [2]string{"bin/sh", "shell"}),
		files: []imageFile{
			{path: "usr/local/bin/proxy", source: write(t, filepath.Join(dir, "proxy"), strings.Repeat("program", 10_000), 0o755), mode: 0o755},
			{path: "etc/hello", content: "hello\n", mode: 0o600},
			{path: "bin/ln", link: "/usr/local/bin/proxy"},
			{path: "uploads", dir: true, mode: 0o700},
		},
		config: v1.Config{Entrypoint: []string{"/usr/local/bin/proxy"}, Env: []string{"A=b"}, User: "65535:65535"},
	}
}

// The same content gives the same bytes: in another directory, at another
// time, whatever the files' own times and the order in which they are named.
func TestPackImageIsReproducible(t *testing.T) {
	var bytesOf, digestOf []string
	for i := range 2 {
		dir := t.TempDir()
		spec := sampleImage(t, dir)
		then := time.Now().Add(-time.Duration(i) * 10_000 * time.Hour)
		must(t, os.Chtimes(filepath.Join(dir, "proxy"), then, then))
		if i == 1 {
			slices.Reverse(spec.files)
		}
		file := filepath.Join(dir, "proxy.tar")
		digest, err := packImage(file, hostArch, spec)
		must(t, err)
		bytesOf, digestOf = append(bytesOf, read(t, file)), append(digestOf, digest)
		if left, err := filepath.Glob(filepath.Join(dir, ".image-*")); err != nil || len(left) > 0 {
			t.Errorf("left behind: %v %v", left, err)
		}
	}
	if digestOf[0] != digestOf[1] || bytesOf[0] != bytesOf[1] {
		t.Errorf("digests %v, equal bytes %v", digestOf, bytesOf[0] == bytesOf[1])
	}
}

// What was packed is read back with the library that others pull images with.
func TestPackImageReadsBack(t *testing.T) {
	dir := t.TempDir()
	spec := sampleImage(t, dir)
	file := filepath.Join(dir, "proxy.tar")
	digest, err := packImage(file, "arm64", spec)
	must(t, err)
	got := openImage(t, file)
	if got.descriptor.Digest.String() != digest || got.descriptor.MediaType != types.OCIManifestSchema1 {
		t.Errorf("descriptor %+v, want digest %s", got.descriptor, digest)
	}
	wantNames := map[string]string{"io.containerd.image.name": spec.ref, "org.opencontainers.image.ref.name": "v1.34.4"}
	if fmt.Sprint(got.descriptor.Annotations) != fmt.Sprint(wantNames) {
		t.Errorf("annotations %v", got.descriptor.Annotations)
	}
	c := got.config
	if c.OS != "linux" || c.Architecture != "arm64" || !c.Created.Equal(time.Unix(0, 0)) {
		t.Errorf("config of %s/%s at %v", c.OS, c.Architecture, c.Created)
	}
	if c.Config.User != "65535:65535" || !slices.Equal(c.Config.Entrypoint, []string{"/usr/local/bin/proxy"}) || !slices.Equal(c.Config.Env, []string{pathEnv[0], "A=b"}) {
		t.Errorf("config %+v", c.Config)
	}
	if len(got.layers) != 2 || len(c.RootFS.DiffIDs) != 2 {
		t.Fatalf("%d layers, %d in the config", len(got.layers), len(c.RootFS.DiffIDs))
	}
	if base := got.layers[0]; len(base) != 2 || base[1].content != "shell" {
		t.Errorf("base layer: %v", base)
	}
	if own := listing(got.layers[1]); own != ownLayer {
		t.Errorf("own layer:\n%s\nwant:\n%s", own, ownLayer)
	}
	if program := got.layers[1][len(got.layers[1])-1]; program.content != strings.Repeat("program", 10_000) {
		t.Errorf("%s has another content", program.Name)
	}
}

// ownLayer is the image's own layer, with each parent before its content.
const ownLayer = `5 755 bin/
2 0 bin/ln -> /usr/local/bin/proxy
5 755 etc/
0 600 etc/hello
5 700 uploads/
5 755 usr/
5 755 usr/local/
5 755 usr/local/bin/
0 755 usr/local/bin/proxy
`

func listing(entries []tarEntry) string {
	var out strings.Builder
	for _, e := range entries {
		fmt.Fprintf(&out, "%c %o %s", e.Typeflag, e.Mode, e.Name)
		if e.Linkname != "" {
			fmt.Fprintf(&out, " -> %s", e.Linkname)
		}
		fmt.Fprintln(&out)
	}
	return out.String()
}

func TestPackImageErrors(t *testing.T) {
	dir := t.TempDir()
	absent := filepath.Join(dir, "absent")
	for name, spec := range map[string]imageSpec{
		"no base":    {ref: "x:1", base: absent},
		"no program": {ref: "x:1", files: []imageFile{{path: "x", source: absent}}},
	} {
		if _, err := packImage(filepath.Join(dir, "x.tar"), hostArch, spec); !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), "packing image x:1") {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := packImage(filepath.Join(absent, "x.tar"), hostArch, imageSpec{ref: "x:1"}); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no place to write to: %v", err)
	}
}

// Each parent stands in a layer once, before what is in it; a directory that
// is named keeps its own mode.
func TestWriteLayerParents(t *testing.T) {
	file := filepath.Join(t.TempDir(), "layer.tar")
	must(t, writeLayer(file, []imageFile{
		{path: "a/b/c/two", content: "2", mode: 0o644},
		{path: "top", content: "0", mode: 0o644},
		{path: "a/b/c/one", content: "1", mode: 0o644},
		{path: "private/key", content: "k", mode: 0o400},
		{path: "private", dir: true, mode: 0o700},
		{path: "a/x", content: "x", mode: 0o644},
	}))
	f, err := os.Open(file)
	must(t, err)
	defer f.Close()
	entries := untar(t, f)
	want := "5 755 a/\n5 755 a/b/\n5 755 a/b/c/\n0 644 a/b/c/one\n0 644 a/b/c/two\n0 644 a/x\n5 700 private/\n0 400 private/key\n0 644 top\n"
	if got := listing(entries); got != want {
		t.Errorf("got:\n%swant:\n%s", got, want)
	}
	for _, e := range entries {
		if e.ModTime.Unix() != 0 || e.Uid != 0 || e.Gid != 0 || e.Uname != "" {
			t.Errorf("%s: %v %d %d %q", e.Name, e.ModTime, e.Uid, e.Gid, e.Uname)
		}
	}
}

func TestReadFromTar(t *testing.T) {
	dir := t.TempDir()
	userland := tarOf(t, [2]string{"etc/group", "root:x:0:\n"}, [2]string{"etc/passwd", "root:x:0:0\n"})
	if got, err := readFromTar(userland, "etc/passwd"); err != nil || got != "root:x:0:0\n" {
		t.Errorf("got %q, %v", got, err)
	}
	var link bytes.Buffer
	w := tar.NewWriter(&link)
	must(t, w.WriteHeader(&tar.Header{Typeflag: tar.TypeSymlink, Name: "etc/passwd", Linkname: "/elsewhere"}))
	must(t, w.Close())
	whole := read(t, userland)
	for _, c := range []struct{ name, file, want string }{
		{"absent file", filepath.Join(dir, "absent"), "no such file"},
		{"absent entry", tarOf(t, [2]string{"etc/group", "x"}), "finding etc/passwd in files.tar: EOF"},
		{"empty", write(t, filepath.Join(dir, "empty"), "", 0o644), "EOF"},
		{"garbage", write(t, filepath.Join(dir, "garbage"), strings.Repeat("garbage ", 1000), 0o644), "invalid tar header"},
		{"cut short", write(t, filepath.Join(dir, "short"), whole[:1500], 0o644), "unexpected EOF"},
		{"a link", write(t, filepath.Join(dir, "link"), link.String(), 0o644), "no file of text: type '2'"},
		{"too large", tarOf(t, [2]string{"etc/passwd", strings.Repeat("x", mostText+1)}), "no file of text"},
	} {
		if got, err := readFromTar(c.file, "etc/passwd"); err == nil || !strings.Contains(err.Error(), c.want) || got != "" {
			t.Errorf("%s: got %q and %v, want %q", c.name, got, err, c.want)
		}
	}
}

func TestPackTree(t *testing.T) {
	var plain, packed []string
	for i := range 2 {
		dir := t.TempDir()
		write(t, filepath.Join(dir, "tree", "bin", "x"), strings.Repeat("x", 5000), 0o755)
		then := time.Now().Add(-time.Duration(i) * 10_000 * time.Hour)
		must(t, os.Chtimes(filepath.Join(dir, "tree", "bin", "x"), then, then))
		must(t, packTree(filepath.Join(dir, "tree"), filepath.Join(dir, "plain.tar"), false))
		must(t, packTree(filepath.Join(dir, "tree"), filepath.Join(dir, "packed.tar.gz"), true))
		plain, packed = append(plain, read(t, filepath.Join(dir, "plain.tar"))), append(packed, read(t, filepath.Join(dir, "packed.tar.gz")))
	}
	if plain[0] != plain[1] || packed[0] != packed[1] {
		t.Errorf("equal bytes: plain %v, packed %v", plain[0] == plain[1], packed[0] == packed[1])
	}
	r, err := gzip.NewReader(strings.NewReader(packed[0]))
	must(t, err)
	text, err := io.ReadAll(r)
	must(t, err)
	if string(text) != plain[0] || !r.ModTime.IsZero() || r.Name != "" {
		t.Errorf("the compressed tar differs from the plain one, or names %q at %v", r.Name, r.ModTime)
	}
	if got := listing(untar(t, strings.NewReader(plain[0]))); got != "5 755 bin/\n0 755 bin/x\n" {
		t.Errorf("tree:\n%s", got)
	}
	for _, compress := range []bool{false, true} {
		if err := packTree(filepath.Join(t.TempDir(), "absent"), filepath.Join(t.TempDir(), "x"), compress); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("absent tree: %v", err)
		}
		if err := packTree(t.TempDir(), filepath.Join(t.TempDir(), "absent", "x"), compress); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("no place to write to: %v", err)
		}
	}
}
