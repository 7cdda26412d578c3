package claim

import (
	"bytes"
	"os"
	"strconv"
	"strings"
)

// place tells a process from every other one, also from a later one of its
// number. Where the system does not say all of it, Boot is empty, and nobody
// is ever taken to have ended on its word.
type place struct {
	Boot      string `json:"boot,omitempty"`      // of the machine, since it started
	Namespace string `json:"namespace,omitempty"` // in which the number counts
	PID       int    `json:"pid"`
	Start     string `json:"start,omitempty"` // clock ticks after boot at which it began
}

// self is this process.
func self() place {
	p := here()
	p.PID = os.Getpid()
	if p.Start = startOf(p.PID); p.Start == "" {
		p.Boot = ""
	}
	return p
}

// here is this machine, as far as processes can be told apart on it.
func here() place {
	boot, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return place{}
	}
	namespace, err := os.Readlink("/proc/self/ns/pid")
	if err != nil {
		return place{}
	}
	return place{Boot: string(bytes.TrimSpace(boot)), Namespace: namespace}
}

// ended is true only where that is certain.
func (p place) ended() bool {
	now := here()
	if p.Boot == "" || p.Boot != now.Boot || p.Namespace != now.Namespace {
		return false
	}
	return startOf(p.PID) != p.Start
}

// startOf returns when a process began, "" where there is none of the number
// or it has ended and only waits to be reaped.
func startOf(pid int) string {
	stat, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return ""
	}
	// The second field is the program's name, in parentheses and with any
	// character in it: the fields are counted from the last parenthesis on.
	const state, start = 0, 19
	fields := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
	if len(fields) <= start || fields[state] == "Z" || fields[state] == "X" {
		return ""
	}
	return fields[start]
}
