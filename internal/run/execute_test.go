package run

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/qualify-dev/qualify/internal/cluster"
	"github.com/qualify-dev/qualify/internal/provision"
	"github.com/qualify-dev/qualify/internal/provision/fake"
	"github.com/qualify-dev/qualify/internal/redact"
	"github.com/qualify-dev/qualify/internal/release"
	"github.com/qualify-dev/qualify/internal/result"
	"github.com/qualify-dev/qualify/internal/sink"
	"github.com/qualify-dev/qualify/suites"
)

// wholeStory is a cell in which all is well, between the run's start and end.
func wholeStory() []string {
	return []string{
		"lease-opened",
		"begin network", "end network", "begin machines", "end machines", "begin ready", "end ready",
		"begin identify-before", "identity before", "end identify-before",
		"suite-started tiny", "begin tiny", "case dns", "case exec", "case job", "end tiny", "suite-ended tiny",
		"begin identify-after", "identity after", "end identify-after",
		"begin down", "end down", "lease-closed",
	}
}

func TestExecute(t *testing.T) {
	w := newWorld(t)
	w.observe = func(e result.Event) {
		// The intent is on disk before the first resource is.
		records, err := w.cloud.All()
		if e.Kind == result.LeaseOpened && (err != nil || len(records) > 0) {
			t.Errorf("%d resources came before the lease, %v", len(records), err)
		}
	}
	o := w.execute(context.Background())
	o.want(t, result.Qualified, 0)
	want := append(append([]string{"run-started"}, wholeStory()...), "run-ended")
	if got := story(w.events); !slices.Equal(got, want) {
		t.Errorf("it went\n%s, want\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	lease := w.events[1].Lease
	if lease.Name != LeaseName(w.deps.Run, w.events[1].Cell, 1) || lease.Run != w.deps.Run || lease.Owner != "host/1" {
		t.Errorf("lease %+v", lease)
	}
	b := DefaultBudgets()
	if least := time.Duration(b.Up+b.Suite+b.Down) * time.Second; time.Until(lease.Expires) < least {
		t.Errorf("the lease expires at %s, before the cell's budgets do", lease.Expires)
	}
	wantText(t, w.events, result.RunEnded, result.RunComplete)
	wantText(t, w.events, result.RunStarted, w.deps.Run)
	if _, err := os.Stat(filepath.Join(w.deps.Dir, "cells", lease.Cell, "logs")); err == nil {
		t.Error("the logs of a cell that passed were collected")
	}
}

// A cell that failed on a machine that was short of something is tried again on
// other machines, as after any fault that is not the release's.
func TestShortageIsTriedAgain(t *testing.T) {
	w := newWorld(t)
	w.retries = 1
	attempts := 0
	w.deps.Shortage = func(context.Context, *cluster.Cluster, time.Time) (string, error) {
		return "a node has DiskPressure", nil
	}
	w.suites = []suites.Suite{suiteOf("tiny", func(ctx context.Context, env suites.Env, emit func(result.Case)) error {
		if attempts++; attempts == 1 {
			emit(result.Case{Name: env.Expected[0], Outcome: result.Fail, Attempt: 1})
			return nil
		}
		return pass(ctx, env, emit)
	})}
	// What failed once and then passed does so by the policy for flaky cases.
	w.execute(context.Background()).want(t, result.Inconclusive, 3, result.ReasonCaseFlaky)
	if leases := of(w.events, result.LeaseClosed); len(leases) != 2 || attempts != 2 {
		t.Errorf("%d attempts on %d leases", attempts, len(leases))
	}
}

// Whether machines were short of something is asked where a case failed and
// nowhere else, since when the attempt began, and is on record when the suite
// ends: a later process does not ask for a suite that has ended.
func TestShortageIsAskedForWhereCasesFail(t *testing.T) {
	w := newWorld(t)
	var asked []string
	var since time.Time
	w.deps.Shortage = func(_ context.Context, c *cluster.Cluster, from time.Time) (string, error) {
		asked, since = append(asked, c.Name), from
		return "a node has DiskPressure", nil
	}
	w.suites = []suites.Suite{suiteOf("tiny", pass), suiteOf("unfit", func(_ context.Context, env suites.Env, emit func(result.Case)) error {
		for _, name := range env.Expected {
			emit(result.Case{Name: name, Outcome: result.Fail, Attempt: 1})
		}
		return nil
	})}
	began := time.Now()
	o := w.execute(context.Background())
	o.want(t, result.Inconclusive, 3, result.ReasonCaseFailed, result.ReasonInfrastructure)
	for _, r := range o.doc.Reasons {
		if r.Suite != "unfit" {
			t.Errorf("the reason %+v names another suite", r)
		}
	}
	if len(asked) != 1 || asked[0] != w.events[1].Lease.Name || since.Before(began) || since.After(w.events[1].Time) {
		t.Errorf("asked for %q, since %s", asked, since)
	}
	wantText(t, w.events, result.InfraFault, "too little left", "a node has DiskPressure")
	if words := strings.Join(story(w.events), ", "); !strings.Contains(words, "end unfit, infra-fault, suite-ended unfit") {
		t.Errorf("it went %s", words)
	}
	if fault := of(w.events, result.InfraFault)[0]; fault.Suite != "unfit" {
		t.Errorf("the fault is of suite %q", fault.Suite)
	}
}

func TestExecuteGivesSuitesWhatTheyNeed(t *testing.T) {
	w := newWorld(t)
	var env suites.Env
	w.suites = []suites.Suite{suiteOf("tiny", func(ctx context.Context, e suites.Env, emit func(result.Case)) error {
		env = e
		return pass(ctx, e, emit)
	})}
	w.deps.Procs, w.deps.Collect = 7, true
	var asked string
	w.deps.Artifact = func(_ context.Context, rel *release.Release, asset string) (string, error) {
		asked = rel.Name + " " + asset
		return "", nil
	}
	w.execute(context.Background()).want(t, result.Qualified, 0)
	if env.Cluster.Name != w.events[1].Lease.Name || env.Release != w.rel || env.Procs != 7 || !slices.Equal(env.Expected, expected()) {
		t.Errorf("the suite got %+v", env)
	}
	info, err := os.Stat(env.Dir)
	if err != nil || !info.IsDir() || info.Mode().Perm() != 0o700 {
		t.Errorf("its directory: %v, %v", info, err)
	}
	if _, err := env.Artifact(context.Background(), "kubectl"); err != nil || asked != w.rel.Name+" kubectl" {
		t.Errorf("asked for %q, %v", asked, err)
	}
	logs, err := filepath.Glob(filepath.Join(w.deps.Dir, "cells", "*", "logs", "*", "console.log"))
	if err != nil || len(logs) != 2 {
		t.Errorf("logs that were asked for: %v, %v", logs, err)
	}
}

func TestExecuteJudges(t *testing.T) {
	case1 := func(o result.Outcome) suites.Suite {
		return suiteOf("tiny", func(ctx context.Context, env suites.Env, emit func(result.Case)) error {
			emit(result.Case{Name: "dns", Outcome: o, Attempt: 1, Message: "as the test wants it"})
			env.Expected = env.Expected[1:]
			return pass(ctx, env, emit)
		})
	}
	returns := func(err error, run func(ctx context.Context, env suites.Env, emit func(result.Case)) error) suites.Suite {
		return suiteOf("tiny", func(ctx context.Context, env suites.Env, emit func(result.Case)) error {
			return errors.Join(run(ctx, env, emit), err)
		})
	}
	nothing := func(context.Context, suites.Env, func(result.Case)) error { return nil }
	tests := []struct {
		name    string
		change  func(*world)
		verdict result.Verdict
		code    int
		reasons []string
	}{
		{"a case fails", func(w *world) { w.suites[0] = case1(result.Fail) }, result.NotQualified, 1, []string{result.ReasonCaseFailed}},
		{"a case fails on a machine that is full", func(w *world) {
			w.suites[0] = case1(result.Fail)
			w.deps.Shortage = func(context.Context, *cluster.Cluster, time.Time) (string, error) {
				return "a node has DiskPressure", nil
			}
		}, result.Inconclusive, 3, []string{result.ReasonCaseFailed, result.ReasonInfrastructure}},
		{"a case fails on a machine that does not say whether it is full", func(w *world) {
			w.suites[0] = case1(result.Fail)
			w.deps.Shortage = func(context.Context, *cluster.Cluster, time.Time) (string, error) { return "", errors.New("no answer") }
		}, result.NotQualified, 1, []string{result.ReasonCaseFailed}},
		{"a case cannot tell", func(w *world) { w.suites[0] = case1(result.Error) }, result.Inconclusive, 3, []string{result.ReasonCaseErrored}},
		{"a suite emits nothing", func(w *world) { w.suites[0] = suiteOf("tiny", nothing) }, result.Inconclusive, 3, []string{result.ReasonCaseNotRun}},
		{"a suite does not finish", func(w *world) { w.suites[0] = returns(errors.New("the binary died"), pass) }, result.Inconclusive, 3, []string{result.ReasonSuiteIncomplete}},
		{"a suite has gone", func(w *world) {
			w.deps.Suite = func(string) (suites.Suite, error) { return suites.Suite{}, errors.New("unknown suite") }
		}, result.Inconclusive, 3, []string{result.ReasonSuiteIncomplete, result.ReasonCaseNotRun}},
		{"the release does not boot", func(w *world) { w.options.Product = productFault }, result.NotQualified, 1,
			[]string{result.ReasonProductFault, result.ReasonIdentityMissing, result.ReasonSuiteMissing}},
		{"another release runs", func(w *world) { w.runs = fake.Release("v1.34.3") }, result.Inconclusive, 3,
			[]string{result.ReasonIdentityMismatch, result.ReasonIdentityMissing, result.ReasonSuiteMissing}},
		{"the nodes do not answer", func(w *world) { w.options.Answers = nil }, result.Inconclusive, 3,
			[]string{result.ReasonInfrastructure, result.ReasonIdentityMissing, result.ReasonSuiteMissing}},
		{"the release is not at hand", func(w *world) { w.deps.Releases = nil }, result.Inconclusive, 3,
			[]string{result.ReasonInfrastructure, result.ReasonIdentityMissing, result.ReasonSuiteMissing}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			w := newWorld(t)
			test.change(w)
			o := w.execute(context.Background())
			o.want(t, test.verdict, test.code, test.reasons...)
			if len(of(w.events, result.LeaseClosed)) != 1 || len(of(w.events, result.RunEnded)) != 1 {
				t.Errorf("the end is missing: %v", story(w.events))
			}
			// What went wrong is looked into.
			if logs := story(w.events); !slices.Contains(logs, "begin collect") {
				t.Errorf("no logs were collected: %v", logs)
			}
		})
	}
}

func productFault(provision.Lease, provision.Spec) *provision.ProductError {
	return &provision.ProductError{Component: "kubelet", Doing: "starting", Log: "panic: no\n", Err: errors.New("exit status 1")}
}

func TestExecuteKeepsTheLogOfAProductFault(t *testing.T) {
	w := newWorld(t)
	w.options.Product = productFault
	w.execute(context.Background())
	wantText(t, w.events, result.ProductFault, "kubelet", "starting", "exit status 1")
	if log := of(w.events, result.ProductFault)[0].Log; log != "panic: no\n" {
		t.Errorf("log %q", log)
	}
}

// What runs is compared again after the suites: their results are about what
// ran then.
func TestExecuteComparesAgain(t *testing.T) {
	w := newWorld(t)
	w.suites[0] = suiteOf("tiny", func(ctx context.Context, env suites.Env, emit func(result.Case)) error {
		w.swap(fake.Release("v1.34.3"))
		return pass(ctx, env, emit)
	})
	o := w.execute(context.Background())
	o.want(t, result.Inconclusive, 3, result.ReasonIdentityMismatch, result.ReasonIdentityMissing)
	before, after := of(w.events, result.IdentityMatch)[0], of(w.events, result.IdentityMatch)[1]
	if len(before.Mismatched) > 0 || len(after.Mismatched) == 0 || before.Release != w.rel.Digest() || after.Release != w.rel.Digest() {
		t.Errorf("before %v, after %v", before.Mismatched, after.Mismatched)
	}
}

func TestExecuteRefusesUnfitDeps(t *testing.T) {
	t.Run("no provisioner", func(t *testing.T) {
		w := newWorld(t)
		w.deps.Provisioners = map[string]provision.Provisioner{}
		w.execute(context.Background()).want(t, result.Inconclusive, 3, result.ReasonInfrastructure, result.ReasonIdentityMissing, result.ReasonSuiteMissing)
		if len(of(w.events, result.LeaseOpened)) > 0 {
			t.Error("a lease was opened that nobody can close")
		}
	})
	t.Run("no place for the cell", func(t *testing.T) {
		w := newWorld(t)
		if err := os.WriteFile(filepath.Join(w.deps.Dir, "cells"), nil, 0o600); err != nil {
			t.Fatal(err)
		}
		w.execute(context.Background()).want(t, result.Inconclusive, 3, result.ReasonInfrastructure, result.ReasonIdentityMissing, result.ReasonSuiteMissing)
	})
	t.Run("a provisioner that gives nothing", func(t *testing.T) {
		w := newWorld(t)
		w.deps.Provisioners = map[string]provision.Provisioner{fake.Name: silent{}}
		w.execute(context.Background()).want(t, result.Inconclusive, 3, result.ReasonInfrastructure, result.ReasonIdentityMissing, result.ReasonSuiteMissing)
		wantText(t, w.events, result.InfraFault, "neither a cluster nor an error")
	})
}

// silent breaks the contract: it makes no cluster and says nothing.
type silent struct{}

func (silent) Up(context.Context, provision.Lease, provision.Spec) (*cluster.Cluster, error) {
	return nil, nil
}
func (silent) Collect(context.Context, provision.Lease, string) error { return nil }
func (silent) Down(context.Context, provision.Lease) error            { return nil }

// annotating gives clusters with something to be said of them.
type annotating struct{ provision.Provisioner }

func (n annotating) Up(ctx context.Context, l provision.Lease, spec provision.Spec) (*cluster.Cluster, error) {
	c, err := n.Provisioner.Up(ctx, l, spec)
	if err == nil {
		c.Notes = []string{"its host key was trusted on first use"}
	}
	return c, err
}

func TestExecutePassesNotesOn(t *testing.T) {
	w := newWorld(t)
	p, err := fake.Entry(w.options).New(provision.Config{Log: t.Logf, Sink: sink.New(redact.New())})
	if err != nil {
		t.Fatal(err)
	}
	w.deps.Provisioners = map[string]provision.Provisioner{fake.Name: annotating{p}}
	o := w.execute(context.Background())
	o.wantJudged(t, result.Qualified, 0)
	wantText(t, w.events, result.Note, "trusted on first use")
}

func TestExecuteLeavesAndKeeps(t *testing.T) {
	t.Run("what is stuck is named", func(t *testing.T) {
		w := newWorld(t)
		w.options.Stuck = func(r provision.Resource) bool { return r.Kind == "disk" }
		o := w.execute(context.Background())
		o.wantJudged(t, result.Qualified, 4, result.ReasonLeftovers)
		left := of(w.events, result.Leftover)
		if len(left) != 2 || !strings.HasPrefix(left[0].Text, "disk q-") {
			t.Errorf("leftovers %v", left)
		}
		if len(of(w.events, result.LeaseClosed)) > 0 {
			t.Error("a lease with leftovers was closed")
		}
	})
	t.Run("a teardown that cannot tell is no teardown", func(t *testing.T) {
		w := newWorld(t)
		w.options.ErrorRate = 1
		o := w.execute(context.Background())
		o.wantJudged(t, result.Inconclusive, 3, result.ReasonInfrastructure, result.ReasonIdentityMissing, result.ReasonSuiteMissing, result.ReasonLeftovers)
		wantText(t, w.events, result.Leftover, "unknown resources of lease q-")
		wantText(t, w.events, result.Note, "logs are incomplete")
	})
	t.Run("what is kept stays, and is no leftover", func(t *testing.T) {
		w := newWorld(t)
		w.deps.Keep = true
		o := w.execute(context.Background())
		o.wantJudged(t, result.Qualified, 0)
		wantText(t, w.events, result.LeaseKept, LeaseName(w.deps.Run, w.events[1].Cell, 1))
		if len(o.left) != 5 {
			t.Errorf("of a network, two disks and two machines there are %v", o.left)
		}
	})
}

func TestExecuteTakesCellsInTurn(t *testing.T) {
	w := newWorld(t)
	w.systems = []string{"debian-12", "ubuntu-24.04"}
	w.options.Capacity = 1
	w.execute(context.Background()).want(t, result.Qualified, 0)
	want := append([]string{"run-started"}, append(wholeStory(), append(wholeStory(), "run-ended")...)...)
	if got := story(w.events); !slices.Equal(got, want) {
		t.Errorf("it went %v", got)
	}
}

// The end of a context is seen by who asks first, whoever that is.
func TestMoment(t *testing.T) {
	now := time.Unix(1000, 0)
	ctx, cancel := context.WithCancel(t.Context())
	m := &moment{now: func() time.Time { return now }, of: ctx}
	if passed, is := m.since(); is || passed != 0 {
		t.Errorf("before it came: %v, %v", passed, is)
	}
	cancel()
	if passed, is := m.since(); !is || passed != 0 {
		t.Errorf("when it came: %v, %v", passed, is)
	}
	now = now.Add(3 * time.Second)
	if passed, is := m.since(); !is || passed != 3*time.Second {
		t.Errorf("after it came: %v, %v", passed, is)
	}
}
