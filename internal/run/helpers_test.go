package run

import (
	"context"
	"errors"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/qualify-dev/qualify/internal/cluster"
	"github.com/qualify-dev/qualify/internal/identity"
	"github.com/qualify-dev/qualify/internal/provision"
	"github.com/qualify-dev/qualify/internal/provision/fake"
	"github.com/qualify-dev/qualify/internal/redact"
	"github.com/qualify-dev/qualify/internal/release"
	"github.com/qualify-dev/qualify/internal/result"
	"github.com/qualify-dev/qualify/internal/sink"
	"github.com/qualify-dev/qualify/matrix"
	"github.com/qualify-dev/qualify/suites"
)

// world is a fake cloud, and a run in it that a test can change before it
// starts.
type world struct {
	t       *testing.T
	rel     *release.Release
	cloud   fake.Cloud
	options fake.Options
	suites  []suites.Suite
	modes   map[string]result.SuiteMode
	systems []string      // operating systems, one for each cell
	cells   []matrix.Cell // in place of systems
	parts   map[result.ComponentRef]*release.Release
	budgets Budgets
	retries int
	// clusters is over how many each cell is spread; 0 is one.
	clusters int
	policy   result.Policy
	guard    func() error // of the journal
	deps     Deps
	journal  string
	// runs names the release that the nodes say they run. It changes while
	// they are asked in one test, hence the lock.
	mu   sync.Mutex
	runs *release.Release
	// observe is called with each event.
	observe func(result.Event)
	events  []result.Event
}

// expected are the cases of the suite that passes.
func expected() []string { return []string{"dns", "exec", "job"} }

// suiteOf is a suite with the usual cases.
func suiteOf(name string, run func(ctx context.Context, env suites.Env, emit func(result.Case)) error) suites.Suite {
	return suites.Suite{
		Name: name, Doc: "for tests", Run: run,
		Expect: func(*release.Release) ([]string, error) { return expected(), nil },
	}
}

func pass(_ context.Context, env suites.Env, emit func(result.Case)) error {
	for _, name := range env.Expected {
		emit(result.Case{Name: name, Outcome: result.Pass, Attempt: 1})
	}
	return nil
}

func newWorld(t *testing.T) *world {
	w := &world{t: t, rel: fake.Release("v1.34.4"), systems: []string{"debian-12"}, budgets: DefaultBudgets()}
	w.runs = w.rel
	w.cloud = fake.Cloud{Dir: t.TempDir()}
	server := httptest.NewServer(w.cloud.API(w.rel))
	t.Cleanup(server.Close)
	w.options = fake.Options{Dir: w.cloud.Dir, Server: server.URL, Answers: []fake.Answer{w.answer}}
	w.suites = []suites.Suite{suiteOf("tiny", pass)}
	dir := t.TempDir()
	w.journal = filepath.Join(dir, "journal.jsonl")
	w.deps = Deps{
		Run: "20261122-100000-00000001", Dir: dir, Owner: "host/1", Suite: w.suite, Procs: 1, Now: time.Now, Sink: sink.New(redact.New()),
		Releases: map[string]*release.Release{w.rel.Digest(): w.rel},
		Prover:   identity.Prover{Arch: "amd64"},
		Shortage: func(context.Context, *cluster.Cluster, time.Time) (string, error) { return "", nil },
		Artifact: w.artifact,
		Tool:     func(string) (string, error) { return "", errors.New("there are no tools") },
		Observe: func(e result.Event) {
			w.events = append(w.events, e)
			if w.observe != nil {
				w.observe(e)
			}
		},
	}
	return w
}

func (w *world) artifact(context.Context, *release.Release, string) (string, error) {
	return "", errors.New("there are no artifacts")
}

func (w *world) answer(ctx context.Context, call fake.Call) (out cluster.Output, known bool, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return fake.Identity(w.runs)(ctx, call)
}

// swap makes the nodes run another release.
func (w *world) swap(rel *release.Release) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.runs = rel
}

func (w *world) suite(name string) (suites.Suite, error) {
	for _, s := range w.suites {
		if s.Name == name {
			return s, nil
		}
	}
	return suites.Suite{}, errors.New("unknown suite " + name)
}

func (w *world) compilation() Compilation {
	c := Compilation{
		Policy: w.policy, Workers: 1, Suite: w.suite, Modes: w.modes,
		Releases: map[string]*release.Release{"v1.34.4": w.rel},
		Entries:  map[string]provision.Entry{fake.Name: fake.Entry(w.options)},
	}
	for _, s := range w.suites {
		c.Suites = append(c.Suites, s.Name)
	}
	for _, os := range w.systems {
		c.Cells = append(c.Cells, cellOf(os))
	}
	if w.cells != nil {
		c.Cells, c.Components = w.cells, w.parts
	}
	return c
}

func cellOf(os string) matrix.Cell {
	return matrix.NewCell(map[string]string{matrix.OS: os, matrix.K8s: "v1.34.4", matrix.Provisioner: fake.Name})
}

func (w *world) plan() Plan {
	w.t.Helper()
	plan, err := Compile(w.compilation())
	if err != nil {
		w.t.Fatal(err)
	}
	if plan, err = plan.Divided(w.clusters, w.compilation().Releases, w.suite); err != nil {
		w.t.Fatal(err)
	}
	plan.Budgets, plan.Retries = w.budgets, w.retries
	if plan.Hash, err = plan.hash(); err != nil {
		w.t.Fatal(err)
	}
	return plan
}

// outcome is what is left of a run: its error, what the judge says to its
// journal, and what the cloud holds.
type outcome struct {
	err  error
	doc  result.Document
	left []fake.Record
}

// execute runs the plan, and judges what is on disk then.
func (w *world) execute(ctx context.Context) outcome {
	w.t.Helper()
	var err error
	if w.deps.Journal, err = result.Create(w.journal, w.deps.Now); err != nil {
		w.t.Fatal(err)
	}
	return w.work(ctx)
}

// resume goes on with the plan where the journal ends.
func (w *world) resume(ctx context.Context) outcome {
	w.t.Helper()
	var err error
	if w.deps.Journal, w.deps.Past, err = result.Open(w.journal, w.deps.Now); err != nil {
		w.t.Fatal(err)
	}
	return w.work(ctx)
}

func (w *world) work(ctx context.Context) outcome {
	w.t.Helper()
	plan := w.plan()
	entry := fake.Entry(w.options)
	p, err := entry.New(provision.Config{Log: w.t.Logf, Sink: sink.New(redact.New())})
	if err != nil {
		w.t.Fatal(err)
	}
	if w.deps.Provisioners == nil {
		w.deps.Provisioners = map[string]provision.Provisioner{fake.Name: p}
	}
	w.deps.Journal.Guard(w.guard)
	var o outcome
	o.err = Execute(ctx, plan, w.deps)
	if err := w.deps.Journal.Close(); err != nil {
		w.t.Error(err)
	}
	events, _, err := result.ReadFile(w.journal)
	if err != nil {
		w.t.Fatal(err)
	}
	o.doc = result.Judge(plan.Judged(), result.Fold(events), plan.Measure())
	if o.left, err = w.cloud.All(); err != nil {
		w.t.Fatal(err)
	}
	misuses, err := w.cloud.Misuses()
	if err != nil || len(misuses) > 0 {
		w.t.Errorf("misuses of the provisioner: %v, %v", misuses, err)
	}
	return o
}

// want holds what an outcome must be; nothing may be left.
func (o outcome) want(t *testing.T, verdict result.Verdict, code int, reasons ...string) {
	t.Helper()
	if o.err != nil {
		t.Errorf("the journal failed: %v", o.err)
	}
	o.wantJudged(t, verdict, code, reasons...)
	if len(o.left) > 0 {
		t.Errorf("left over: %+v", o.left)
	}
}

func (o outcome) wantJudged(t *testing.T, verdict result.Verdict, code int, reasons ...string) {
	t.Helper()
	if o.doc.Verdict != verdict || o.doc.ExitCode != code {
		t.Errorf("the verdict is %s with exit code %d, want %s with %d: %+v", o.doc.Verdict, o.doc.ExitCode, verdict, code, o.doc.Reasons)
	}
	var got []string
	for _, r := range o.doc.Reasons {
		if !slices.Contains(got, r.Code) {
			got = append(got, r.Code)
		}
	}
	slices.Sort(got)
	slices.Sort(reasons)
	if !slices.Equal(got, reasons) {
		t.Errorf("reasons %v, want %v", got, reasons)
	}
}

// story is what happened, one word for each event.
func story(events []result.Event) []string {
	var words []string
	for _, e := range events {
		word := string(e.Kind)
		switch e.Kind {
		case result.PhaseStarted:
			word = "begin " + e.Phase
		case result.PhaseEnded:
			word = "end " + e.Phase
		case result.IdentityMatch:
			word = "identity " + e.Stage
		case result.CaseEnded:
			word = "case " + e.Case.Name
		case result.SuiteStarted, result.SuiteEnded:
			word += " " + e.Suite
		}
		words = append(words, word)
	}
	return words
}

// of returns the events of a kind.
func of(events []result.Event, kind result.Kind) []result.Event {
	return slices.DeleteFunc(slices.Clone(events), func(e result.Event) bool { return e.Kind != kind })
}

// wantText wants one event of a kind, with all of the words in its text.
func wantText(t *testing.T, events []result.Event, kind result.Kind, words ...string) {
	t.Helper()
	found := of(events, kind)
	if len(found) != 1 {
		t.Fatalf("%d events %s, want one: %v", len(found), kind, story(events))
	}
	for _, word := range words {
		if !strings.Contains(found[0].Text, word) {
			t.Errorf("%s says %q, want %q in it", kind, found[0].Text, word)
		}
	}
}
