package source

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// Every replace by a directory becomes one by the module that is published
// from it, or goes; all the rest stays as its authors wrote it.
func TestWriteModfile(t *testing.T) {
	for _, c := range []struct{ file, module, version string }{
		{"staging", "example.test/kube", "v1.34.4"},
		{"siblings", "example.test/store/server/v3", "v3.6.5"},
		{"single", "example.test/single", "v1.2.3"},
		{"plain", "example.test/plain", "v1.0.0"},
	} {
		source, dir := t.TempDir(), t.TempDir()
		write(t, filepath.Join(source, "go.sum"), "example.test/x v1.0.0 h1:sum\n", 0o444)
		f := fetched{Path: c.module, Version: c.version, Dir: source, GoMod: filepath.Join("testdata", "modfile", c.file+".mod")}
		must(t, writeModfile(dir, f))
		got := read(t, filepath.Join(dir, "go.mod"))
		golden(t, filepath.Join("testdata", "modfile", c.file+".golden"), got)
		if strings.Contains(got, "=> .") || strings.Contains(got, "=> /") {
			t.Errorf("%s still names a directory", c.file)
		}
		if sum := read(t, filepath.Join(dir, "go.sum")); sum != "example.test/x v1.0.0 h1:sum\n" {
			t.Errorf("%s: go.sum is %q", c.file, sum)
		}
	}
}

func TestWriteModfileErrors(t *testing.T) {
	dir := t.TempDir()
	garbage := write(t, filepath.Join(dir, "garbage.mod"), "module x\nrequire (\n", 0o644)
	plain := filepath.Join("testdata", "modfile", "plain.mod")
	if err := writeModfile(dir, fetched{Path: "x", GoMod: garbage, Dir: dir}); err == nil || !strings.Contains(err.Error(), "go.mod of x") {
		t.Errorf("garbage: %v", err)
	}
	if err := writeModfile(dir, fetched{Path: "x", GoMod: filepath.Join(dir, "absent"), Dir: dir}); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("absent: %v", err)
	}
	if err := writeModfile(filepath.Join(dir, "absent"), fetched{Path: "x", GoMod: plain, Dir: dir}); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("no place to write to: %v", err)
	}
	// A module without dependencies has no go.sum.
	must(t, writeModfile(dir, fetched{Path: "x", GoMod: plain, Dir: dir}))
	if sum := read(t, filepath.Join(dir, "go.sum")); sum != "" {
		t.Errorf("go.sum out of nothing: %q", sum)
	}
}

func TestStagingVersion(t *testing.T) {
	for version, want := range map[string]string{
		"v1.34.4": "v0.34.4", "v1.37.0": "v0.37.0", "v1.35.0-rc.1": "v0.35.0-rc.1",
	} {
		if got := stagingVersion(version); got != want {
			t.Errorf("%s: got %s, want %s", version, got, want)
		}
	}
}

func TestCommitTime(t *testing.T) {
	dir := t.TempDir()
	at, err := commitTime(write(t, filepath.Join(dir, "a"), `{"Version":"v1.0.0","Time":"2026-02-03T05:05:06+01:00"}`, 0o644))
	if want := time.Date(2026, 2, 3, 4, 5, 6, 0, time.UTC); err != nil || at != want {
		t.Errorf("got %v and %v, want %v", at, err, want)
	}
	for _, file := range []string{write(t, filepath.Join(dir, "b"), "garbage", 0o644), filepath.Join(dir, "absent")} {
		if _, err := commitTime(file); err == nil || !strings.Contains(err.Error(), "reading a module's date") {
			t.Errorf("%s: %v", file, err)
		}
	}
}

func TestLastLines(t *testing.T) {
	for _, c := range []struct {
		text string
		n    int
		want string
	}{
		{"", 3, ""}, {"\n\n", 3, ""}, {"a\nb\n", 3, "a | b"}, {"a\nb\nc\nd\n\n", 3, "b | c | d"}, {"a", 1, "a"},
	} {
		if got := lastLines(c.text, c.n); got != c.want {
			t.Errorf("%q: got %q, want %q", c.text, got, c.want)
		}
	}
}

// Whatever the user set up for the go command, in the environment or with
// go env -w, does not shape a build; an experiment that does is in the key.
func TestGoToolIsItsOwn(t *testing.T) {
	settings := write(t, filepath.Join(t.TempDir(), "env"),
		"GOFLAGS=-mod=vendor\nGOWORK=/x/go.work\nGOFIPS140=latest\nGOARCH=arm64\nGOOS=darwin\nGOAMD64=v3\nCGO_ENABLED=1\nGOEXPERIMENT=jsonv2\n", 0o644)
	t.Setenv("GOENV", settings)
	for _, name := range []string{"GOFLAGS", "GOWORK", "GOFIPS140", "GOARCH", "GOOS", "GOAMD64", "CGO_ENABLED", "GOEXPERIMENT"} {
		t.Setenv(name, "")
	}
	tool, err := newGoTool(t.Context(), hostArch, "")
	must(t, err)
	if !strings.HasPrefix(tool.version, "go1.") || !strings.HasSuffix(tool.version, " jsonv2") {
		t.Errorf("version %q", tool.version)
	}
	out, err := tool.run(t.Context(), "", "env", "GOFLAGS", "GOWORK", "GOFIPS140", "GOARCH", "GOOS", "GOAMD64", "CGO_ENABLED")
	must(t, err)
	if got := strings.Join(strings.Fields(string(out)), " "); got != "-buildvcs=false off off amd64 linux v1 0" {
		t.Errorf("settings: %q", got)
	}
	t.Setenv("GOENV", "off")
	tool, err = newGoTool(t.Context(), hostArch, "")
	must(t, err)
	if strings.Contains(tool.version, " ") {
		t.Errorf("version without experiments: %q", tool.version)
	}
}

// What the go command leaves where temporary files go is gone when it has run,
// and can be found if it was killed.
func TestGoToolLeavesNoTemporaryFile(t *testing.T) {
	own := t.TempDir()
	t.Setenv("TMPDIR", own)
	out, err := (&goTool{arch: hostArch}).run(t.Context(), "", "env", "GOTMPDIR")
	must(t, err)
	if !strings.HasPrefix(string(out), filepath.Join(own, "qualify-go-")) {
		t.Errorf("it compiles in %q", out)
	}
	if left, err := os.ReadDir(own); err != nil || len(left) > 0 {
		t.Errorf("left: %v, %v", left, err)
	}
}

func TestGoToolErrors(t *testing.T) {
	tool := &goTool{arch: hostArch}
	if _, err := tool.run(t.Context(), "", "no-such-verb"); err == nil || !strings.Contains(err.Error(), "unknown command") {
		t.Errorf("unknown verb: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := tool.run(ctx, "", "env"); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
	t.Setenv("PATH", t.TempDir())
	if _, err := newGoTool(t.Context(), hostArch, ""); err == nil || !strings.Contains(err.Error(), "the go command is not installed") {
		t.Errorf("no go command: %v", err)
	}
}

func TestFetch(t *testing.T) {
	serve(t, []fakeModule{{"example.test/Upper", "v1.0.0", map[string]string{"go.mod": "module example.test/Upper\n", "x.go": "package x\n"}}})
	tool := &goTool{arch: hostArch}
	f, err := tool.fetch(t.Context(), "example.test/Upper", "v1.0.0")
	must(t, err)
	if f.Sum == "" || f.Version != "v1.0.0" || f.committed.Format(time.RFC3339) != fakeTime || read(t, filepath.Join(f.Dir, "x.go")) != "package x\n" {
		t.Errorf("fetched %+v", f)
	}
	for _, c := range []struct{ path, version, want string }{
		{"example.test/Upper", "v1.0.1", "reading file://"},
		{"example.test/absent", "v1.0.0", "reading file://"},
		{"example.test/Upper", "latest", "module version"},
		{"example.test/Upper", "v2.0.0", "module version"},
		{"../escape", "v1.0.0", "module version"},
		{"-flag", "v1.0.0", "module version"},
	} {
		if _, err := tool.fetch(t.Context(), c.path, c.version); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s@%s: got %v, want %q", c.path, c.version, err, c.want)
		}
	}
}
