package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"time"

	"github.com/qualify-dev/qualify/internal/sink"
)

// hostFacts says on what machine a run was made: a reader who repeats it
// elsewhere needs to know what may differ.
func hostFacts(ctx context.Context, s *sink.Sink) []string {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	facts := []string{fmt.Sprintf("cpus: %d", runtime.NumCPU())}
	add := func(name, value string) {
		if value != "" {
			facts = append(facts, s.Text(name+": "+value))
		}
	}
	add("kernel", firstLineOf("/proc/sys/kernel/osrelease"))
	add("memory", memory())
	cgroups := "v1"
	if _, err := os.Stat("/sys/fs/cgroup/cgroup.controllers"); err == nil {
		cgroups = "v2"
	}
	add("cgroups", cgroups)
	if out, err := exec.CommandContext(ctx, "docker", "version", "--format", "{{.Server.Version}}").Output(); err == nil {
		add("docker", strings.TrimSpace(string(out)))
	}
	return facts
}

func firstLineOf(file string) string {
	data, err := os.ReadFile(file)
	if err != nil {
		return ""
	}
	line, _, _ := strings.Cut(string(data), "\n")
	return strings.TrimSpace(line)
}

func memory() string {
	data, err := os.ReadFile("/proc/meminfo")
	if err != nil {
		return ""
	}
	for _, line := range strings.Split(string(data), "\n") {
		if rest, ok := strings.CutPrefix(line, "MemTotal:"); ok {
			return strings.TrimSpace(rest)
		}
	}
	return ""
}
