package debootstrap

import (
	"archive/tar"
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/qualify-dev/qualify/internal/cache"
)

// slimVersion is part of every key: raise it when the way of choosing files
// changes.
const slimVersion = "1"

// Slim returns the path of a tar with what some packages of a root filesystem
// need to run, and nothing else: their files, those of what they depend on,
// the base's accounts and links. full is a tar that Tar returned. There is no
// shell, no package manager and no way to install anything in it, unless a
// package depends on one.
func Slim(ctx context.Context, c cache.Cache, full string, packages ...string) (string, error) {
	packages = slices.Sorted(slices.Values(packages))
	// The full tar's place ends in the key of its own recipe.
	key := cache.Key(append([]string{slimVersion, filepath.Base(filepath.Dir(full))}, packages...)...)
	dir, _, err := c.Do(ctx, "rootfs", key, func(dir string) error {
		root, err := readPackages(full)
		if err != nil {
			return err
		}
		keep, err := root.filesOf(packages)
		if err != nil {
			return err
		}
		return copyKept(full, filepath.Join(dir, "rootfs.tar"), keep)
	})
	if err != nil {
		return "", fmt.Errorf("making a root filesystem of %s: %w", strings.Join(packages, ", "), err)
	}
	return filepath.Join(dir, "rootfs.tar"), nil
}

// installed is what a root filesystem says of its packages.
type installed struct {
	depends  map[string][]string // alternatives joined by |, by package
	provider map[string]string   // of virtual packages
	files    map[string][]string // by package, without leading slash
	links    map[string]string   // symbolic links, by name: where they lead
}

// installers are packages that others depend on for the sake of being
// installed: nothing of them runs in a filesystem that is never changed.
var installers = []string{"debconf", "dpkg", "init-system-helpers", "install-info", "lsb-base", "perl-base", "sensible-utils", "sysvinit-utils", "ucf"}

const (
	statusFile = "var/lib/dpkg/status"
	infoDir    = "var/lib/dpkg/info/"
)

func readPackages(full string) (installed, error) {
	root := installed{depends: map[string][]string{}, provider: map[string]string{}, files: map[string][]string{}, links: map[string]string{}}
	err := eachEntry(full, func(h *tar.Header, content io.Reader) error {
		name := path.Clean(h.Name)
		switch list, isList := strings.CutSuffix(strings.TrimPrefix(name, infoDir), ".list"); {
		case h.Typeflag == tar.TypeSymlink:
			root.links[name] = h.Linkname
		case name == statusFile:
			return root.readStatus(content)
		case isList && strings.HasPrefix(name, infoDir):
			pkg, _, _ := strings.Cut(list, ":") // of an architecture
			lines, err := readLines(content)
			root.files[pkg] = lines
			return err
		}
		return nil
	})
	if err == nil && len(root.files) == 0 {
		err = errors.New("it holds no packages")
	}
	return root, err
}

// eachEntry calls do for each entry of a tar.
func eachEntry(file string, do func(*tar.Header, io.Reader) error) error {
	f, err := os.Open(file)
	if err != nil {
		return err
	}
	defer f.Close()
	in := tar.NewReader(bufio.NewReaderSize(f, 1<<20))
	for {
		h, err := in.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("reading %s: %w", filepath.Base(file), err)
		}
		if err := do(h, in); err != nil {
			return fmt.Errorf("reading %s: %s: %w", filepath.Base(file), h.Name, err)
		}
	}
}

func readLines(r io.Reader) ([]string, error) {
	var lines []string
	in := bufio.NewScanner(r)
	in.Buffer(nil, 1<<20)
	for in.Scan() {
		lines = append(lines, in.Text())
	}
	return lines, in.Err()
}

// readStatus reads dpkg's database: paragraphs of fields, of which a line that
// begins with a blank continues the one before.
func (p installed) readStatus(r io.Reader) error {
	lines, err := readLines(r)
	pkg := ""
	for _, line := range lines {
		field, value, _ := strings.Cut(line, ":")
		switch value = strings.TrimSpace(value); field {
		case "Package":
			pkg = value
		case "Depends", "Pre-Depends":
			p.depends[pkg] = append(p.depends[pkg], strings.Split(value, ",")...)
		case "Provides":
			for _, one := range strings.Split(value, ",") {
				p.provider[bareName(one)] = pkg
			}
		}
	}
	return err
}

// bareName is a package's name without its version and architecture.
func bareName(dependency string) string {
	name, _, _ := strings.Cut(strings.TrimSpace(dependency), " ")
	name, _, _ = strings.Cut(name, ":")
	return name
}

// closure is every package that the given ones need.
func (p installed) closure(packages []string) ([]string, error) {
	var all []string
	for queue := slices.Clone(packages); len(queue) > 0; queue = queue[1:] {
		pkg := queue[0]
		if slices.Contains(all, pkg) {
			continue
		}
		if p.files[pkg] == nil {
			return nil, fmt.Errorf("package %s is not installed", pkg)
		}
		all = append(all, pkg)
		for _, dependency := range p.depends[pkg] {
			next, ok := p.choose(dependency)
			if !ok {
				return nil, fmt.Errorf("package %s needs %s, which is not installed", pkg, strings.TrimSpace(dependency))
			}
			if !slices.Contains(installers, next) {
				queue = append(queue, next)
			}
		}
	}
	return all, nil
}

// choose is the first of a dependency's alternatives that is installed.
func (p installed) choose(dependency string) (string, bool) {
	for _, one := range strings.Split(dependency, "|") {
		name := bareName(one)
		if p.files[name] != nil {
			return name, true
		}
		if provider := p.provider[name]; p.files[provider] != nil {
			return provider, true
		}
	}
	return "", false
}

// always are kept of the base: accounts, and how names are looked up.
var always = []string{"etc/passwd", "etc/group", "etc/nsswitch.conf", "etc/protocols", "etc/services", "tmp", "run", "var/run", "root"}

// filesOf returns the names of all that the packages need.
func (p installed) filesOf(packages []string) (map[string]bool, error) {
	all, err := p.closure(packages)
	if err != nil {
		return nil, err
	}
	keep := map[string]bool{}
	for _, pkg := range all {
		for _, file := range p.files[pkg] {
			keep[p.merged(strings.TrimPrefix(path.Clean("/"+file), "/"))] = true
		}
	}
	for _, name := range always {
		keep[name] = true
	}
	p.addLinks(keep)
	for name := range keep {
		for dir := path.Dir(name); dir != "." && !keep[dir]; dir = path.Dir(dir) {
			keep[dir] = true
		}
	}
	delete(keep, "")
	return keep, nil
}

// merged is where a file of /bin, /lib or /sbin is where those lead into /usr.
func (p installed) merged(name string) string {
	top, rest, below := strings.Cut(name, "/")
	if target, is := p.links[top]; is && below {
		return path.Join(strings.TrimPrefix(target, "/"), rest)
	}
	return name
}

// addLinks adds the links of the top and those of the alternatives system that
// lead to something that is kept: no package lists them, its scripts make them.
func (p installed) addLinks(keep map[string]bool) {
	for name := range p.links {
		if !strings.Contains(name, "/") {
			keep[name] = true
		}
	}
	for added := true; added; {
		added = false
		for name, target := range p.links {
			if !path.IsAbs(target) || keep[name] {
				continue
			}
			managed := strings.HasPrefix(name, "etc/alternatives/") || strings.HasPrefix(target, "/etc/alternatives/")
			if managed && keep[p.merged(strings.TrimPrefix(path.Clean(target), "/"))] {
				keep[name], added = true, true
			}
		}
	}
}

// copyKept writes what is kept, in the order of the full tar.
func copyKept(full, file string, keep map[string]bool) (err error) {
	f, err := os.Create(file)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	w := bufio.NewWriterSize(f, 1<<20)
	out := tar.NewWriter(w)
	written := map[string]bool{}
	err = eachEntry(full, func(h *tar.Header, content io.Reader) error {
		name := path.Clean(h.Name)
		if !keep[name] || dropped(name) && h.Typeflag != tar.TypeDir {
			return nil
		}
		if h.Typeflag == tar.TypeLink && !written[path.Clean(h.Linkname)] {
			return fmt.Errorf("it is a hard link to %s, which is not kept", h.Linkname)
		}
		written[name] = true
		if err := out.WriteHeader(h); err != nil {
			return err
		}
		_, err := io.Copy(out, content)
		return err
	})
	return errors.Join(err, out.Close(), w.Flush())
}
