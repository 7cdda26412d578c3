package source

import (
	"context"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"strings"
	"time"

	"github.com/qualify-dev/qualify/internal/cache"
	"github.com/qualify-dev/qualify/internal/release"
)

// packVersion is part of every key: raise it when the way of packing changes
// the bytes.
const packVersion = "1"

// release packs everything into a release directory and writes its manifest.
// In the cache it is keyed by the content of all parts; with out, it is a copy
// of its own, so that no later change to it can reach the cache.
func (b *builder) release(ctx context.Context, out string) (manifest string, cached bool, err error) {
	key, err := b.releaseKey()
	if err != nil {
		return "", false, err
	}
	dir, hit, err := b.cache.Do(ctx, "release", key, func(dir string) error {
		// The manifest names final places, and an entry is filled aside.
		base := b.layout.base
		if base == "" {
			base = release.FileURI(filepath.Join(b.cache.Dir, "release", key))
		}
		return b.packRelease(ctx, dir, base)
	})
	if err != nil {
		return "", false, err
	}
	name := filepath.FromSlash(b.layout.manifest)
	if out == "" {
		return filepath.Join(dir, name), hit, nil
	}
	if out, err = filepath.Abs(out); err != nil {
		return "", false, err
	}
	if err := copyRelease(dir, out, name, b.layout.base); err != nil {
		return "", false, fmt.Errorf("copying the release to %s: %w", out, err)
	}
	return filepath.Join(out, name), hit, nil
}

// releaseKey covers every input of packing: the places of compiled programs
// end in the keys of their own content, a user's own file counts by its hash.
func (b *builder) releaseKey() (string, error) {
	parts := []string{packVersion, b.tool.version, b.version, b.arch, b.userland, b.filters, fmt.Sprint(b.wanted)}
	for _, name := range sortedKeys(b.programs) {
		parts = append(parts, name, b.programs[name])
	}
	for _, asset := range sortedKeys(b.replace) {
		sums, err := digests(b.replace[asset])
		if err != nil {
			return "", err
		}
		parts = append(parts, asset, sums.sha256)
	}
	if b.layout.eksd != nil {
		parts = append(parts, b.layout.release, b.layout.gitVersion, b.layout.base, b.layout.eksd.registry)
	}
	return cache.Key(parts...), nil
}

// packRelease packs below dir what will be found below base, a URL.
func (b *builder) packRelease(ctx context.Context, dir, base string) error {
	kubernetes, err := b.tool.fetch(ctx, kubernetesModule, b.version)
	if err != nil {
		return err
	}
	parts, err := b.components(kubernetes.Dir)
	if err != nil {
		return err
	}
	rel := &release.Release{
		Name: b.layout.release, Channel: channelOf(b.version), Number: b.layout.number,
		// The date of the source, not of the build: the same candidate built
		// twice is the same release.
		Date: kubernetes.committed.Format(time.RFC3339),
	}
	manifest := filepath.Join(dir, filepath.FromSlash(b.layout.manifest))
	if err := os.MkdirAll(filepath.Dir(manifest), 0o755); err != nil {
		return err
	}
	p := packer{builder: b, dir: dir, base: base}
	for _, part := range parts {
		if err := ctx.Err(); err != nil {
			return err
		}
		c, err := p.component(part)
		if err != nil {
			return fmt.Errorf("packing %s: %w", part.name, err)
		}
		rel.Components = append(rel.Components, c)
	}
	if err := p.finish(rel); err != nil {
		return err
	}
	return writeManifest(manifest, rel)
}

func writeManifest(file string, rel *release.Release) error {
	text, err := release.Marshal(rel)
	if err != nil {
		return err
	}
	return os.WriteFile(file, text, 0o644)
}

// packer writes components' files below dir and describes them with the
// places that they will have below base.
type packer struct {
	*builder
	dir, base string
}

func (p packer) component(part component) (release.Component, error) {
	c := release.Component{Name: part.name, GitTag: part.gitTag}
	for _, name := range part.programs {
		file, err := p.archive(&c, part, p.binary(name), name+" binary for linux/"+p.arch)
		if err == nil {
			err = copyFile(p.program(name), file, 0o755)
		}
		if err == nil {
			err = p.sum(&c, file)
		}
		if err != nil {
			return c, err
		}
	}
	for _, img := range part.images {
		if err := p.image(&c, part, img); err != nil {
			return c, err
		}
	}
	for _, t := range part.tarballs {
		file, err := p.archive(&c, part, t.name, t.name)
		if err == nil {
			err = p.packTarball(file, part, t)
		}
		if err == nil {
			err = p.sum(&c, file)
		}
		if err != nil {
			return c, err
		}
	}
	return c, nil
}

// image packs an image as the layout has it: as an archive, in the folder of
// what belongs into a registry, or both.
func (p packer) image(c *release.Component, part component, img namedImage) error {
	spec := img.imageSpec
	spec.ref = p.layout.ref(part, img)
	digest := ""
	if p.layout.archived(part, img) {
		file, err := p.archive(c, part, p.binary(img.name+".tar"), img.name+" OCI image tar")
		if err != nil {
			return err
		}
		if digest, err = packImage(file, p.arch, spec); err != nil {
			return err
		}
		if err := p.sum(c, file); err != nil {
			return err
		}
	}
	if p.layout.indexed(part) {
		var err error
		if digest, err = p.publish(part, img, spec); err != nil {
			return err
		}
	}
	c.Assets = append(c.Assets, release.Asset{
		Component: part.name, Name: img.name + "-image", Description: img.name + " container image", Type: release.Image,
		OS: "linux", Arch: []string{p.arch}, URI: spec.ref, Digest: digest,
	})
	return nil
}

// archive makes room for a file of the release, enters it into the component,
// still without digests, and returns its path.
func (p packer) archive(c *release.Component, part component, name, description string) (string, error) {
	place := path.Join(p.layout.folder(part), name)
	file := filepath.Join(p.dir, filepath.FromSlash(place))
	c.Assets = append(c.Assets, release.Asset{
		Component: part.name, Name: name, Description: description, Type: release.Archive, OS: "linux", Arch: []string{p.arch},
		URI: p.base + "/" + (&url.URL{Path: place}).EscapedPath(),
	})
	return file, os.MkdirAll(filepath.Dir(file), 0o755)
}

// sum enters the digests of a file that is written now into the component's
// last asset.
func (p packer) sum(c *release.Component, file string) error {
	got, err := digests(file)
	if err != nil {
		return err
	}
	a := &c.Assets[len(c.Assets)-1]
	a.SHA256, a.SHA512 = got.sha256, got.sha512
	return nil
}

// packTarball writes programs below a folder as a gzipped tar.
func (p packer) packTarball(file string, part component, t programTar) error {
	work, err := os.MkdirTemp(filepath.Dir(file), ".tarball-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(work)
	folder := filepath.Join(work, filepath.FromSlash(t.folder))
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return err
	}
	for _, name := range t.programs {
		if err := copyFile(p.program(name), filepath.Join(folder, name), 0o755); err != nil {
			return err
		}
	}
	if t.images {
		if err := p.addImages(folder, part); err != nil {
			return err
		}
	}
	return packTree(work, file, true)
}

type sums struct{ sha256, sha512 string }

func digests(file string) (sums, error) {
	f, err := os.Open(file)
	if err != nil {
		return sums{}, fmt.Errorf("hashing: %w", err)
	}
	defer f.Close()
	short, long := sha256.New(), sha512.New()
	if _, err := io.Copy(io.MultiWriter(short, long), f); err != nil {
		return sums{}, fmt.Errorf("hashing %s: %w", filepath.Base(file), err)
	}
	text := func(h hash.Hash) string { return hex.EncodeToString(h.Sum(nil)) }
	return sums{text(short), text(long)}, nil
}

// channelOf maps v1.34.4 to 1-34.
func channelOf(version string) string {
	parts := strings.SplitN(strings.TrimPrefix(version, "v"), ".", 3)
	return parts[0] + "-" + parts[1]
}

func copyFile(from, to string, mode os.FileMode) (err error) {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, mode)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, out.Close()) }()
	_, err = io.Copy(out, in)
	return err
}

// copyRelease copies a packed release and lets its manifest name the copy, but
// for what is below served, if that is not "": it stays where it will be served.
func copyRelease(from, to, manifest, served string) error {
	data, err := os.ReadFile(filepath.Join(from, manifest))
	if err != nil {
		return err
	}
	rel, err := release.Parse(filepath.Join(from, manifest), data, release.Options{})
	if err != nil {
		return err
	}
	for _, c := range rel.Components {
		for i, a := range c.Assets {
			if a.Type != release.Archive || served != "" && strings.HasPrefix(a.URI, served+"/") {
				continue
			}
			rest, err := below(from, a)
			if err != nil {
				return err
			}
			if _, err := os.Stat(filepath.Join(from, rest)); err != nil {
				return err
			}
			c.Assets[i].URI = release.FileURI(filepath.Join(to, rest))
		}
	}
	if err := copyTree(from, to); err != nil {
		return err
	}
	return writeManifest(filepath.Join(to, manifest), rel)
}

// copyTree copies the folders and plain files below a folder: a release has
// nothing else.
func copyTree(from, to string) error {
	return filepath.WalkDir(from, func(file string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rest, err := filepath.Rel(from, file)
		if err != nil {
			return err
		}
		target := filepath.Join(to, rest)
		switch {
		case entry.IsDir():
			return os.MkdirAll(target, 0o755)
		case !entry.Type().IsRegular():
			return fmt.Errorf("%s is not a plain file", file)
		}
		info, err := entry.Info()
		if err != nil {
			return err
		}
		return copyFile(file, target, info.Mode().Perm())
	})
}

// below returns the path of an asset's file within dir.
func below(dir string, a release.Asset) (string, error) {
	uri, err := url.Parse(a.URI)
	if err != nil {
		return "", fmt.Errorf("asset %s: %w", a.Name, err)
	}
	rest, ok := strings.CutPrefix(uri.Path, filepath.ToSlash(dir)+"/")
	if rest = filepath.FromSlash(rest); uri.Scheme != "file" || uri.Host != "" || !ok || !filepath.IsLocal(rest) {
		return "", fmt.Errorf("asset %s is not below its release: %s", a.Name, a.URI)
	}
	return rest, nil
}
