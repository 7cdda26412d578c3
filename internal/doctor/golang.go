package doctor

import (
	"context"
	"fmt"
	"go/version"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/qualify-dev/qualify/internal/scratch"
)

// minimumGo is the oldest Go that builds qualify and the releases: the one
// that go.mod names.
const minimumGo = "go1.26.4"

const (
	goRemedy = "install " + minimumGo + " or later and put it on PATH"

	// probe is a module that every plan needs and whose description is small.
	probe         = "sigs.k8s.io/kind@v0.33.0"
	probeTimeout  = 20 * time.Second
	modulesRemedy = "set GOPROXY to a module proxy that this host reaches (go env GOPROXY)"
)

func (o Options) checkGo(ctx context.Context) Check {
	const name = "go"
	path, err := o.LookPath("go")
	if err != nil {
		return found(Fail, name, "no go on PATH", goRemedy)
	}
	ctx, cancel := context.WithTimeout(ctx, probeTimeout)
	defer cancel()
	// Outside of any module: a go.mod here could name another toolchain.
	raw, err := o.Output(ctx, Cmd{Argv: []string{"go", "env", "GOVERSION"}, Dir: os.TempDir()})
	if err != nil {
		return found(Fail, name, oneLine(err.Error()), goRemedy)
	}
	// A vendor's or an experiment's build adds words to the version.
	said := strings.TrimSpace(string(raw))
	have, _, _ := strings.Cut(said, " ")
	if !version.IsValid(have) {
		return found(Warn, name, fmt.Sprintf("%s says it is %q", path, oneLine(said)), goRemedy)
	}
	if version.Compare(have, minimumGo) < 0 {
		return found(Fail, name, have+" at "+path, goRemedy)
	}
	return ok(name, "%s at %s", have, path)
}

// checkModules fetches the description of one module, past the module cache:
// a cached answer would prove nothing. Without the network, what is cached is
// still enough for plans that were run before.
func (o Options) checkModules(ctx context.Context) Check {
	const name = "modules"
	if _, err := o.LookPath("go"); err != nil {
		return unknown(name, fmt.Errorf("no go on PATH"), goRemedy)
	}
	dir, remove, err := scratch.Dir("doctor")
	if err != nil {
		return unknown(name, err, "make the folder for temporary files writable")
	}
	defer func() { _ = remove() }()
	if err := os.WriteFile(filepath.Join(dir, "go.mod"), []byte("module probe\n"), 0o600); err != nil {
		return unknown(name, err, "make the folder for temporary files writable")
	}
	// The cache must be removable although Go makes its files read-only.
	fresh := o.listProbe(ctx, dir, "GOMODCACHE="+filepath.Join(dir, "cache"))
	if fresh == nil {
		return ok(name, "%s can be fetched", probe)
	}
	if err := o.listProbe(ctx, dir, "GOPROXY=off"); err == nil {
		return found(Warn, name, "only what is cached can be had: "+oneLine(fresh.Error()), modulesRemedy)
	}
	return found(Fail, name, oneLine(fresh.Error()), modulesRemedy)
}

// listProbe asks the go command for the probe by its exact version: lists of
// versions are refused by some proxies that do serve the module.
func (o Options) listProbe(ctx context.Context, dir string, env ...string) error {
	ctx, cancel := context.WithTimeout(ctx, probeTimeout)
	defer cancel()
	_, err := o.Output(ctx, Cmd{
		Argv: []string{"go", "list", "-m", probe},
		Dir:  dir,
		Env:  append(env, "GOFLAGS=-mod=mod -modcacherw", "GOWORK=off"),
	})
	return err
}
