package sonobuoy

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"path"
	"strings"
	"time"

	"github.com/vmware-tanzu/sonobuoy/pkg/client/results"
	"github.com/vmware-tanzu/sonobuoy/pkg/plugin/aggregation"
	"go.yaml.in/yaml/v3"

	"github.com/qualify-dev/qualify/internal/inpod"
)

// The bounds of an archive, unpacked.
const (
	mostFile  = 100 << 20
	mostTotal = 512 << 20
	mostFiles = 20_000
)

// Results are what a plugin has left.
type Results struct {
	Item  Item              // of the plugin
	Files map[string][]byte // of its own, by path below its folder: "results/global/junit_01.xml"
	// suites says that a file of results has suites, and these the tests.
	suites bool
}

// Item is a node of Sonobuoy's tree of results.
type Item = results.Item

// retrieve fetches the archive until it is the one of which the aggregator says the
// size and the digest. Sonobuoy's own way sends it once, and calls what a broken connection has left
// of it an archive.
func (w *work) retrieve(ctx context.Context, want aggregation.TarInfo) ([]byte, error) {
	fetch := w.fetch
	if fetch == nil {
		fetch = func(ctx context.Context) ([]byte, error) {
			at := inpod.Place{Namespace: w.namespace(), Pod: aggregator, Container: "kube-sonobuoy"}
			return inpod.Exec(ctx, w.config, at, "/sonobuoy", "splat", "/tmp/sonobuoy")
		}
	}
	for start := time.Now(); ; {
		sent, err := fetch(ctx)
		if err == nil {
			var data []byte
			if data, err = outer(sent, path.Base(want.Name)); err == nil {
				got := sha256.Sum256(data)
				if int64(len(data)) == want.Size && hex.EncodeToString(got[:]) == want.SHA256 {
					return data, nil
				}
				err = fmt.Errorf("got %d bytes with sha256 %x, the aggregator has %d with %s", len(data), got, want.Size, want.SHA256)
			}
		}
		if ctx.Err() != nil || time.Since(start) > w.Times.Patience {
			return nil, err
		}
		select {
		case <-ctx.Done():
			return nil, errors.Join(err, context.Cause(ctx))
		case <-time.After(w.Times.Poll):
		}
	}
}

// outer finds the archive in the one that it is sent in.
func outer(sent []byte, name string) ([]byte, error) {
	var found []byte
	err := walk(sent, func(file string, content io.Reader) error {
		if path.Base(file) != name {
			return nil
		}
		data, err := bounded(content)
		found = data
		return err
	})
	if err == nil && found == nil {
		err = fmt.Errorf("no archive %s was sent", name)
	}
	return found, err
}

// read reads what an archive has of one plugin. Nothing of it is written to a disk, so
// no name and no link in it leads anywhere.
func read(archive []byte, p Plugin) (Results, error) {
	plugin := p.Name
	r := Results{Files: map[string][]byte{}, suites: p.suites()}
	folder, total := "plugins/"+plugin+"/", 0
	err := walk(archive, func(file string, content io.Reader) error {
		name, mine := strings.CutPrefix(file, folder)
		if !mine {
			return nil
		}
		data, err := bounded(content)
		if err != nil {
			return fmt.Errorf("%s: %w", file, err)
		}
		if _, twice := r.Files[name]; twice {
			return fmt.Errorf("%s is there twice", file)
		}
		if total += len(data); total > mostTotal {
			return fmt.Errorf("more than %d bytes", mostTotal)
		}
		r.Files[name] = data
		return nil
	})
	if err != nil {
		return Results{}, fmt.Errorf("reading Sonobuoy's archive: %w", err)
	}
	text, there := r.Files[results.PostProcessedResultsFile]
	if !there {
		return Results{}, fmt.Errorf("reading Sonobuoy's archive: it has no results of plugin %s", plugin)
	}
	if err := yaml.Unmarshal(text, &r.Item); err != nil {
		return Results{}, fmt.Errorf("reading Sonobuoy's archive: results of plugin %s: %w", plugin, err)
	}
	return r, nil
}

// walk hands over the regular files of a gzipped tar. One that is cut off is an
// error.
func walk(archive []byte, each func(name string, content io.Reader) error) error {
	unzip, err := gzip.NewReader(bytes.NewReader(archive))
	if err != nil {
		return err
	}
	limited := &io.LimitedReader{R: unzip, N: mostTotal}
	in := tar.NewReader(limited)
	for n := 0; ; n++ {
		header, err := in.Next()
		if errors.Is(err, io.EOF) {
			if limited.N <= 0 {
				return fmt.Errorf("more than %d bytes", mostTotal)
			}
			_, err = io.Copy(io.Discard, limited) // so that the checksum at the end is looked at
			return err
		}
		if err != nil {
			return err
		}
		if n >= mostFiles {
			return fmt.Errorf("more than %d files", mostFiles)
		}
		if header.Typeflag != tar.TypeReg {
			continue
		}
		if err := each(path.Clean(header.Name), in); err != nil {
			return err
		}
	}
}

func bounded(in io.Reader) ([]byte, error) {
	data, err := io.ReadAll(io.LimitReader(in, mostFile+1))
	if err == nil && len(data) > mostFile {
		err = fmt.Errorf("more than %d bytes", mostFile)
	}
	return data, err
}
