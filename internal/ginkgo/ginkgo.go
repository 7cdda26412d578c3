// Package ginkgo runs a compiled Ginkgo test binary with several processes
// and streams each spec's report as it ends.
package ginkgo

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/onsi/ginkgo/v2/types"
)

// Run is one run of some specs of a test binary.
type Run struct {
	Binary string
	Args   []string // the binary's own flags
	Specs  []string // full texts of the specs to run; nothing else runs
	Procs  int      // processes; at least 2, since one alone reports to nobody
	Dir    string   // where logs go; exists
	Grace  time.Duration
}

// Execute runs the specs and calls onSpec for each report as it arrives, one
// at a time. The error means that the run did not reach its end, or that the
// suite's own set-up or clean-up failed; failed specs are no error.
func (r Run) Execute(ctx context.Context, onSpec func(types.SpecReport)) (err error) {
	if len(r.Specs) == 0 {
		return errors.New("no spec to run")
	}
	if r.Procs < 2 {
		r.Procs = 2
	}
	raw, err := newRecorder(filepath.Join(r.Dir, "specs.jsonl"))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, raw.close()) }()
	output, err := os.OpenFile(filepath.Join(r.Dir, "output.log"), os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
	if err != nil {
		return fmt.Errorf("opening the suite's log: %w", err)
	}
	defer func() { err = errors.Join(err, output.Close()) }()

	var mu sync.Mutex
	var around error // failures of set-up and clean-up nodes
	processes := make([]*process, r.Procs)
	alive := func(n int) bool { return !processes[n-1].ended.Load() }
	for i := range processes {
		processes[i] = &process{number: i + 1}
	}
	s, err := newServer(r.Procs, output, alive, func(report types.SpecReport) {
		mu.Lock()
		defer mu.Unlock()
		raw.write(report)
		if report.LeafNodeType.Is(types.NodeTypeIt) {
			onSpec(report)
		} else if report.Failed() {
			around = errors.Join(around, fmt.Errorf("%s failed: %s", report.LeafNodeType, report.Failure.Message))
		}
	})
	if err != nil {
		return fmt.Errorf("serving the test processes: %w", err)
	}
	defer s.close()
	err = r.runProcesses(ctx, processes, s.address())
	mu.Lock()
	defer mu.Unlock()
	if ctx.Err() != nil {
		return fmt.Errorf("interrupted: %w", context.Cause(ctx))
	}
	if err == nil {
		err = s.unfinished()
	}
	return errors.Join(around, err)
}

// process is one process of the test binary.
type process struct {
	number int
	ended  atomic.Bool
}

// runProcesses starts all processes and waits for all of them.
func (r Run) runProcesses(ctx context.Context, processes []*process, address string) error {
	seed := fmt.Sprint(time.Now().Unix())
	errs := make([]error, len(processes))
	var wg sync.WaitGroup
	for i, p := range processes {
		wg.Go(func() {
			defer p.ended.Store(true)
			errs[i] = r.runProcess(ctx, p.number, address, seed)
		})
	}
	wg.Wait()
	return errors.Join(errs...)
}

func (r Run) runProcess(ctx context.Context, number int, address, seed string) (err error) {
	log := filepath.Join(r.Dir, fmt.Sprintf("process-%d.log", number))
	f, err := os.OpenFile(log, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
	if err != nil {
		return fmt.Errorf("opening a process's log: %w", err)
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	args := append([]string{
		"--test.timeout=0", "--ginkgo.timeout=24h", "--ginkgo.no-color", "--ginkgo.seed=" + seed,
		"--ginkgo.focus=" + Focus(r.Specs), "--ginkgo.parallel.host=" + address,
		fmt.Sprintf("--ginkgo.parallel.process=%d", number), fmt.Sprintf("--ginkgo.parallel.total=%d", r.Procs),
	}, r.Args...)
	cmd := command(ctx, r.Binary, args...)
	cmd.Env = append(cmd.Env, "GINKGO_PARALLEL_PROTOCOL=HTTP")
	cmd.Stdout, cmd.Stderr = f, f
	// Interrupted, Ginkgo lets its specs clean up; a hung one is killed.
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGINT) }
	cmd.WaitDelay = r.Grace
	err = cmd.Run()
	var exit *exec.ExitError
	if errors.As(err, &exit) && exit.ExitCode() == 1 {
		return nil // specs failed; their reports say which
	}
	if err != nil {
		return fmt.Errorf("test process %d: %w: %s", number, err, tail(log))
	}
	return nil
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
// nothing else. Ginkgo matches it against "<suite> <full text>".
func Focus(specs []string) string {
	quoted := make([]string, len(specs))
	for i, s := range specs {
		quoted[i] = regexp.QuoteMeta(s)
	}
	return "(?: )(?:" + strings.Join(quoted, "|") + ")$"
}

// List returns the full texts of the specs that the binary would run, in
// source order. It needs no cluster.
func List(ctx context.Context, binary, focus string, args ...string) ([]string, error) {
	dir, err := os.MkdirTemp("", "qualify-list-")
	if err != nil {
		return nil, fmt.Errorf("listing specs: %w", err)
	}
	defer os.RemoveAll(dir)
	file := filepath.Join(dir, "report.json")
	list := []string{"--ginkgo.dry-run", "--ginkgo.no-color", "--ginkgo.succinct", "--ginkgo.json-report=" + file}
	if focus != "" {
		list = append(list, "--ginkgo.focus="+focus)
	}
	cmd := command(ctx, binary, append(list, args...)...)
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = 5 * time.Second
	if out, err := cmd.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("listing the specs of %s: %w: %s", filepath.Base(binary), err, lastText(string(out)))
	}
	data, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("listing specs: %w", err)
	}
	var reports []types.Report
	if err := json.Unmarshal(data, &reports); err != nil {
		return nil, fmt.Errorf("listing specs: %w", err)
	}
	var names []string
	for _, report := range reports {
		for _, spec := range report.SpecReports {
			if spec.LeafNodeType.Is(types.NodeTypeIt) && spec.State.Is(types.SpecStatePassed) {
				names = append(names, spec.FullText())
			}
		}
	}
	return names, nil
}

func tail(file string) string {
	data, err := os.ReadFile(file)
	if err != nil {
		return err.Error()
	}
	return lastText(string(data))
}

func lastText(text string) string {
	const most = 1500
	text = strings.TrimSpace(text)
	if len(text) > most {
		text = "…" + text[len(text)-most:]
	}
	return text
}

// recorder keeps every report as it came, one JSON line each.
type recorder struct {
	file *os.File
	out  *bufio.Writer
	err  error
}

func newRecorder(path string) (*recorder, error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
	if err != nil {
		return nil, fmt.Errorf("opening the suite's record: %w", err)
	}
	return &recorder{file: f, out: bufio.NewWriter(f)}, nil
}

func (r *recorder) write(report types.SpecReport) {
	if report.State.Is(types.SpecStateSkipped) && report.RunTime == 0 {
		return // never selected: thousands of them in a large suite
	}
	if err := json.NewEncoder(r.out).Encode(report); err != nil {
		r.err = errors.Join(r.err, err)
	}
	r.err = errors.Join(r.err, r.out.Flush())
}

func (r *recorder) close() error { return errors.Join(r.err, r.file.Close()) }
