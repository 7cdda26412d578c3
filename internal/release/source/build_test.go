package source

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/qualify-dev/qualify/internal/cache"
	"github.com/qualify-dev/qualify/internal/release"
)

// A candidate built twice, in two caches, is the same release; built again in
// the first, nothing is made.
func TestBuildFakeCandidate(t *testing.T) {
	if testing.Short() {
		t.Skip("compiles dozens of small programs")
	}
	fakeCandidate(t)
	userland := fakeUserland(t)
	var manifests []string
	var first *builder
	for range 2 {
		b := newBuilder(t, fakeVersion)
		if cached := buildFake(t, b, userland); len(cached) > 0 {
			t.Errorf("in an empty cache: %q are there", cached)
		}
		manifest, hit, err := b.release(t.Context(), "")
		must(t, err)
		if hit {
			t.Error("in an empty cache: the release is there")
		}
		manifests = append(manifests, manifest)
		if first == nil {
			first = b
		}
	}
	one, two := parseRelease(t, manifests[0]), parseRelease(t, manifests[1])
	if one.Digest() != two.Digest() {
		t.Error("the same candidate built twice has two digests")
	}
	sameAssets(t, one, two)
	checkRelease(t, one)
	checkPrograms(t, first)

	again := newBuilder(t, fakeVersion)
	again.cache = first.cache
	cached := buildFake(t, again, userland)
	if want := stepNames("pause", "image userland"); !slices.Equal(slices.DeleteFunc(cached, func(s string) bool { return s == "pause" }), want) {
		t.Errorf("a second build finds %q in the cache, want %q", cached, want)
	}
	manifest, hit, err := again.release(t.Context(), "")
	if err != nil || !hit || manifest != manifests[0] {
		t.Errorf("a second build: %s, in the cache %v, %v", manifest, hit, err)
	}
	checkCopy(t, again, one)
}

func parseRelease(t *testing.T, manifest string) *release.Release {
	t.Helper()
	rel, err := release.Parse(manifest, []byte(read(t, manifest)), release.Options{Strict: true})
	must(t, err)
	return rel
}

// stepNames lists the steps but for some.
func stepNames(but ...string) []string {
	var names []string
	for _, s := range steps {
		if !slices.Contains(but, s.name) {
			names = append(names, s.name)
		}
	}
	return names
}

func sameAssets(t *testing.T, one, two *release.Release) {
	t.Helper()
	for _, a := range one.Assets() {
		b, err := two.Asset(a.Name)
		must(t, err)
		if a.SHA256 != b.SHA256 || a.SHA512 != b.SHA512 || a.Digest != b.Digest {
			t.Errorf("%s differs", a.Name)
		}
	}
}

// checkRelease looks at what stands in the manifest, and that it is true.
func checkRelease(t *testing.T, rel *release.Release) {
	t.Helper()
	if rel.Name != "kubernetes-v1.99.4-source" || rel.Channel != "1-99" || rel.Date != fakeTime || rel.Kubernetes() != fakeVersion || len(rel.Unbound()) > 0 {
		t.Errorf("%s of channel %s, %s, Kubernetes %s, %d unbound", rel.Name, rel.Channel, rel.Date, rel.Kubernetes(), len(rel.Unbound()))
	}
	var names strings.Builder
	for _, c := range rel.Components {
		for _, a := range c.Assets {
			fmt.Fprintf(&names, "%s %s %s %s", c.Name, c.GitTag, a.Type, a.Name)
			if a.Type == release.Image {
				fmt.Fprintf(&names, " = %s", a.URI)
			}
			fmt.Fprintln(&names)
		}
	}
	golden(t, filepath.Join("testdata", "release.golden"), names.String())
	for _, a := range rel.Assets() {
		if a.Type != release.Archive {
			archive, err := rel.Asset("bin/linux/amd64/" + strings.TrimSuffix(a.Name, "-image") + ".tar")
			must(t, err)
			if img := openImage(t, pathOf(t, archive)); img.descriptor.Digest.String() != a.Digest || img.descriptor.Annotations["io.containerd.image.name"] != a.URI {
				t.Errorf("%s: the archive holds %v", a.Name, img.descriptor)
			}
			continue
		}
		sums, err := digests(pathOf(t, a))
		must(t, err)
		if sums.sha256 != a.SHA256 || sums.sha512 != a.SHA512 {
			t.Errorf("%s has other bytes than its manifest says", a.Name)
		}
	}
	checkAgnhost(t, rel)
}

func pathOf(t *testing.T, a release.Asset) string {
	t.Helper()
	path, ok := strings.CutPrefix(a.URI, "file://")
	if !ok {
		t.Fatalf("%s is at %s", a.Name, a.URI)
	}
	return path
}

// checkAgnhost looks at the image that specs run: the users and the names that
// they ask for by name.
func checkAgnhost(t *testing.T, rel *release.Release) {
	t.Helper()
	archive, err := rel.Asset("bin/linux/amd64/agnhost.tar")
	must(t, err)
	got := openImage(t, pathOf(t, archive))
	files := map[string]tarEntry{}
	for _, layer := range got.layers {
		for _, e := range layer {
			files[e.Name] = e
		}
	}
	for name, want := range map[string]string{
		"etc/passwd": "root:x:0:0:root:/root:/bin/bash\nuser-defined-in-image:x:1000:1000::/home/user-defined-in-image:/bin/sh\n",
		"etc/group":  "root:x:0:\nuser-defined-in-image:x:1000:\ngroup-defined-in-image:x:50000:user-defined-in-image\n",
		"bin/sh":     "a shell", "localhost.crt": "a certificate\n", "localhost.key": "a key\n",
	} {
		if files[name].content != want {
			t.Errorf("agnhost: %s is %q, want %q", name, files[name].content, want)
		}
	}
	if files["agnhost-2"].Linkname != "agnhost" || files["agnhost"].Mode != 0o755 || files["uploads/"].Name == "" {
		t.Errorf("agnhost: %+v, %+v, %+v", files["agnhost-2"].Header, files["agnhost"].Header, files["uploads/"].Header)
	}
	if len(got.config.Config.ExposedPorts) != 5 || !slices.Equal(got.config.Config.Cmd, []string{"pause"}) {
		t.Errorf("agnhost: config %+v", got.config.Config)
	}
}

// checkPrograms runs some of what was compiled: the replaced modules and the
// versions went in.
func checkPrograms(t *testing.T, b *builder) {
	t.Helper()
	for name, want := range map[string]string{
		"kubelet": "kubelet v1.99.4 99 clean " + fakeTime,
		"etcd":    "3.6.5",
		"static":  "static " + cniPluginsVersion,
		"ginkgo":  "ginkgo",
	} {
		if got := output(t, b.program(name)); got != want {
			t.Errorf("%s prints %q, want %q", name, got, want)
		}
	}
	if b.wanted.agnhost != "registry.example/e2e-test-images/agnhost:2.56" || b.wanted.pause != "registry.example/pause:3.10.1" {
		t.Errorf("wanted: %+v", b.wanted)
	}
	if installed("gcc") {
		output(t, b.program("pause")) // fails unless its version went in
	}
}

// checkCopy lets the release be copied out and compares it with the one in the
// cache.
func checkCopy(t *testing.T, b *builder, inCache *release.Release) {
	t.Helper()
	out := filepath.Join(t.TempDir(), "a place with spaces", "and %41")
	manifest, hit, err := b.release(t.Context(), out)
	must(t, err)
	if !hit || filepath.Dir(manifest) != out {
		t.Errorf("copied to %s, in the cache %v", manifest, hit)
	}
	rel := parseRelease(t, manifest)
	if rel.Digest() != inCache.Digest() {
		t.Error("the copy is another release")
	}
	for _, a := range rel.Assets() {
		if a.Type == release.Archive {
			path, err := below(out, a)
			must(t, err)
			sums, err := digests(filepath.Join(out, path))
			if err != nil || sums.sha256 != a.SHA256 {
				t.Errorf("%s: %v", a.Name, err)
			}
		}
	}
}

// A user's own program takes the compiled one's place wherever it goes, and
// gives another release.
func TestReleaseWithReplacement(t *testing.T) {
	fakeCandidate(t)
	own := write(t, filepath.Join(t.TempDir(), "my-kube-proxy"), "a developer's own", 0o700)
	digest := map[bool]string{}
	for _, replaced := range []bool{false, true} {
		b := newBuilder(t, fakeVersion)
		b.userland, b.filters = fakeUserland(t), fakeUserland(t)
		fakePrograms(t, b)
		if replaced {
			b.replace["bin/linux/amd64/kube-proxy"] = own
		}
		manifest, _, err := b.release(t.Context(), "")
		must(t, err)
		rel := parseRelease(t, manifest)
		digest[replaced] = rel.Digest()
		asset, err := rel.Asset("bin/linux/amd64/kube-proxy")
		must(t, err)
		if got := read(t, pathOf(t, asset)) == "a developer's own"; got != replaced {
			t.Errorf("replaced %v, binary is the own one %v", replaced, got)
		}
		asset, err = rel.Asset("bin/linux/amd64/kube-proxy.tar")
		must(t, err)
		layers := openImage(t, pathOf(t, asset)).layers
		own := layers[len(layers)-1]
		if got := own[len(own)-1].content == "a developer's own"; got != replaced || len(layers) != 2 {
			t.Errorf("replaced %v, %d layers, image has the own one %v", replaced, len(layers), got)
		}
	}
	if digest[false] == digest[true] {
		t.Error("another kube-proxy, the same release")
	}
}

// fakePrograms stands in for all steps.
func fakePrograms(t *testing.T, b *builder) {
	t.Helper()
	dir := t.TempDir()
	names := append([]string{"etcd", "etcdctl", "coredns", "pause", "agnhost", "ginkgo", "e2e.test"}, kubernetesPrograms...)
	for _, name := range append(names, sortedKeys(cniPlugins)...) {
		b.programs[name] = write(t, filepath.Join(dir, name), "program "+name, 0o755)
	}
	b.wanted = imageRefs{byName: map[string]string{}, pause: "registry.example/pause:3.10.1", agnhost: "registry.example/agnhost:2.56"}
	for _, name := range append([]string{"coredns", "etcd"}, kubernetesPrograms[:4]...) {
		b.wanted.byName[name] = "registry.example/" + name + ":v1.2.3"
	}
}

// A build that breaks off leaves no release behind.
func TestReleaseErrors(t *testing.T) {
	fakeCandidate(t)
	for name, spoil := range map[string]func(*builder){
		"no program":  func(b *builder) { b.programs["kubelet"] = filepath.Join(b.cache.Dir, "absent") },
		"no userland": func(b *builder) { b.userland = filepath.Join(b.cache.Dir, "absent") },
		"no filters":  func(b *builder) { b.filters = filepath.Join(b.cache.Dir, "absent") },
		"no passwd":   func(b *builder) { b.userland = tarOf(t, [2]string{"etc/group", ""}) },
		"no own file": func(b *builder) { b.replace["bin/linux/amd64/kubelet"] = filepath.Join(b.cache.Dir, "absent") },
		"no version":  func(b *builder) { b.version = "v1.99.5" },
	} {
		b := newBuilder(t, fakeVersion)
		b.userland, b.filters = fakeUserland(t), fakeUserland(t)
		fakePrograms(t, b)
		spoil(b)
		if manifest, _, err := b.release(t.Context(), ""); err == nil || manifest != "" {
			t.Errorf("%s: %q, %v", name, manifest, err)
		}
		left, err := filepath.Glob(filepath.Join(b.cache.Dir, "release", "*"))
		must(t, err)
		for _, entry := range left {
			if info, err := os.Stat(entry); err == nil && info.IsDir() {
				t.Errorf("%s: left %s", name, entry)
			}
		}
	}
	b := newBuilder(t, fakeVersion)
	b.userland, b.filters = fakeUserland(t), fakeUserland(t)
	fakePrograms(t, b)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, _, err := b.release(ctx, ""); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}

// Everything that shapes the release is in its key.
func TestReleaseKey(t *testing.T) {
	own := write(t, filepath.Join(t.TempDir(), "own"), "own", 0o755)
	base := func() *builder {
		return &builder{
			version: "v1.34.4", arch: "amd64", tool: &goTool{version: "go1.26.8"}, cache: cache.Cache{Dir: "/c"}, userland: "/c/u1", filters: "/c/f1",
			programs: map[string]string{"kubelet": "/c/k1/kubelet", "etcd": "/c/k2/etcd"},
			wanted:   imageRefs{byName: map[string]string{"etcd": "r/etcd:1"}, pause: "r/pause:1", agnhost: "r/agnhost:1"},
			replace:  map[string]string{"bin/linux/amd64/kubelet": own},
		}
	}
	want, err := base().releaseKey()
	must(t, err)
	if again, err := base().releaseKey(); err != nil || again != want {
		t.Errorf("the same inputs: %s and %s, %v", want, again, err)
	}
	seen := map[string]string{want: "nothing"}
	for name, change := range map[string]func(*builder){
		"version":         func(b *builder) { b.version = "v1.34.5" },
		"arch":            func(b *builder) { b.arch = "arm64" },
		"toolchain":       func(b *builder) { b.tool.version = "go1.26.9" },
		"userland":        func(b *builder) { b.userland = "/c/u2" },
		"filters":         func(b *builder) { b.filters = "/c/f2" },
		"program":         func(b *builder) { b.programs["kubelet"] = "/c/k3/kubelet" },
		"another program": func(b *builder) { b.programs["etcdctl"] = "/c/k2/etcdctl" },
		"program renamed": func(b *builder) {
			b.programs = map[string]string{"kubelit": "/c/k1/kubelet", "etcd": "/c/k2/etcd"}
		},
		"programs swapped": func(b *builder) {
			b.programs["kubelet"], b.programs["etcd"] = b.programs["etcd"], b.programs["kubelet"]
		},
		"image":   func(b *builder) { b.wanted.byName["etcd"] = "r/etcd:2" },
		"pause":   func(b *builder) { b.wanted.pause = "r/pause:2" },
		"agnhost": func(b *builder) { b.wanted.agnhost = "r/agnhost:2" },
		"own file": func(b *builder) {
			b.replace["bin/linux/amd64/kubelet"] = write(t, filepath.Join(t.TempDir(), "own"), "changed", 0o755)
		},
		"own file elsewhere":  func(b *builder) { b.replace = map[string]string{"bin/linux/amd64/etcd": own} },
		"nothing of the user": func(b *builder) { b.replace = nil },
	} {
		b := base()
		change(b)
		got, err := b.releaseKey()
		must(t, err)
		if other, twice := seen[got]; twice {
			t.Errorf("%s gives the key of %s", name, other)
		}
		seen[got] = name
	}
}
