// Command ociruntime is an OCI runtime that stands in front of runc on a host
// whose root may not do everything.
//
// A container engine asks for every capability it knows when a container is
// privileged. runc refuses the whole container when the host cannot grant one
// of them, although the container hardly ever needs it. ociruntime removes
// from the request what this host cannot grant, then becomes runc, with the
// arguments it was called with. On a host that lacks nothing it changes
// nothing.
//
// The engine is told about it with
//
//	dockerd --add-runtime qualify=PATH --default-runtime qualify
//
// The environment variable QUALIFY_RUNC names the runc to become; without it
// the first runc on PATH is taken. A failure before runc starts is told on
// stderr and exits with code 1, as runc's own failures do.
package main

import (
	"fmt"
	"os"
	"os/exec"
	"syscall"
)

func main() {
	if err := run(os.Args, syscall.Exec); err != nil {
		fmt.Fprintln(os.Stderr, "ociruntime:", err)
		os.Exit(1)
	}
}

// execFunc replaces the process; it returns only when it fails.
type execFunc func(path string, argv, env []string) error

// run trims the request that argv names, if it names one, and becomes runc.
func run(argv []string, become execFunc) error {
	runc, err := runcPath()
	if err != nil {
		return err
	}
	if req, ok := findRequest(argv[1:]); ok {
		own, err := ownLimits()
		if err != nil {
			return err
		}
		if err := trimFile(req, own); err != nil {
			return err
		}
	}
	if err := become(runc, append([]string{runc}, argv[1:]...), os.Environ()); err != nil {
		return fmt.Errorf("starting %s: %w", runc, err)
	}
	return nil
}

// runcPath is the program to become.
func runcPath() (string, error) {
	if path := os.Getenv("QUALIFY_RUNC"); path != "" {
		return path, nil
	}
	path, err := exec.LookPath("runc")
	if err != nil {
		return "", fmt.Errorf("finding runc (name it in QUALIFY_RUNC): %w", err)
	}
	return path, nil
}
