package testimages

import (
	"path"
	"slices"
	"strings"

	"github.com/qualify-dev/qualify/internal/release/source"
)

// entry is how one image is made, or why it is not.
type entry struct {
	image string // its path below the registry: "e2e-test-images/httpd"
	how   string // for people
	why   string // it is not made; "" of one that is

	// debian are the packages that the image stands on: their files and those of
	// what they need are its base. Without any it has none.
	debian []string
	// programs are compiled: a package by file name. They are of the module, at
	// its version for the image's tag; the zero module is Kubernetes itself.
	programs map[string]string
	module   string
	version  func(tag string) string
	busybox  bool // its program is busybox, and its list of applets is beside it

	files      func(parts) ([]source.File, error)
	entrypoint []string
	command    []string
	user       string
}

// parts are what the files of an image are made of.
type parts struct {
	programs   string // directory of the entry's programs
	kubernetes string // source of Kubernetes
}

// program is a compiled program in its place in an image.
func (p parts) program(name, place string, mode int64) source.File {
	return source.File{Path: place, Source: path.Join(p.programs, name), Mode: mode}
}

// catalogue is every image that is known, group by group.
func catalogue() []entry {
	return slices.Concat(servers(), programs(), userlands(), elsewhere())
}

// packages are all Debian packages that the catalogue needs.
func packages() []string {
	var all []string
	for _, e := range catalogue() {
		all = append(all, e.debian...)
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// find returns the entry for a reference. The registry does not matter: a
// release can name mirrors of its vendor's.
func find(ref string) (entry, bool) {
	repository, _ := split(ref)
	var best entry
	for _, e := range catalogue() {
		if (repository == e.image || strings.HasSuffix(repository, "/"+e.image) || strings.HasSuffix(e.image, "/") && strings.Contains(repository, "/"+e.image)) &&
			len(e.image) > len(best.image) {
			best = e
		}
	}
	return best, best.image != ""
}

// split takes the tag off a reference.
func split(ref string) (repository, tag string) {
	at := strings.LastIndex(ref, ":")
	if at < strings.LastIndex(ref, "/") || at < 0 {
		return ref, ""
	}
	return ref[:at], ref[at+1:]
}
