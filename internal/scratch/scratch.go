// Package scratch makes directories for temporary files that can be found and
// removed after their process was killed. A leaf but for claims.
package scratch

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/qualify-dev/qualify/internal/claim"
)

// prefix begins the names of all that this package makes.
const prefix = "qualify-"

// files is the folder in it that its user gets, beside the claim.
const files = "files"

// Dir makes a directory for temporary files. What it is for becomes part of its
// name. The returned function removes it.
func Dir(purpose string) (dir string, remove func() error, err error) {
	top, err := os.MkdirTemp("", prefix+purpose+"-") // with mode 0700
	if err != nil {
		return "", nil, fmt.Errorf("making a directory for temporary files: %w", err)
	}
	remove = func() error { return removeAll(top) }
	dir = filepath.Join(top, files)
	_, err = claim.Take(top, claim.Options{Owner: fmt.Sprint("process ", os.Getpid())})
	if err := errors.Join(err, os.Mkdir(dir, 0o700)); err != nil {
		return "", nil, errors.Join(fmt.Errorf("making a directory for temporary files: %w", err), remove())
	}
	return dir, remove, nil
}

// Litter returns the directories of processes that are known to have ended.
// Those of a process of which that is not certain are left out, and so is
// every directory that has our name and no claim.
func Litter() ([]string, error) {
	found, err := filepath.Glob(filepath.Join(os.TempDir(), prefix+"*"))
	if err != nil {
		return nil, fmt.Errorf("looking for temporary files: %w", err)
	}
	var litter []string
	for _, top := range found {
		if info, err := os.Lstat(top); err != nil || !info.IsDir() {
			continue
		}
		if state, err := claim.Look(top); err == nil && state.Owner != "" && state.Ended {
			litter = append(litter, top)
		}
	}
	return litter, nil
}

// Remove removes what Litter returned.
func Remove(top string) error {
	if err := removeAll(top); err != nil {
		return fmt.Errorf("removing temporary files: %w", err)
	}
	return nil
}

// removeAll also removes what is below directories that cannot be written to,
// as those of a module cache.
func removeAll(top string) error {
	err := os.RemoveAll(top)
	if !errors.Is(err, fs.ErrPermission) {
		return err
	}
	_ = filepath.WalkDir(top, func(path string, entry fs.DirEntry, err error) error {
		if err == nil && entry.IsDir() {
			return os.Chmod(path, 0o700)
		}
		return nil
	})
	return os.RemoveAll(top)
}
