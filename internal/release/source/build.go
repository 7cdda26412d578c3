package source

import (
	"context"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"time"

	"github.com/qualify-dev/qualify/internal/cache"
)

// Options is what to build.
type Options struct {
	Version string // Kubernetes version, e.g. "v1.34.4"
	Out     string // directory for the release; "" leaves it in the cache
	Layout  Layout
	Cache   cache.Cache
	GoCache string // the go command's own cache; "" is the user's
	// Replace puts files of the user's own in the place of compiled programs,
	// by asset name ("bin/linux/amd64/kubelet"): a developer's own kubelet is
	// a candidate too.
	Replace map[string]string
	// Progress hears of each step when it starts and when it ends; may be nil.
	Progress func(Step)
}

// Step is one step of a build.
type Step struct {
	N, Total int
	Name     string
	Done     bool
	Cached   bool          // nothing had to be made
	Took     time.Duration // when done
	Without  string        // what the release has to do without, and why; "" for nothing
}

type builder struct {
	version string
	layout  layout
	arch    string
	cache   cache.Cache
	tool    *goTool
	replace map[string]string

	programs map[string]string // path of each program by its file name
	wanted   imageRefs         // what the candidate itself asks for
	userland string            // tar of the Debian userland that agnhost stands on
	filters  string            // tar of the packet filters that kube-proxy calls
	step     struct {
		cached  bool
		without string
	}
}

// arch is the only architecture that a build makes: the machine's own, since
// root filesystems are made by running their programs.
const hostArch = "amd64"

var versionForm = regexp.MustCompile(`^v1\.[1-9][0-9]*\.(0|[1-9][0-9]*)$`)

// Check says what is wrong with the options before anything is made.
func (o Options) Check() error {
	if !versionForm.MatchString(o.Version) {
		return fmt.Errorf("%q is no Kubernetes version: name an exact one, like v1.34.4", o.Version)
	}
	_, err := o.Layout.of(o.Version)
	return err
}

// Build makes the release and returns the path of its manifest. A build whose
// parts are all in the cache compiles nothing.
func Build(ctx context.Context, o Options) (manifest string, err error) {
	if err := o.Check(); err != nil {
		return "", err
	}
	if !filepath.IsAbs(o.Cache.Dir) {
		return "", fmt.Errorf("the cache directory %q is no absolute path", o.Cache.Dir)
	}
	layout, err := o.Layout.of(o.Version)
	if err != nil {
		return "", err
	}
	tool, err := newGoTool(ctx, hostArch, o.GoCache)
	if err != nil {
		return "", err
	}
	b := &builder{version: o.Version, layout: layout, arch: hostArch, cache: o.Cache, tool: tool, replace: o.Replace, programs: map[string]string{}}
	if err := b.checkReplacements(); err != nil {
		return "", err
	}
	report := o.Progress
	if report == nil {
		report = func(Step) {}
	}
	for i, s := range steps {
		step := Step{N: i + 1, Total: len(steps) + 1, Name: s.name}
		report(step)
		start := time.Now()
		b.step.cached, b.step.without = false, ""
		if err := s.run(ctx, b); err != nil {
			return "", fmt.Errorf("building %s: %w", s.name, err)
		}
		step.Done, step.Cached, step.Took, step.Without = true, b.step.cached, time.Since(start), b.step.without
		report(step)
	}
	step := Step{N: len(steps) + 1, Total: len(steps) + 1, Name: "release"}
	report(step)
	start := time.Now()
	manifest, step.Cached, err = b.release(ctx, o.Out)
	step.Done, step.Took = true, time.Since(start)
	if err == nil {
		report(step)
	}
	return manifest, err
}

// checkReplacements refuses what could not take effect.
func (b *builder) checkReplacements() error {
	for asset, file := range b.replace {
		name := filepath.Base(asset)
		if asset != b.binary(name) || !slices.Contains(replaceable, name) {
			return fmt.Errorf("cannot replace %q: name one of %s followed by a program: %v", asset, b.binary(""), replaceable)
		}
		info, err := os.Stat(file)
		if err != nil {
			return fmt.Errorf("replacing %s: %w", asset, err)
		}
		if !info.Mode().IsRegular() {
			return fmt.Errorf("replacing %s: %s is not a regular file", asset, file)
		}
	}
	return nil
}

// binary is the asset name of a program, as EKS Distro names them.
func (b *builder) binary(name string) string { return "bin/linux/" + b.arch + "/" + name }

// program returns the file of a program, the user's own where there is one.
func (b *builder) program(name string) string {
	if own, ok := b.replace[b.binary(name)]; ok {
		return own
	}
	return b.programs[name]
}

// provide records the programs that a step made in dir.
func (b *builder) provide(dir string, names ...string) {
	for _, name := range names {
		b.programs[name] = filepath.Join(dir, name)
	}
}

func sortedKeys(m map[string]string) []string { return slices.Sorted(maps.Keys(m)) }
