// Package ginkgo runs a compiled Ginkgo test binary with several processes
// and streams each spec's report as it ends.
package ginkgo

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/onsi/ginkgo/v2/types"

	"github.com/qualify-dev/qualify/internal/scratch"
	"github.com/qualify-dev/qualify/internal/sink"
)

// Run is one run of some specs of a test binary.
type Run struct {
	Binary string
	Args   []string // the binary's own flags
	Suite  string   // the suite's description, as List returns it
	Specs  []string // full texts of the specs to run; nothing else runs
	Procs  int      // processes; at least 2, since one alone reports to nobody
	Dir    string   // where logs go; exists
	Sink   *sink.Sink
	// Grace is the time that interrupted specs have for cleaning up before
	// they are killed.
	Grace time.Duration
}

// Execute runs the specs and calls onSpec for each report as it arrives, one
// at a time. The error means that the run did not reach its end, or that the
// suite's own set-up or clean-up failed; failed specs are no error.
func (r Run) Execute(ctx context.Context, onSpec func(types.SpecReport)) (err error) {
	if len(r.Specs) == 0 {
		return errors.New("no spec to run")
	}
	r.Procs = max(r.Procs, 2)
	file, err := r.create("specs.jsonl")
	if err != nil {
		return err
	}
	record := &recorder{file: file}
	defer func() { err = errors.Join(err, record.close()) }()
	output, err := r.create("output.log")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, output.Close()) }()
	reports := newCollector(r.Specs, record, onSpec)
	processes := make([]*process, r.Procs)
	for i := range processes {
		processes[i] = &process{number: i + 1, log: filepath.Join(r.Dir, processLog(i+1))}
	}
	alive := func(n int) bool { return !processes[n-1].ended.Load() }
	s, err := newServer(r.Procs, output, alive, reports.take)
	if err != nil {
		return fmt.Errorf("serving the test processes: %w", err)
	}
	defer s.close()
	r.runProcesses(ctx, processes, s.address())
	around := reports.end()
	if ctx.Err() != nil {
		return fmt.Errorf("interrupted: %w", context.Cause(ctx))
	}
	for _, p := range processes {
		err = errors.Join(err, cmp.Or(p.err, s.complete(p)))
	}
	if err = errors.Join(err, around, s.refusals()); err != nil {
		return err
	}
	return reports.missing()
}

// process is one process of the test binary.
type process struct {
	number int
	log    string // file with what it prints
	status int    // its exit status, once ended; only 0 and 1 are no error
	err    error  // why it could not be run to its end
	ended  atomic.Bool
}

// runProcesses starts all processes and waits for all of them.
func (r Run) runProcesses(ctx context.Context, processes []*process, address string) {
	seed := fmt.Sprint(time.Now().Unix())
	var wg sync.WaitGroup
	for _, p := range processes {
		wg.Go(func() {
			defer p.ended.Store(true)
			p.err = r.runProcess(ctx, p, address, seed)
		})
	}
	wg.Wait()
}

// runProcess runs one process to its end. Exit status 1 is no error here: it
// mostly means that specs failed, and complete looks whether it does.
func (r Run) runProcess(ctx context.Context, p *process, address, seed string) (err error) {
	f, err := r.create(processLog(p.number))
	if err != nil {
		return err
	}
	args := append([]string{
		"--test.timeout=0", "--ginkgo.timeout=24h", "--ginkgo.no-color", "--ginkgo.seed=" + seed,
		"--ginkgo.focus=" + Focus(r.Suite, r.Specs), "--ginkgo.parallel.host=" + address,
		fmt.Sprintf("--ginkgo.parallel.process=%d", p.number), fmt.Sprintf("--ginkgo.parallel.total=%d", r.Procs),
	}, r.Args...)
	cmd := command(ctx, r.Binary, args...)
	cmd.Env = append(cmd.Env, "GINKGO_PARALLEL_PROTOCOL=HTTP")
	// Interrupted, Ginkgo lets its specs clean up; a hung one is killed.
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGINT) }
	cmd.WaitDelay = max(r.Grace, time.Second) // none at all would wait for ever
	err = runInto(cmd, f)
	var exit *exec.ExitError
	if errors.As(err, &exit) && exit.ExitCode() == 1 {
		p.status, err = 1, nil
	}
	if err != nil {
		return fmt.Errorf("test process %d: %w: %s", p.number, err, tail(p.log))
	}
	return nil
}

// reap kills what a process has left in its group, such as a port forwarder
// of a spec that never came to clean up.
func reap(cmd *exec.Cmd) {
	if cmd.Process != nil {
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
	}
}

// create opens one of the run's logs.
func (r Run) create(name string) (io.WriteCloser, error) {
	f, err := r.Sink.Create(filepath.Join(r.Dir, name))
	if err != nil {
		return nil, fmt.Errorf("opening the suite's log: %w", err)
	}
	return f, nil
}

func processLog(number int) string { return fmt.Sprintf("process-%d.log", number) }

// parting is how long is waited for the last words of what a process has left.
const parting = 5 * time.Second

// runInto runs a command, and closes the log when all that it printed is in
// it. It does so through a pipe of its own: with os/exec's the command has not
// ended before its last child has, and children are killed only when it has.
func runInto(cmd *exec.Cmd, log io.WriteCloser) (err error) {
	defer func() { err = errors.Join(err, log.Close()) }()
	out, in, err := os.Pipe()
	if err != nil {
		return err
	}
	defer out.Close()
	cmd.Stdout, cmd.Stderr = in, in
	copied := make(chan error, 1)
	go func() {
		_, err := io.Copy(log, out)
		_, _ = io.Copy(io.Discard, out) // a log that cannot be written must not stop the suite
		copied <- err
	}()
	err = cmd.Run()
	reap(cmd)
	_ = in.Close() // never fails
	if late := out.SetReadDeadline(time.Now().Add(parting)); late != nil {
		return errors.Join(err, late)
	}
	if failed := <-copied; failed != nil && !errors.Is(failed, os.ErrDeadlineExceeded) {
		err = errors.Join(err, fmt.Errorf("writing the suite's log: %w", failed))
	}
	return err
}

// command prepares the binary in a process group of its own and with an
// environment in which nothing leads to the user's own clusters.
func command(ctx context.Context, binary string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, binary, args...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	for _, kv := range os.Environ() {
		name, _, _ := strings.Cut(kv, "=")
		if name != "KUBECONFIG" && !strings.HasPrefix(name, "GINKGO_") && !strings.HasPrefix(name, "KUBE_TEST_") {
			cmd.Env = append(cmd.Env, kv)
		}
	}
	return cmd
}

// Focus is the regular expression that selects specs by their full texts and
// nothing else. Ginkgo matches it against "<suite> <full text>". With no suite,
// since its description is not known yet, specs whose texts end in one of the
// others are selected too.
func Focus(suite string, specs []string) string {
	quoted := make([]string, len(specs))
	for i, s := range specs {
		quoted[i] = regexp.QuoteMeta(s)
	}
	start := " "
	if suite != "" {
		start = "^" + regexp.QuoteMeta(suite) + " "
	}
	return start + "(?:" + strings.Join(quoted, "|") + ")$"
}

// List returns the description of the binary's suite and the full texts of the
// specs that it would run of those that a focus selects, sorted. It needs no
// cluster.
func (r Run) List(ctx context.Context, focus string) (suite string, specs []string, err error) {
	reports, err := r.dryRun(ctx, focus)
	if err != nil {
		return "", nil, fmt.Errorf("listing the specs of %s: %w", filepath.Base(r.Binary), err)
	}
	if len(reports) != 1 {
		return "", nil, fmt.Errorf("listing the specs of %s: it has %d suites, want one", filepath.Base(r.Binary), len(reports))
	}
	for _, spec := range reports[0].SpecReports {
		if spec.LeafNodeType.Is(types.NodeTypeIt) && spec.State.Is(types.SpecStatePassed) {
			specs = append(specs, spec.FullText())
		}
	}
	slices.Sort(specs) // the binary's own order is as random as its seed
	return reports[0].SuiteDescription, specs, nil
}

func (r Run) dryRun(ctx context.Context, focus string) ([]types.Report, error) {
	dir, remove, err := scratch.Dir("list")
	if err != nil {
		return nil, err
	}
	defer remove()
	file := filepath.Join(dir, "report.json")
	list := []string{"--ginkgo.dry-run", "--ginkgo.no-color", "--ginkgo.succinct", "--ginkgo.json-report=" + file}
	if focus != "" {
		list = append(list, "--ginkgo.focus="+focus)
	}
	cmd := command(ctx, r.Binary, append(list, r.Args...)...)
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = 5 * time.Second
	out, err := cmd.CombinedOutput()
	reap(cmd)
	// Before it is cut: a half of a secret is not known for one.
	said := gist(r.Sink.Text(string(out)))
	if err != nil {
		return nil, fmt.Errorf("%w: %s", err, said)
	}
	data, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("%w: %s", err, said)
	}
	var reports []types.Report
	return reports, json.Unmarshal(data, &reports)
}

func tail(file string) string {
	data, err := os.ReadFile(file)
	if err != nil {
		return err.Error()
	}
	return gist(string(data))
}

// gist keeps both ends of what a program printed: a refused flag stands first
// and is followed by pages of usage, most other causes stand last.
func gist(text string) string {
	const first, last = 500, 1000
	text = strings.TrimSpace(text)
	if len(text) > first+last {
		text = text[:first] + "\n…\n" + text[len(text)-last:]
	}
	return strings.ToValidUTF8(text, "")
}
