package release

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"time"
)

// look finds the asset's file in the store. The first time in a process, and
// after every change of the file, it is hashed again: its name says what was
// written, not what is there. A file that is not what its name says goes to
// quarantine, and counts as absent.
func (s *Store) look(ctx context.Context, root *os.Root, c *cached, a Asset) (sums, bool, error) {
	name := place(a.SHA256)
	info, err := root.Lstat(name)
	if errors.Is(err, fs.ErrNotExist) {
		return sums{}, false, nil
	}
	if err != nil {
		return sums{}, false, err
	}
	if !info.Mode().IsRegular() {
		return sums{}, false, s.evict(root, a, "not-a-file-"+rand.Text())
	}
	if !c.trusts(info) {
		if err := s.rehash(ctx, root, c, name); errors.Is(err, fs.ErrNotExist) {
			return sums{}, false, nil // another process evicted it
		} else if err != nil {
			return sums{}, false, err
		}
	}
	if c.sums.sha256 != a.SHA256 {
		got := c.sums.sha256
		c.info = nil
		return sums{}, false, s.evict(root, a, got)
	}
	return c.sums, true, setMode(root, name, info.Mode(), mode(a))
}

// rehash reads a file of the store. One that changes meanwhile is read again:
// another process may have put its own verified copy there, but whoever keeps
// writing to it is no such process.
func (s *Store) rehash(ctx context.Context, root *os.Root, c *cached, name string) error {
	for range 5 {
		if done, err := s.hashOnce(ctx, root, c, name); done || err != nil {
			return err
		}
	}
	return fmt.Errorf("%s changes while it is read", name)
}

// hashOnce is done when the file was the same before and after.
func (s *Store) hashOnce(ctx context.Context, root *os.Root, c *cached, name string) (done bool, err error) {
	c.info = nil
	start := time.Now()
	f, err := root.Open(name)
	if err != nil {
		return false, err
	}
	defer f.Close()
	before, err := f.Stat()
	if err != nil {
		return false, err
	}
	if err := regular(before); err != nil {
		return false, fmt.Errorf("%s %w", name, err)
	}
	got, err := stream(ctx, io.Discard, f, before.Size())
	if err != nil && !errors.Is(err, errTooLarge) { // which says that it has grown
		return false, fmt.Errorf("reading %s: %w", name, err)
	}
	after, statErr := root.Lstat(name)
	if statErr != nil {
		return false, statErr
	}
	if err != nil || !same(before, after) {
		return false, nil
	}
	c.remember(got, before, start)
	return true, nil
}

// evict moves the asset's file out of the way, and says so.
func (s *Store) evict(root *os.Root, a Asset, got string) error {
	kept, err := s.quarantine(root, place(a.SHA256), got)
	if err != nil {
		return fmt.Errorf("removing a changed file: %w", err)
	}
	s.log().Warn("a file of the store was changed, and is fetched again", "asset", a.Name,
		"want", "sha256:"+a.SHA256, "got", got, "kept", kept)
	return nil
}

// quarantine keeps refused bytes under their own digest, so that the same
// wrong download is kept once, however often it is tried.
func (s *Store) quarantine(root *os.Root, from, as string) (string, error) {
	to := path.Join("quarantine", as)
	if info, err := root.Lstat(from); err != nil {
		return "", err
	} else if info.Mode().IsRegular() {
		if err := root.Chmod(from, 0o400); err != nil { // never to be executed
			return "", err
		}
	}
	if err := root.Rename(from, to); err != nil {
		return "", err
	}
	return filepath.Join(s.Dir, filepath.FromSlash(to)), nil
}

// publish gives a verified file its final name. It is on the disk before it
// has that name: after a power cut the name must not stand for a hole. That the
// name itself may then be lost does no harm, so the folder is not synced.
func publish(root *os.Root, t *partial, name string, mode fs.FileMode) error {
	if err := t.Chmod(mode); err != nil {
		return err
	}
	if err := t.Sync(); err != nil {
		return err
	}
	// Still open: with it goes its lock, and then somebody else may write to it.
	return root.Rename(t.name, name)
}

// setMode makes a file read-only again, and executable where it is wanted so.
// It takes no execute permission away: two assets may have the same bytes.
func setMode(root *os.Root, name string, have, want fs.FileMode) error {
	if want |= have.Perm() & 0o111; have.Perm() == want {
		return nil
	}
	return root.Chmod(name, want)
}
