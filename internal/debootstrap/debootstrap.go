// Package debootstrap makes root filesystems of Debian-family systems, as
// tar files with stable bytes: the same recipe from the same mirror state
// gives the same digest, wherever and whenever it is made.
package debootstrap

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sort"
	"strings"
	"syscall"
	"time"

	"github.com/qualify-dev/qualify/internal/cache"
)

// Recipe says which filesystem to make.
type Recipe struct {
	Suite    string   // "bookworm"
	Packages []string // on top of the minbase variant
	Script   string   // run in the new root by `sh -euc`, after the packages; may be empty
}

// recipeVersion is part of every cache key: raise it when the way of making
// or packing changes the bytes.
const recipeVersion = "3"

// Tar returns the path of the recipe's root filesystem as an uncompressed tar
// file, made now or taken from the cache. It needs root and debootstrap.
func Tar(ctx context.Context, c cache.Cache, r Recipe) (string, error) {
	packages := append([]string(nil), r.Packages...)
	sort.Strings(packages)
	key := cache.Key(append([]string{recipeVersion, r.Suite, r.Script}, packages...)...)
	dir, _, err := c.Do(ctx, "rootfs", key, func(dir string) error {
		root := filepath.Join(dir, "root")
		defer removeRoot(root)
		if err := install(ctx, root, Recipe{Suite: r.Suite, Packages: packages, Script: r.Script}); err != nil {
			return err
		}
		if err := neutralise(root); err != nil {
			return err
		}
		return packFile(root, filepath.Join(dir, "rootfs.tar"))
	})
	if err != nil {
		return "", fmt.Errorf("making a %s root filesystem: %w", r.Suite, err)
	}
	return filepath.Join(dir, "rootfs.tar"), nil
}

func install(ctx context.Context, root string, r Recipe) error {
	args := []string{"--variant=minbase"}
	if len(r.Packages) > 0 {
		args = append(args, "--include="+strings.Join(r.Packages, ","))
	}
	if err := run(ctx, root, "debootstrap", append(args, r.Suite, root)...); err != nil {
		return err
	}
	if r.Script == "" {
		return nil
	}
	return run(ctx, root, "chroot", root, "sh", "-euc", r.Script)
}

// run starts a command that is killed with its whole process group when ctx
// ends: debootstrap's children would otherwise go on installing.
func run(ctx context.Context, root, name string, args ...string) error {
	cmd := confined(ctx, name, args)
	cmd.Env = append(os.Environ(), "DEBIAN_FRONTEND=noninteractive", "LC_ALL=C", "SOURCE_DATE_EPOCH=0")
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = 5 * time.Second
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	err := cmd.Run()
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if errors.Is(err, exec.ErrNotFound) {
		return fmt.Errorf("%s is not installed: run hack/setup", name)
	}
	if err != nil {
		return fmt.Errorf("%s: %w: %s", name, err, failure(root, out.String()))
	}
	return nil
}

// confined is a command whose processes and mounts end with it, and with this
// process, however that ends: debootstrap mounts file systems, and a killed
// one that left them, or its children at work, would make the next attempt
// remove files of the host through them, or race with it. Without the rights of
// root there are no mounts.
func confined(ctx context.Context, name string, args []string) *exec.Cmd {
	plain := exec.CommandContext(ctx, name, args...)
	unshare, err := exec.LookPath("unshare")
	if err != nil || plain.Err != nil || os.Geteuid() != 0 {
		return plain
	}
	return exec.CommandContext(ctx, unshare, append([]string{"--mount", "--pid", "--fork", "--kill-child", "--mount-proc", "--", name}, args...)...)
}

// failure is the end of what a failed debootstrap said: its own log, when it
// got as far as writing one, tells more than its output.
func failure(root, output string) string {
	if log, err := os.ReadFile(filepath.Join(root, "debootstrap", "debootstrap.log")); err == nil {
		output += "\n" + string(log)
	}
	lines := strings.Split(strings.TrimSpace(output), "\n")
	if len(lines) > 8 {
		lines = lines[len(lines)-8:]
	}
	return strings.Join(lines, " | ")
}

// removeRoot unmounts what an aborted debootstrap may have left mounted in
// root before deleting it: deleting through a mounted /proc or /sys would
// reach the host's.
func removeRoot(root string) {
	for _, name := range []string{"proc", "sys"} {
		_ = syscall.Unmount(filepath.Join(root, name), syscall.MNT_DETACH)
	}
	_ = os.RemoveAll(root)
}
