package source

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/qualify-dev/qualify/internal/cache"
	"github.com/qualify-dev/qualify/internal/scratch"
)

// unit is one compilation: some programs of one module, built with that
// module as the main module.
type unit struct {
	module, version string
	programs        map[string]string // file name -> package, relative to the module or an import path
	tests           map[string]string // file name -> package whose test binary it is
	tags            string
	ldflags         func(fetched) string
	// needs are further packages, whose sources have to be there before anything
	// is compiled: what a later unit lacks should not be found out in an hour.
	needs []string
}

// compileVersion is part of every key: raise it when the way of compiling
// changes the bytes.
const compileVersion = "1"

// compile returns the directory with the unit's files, compiled now or taken
// from the cache. The key holds everything that shapes the bytes: toolchain,
// source checksum, flags.
func (b *builder) compile(ctx context.Context, u unit) (string, error) {
	f, err := b.tool.fetch(ctx, u.module, u.version)
	if err != nil {
		return "", err
	}
	flags := []string{"-mod=mod", "-buildvcs=false", "-trimpath"}
	if u.tags != "" {
		flags = append(flags, "-tags="+u.tags)
	}
	ldflags := "-s -w"
	if u.ldflags != nil {
		ldflags += " " + u.ldflags(f)
	}
	flags = append(flags, "-ldflags="+ldflags)
	key := cache.Key(compileVersion, b.tool.version, b.tool.arch, f.Path, f.Version, f.Sum,
		strings.Join(flags, " "), fmt.Sprint(u.programs), fmt.Sprint(u.tests))
	dir, hit, err := b.cache.Do(ctx, "compiled", key, func(dir string) error {
		return b.compileInto(ctx, dir, f, u, flags)
	})
	b.step.cached = hit
	return dir, err
}

func (b *builder) compileInto(ctx context.Context, dir string, f fetched, u unit, flags []string) error {
	work, remove, err := scratch.Dir("modfile")
	if err != nil {
		return fmt.Errorf("compiling %s: %w", f.Path, err)
	}
	defer func() { _ = remove() }()
	if err := writeModfile(work, f); err != nil {
		return err
	}
	flags = append(flags, "-modfile="+filepath.Join(work, "go.mod"))
	if len(u.needs) > 0 {
		args := append([]string{"list", "-deps", "-test", "-f", "{{.ImportPath}}"}, flags...)
		if _, err := b.tool.run(ctx, f.Dir, append(args, u.needs...)...); err != nil {
			return fmt.Errorf("fetching the sources of all of %s %s: %w", f.Path, f.Version, err)
		}
	}
	for _, name := range sortedKeys(u.programs) {
		args := append([]string{"build", "-o", filepath.Join(dir, name)}, flags...)
		if _, err := b.tool.run(ctx, f.Dir, append(args, u.programs[name])...); err != nil {
			return fmt.Errorf("compiling %s: %w", name, err)
		}
	}
	for _, name := range sortedKeys(u.tests) {
		args := append([]string{"test", "-c", "-vet=off", "-o", filepath.Join(dir, name)}, flags...)
		if _, err := b.tool.run(ctx, f.Dir, append(args, u.tests[name])...); err != nil {
			return fmt.Errorf("compiling %s: %w", name, err)
		}
	}
	return nil
}
