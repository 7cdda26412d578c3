package source

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/qualify-dev/qualify/internal/cache"
	"github.com/qualify-dev/qualify/internal/release"
)

// Workbench makes what is no part of a release in the way in which the parts of
// one are made: from modules at exact versions, away from the user's settings,
// kept by content.
type Workbench struct{ b *builder }

// NewWorkbench is a workbench for this machine's architecture.
func NewWorkbench(ctx context.Context, c cache.Cache) (*Workbench, error) {
	if !filepath.IsAbs(c.Dir) {
		return nil, fmt.Errorf("the cache directory %q is no absolute path", c.Dir)
	}
	tool, err := newGoTool(ctx, hostArch, "")
	if err != nil {
		return nil, err
	}
	return &Workbench{&builder{arch: hostArch, cache: c, tool: tool}}, nil
}

// Compile returns a directory with programs of one module; programs are
// packages, relative to the module or import paths, by file name.
func (w *Workbench) Compile(ctx context.Context, module, version string, programs map[string]string) (dir string, err error) {
	u := unit{module: module, version: version, programs: programs}
	if module == kubernetesModule {
		u.tags = kubernetesTags
		u.ldflags = func(f fetched) string { return kubernetesVersionFlags(f, f.Version) }
	}
	return w.b.compile(ctx, u)
}

// Module returns the directory of a module's source.
func (w *Workbench) Module(ctx context.Context, module, version string) (dir string, err error) {
	f, err := w.b.tool.fetch(ctx, module, version)
	return f.Dir, err
}

// Image is a container image to pack: a base filesystem, if any, and files.
type Image struct {
	Ref        string // "registry.k8s.io/pause:3.10.1"
	Base       string // tar file of the base filesystem, or ""
	Files      []File
	Entrypoint []string
	Command    []string
	User       string
	WorkingDir string
	Labels     map[string]string
}

// File is one entry of an image: the copy of a file, a text, a link or a folder.
type File struct {
	Path    string // without leading slash
	Source  string // file to copy, or "" for Content
	Content string
	Link    string // symbolic link to, instead of a file
	Dir     bool
	Mode    int64 // as chmod takes it: 0o4755 runs with its owner's rights
}

// imagesVersion is part of every key of what Images makes: raise it
// when the way of packing changes the bytes.
const imagesVersion = "1"

// Images packs images as a component by itself, a release of its own. The
// archive of each is an asset too, so that it is found and verified as every
// other is. key says what the images are made of; nothing is packed where the
// cache holds images of that key.
func (w *Workbench) Images(ctx context.Context, name, version, key string, images []Image) (*release.Release, error) {
	key = cache.Key(imagesVersion, w.b.tool.version, name, version, key)
	dir, _, err := w.b.cache.Do(ctx, "release", key, func(dir string) error {
		return w.packImages(ctx, dir, filepath.Join(w.b.cache.Dir, "release", key), release.Component{Name: name, GitTag: version}, images)
	})
	if err != nil {
		return nil, err
	}
	file := filepath.Join(dir, imagesManifest)
	data, err := os.ReadFile(file)
	rel := &release.Release{}
	if err == nil {
		err = json.Unmarshal(data, rel)
	}
	if err != nil {
		return nil, fmt.Errorf("reading what images of %s there are: %w", name, err)
	}
	rel.Path = file
	return rel, nil
}

// imagesManifest is the file that describes packed images. It is none of the EKS
// Distro format: that wants a release to have a Kubernetes.
const imagesManifest = "images.json"

func (w *Workbench) packImages(ctx context.Context, dir, base string, part release.Component, images []Image) error {
	for _, image := range images {
		if err := ctx.Err(); err != nil {
			return err
		}
		name := AssetName(image.Ref)
		file := filepath.Join(dir, name+".tar")
		digest, err := packImage(file, w.b.arch, image.spec())
		if err != nil {
			return err
		}
		sums, err := digests(file)
		if err != nil {
			return err
		}
		part.Assets = append(part.Assets, release.Asset{
			Component: part.Name, Name: w.b.binary(name + ".tar"), Description: name + " OCI image tar", Type: release.Archive, OS: "linux",
			Arch: []string{w.b.arch}, URI: release.FileURI(filepath.Join(base, name+".tar")), SHA256: sums.sha256, SHA512: sums.sha512,
		}, release.Asset{
			Component: part.Name, Name: name + "-image", Description: name + " container image", Type: release.Image, OS: "linux",
			Arch: []string{w.b.arch}, URI: image.Ref, Digest: digest,
		})
	}
	data, err := json.Marshal(release.Release{Name: part.Name + "-" + part.GitTag + "-source", Components: []release.Component{part}})
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, imagesManifest), data, 0o644)
}

// AssetName is the name that the assets of an image begin with: its own and its
// tag, since there are images that differ in nothing else.
func AssetName(ref string) string {
	repository, tag := ref[:len(ref)-len(tagOf(ref))-1], tagOf(ref)
	return path.Base(repository) + "-" + tag
}

func (i Image) spec() imageSpec {
	spec := imageSpec{ref: i.Ref, base: i.Base, config: v1.Config{
		Entrypoint: i.Entrypoint, Cmd: i.Command, User: i.User, WorkingDir: i.WorkingDir, Labels: maps.Clone(i.Labels),
	}}
	for _, f := range i.Files {
		spec.files = append(spec.files, imageFile{path: f.Path, source: f.Source, content: f.Content, link: f.Link, dir: f.Dir, mode: f.Mode})
	}
	spec.files = slices.Clip(spec.files)
	return spec
}

// ReadFromTar returns the content of one file of text in a tar.
func ReadFromTar(file, name string) (string, error) { return readFromTar(file, name) }
