package e2e

import (
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/qualify-dev/qualify/internal/result"
)

// TestStoppedEngineIsInfrastructure stops the container engine while the
// cluster comes up. It only does so to an engine that hack/setup started and
// that runs nothing of anybody else's.
func TestStoppedEngineIsInfrastructure(t *testing.T) {
	const pidFile = "/var/run/docker.pid"
	data, err := os.ReadFile(pidFile)
	if err != nil {
		t.Skipf("the engine's process is not known: %v", err)
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(data)))
	if err != nil {
		t.Fatal(err)
	}
	if others := docker(t, "ps", "-aq"); others != "" {
		t.Skipf("the engine runs other containers: %s", others)
	}
	setup := func() {
		if out, err := exec.Command("../hack/setup").CombinedOutput(); err != nil {
			t.Fatalf("starting the engine again: %v: %s", err, out)
		}
	}
	p := start(t, "--os", "debian-12", "--k8s", k8s)
	t.Cleanup(func() {
		_ = p.cmd.Process.Kill()
		setup()
		gc(t, p.results)
		p.nothingLeft()
	})
	p.awaitEvent("create", runLimit, func(e result.Event) bool { return e.Kind == result.PhaseStarted && e.Phase == "create" })
	time.Sleep(8 * time.Second)
	if err := syscall.Kill(pid, syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if code := p.wait(); code != 3 {
		t.Fatalf("exit code %d, want 3", code)
	}
	if doc := p.verdict(); doc.Verdict != result.Inconclusive || !hasReason(doc, result.ReasonInfrastructure, "") {
		t.Errorf("verdict %s, reasons %+v", doc.Verdict, doc.Reasons)
	}
}
