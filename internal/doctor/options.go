package doctor

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"time"
)

// Options are the doctor's eyes. A zero field looks at the real host.
type Options struct {
	ProcDir  string // /proc
	SysDir   string // /sys
	CacheDir string // where qualify keeps what it builds; may not exist yet
	CPUs     int

	// LookPath finds a program.
	LookPath func(name string) (string, error)
	// Output runs a command and returns its standard output.
	Output func(ctx context.Context, cmd Cmd) ([]byte, error)
	// DiskFree is the number of bytes that may be written under path.
	DiskFree func(path string) (uint64, error)
}

// Cmd is a command to run. Env is added to the process's own.
type Cmd struct {
	Argv []string
	Dir  string
	Env  []string
}

func (o Options) withDefaults() Options {
	if o.ProcDir == "" {
		o.ProcDir = "/proc"
	}
	if o.SysDir == "" {
		o.SysDir = "/sys"
	}
	if o.CacheDir == "" {
		o.CacheDir = os.TempDir()
	}
	if o.CPUs == 0 {
		o.CPUs = runtime.NumCPU()
	}
	if o.LookPath == nil {
		o.LookPath = exec.LookPath
	}
	if o.Output == nil {
		o.Output = output
	}
	if o.DiskFree == nil {
		o.DiskFree = diskFree
	}
	return o
}

// output runs cmd. The error of a command that failed is what it said last,
// since its exit code tells a reader nothing.
func output(ctx context.Context, cmd Cmd) ([]byte, error) {
	c := exec.CommandContext(ctx, cmd.Argv[0], cmd.Argv[1:]...)
	c.Dir = cmd.Dir
	c.Env = append(os.Environ(), cmd.Env...)
	// A child that holds the pipe must not hold the doctor.
	c.WaitDelay = time.Second
	out, err := c.Output()
	if ctx.Err() != nil {
		return out, fmt.Errorf("running %s: %w", strings.Join(cmd.Argv, " "), ctx.Err())
	}
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		if said := lastLine(string(exit.Stderr)); said != "" {
			return out, fmt.Errorf("running %s: %s", strings.Join(cmd.Argv, " "), said)
		}
	}
	if err != nil {
		return out, fmt.Errorf("running %s: %w", strings.Join(cmd.Argv, " "), err)
	}
	return out, nil
}

func lastLine(text string) string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	return strings.TrimSpace(lines[len(lines)-1])
}

// diskFree asks the file system of path, or of the nearest folder above it
// that exists: that is where path will be made.
func diskFree(path string) (uint64, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return 0, fmt.Errorf("finding %s: %w", path, err)
	}
	for {
		var s syscall.Statfs_t
		err := syscall.Statfs(path, &s)
		if err == nil {
			return s.Bavail * uint64(s.Bsize), nil
		}
		parent := filepath.Dir(path)
		if !errors.Is(err, os.ErrNotExist) || parent == path {
			return 0, fmt.Errorf("asking the file system of %s: %w", path, err)
		}
		path = parent
	}
}
