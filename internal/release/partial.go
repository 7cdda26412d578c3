package release

import (
	"context"
	"crypto/rand"
	"fmt"
	"os"
	"path"
	"time"
)

// partial is a file of the store that is still being written. It has the name
// of the digest that it should come to, so that the next process finds what a
// killed one had; and a lock, so that no two write to it. Its content is
// trusted by nobody before it was hashed as a whole.
type partial struct {
	*os.File
	root *os.Root
	name string
	keep bool // what is in it is of use to the next process
	gone bool // it has another name now
}

// lockPause is how often somebody looks whether a partial file is free.
const lockPause = 50 * time.Millisecond

// takePartial waits until the asset's partial file is free, and takes it. An
// asset without a digest has nothing to resume by: its file has a new name.
func takePartial(ctx context.Context, root *os.Root, a Asset) (*partial, error) {
	name := path.Join("partial", a.SHA256)
	if a.SHA256 == "" {
		name = path.Join("partial", "unbound-"+rand.Text())
	}
	for {
		p, err := tryPartial(root, name)
		if p != nil || err != nil {
			return p, err
		}
		timer := time.NewTimer(lockPause)
		select {
		case <-ctx.Done():
			timer.Stop()
			return nil, ctx.Err()
		case <-timer.C:
		}
	}
}

// tryPartial returns nil where another process has the file.
func tryPartial(root *os.Root, name string) (*partial, error) {
	if info, err := root.Lstat(name); err == nil && !info.Mode().IsRegular() {
		if err := root.RemoveAll(name); err != nil {
			return nil, fmt.Errorf("removing what is no file: %w", err)
		}
	}
	f, err := root.OpenFile(name, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	free, err := lockFile(f)
	if err == nil && free {
		// Whoever had it may have given it its final name meanwhile.
		opened, openErr := f.Stat()
		there, thereErr := root.Lstat(name)
		if openErr == nil && thereErr == nil && os.SameFile(opened, there) {
			return &partial{File: f, root: root, name: name}, nil
		}
	}
	f.Close()
	return nil, err
}

func (p *partial) size() (int64, error) {
	info, err := p.Stat()
	if err != nil {
		return 0, err
	}
	return info.Size(), nil
}

// restart forgets what is in it.
func (p *partial) restart() error {
	if err := p.Truncate(0); err != nil {
		return err
	}
	_, err := p.Seek(0, 0)
	return err
}

// release lets the next one have the file, or nobody if it is of no use.
func (p *partial) release() {
	if size, err := p.size(); !p.gone && (!p.keep || err == nil && size == 0) {
		_ = p.root.Remove(p.name) // before the lock goes: nobody has taken it yet
	}
	p.Close()
}
