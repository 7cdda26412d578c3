package debootstrap

import (
	"archive/tar"
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"time"
)

// epoch is the time of every file in a packed root filesystem.
var epoch = time.Unix(0, 0).UTC()

// unstable are the paths that differ between two installations of the same
// packages, or that nobody needs on a node: caches, logs, backups, manuals.
// A pattern ending in "/*" drops what is below the directory and keeps it.
var unstable = []string{
	"debootstrap", "dev/*", "proc/*", "sys/*", "run/*", "tmp/*", "boot/*",
	"var/cache/apt/*", "var/cache/debconf/*-old", "var/cache/ldconfig/*", "var/lib/apt/lists/*",
	"var/lib/dpkg/*-old", "var/lib/systemd/catalog/database", "var/log/*", "var/tmp/*",
	"etc/passwd-", "etc/group-", "etc/shadow-", "etc/gshadow-", "etc/subuid-", "etc/subgid-",
	"etc/machine-id", "etc/hostname", "etc/resolv.conf", "etc/ssh/ssh_host_*", "etc/.pwd.lock", "etc/apt/apt.conf.d/*proxy*",
	"usr/share/man/*", "usr/share/info/*", "usr/share/locale/*", "usr/share/lintian/*", "var/lib/dbus/machine-id",
}

// documentation keeps the licences of what is installed and nothing else.
var documentation = regexp.MustCompile(`^usr/share/doc/[^/]+/`)

func dropped(name string) bool {
	if documentation.MatchString(name) && path.Base(name) != "copyright" {
		return true
	}
	for _, pattern := range unstable {
		if below, ok := strings.CutSuffix(pattern, "/*"); ok {
			if strings.HasPrefix(name, below+"/") {
				return true
			}
			continue
		}
		if ok, _ := path.Match(pattern, name); ok {
			return true
		}
	}
	return false
}

// neutralise removes the dates that installing leaves inside files.
func neutralise(root string) error {
	shadow := filepath.Join(root, "etc", "shadow")
	data, err := os.ReadFile(shadow)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("reading the password file: %w", err)
	}
	// The third field is the day of the last change: the day of installation.
	lastChange := regexp.MustCompile(`(?m)^([^:]*:[^:]*:)\d+:`)
	return os.WriteFile(shadow, lastChange.ReplaceAll(data, []byte("${1}1:")), 0o640)
}

func packFile(root, file string) (err error) {
	f, err := os.Create(file)
	if err != nil {
		return fmt.Errorf("packing: %w", err)
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	w := bufio.NewWriterSize(f, 1<<20)
	if err := Pack(w, root); err != nil {
		return err
	}
	return w.Flush()
}

// Pack writes the tree below root as a tar stream that depends on nothing but
// names, contents, modes, owners and links. Hard links stay links.
func Pack(w io.Writer, root string) error {
	p := packer{root: root, tar: tar.NewWriter(w), inodes: map[uint64]string{}}
	// WalkDir goes in lexical order: that is what makes the stream stable.
	if err := filepath.WalkDir(root, p.add); err != nil {
		return fmt.Errorf("packing %s: %w", filepath.Base(root), err)
	}
	return p.tar.Close()
}

type packer struct {
	root   string
	tar    *tar.Writer
	inodes map[uint64]string // names of files with several links, by inode
}

func (p *packer) add(file string, entry fs.DirEntry, err error) error {
	if err != nil {
		return err
	}
	name, err := filepath.Rel(p.root, file)
	if err != nil || name == "." {
		return err
	}
	if dropped(name) {
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
		if first, seen := p.inodes[stat.Ino]; seen {
			h.Typeflag, h.Linkname, h.Size = tar.TypeLink, first, 0
		} else {
			p.inodes[stat.Ino] = name
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
