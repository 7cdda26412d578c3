package run

import (
	"context"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/qualify-dev/qualify/internal/cluster"
	"github.com/qualify-dev/qualify/internal/provision"
	"github.com/qualify-dev/qualify/internal/provision/fake"
	"github.com/qualify-dev/qualify/internal/redact"
	"github.com/qualify-dev/qualify/internal/result"
	"github.com/qualify-dev/qualify/internal/sink"
	"github.com/qualify-dev/qualify/suites"
)

// A signal may come at any moment: nothing is left, and the answer is its
// exit code.
func TestExecuteInterruptedAtEveryEvent(t *testing.T) {
	w := newWorld(t)
	w.execute(context.Background())
	for at, word := range story(w.events[:len(w.events)-1]) {
		t.Run(word, func(t *testing.T) {
			w := newWorld(t)
			w.systems = append(w.systems, "ubuntu-24.04") // it is not begun
			ctx, cancel := context.WithCancelCause(context.Background())
			w.observe = func(e result.Event) {
				if e.Seq == at+1 {
					cancel(Interrupted{Signal: "SIGTERM"})
				}
			}
			o := w.execute(ctx)
			if o.err != nil || o.doc.ExitCode != 143 || o.doc.Verdict == result.Qualified {
				t.Errorf("error %v, verdict %s, exit code %d", o.err, o.doc.Verdict, o.doc.ExitCode)
			}
			if len(o.left) > 0 {
				t.Errorf("left over: %v", o.left)
			}
			wantText(t, w.events, result.RunEnded, "interrupted: SIGTERM")
			if opened, closed := of(w.events, result.LeaseOpened), of(w.events, result.LeaseClosed); len(opened) != len(closed) || len(opened) > 1 {
				t.Errorf("%d leases opened, %d closed", len(opened), len(closed))
			}
			if len(of(w.events, result.ProductFault)) > 0 {
				t.Error("the release is blamed for a signal")
			}
		})
	}
}

func TestExecuteCancelledWithoutASignal(t *testing.T) {
	w := newWorld(t)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	w.execute(ctx).want(t, result.Inconclusive, 3, result.ReasonInterrupted, result.ReasonCellMissing)
	wantText(t, w.events, result.RunEnded, "stopped: context canceled")
}

// The journal may fail at any moment: then nothing new is taken up, what is
// there is torn down, and what is on disk proves nothing good.
func TestExecuteWithoutJournalAtEveryEvent(t *testing.T) {
	w := newWorld(t)
	w.execute(context.Background())
	whole := w.events
	for at, word := range story(whole[:len(whole)-1]) {
		t.Run(word, func(t *testing.T) {
			w := newWorld(t)
			w.systems = append(w.systems, "ubuntu-24.04") // it is not begun
			ran := false
			w.suites[0] = suiteOf("tiny", func(ctx context.Context, env suites.Env, emit func(result.Case)) error {
				ran = true
				return pass(ctx, env, emit)
			})
			w.observe = func(e result.Event) {
				if e.Seq == at+1 {
					w.deps.Journal.Close()
				}
			}
			p, err := fake.Entry(w.options).New(provision.Config{Log: t.Logf, Sink: sink.New(redact.New())})
			if err != nil {
				t.Fatal(err)
			}
			counted := &counting{Provisioner: p}
			w.deps.Provisioners = map[string]provision.Provisioner{fake.Name: counted}
			o := w.execute(context.Background())
			if opened := slices.Index(story(whole), "lease-opened"); at < opened && counted.ups > 0 {
				t.Error("a cluster was begun without a record of it")
			}
			if counted.ups > 1 || counted.ups != counted.downs {
				t.Errorf("%d clusters were begun, %d torn down", counted.ups, counted.downs)
			}
			if o.err == nil || !strings.Contains(o.err.Error(), "writing the journal") {
				t.Errorf("error %v", o.err)
			}
			if o.doc.ExitCode == 0 || o.doc.Verdict == result.Qualified {
				t.Errorf("the verdict is %s with exit code %d", o.doc.Verdict, o.doc.ExitCode)
			}
			if len(o.left) > 0 {
				t.Errorf("left over: %v", o.left)
			}
			if started := slices.Index(story(whole), "begin tiny"); ran && at < started {
				t.Error("a suite was taken up")
			}
		})
	}
}

// counting counts what is asked of a provisioner.
type counting struct {
	provision.Provisioner
	ups, downs int
}

func (c *counting) Up(ctx context.Context, l provision.Lease, s provision.Spec) (*cluster.Cluster, error) {
	c.ups++
	return c.Provisioner.Up(ctx, l, s)
}

func (c *counting) Down(ctx context.Context, l provision.Lease) error {
	c.downs++
	return c.Provisioner.Down(ctx, l)
}

// One event may be refused and the next ones not: a disk was full for a
// moment, or a case is larger than a line may be. What was lost may be what
// matters.
func TestExecuteThatLostAnEvent(t *testing.T) {
	w := newWorld(t)
	huge := strings.Repeat("x", 9<<20)
	var cut error
	w.suites = append(w.suites, suiteOf("later", pass))
	w.suites[0] = suiteOf("tiny", func(ctx context.Context, env suites.Env, emit func(result.Case)) error {
		err := pass(ctx, env, emit)
		emit(result.Case{Name: "surprise", Outcome: result.Fail, Attempt: 1, Log: huge})
		<-ctx.Done()
		cut = context.Cause(ctx)
		return err
	})
	o := w.execute(context.Background())
	if o.err == nil || cut == nil {
		t.Errorf("error %v, the suite was cut by %v", o.err, cut)
	}
	if o.doc.ExitCode != 3 || len(o.left) > 0 {
		t.Errorf("exit code %d, left over %v", o.doc.ExitCode, o.left)
	}
	wantText(t, w.events, result.RunEnded, "stopped: writing the journal", "the limit is")
	if slices.Contains(story(w.events), "suite-started later") {
		t.Error("another suite was taken up")
	}
}

func TestBudgets(t *testing.T) {
	t.Run("of the suite", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		w.budgets.Suite = 1
		w.suites[0] = suiteOf("tiny", func(ctx context.Context, _ suites.Env, _ func(result.Case)) error {
			<-ctx.Done()
			return ctx.Err()
		})
		w.execute(context.Background()).want(t, result.Inconclusive, 3, result.ReasonSuiteIncomplete, result.ReasonCaseNotRun)
		wantText(t, w.events, result.SuiteEnded, "tiny took longer than its budget of 1s")
	})
	t.Run("of the cluster", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		w.budgets.Up = 1
		// Whoever waits for a kubelet until the time is over may well blame it.
		w.options.Product = func(l provision.Lease, s provision.Spec) *provision.ProductError {
			time.Sleep(1100 * time.Millisecond)
			return productFault(l, s)
		}
		w.execute(context.Background()).want(t, result.Inconclusive, 3, result.ReasonInfrastructure, result.ReasonIdentityMissing, result.ReasonSuiteMissing)
		wantText(t, w.events, result.InfraFault, "longer than its budget of 1s", "kubelet")
		if log := of(w.events, result.InfraFault)[0].Log; log != "panic: no\n" {
			t.Errorf("log %q", log)
		}
	})
	t.Run("of the comparison", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		w.budgets.Identify = 1
		w.options.Answers = append([]fake.Answer{func(ctx context.Context, _ fake.Call) (cluster.Output, bool, error) {
			<-ctx.Done()
			return cluster.Output{}, true, ctx.Err()
		}}, w.options.Answers...)
		w.execute(context.Background()).want(t, result.Inconclusive, 3, result.ReasonInfrastructure, result.ReasonIdentityMissing, result.ReasonSuiteMissing)
		wantText(t, w.events, result.InfraFault, "identify-before took longer than its budget of 1s")
	})
	t.Run("of the teardown", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		w.budgets.Down = 1
		p, err := fake.Entry(w.options).New(provision.Config{Log: t.Logf, Sink: sink.New(redact.New())})
		if err != nil {
			t.Fatal(err)
		}
		w.deps.Provisioners = map[string]provision.Provisioner{fake.Name: endless{p}}
		w.execute(context.Background()).wantJudged(t, result.Qualified, 4, result.ReasonLeftovers)
		wantText(t, w.events, result.Leftover, "unknown resources of lease q-", "down took longer than its budget of 1s")
	})
}

// endless never gets done with its teardown.
type endless struct{ provision.Provisioner }

func (endless) Down(ctx context.Context, _ provision.Lease) error {
	<-ctx.Done()
	return ctx.Err()
}

// Suites may emit from goroutines of their own.
func TestExecuteEmitsFromManyGoroutines(t *testing.T) {
	w := newWorld(t)
	w.suites[0] = suiteOf("tiny", func(_ context.Context, env suites.Env, emit func(result.Case)) error {
		var all sync.WaitGroup
		for _, name := range env.Expected {
			all.Go(func() { emit(result.Case{Name: name, Outcome: result.Pass, Attempt: 1}) })
		}
		all.Wait()
		return nil
	})
	w.execute(context.Background()).want(t, result.Qualified, 0)
}

func TestNewID(t *testing.T) {
	at := time.Date(2026, 11, 22, 10, 30, 0, 0, time.FixedZone("CET", 3600))
	if id := NewID(at, "0a"); id != "20261122-093000-0a" {
		t.Errorf("id %q", id)
	}
	if NewID(at, "ff") >= NewID(at.Add(time.Second), "00") {
		t.Error("a later run sorts before an earlier one")
	}
}

func TestInterruptedNamesTheSignal(t *testing.T) {
	if got := (Interrupted{Signal: "SIGINT"}).Error(); got != "interrupted by SIGINT" {
		t.Errorf("error %q", got)
	}
}
