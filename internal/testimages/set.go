package testimages

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/qualify-dev/qualify/internal/cache"
	"github.com/qualify-dev/qualify/internal/debootstrap"
	"github.com/qualify-dev/qualify/internal/release"
	"github.com/qualify-dev/qualify/internal/release/source"
	"github.com/qualify-dev/qualify/internal/scratch"
)

// component is the name of a set.
const component = "test-images"

// Label marks an image as made here. What it stands for is its value, so that
// no two images have the same digest, and a cluster reports each by its own name.
const Label = "dev.qualify.substitute-for"

// Listed is an image that a release's tests name.
type Listed struct {
	Ref  string `json:"ref"`
	Made bool   `json:"made"`
	// How it is made, or why it is not.
	How string `json:"how"`
}

// unknown is what is said of an image without an entry.
const unknown = "unknown: the catalogue of internal/testimages has no entry for it"

// List tells of each reference whether it is made, in order of the references.
// held are the references of the release's own images.
func List(refs, held []string) []Listed {
	refs = slices.Compact(slices.Sorted(slices.Values(refs)))
	list := make([]Listed, 0, len(refs))
	for _, ref := range refs {
		e, known := find(ref)
		switch {
		case !known:
			list = append(list, Listed{Ref: ref, How: unknown})
		case e.why == ofRelease && !slices.Contains(held, ref):
			list = append(list, Listed{Ref: ref, How: otherTag})
		case e.why != "":
			list = append(list, Listed{Ref: ref, How: e.why})
		default:
			list = append(list, Listed{Ref: ref, Made: true, How: e.how})
		}
	}
	return list
}

// Ask returns the images that a test binary names.
func Ask(ctx context.Context, e2e string) ([]string, error) {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	// It leaves a file where temporary ones go as soon as it starts.
	tmp, remove, err := scratch.Dir("list-images")
	if err != nil {
		return nil, err
	}
	defer func() { _ = remove() }()
	cmd := exec.CommandContext(ctx, e2e, "--list-images")
	// Repositories of the user's would be those that it names.
	cmd.Env = []string{"PATH=/usr/bin:/bin", "HOME=/nonexistent", "TMPDIR=" + tmp}
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("asking %s for its images: %w", filepath.Base(e2e), err)
	}
	var refs []string
	for _, line := range strings.Fields(string(out)) {
		if _, tag := split(line); tag == "" || len(line) > 500 {
			return nil, fmt.Errorf("asking %s for its images: %.100q is no reference of one", filepath.Base(e2e), line)
		}
		refs = append(refs, line)
	}
	if len(refs) == 0 {
		return nil, fmt.Errorf("asking %s for its images: it names none", filepath.Base(e2e))
	}
	return refs, nil
}

// Options is which set to make.
type Options struct {
	Kubernetes string   // version of the release, e.g. "v1.34.4"
	Refs       []string // what its tests name
	Cache      cache.Cache
	// Progress hears of each step when it starts and when it ends; may be nil.
	Progress func(source.Step)
}

// Build makes the images of the references for which the catalogue has a
// recipe. The set is a release by itself, bound by digests like every other.
// Nothing is made that the cache holds.
func Build(ctx context.Context, o Options) (*release.Release, error) {
	b := builder{Options: o}
	var err error
	if b.bench, err = source.NewWorkbench(ctx, o.Cache); err != nil {
		return nil, err
	}
	for _, listed := range List(o.Refs, nil) {
		if listed.Made {
			b.refs = append(b.refs, listed.Ref)
		}
	}
	if len(b.refs) == 0 {
		return nil, errors.New("making test images: the tests name none that is made")
	}
	rel, err := b.build(ctx)
	if err != nil {
		return nil, fmt.Errorf("making test images for %s: %w", o.Kubernetes, err)
	}
	return rel, nil
}

type builder struct {
	Options
	bench      *source.Workbench
	refs       []string
	kubernetes string            // source
	full       string            // tar with the packages of all entries
	busybox    string            // directory
	programs   map[string]string // of a reference: directory with its programs
}

func (b *builder) build(ctx context.Context) (rel *release.Release, err error) {
	steps := []struct {
		name string
		run  func(context.Context) error
	}{
		{"test programs", b.compile},
		{"busybox", func(ctx context.Context) (err error) { b.busybox, err = busybox(ctx, b.Cache); return err }},
		{"test userland", b.userland},
		{"test images", func(ctx context.Context) (err error) { rel, err = b.pack(ctx); return err }},
	}
	for i, s := range steps {
		step := source.Step{N: i + 1, Total: len(steps), Name: s.name}
		b.report(step)
		start := time.Now()
		if err := s.run(ctx); err != nil {
			return nil, err
		}
		step.Done, step.Took = true, time.Since(start)
		step.Cached = step.Took < time.Second
		b.report(step)
	}
	return rel, nil
}

func (b *builder) report(step source.Step) {
	if b.Progress != nil {
		b.Progress(step)
	}
}

const kubernetesModule = "k8s.io/kubernetes"

// compile makes the programs. Those of Kubernetes are made in one go.
func (b *builder) compile(ctx context.Context) (err error) {
	if b.kubernetes, err = b.bench.Module(ctx, kubernetesModule, b.Kubernetes); err != nil {
		return err
	}
	b.programs = map[string]string{}
	own := map[string]string{}
	for _, e := range catalogue() {
		if e.module == "" {
			maps.Copy(own, e.programs)
		}
	}
	dir, err := b.bench.Compile(ctx, kubernetesModule, b.Kubernetes, own)
	if err != nil {
		return err
	}
	for _, ref := range b.refs {
		e, _ := find(ref)
		_, tag := split(ref)
		b.programs[ref] = dir
		if e.module != "" {
			if b.programs[ref], err = b.bench.Compile(ctx, e.module, e.version(tag), e.programs); err != nil {
				return err
			}
		}
	}
	return nil
}

// suite is the Debian that the images stand on.
const suite = "trixie"

func (b *builder) userland(ctx context.Context) (err error) {
	b.full, err = debootstrap.Tar(ctx, b.Cache, debootstrap.Recipe{Suite: suite, Packages: packages()})
	return err
}

// pack packs the images. Their key is what they are made of: texts as they are,
// and the places of programs, of sources and of root filesystems, which are named by
// their content or their version.
func (b *builder) pack(ctx context.Context) (*release.Release, error) {
	var images []source.Image
	for _, ref := range b.refs {
		image, err := b.image(ctx, ref)
		if err != nil {
			return nil, fmt.Errorf("image %s: %w", ref, err)
		}
		images = append(images, image)
	}
	return b.bench.Images(ctx, component, b.Kubernetes, fmt.Sprintf("%+v", images), images)
}

func (b *builder) image(ctx context.Context, ref string) (source.Image, error) {
	e, _ := find(ref)
	image := source.Image{
		Ref: ref, Entrypoint: e.entrypoint, Command: e.command, User: e.user, WorkingDir: "/",
		Labels: map[string]string{Label: ref},
	}
	var err error
	if len(e.debian) > 0 {
		if image.Base, err = debootstrap.Slim(ctx, b.Cache, b.full, e.debian...); err != nil {
			return image, err
		}
	}
	if e.files == nil {
		return image, nil
	}
	from := parts{programs: b.programs[ref], kubernetes: b.kubernetes}
	if e.busybox {
		from.programs = b.busybox
	}
	image.Files, err = e.files(from)
	return image, err
}

// registry has the images that tests of Kubernetes name.
const registry = "https://registry.k8s.io/v2/"

// Published tells whether the registry with the tests' images answers. It says so
// soon: where there is no network, some machines do not refuse, they wait.
func Published(ctx context.Context) bool { return answers(ctx, registry) }

func answers(ctx context.Context, place string) bool {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, place, nil)
	if err != nil {
		return false
	}
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		return false
	}
	defer answer.Body.Close()
	return answer.StatusCode == http.StatusOK || answer.StatusCode == http.StatusUnauthorized
}
