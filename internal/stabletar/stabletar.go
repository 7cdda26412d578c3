// Package stabletar writes directory trees as tar streams with stable bytes:
// nothing but names, contents, modes, owners and links goes in, in lexical
// order. A leaf.
package stabletar

import (
	"archive/tar"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"time"
)

// epoch is the time of every packed file.
var epoch = time.Unix(0, 0).UTC()

// Pack writes the tree below root. Hard links stay links; sockets, pipes and
// devices are left out, and so is every path (and what is below it) for which
// drop returns true. drop may be nil.
func Pack(w io.Writer, root string, drop func(name string) bool) error {
	if drop == nil {
		drop = func(string) bool { return false }
	}
	p := packer{root: root, tar: tar.NewWriter(w), drop: drop, inodes: map[inode]string{}}
	// WalkDir goes in lexical order: that is what makes the stream stable.
	if err := filepath.WalkDir(root, p.add); err != nil {
		return fmt.Errorf("packing %s: %w", filepath.Base(root), err)
	}
	return p.tar.Close()
}

type packer struct {
	root   string
	tar    *tar.Writer
	drop   func(string) bool
	inodes map[inode]string // names of files with several links
}

// inode tells files apart, also where the tree spans mounts.
type inode struct{ device, number uint64 }

func (p *packer) add(file string, entry fs.DirEntry, err error) error {
	if err != nil {
		return err
	}
	name, err := filepath.Rel(p.root, file)
	if err != nil || name == "." {
		return err
	}
	if p.drop(name) {
		if entry.IsDir() {
			return filepath.SkipDir
		}
		return nil
	}
	info, err := entry.Info()
	if err != nil {
		return err
	}
	if info.Mode()&(fs.ModeSocket|fs.ModeDevice|fs.ModeNamedPipe) != 0 {
		return nil
	}
	header, err := p.header(file, name, info)
	if err != nil {
		return err
	}
	if err := p.tar.WriteHeader(header); err != nil {
		return err
	}
	if header.Typeflag != tar.TypeReg {
		return nil
	}
	return p.content(file)
}

func (p *packer) header(file, name string, info fs.FileInfo) (*tar.Header, error) {
	link := ""
	if info.Mode()&fs.ModeSymlink != 0 {
		target, err := os.Readlink(file)
		if err != nil {
			return nil, err
		}
		link = target
	}
	h, err := tar.FileInfoHeader(info, link)
	if err != nil {
		return nil, err
	}
	stat := info.Sys().(*syscall.Stat_t)
	*h = tar.Header{
		Typeflag: h.Typeflag, Name: name, Linkname: h.Linkname, Size: h.Size, Mode: h.Mode,
		Uid: int(stat.Uid), Gid: int(stat.Gid), ModTime: epoch, Format: tar.FormatPAX,
	}
	if info.IsDir() {
		h.Name += "/"
	}
	if info.Mode().IsRegular() && stat.Nlink > 1 {
		at := inode{uint64(stat.Dev), stat.Ino}
		if first, seen := p.inodes[at]; seen {
			h.Typeflag, h.Linkname, h.Size = tar.TypeLink, first, 0
		} else {
			p.inodes[at] = name
		}
	}
	return h, nil
}

func (p *packer) content(file string) error {
	f, err := os.Open(file)
	if err != nil {
		return err
	}
	defer f.Close()
	_, err = io.Copy(p.tar, f)
	return err
}
