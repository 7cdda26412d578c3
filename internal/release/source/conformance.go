package source

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/qualify-dev/qualify/internal/cache"
	"github.com/qualify-dev/qualify/internal/debootstrap"
)

// Packed is an image that was made here, as an OCI archive.
type Packed struct {
	Ref    string // what the archive calls it
	Digest string // of its manifest, "sha256:…"
	File   string
}

// Tests are the programs of a release that its conformance image holds.
type Tests struct {
	Version              string // of Kubernetes, "v1.34.4"
	E2E, Ginkgo, Kubectl string // files
}

// madeVersion is part of every key: raise it when the images that are made beside
// a release are made in another way.
const madeVersion = "1"

// Conformance makes the conformance image of a release that has none: as
// upstream's, with the release's own programs, and with what is needed to fetch
// files out of a pod of it.
func Conformance(ctx context.Context, c cache.Cache, tests Tests) (Packed, error) {
	b, err := newPartBuilder(ctx, c, tests.Version)
	if err != nil {
		return Packed{}, err
	}
	full, err := userland(ctx, c)
	if err != nil {
		return Packed{}, fmt.Errorf("making the conformance image of Kubernetes %s: %w", tests.Version, err)
	}
	base, err := debootstrap.Slim(ctx, c, full, "coreutils")
	if err != nil {
		return Packed{}, fmt.Errorf("making the conformance image of Kubernetes %s: %w", tests.Version, err)
	}
	made, err := b.conformance(ctx, tests, base)
	if err != nil {
		return Packed{}, fmt.Errorf("making the conformance image of Kubernetes %s: %w", tests.Version, err)
	}
	return made, nil
}

const sonobuoyModule = "github.com/vmware-tanzu/sonobuoy"

// SonobuoyVersion is the version of the library here and of the aggregator in
// the cluster: they are tested together.
const SonobuoyVersion = "v0.57.5"

// Sonobuoy makes the image of Sonobuoy's aggregator and workers: one program,
// built from its module, so that no registry is needed.
func Sonobuoy(ctx context.Context, c cache.Cache) (Packed, error) {
	b, err := newPartBuilder(ctx, c, SonobuoyVersion)
	if err != nil {
		return Packed{}, err
	}
	made, err := b.sonobuoy(ctx)
	if err != nil {
		return Packed{}, fmt.Errorf("making the image of Sonobuoy %s: %w", SonobuoyVersion, err)
	}
	return made, nil
}

func (b *builder) sonobuoy(ctx context.Context) (Packed, error) {
	dir, err := b.compile(ctx, unit{
		module: sonobuoyModule, version: b.version, programs: map[string]string{"sonobuoy": "."},
		ldflags: func(f fetched) string { return "-X " + f.Path + "/pkg/buildinfo.Version=" + f.Version },
	})
	if err != nil {
		return Packed{}, err
	}
	return b.keep(ctx, imageSpec{
		ref: "docker.io/sonobuoy/sonobuoy:" + b.version,
		files: []imageFile{
			{path: "sonobuoy", source: filepath.Join(dir, "sonobuoy"), mode: 0o755},
			{path: "tmp", dir: true, mode: 0o1777},
		},
		config: v1.Config{WorkingDir: "/", Cmd: []string{"/sonobuoy", "aggregator", "--no-exit", "-v", "3", "--logtostderr"}},
	})
}

// newPartBuilder builds things beside a release.
func newPartBuilder(ctx context.Context, c cache.Cache, version string) (*builder, error) {
	tool, err := newGoTool(ctx, hostArch, "")
	if err != nil {
		return nil, err
	}
	return &builder{version: version, arch: hostArch, cache: c, tool: tool, programs: map[string]string{}}, nil
}

func (b *builder) conformance(ctx context.Context, tests Tests, base string) (Packed, error) {
	runner, err := b.compile(ctx, unit{
		module: kubernetesModule, version: b.version, programs: map[string]string{"kubeconformance": "./test/conformance/image/go-runner"},
	})
	if err != nil {
		return Packed{}, err
	}
	const at = "usr/local/bin/"
	spec := imageSpec{
		ref: "registry.k8s.io/conformance:" + strings.ReplaceAll(b.version, "+", "_"), base: base,
		files: []imageFile{
			{path: at + "kubeconformance", source: filepath.Join(runner, "kubeconformance"), mode: 0o755},
			{path: "gorunner", link: "/" + at + "kubeconformance"}, // what Sonobuoy's plugin calls
			{path: "run_e2e.sh", link: "/" + at + "kubeconformance"},
			{path: at + "ginkgo", source: tests.Ginkgo, mode: 0o755},
			{path: at + "e2e.test", source: tests.E2E, mode: 0o755},
			{path: at + "kubectl", source: tests.Kubectl, mode: 0o755},
			{path: "kubernetes/cluster", dir: true, mode: 0o755},
		},
		config: v1.Config{
			Entrypoint: []string{"kubeconformance"},
			Env:        []string{`E2E_FOCUS=\[Conformance\]`, "E2E_SKIP=", "E2E_PROVIDER=local", "E2E_PARALLEL=1", "E2E_VERBOSITY=4", "RESULTS_DIR=/tmp/results", "KUBECONFIG="},
		},
	}
	return b.keep(ctx, spec)
}

// keep packs an image into the cache, under the digests of what goes into it.
func (b *builder) keep(ctx context.Context, spec imageSpec) (Packed, error) {
	parts := []string{madeVersion, packVersion, b.arch, spec.ref, spec.base, fmt.Sprint(spec.config)}
	for _, f := range spec.files {
		of := f.link
		if f.source != "" {
			sums, err := digests(f.source)
			if err != nil {
				return Packed{}, err
			}
			of = sums.sha256
		}
		parts = append(parts, f.path, of)
	}
	const file, about = "image.tar", "digest"
	dir, hit, err := b.cache.Do(ctx, "image", cache.Key(parts...), func(dir string) error {
		digest, err := packImage(filepath.Join(dir, file), b.arch, spec)
		if err != nil {
			return err
		}
		return os.WriteFile(filepath.Join(dir, about), []byte(digest), 0o644)
	})
	b.step.cached = hit
	if err != nil {
		return Packed{}, err
	}
	digest, err := os.ReadFile(filepath.Join(dir, about))
	if err != nil {
		return Packed{}, err
	}
	return Packed{Ref: spec.ref, Digest: string(digest), File: filepath.Join(dir, file)}, nil
}
