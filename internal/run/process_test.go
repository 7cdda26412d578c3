package run

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/qualify-dev/qualify/internal/claim"
	"github.com/qualify-dev/qualify/internal/cluster"
	"github.com/qualify-dev/qualify/internal/identity"
	"github.com/qualify-dev/qualify/internal/provision"
	"github.com/qualify-dev/qualify/internal/provision/fake"
	"github.com/qualify-dev/qualify/internal/redact"
	"github.com/qualify-dev/qualify/internal/release"
	"github.com/qualify-dev/qualify/internal/result"
	"github.com/qualify-dev/qualify/internal/sink"
	"github.com/qualify-dev/qualify/suites"
)

// job is what a process is to do: work on a run, and be killed at a step.
type job struct {
	Dir, Cloud, Server string
	Cells              int
	Hard               bool // a cloud with errors, lost answers and late creates
	Seed               uint64
	Forgetful          bool // the control: no record says what was made
	KillAt             int  // step, counted from 1; 0 is not killed
}

const jobEnv = "QUALIFY_RUN_TEST_JOB"

// TestMain is also the process that other tests kill: it claims the run of its
// job, goes on with it, and tells on its standard output what it does.
func TestMain(m *testing.M) {
	text := os.Getenv(jobEnv)
	if text == "" {
		os.Exit(m.Run())
	}
	var j job
	if err := json.Unmarshal([]byte(text), &j); err != nil {
		panic(err)
	}
	if err := j.work(); err != nil {
		fmt.Println("error", err)
		os.Exit(1)
	}
	fmt.Println("end")
}

// teller tells what happens, one line at a time, and kills its own process at
// a step. A line of a process that was killed is never half.
type teller struct {
	mu     sync.Mutex
	killAt int
	steps  int
}

func (t *teller) say(format string, args ...any) {
	t.mu.Lock()
	defer t.mu.Unlock()
	fmt.Printf(format+"\n", args...)
}

// step is a moment that has a name. The process may not survive it.
func (t *teller) step(format string, args ...any) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.steps++
	if t.steps == t.killAt {
		_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
		select {}
	}
	fmt.Printf("step "+format+"\n", args...)
}

func (j job) options(t *teller) fake.Options {
	o := fake.Options{Dir: j.Cloud, Server: j.Server, Seed: j.Seed, Answers: []fake.Answer{fake.Identity(jobRelease())}}
	if j.Hard {
		o.ErrorRate, o.LostRate, o.LateRate, o.Late = 0.1, 0.1, 0.5, 10*time.Millisecond
	}
	if t != nil && j.Cells == 1 {
		o.Called = func(what string) { t.step("call %s", what) }
	}
	return o
}

func jobRelease() *release.Release { return fake.Release("v1.34.4") }

func (j job) plan() (Plan, error) {
	rel := jobRelease()
	c := Compilation{
		Workers: 1, Retries: 1, Suite: j.suite(nil), Suites: []string{"first", "second"},
		Releases: map[string]*release.Release{"v1.34.4": rel},
		Entries:  map[string]provision.Entry{fake.Name: fake.Entry(fake.Options{Dir: j.Cloud})},
	}
	if j.Hard {
		c.Retries = 100 // every tenth call fails
	}
	for i := range j.Cells {
		c.Cells = append(c.Cells, cellOf(fmt.Sprintf("os-%d", i)))
	}
	return Compile(c)
}

// suite runs three cases, each of which it tells before it emits it.
func (j job) suite(t *teller) func(string) (suites.Suite, error) {
	return func(name string) (suites.Suite, error) {
		return suiteOf(name, func(_ context.Context, env suites.Env, emit func(result.Case)) error {
			for _, c := range env.Expected {
				t.say("ran %s %s %s", env.Cluster.Name, name, c)
				emit(result.Case{Name: c, Outcome: result.Pass, Attempt: 1})
			}
			return nil
		}), nil
	}
}

func (j job) work() error {
	t := &teller{killAt: j.KillAt}
	plan, err := j.plan()
	if err != nil {
		return err
	}
	t.step("claim")
	hold, err := claim.Take(j.Dir, claim.Options{Owner: fmt.Sprintf("host/%d", os.Getpid())})
	if err != nil {
		return err
	}
	t.step("open")
	journal, past, err := result.Open(filepath.Join(j.Dir, "journal.jsonl"), time.Now)
	if err != nil {
		return err
	}
	journal.Guard(hold.Held)
	p, err := fake.Entry(j.options(t)).New(provision.Config{Log: func(string, ...any) {}, Sink: sink.New(redact.New())})
	if err != nil {
		return err
	}
	if j.Forgetful {
		p = &forgetful{Provisioner: p, names: map[string]string{}}
	}
	none := func(context.Context, *release.Release, string) (string, error) { return "", fs.ErrNotExist }
	t.say("begins")
	rel := jobRelease()
	err = Execute(context.Background(), plan, Deps{
		Sink: sink.New(redact.New()),
		Run:  filepath.Base(j.Dir), Dir: j.Dir, Owner: fmt.Sprintf("host/%d", os.Getpid()), Journal: journal, Past: past,
		Provisioners: map[string]provision.Provisioner{fake.Name: p}, Capacity: map[string]int{fake.Name: 8},
		Releases: map[string]*release.Release{rel.Digest(): rel}, Suite: j.suite(t), Procs: 1, Now: time.Now,
		Prover: identity.Prover{Arch: "amd64"}, Artifact: none,
		Observe: func(e result.Event) {
			switch e.Kind {
			case result.CaseEnded:
				t.say("acked %s %s %s", e.Cell, e.Suite, e.Case.Name)
			case result.LeaseOpened:
				t.say("lease %s %s", e.Lease.Name, e.Cell)
			case result.LeaseClosed:
				t.say("closed %s %s", e.Text, e.Cell)
			case result.IdentityMatch:
				if e.Stage == result.StageAfter {
					t.say("finished %s", e.Cell)
				}
			}
			if j.Cells == 1 {
				t.step("%s", story([]result.Event{e})[0])
			}
		},
	})
	if err != nil {
		return err
	}
	return errors.Join(journal.Close(), hold.Release())
}

// forgetful is the control: what it makes goes by names that no record holds.
type forgetful struct {
	provision.Provisioner
	mu    sync.Mutex
	names map[string]string
}

func (f *forgetful) secret(l provision.Lease) provision.Lease {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.names[l.Name] == "" {
		f.names[l.Name] = fmt.Sprintf("q-%x", rand.Uint64())
	}
	l.Name = f.names[l.Name]
	return l
}

func (f *forgetful) Up(ctx context.Context, l provision.Lease, s provision.Spec) (*cluster.Cluster, error) {
	return f.Provisioner.Up(ctx, f.secret(l), s)
}

func (f *forgetful) Down(ctx context.Context, l provision.Lease) error {
	return f.Provisioner.Down(ctx, f.secret(l))
}

// killable is a run in a cloud of its own on which processes work in turn.
type killable struct {
	t     *testing.T
	job   job
	cloud fake.Cloud
	// What the processes said, in order.
	acked  map[string]bool // cell suite case
	ran    []string        // cell suite case, of every execution
	cellOf map[string]string
	again  []string // executions of a case whose result had been acknowledged
	closed map[string]bool
	// finished are the cells whose last comparison was acknowledged, and late
	// what was run of them after that.
	finished map[string]bool
	late     []string
}

func newKillable(t *testing.T, j job) *killable {
	t.Helper()
	k := &killable{t: t, job: j, acked: map[string]bool{}, cellOf: map[string]string{}, closed: map[string]bool{}, finished: map[string]bool{}}
	k.cloud = fake.Cloud{Dir: t.TempDir()}
	server := httptest.NewServer(k.cloud.API(jobRelease()))
	t.Cleanup(server.Close)
	k.job.Dir, k.job.Cloud, k.job.Server = filepath.Join(t.TempDir(), "20261125-100000-00000001"), k.cloud.Dir, server.URL
	if err := os.Mkdir(k.job.Dir, 0o700); err != nil {
		t.Fatal(err)
	}
	journal, err := result.Create(filepath.Join(k.job.Dir, "journal.jsonl"), time.Now)
	if err != nil {
		t.Fatal(err)
	}
	if err := journal.Close(); err != nil {
		t.Fatal(err)
	}
	return k
}

// process runs one process on the run, kills it at a step or after a time from
// its beginning, and returns the steps that it took and whether it came to its
// end.
func (k *killable) process(killAt int, after func() time.Duration) (steps []string, ended bool) {
	k.t.Helper()
	j := k.job
	j.KillAt = killAt
	text, err := json.Marshal(j)
	if err != nil {
		k.t.Fatal(err)
	}
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), jobEnv+"="+string(text))
	out, err := cmd.StdoutPipe()
	if err != nil {
		k.t.Fatal(err)
	}
	var stderr strings.Builder
	cmd.Stderr = &stderr
	if err := cmd.Start(); err != nil {
		k.t.Fatal(err)
	}
	for in := bufio.NewScanner(out); in.Scan(); {
		line := in.Text()
		word, rest, _ := strings.Cut(line, " ")
		switch word {
		case "step":
			steps = append(steps, rest)
		case "begins":
			if after != nil {
				time.AfterFunc(after(), func() { _ = cmd.Process.Kill() })
			}
		case "end":
			ended = true
		case "error":
			k.t.Errorf("the process failed: %s", rest)
		default:
			k.heard(word, strings.Fields(rest))
		}
	}
	if err := cmd.Wait(); err != nil && !strings.Contains(err.Error(), "signal: killed") {
		k.t.Errorf("the process ended with %v: %s", err, stderr.String())
	}
	return steps, ended
}

func (k *killable) heard(word string, rest []string) {
	switch word {
	case "lease":
		k.cellOf[rest[0]] = rest[1]
	case "closed":
		k.closed[rest[0]] = true
	case "finished":
		k.finished[rest[0]] = true
	case "acked":
		k.acked[strings.Join(rest, " ")] = true
	case "ran":
		what := strings.Join(append([]string{k.cellOf[rest[0]]}, rest[1:]...), " ")
		k.ran = append(k.ran, what)
		if k.acked[what] {
			k.again = append(k.again, what)
		}
		if k.finished[k.cellOf[rest[0]]] {
			k.late = append(k.late, what)
		}
	}
}

// judge reads what is recorded.
func (k *killable) judge() (result.Document, result.Evidence) {
	k.t.Helper()
	plan, err := k.job.plan()
	if err != nil {
		k.t.Fatal(err)
	}
	events, tail, err := result.ReadFile(filepath.Join(k.job.Dir, "journal.jsonl"))
	if err != nil {
		k.t.Fatalf("the journal: %v", err)
	}
	ev := result.Fold(events)
	ev.Torn = tail.Why
	return result.Judge(plan.Judged(), ev, result.DefaultPolicy()), ev
}

// nothingLost wants every acknowledged result in the journal.
func (k *killable) nothingLost(ev result.Evidence) (lost int) {
	for what := range k.acked {
		f := strings.Fields(what)
		cell, _ := ev.Cell(f[0])
		suite, _ := cell.Suite(f[1])
		if _, there := suite.Case(f[2]); !there {
			lost++
			k.t.Errorf("the acknowledged result %q is lost", what)
		}
	}
	return lost
}

// left is what the cloud holds, now or later, and what was done wrong in it.
func (k *killable) left() []fake.Record {
	k.t.Helper()
	left, err := k.cloud.All()
	if err != nil {
		k.t.Fatal(err)
	}
	if misuses, err := k.cloud.Misuses(); err != nil || len(misuses) > 0 {
		k.t.Errorf("misuses of the provisioner: %v, %v", misuses, err)
	}
	return left
}
