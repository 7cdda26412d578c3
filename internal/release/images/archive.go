package images

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"strings"

	"github.com/qualify-dev/qualify/internal/release"
)

// archive is an OCI archive among a release's assets, which holds an image that
// need not be in any registry: releases that were built here have theirs so.
type archive struct {
	path  string
	blobs map[string]span // by digest, in hex
}

type span struct{ at, size int64 }

// archivesOf finds the archives of an image asset: bin/linux/amd64/pause.tar of
// pause-image. An archive that the store cannot verify is an error.
func (f *Fetcher) archivesOf(ctx context.Context, rel *release.Release, a release.Asset) ([]*archive, error) {
	var all []*archive
	name := strings.TrimSuffix(a.Name, "-image") + ".tar"
	for _, one := range rel.Assets() {
		if one.Type != release.Archive || path.Base(one.Name) != name || !strings.HasPrefix(one.Name, "bin/linux/") || !one.Bound() {
			continue
		}
		file, err := f.Store.Fetch(ctx, rel, one.Name)
		if err != nil {
			return nil, err
		}
		found, err := readArchive(file)
		if err != nil {
			return nil, &ContentError{Image: a.URI, Text: fmt.Sprintf("its archive %s: %v", one.Name, err)}
		}
		all = append(all, found)
	}
	return all, nil
}

// readArchive finds where the parts lie in an archive.
func readArchive(file string) (*archive, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	a := &archive{path: file, blobs: map[string]span{}}
	in := tar.NewReader(f)
	for {
		h, err := in.Next()
		if errors.Is(err, io.EOF) {
			return a, nil
		}
		if err != nil {
			return nil, err
		}
		if len(a.blobs) > mostManifests*mostLayers {
			return nil, errors.New("it has too many entries")
		}
		// A tar reader reads no further than it has to, so this is where the
		// entry's bytes begin.
		at, err := f.Seek(0, io.SeekCurrent)
		if err != nil {
			return nil, err
		}
		if hex, ok := strings.CutPrefix(path.Clean(h.Name), "blobs/sha256/"); ok && h.Typeflag == tar.TypeReg {
			a.blobs[hex] = span{at, h.Size}
		}
	}
}

// open returns one part.
func (a *archive) open(hex string) (release.Source, error) {
	f, err := os.Open(a.path)
	if err != nil {
		return release.Source{}, err
	}
	s := a.blobs[hex]
	return release.Source{Body: section{io.NewSectionReader(f, s.at, s.size), f}, Size: s.size}, nil
}

type section struct {
	io.Reader
	io.Closer
}
