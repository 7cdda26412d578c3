package ginkgo

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/onsi/ginkgo/v2/types"
)

// waitFor waits until a spec has left a trace.
func waitFor(t *testing.T, dir, name string) {
	t.Helper()
	for range 600 {
		if _, err := os.Stat(filepath.Join(dir, name)); err == nil {
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
	t.Errorf("no spec left the trace %q", name)
}

// gone waits until the process whose number a spec left behind is no more.
func gone(t *testing.T, dir, name string) {
	t.Helper()
	pid, err := strconv.Atoi(read(t, dir, name))
	if err != nil {
		t.Fatal(err)
	}
	state := ""
	for range 100 {
		stat, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "stat"))
		if err != nil {
			return
		}
		// An orphan that nobody reaps here is dead all the same.
		if _, state, _ = strings.Cut(string(stat), ") "); strings.HasPrefix(state, "Z") {
			return
		}
		time.Sleep(20 * time.Millisecond)
	}
	t.Errorf("process %d of %q still runs: %s", pid, name, state)
}

// interrupt runs a spec, cancels the run when the spec has left a trace, and
// returns how long the run took from there.
func interrupt(t *testing.T, run Run, trace string) (map[string][]types.SpecReport, time.Duration) {
	t.Helper()
	ctx, cancel := context.WithCancelCause(t.Context())
	defer cancel(nil)
	var start time.Time
	done := make(chan struct{})
	go func() {
		defer close(done)
		waitFor(t, run.Dir, trace)
		start = time.Now()
		cancel(errors.New("the user has had enough"))
	}()
	reports, err := execute(t, ctx, run)
	<-done
	if err == nil || !strings.Contains(err.Error(), "interrupted: the user has had enough") {
		t.Errorf("interrupted run: %v", err)
	}
	return reports, time.Since(start)
}

// An interrupted spec cleans up and is reported as interrupted.
func TestExecuteInterrupted(t *testing.T) {
	t.Parallel()
	const name = "[sample] dying waits to be interrupted"
	run := sampleRun(t, "", name)
	run.Grace = time.Minute
	reports, took := interrupt(t, run, "waits")
	if got := reports[name]; len(got) != 1 || got[0].State != types.SpecStateInterrupted {
		t.Errorf("reported %v", got)
	}
	waitFor(t, run.Dir, "cleaned")
	if took > run.Grace/2 {
		t.Errorf("took %v", took)
	}
}

// A spec that does not let itself be interrupted is killed when its grace has
// run out, with all that it started.
func TestExecuteKilled(t *testing.T) {
	t.Parallel()
	run := sampleRun(t, "", "[sample] dying hangs")
	run.Grace = 0 // as little as there is
	reports, took := interrupt(t, run, "hangs")
	if len(reports) > 0 {
		t.Errorf("reported %v", reports)
	}
	if took > 20*time.Second {
		t.Errorf("took %v", took)
	}
	gone(t, run.Dir, "hangs")
	gone(t, run.Dir, "child")
}

// What specs leave running ends with their process, however that ends.
func TestExecuteLeavesNoProcess(t *testing.T) {
	t.Parallel()
	run := sampleRun(t, "", "[sample] dying leaves a child")
	if _, err := execute(t, t.Context(), run); err != nil {
		t.Error(err)
	}
	gone(t, run.Dir, "child")
	run = sampleRun(t, "", "[sample] dying leaves a child", "[sample] dying exits with 7")
	if _, err := execute(t, t.Context(), run); err == nil {
		t.Error("a dead process is no error")
	}
	gone(t, run.Dir, "child")
}

// What specs leave of temporary files is gone when they have run.
func TestExecuteLeavesNoTemporaryFile(t *testing.T) {
	leavesNoTemporaryFile(t, "", func(run Run) error {
		_, err := execute(t, t.Context(), run)
		return err
	})
}

// Kubernetes' binary leaves some as soon as it starts.
func TestListLeavesNoTemporaryFile(t *testing.T) {
	leavesNoTemporaryFile(t, "litters", func(run Run) error {
		_, err := run.List(t.Context(), "")
		return err
	})
}

func leavesNoTemporaryFile(t *testing.T, mode string, do func(Run) error) {
	t.Helper()
	own := t.TempDir()
	t.Setenv("TMPDIR", own)
	run := sampleRun(t, mode, "[sample] leaves a temporary file")
	if err := do(run); err != nil {
		t.Error(err)
	}
	left := strings.TrimSpace(read(t, run.Dir, "temporary"))
	if !strings.HasPrefix(left, own+string(filepath.Separator)) {
		t.Errorf("the spec wrote %q, outside of %q", left, own)
	}
	if found, err := os.ReadDir(own); err != nil || len(found) > 0 {
		t.Errorf("left: %v, error %v", found, err)
	}
}

// Nothing of the caller's environment leads the suite to another cluster or
// steers Ginkgo.
func TestExecuteEnvironment(t *testing.T) {
	for _, name := range []string{"KUBECONFIG", "GINKGO_TIME_FORMAT", "KUBE_TEST_REPO_LIST", "SAMPLE_STAYS"} {
		t.Setenv(name, "from-outside")
	}
	const name = "[sample] shows its environment"
	reports, err := execute(t, t.Context(), sampleRun(t, "", name))
	if err != nil || len(reports[name]) != 1 {
		t.Fatalf("error %v, reports %v", err, reports)
	}
	var outside []string
	for line := range strings.Lines(reports[name][0].CapturedGinkgoWriterOutput) {
		if name, ok := strings.CutSuffix(strings.TrimSpace(line), "=from-outside"); ok {
			outside = append(outside, name)
		}
	}
	if len(outside) != 1 || outside[0] != "SAMPLE_STAYS" {
		t.Errorf("passed on: %q", outside)
	}
}
