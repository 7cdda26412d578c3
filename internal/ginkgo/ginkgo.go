// Package ginkgo runs a compiled Ginkgo test binary with several processes
// and streams each spec's report as it ends.
package ginkgo

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
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
	// Listing is what the binary has. Without it, or with nothing but the suite's
	// description in it, specs start in Ginkgo's order and a spec that ends its
	// process ends the run.
	Listing Listing
	// Focus selects the same specs in the binary as their names do, if it is not
	// empty: submissions have to show it.
	Focus string
	// Specs are the full texts of the specs to run, in the order in which they
	// should start; nothing else runs.
	Specs []string
	Procs int  // processes; at least 2, since one alone reports to nobody
	Alone bool // one process runs all specs; a second one idles
	Try   int  // counted from 1; later ones leave files of other names
	Dir   string
	Sink  *sink.Sink
	// Grace is the time that interrupted specs have for cleaning up before
	// they are killed.
	Grace time.Duration
	// Transcript leaves e2e.log and junit_01.xml, as submissions have them.
	Transcript bool
	tmp        string // for the temporary files of the specs
}

// mostDeaths is how many specs may end their process before the rest is given
// up: a binary that always dies must not be started for each of its specs.
const mostDeaths = 10

// Execute runs the specs and calls onSpec for each report as it arrives, one
// at a time. A spec that ends its process is reported as aborted, and the rest
// goes on. The error means that the run did not reach its end, or that the
// suite's own set-up or clean-up failed; failed specs are no error.
func (r Run) Execute(ctx context.Context, onSpec func(types.SpecReport)) (err error) {
	if len(r.Specs) == 0 {
		return errors.New("no spec to run")
	}
	r.Procs = max(r.Procs, 2)
	if r.Alone {
		r.Procs = 2
	}
	file, err := r.create("specs", "jsonl")
	if err != nil {
		return err
	}
	record := &recorder{file: file}
	defer func() { err = errors.Join(err, record.close()) }()
	output, err := r.create("output", "log")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, output.Close()) }()
	// Specs of Kubernetes leave files where temporary ones go. The directory has a
	// short path: some of them are sockets.
	tmp, remove, err := scratch.Dir("specs")
	if err != nil {
		return err
	}
	defer func() { _ = remove() }()
	r.tmp = tmp
	reports := newCollector(r.Specs, record, onSpec)
	err = r.passes(ctx, reports, output)
	around := reports.end()
	if ctx.Err() != nil {
		return fmt.Errorf("interrupted: %w", context.Cause(ctx))
	}
	if err = errors.Join(err, around); err != nil {
		return err
	}
	return reports.missing()
}

// passes starts the processes, and again for what is left where specs have
// ended some of them, or where the order was not what it seemed to be.
func (r Run) passes(ctx context.Context, reports *collector, output io.Writer) error {
	deaths := 0
	for n := 1; ; n++ {
		p := pass{Run: r, number: n, specs: reports.left(), reports: reports}
		dead, err := p.run(ctx, output)
		deaths += dead
		left := len(reports.left())
		again := dead > 0 || p.disordered()
		switch {
		case err != nil || ctx.Err() != nil || left == 0 || !again:
			return err
		case deaths > mostDeaths:
			return fmt.Errorf("%d specs have ended their process, and %d more did not run", deaths, left)
		}
		if p.disordered() {
			r.Listing = Listing{Suite: r.Listing.Suite}
		}
	}
}

// runProcess runs one process to its end. Exit status 1 is no error here: it
// mostly means that specs failed, and complete looks whether it does.
func (r *pass) runProcess(ctx context.Context, p *process, address string) (err error) {
	f, err := r.Sink.Create(p.log)
	if err != nil {
		return fmt.Errorf("opening the suite's log: %w", err)
	}
	args := slices.Concat([]string{
		"--test.timeout=0", "--ginkgo.timeout=24h", "--ginkgo.no-color",
		"--ginkgo.focus=" + r.focus(), "--ginkgo.parallel.host=" + address,
		fmt.Sprintf("--ginkgo.parallel.process=%d", p.number), fmt.Sprintf("--ginkgo.parallel.total=%d", r.Procs),
	}, ordered(r.seed), r.Args)
	cmd := command(ctx, r.Binary, args...)
	cmd.Env = append(cmd.Env, "GINKGO_PARALLEL_PROTOCOL=HTTP", "TMPDIR="+r.tmp)
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
func (r Run) create(name, kind string) (io.WriteCloser, error) {
	f, err := r.Sink.Create(r.file(name, 1, kind))
	if err != nil {
		return nil, fmt.Errorf("opening the suite's log: %w", err)
	}
	return f, nil
}

// file is the path of a file; the first try, and its first pass, have the plain
// names.
func (r Run) file(name string, pass int, kind string) string {
	if r.Try > 1 {
		name += fmt.Sprintf(".try%d", r.Try)
	}
	if pass > 1 {
		name += fmt.Sprintf(".pass%d", pass)
	}
	return filepath.Join(r.Dir, name+"."+kind)
}

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
