// Package unpack takes archives of a release apart. An archive with the right
// digest may still be made to do harm, so everything in it is bounded, and what
// is neither a plain file nor a folder is refused.
package unpack

import (
	"archive/tar"
	"bufio"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strings"
)

// Limits bound an archive. The zero value stands for Default.
type Limits struct {
	Bytes   int64 // of all files together, unpacked
	Entries int
	Depth   int   // elements of a path
	Ratio   int64 // unpacked bytes to packed ones, beyond the first free ones
}

// Default is several times what published archives need: the largest have 2 GB
// unpacked, some thousand files and a ratio of 4.
func Default() Limits { return Limits{Bytes: 8 << 30, Entries: 100_000, Depth: 32, Ratio: 100} }

// free is how many bytes may come of any few packed ones.
const free = 16 << 20

// Error says what is wrong with an archive. That is its maker's fault.
type Error struct{ Archive, Entry, Text string }

// Error names the archive and the entry.
func (e *Error) Error() string {
	if e.Entry == "" {
		return fmt.Sprintf("archive %s: %s", e.Archive, e.Text)
	}
	return fmt.Sprintf("archive %s: entry %q: %s", e.Archive, e.Entry, e.Text)
}

// Entry is one file or folder of an archive.
type Entry struct {
	Path string      // relative, clean, with slashes
	Mode fs.FileMode // permissions: no set-id bits; fs.ModeDir for a folder
	Size int64       // bytes
}

// Walk calls a function for each entry of a .tar or .tar.gz, with the bytes of
// a file. The error is of type *Error where the archive is at fault.
func Walk(ctx context.Context, file string, limits Limits, each func(Entry, io.Reader) error) error {
	f, err := os.Open(file)
	if err != nil {
		return err
	}
	defer f.Close()
	w := walker{ctx: ctx, name: filepath.Base(file), limits: limits, each: each, seen: map[string]bool{}}
	if w.limits == (Limits{}) {
		w.limits = Default()
	}
	w.packed = &counter{in: f}
	in := bufio.NewReader(w.packed)
	magic, _ := in.Peek(2)
	if string(magic) != "\x1f\x8b" {
		return w.tar(in)
	}
	unzipped, err := gzip.NewReader(in)
	if err != nil {
		return w.refuse("", "is no gzip: %v", err)
	}
	return w.tar(unzipped)
}

type walker struct {
	ctx    context.Context
	name   string
	limits Limits
	each   func(Entry, io.Reader) error
	packed *counter
	bytes  int64
	seen   map[string]bool // lower-cased: not every file system tells A from a
}

type counter struct {
	in io.Reader
	n  int64
}

// Read counts.
func (c *counter) Read(p []byte) (int, error) {
	n, err := c.in.Read(p)
	c.n += int64(n)
	return n, err
}

func (w *walker) refuse(entry, format string, args ...any) error {
	return &Error{Archive: w.name, Entry: entry, Text: fmt.Sprintf(format, args...)}
}

func (w *walker) tar(r io.Reader) error {
	bounded := &ration{w: w, in: r}
	in := tar.NewReader(bounded)
	for n := 0; ; n++ {
		h, err := in.Next()
		switch {
		case errors.Is(err, io.EOF):
			if n == 0 {
				return w.refuse("", "is empty")
			}
			// To its end: only there does gzip say whether the bytes were right.
			if _, err := io.Copy(io.Discard, bounded); err != nil {
				return w.why("", err)
			}
			return nil
		case err != nil:
			return w.why("", err)
		case n >= w.limits.Entries:
			return w.refuse(h.Name, "there are more than %d entries", w.limits.Entries)
		}
		entry, err := w.entry(h)
		if err != nil {
			return err
		}
		if err := w.hand(entry, h, in); err != nil {
			return err
		}
	}
}

// hand gives an entry to the function, and reads what that has left.
func (w *walker) hand(entry Entry, h *tar.Header, in io.Reader) error {
	body := &telling{in: in}
	if err := w.each(entry, body); err != nil {
		if body.err != nil {
			return w.why(h.Name, body.err)
		}
		return err
	}
	if _, err := io.Copy(io.Discard, in); err != nil {
		return w.why(h.Name, err)
	}
	return nil
}

// telling remembers that it was the archive that failed, not the writer.
type telling struct {
	in  io.Reader
	err error
}

// Read passes on.
func (t *telling) Read(p []byte) (int, error) {
	n, err := t.in.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		t.err = err
	}
	return n, err
}

// why tells a fault of the archive from one that ended us.
func (w *walker) why(entry string, err error) error {
	var own *Error
	var path *fs.PathError // the disk
	if errors.As(err, &own) || errors.As(err, &path) || w.ctx.Err() != nil {
		return err
	}
	return w.refuse(entry, "cannot be read: %v", err)
}

var element = regexp.MustCompile(`^[^\x00-\x1f\x7f\\:]{1,255}$`)

// entry checks a header.
func (w *walker) entry(h *tar.Header) (Entry, error) {
	name := strings.TrimSuffix(strings.TrimPrefix(h.Name, "./"), "/")
	e := Entry{Path: name, Mode: fs.FileMode(h.Mode & 0o777), Size: h.Size}
	switch h.Typeflag {
	case tar.TypeReg:
	case tar.TypeDir:
		e.Mode |= fs.ModeDir
		if name == "" || name == "." {
			e.Path = "."
			return e, nil
		}
	default:
		return e, w.refuse(h.Name, "is of type %q: only files and folders are unpacked", h.Typeflag)
	}
	parts := strings.Split(name, "/")
	if name == "" || name != path.Clean(name) || !filepath.IsLocal(filepath.FromSlash(name)) || len(parts) > w.limits.Depth {
		return e, w.refuse(h.Name, "has no plain relative path of at most %d elements", w.limits.Depth)
	}
	for _, part := range parts {
		if !element.MatchString(part) {
			return e, w.refuse(h.Name, "has a name that is not plain text")
		}
	}
	key := strings.ToLower(name)
	if w.seen[key] && !e.Mode.IsDir() {
		return e, w.refuse(h.Name, "is there twice")
	}
	w.seen[key] = true
	return e, nil
}

// ration lets no more bytes through than the limits allow.
type ration struct {
	w  *walker
	in io.Reader
}

// Read counts what comes of the packed bytes.
func (r *ration) Read(p []byte) (int, error) {
	if err := r.w.ctx.Err(); err != nil {
		return 0, err
	}
	n, err := r.in.Read(p)
	r.w.bytes += int64(n)
	switch {
	case r.w.bytes > r.w.limits.Bytes:
		return n, r.w.refuse("", "has more than %d bytes", r.w.limits.Bytes)
	case r.w.bytes > free && r.w.bytes > r.w.packed.n*r.w.limits.Ratio:
		return n, r.w.refuse("", "%d bytes came of %d: more than %d times as many", r.w.bytes, r.w.packed.n, r.w.limits.Ratio)
	}
	return n, err
}

// Check reads an archive to its end and unpacks nothing.
func Check(ctx context.Context, file string, limits Limits) error {
	return Walk(ctx, file, limits, func(Entry, io.Reader) error { return nil })
}

// Into unpacks an archive below a root. Nothing that is there is replaced. What
// was unpacked before an error is left for the caller to remove.
func Into(ctx context.Context, root *os.Root, file string, limits Limits) error {
	return Walk(ctx, file, limits, func(e Entry, body io.Reader) error {
		name := filepath.FromSlash(e.Path)
		if e.Mode.IsDir() {
			return root.MkdirAll(name, 0o755)
		}
		if err := root.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			return err
		}
		out, err := root.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644|e.Mode&0o111)
		if err != nil {
			return err
		}
		_, err = io.Copy(out, body)
		return errors.Join(err, out.Close())
	})
}
