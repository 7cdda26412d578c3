// Package cache keeps what is expensive to make, by the content of its
// recipe: compiled components, root filesystems, node images' inputs. A leaf.
//
// An entry is a directory that is either absent or complete: it is made aside
// and renamed into place, so a killed maker leaves only a scratch directory,
// which the next maker of the same entry removes.
package cache

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/gofrs/flock"
)

// Cache is a directory of entries.
type Cache struct {
	Dir string
}

// Default returns the user's cache: $XDG_CACHE_HOME/qualify, or
// ~/.cache/qualify where that is unset.
func Default() (Cache, error) {
	base, err := os.UserCacheDir()
	if err != nil {
		return Cache{}, fmt.Errorf("finding the cache directory: %w; set XDG_CACHE_HOME", err)
	}
	return Cache{Dir: filepath.Join(base, "qualify")}, nil
}

// Key is the SHA-256 over parts, in hex. The parts are framed, so that
// ("ab","c") and ("a","bc") differ.
func Key(parts ...string) string {
	h := sha256.New()
	for _, p := range parts {
		fmt.Fprintf(h, "%d:%s,", len(p), p)
	}
	return hex.EncodeToString(h.Sum(nil))
}

// Do returns the directory of the entry kind/key and calls fill to make it
// where it is absent. Concurrent callers, also in other processes, wait for
// the one that fills. hit tells whether it was there already.
func (c Cache) Do(ctx context.Context, kind, key string, fill func(dir string) error) (dir string, hit bool, err error) {
	dir = filepath.Join(c.Dir, kind, key)
	if isDir(dir) {
		return dir, true, nil
	}
	if err := os.MkdirAll(filepath.Dir(dir), 0o755); err != nil {
		return "", false, fmt.Errorf("making the cache: %w", err)
	}
	unlock, err := lock(ctx, dir+".lock")
	if err != nil {
		return "", false, err
	}
	defer unlock()
	if isDir(dir) {
		return dir, true, nil
	}
	scratch := dir + ".partial"
	if err := os.RemoveAll(scratch); err != nil {
		return "", false, fmt.Errorf("removing a killed maker's scratch: %w", err)
	}
	if err := os.MkdirAll(scratch, 0o755); err != nil {
		return "", false, fmt.Errorf("making a cache entry: %w", err)
	}
	if err := fill(scratch); err != nil {
		return "", false, errors.Join(err, os.RemoveAll(scratch))
	}
	if err := os.Rename(scratch, dir); err != nil {
		return "", false, fmt.Errorf("publishing a cache entry: %w", err)
	}
	return dir, false, nil
}

// Lock waits until nobody, in no other process either, holds the lock
// kind/key: for what is made once, and not kept in the cache.
func (c Cache) Lock(ctx context.Context, kind, key string) (unlock func(), err error) {
	dir := filepath.Join(c.Dir, kind)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, fmt.Errorf("making the cache: %w", err)
	}
	return lock(ctx, filepath.Join(dir, key+".lock"))
}

// lock waits for the lock file at path. The kernel drops it when its holder
// dies, so nobody ever has to remove one by hand.
func lock(ctx context.Context, path string) (unlock func(), err error) {
	l := flock.New(path)
	if _, err := l.TryLockContext(ctx, 200*time.Millisecond); err != nil {
		return nil, fmt.Errorf("waiting for %s, held by another qualify: %w", path, err)
	}
	return func() { _ = l.Unlock() }, nil
}

func isDir(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.IsDir()
}
