package source

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"

	"github.com/qualify-dev/qualify/internal/cache"
)

// compilePause builds Kubernetes' pause program. It is the one part in C: its
// source is in the module, and it wants a static binary of a few kilobytes.
func (b *builder) compilePause(ctx context.Context, version string) (string, error) {
	f, err := b.tool.fetch(ctx, kubernetesModule, b.version)
	if err != nil {
		return "", err
	}
	cc, err := exec.CommandContext(ctx, "gcc", "--version").Output()
	if errors.Is(err, exec.ErrNotFound) {
		return "", errors.New("gcc is not installed, and pause is a C program: run hack/setup")
	}
	if err != nil {
		return "", fmt.Errorf("asking gcc for its version: %w", err)
	}
	key := cache.Key(compileVersion, string(cc), b.tool.arch, f.Sum, version)
	dir, hit, err := b.cache.Do(ctx, "compiled", key, func(dir string) error {
		cmd := exec.CommandContext(ctx, "gcc", "-Os", "-Wall", "-static", "-s", "-DVERSION=v"+version,
			"-Wl,--build-id=none", "-o", filepath.Join(dir, "pause"), "pause.c")
		cmd.Dir = filepath.Join(f.Dir, "build", "pause", "linux")
		cmd.Env = append(os.Environ(), "TMPDIR="+dir)
		if out, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("compiling pause: %w: %s", err, lastLines(string(out), 8))
		}
		return nil
	})
	b.step.cached = hit
	return dir, err
}
