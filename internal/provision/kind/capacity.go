package kind

import (
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"

	"github.com/qualify-dev/qualify/internal/provision"
)

// What one node needs of this machine while suites run, as measured on two
// clusters of three with six test processes each: a control plane had 655 MiB,
// 27 inotify instances and 355 watches, a worker up to 387 MiB, 14 and 296.
const (
	nodeMemory    = 700 << 20 // bytes
	nodeInstances = 32        // of inotify
	nodeWatches   = 400
	// A cluster keeps one core busy while it comes up, and half of one while its
	// specs wait. With less, specs fail for slowness.
	cellCores = 1
	// hostMemory stays with the engine, this program and the test processes.
	hostMemory = 2 << 30
)

// machine is what clusters share.
type machine struct {
	memory             uint64 // bytes that are free for use
	cores              int
	instances, watches uint64 // of inotify, for each user
}

// inspectMachine reads the machine's facts below root (tests give another).
func inspectMachine(root string) (machine, error) {
	m := machine{cores: runtime.NumCPU()}
	info, err := os.ReadFile(root + "/proc/meminfo")
	if err != nil {
		return m, fmt.Errorf("reading how much memory is free: %w", err)
	}
	for line := range strings.Lines(string(info)) {
		if rest, is := strings.CutPrefix(line, "MemAvailable:"); is {
			m.memory, err = strconv.ParseUint(strings.TrimSuffix(strings.TrimSpace(rest), " kB"), 10, 54)
			m.memory <<= 10
		}
	}
	if err != nil || m.memory == 0 {
		return m, fmt.Errorf("reading how much memory is free: /proc/meminfo does not say: %w", err)
	}
	for name, to := range map[string]*uint64{"max_user_instances": &m.instances, "max_user_watches": &m.watches} {
		text, err := os.ReadFile(root + "/proc/sys/fs/inotify/" + name)
		if err == nil {
			*to, err = strconv.ParseUint(strings.TrimSpace(string(text)), 10, 63)
		}
		if err != nil {
			return m, fmt.Errorf("reading the limits of inotify: %w", err)
		}
	}
	return m, nil
}

// room is how many clusters of some nodes this machine takes at a time. One is
// always tried; what it lacks for that, the doctor says.
func room(nodes int) provision.Room {
	m, err := inspectMachine("")
	if err != nil {
		return provision.Room{Cells: 1, Why: err.Error()}
	}
	return m.room(nodes)
}

func (m machine) room(nodes int) provision.Room {
	need := uint64(max(nodes, 1))
	memory := uint64(0)
	if m.memory > hostMemory {
		memory = (m.memory - hostMemory) / (need * nodeMemory)
	}
	least := provision.Room{Cells: max(1, m.cores/cellCores), Why: fmt.Sprintf("%d cores, a cluster needs %d", m.cores, cellCores)}
	for _, bound := range []struct {
		cells uint64
		why   string
	}{
		{memory, fmt.Sprintf("%.1f GiB of memory are free, a cluster of %d nodes needs %.1f and all else %.1f", gib(m.memory), nodes, gib(need*nodeMemory), gib(hostMemory))},
		{m.instances / (need * nodeInstances), fmt.Sprintf("%d inotify instances, a cluster of %d nodes needs %d", m.instances, nodes, need*nodeInstances)},
		{m.watches / (need * nodeWatches), fmt.Sprintf("%d inotify watches, a cluster of %d nodes needs %d", m.watches, nodes, need*nodeWatches)},
	} {
		if bound.cells < uint64(least.Cells) {
			least = provision.Room{Cells: max(1, int(bound.cells)), Why: bound.why}
		}
	}
	return least
}

func gib(bytes uint64) float64 { return float64(bytes) / (1 << 30) }
