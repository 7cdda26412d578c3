package main

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"
)

// capNames are the kernel's capabilities; the index is the number.
var capNames = [...]string{
	"CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_DAC_READ_SEARCH", "CAP_FOWNER",
	"CAP_FSETID", "CAP_KILL", "CAP_SETGID", "CAP_SETUID",
	"CAP_SETPCAP", "CAP_LINUX_IMMUTABLE", "CAP_NET_BIND_SERVICE", "CAP_NET_BROADCAST",
	"CAP_NET_ADMIN", "CAP_NET_RAW", "CAP_IPC_LOCK", "CAP_IPC_OWNER",
	"CAP_SYS_MODULE", "CAP_SYS_RAWIO", "CAP_SYS_CHROOT", "CAP_SYS_PTRACE",
	"CAP_SYS_PACCT", "CAP_SYS_ADMIN", "CAP_SYS_BOOT", "CAP_SYS_NICE",
	capSysResource, "CAP_SYS_TIME", "CAP_SYS_TTY_CONFIG", "CAP_MKNOD",
	"CAP_LEASE", "CAP_AUDIT_WRITE", "CAP_AUDIT_CONTROL", "CAP_SETFCAP",
	"CAP_MAC_OVERRIDE", "CAP_MAC_ADMIN", "CAP_SYSLOG", "CAP_WAKE_ALARM",
	"CAP_BLOCK_SUSPEND", "CAP_AUDIT_READ", "CAP_PERFMON", "CAP_BPF",
	"CAP_CHECKPOINT_RESTORE",
}

// capSysResource is what lets a process raise its limits and protect itself
// from the out-of-memory killer.
const capSysResource = "CAP_SYS_RESOURCE"

// rlimitNumbers are the kernel's resource limits on Linux; the syscall
// package names only some of them.
var rlimitNumbers = map[string]int{
	"RLIMIT_CPU": 0, "RLIMIT_FSIZE": 1, "RLIMIT_DATA": 2, "RLIMIT_STACK": 3,
	"RLIMIT_CORE": 4, "RLIMIT_RSS": 5, "RLIMIT_NPROC": 6, "RLIMIT_NOFILE": 7,
	"RLIMIT_MEMLOCK": 8, "RLIMIT_AS": 9, "RLIMIT_LOCKS": 10, "RLIMIT_SIGPENDING": 11,
	"RLIMIT_MSGQUEUE": 12, "RLIMIT_NICE": 13, "RLIMIT_RTPRIO": 14, "RLIMIT_RTTIME": 15,
}

// limits is what this process can grant a container.
type limits struct {
	caps map[string]bool
	// hard holds the hard limit of each resource whose limit could be read.
	hard map[string]uint64
}

// ownLimits reads the limits of this process.
func ownLimits() (limits, error) {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return limits{}, fmt.Errorf("reading own capabilities: %w", err)
	}
	caps, err := boundingSet(status)
	if err != nil {
		return limits{}, fmt.Errorf("reading own capabilities: %w", err)
	}
	hard := map[string]uint64{}
	for name, number := range rlimitNumbers {
		var l syscall.Rlimit
		if err := syscall.Getrlimit(number, &l); err == nil {
			hard[name] = l.Max
		}
	}
	return limits{caps: caps, hard: hard}, nil
}

// boundingSet names the capabilities of CapBnd in the text of a status file.
// The bounding set counts, not the permitted one: runc runs as root, and root
// gets the whole bounding set when it starts a program.
func boundingSet(status []byte) (map[string]bool, error) {
	scanner := bufio.NewScanner(bytes.NewReader(status))
	for scanner.Scan() {
		value, found := strings.CutPrefix(scanner.Text(), "CapBnd:")
		if !found {
			continue
		}
		bits, err := strconv.ParseUint(strings.TrimSpace(value), 16, 64)
		if err != nil {
			return nil, fmt.Errorf("parsing CapBnd: %w", err)
		}
		caps := map[string]bool{}
		for number, name := range capNames {
			if bits&(1<<number) != 0 {
				caps[name] = true
			}
		}
		return caps, nil
	}
	return nil, fmt.Errorf("status file has no CapBnd line")
}
