package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/qualify-dev/qualify/internal/cache"
	"github.com/qualify-dev/qualify/internal/provision"
	"github.com/qualify-dev/qualify/internal/provision/all"
	"github.com/qualify-dev/qualify/internal/redact"
	"github.com/qualify-dev/qualify/internal/release"
	"github.com/qualify-dev/qualify/internal/release/images"
	"github.com/qualify-dev/qualify/internal/release/intake"
	"github.com/qualify-dev/qualify/internal/release/remote"
	"github.com/qualify-dev/qualify/internal/release/source"
	"github.com/qualify-dev/qualify/internal/result"
	"github.com/qualify-dev/qualify/internal/sink"
	"github.com/qualify-dev/qualify/internal/testimages"
	"github.com/qualify-dev/qualify/matrix"
	"github.com/qualify-dev/qualify/suites"
)

// wiring is what the program is put together from. Main takes what is shipped;
// a test puts a fake provisioner and suites of its own in. No flag and no
// variable reaches it: no verdict may rest on a fake.
type wiring struct {
	args    []string                         // as they were typed
	lookup  func(name string) (string, bool) // the environment
	entries func() []provision.Entry         // the provisioners
	entry   func(string) (provision.Entry, error)
	sink    *sink.Sink // what text leaves through
	suites  func() []suites.Suite
	suite   func(string) (suites.Suite, error)
	// published tells whether the registry with the images of tests answers.
	published func(context.Context) bool
}

func shipped(args []string) wiring {
	return wiring{
		args: args, lookup: os.LookupEnv, sink: sink.New(redact.New()),
		entries: all.Entries, entry: all.Find,
		suites: suites.All, suite: suites.Find, published: testimages.Published,
	}
}

// workshop is what every verb that touches releases or clusters is made from.
type workshop struct {
	wiring
	cache     cache.Cache
	store     *release.Store
	published *remote.Client
}

func (w wiring) workshop() (workshop, error) {
	c, err := cache.Default()
	if err != nil {
		return workshop{}, err
	}
	shop := workshop{wiring: w, cache: c, store: &release.Store{Dir: filepath.Join(c.Dir, "store")}}
	return shop, shop.publishedAt("")
}

// publishedAt says below which URL releases are published: "" for where EKS
// Distro does it.
func (w *workshop) publishedAt(base string) error {
	client, err := remote.New(base)
	if err != nil {
		return &usageError{err}
	}
	w.published, w.store.Open = client, client.Open
	w.store.Pull = (&images.Fetcher{Store: w.store, Client: client}).Pull
	return nil
}

// imagesFrom has images pulled from a mirror, HOST/PREFIX, where one is given.
func (w *workshop) imagesFrom(place string) error {
	if place == "" {
		return nil
	}
	if err := images.CheckPlace(place); err != nil {
		return usagef("--image-registry: %w", err)
	}
	w.store.Pull = (&images.Fetcher{Store: w.store, Client: w.published, Mirrors: images.Mirrors{All: place}}).Pull
	return nil
}

// artifact returns the path of a verified asset. A wrong byte is the
// release's own fault.
func (w workshop) artifact(ctx context.Context, rel *release.Release, asset string) (string, error) {
	path, err := w.store.Fetch(ctx, rel, asset)
	return path, blamed(err)
}

// image returns the path of a verified archive with an image.
func (w workshop) image(ctx context.Context, rel *release.Release, asset, arch string) (string, error) {
	path, err := w.store.Image(ctx, rel, asset, arch)
	return path, blamed(err)
}

func blamed(err error) error {
	if err != nil && intake.Fault(err) {
		return &releaseError{err}
	}
	return err
}

// resolve turns a reference into a release: a manifest is read, a source
// version is built where the cache does not hold it.
func (w workshop) resolve(ctx context.Context, text string, progress func(source.Step)) (*release.Release, error) {
	ref, err := release.ParseRef(text)
	if err != nil {
		return nil, &usageError{err}
	}
	if ref.Kind == release.SourceRef {
		manifest, err := source.Build(ctx, source.Options{Version: ref.Value, Cache: w.cache, Progress: progress})
		if err != nil {
			return nil, fmt.Errorf("release %s: %w", text, err)
		}
		ref = release.Ref{Kind: release.PathRef, Value: manifest}
	}
	return w.load(ctx, ref, release.Options{})
}

// load reads a manifest, wherever it is. One that is absent or bad is a mistake
// of the user's; a server that does not answer is not.
func (w workshop) load(ctx context.Context, ref release.Ref, opts release.Options) (*release.Release, error) {
	rel, err := w.published.Load(ctx, ref, opts)
	if err != nil && (ref.Local() || remote.Fault(err)) {
		return nil, &usageError{err}
	}
	return rel, err
}

// lasting is a reference that means the same in another working directory, on
// another day and with other settings.
func (w workshop) lasting(ctx context.Context, text string) (string, error) {
	ref, err := release.ParseRef(text)
	if err != nil {
		return "", &usageError{err}
	}
	if ref.Local() {
		path, err := filepath.Abs(ref.Value)
		if err != nil {
			return "", fmt.Errorf("release %s: %w", text, err)
		}
		return path, nil
	}
	if ref, err = w.published.Pin(ctx, ref, release.Options{}); err != nil {
		return "", err
	}
	if url := w.published.URL(ref); url != "" {
		return url, nil
	}
	return ref.String(), nil
}

// component builds what a cell's nodes are given beside the release rel.
func (w workshop) component(ctx context.Context, part result.ComponentRef, rel *release.Release, progress func(source.Step)) (*release.Release, error) {
	switch part.Name {
	case matrix.Containerd:
		return source.Containerd(ctx, w.cache, part.Version, progress)
	case result.TestImages:
		refs, err := w.testImages(ctx, rel)
		if err != nil {
			return nil, err
		}
		return testimages.Build(ctx, testimages.Options{Kubernetes: part.Version, Refs: refs, Cache: w.cache, Progress: progress})
	}
	return nil, usagef("nothing is known of the component %q", part.Name)
}

// testImages asks a release's own test binary what images it names.
func (w workshop) testImages(ctx context.Context, rel *release.Release) ([]string, error) {
	binary, err := w.artifact(ctx, rel, "bin/linux/amd64/e2e.test")
	if err != nil {
		return nil, err
	}
	return testimages.Ask(ctx, binary)
}

// conformance returns the conformance image of a release; where it has none,
// one is made of its programs.
func (w workshop) conformance(ctx context.Context, rel *release.Release) (suites.Image, error) {
	const arch = "amd64"
	if own, err := rel.Asset("conformance-image"); err == nil && own.Digest != "" {
		file, err := w.image(ctx, rel, own.Name, arch)
		return suites.Image{Ref: own.URI, Digest: own.Digest, File: file}, err
	}
	tests := source.Tests{Version: rel.Kubernetes()}
	for name, file := range map[string]*string{"e2e.test": &tests.E2E, "ginkgo": &tests.Ginkgo, "kubectl": &tests.Kubectl} {
		var err error
		if *file, err = w.artifact(ctx, rel, "bin/linux/"+arch+"/"+name); err != nil {
			return suites.Image{}, fmt.Errorf("the conformance image is made of %s: %w", name, err)
		}
	}
	made, err := source.Conformance(ctx, w.cache, tests)
	return suites.Image{Ref: made.Ref, Digest: made.Digest, File: made.File}, err
}

// sonobuoy returns the image of Sonobuoy, built from its module.
func (w workshop) sonobuoy(ctx context.Context) (suites.Image, error) {
	made, err := source.Sonobuoy(ctx, w.cache)
	return suites.Image{Ref: made.Ref, Digest: made.Digest, File: made.File}, err
}

// provisioners makes those that the given names ask for.
func (w workshop) provisioners(names []string, how manner, log func(string, ...any)) (map[string]provision.Provisioner, error) {
	made := map[string]provision.Provisioner{}
	for _, name := range names {
		if _, again := made[name]; again {
			continue
		}
		entry, err := w.entry(name)
		if err != nil {
			return nil, &usageError{err}
		}
		p, err := entry.New(provision.Config{
			CacheDir: w.cache.Dir, Store: w.store, Owner: owner(), Log: log, Sink: w.sink,
			Inventory: how.Inventory, TrustNewHostKeys: how.TrustNewHostKeys, Kubeconfig: how.Kubeconfig, Context: how.Context,
		})
		if err != nil {
			return nil, usagef("provisioner %s: %w", name, err)
		}
		made[name] = provision.WithSecrets(p, w.sink)
	}
	return made, nil
}

// tool finds a program that is shipped beside this one.
func tool(name string) (string, error) {
	self, err := os.Executable()
	if err != nil {
		return "", fmt.Errorf("finding %s: %w", name, err)
	}
	path := filepath.Join(filepath.Dir(self), name)
	if _, err := os.Stat(path); err != nil {
		return "", fmt.Errorf("%s is not beside %s: make build puts it there", name, filepath.Base(self))
	}
	return path, nil
}
