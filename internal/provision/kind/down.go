package kind

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/qualify-dev/qualify/internal/bootstrap"
	"github.com/qualify-dev/qualify/internal/cluster"
	"github.com/qualify-dev/qualify/internal/provision"
)

// Down removes everything with the lease's label, and asks again until the
// engine says that nothing has it; see provision.Provisioner.
func (p *provisioner) Down(ctx context.Context, lease provision.Lease) error {
	if lease.Name == "" {
		return errors.New("tearing down: the lease has no name")
	}
	const tries, wait = 5, 60 // rounds of a second
	filter := labelLease + "=" + lease.Name
	var last error
	for round, busy := 0, false; round < tries || busy && round < wait; round++ {
		// In this order: a maker may end, and what it made be seen only after.
		busy = makerAtWork("/proc", lease.Name)
		left, err := list(ctx, filter)
		if err != nil {
			return fmt.Errorf("tearing down %s: %w", lease.Name, err)
		}
		if len(left) == 0 && !busy {
			return nil
		}
		last = nil
		for _, r := range left {
			last = errors.Join(last, remove(ctx, r))
		}
		if last != nil || busy {
			// Something may still be going away: a container holds its network
			// for a moment after it is gone.
			select {
			case <-ctx.Done():
			case <-time.After(time.Second):
			}
		}
	}
	left, err := list(ctx, filter)
	if err != nil {
		return fmt.Errorf("tearing down %s: %w", lease.Name, err)
	}
	if len(left) > 0 {
		return &provision.LeftoverError{Resources: left, Err: last}
	}
	if makerAtWork("/proc", lease.Name) {
		return fmt.Errorf("tearing down %s: a docker command is still making something of it", lease.Name)
	}
	return nil
}

// makerAtWork tells whether a docker command on this machine is making
// something of a lease. Those that kind's library started outlive a process
// that was killed, and what they make comes after an empty listing.
func makerAtWork(proc, lease string) bool {
	files, _ := filepath.Glob(filepath.Join(proc, "[0-9]*", "cmdline"))
	for _, file := range files {
		line, err := os.ReadFile(file)
		if err != nil {
			continue // it has ended
		}
		argv := strings.Split(strings.TrimSuffix(string(line), "\x00"), "\x00")
		if len(argv) > 1 && path.Base(argv[0]) != "docker" {
			argv = argv[1:] // a script comes after its interpreter
		}
		words := strings.Join(argv[1:], " ")
		makes := func(verb string) bool { return strings.HasPrefix(words, verb+" ") }
		if path.Base(argv[0]) == "docker" && slices.ContainsFunc([]string{"run", "create", "commit", "network create"}, makes) && strings.Contains(words, lease) {
			return true
		}
	}
	return false
}

// remove removes one resource; one that is gone already is removed.
func remove(ctx context.Context, r provision.Resource) error {
	var err error
	switch r.Kind {
	case "container":
		err = removeContainer(ctx, r, freezer)
	case "network":
		_, err = docker(ctx, "network", "rm", r.ID)
	case "image":
		_, err = docker(ctx, "rmi", "-f", r.ID)
	default:
		return fmt.Errorf("removing %s %s: unknown kind of resource", r.Kind, r.Name)
	}
	if err == nil || isAbsent(err) {
		return nil
	}
	return fmt.Errorf("removing %s %s: %w", r.Kind, r.Name, err)
}

// removeContainer removes a container with its anonymous volumes: a node keeps
// /var in one. One that the engine cannot end is thawed and removed again.
func removeContainer(ctx context.Context, r provision.Resource, freezer string) error {
	_, err := docker(ctx, "rm", "-f", "-v", r.ID)
	if err == nil || isAbsent(err) || ctx.Err() != nil {
		return err
	}
	freed, thawErr := thaw(freezer, r)
	if freed == 0 {
		return errors.Join(err, thawErr)
	}
	_, err = docker(ctx, "rm", "-f", "-v", r.ID)
	if isAbsent(err) {
		return nil
	}
	return errors.Join(err, thawErr)
}

// purge removes the node images, which are kept from run to run.
func purge(ctx context.Context, dryRun bool) ([]provision.Resource, error) {
	out, err := docker(ctx, "image", "ls", "--quiet", "--no-trunc", "--filter", "label="+labelCache+"=node-image", "--filter", "reference=qualify/node")
	if err != nil {
		return nil, fmt.Errorf("listing node images: %w", err)
	}
	var images []provision.Resource
	var problems error
	for _, id := range lines(out) {
		r, err := inspect(ctx, "image", id)
		if isAbsent(err) {
			continue
		}
		if err != nil {
			return images, err
		}
		images = append(images, r)
		if !dryRun {
			problems = errors.Join(problems, remove(ctx, r))
		}
	}
	return images, problems
}

// Collect writes each node's journals, pod logs and container logs into dir;
// see provision.Provisioner.
func (p *provisioner) Collect(ctx context.Context, lease provision.Lease, dir string) error {
	nodes, err := leaseNodes(ctx, lease)
	if err != nil {
		return fmt.Errorf("collecting logs: %w", err)
	}
	var problems error
	for _, n := range nodes {
		if err := p.collectNode(ctx, n.name, filepath.Join(dir, n.name)); err != nil {
			problems = errors.Join(problems, fmt.Errorf("collecting logs of %s: %w", n.name, err))
		}
	}
	return problems
}

func (p *provisioner) collectNode(ctx context.Context, container, dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	problems := bootstrap.Collect(ctx, p.cfg.Sink, dir, func(ctx context.Context, cmd cluster.Cmd, w io.Writer) error {
		_, err := node{container}.stream(ctx, cmd, w)
		return err
	})
	out, err := docker(ctx, "logs", "--tail", "2000", container)
	if err == nil {
		err = p.cfg.Sink.WriteFile(filepath.Join(dir, "container.log"), []byte(out))
	}
	return errors.Join(problems, err)
}
