package release

import (
	"archive/tar"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"path/filepath"
	"slices"
	"strings"
)

// Puller writes an image, as an OCI archive that names it by its reference, to
// a file. It fetches by digest, and need not verify anything. Of an index it
// need not take more than the image of one architecture.
type Puller func(ctx context.Context, r *Release, a Asset, arch, file string) error

// NodeImages are the images that nodes hold: those of the components that a
// cluster of kubeadm, and the suites in it, run. A release of EKS Distro has
// others, storage drivers and such, that nobody starts here.
func (r *Release) NodeImages() []Asset {
	return slices.DeleteFunc(r.Images(), func(a Asset) bool {
		return !slices.Contains([]string{"kubernetes", "kube-proxy", "etcd", "coredns", "kubernetes-test"}, a.Component)
	})
}

// Image returns the path of an OCI archive with an image of the release,
// verified by the digest in the manifest. One without a digest is refused,
// unless that is allowed: then it is what its tag stands for now, every time. Where the release has the image as a
// file it is that file; otherwise it is pulled, once.
func (s *Store) Image(ctx context.Context, r *Release, assetName, arch string) (string, error) {
	a, err := r.Asset(assetName)
	switch {
	case err != nil:
		return "", fmt.Errorf("fetching image: %w", err)
	case a.Type != Image:
		return "", fmt.Errorf("fetching image %s: it is a file", a.Name)
	case a.Digest == "" && s.AllowUnbound:
		return s.pullImage(ctx, r, a, arch)
	case a.Digest == "":
		return "", &UnboundError{Release: r.Name, Asset: a.Name}
	}
	archive := "bin/linux/" + arch + "/" + strings.TrimSuffix(a.Name, "-image") + ".tar"
	if _, err := r.Asset(archive); err == nil {
		file, err := s.Fetch(ctx, r, archive)
		if err != nil {
			return "", err
		}
		// It may hold the image of one architecture, and the digest be that of an index.
		if _, err := readImage(file, a.Digest, arch, false); err == nil {
			return file, nil
		} else if !errors.Is(err, errNoImage) {
			return "", fmt.Errorf("image %s: reading %s: %w", a.URI, archive, err)
		}
	}
	return s.pullImage(ctx, r, a, arch)
}

// pullImage keeps archives by digest and reference: the reference is in them.
func (s *Store) pullImage(ctx context.Context, r *Release, a Asset, arch string) (string, error) {
	root, err := s.root()
	if err != nil {
		return "", fmt.Errorf("opening store: %w", err)
	}
	defer root.Close()
	if err := root.MkdirAll("images", 0o755); err != nil {
		return "", fmt.Errorf("opening store: %w", err)
	}
	key := sha256.Sum256([]byte(a.URI + " " + a.Digest + " " + arch))
	name := path.Join("images", hex.EncodeToString(key[:])+".tar")
	file := filepath.Join(s.Dir, filepath.FromSlash(name))
	if info, err := root.Lstat(name); err == nil && info.Mode().IsRegular() && a.Digest != "" {
		if _, err = readImage(file, a.Digest, arch, true); err == nil {
			return file, nil
		}
		s.log().Warn("an image of the store was changed, and is pulled again", "image", a.URI, "err", err)
	} else if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", fmt.Errorf("image %s: %w", a.URI, err)
	}
	if s.Pull == nil {
		return "", fmt.Errorf("image %s is in a registry, and the release has no archive of it", a.URI)
	}
	partial := path.Join("images", ".partial-"+rand.Text())
	defer func() { _ = root.Remove(partial) }() // gone when it was renamed
	written := filepath.Join(s.Dir, filepath.FromSlash(partial))
	if err := s.Pull(ctx, r, a, arch, written); err != nil {
		return "", fmt.Errorf("pulling image %s@%s: %w", a.URI, a.Digest, err)
	}
	if err := checkPulled(written, a, arch); err != nil {
		return "", err
	}
	if err := root.Rename(partial, name); err != nil {
		return "", fmt.Errorf("pulling image %s: %w", a.URI, err)
	}
	return file, nil
}

// checkPulled makes sure that an archive holds an image whole: the release's,
// or of one without a digest the one that the archive itself names.
func checkPulled(file string, a Asset, arch string) error {
	digest, err := a.Digest, error(nil)
	if digest == "" {
		digest, err = namedImage(file)
	}
	if err == nil {
		_, err = readImage(file, digest, arch, true)
	}
	var wrong *wrongBlob
	if errors.As(err, &wrong) {
		return &DigestError{Asset: a.Name, URI: a.URI, Want: wrong.want, Got: wrong.got}
	}
	if err != nil {
		return fmt.Errorf("pulling image %s@%s: %w", a.URI, digest, err)
	}
	return nil
}

// ImageConfig returns the digest of the configuration of an image in an OCI
// archive. The manifest on the way to it has the digest that leads to it; the
// layers are not read.
func ImageConfig(file, digest, arch string) (string, error) {
	return readImage(file, digest, arch, false)
}

// errNoImage says that an archive is of some other image.
var errNoImage = errors.New("its archive has no such image")

// wrongBlob says that a blob is not what its digest says.
type wrongBlob struct{ want, got string }

func (e *wrongBlob) Error() string {
	return fmt.Sprintf("wrong bytes: want %s, have %s", e.want, e.got)
}

// Bounds of what is read of an archive. A manifest has a few kilobytes, and an
// image a few dozen blobs.
const (
	mostDocument  = 4 << 20
	mostDocuments = 64 << 20
	mostBlobs     = 10_000
)

// blob is what is known of one blob of an archive.
type blob struct {
	sum  string // "sha256:…" of its bytes, "" where they were not read
	data []byte // nil where it is too large for a document
}

// descriptor and document are what is read of the manifests of images.
type descriptor struct {
	Digest   string
	Platform *struct{ OS, Architecture string }
}

type document struct {
	Manifests []descriptor
	Config    descriptor
	Layers    []descriptor
}

// readImage follows an image in an OCI archive from its digest to the digest
// of its configuration; whole, it makes sure of all the layers too. An archive
// is only ever as good as the digests that are asked of it: names of its
// entries and its index count for nothing.
func readImage(file, digest, arch string, whole bool) (config string, err error) {
	f, err := openRegular(file)
	if err != nil {
		return "", err
	}
	defer f.Close()
	return imageIn(f, digest, arch, whole)
}

func imageIn(archive io.Reader, digest, arch string, whole bool) (config string, err error) {
	blobs, err := readBlobs(archive, whole)
	if err != nil {
		return "", err
	}
	if _, ok := blobs[digest]; !ok {
		return "", errNoImage
	}
	top, err := readDocument(blobs, digest)
	if err != nil {
		return "", err
	}
	if len(top.Manifests) > 0 {
		if digest, err = choose(top.Manifests, arch); err != nil {
			return "", err
		}
		if top, err = readDocument(blobs, digest); err != nil {
			return "", err
		}
	}
	if top.Config.Digest == "" || len(top.Manifests) > 0 {
		return "", fmt.Errorf("%s is not the manifest of an image", digest)
	}
	if !whole {
		return top.Config.Digest, nil
	}
	for _, d := range append(top.Layers, top.Config) {
		switch b, ok := blobs[d.Digest]; {
		case !ok:
			return "", fmt.Errorf("its archive lacks %s", d.Digest)
		case b.sum != d.Digest:
			return "", &wrongBlob{want: d.Digest, got: b.sum}
		}
	}
	return top.Config.Digest, nil
}

// choose returns the image of an architecture. An index of one image may
// leave out whose it is.
func choose(manifests []descriptor, arch string) (string, error) {
	for _, m := range manifests {
		if m.Platform != nil && m.Platform.OS == "linux" && m.Platform.Architecture == arch {
			return m.Digest, nil
		}
	}
	if len(manifests) == 1 && manifests[0].Platform == nil {
		return manifests[0].Digest, nil
	}
	return "", fmt.Errorf("its index has no image for linux/%s", arch)
}

func readDocument(blobs map[string]blob, digest string) (document, error) {
	var d document
	switch b, ok := blobs[digest]; {
	case !ok:
		return d, fmt.Errorf("its archive lacks %s", digest)
	case b.data == nil:
		return d, fmt.Errorf("%s is too large for a manifest", digest)
	case b.sum != digest:
		return d, &wrongBlob{want: digest, got: b.sum}
	default:
		if err := json.Unmarshal(b.data, &d); err != nil {
			return d, fmt.Errorf("reading %s: %w", digest, err)
		}
	}
	return d, nil
}

// namedImage returns the digest of the one image that an archive's index names.
func namedImage(file string) (string, error) {
	f, err := openRegular(file)
	if err != nil {
		return "", err
	}
	defer f.Close()
	in := tar.NewReader(f)
	for range mostBlobs {
		h, err := in.Next()
		if err != nil {
			return "", fmt.Errorf("finding the index of its archive: %w", err)
		}
		if path.Clean(h.Name) != "index.json" || h.Typeflag != tar.TypeReg {
			continue
		}
		var index document
		if err := json.NewDecoder(io.LimitReader(in, mostDocument)).Decode(&index); err != nil {
			return "", fmt.Errorf("reading the index of its archive: %w", err)
		}
		if len(index.Manifests) != 1 {
			return "", fmt.Errorf("its archive has %d images", len(index.Manifests))
		}
		return index.Manifests[0].Digest, nil
	}
	return "", fmt.Errorf("its archive has more than %d entries", mostBlobs)
}

// readBlobs reads the blobs of an archive, the large ones only to hash them,
// and only where they are asked for.
func readBlobs(archive io.Reader, large bool) (map[string]blob, error) {
	in := tar.NewReader(archive) // not buffered: what is passed over is not read
	blobs, documents := map[string]blob{}, int64(0)
	for entries := 0; ; entries++ {
		h, err := in.Next()
		if errors.Is(err, io.EOF) {
			return blobs, nil
		}
		if err != nil {
			return nil, fmt.Errorf("reading its archive: %w", err)
		}
		if entries > mostBlobs {
			return nil, fmt.Errorf("its archive has more than %d entries", mostBlobs)
		}
		hash, ok := strings.CutPrefix(path.Clean(h.Name), "blobs/sha256/")
		if !ok || h.Typeflag != tar.TypeReg {
			continue
		}
		b, err := readBlob(in, h.Size, large)
		if err != nil {
			return nil, fmt.Errorf("reading its archive: %w", err)
		}
		if documents += int64(len(b.data)); documents > mostDocuments {
			return nil, fmt.Errorf("its archive has more than %d bytes of manifests", mostDocuments)
		}
		blobs["sha256:"+hash] = b
	}
}

func readBlob(in io.Reader, size int64, large bool) (blob, error) {
	h := sha256.New()
	var b blob
	if size <= mostDocument {
		data, err := io.ReadAll(in)
		if err != nil {
			return b, err
		}
		b.data = append([]byte{}, data...)
		h.Write(data)
	} else if !large {
		return b, nil
	} else if _, err := io.CopyBuffer(h, struct{ io.Reader }{in}, make([]byte, chunk)); err != nil {
		return b, err
	}
	b.sum = "sha256:" + hex.EncodeToString(h.Sum(nil))
	return b, nil
}
