package source

import (
	"context"
	"fmt"
	"path/filepath"
	"regexp"
	"time"

	"github.com/qualify-dev/qualify/internal/cache"
	"github.com/qualify-dev/qualify/internal/release"
)

// containerdPrograms are what a node needs of containerd, by file name.
var containerdPrograms = map[string]string{
	"containerd": "./cmd/containerd", "containerd-shim-runc-v2": "./cmd/containerd-shim-runc-v2", "ctr": "./cmd/ctr",
}

// containerdTags leave out what needs C libraries, or kernels with them.
const containerdTags = "urfave_cli_no_docs,osusergo,netgo,static_build,no_btrfs,no_devmapper,no_zfs,no_aufs"

var containerdForm = regexp.MustCompile(`^v[12]\.[0-9]{1,6}\.[0-9]{1,6}$`)

// Containerd builds a version of the container runtime as a component by
// itself: a release of its own, bound by digests like every other, that nodes
// are given beside the candidate. Nothing is compiled that the cache holds.
func Containerd(ctx context.Context, c cache.Cache, version string, progress func(Step)) (*release.Release, error) {
	if !containerdForm.MatchString(version) {
		return nil, fmt.Errorf("%q is no version of containerd: name an exact one, like v1.7.32", version)
	}
	tool, err := newGoTool(ctx, hostArch, "")
	if err != nil {
		return nil, err
	}
	b := &builder{version: version, arch: hostArch, cache: c, tool: tool, programs: map[string]string{}}
	step := Step{N: 1, Total: 1, Name: "containerd " + version}
	if progress == nil {
		progress = func(Step) {}
	}
	progress(step)
	start := time.Now()
	rel, err := b.containerd(ctx)
	if err != nil {
		return nil, fmt.Errorf("building containerd %s: %w", version, err)
	}
	step.Done, step.Cached, step.Took = true, b.step.cached, time.Since(start)
	progress(step)
	return rel, nil
}

func (b *builder) containerd(ctx context.Context) (*release.Release, error) {
	dir, err := b.compile(ctx, containerdUnit(b.version))
	if err != nil {
		return nil, err
	}
	part := release.Component{Name: "containerd", GitTag: b.version}
	for _, name := range sortedKeys(containerdPrograms) {
		file := filepath.Join(dir, name)
		sums, err := digests(file)
		if err != nil {
			return nil, err
		}
		part.Assets = append(part.Assets, release.Asset{
			Component: part.Name, Name: b.binary(name), Description: name + " binary for linux/" + b.arch, Type: release.Archive,
			OS: "linux", Arch: []string{b.arch}, URI: release.FileURI(file), SHA256: sums.sha256, SHA512: sums.sha512,
		})
	}
	return &release.Release{Name: "containerd-" + b.version + "-source", Components: []release.Component{part}}, nil
}

// containerdUnit compiles the programs with the version stamped in, as
// containerd's own Makefile does: nodes report it.
func containerdUnit(version string) unit {
	path := "github.com/containerd/containerd"
	if version[:2] == "v2" {
		path += "/v2"
	}
	return unit{
		module: path, version: version, programs: containerdPrograms, tags: containerdTags,
		ldflags: func(f fetched) string { return "-X " + f.Path + "/version.Version=" + f.Version },
	}
}
