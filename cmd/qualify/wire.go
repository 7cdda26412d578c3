package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/qualify-dev/qualify/internal/cache"
	"github.com/qualify-dev/qualify/internal/provision"
	"github.com/qualify-dev/qualify/internal/provision/all"
	"github.com/qualify-dev/qualify/internal/redact"
	"github.com/qualify-dev/qualify/internal/release"
	"github.com/qualify-dev/qualify/internal/release/source"
	"github.com/qualify-dev/qualify/internal/sink"
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
}

func shipped(args []string) wiring {
	return wiring{
		args: args, lookup: os.LookupEnv, sink: sink.New(redact.New()),
		entries: all.Entries, entry: all.Find,
		suites: suites.All, suite: suites.Find,
	}
}

// workshop is what every verb that touches releases or clusters is made from.
type workshop struct {
	wiring
	cache cache.Cache
	store *release.Store
}

func (w wiring) workshop() (workshop, error) {
	c, err := cache.Default()
	if err != nil {
		return workshop{}, err
	}
	return workshop{wiring: w, cache: c, store: &release.Store{Dir: filepath.Join(c.Dir, "store")}}, nil
}

// artifact returns the path of a verified asset. A wrong byte is the
// release's own fault.
func (w workshop) artifact(ctx context.Context, rel *release.Release, asset string) (string, error) {
	path, err := w.store.Fetch(ctx, rel, asset)
	var digest *release.DigestError
	if errors.As(err, &digest) {
		return "", &releaseError{err}
	}
	return path, err
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
	rel, err := release.Load(ref, release.Options{})
	if err != nil {
		return nil, &usageError{err}
	}
	return rel, nil
}

// provisioners makes those that the given names ask for.
func (w workshop) provisioners(names []string, inventory string, log func(string, ...any)) (map[string]provision.Provisioner, error) {
	made := map[string]provision.Provisioner{}
	for _, name := range names {
		if _, again := made[name]; again {
			continue
		}
		entry, err := w.entry(name)
		if err != nil {
			return nil, &usageError{err}
		}
		p, err := entry.New(provision.Config{CacheDir: w.cache.Dir, Store: w.store, Owner: owner(), Log: log, Sink: w.sink, Inventory: inventory})
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
