package source

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// tinyModule has a program that prints what a tag, a flag and a dependency
// put in, and a test to compile.
func tinyModule() []fakeModule {
	return []fakeModule{
		{"example.test/tiny", "v1.2.3", map[string]string{
			"go.mod":          "module example.test/tiny\n\ngo 1.21\n\nrequire example.test/dep v0.0.0\n\nreplace example.test/dep => ./dep\n",
			"cmd/a/main.go":   "package main\n\nimport (\n\t\"os\"\n\n\t\"example.test/dep\"\n)\n\nvar version string\n\nfunc main() { os.Stdout.WriteString(\"a \" + version + \" \" + dep.Name + tagged) }\n",
			"cmd/a/plain.go":  "//go:build !special\n\npackage main\n\nconst tagged = \"\"\n",
			"cmd/a/tagged.go": "//go:build special\n\npackage main\n\nconst tagged = \" special\"\n",
			"cmd/b/main.go":   tiny("b"),
			"cmd/broken/x.go": "package main\n\nfunc main() { undefined() }\n",
			"a_test.go":       "package tiny\n\nimport \"testing\"\n\nfunc TestA(t *testing.T) { t.Log(\"tested\") }\n",
		}},
		{"example.test/dep", "v0.2.3", map[string]string{"go.mod": "module example.test/dep\n\ngo 1.21\n", "x.go": "package dep\n\nconst Name = \"dep\"\n"}},
	}
}

func tinyUnit() unit {
	return unit{
		module: "example.test/tiny", version: "v1.2.3", tags: "special",
		programs: map[string]string{"first": "./cmd/a", "second": "./cmd/b"},
		tests:    map[string]string{"tiny.test": "."},
		ldflags:  func(f fetched) string { return "-X main.version=" + f.Version },
	}
}

// The same unit gives the same bytes in any cache; one that is there is not
// compiled again.
func TestCompile(t *testing.T) {
	serve(t, tinyModule())
	var dirs []string
	for range 2 {
		b := newBuilder(t, fakeVersion)
		dir, err := b.compile(t.Context(), tinyUnit())
		must(t, err)
		if b.step.cached {
			t.Error("in an empty cache: it is there")
		}
		dirs = append(dirs, dir)
		must(t, os.Chmod(filepath.Join(dir, "first"), 0o700)) // a mark
		again, err := b.compile(t.Context(), tinyUnit())
		must(t, err)
		info, err := os.Stat(filepath.Join(again, "first"))
		must(t, err)
		if !b.step.cached || again != dir || info.Mode() != 0o700 {
			t.Errorf("the second time: in the cache %v, %s, mode %v", b.step.cached, again, info.Mode())
		}
	}
	for _, name := range []string{"first", "second", "tiny.test"} {
		one, two := read(t, filepath.Join(dirs[0], name)), read(t, filepath.Join(dirs[1], name))
		if one != two {
			t.Errorf("%s differs between two caches", name)
		}
		if strings.Contains(one, filepath.Dir(filepath.Dir(filepath.Dir(dirs[0])))) || strings.Contains(one, "qualify-modfile-") {
			t.Errorf("%s knows where it was made", name)
		}
	}
	if got := output(t, filepath.Join(dirs[0], "first")); got != "a v1.2.3 dep special" {
		t.Errorf("the program prints %q", got)
	}
	if got := output(t, filepath.Join(dirs[0], "tiny.test")); got != "PASS" {
		t.Errorf("the test prints %q", got)
	}
}

// Each thing that shapes the bytes gives another entry.
func TestCompileKeys(t *testing.T) {
	serve(t, append(tinyModule(), fakeModule{"example.test/tiny", "v1.2.4", map[string]string{
		"go.mod": "module example.test/tiny\n\ngo 1.21\n", "cmd/b/main.go": tiny("newer b"),
	}}))
	b := newBuilder(t, fakeVersion)
	small := func() unit {
		return unit{module: "example.test/tiny", version: "v1.2.3", programs: map[string]string{"p": "./cmd/b"}}
	}
	seen := map[string]string{}
	for _, c := range []struct {
		name   string
		change func(*unit)
	}{
		{"nothing", func(*unit) {}},
		{"tags", func(u *unit) { u.tags = "special" }},
		{"flags", func(u *unit) { u.ldflags = func(fetched) string { return "-X main.version=1" } }},
		{"version", func(u *unit) { u.version = "v1.2.4" }},
		{"name", func(u *unit) { u.programs = map[string]string{"q": "./cmd/b"} }},
		{"package", func(u *unit) { u.programs = map[string]string{"p": "./cmd/a"} }},
		{"tests", func(u *unit) { u.tests = map[string]string{"t": "."} }},
		{"toolchain", func(*unit) { b.tool.version += " other" }},
	} {
		u := small()
		c.change(&u)
		dir, err := b.compile(t.Context(), u)
		must(t, err)
		if other, twice := seen[dir]; twice || b.step.cached {
			t.Errorf("%s gives the entry of %q", c.name, other)
		}
		seen[dir] = c.name
	}
}

func TestCompileErrors(t *testing.T) {
	serve(t, tinyModule())
	for _, c := range []struct {
		unit unit
		want string
	}{
		{unit{module: "example.test/tiny", version: "v9.9.9"}, "v9.9.9"},
		{unit{module: "example.test/tiny", version: "v1.2.3", programs: map[string]string{"p": "./cmd/absent"}}, "compiling p"},
		{unit{module: "example.test/tiny", version: "v1.2.3", programs: map[string]string{"first": "./cmd/b", "p": "./cmd/broken"}}, "undefined: undefined"},
		{unit{module: "example.test/tiny", version: "v1.2.3", tests: map[string]string{"t": "./absent"}}, "compiling t"},
	} {
		b := newBuilder(t, fakeVersion)
		dir, err := b.compile(t.Context(), c.unit)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("got %q and %v, want %q", dir, err, c.want)
		}
		if left, err := filepath.Glob(filepath.Join(b.cache.Dir, "compiled", "*", "*")); err != nil || len(left) > 0 {
			t.Errorf("%s: left %q, %v", c.want, left, err)
		}
	}
}

func TestCompilePauseErrors(t *testing.T) {
	fakeCandidate(t)
	b := newBuilder(t, fakeVersion)
	goTool := filepath.Join(t.TempDir(), "go")
	must(t, os.Symlink(lookPath(t, "go"), goTool))
	t.Setenv("PATH", filepath.Dir(goTool))
	if _, err := b.compilePause(t.Context(), "3.10.1"); err == nil || !strings.Contains(err.Error(), "gcc is not installed") {
		t.Errorf("without a compiler: %v", err)
	}
	write(t, filepath.Join(filepath.Dir(goTool), "gcc"), "#!/bin/sh\ntest $# = 1 && echo gcc 99 && exit 0\necho pause.c: no such thing >&2; exit 1\n", 0o755)
	if _, err := b.compilePause(t.Context(), "3.10.1"); err == nil || !strings.Contains(err.Error(), "compiling pause") || !strings.Contains(err.Error(), "no such thing") {
		t.Errorf("with a compiler that fails: %v", err)
	}
}

// The small real components, made twice from their real sources: the plugins
// that every pod sandbox runs, and pause, which every sandbox is.
func TestSmallComponentsAreReproducible(t *testing.T) {
	if testing.Short() {
		t.Skip("compiles real components")
	}
	if !installed("gcc") {
		t.Skip("pause is a C program, and gcc is not installed: run hack/setup")
	}
	t.Setenv("GOPROXY", "off") // what is not here already is not fetched for a test
	t.Setenv("GOSUMDB", "off")
	const version = "v1.34.4"
	plugins := unit{
		module: "github.com/containernetworking/plugins", version: cniPluginsVersion,
		programs: map[string]string{"static": "./plugins/ipam/static", "loopback": "./plugins/main/loopback"},
	}
	var tarballs, images []string
	for range 2 {
		b := newBuilder(t, version)
		for path, version := range map[string]string{plugins.module: plugins.version, kubernetesModule: version} {
			if _, err := b.tool.fetch(t.Context(), path, version); err != nil {
				t.Skipf("not in the module cache: %v", err)
			}
		}
		dir, err := b.compile(t.Context(), plugins)
		must(t, err)
		b.provide(dir, "static", "loopback")
		dir, err = b.compilePause(t.Context(), "3.10.1")
		must(t, err)
		b.provide(dir, "pause")
		b.wanted.pause = "registry.example/pause:3.10.1"

		tarball := filepath.Join(t.TempDir(), "plugins.tar.gz")
		must(t, packer{builder: b}.packTarball(tarball, component{}, programTar{programs: []string{"loopback", "static"}}))
		sum, err := digests(tarball)
		must(t, err)
		digest, err := packImage(filepath.Join(t.TempDir(), "pause.tar"), b.arch, b.pauseImage().imageSpec)
		must(t, err)
		tarballs, images = append(tarballs, sum.sha256), append(images, digest)

		_, err = b.compile(t.Context(), plugins)
		must(t, err)
		hit := b.step.cached
		if _, err = b.compilePause(t.Context(), "3.10.1"); err != nil || !hit || !b.step.cached {
			t.Errorf("the second time: in the cache %v and %v, %v", hit, b.step.cached, err)
		}
	}
	if tarballs[0] != tarballs[1] || images[0] != images[1] {
		t.Errorf("tarballs %v, images %v", tarballs, images)
	}
}

// What a later unit lacks is said before anything is compiled.
func TestCompileLooksForAllSourcesFirst(t *testing.T) {
	module := fakeModule{"example.test/tiny", "v1.2.3", map[string]string{
		"go.mod":         "module example.test/tiny\n\ngo 1.21\n\nrequire example.test/refused v0.0.0\n\nreplace example.test/refused => ./refused\n",
		"cmd/b/main.go":  tiny("b"),
		"late/x_test.go": "package late\n\nimport _ \"example.test/refused\"\n",
	}}
	serve(t, []fakeModule{module})
	b := newBuilder(t, fakeVersion)
	u := unit{module: module.path, version: module.version, programs: map[string]string{"second": "./cmd/b"}}
	_, err := b.compile(t.Context(), u)
	must(t, err)
	u.programs, u.needs = map[string]string{"third": "./cmd/b"}, []string{"./late"}
	if _, err = b.compile(t.Context(), u); err == nil || !strings.Contains(err.Error(), "fetching the sources of all of example.test/tiny v1.2.3") || !strings.Contains(err.Error(), "example.test/refused") {
		t.Errorf("%v", err)
	}
	u.needs = []string{"./cmd/b"}
	_, err = b.compile(t.Context(), u)
	must(t, err)
}
