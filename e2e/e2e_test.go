// Package e2e tests the real path on real clusters: the program as its user
// starts it, with assertions on what it writes. It needs a container engine,
// so it runs with QUALIFY_E2E=1 only (make e2e).
package e2e

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/qualify-dev/qualify/internal/report"
	"github.com/qualify-dev/qualify/internal/result"
)

// k8s is the release that the tests qualify.
const k8s = "v1.34.4"

// runLimit bounds one run of the program; only that of many cells has another
// release to build.
const runLimit = 30 * time.Minute

func TestMain(m *testing.M) {
	if os.Getenv("QUALIFY_E2E") == "" {
		println("e2e: skipped: real clusters are tested with QUALIFY_E2E=1 (make e2e)")
		os.Exit(0)
	}
	// No test's limits have room for the compiler: on a new machine it takes longer
	// than most of them.
	build := exec.Command("../bin/qualify", "release", "build", "--k8s", k8s)
	build.Stdout, build.Stderr = os.Stderr, os.Stderr
	if err := build.Run(); err != nil {
		println("e2e: the release cannot be built (make build makes bin/qualify):", err.Error())
		os.Exit(1)
	}
	os.Exit(m.Run())
}

// program is the built binary.
func program(t *testing.T) string {
	t.Helper()
	path, err := filepath.Abs("../bin/qualify")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(path); err != nil {
		t.Fatalf("bin/qualify is not built: make build: %v", err)
	}
	return path
}

// process is a started program.
type process struct {
	t       *testing.T
	cmd     *exec.Cmd
	results string
	decoy   string // stands for the user's kubeconfig
	before  map[string]bool
	stdout  bytes.Buffer
	stderr  bytes.Buffer
	ended   chan error
}

// start runs the program with a results directory of its own and a decoy
// kubeconfig in the environment, which it must never touch.
func start(t *testing.T, args ...string) *process {
	t.Helper()
	p := &process{t: t, results: t.TempDir(), decoy: filepath.Join(t.TempDir(), "kubeconfig"), before: map[string]bool{}}
	for _, resource := range resources(t) {
		p.before[resource] = true
	}
	if err := os.WriteFile(p.decoy, []byte("the user's own\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if data, err := os.ReadFile(p.decoy); err != nil || string(data) != "the user's own\n" {
			t.Errorf("the user's kubeconfig was touched: %q, %v", data, err)
		}
		if t.Failed() {
			t.Logf("stdout:\n%s\nstderr:\n%s", p.stdout.String(), p.stderr.String())
			gc(t, p.results) // so that the next test starts on a clean machine
		}
	})
	p.again(args...)
	return p
}

// again runs the program once more on the same results.
func (p *process) again(args ...string) {
	p.t.Helper()
	cmd := exec.Command(program(p.t), append(args, "--results", p.results)...)
	cmd.Env = append(os.Environ(), "KUBECONFIG="+p.decoy, "CI=true")
	cmd.Stdout, cmd.Stderr = &p.stdout, &p.stderr
	if err := cmd.Start(); err != nil {
		p.t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait(); close(ended) }()
	p.cmd, p.ended = cmd, ended
	p.t.Cleanup(func() { // where the test gave up on it
		_ = cmd.Process.Kill()
		<-ended //nolint:errcheck // how it ended is told elsewhere
	})
}

// wait returns the exit code.
func (p *process) wait() int {
	p.t.Helper()
	select {
	case err := <-p.ended:
		var exit *exec.ExitError
		if err != nil && !errors.As(err, &exit) {
			p.t.Fatal(err)
		}
		return p.cmd.ProcessState.ExitCode()
	case <-time.After(runLimit):
		_ = p.cmd.Process.Kill()
		p.t.Fatalf("the program did not end within %s", runLimit)
	}
	return -1
}

func (p *process) file(name string) string { return filepath.Join(p.results, "latest", name) }

func (p *process) verdict() result.Document {
	p.t.Helper()
	data, err := os.ReadFile(p.file("verdict.json"))
	if err != nil {
		p.t.Fatal(err)
	}
	var doc result.Document
	if err := json.Unmarshal(data, &doc); err != nil {
		p.t.Fatal(err)
	}
	return doc
}

// await waits until the journal holds an event of a kind, and returns it.
func (p *process) await(kind result.Kind, within time.Duration) result.Event {
	p.t.Helper()
	return p.awaitEvent(string(kind), within, func(e result.Event) bool { return e.Kind == kind })
}

// awaitEvent waits until the journal holds an event that match accepts.
func (p *process) awaitEvent(what string, within time.Duration, match func(result.Event) bool) result.Event {
	p.t.Helper()
	for end := time.Now().Add(within); time.Now().Before(end); time.Sleep(200 * time.Millisecond) {
		// A journal that is being written may have a torn tail, no more.
		events, _, err := result.ReadFile(p.file("journal.jsonl"))
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			p.t.Fatal(err)
		}
		for _, e := range events {
			if match(e) {
				return e
			}
		}
		select {
		case err := <-p.ended:
			p.t.Fatalf("the program ended (%v) before the journal had a %q", err, what)
		default:
		}
	}
	p.t.Fatalf("no %q in the journal within %s", what, within)
	return result.Event{}
}

func docker(t *testing.T, args ...string) string {
	t.Helper()
	out, err := exec.Command("docker", args...).CombinedOutput()
	if err != nil {
		t.Fatalf("docker %s: %v: %s", strings.Join(args, " "), err, out)
	}
	return strings.TrimSpace(string(out))
}

// resources returns what the engine holds of runs, anybody's.
func resources(t *testing.T) []string {
	t.Helper()
	var all []string
	for _, args := range [][]string{
		{"ps", "-a", "--filter", "label=dev.qualify.lease", "--format", `{{.Names}} {{.Label "dev.qualify.lease"}}`},
		{"network", "ls", "--filter", "label=dev.qualify.lease", "--format", `{{.Name}} {{.Label "dev.qualify.lease"}}`},
		{"image", "ls", "--filter", "reference=qualify/cell", "--format", "{{.Repository}} {{.Tag}}"},
		{"volume", "ls", "--filter", "dangling=true", "--format", "{{.Name}} dangling"},
	} {
		for _, line := range strings.Split(docker(t, args...), "\n") {
			// What others start from our node images has the label, emptied.
			if fields := strings.Fields(line); len(fields) == 2 {
				all = append(all, args[0]+" "+line)
			}
		}
	}
	return all
}

// nothingLeft fails where the engine holds more than when the process was
// started: a machine may have seen a run that was killed before this test.
func (p *process) nothingLeft() {
	p.t.Helper()
	for _, resource := range resources(p.t) {
		if !p.before[resource] {
			p.t.Errorf("left over: %s", resource)
		}
	}
}

func hasReason(doc result.Document, code, text string) bool {
	for _, r := range doc.Reasons {
		if r.Code == code && strings.Contains(r.Text, text) {
			return true
		}
	}
	return false
}

func TestQualifiesAGoodRelease(t *testing.T) {
	p := start(t, "--os", "debian-12", "--k8s", k8s)
	if code := p.wait(); code != 0 {
		t.Fatalf("exit code %d, want 0", code)
	}
	p.nothingLeft()
	doc := p.verdict()
	if doc.Verdict != result.Qualified || doc.ExitCode != 0 || len(doc.Reasons) != 0 || len(doc.Cells) != 1 {
		t.Fatalf("verdict: %+v", doc)
	}
	cell := doc.Cells[0]
	if cell.Identity.Checked < 20 || len(cell.Identity.Mismatched) != 0 {
		t.Errorf("identity: %+v", cell.Identity)
	}
	passed := 0
	for _, s := range cell.Suites {
		passed += s.Passed
		if s.Passed != s.Expected || s.Expected == 0 {
			t.Errorf("suite %+v", s)
		}
	}
	if passed < 45 {
		t.Errorf("%d cases passed, want at least 45", passed)
	}
	for _, name := range []string{"image", "create", "ready", "identify-before", "smoke", "conformance", "identify-after", "down"} {
		if !hasPhase(cell, name) {
			t.Errorf("no phase %q: %+v", name, cell.Phases)
		}
	}
	checkJUnit(t, p, cell.ID, passed)
	checkPage(t, p)
	judgedAgain(t, p)
}

func hasPhase(c result.CellVerdict, name string) bool {
	for _, p := range c.Phases {
		if p.Name == name {
			return true
		}
	}
	return false
}

// checkJUnit reads the cell's file back and counts its passed cases.
func checkJUnit(t *testing.T, p *process, cell string, passed int) {
	t.Helper()
	f, err := os.Open(p.file(filepath.FromSlash(report.JUnitFile(cell))))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	found := 0
	err = report.ReadJUnit(f, func(c report.JUnitCase) error {
		if c.Outcome == result.Pass && (c.Suite == "smoke" || c.Suite == "conformance") {
			found++
		}
		return nil
	})
	if err != nil || found != passed {
		t.Errorf("JUnit: %d passed cases, want %d; %v", found, passed, err)
	}
}

func checkPage(t *testing.T, p *process) {
	t.Helper()
	page, err := os.ReadFile(p.file("report.html"))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"Qualified", "kubernetes-" + k8s + "-source", "sha256:"} {
		if !bytes.Contains(page, []byte(want)) {
			t.Errorf("the page does not say %q", want)
		}
	}
	for _, network := range []string{"http://", "https://", "<script"} {
		if bytes.Contains(page, []byte(network)) {
			t.Errorf("the page has %q: it must need no network and no script", network)
		}
	}
}

// judgedAgain judges the run from its journal alone: the same bytes.
func judgedAgain(t *testing.T, p *process) {
	t.Helper()
	out, err := exec.Command(program(t), "judge", p.file("")).Output()
	if err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(p.file("verdict.json"))
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(out, data) {
		t.Error("judging the run again gives other bytes")
	}
}

func TestBrokenKubeletIsTheReleasesFault(t *testing.T) {
	dir := t.TempDir()
	broken := filepath.Join(dir, "kubelet")
	const words = "this kubelet is broken on purpose"
	if err := os.WriteFile(broken, []byte("#!/bin/sh\necho "+words+" >&2\nexit 1\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command(program(t), "release", "build", "--k8s", k8s, "--replace", "bin/linux/amd64/kubelet="+broken, "--out", filepath.Join(dir, "release")).Output()
	if err != nil {
		t.Fatal(err)
	}
	p := start(t, "--os", "debian-12", "--release", strings.TrimSpace(string(out)))
	if code := p.wait(); code != 1 {
		t.Fatalf("exit code %d, want 1", code)
	}
	p.nothingLeft()
	doc := p.verdict()
	if doc.Verdict != result.NotQualified || !hasReason(doc, result.ReasonProductFault, "kubelet") || !hasReason(doc, result.ReasonProductFault, words) {
		t.Errorf("the reason does not name the kubelet and show its journal: %+v", doc.Reasons)
	}
	if logs, err := filepath.Glob(p.file("cells/*/logs/*/kubelet.log")); err != nil || len(logs) == 0 {
		t.Errorf("no logs were collected: %v, %v", logs, err)
	}
}

func TestSwappedImageIsFoundOut(t *testing.T) {
	p := start(t, "--os", "debian-12", "--k8s", k8s, "--suite", "smoke")
	e := p.await(result.SuiteStarted, runLimit)
	worker := docker(t, "ps", "--filter", "label=dev.qualify.lease="+p.lease(e.Cell), "--filter", "name=worker2", "--format", "{{.Names}}")
	image := "registry.k8s.io/kube-proxy:" + k8s
	pause := ""
	for _, ref := range strings.Fields(docker(t, "exec", worker, "ctr", "-n", "k8s.io", "images", "ls", "-q")) {
		if strings.Contains(ref, "/pause:") {
			pause = ref
		}
	}
	docker(t, "exec", worker, "ctr", "-n", "k8s.io", "images", "tag", "--force", pause, image)
	if code := p.wait(); code != 3 {
		t.Fatalf("exit code %d, want 3", code)
	}
	p.nothingLeft()
	doc := p.verdict()
	if doc.Verdict != result.Inconclusive || !hasReason(doc, result.ReasonIdentityMismatch, image) {
		t.Errorf("the swapped image is not named: %+v", doc.Reasons)
	}
}

func TestInterruptTearsDown(t *testing.T) {
	p := start(t, "--os", "debian-12", "--k8s", k8s)
	p.await(result.CaseEnded, runLimit)
	if err := p.cmd.Process.Signal(syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	if code := p.wait(); code != 130 {
		t.Fatalf("exit code %d, want 130", code)
	}
	p.nothingLeft()
	if doc := p.verdict(); doc.Verdict == result.Qualified || doc.ExitCode != 130 {
		t.Errorf("verdict %s, exit code %d", doc.Verdict, doc.ExitCode)
	}
}

func TestKilledRunIsCollected(t *testing.T) {
	p := start(t, "--os", "debian-12", "--k8s", k8s)
	e := p.await(result.SuiteStarted, runLimit)
	if err := p.cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	p.wait()
	if docker(t, "ps", "-q", "--filter", "label=dev.qualify.lease="+p.lease(e.Cell)) == "" {
		t.Fatal("a killed run left nothing to collect: this test tests nothing")
	}
	gc(t, p.results)
	p.nothingLeft()
	out, err := exec.Command(program(t), "judge", p.file("")).CombinedOutput()
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.ExitCode() != 3 {
		t.Errorf("judging a killed run: %v, want exit code 3: %s", err, out)
	}
}

// A run that is killed, wherever, is gone on with: the verdict is that of a run
// that nobody disturbed, and nothing is left.
func TestKilledRunIsResumed(t *testing.T) {
	inPhase := func(name string) func(result.Event) bool {
		return func(e result.Event) bool { return e.Kind == result.PhaseStarted && e.Phase == name }
	}
	for _, test := range []struct {
		name   string
		match  func(result.Event) bool
		adopts bool
	}{
		{"while nodes are made", inPhase("create"), false},
		{"while the cluster comes up", inPhase("ready"), false},
		{"in a suite", func(e result.Event) bool { return e.Kind == result.CaseEnded }, true},
		{"in the teardown", inPhase("down"), false},
	} {
		t.Run(test.name, func(t *testing.T) {
			p := start(t, "--os", "debian-12", "--k8s", k8s, "--suite", "smoke")
			p.awaitEvent(test.name, runLimit, test.match)
			if test.name == "while nodes are made" {
				time.Sleep(3 * time.Second) // in the middle of it
			}
			if err := p.cmd.Process.Kill(); err != nil {
				t.Fatal(err)
			}
			p.wait()
			before := p.events()
			p.again("resume", "latest")
			if code := p.wait(); code != 0 {
				t.Fatalf("resumed: exit code %d, want 0", code)
			}
			p.nothingLeft()
			if doc := p.verdict(); doc.Verdict != result.Qualified || doc.Cells[0].Suites[0].Passed != doc.Cells[0].Suites[0].Expected {
				t.Errorf("verdict %+v", doc)
			}
			after := p.events()[len(before):]
			adopted := slices.ContainsFunc(after, inPhase("adopt"))
			if adopted != test.adopts {
				t.Errorf("the cluster was taken over: %v, want %v", adopted, test.adopts)
			}
			known := cases(before)
			for name := range cases(after) {
				if adopted && known[name] {
					t.Errorf("%q was run again", name)
				}
			}
			judgedAgain(t, p)
		})
	}
}

func (p *process) events() []result.Event {
	p.t.Helper()
	events, _, err := result.ReadFile(p.file("journal.jsonl"))
	if err != nil {
		p.t.Fatal(err)
	}
	return events
}

// lease returns the name of a cell's resources.
func (p *process) lease(cell string) string {
	p.t.Helper()
	for _, e := range p.events() {
		if e.Kind == result.LeaseOpened && e.Cell == cell {
			return e.Lease.Name
		}
	}
	p.t.Fatalf("the journal has no lease of cell %q", cell)
	return ""
}

// cases returns the names of the cases that ended.
func cases(events []result.Event) map[string]bool {
	names := map[string]bool{}
	for _, e := range events {
		if e.Kind == result.CaseEnded {
			names[e.Case.Name] = true
		}
	}
	return names
}

func gc(t *testing.T, results string) {
	t.Helper()
	if out, err := exec.Command(program(t), "gc", "--results", results).CombinedOutput(); err != nil {
		t.Fatalf("gc: %v: %s", err, out)
	}
}
