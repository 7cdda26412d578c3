package release

import (
	"errors"
	"fmt"
	"net/url"
	"path/filepath"
	"regexp"
	"strings"

	"go.yaml.in/yaml/v3"
)

// readAsset reads one asset of a component.
func (d *decoder) readAsset(n *yaml.Node, component string) Asset {
	f := d.fields(n, "asset of "+component)
	a := Asset{Name: f.text("name")}
	if err := checkAssetName(a.Name); a.Name != "" && err != nil {
		d.refuse(f.at("name"), "%v", err)
	} else {
		d.asset = a.Name
		defer func() { d.asset = "" }()
	}
	f.known("name", "type", "description", "os", "arch", "archive", "image")
	f.require("name", "type")
	d.once(n, "asset", a.Name)
	a.Description = f.text("description")
	a.Type = AssetType(f.match("type", typeForm, "Archive or Image"))
	a.OS = f.match("os", osForm, "linux, darwin or windows")
	a.Arch = d.arch(f, a)
	switch a.Type {
	case Archive:
		d.archive(f, &a)
	case Image:
		d.image(f, &a)
	}
	return a
}

// arch returns the architectures. Only what is for no machine at all, the
// source tarball, names neither operating system nor architecture.
func (d *decoder) arch(f fields, a Asset) []string {
	var arch []string
	had := map[string]bool{}
	for _, item := range f.list("arch") {
		one := d.scalar(item, "arch")
		if !archForm.MatchString(one) || had[one] {
			d.refuse(item, "arch %s is twice in the list or not an architecture like amd64", quote(one))
		}
		had[one] = true
		arch = append(arch, one)
	}
	absent := f.by["arch"] == nil || f.by["arch"].Kind == yaml.SequenceNode && len(arch) == 0
	if absent && (a.Type == Image || a.OS != "") {
		d.refuse(f.at("arch"), "%s has no arch", strings.ToLower(string(a.Type)+" asset"))
	}
	return arch
}

func (d *decoder) archive(f fields, a *Asset) {
	in, ok := f.only("archive", "image", "uri", "sha256", "sha512")
	if !ok {
		return
	}
	a.URI = in.text("uri")
	if err := checkArchiveURI(a.URI, d.opts.FromRemote); a.URI != "" && err != nil {
		d.refuse(in.at("uri"), "%v", err)
	}
	a.SHA256 = in.hex("sha256", "", 64)
	a.SHA512 = in.hex("sha512", "", 128)
}

func (d *decoder) image(f fields, a *Asset) {
	in, ok := f.only("image", "archive", "uri", "imageDigest")
	if !ok {
		return
	}
	a.URI = in.text("uri")
	if err := checkImageURI(a.URI); a.URI != "" && err != nil {
		d.refuse(in.at("uri"), "%v", err)
	}
	a.Digest = in.hex("imageDigest", "sha256:", 64)
}

// only returns the fields of an asset's type, and refuses those of the other.
func (f fields) only(own, other string, known ...string) (fields, bool) {
	if f.by[other] != nil {
		f.d.refuse(f.at(other), "has type %s but %s fields", f.text("type"), other)
		return fields{}, false
	}
	if f.by[own] == nil {
		f.require(own)
		return fields{}, false
	}
	in := f.sub(own, known...)
	in.require("uri")
	return in, in.node.Kind == yaml.MappingNode
}

var lowerHex = regexp.MustCompile(`^[0-9a-f]*$`)

// hex returns a digest. In capitals it is refused, since the same release
// would then have two digests.
func (f fields) hex(name, prefix string, length int) string {
	text := f.text(name)
	if text == "" {
		return ""
	}
	digits, ok := strings.CutPrefix(text, prefix)
	switch {
	case !ok:
		f.d.refuse(f.at(name), "%s %s does not begin with %s", name, quote(text), prefix)
	case len(digits) != length:
		f.d.refuse(f.at(name), "%s has %d hex digits, not %d: %s", name, len(digits), length, quote(text))
	case !lowerHex.MatchString(digits):
		f.d.refuse(f.at(name), "%s is not lower-case hex: %s", name, quote(text))
	}
	return text
}

// nameElement is one element of an asset's name. It does not begin with a dot
// or a dash: neither "..", nor a hidden file, nor an option of a command.
var nameElement = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9._+~-]*$`)

func checkAssetName(name string) error {
	if len(name) > 255 {
		return fmt.Errorf("asset name %s is longer than 255 characters", quote(name))
	}
	for element := range strings.SplitSeq(name, "/") {
		if !nameElement.MatchString(element) {
			return fmt.Errorf("asset name %s is not a plain relative name like bin/linux/amd64/kubelet", quote(name))
		}
	}
	return nil
}

// imageURI is registry, repository and tag. The registry is known by its dot,
// its port or the name localhost, as container engines know it.
var imageURI = regexp.MustCompile(`^((?:[A-Za-z0-9-]+\.)+[A-Za-z0-9-]+(?::[0-9]+)?|[A-Za-z0-9-]+:[0-9]+|localhost)/` +
	`[a-z0-9]+(?:[._-]+[a-z0-9]+)*(?:/[a-z0-9]+(?:[._-]+[a-z0-9]+)*)*:[A-Za-z0-9_][A-Za-z0-9._-]{0,127}$`)

func checkImageURI(uri string) error {
	if imageURI.MatchString(uri) {
		return nil
	}
	host, _, slash := strings.Cut(uri, "/")
	switch {
	case !slash || host == "" || !strings.ContainsAny(host, ".:") && host != "localhost":
		return fmt.Errorf("image uri %s has no registry", quote(uri))
	case strings.Contains(uri, "@"):
		return fmt.Errorf("image uri %s has a digest: it belongs into imageDigest", quote(uri))
	}
	return fmt.Errorf("image uri %s is not registry/repository:tag", quote(uri))
}

var errLocal = errors.New("names a local file, in a manifest that was not read from a local path")

// checkArchiveURI accepts https, http, file and plain paths. Which transport
// is good enough is for the one who fetches to decide, bytes are what counts.
func checkArchiveURI(uri string, remote bool) error {
	u, err := url.Parse(uri)
	switch {
	case !hasScheme(uri):
		if remote {
			return fmt.Errorf("archive uri %s %w", quote(uri), errLocal)
		}
		return nil
	case err != nil:
		return fmt.Errorf("archive uri %s is not a URI", quote(uri))
	case u.Scheme == "file":
		if remote {
			return fmt.Errorf("archive uri %s %w", quote(uri), errLocal)
		}
		_, err := localPath(uri)
		return err
	case u.Scheme != "https" && u.Scheme != "http":
		return fmt.Errorf("archive uri %s is neither https, http, file nor a path", quote(uri))
	case u.Hostname() == "" || u.User != nil || u.Fragment != "":
		return fmt.Errorf("archive uri %s wants a host, and neither user nor fragment", quote(uri))
	}
	return nil
}

var scheme = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9+.-]*:`)

func hasScheme(uri string) bool { return scheme.MatchString(uri) }

// FileURI returns the file: URI of an absolute path, with what URIs reserve
// escaped, so that a folder named "a#b" or "50%" is found again.
func FileURI(path string) string {
	return (&url.URL{Scheme: "file", Path: filepath.ToSlash(path)}).String()
}

// localPath returns the path that a file: URI or a plain path names.
func localPath(uri string) (string, error) {
	if !hasScheme(uri) {
		return filepath.FromSlash(uri), nil
	}
	u, err := url.Parse(uri)
	if err != nil || u.Scheme != "file" {
		return "", fmt.Errorf("%s is not a local file", quote(uri))
	}
	if u.Host != "" && u.Host != "localhost" || u.Opaque != "" || u.RawQuery != "" || u.Fragment != "" || !strings.HasPrefix(u.Path, "/") || u.Path == "/" {
		return "", fmt.Errorf("file uri %s is not file:/// and an absolute path", quote(uri))
	}
	return filepath.FromSlash(u.Path), nil
}
