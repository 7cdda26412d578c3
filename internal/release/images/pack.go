package images

import (
	"archive/tar"
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/qualify-dev/qualify/internal/release"
)

// Pull is a release.Puller: it fetches an image, with all its architectures, and
// writes it as an OCI archive.
func (f *Fetcher) Pull(ctx context.Context, rel *release.Release, a release.Asset, _, file string) error {
	image, err := f.Fetch(ctx, rel, a)
	if err != nil {
		return err
	}
	return image.writeArchive(file)
}

// writeArchive writes an OCI archive that names the image by its reference.
// The file must not be there.
func (i *Image) writeArchive(file string) (err error) {
	out, err := os.OpenFile(file, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, out.Close()) }()
	buffered := bufio.NewWriterSize(out, 1<<20)
	w := tar.NewWriter(buffered)
	root := i.Root
	// containerd names an imported image by the first, other tools by the second.
	root.Annotations = map[string]string{
		"io.containerd.image.name": i.Asset.URI,
		refName:                    i.Asset.URI[strings.LastIndex(i.Asset.URI, ":")+1:],
	}
	index, err := json.Marshal(v1.IndexManifest{SchemaVersion: 2, MediaType: types.OCIImageIndex, Manifests: []v1.Descriptor{root}})
	if err != nil {
		return err
	}
	for name, text := range map[string]string{"oci-layout": `{"imageLayoutVersion":"1.0.0"}`, "index.json": string(index)} {
		if err := addEntry(w, name, int64(len(text)), strings.NewReader(text)); err != nil {
			return err
		}
	}
	for _, part := range i.Parts {
		if err := addPart(w, part); err != nil {
			return fmt.Errorf("part %s: %w", part.Digest, err)
		}
	}
	return errors.Join(w.Close(), buffered.Flush(), out.Sync())
}

func addPart(w *tar.Writer, part Part) error {
	f, err := os.Open(part.Path)
	if err != nil {
		return err
	}
	defer f.Close()
	return addEntry(w, "blobs/sha256/"+part.Digest.Hex, part.Size, f)
}

func addEntry(w *tar.Writer, name string, size int64, content io.Reader) error {
	if err := w.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: name, Size: size, Mode: 0o644}); err != nil {
		return err
	}
	_, err := io.Copy(w, content)
	return err
}
