package source

import (
	"archive/tar"
	"bufio"
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"sort"
	"strings"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	ocilayout "github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/qualify-dev/qualify/internal/stabletar"
)

// imageSpec is a container image to pack: a base filesystem, if any, and one
// layer of files on it.
type imageSpec struct {
	ref    string // "registry.k8s.io/pause:3.10.1"
	base   string // tar file of the base filesystem, or ""
	files  []imageFile
	config v1.Config
}

// imageFile is one entry of an image's own layer.
type imageFile struct {
	path    string // without leading slash
	source  string // file to copy, or "" for content
	content string
	link    string // symbolic link to, instead of a file
	dir     bool
	mode    int64
}

// pathEnv lets the commands of kubeadm's static pods be found in images that
// hold nothing but the program.
var pathEnv = []string{"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"}

// packImage writes the image as an OCI archive to file and returns the digest
// of its manifest. The bytes depend on the spec's contents only.
func packImage(file, arch string, spec imageSpec) (digest string, err error) {
	work, err := os.MkdirTemp(filepath.Dir(file), ".image-")
	if err != nil {
		return "", fmt.Errorf("packing image %s: %w", spec.ref, err)
	}
	defer os.RemoveAll(work)
	img, err := assemble(work, arch, spec)
	if err != nil {
		return "", fmt.Errorf("packing image %s: %w", spec.ref, err)
	}
	oci := filepath.Join(work, "oci")
	index, err := ocilayout.Write(oci, empty.Index)
	if err != nil {
		return "", fmt.Errorf("packing image %s: %w", spec.ref, err)
	}
	// containerd names an imported image by the first annotation, other tools
	// by the second.
	err = index.AppendImage(img, ocilayout.WithAnnotations(map[string]string{
		"io.containerd.image.name":          spec.ref,
		"org.opencontainers.image.ref.name": spec.ref[strings.LastIndex(spec.ref, ":")+1:],
	}))
	if err != nil {
		return "", fmt.Errorf("packing image %s: %w", spec.ref, err)
	}
	hash, err := img.Digest()
	if err != nil {
		return "", fmt.Errorf("packing image %s: %w", spec.ref, err)
	}
	return hash.String(), packTree(oci, file, false)
}

func assemble(work, arch string, spec imageSpec) (v1.Image, error) {
	img := mutate.MediaType(empty.Image, types.OCIManifestSchema1)
	img = mutate.ConfigMediaType(img, types.OCIConfigJSON)
	var tars []string
	if spec.base != "" {
		tars = append(tars, spec.base)
	}
	own := filepath.Join(work, "own.tar")
	if err := writeLayer(own, spec.files); err != nil {
		return nil, err
	}
	for _, t := range append(tars, own) {
		layer, err := tarball.LayerFromFile(t, tarball.WithCompressionLevel(gzip.BestSpeed), tarball.WithMediaType(types.OCILayer))
		if err != nil {
			return nil, err
		}
		if img, err = mutate.AppendLayers(img, layer); err != nil {
			return nil, err
		}
	}
	config, err := img.ConfigFile()
	if err != nil {
		return nil, err
	}
	config = config.DeepCopy()
	config.OS, config.Architecture, config.Config = "linux", arch, spec.config
	config.Config.Env = append(append([]string(nil), pathEnv...), spec.config.Env...)
	config.Created = v1.Time{Time: time.Unix(0, 0).UTC()}
	return mutate.ConfigFile(img, config)
}

func writeLayer(file string, files []imageFile) (err error) {
	f, err := os.Create(file)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	buffered := bufio.NewWriterSize(f, 1<<20)
	w := tar.NewWriter(buffered)
	done := map[string]bool{".": true}
	files = append([]imageFile(nil), files...)
	sort.Slice(files, func(i, j int) bool { return files[i].path < files[j].path })
	for _, entry := range files {
		if err := writeParents(w, entry.path, done); err != nil {
			return err
		}
		if err := writeEntry(w, entry); err != nil {
			return err
		}
		done[entry.path] = entry.dir
	}
	return errors.Join(w.Close(), buffered.Flush())
}

func writeParents(w *tar.Writer, name string, done map[string]bool) error {
	parent := path.Dir(name)
	if done[parent] {
		return nil
	}
	if err := writeParents(w, parent, done); err != nil {
		return err
	}
	done[parent] = true
	return w.WriteHeader(&tar.Header{Typeflag: tar.TypeDir, Name: parent + "/", Mode: 0o755, ModTime: time.Unix(0, 0)})
}

func writeEntry(w *tar.Writer, e imageFile) error {
	h := &tar.Header{Typeflag: tar.TypeReg, Name: e.path, Mode: e.mode, ModTime: time.Unix(0, 0)}
	switch {
	case e.dir:
		h.Typeflag, h.Name = tar.TypeDir, e.path+"/"
		return w.WriteHeader(h)
	case e.link != "":
		h.Typeflag, h.Linkname = tar.TypeSymlink, e.link
		return w.WriteHeader(h)
	case e.source == "":
		h.Size = int64(len(e.content))
		if err := w.WriteHeader(h); err != nil {
			return err
		}
		_, err := io.WriteString(w, e.content)
		return err
	}
	f, err := os.Open(e.source)
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	h.Size = info.Size()
	if err := w.WriteHeader(h); err != nil {
		return err
	}
	_, err = io.Copy(w, f)
	return err
}

// packTree writes the tree below dir to file as a stable tar, gzipped where asked.
func packTree(dir, file string, compress bool) (err error) {
	f, err := os.Create(file)
	if err != nil {
		return fmt.Errorf("packing %s: %w", filepath.Base(file), err)
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	if !compress {
		w := bufio.NewWriterSize(f, 1<<20)
		return errors.Join(stabletar.Pack(w, dir, nil), w.Flush())
	}
	w, err := gzip.NewWriterLevel(f, gzip.BestSpeed)
	if err != nil {
		return err
	}
	return errors.Join(stabletar.Pack(w, dir, nil), w.Close())
}

// mostText bounds the files that are read as text.
const mostText = 1 << 20

// readFromTar returns the content of one file of a tar.
func readFromTar(file, name string) (string, error) {
	f, err := os.Open(file)
	if err != nil {
		return "", err
	}
	defer f.Close()
	r := tar.NewReader(bufio.NewReader(f))
	for {
		h, err := r.Next()
		if err != nil {
			return "", fmt.Errorf("finding %s in %s: %w", name, filepath.Base(file), err)
		}
		if h.Name != name {
			continue
		}
		if h.Typeflag != tar.TypeReg || h.Size > mostText {
			return "", fmt.Errorf("%s in %s is no file of text: type %q, %d bytes", name, filepath.Base(file), h.Typeflag, h.Size)
		}
		var out bytes.Buffer
		_, err = io.Copy(&out, r)
		return out.String(), err
	}
}
