package kind

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/qualify-dev/qualify/internal/provision"
)

// freezer is where the kernel shows frozen groups, with control groups of
// version 1.
const freezer = "/sys/fs/cgroup/freezer"

// containerID is the engine's name of a container. It becomes a part of a path.
var containerID = regexp.MustCompile(`^[0-9a-f]{64}$`)

// thaw lets the processes of one of our containers run that are frozen, and
// returns how many groups of them there were. A runc that is killed while it
// changes a pod leaves the pod's group frozen. What is frozen does not die, so
// the engine waits for the node's end and gives up: "did not receive an exit
// event". The engine itself freezes a group only for a moment, or where a user
// pauses a container, and here somebody has asked for its end.
func thaw(root string, r provision.Resource) (freed int, err error) {
	if r.Kind != "container" || r.Lease.Name == "" || !containerID.MatchString(r.ID) {
		return 0, nil // not ours, or no container
	}
	// As the engine's two ways to make groups call them.
	for _, group := range []string{filepath.Join("docker", r.ID), filepath.Join("system.slice", "docker-"+r.ID+".scope")} {
		walk := filepath.WalkDir(filepath.Join(root, group), func(dir string, entry fs.DirEntry, err error) error {
			if errors.Is(err, fs.ErrNotExist) {
				return nil // there is no such group, or it has ended
			}
			if err != nil || !entry.IsDir() {
				return err
			}
			thawed, err := thawGroup(filepath.Join(dir, "freezer.state"))
			if thawed {
				freed++
			}
			return err
		})
		err = errors.Join(err, walk)
	}
	if err != nil {
		return freed, fmt.Errorf("thawing what is frozen in container %s: %w", r.Name, err)
	}
	return freed, nil
}

// thawGroup lets one group run, where it does not. One that is frozen by
// the group around it says so too, and runs when that does.
func thawGroup(file string) (thawed bool, err error) {
	state, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) || err == nil && strings.TrimSpace(string(state)) == "THAWED" {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	f, err := os.OpenFile(file, os.O_WRONLY, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	_, err = f.WriteString("THAWED\n")
	return err == nil, errors.Join(err, f.Close())
}
