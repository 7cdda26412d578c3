// Package source builds a candidate release from Go modules: Kubernetes and
// what a cluster needs around it, as archives, images and a manifest. Nothing
// in it needs a container engine or an image registry.
package source

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"time"

	"golang.org/x/mod/modfile"
	"golang.org/x/mod/module"

	"github.com/qualify-dev/qualify/internal/scratch"
)

// fetched is a module whose source is on disk and whose checksum the go
// command has verified.
type fetched struct {
	Path, Version string
	Dir, GoMod    string // source directory, go.mod file
	Info          string // .info file: {"Version","Time"}
	Sum           string // "h1:…" of the source
	Error         string // what the go command says when it has none
	committed     time.Time
}

// goTool runs the go command away from any workspace or flags of the user,
// with a build that is the same on every machine.
type goTool struct {
	version string // "go1.26.8", and what experiments it is set to
	arch    string // target architecture; the target system is linux
	cache   string // GOCACHE; "" leaves it
}

func newGoTool(ctx context.Context, arch, cache string) (*goTool, error) {
	g := &goTool{arch: arch, cache: cache}
	out, err := g.run(ctx, "", "env", "GOVERSION", "GOEXPERIMENT")
	if err != nil {
		return nil, err
	}
	g.version = strings.Join(strings.Fields(string(out)), " ")
	return g, nil
}

// run executes the go command in dir and returns its standard output, also
// where it fails: some verbs say there why. The whole process group dies with
// ctx, so that no compiler is left running.
func (g *goTool) run(ctx context.Context, dir string, args ...string) ([]byte, error) {
	// Killed, it leaves what it has compiled where temporary files go.
	tmp, remove, err := scratch.Dir("go")
	if err != nil {
		return nil, err
	}
	defer func() { _ = remove() }()
	cmd := exec.CommandContext(ctx, "go", args...)
	cmd.Dir = dir
	// An empty value would give way to one that the user set with go env -w.
	cmd.Env = append(os.Environ(), "GOWORK=off", "GOFLAGS=-buildvcs=false", "GOTOOLCHAIN=local", "CGO_ENABLED=0",
		"GOOS=linux", "GOARCH="+g.arch, "GOAMD64=v1", "GOFIPS140=off", "GOTMPDIR="+tmp)
	if g.cache != "" {
		cmd.Env = append(cmd.Env, "GOCACHE="+g.cache)
	}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = 5 * time.Second
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err = cmd.Run()
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	if errors.Is(err, exec.ErrNotFound) {
		return nil, errors.New("the go command is not installed: a release can only be built from source where Go is (https://go.dev/doc/install)")
	}
	if err != nil {
		return stdout.Bytes(), fmt.Errorf("go %s: %w: %s", strings.Join(args, " "), err, lastLines(stderr.String(), 12))
	}
	return stdout.Bytes(), nil
}

// fetch downloads a module at an exact version.
func (g *goTool) fetch(ctx context.Context, path, version string) (fetched, error) {
	if err := module.Check(path, version); err != nil {
		return fetched{}, fmt.Errorf("module version: %w", err)
	}
	// Outside a module, so that no go.mod of ours takes part.
	dir, remove, err := scratch.Dir("fetch")
	if err != nil {
		return fetched{}, fmt.Errorf("fetching %s: %w", path, err)
	}
	defer func() { _ = remove() }()
	out, err := g.run(ctx, dir, "mod", "download", "-json", path+"@"+version)
	var f fetched
	if jsonErr := json.Unmarshal(out, &f); jsonErr != nil && err == nil {
		err = jsonErr
	}
	if f.Error != "" {
		err = errors.New(f.Error)
	}
	if err != nil {
		return fetched{}, fetchError(path, version, err)
	}
	f.committed, err = commitTime(f.Info)
	return f, err
}

// errNotServed marks a version that the module proxy says it does not have or
// does not give. A proxy that cannot be reached has said nothing.
var errNotServed = errors.New("the module proxy does not serve it")

// refusal is what the go command quotes of such an answer. For a proxy that is
// a directory, it is that of the file system.
var refusal = regexp.MustCompile(`: (403 Forbidden|404 Not Found|410 Gone)(\s|$)|: no such file or directory$`)

func fetchError(path, version string, err error) error {
	if refusal.MatchString(err.Error()) {
		err = fmt.Errorf("%w: %w", errNotServed, err)
	}
	return fmt.Errorf("fetching module %s %s: %w", path, version, err)
}

func commitTime(infoFile string) (time.Time, error) {
	data, err := os.ReadFile(infoFile)
	if err != nil {
		return time.Time{}, fmt.Errorf("reading a module's date: %w", err)
	}
	var info struct{ Time time.Time }
	if err := json.Unmarshal(data, &info); err != nil {
		return time.Time{}, fmt.Errorf("reading a module's date: %w", err)
	}
	return info.Time.UTC(), nil
}

// writeModfile writes dir/go.mod and dir/go.sum with which f can be built as
// the main module out of the module cache. A main module keeps exactly the
// dependency versions that its authors chose, but its replace lines point to
// directories of its repository that a module download does not hold. Those
// directories are published as modules too: at the version that the go.mod
// requires or, where that is the placeholder v0.0.0 (Kubernetes' staging
// modules), at v0.<minor>.<patch> of the main module.
func writeModfile(dir string, f fetched) error {
	data, err := os.ReadFile(f.GoMod)
	if err != nil {
		return fmt.Errorf("reading go.mod of %s: %w", f.Path, err)
	}
	mod, err := modfile.Parse(f.GoMod, data, nil)
	if err != nil {
		return fmt.Errorf("reading go.mod of %s: %w", f.Path, err)
	}
	required := map[string]string{}
	for _, r := range mod.Require {
		required[r.Mod.Path] = r.Mod.Version
	}
	for _, r := range slices.Clone(mod.Replace) {
		old := r.Old // r is cleared when its line is dropped
		if !modfile.IsDirectoryPath(r.New.Path) {
			continue
		}
		version, known := required[old.Path]
		if version == "v0.0.0" {
			version = stagingVersion(f.Version)
		}
		if known {
			err = mod.AddReplace(old.Path, old.Version, old.Path, version)
		} else {
			// A guard against an import that must not happen.
			err = mod.DropReplace(old.Path, old.Version)
		}
		if err != nil {
			return fmt.Errorf("rewriting go.mod of %s: %w", f.Path, err)
		}
	}
	mod.Cleanup()
	text, err := mod.Format()
	if err != nil {
		return fmt.Errorf("rewriting go.mod of %s: %w", f.Path, err)
	}
	if err := os.WriteFile(filepath.Join(dir, "go.mod"), text, 0o644); err != nil {
		return fmt.Errorf("writing go.mod for %s: %w", f.Path, err)
	}
	sums, err := os.ReadFile(filepath.Join(f.Dir, "go.sum"))
	if err != nil && !os.IsNotExist(err) {
		return fmt.Errorf("reading go.sum of %s: %w", f.Path, err)
	}
	return os.WriteFile(filepath.Join(dir, "go.sum"), sums, 0o644)
}

// stagingVersion maps v1.34.4 to v0.34.4.
func stagingVersion(version string) string {
	_, rest, _ := strings.Cut(version, ".")
	return "v0." + rest
}

func lastLines(text string, n int) string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	if len(lines) > n {
		lines = lines[len(lines)-n:]
	}
	return strings.Join(lines, " | ")
}
