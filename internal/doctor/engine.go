package doctor

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/bits"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// engine is what the container engine says about itself. err tells why it
// said nothing.
type engine struct {
	ServerVersion  string
	Driver         string
	DockerRootDir  string
	DefaultRuntime string
	ServerErrors   []string

	err error
}

const engineTimeout = 15 * time.Second

// runtimeName is what hack/setup calls the runtime that asks for no more than
// the host can grant.
const runtimeName = "qualify"

// inspectEngine asks the engine once for all checks about it.
func (o Options) inspectEngine(ctx context.Context) engine {
	ctx, cancel := context.WithTimeout(ctx, engineTimeout)
	defer cancel()
	raw, err := o.Output(ctx, Cmd{Argv: []string{"docker", "info", "--format", "{{json .}}"}})
	if err != nil {
		return engine{err: err}
	}
	var e engine
	if err := json.Unmarshal(raw, &e); err != nil {
		return engine{err: fmt.Errorf("reading what the engine says of itself: %w", err)}
	}
	if len(e.ServerErrors) > 0 {
		return engine{err: errors.New(e.ServerErrors[0])}
	}
	// Some clients describe themselves and exit 0 when no engine is there.
	if e.ServerVersion == "" {
		return engine{err: errors.New("no engine answers")}
	}
	return e
}

func (o Options) checkClient() Check {
	const name = "engine-client"
	path, err := o.LookPath("docker")
	if err != nil {
		return found(Fail, name, "no docker on PATH", setup)
	}
	return ok(name, "%s", path)
}

func checkEngine(e engine) Check {
	const name = "engine"
	if e.err != nil {
		return found(Fail, name, oneLine(e.err.Error()), setup)
	}
	return ok(name, "version %s, default runtime %s", e.ServerVersion, e.DefaultRuntime)
}

func checkStorage(e engine) Check {
	const name = "engine-storage"
	if e.err != nil {
		return unknown(name, errors.New("the engine does not answer"), setup)
	}
	if e.Driver == "vfs" {
		return found(Warn, name, "vfs copies every layer of every node whole",
			"move "+e.DockerRootDir+" to a file system that overlay2 supports, such as ext4")
	}
	return ok(name, "%s", e.Driver)
}

// capabilityNames are the ones whose absence has a consequence to tell.
var capabilityNames = map[int]string{
	12: "CAP_NET_ADMIN", 21: "CAP_SYS_ADMIN", 24: "CAP_SYS_RESOURCE",
}

// essential is what no runtime can replace: a node mounts file systems and
// makes network interfaces.
const essential = uint64(1<<12 | 1<<21)

// checkCapabilities tells whether privileged containers can start. The engine
// asks for every capability for them, and runc refuses when one is missing.
func (o Options) checkCapabilities(e engine) Check {
	const name = "capabilities"
	lacking, total, err := o.lackingCapabilities()
	if err != nil {
		return unknown(name, err, "mount the proc file system")
	}
	if lacking == 0 {
		return ok(name, "root has all %d", total)
	}
	detail := fmt.Sprintf("root lacks %s", nameCapabilities(lacking))
	switch {
	case lacking&essential != 0:
		return found(Fail, name, detail+", without which no node can run",
			"use a host or a virtual machine whose root is not restricted")
	case e.err != nil:
		return found(Warn, name, detail+"; whether the engine can cope is not known: it does not answer", setup)
	case e.DefaultRuntime != runtimeName:
		return found(Fail, name, detail+", so the engine's runtime "+e.DefaultRuntime+" starts no privileged container",
			"stop the engine, then "+setup+": it starts one that asks for less")
	}
	return ok(name, "%s; the engine's runtime %s copes", detail, runtimeName)
}

// lackingCapabilities is the set of the capabilities that the kernel knows and
// this host's root may not have, and the number that the kernel knows.
func (o Options) lackingCapabilities() (lacking uint64, total int, err error) {
	last, err := o.procNumber("sys/kernel/cap_last_cap")
	if err != nil {
		return 0, 0, err
	}
	if last > 63 {
		return 0, 0, fmt.Errorf("the kernel's last capability is %d, more than this program knows", last)
	}
	status, err := os.ReadFile(filepath.Join(o.ProcDir, "self/status"))
	if err != nil {
		return 0, 0, fmt.Errorf("reading the bounding set: %w", err)
	}
	text, is := fieldOf(string(status), "CapBnd:")
	if !is {
		return 0, 0, errors.New("the process's status names no bounding set")
	}
	has, err := strconv.ParseUint(text, 16, 64)
	if err != nil {
		return 0, 0, fmt.Errorf("reading the bounding set: %w", err)
	}
	total = int(last) + 1
	return (uint64(1)<<total - 1) &^ has, total, nil
}

// nameCapabilities names a set, by numbers where there is no more to say.
func nameCapabilities(set uint64) string {
	var names []string
	for ; set != 0; set &= set - 1 {
		number := bits.TrailingZeros64(set)
		name := capabilityNames[number]
		if name == "" {
			name = "capability " + strconv.Itoa(number)
		}
		names = append(names, name)
	}
	return strings.Join(names, ", ")
}
