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

	"github.com/qualify-dev/qualify/internal/claim"
	"github.com/qualify-dev/qualify/internal/cluster"
	"github.com/qualify-dev/qualify/internal/provision"
	"github.com/qualify-dev/qualify/internal/provision/fake"
	"github.com/qualify-dev/qualify/internal/redact"
	"github.com/qualify-dev/qualify/internal/result"
	"github.com/qualify-dev/qualify/internal/sink"
	"github.com/qualify-dev/qualify/suites"
)

// faulty fails its first Ups.
type faulty struct {
	provision.Provisioner
	fails  int
	err    error
	leases []provision.Lease
}

func (f *faulty) Up(ctx context.Context, l provision.Lease, s provision.Spec) (*cluster.Cluster, error) {
	f.leases = append(f.leases, l)
	if len(f.leases) <= f.fails {
		return nil, f.err
	}
	return f.Provisioner.Up(ctx, l, s)
}

func (w *world) faulty(fails int, err error) *faulty {
	w.t.Helper()
	p, made := fake.Entry(w.options).New(provision.Config{Log: w.t.Logf, Sink: sink.New(redact.New())})
	if made != nil {
		w.t.Fatal(made)
	}
	f := &faulty{Provisioner: p, fails: fails, err: err}
	w.deps.Provisioners = map[string]provision.Provisioner{fake.Name: f}
	return f
}

var errQuota = errors.New("the quota is used up")

func TestTheInfrastructureIsTriedAgain(t *testing.T) {
	w := newWorld(t)
	w.retries = 2
	f := w.faulty(2, errQuota)
	o := w.execute(context.Background())
	o.want(t, result.Qualified, 0)
	if len(f.leases) != 3 || f.leases[0].Name == f.leases[1].Name || f.leases[1].Name == f.leases[2].Name {
		t.Errorf("leases %+v", f.leases)
	}
	if closed := of(w.events, result.LeaseClosed); len(closed) != 3 {
		t.Errorf("%d leases were closed", len(closed))
	}
	tried := 0
	for _, n := range o.doc.Notes {
		if n.Code == result.ReasonInfrastructure && strings.Contains(n.Text, "the quota is used up (tried again)") {
			tried++
		}
	}
	if tried != 2 {
		t.Errorf("the faults are not told: %+v", o.doc.Notes)
	}
}

func TestTriesEnd(t *testing.T) {
	w := newWorld(t)
	w.retries = 1
	f := w.faulty(99, errQuota)
	w.execute(context.Background()).want(t, result.Inconclusive, 3, result.ReasonInfrastructure, result.ReasonIdentityMissing, result.ReasonSuiteMissing)
	if len(f.leases) != 2 {
		t.Errorf("it was tried %d times", len(f.leases))
	}
}

// A release that does not boot is not tried until it does.
func TestTheReleaseIsNotTriedAgain(t *testing.T) {
	w := newWorld(t)
	w.retries = 3
	f := w.faulty(1, productFault(provision.Lease{}, provision.Spec{}))
	o := w.execute(context.Background())
	if o.doc.Verdict != result.NotQualified || len(f.leases) != 1 {
		t.Errorf("%s after %d tries", o.doc.Verdict, len(f.leases))
	}
}

func TestNothingIsTriedOnTopOfLeftovers(t *testing.T) {
	for name, change := range map[string]func(*world){
		"stuck": func(w *world) { w.options.Stuck = func(provision.Resource) bool { return true } },
		"kept":  func(w *world) { w.deps.Keep = true },
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.retries = 3
			w.options.Answers = nil // the comparison fails, once there is a cluster
			change(w)
			f := w.faulty(0, nil)
			w.execute(context.Background())
			if len(f.leases) != 1 {
				t.Errorf("it was tried %d times", len(f.leases))
			}
		})
	}
}

// A suite that does not stop is left behind: its cluster is torn down, and what
// it still says is not heard.
func TestASuiteThatHangs(t *testing.T) {
	w := newWorld(t)
	w.budgets.Suite = 1
	w.deps.Linger = 20 * time.Millisecond
	late := make(chan func(result.Case), 1)
	w.suites[0] = suiteOf("tiny", func(_ context.Context, env suites.Env, emit func(result.Case)) error {
		emit(result.Case{Name: env.Expected[0], Outcome: result.Pass, Attempt: 1})
		late <- emit
		select {}
	})
	w.suites = append(w.suites, suiteOf("next", func(ctx context.Context, env suites.Env, emit func(result.Case)) error {
		(<-late)(result.Case{Name: "exec", Outcome: result.Pass, Attempt: 1})
		return pass(ctx, env, emit)
	}))
	o := w.execute(context.Background())
	o.want(t, result.Inconclusive, 3, result.ReasonSuiteIncomplete, result.ReasonCaseNotRun)
	if ended := of(w.events, result.SuiteEnded)[0].Text; !strings.Contains(ended, "tiny took longer than its budget of 1s") || !strings.Contains(ended, "did not return") {
		t.Errorf("it ended as %q", ended)
	}
	if cases := of(w.events, result.CaseEnded); len(cases) != 1+len(expected()) {
		t.Errorf("%d cases were recorded: what it said after its end was, too", len(cases))
	}
}

// A provisioner that does not return may still be making things: its teardown
// would be a lie, so what it may have made is told instead.
func TestAProvisionerThatHangs(t *testing.T) {
	w := newWorld(t)
	w.retries, w.budgets.Up, w.deps.Linger = 3, 1, 20*time.Millisecond
	w.deps.Provisioners = map[string]provision.Provisioner{fake.Name: hanging{}}
	w.execute(context.Background()).wantJudged(t, result.Inconclusive, 3,
		result.ReasonInfrastructure, result.ReasonIdentityMissing, result.ReasonSuiteMissing, result.ReasonLeftovers)
	wantText(t, w.events, result.InfraFault, "longer than its budget of 1s", "did not return")
	wantText(t, w.events, result.Leftover, "its provisioner has not returned")
}

type hanging struct{ provision.Provisioner }

func (hanging) Up(context.Context, provision.Lease, provision.Spec) (*cluster.Cluster, error) {
	select {}
}

// After an interrupt the last steps keep to the grace period.
func TestGrace(t *testing.T) {
	w := newWorld(t)
	w.deps.Grace = 2 * time.Second
	p, err := fake.Entry(w.options).New(provision.Config{Log: t.Logf, Sink: sink.New(redact.New())})
	if err != nil {
		t.Fatal(err)
	}
	w.deps.Provisioners = map[string]provision.Provisioner{fake.Name: endless{p}}
	ctx, cancel := context.WithCancelCause(context.Background())
	w.observe = func(e result.Event) {
		if e.Kind == result.CaseEnded {
			cancel(Interrupted{Signal: "SIGTERM"})
		}
	}
	o := w.execute(ctx)
	if o.doc.ExitCode != 143 {
		t.Errorf("exit code %d", o.doc.ExitCode)
	}
	wantText(t, w.events, result.Leftover, "down took longer than its budget of ")
	if text := of(w.events, result.Leftover)[0].Text; strings.Contains(text, "m0s") {
		t.Errorf("the grace period is two seconds, and the teardown had all of its budget: %s", text)
	}
}

// Cells are worked on side by side, as many as their provisioner has slots.
func TestCellsSideBySide(t *testing.T) {
	w := newWorld(t)
	w.systems = []string{"debian-12", "ubuntu-24.04", "flatcar"}
	w.deps.Capacity = map[string]int{fake.Name: 2}
	arrived := make(chan string, 3)
	both := make(chan struct{})
	w.suites[0] = suiteOf("tiny", func(ctx context.Context, env suites.Env, emit func(result.Case)) error {
		arrived <- env.Cluster.Name
		<-both
		return pass(ctx, env, emit)
	})
	go func() {
		<-arrived
		<-arrived
		close(both)
	}()
	w.execute(context.Background()).want(t, result.Qualified, 0)
}

// A run that another process has taken over is not torn down by the one that
// lost it, and the other goes on with its cluster.
func TestALostRun(t *testing.T) {
	w := newWorld(t)
	var taken *claim.Claim
	w.suites[0] = suiteOf("tiny", func(ctx context.Context, env suites.Env, emit func(result.Case)) error {
		emit(result.Case{Name: env.Expected[0], Outcome: result.Pass, Attempt: 1})
		if taken == nil {
			if err := os.RemoveAll(filepath.Join(w.deps.Dir, "owner", "000001.json")); err != nil {
				t.Error(err)
			}
			var err error
			if taken, err = claim.Take(w.deps.Dir, claim.Options{Owner: "other/2"}); err != nil {
				t.Error(err)
			}
			env.Expected = env.Expected[1:]
		} else {
			env.Expected = env.Expected[1:]
		}
		return pass(ctx, env, emit)
	})
	first, err := claim.Take(w.deps.Dir, claim.Options{Owner: "host/1"})
	if err != nil {
		t.Fatal(err)
	}
	w.guard = func() error {
		if taken != nil {
			return &claim.LostError{Why: "it was taken over"}
		}
		return first.Held()
	}
	o := w.execute(context.Background())
	var lost *claim.LostError
	if !errors.As(o.err, &lost) || len(o.left) == 0 {
		t.Fatalf("error %v, left %v", o.err, o.left)
	}
	if words := story(w.events); slices.Contains(words, "begin down") || slices.Contains(words, "run-ended") {
		t.Errorf("it went on: %v", words)
	}
	w.guard, w.events = nil, nil
	o = w.resume(context.Background())
	o.want(t, result.Qualified, 0)
	if words := story(w.events); slices.Contains(words, "begin machines") || !slices.Contains(words, "begin adopt") {
		t.Errorf("the cluster was not taken over: %v", words)
	}
}

// What differs when it is taken over voids the cell, as it always does.
func TestAnAdoptedClusterIsComparedAgain(t *testing.T) {
	w := newWorld(t)
	w.deps.Keep = true
	ctx, cancel := context.WithCancelCause(context.Background())
	w.observe = func(e result.Event) {
		if e.Kind == result.CaseEnded {
			cancel(Interrupted{Signal: "SIGINT"})
		}
	}
	w.suites[0] = suiteOf("tiny", func(ctx context.Context, env suites.Env, emit func(result.Case)) error {
		emit(result.Case{Name: env.Expected[0], Outcome: result.Pass, Attempt: 1})
		<-ctx.Done()
		return ctx.Err()
	})
	w.execute(ctx)
	w.deps.Keep, w.observe, w.suites[0] = false, nil, suiteOf("tiny", pass)
	w.swap(fake.Release("v1.34.3"))
	o := w.resume(context.Background())
	o.want(t, result.Inconclusive, 3, result.ReasonIdentityMismatch, result.ReasonIdentityMissing, result.ReasonSuiteIncomplete, result.ReasonCaseNotRun)
}

// After an interrupt a resume runs what had not been shown, on new resources
// where the old ones are gone.
func TestResumeAfterAnInterruptAtEveryEvent(t *testing.T) {
	whole := newWorld(t)
	whole.execute(context.Background())
	for at, word := range story(whole.events[:len(whole.events)-1]) {
		t.Run(word, func(t *testing.T) {
			w := newWorld(t)
			ctx, cancel := context.WithCancelCause(context.Background())
			w.observe = func(e result.Event) {
				if e.Seq == at+1 {
					cancel(Interrupted{Signal: "SIGINT"})
				}
			}
			w.execute(ctx)
			w.observe = nil
			w.resume(context.Background()).want(t, result.Qualified, 0)
			// Again: there is nothing to do any more.
			w.events = nil
			w.resume(context.Background()).want(t, result.Qualified, 0)
			if words := story(w.events); !slices.Equal(words, []string{"run-started", "run-ended"}) {
				t.Errorf("a finished run was gone on with: %v", words)
			}
		})
	}
}

// What an earlier process could not remove is removed first, and nothing is
// made on top of it.
func TestResumeOnTopOfLeftovers(t *testing.T) {
	w := newWorld(t)
	stuck := true
	w.options.Stuck = func(provision.Resource) bool { return stuck }
	w.options.Answers = nil
	w.execute(context.Background())
	w.options.Answers, w.deps.Provisioners, w.events = []fake.Answer{w.answer}, nil, nil
	o := w.resume(context.Background())
	if o.doc.Verdict == result.Qualified || len(of(w.events, result.LeaseOpened)) > 0 {
		t.Errorf("%s; it went %v", o.doc.Verdict, story(w.events))
	}
	stuck, w.deps.Provisioners, w.events = false, nil, nil
	w.resume(context.Background()).want(t, result.Qualified, 0)
}

func TestFreshDir(t *testing.T) {
	base := filepath.Join(t.TempDir(), "suites", "tiny")
	for _, want := range []string{base, base + ".2", base + ".3"} {
		if got, err := freshDir(base); err != nil || got != want {
			t.Errorf("%s, %v, want %s", got, err, want)
		}
	}
	if _, err := freshDir("/dev/null/tiny"); err == nil {
		t.Error("a directory in no directory")
	}
}

func TestRest(t *testing.T) {
	all := []string{"a", "b", "c"}
	for _, test := range []struct {
		b    begun
		want []string
	}{
		{begun{}, all},
		{begun{shown: []string{"b"}}, []string{"a", "c"}},
		{begun{shown: []string{"c", "a", "b"}}, []string{"c"}},
		{begun{shown: []string{"c", "a", "b"}, broken: map[string]int{"c": 1}}, []string{"b"}},
		{begun{shown: []string{"c", "a", "b"}, broken: map[string]int{"a": 1, "b": 2, "c": 1}}, []string{"c"}},
		{begun{shown: []string{"c", "a", "b"}, ended: true}, nil},
	} {
		if got := test.b.rest(all); !slices.Equal(got, test.want) {
			t.Errorf("%+v: %v, want %v", test.b, got, test.want)
		}
	}
	if !slices.Equal(all, []string{"a", "b", "c"}) {
		t.Error("the plan was changed")
	}
}
