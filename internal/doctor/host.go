package doctor

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// The sizes are decimal, as disks and machines are sold: a "4 GB" machine
// shows its kernel less than 4 GiB.
const (
	gigabyte = 1_000_000_000

	diskFail, diskWarn     = 10 * gigabyte, 25 * gigabyte
	memoryFail, memoryWarn = 4 * gigabyte, 8 * gigabyte
)

// What several nodes on one host need; hack/setup raises to the same.
const (
	inotifyInstances = 8192
	inotifyWatches   = 1048576
)

func (o Options) checkCgroups() Check {
	const name = "cgroups"
	root := filepath.Join(o.SysDir, "fs/cgroup")
	if exists(filepath.Join(root, "cgroup.controllers")) {
		return ok(name, "version 2")
	}
	if exists(filepath.Join(root, "devices")) {
		return ok(name, "version 1; Kubernetes 1.35 and later need failCgroupV1: false here, which qualify sets by itself")
	}
	return found(Fail, name, "no control groups under "+root, setup)
}

func (o Options) checkDisk(name, path string) Check {
	free, err := o.DiskFree(path)
	if err != nil {
		return unknown(name, err, "look at "+path+" with df")
	}
	detail := fmt.Sprintf("%s free at %s", size(free), path)
	return graded(Check{Name: name, Detail: detail}, free, diskFail, diskWarn,
		func(want string) string { return "free space at " + path + " until " + want + " are there" })
}

// checkEngineDisk looks at the engine's own folder, which grows with every
// node and image.
func (o Options) checkEngineDisk(e engine) Check {
	const name = "disk-engine"
	if e.err != nil {
		return unknown(name, errors.New("the engine does not answer"), setup)
	}
	if !exists(e.DockerRootDir) {
		return unknown(name, fmt.Errorf("%s is not on this host", e.DockerRootDir), "look at the engine's own host with df")
	}
	return o.checkDisk(name, e.DockerRootDir)
}

func (o Options) checkMemory() Check {
	const name = "memory"
	info, err := os.ReadFile(filepath.Join(o.ProcDir, "meminfo"))
	if err != nil {
		return unknown(name, err, "mount the proc file system")
	}
	text, _ := fieldOf(string(info), "MemTotal:")
	kibibytes, err := strconv.ParseUint(strings.TrimSuffix(text, " kB"), 10, 64)
	if err != nil {
		return unknown(name, fmt.Errorf("reading MemTotal: %w", err), "look at the machine with free")
	}
	total := kibibytes * 1024
	return graded(Check{Name: name, Detail: size(total)}, total, memoryFail, memoryWarn,
		func(want string) string { return "use a machine with at least " + want })
}

func (o Options) checkCPUs() Check {
	const name = "cpus"
	if o.CPUs < 2 {
		return found(Warn, name, strconv.Itoa(o.CPUs), "use a machine with at least 2: deadlines are meant for that")
	}
	return ok(name, "%d", o.CPUs)
}

func (o Options) checkInotify() Check {
	const name = "inotify"
	instances, err := o.procNumber("sys/fs/inotify/max_user_instances")
	if err != nil {
		return unknown(name, err, "mount the proc file system")
	}
	watches, err := o.procNumber("sys/fs/inotify/max_user_watches")
	if err != nil {
		return unknown(name, err, "mount the proc file system")
	}
	if instances < inotifyInstances || watches < inotifyWatches {
		return found(Warn, name,
			fmt.Sprintf("%d instances of %d, %d watches of %d: nodes may fail with 'too many open files'",
				instances, inotifyInstances, watches, inotifyWatches), setup)
	}
	return ok(name, "%d instances, %d watches", instances, watches)
}

func (o Options) checkDebootstrap() Check {
	const name = "debootstrap"
	path, err := o.LookPath("debootstrap")
	if err != nil {
		return found(Fail, name, "no debootstrap on PATH: node images of Debian cannot be made", setup)
	}
	return ok(name, "%s", path)
}

// graded fills in the status of an amount, and the remedy with the amount
// that would be enough.
func graded(c Check, have, fail, warn uint64, remedy func(want string) string) Check {
	switch {
	case have < fail:
		c.Status, c.Remedy = Fail, remedy(size(fail))
	case have < warn:
		c.Status, c.Remedy = Warn, remedy(size(warn))
	default:
		c.Status = OK
	}
	return c
}

// size writes bytes as gigabytes, rounded down: 9.99 must not read as the 10
// that would be enough.
func size(bytes uint64) string {
	tenths := bytes / (gigabyte / 10)
	return fmt.Sprintf("%d.%d GB", tenths/10, tenths%10)
}

// procNumber reads a file of proc that holds one number.
func (o Options) procNumber(path string) (uint64, error) {
	raw, err := os.ReadFile(filepath.Join(o.ProcDir, path))
	if err != nil {
		return 0, fmt.Errorf("reading a kernel setting: %w", err)
	}
	n, err := strconv.ParseUint(strings.TrimSpace(string(raw)), 10, 64)
	if err != nil {
		return 0, fmt.Errorf("reading the kernel setting %s: %w", path, err)
	}
	return n, nil
}

// fieldOf is the rest of the line that begins with key.
func fieldOf(text, key string) (string, bool) {
	for line := range strings.Lines(text) {
		if rest, is := strings.CutPrefix(line, key); is {
			return strings.TrimSpace(rest), true
		}
	}
	return "", false
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}
