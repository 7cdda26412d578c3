package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"sync"
	"syscall"
)

// reserveSize is enough for the last records and the reports of a run.
const reserveSize = 1 << 20

// reserve is disk space that is set aside while there is some, so that a run
// that meets a full disk can still say what became of it.
type reserve struct {
	path string
	once sync.Once
}

// setAside takes the space, or what is missing of it. Where there is none the
// run does not begin.
func setAside(path string) (*reserve, error) {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("setting disk space aside: %w", err)
	}
	err = syscall.Fallocate(int(f.Fd()), 0, 0, reserveSize)
	if errors.Is(err, syscall.EOPNOTSUPP) || errors.Is(err, syscall.ENOSYS) {
		_, err = f.Write(make([]byte, reserveSize))
	}
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return nil, errors.Join(fmt.Errorf("setting %d bytes of disk space aside: %w", reserveSize, err), os.Remove(path))
	}
	return &reserve{path: path}, nil
}

// free gives the space back, and tells whether there was any: it does so once.
func (r *reserve) free() bool {
	first := false
	r.once.Do(func() { first = os.Remove(r.path) == nil })
	return first
}

// remove ends the reserve where it was not needed.
func (r *reserve) remove() error {
	if err := os.Remove(r.path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("giving disk space back: %w", err)
	}
	return nil
}
