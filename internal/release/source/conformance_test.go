package source

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/qualify-dev/qualify/internal/cache"
)

// partBuilder builds things beside the fake candidate.
func partBuilder(t *testing.T, version string) *builder {
	t.Helper()
	b, err := newPartBuilder(t.Context(), cache.Cache{Dir: t.TempDir()}, version)
	must(t, err)
	return b
}

// The conformance image has the layout of upstream's and the release's own
// programs; it is made once, and again where one of these is another.
func TestConformanceImage(t *testing.T) {
	kubernetes := fakeKubernetes(t)
	kubernetes.files["test/conformance/image/go-runner/main.go"] = tiny("go-runner")
	serve(t, []fakeModule{kubernetes})
	b := partBuilder(t, fakeVersion)
	dir := t.TempDir()
	tests := Tests{
		Version: fakeVersion, E2E: write(t, filepath.Join(dir, "e"), "e2e", 0o600),
		Ginkgo: write(t, filepath.Join(dir, "g"), "ginkgo", 0o600), Kubectl: write(t, filepath.Join(dir, "k"), "kubectl", 0o600),
	}
	base := fakeUserland(t)
	made, err := b.conformance(t.Context(), tests, base)
	must(t, err)
	got := openImage(t, made.File)
	if made.Ref != "registry.k8s.io/conformance:"+fakeVersion || got.descriptor.Digest.String() != made.Digest || got.descriptor.Annotations["io.containerd.image.name"] != made.Ref {
		t.Errorf("%+v: %+v", made, got.descriptor)
	}
	if !slices.Equal(got.config.Config.Entrypoint, []string{"kubeconformance"}) || !slices.Contains(got.config.Config.Env, `E2E_FOCUS=\[Conformance\]`) || !strings.Contains(got.config.Config.Env[0], "/usr/local/bin") {
		t.Errorf("config %+v", got.config.Config)
	}
	found := map[string]string{}
	for _, layer := range got.layers {
		for _, e := range layer {
			found[strings.TrimSuffix(e.Name, "/")] = string(e.content) + e.Linkname
			if strings.HasPrefix(e.Name, "usr/local/bin/") && e.Size > 0 && e.Mode != 0o755 {
				t.Errorf("%s has mode %o", e.Name, e.Mode)
			}
		}
	}
	for name, want := range map[string]string{
		"usr/local/bin/e2e.test": "e2e", "usr/local/bin/ginkgo": "ginkgo", "usr/local/bin/kubectl": "kubectl", "bin/sh": "a shell",
		"gorunner": "/usr/local/bin/kubeconformance", "run_e2e.sh": "/usr/local/bin/kubeconformance", "kubernetes/cluster": "",
	} {
		if got, there := found[name]; !there || got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
	if found["usr/local/bin/kubeconformance"] == "" {
		t.Error("it has no runner")
	}
	again, err := b.conformance(t.Context(), tests, base)
	must(t, err)
	if again != made || !b.step.cached {
		t.Errorf("made again: %+v", again)
	}
	must(t, os.WriteFile(tests.E2E, []byte("another e2e"), 0o600))
	other, err := b.conformance(t.Context(), tests, base)
	must(t, err)
	if other.Digest == made.Digest || other.Ref != made.Ref || b.step.cached {
		t.Errorf("of another program: %+v", other)
	}
	must(t, os.Remove(tests.E2E))
	if _, err := b.conformance(t.Context(), tests, base); err == nil {
		t.Error("an image without a program")
	}
}

// Sonobuoy's image is its one program, of the version that it says it is.
func TestSonobuoyImage(t *testing.T) {
	serve(t, []fakeModule{{sonobuoyModule, SonobuoyVersion, map[string]string{
		"go.mod":                   "module " + sonobuoyModule + "\n\ngo 1.21\n",
		"pkg/buildinfo/version.go": "package buildinfo\n\nvar Version = \"v0.57.4\"\n",
		"main.go":                  "package main\n\nimport (\n\t\"os\"\n\n\t\"" + sonobuoyModule + "/pkg/buildinfo\"\n)\n\nfunc main() { os.Stdout.WriteString(buildinfo.Version) }\n",
	}}})
	c := cache.Cache{Dir: t.TempDir()}
	made, err := Sonobuoy(t.Context(), c)
	must(t, err)
	got := openImage(t, made.File)
	if made.Ref != "docker.io/sonobuoy/sonobuoy:"+SonobuoyVersion || got.descriptor.Digest.String() != made.Digest || got.config.Config.Cmd[0] != "/sonobuoy" {
		t.Errorf("%+v: %+v", made, got.config.Config)
	}
	for _, e := range got.layers[0] {
		if e.Name == "sonobuoy" {
			if said := output(t, write(t, filepath.Join(t.TempDir(), "sonobuoy"), string(e.content), 0o700)); said != SonobuoyVersion {
				t.Errorf("it is %s", said)
			}
			return
		}
	}
	t.Error("there is no program in it")
}
