package source

import (
	"os/exec"
	"strings"
	"testing"

	"github.com/qualify-dev/qualify/internal/cache"
	"github.com/qualify-dev/qualify/internal/release"
)

// fakeContainerd serves a module with the layout of the real one.
func fakeContainerd(t *testing.T, path, version string) {
	t.Helper()
	files := map[string]string{
		"go.mod":       "module " + path + "\n\ngo 1.21\n",
		"version/v.go": "package version\n\nvar Version = \"unknown\"\n",
	}
	for name, dir := range containerdPrograms {
		files[strings.TrimPrefix(dir, "./")+"/main.go"] = "package main\n\nimport (\n\t\"os\"\n\n\t\"" + path + "/version\"\n)\n\nfunc main() { os.Stdout.WriteString(\"" + name + " \" + version.Version) }\n"
	}
	serve(t, []fakeModule{{path, version, files}})
}

// A version of the runtime is a release of its own: bound by digests, the same
// whenever it is asked for, and compiled once.
func TestContainerd(t *testing.T) {
	for path, version := range map[string]string{"github.com/containerd/containerd": "v1.7.32", "github.com/containerd/containerd/v2": "v2.1.4"} {
		fakeContainerd(t, path, version)
		c := cache.Cache{Dir: t.TempDir()}
		var steps []Step
		build := func() *release.Release {
			rel, err := Containerd(t.Context(), c, version, func(s Step) { steps = append(steps, s) })
			must(t, err)
			return rel
		}
		first, again := build(), build()
		if len(steps) != 4 || !steps[1].Done || steps[1].Cached || !steps[3].Cached {
			t.Errorf("steps %+v", steps)
		}
		if first.Digest() != again.Digest() || len(first.Assets()) != 3 || len(first.Unbound()) != 0 {
			t.Errorf("%+v", first)
		}
		store := &release.Store{Dir: t.TempDir()}
		for name := range containerdPrograms {
			file, err := store.Fetch(t.Context(), first, "bin/linux/amd64/"+name)
			must(t, err)
			if out, err := exec.Command(file).Output(); err != nil || string(out) != name+" "+version {
				t.Errorf("%s says %q, %v", name, out, err)
			}
		}
	}
}

func TestContainerdVersions(t *testing.T) {
	for _, version := range []string{"", "os", "1.7.32", "v1.7", "latest", "v3.0.0", "v1.7.32/../../x", "v1.7.32\n", "v1.7.32-rc.1"} {
		if _, err := Containerd(t.Context(), cache.Cache{Dir: t.TempDir()}, version, nil); err == nil || !strings.Contains(err.Error(), "name an exact one") {
			t.Errorf("%q: %v", version, err)
		}
	}
}
