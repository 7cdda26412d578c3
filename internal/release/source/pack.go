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
	"net/url"
	"os"
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
		final := filepath.Join(b.cache.Dir, "release", key)
		return b.packRelease(ctx, dir, final)
	})
	if err != nil {
		return "", false, err
	}
	name := b.releaseName() + ".yaml"
	if out == "" {
		return filepath.Join(dir, name), hit, nil
	}
	if out, err = filepath.Abs(out); err != nil {
		return "", false, err
	}
	if err := copyRelease(dir, out, name); err != nil {
		return "", false, fmt.Errorf("copying the release to %s: %w", out, err)
	}
	return filepath.Join(out, name), hit, nil
}

func (b *builder) releaseName() string { return "kubernetes-" + b.version + "-source" }

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
	return cache.Key(parts...), nil
}

func (b *builder) packRelease(ctx context.Context, dir, final string) error {
	kubernetes, err := b.tool.fetch(ctx, kubernetesModule, b.version)
	if err != nil {
		return err
	}
	parts, err := b.components(kubernetes.Dir)
	if err != nil {
		return err
	}
	rel := &release.Release{
		Name: b.releaseName(), Channel: channelOf(b.version), Number: 1,
		// The date of the source, not of the build: the same candidate built
		// twice is the same release.
		Date: kubernetes.committed.Format(time.RFC3339),
	}
	for _, part := range parts {
		if err := ctx.Err(); err != nil {
			return err
		}
		c, err := b.packComponent(dir, final, part)
		if err != nil {
			return fmt.Errorf("packing %s: %w", part.name, err)
		}
		rel.Components = append(rel.Components, c)
	}
	return writeManifest(filepath.Join(dir, b.releaseName()+".yaml"), rel)
}

func writeManifest(file string, rel *release.Release) error {
	text, err := release.Marshal(rel)
	if err != nil {
		return err
	}
	return os.WriteFile(file, text, 0o644)
}

// packComponent writes a component's files below dir and describes them with
// the places they will have below final.
func (b *builder) packComponent(dir, final string, part component) (release.Component, error) {
	c := release.Component{Name: part.name, GitTag: part.gitTag}
	place := filepath.Join("artifacts", part.name, part.gitTag)
	archive := func(name, description string, write func(file string) error) error {
		file := filepath.Join(dir, place, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			return err
		}
		if err := write(file); err != nil {
			return err
		}
		sums, err := digests(file)
		if err != nil {
			return err
		}
		c.Assets = append(c.Assets, release.Asset{
			Component: part.name, Name: name, Description: description, Type: release.Archive, OS: "linux", Arch: []string{b.arch},
			URI: fileURI(filepath.Join(final, place, filepath.FromSlash(name))), SHA256: sums.sha256, SHA512: sums.sha512,
		})
		return nil
	}
	for _, name := range part.programs {
		err := archive(b.binary(name), name+" binary for linux/"+b.arch, func(file string) error { return copyFile(b.program(name), file, 0o755) })
		if err != nil {
			return c, err
		}
	}
	for _, t := range part.tarballs {
		if err := archive(t.name, t.name, func(file string) error { return b.packTarball(file, t) }); err != nil {
			return c, err
		}
	}
	for _, img := range part.images {
		var digest string
		err := archive(b.binary(img.name+".tar"), img.name+" OCI image tar", func(file string) (err error) {
			digest, err = packImage(file, b.arch, img.imageSpec)
			return err
		})
		if err != nil {
			return c, err
		}
		c.Assets = append(c.Assets, release.Asset{
			Component: part.name, Name: img.name + "-image", Description: img.name + " container image", Type: release.Image,
			OS: "linux", Arch: []string{b.arch}, URI: img.ref, Digest: digest,
		})
	}
	return c, nil
}

// packTarball writes programs below a folder as a gzipped tar.
func (b *builder) packTarball(file string, t programTar) error {
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
		if err := copyFile(b.program(name), filepath.Join(folder, name), 0o755); err != nil {
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

func fileURI(file string) string {
	return (&url.URL{Scheme: "file", Path: filepath.ToSlash(file)}).String()
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

// copyRelease copies a packed release and lets its manifest name the copy.
func copyRelease(from, to, manifest string) error {
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
			if a.Type != release.Archive {
				continue
			}
			rest, err := below(from, a)
			if err != nil {
				return err
			}
			target := filepath.Join(to, rest)
			if err := os.MkdirAll(filepath.Dir(target), 0o755); err != nil {
				return err
			}
			if err := copyFile(filepath.Join(from, rest), target, 0o755); err != nil {
				return err
			}
			c.Assets[i].URI = fileURI(target)
		}
	}
	return writeManifest(filepath.Join(to, manifest), rel)
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
