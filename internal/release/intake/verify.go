// Package intake takes a release in: it gets every archive and image into the
// store, verified, compares what is published beside them, and packs what it
// has for machines without a network.
package intake

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"golang.org/x/sync/errgroup"

	"github.com/qualify-dev/qualify/internal/release"
	"github.com/qualify-dev/qualify/internal/release/images"
	"github.com/qualify-dev/qualify/internal/release/remote"
	"github.com/qualify-dev/qualify/internal/release/unpack"
)

// State is what is known of an asset.
type State string

// The states. The zero value is that nothing is known.
const (
	Verified State = "verified" // its bytes are those of the manifest
	Unbound  State = "unbound"  // its bytes are there, and the manifest does not say what they should be
	Failed   State = "failed"
)

// Row is what was found of one asset.
type Row struct {
	Asset     string            `json:"asset"`
	Component string            `json:"component"`
	Type      release.AssetType `json:"type"`
	State     State             `json:"state"`
	Digest    string            `json:"digest"` // of the bytes that are there
	Bytes     int64             `json:"bytes"`
	Siblings  int               `json:"siblings"` // files of checksums that agree
	Error     string            `json:"error,omitempty"`

	path  string
	image *images.Image
}

// Report is what was found of a release.
type Report struct {
	Release string `json:"release"`
	Digest  string `json:"digest"`
	Bytes   int64  `json:"bytes"`
	Rows    []Row  `json:"assets"`
}

// SiblingError says that a file of checksums contradicts the manifest. That is
// the release's own fault: nobody can tell which of the two is right.
type SiblingError struct{ Asset, File, Text string }

// Error names the file.
func (e *SiblingError) Error() string {
	return fmt.Sprintf("asset %s: %s says %s", e.Asset, e.File, e.Text)
}

// Fault tells whether an error is the release's own fault.
func Fault(err error) bool {
	var digest *release.DigestError
	var content *images.ContentError
	var sibling *SiblingError
	var archive *unpack.Error
	return errors.As(err, &archive) || errors.As(err, &digest) || errors.As(err, &content) || errors.As(err, &sibling)
}

// Intake is what a release is taken in with.
type Intake struct {
	Store    *release.Store
	Client   *remote.Client
	Mirrors  images.Mirrors
	Parallel int // transfers at a time
	Offline  bool
}

func (in Intake) fetcher() *images.Fetcher {
	return &images.Fetcher{Store: in.Store, Client: in.Client, Mirrors: in.Mirrors, Offline: in.Offline}
}

// Verify gets all assets into the store. The error has all that went wrong, by
// asset; the report is there in any case.
func (in Intake) Verify(ctx context.Context, rel *release.Release) (*Report, error) {
	assets := rel.Assets()
	rows, failed := make([]Row, len(assets)), make([]error, len(assets))
	siblings := newSiblings(in.Client)
	fetcher := in.fetcher()
	var group errgroup.Group
	group.SetLimit(max(in.Parallel, 1))
	for i, a := range assets {
		group.Go(func() error {
			rows[i] = Row{Asset: a.Name, Component: a.Component, Type: a.Type}
			if err := ctx.Err(); err != nil {
				failed[i] = err
			} else if a.Type == release.Image {
				failed[i] = takeImage(ctx, fetcher, rel, a, &rows[i])
			} else {
				failed[i] = in.takeArchive(ctx, siblings, rel, a, &rows[i])
			}
			if failed[i] != nil {
				rows[i].State, rows[i].Error = Failed, failed[i].Error()
			}
			return nil
		})
	}
	_ = group.Wait() // each failure is in its place
	report := &Report{Release: rel.Name, Digest: rel.Digest(), Rows: rows}
	for _, row := range rows {
		report.Bytes += row.Bytes
	}
	if err := ctx.Err(); err != nil {
		return report, err
	}
	return report, errors.Join(failed...)
}

func (in Intake) takeArchive(ctx context.Context, siblings *siblings, rel *release.Release, a release.Asset, row *Row) error {
	path, err := in.Store.Fetch(ctx, rel, a.Name)
	if err != nil {
		return err
	}
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	row.path, row.Bytes, row.State = path, info.Size(), Verified
	row.Digest = "sha256:" + info.Name() // the store's names are digests
	if !a.Bound() {
		row.State = Unbound
	}
	if row.Siblings, err = siblings.check(ctx, rel.Located(a)); err != nil {
		return err
	}
	// The archive of the sources, which is for no system, has links.
	if strings.HasSuffix(a.Name, ".tar.gz") && a.OS != "" {
		if err := unpack.Check(ctx, path, unpack.Limits{}); err != nil {
			return fmt.Errorf("asset %s: %w", a.Name, err)
		}
	}
	return nil
}

func takeImage(ctx context.Context, f *images.Fetcher, rel *release.Release, a release.Asset, row *Row) error {
	image, err := f.Fetch(ctx, rel, a)
	if err != nil {
		return err
	}
	row.image, row.Digest, row.State = image, image.Digest, Verified
	if !a.Bound() {
		row.State = Unbound
	}
	for _, part := range image.Parts {
		row.Bytes += part.Size
	}
	return nil
}

// Images returns the images of a report in its order.
func (r *Report) images() []*images.Image {
	var all []*images.Image
	for _, row := range r.Rows {
		if row.image != nil {
			all = append(all, row.image)
		}
	}
	return all
}

// Count tells how many assets are in a state.
func (r *Report) Count(s State) int {
	n := 0
	for _, row := range r.Rows {
		if row.State == s {
			n++
		}
	}
	return n
}

// Failures returns the rows that failed.
func (r *Report) Failures() []Row {
	return slices.DeleteFunc(slices.Clone(r.Rows), func(row Row) bool { return row.State != Failed })
}
