package result

import (
	"bytes"
	"encoding/json"
	"math"
	"slices"
	"time"
)

var epoch = time.Date(2026, 9, 1, 8, 0, 0, 0, time.UTC)

// ticking is a clock that advances by a second per reading.
func ticking() func() time.Time {
	at := epoch
	return func() time.Time {
		at = at.Add(time.Second)
		return at
	}
}

// number gives events the numbers and times that a journal would give them.
func number(events []Event) []Event {
	now := ticking()
	numbered := slices.Clone(events)
	for i := range numbered {
		numbered[i].Seq, numbered[i].Time = i+1, now()
	}
	return numbered
}

func start() Event {
	return Event{Kind: RunStarted, Text: "run-1", Plan: "plan-hash", Release: "sha256:rel"}
}

func end(text string) Event { return Event{Kind: RunEnded, Text: text} }

func lease(kind Kind, cell, name string) Event {
	return Event{Kind: kind, Cell: cell, Lease: &Lease{Name: name, Run: "run-1", Cell: cell, Owner: "host/1"}}
}

func identity(cell, stage string) Event {
	return Event{Kind: IdentityMatch, Cell: cell, Stage: stage, Release: "sha256:rel", Checked: []string{"kubelet: 1a", "etcd: 2b"}}
}

func suite(kind Kind, cell, name, text string) Event {
	return Event{Kind: kind, Cell: cell, Suite: name, Text: text}
}

func ended(cell, suite, name string, attempt int, o Outcome) Event {
	c := &Case{Name: name, Attempt: attempt, Outcome: o}
	if o != Pass {
		c.Message = "because"
	}
	return Event{Kind: CaseEnded, Cell: cell, Suite: suite, Case: c}
}

// onePlan has one cell, one suite and three cases.
func onePlan() Plan {
	rel := ReleaseRef{Name: "v1-34-1", Kubernetes: "v1.34.4", Digest: "sha256:rel"}
	return Plan{Hash: "plan-hash", Release: rel, Cells: []PlanCell{{
		ID: "c1", Release: rel, Values: map[string]string{"os": "debian-12"},
		Suites: []PlanSuite{{Name: "smoke", Expected: []string{"dns", "exec", "job"}}},
	}}}
}

// cleanRun are the events of a run of onePlan in which all is well.
func cleanRun() []Event {
	return []Event{
		start(),
		lease(LeaseOpened, "c1", "q-1"),
		{Kind: PhaseStarted, Cell: "c1", Phase: "up"},
		{Kind: PhaseEnded, Cell: "c1", Phase: "up", Seconds: 42},
		identity("c1", StageBefore),
		suite(SuiteStarted, "c1", "smoke", ""),
		ended("c1", "smoke", "dns", 1, Pass),
		ended("c1", "smoke", "exec", 1, Pass),
		ended("c1", "smoke", "job", 1, Pass),
		suite(SuiteEnded, "c1", "smoke", ""),
		identity("c1", StageAfter),
		lease(LeaseClosed, "c1", "q-1"),
		end(RunComplete),
	}
}

// swap replaces the one event that fits; insert and without do what they say.
func swap(events []Event, fits func(Event) bool, with ...Event) []Event {
	i := slices.IndexFunc(events, fits)
	if i < 0 {
		panic("no event fits")
	}
	return slices.Concat(events[:i:i], with, events[i+1:])
}

func caseIs(name string) func(Event) bool {
	return func(e Event) bool { return e.Kind == CaseEnded && e.Case.Name == name }
}

func kindIs(k Kind) func(Event) bool { return func(e Event) bool { return e.Kind == k } }

func stageIs(stage string) func(Event) bool { return func(e Event) bool { return e.Stage == stage } }

// tester is what *testing.T, *testing.F and *rapid.T have in common.
type tester interface {
	Helper()
	Fatal(args ...any)
	Fatalf(format string, args ...any)
}

func judge(t tester, plan Plan, events []Event, policy Policy) Document {
	t.Helper()
	doc := Judge(plan, Fold(number(events)), policy)
	checkDocument(t, doc)
	return doc
}

// checkDocument holds what is true of every document.
func checkDocument(t tester, doc Document) {
	t.Helper()
	if (doc.ExitCode == 0) != (len(doc.Reasons) == 0) {
		t.Fatalf("exit code %d with reasons %v", doc.ExitCode, doc.Reasons)
	}
	if doc.ExitCode == 0 && doc.Verdict != Qualified {
		t.Fatalf("exit code 0 for %v", doc.Verdict)
	}
	for _, c := range doc.Cells {
		if c.Verdict != Qualified && len(c.Reasons) == 0 {
			t.Fatalf("cell %s is %v without a reason", c.ID, c.Verdict)
		}
		if doc.Verdict == Qualified && c.Verdict != Qualified {
			t.Fatalf("run is Qualified, cell %s is %v", c.ID, c.Verdict)
		}
		for _, s := range c.Suites {
			if sum := s.Passed + s.Failed + s.Errored + s.Skipped + s.NotRun; sum != s.Expected {
				t.Fatalf("suite %s counts %d of %d cases: %+v", s.Name, sum, s.Expected, s)
			}
		}
	}
	text, err := json.Marshal(doc)
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Contains(text, []byte("null")) {
		t.Fatalf("null in %s", text)
	}
}

func codes(reasons []Reason) []string {
	list := []string{}
	for _, r := range reasons {
		if !slices.Contains(list, r.Code) {
			list = append(list, r.Code)
		}
	}
	return list
}

// memFile is a file in memory whose operations fail by a schedule.
type memFile struct {
	data   []byte
	ops    int
	fails  func(op int) error // asked before each operation
	short  bool               // a failing write leaves half of its bytes
	silent bool               // a failing write claims success
	closed bool
}

func (m *memFile) fail() error {
	m.ops++
	if m.fails == nil {
		return nil
	}
	return m.fails(m.ops)
}

func (m *memFile) Write(p []byte) (int, error) {
	if err := m.fail(); err != nil {
		n := 0
		if m.short {
			n = len(p) / 2
		}
		m.data = append(m.data, p[:n]...)
		if m.silent {
			err = nil
		}
		return n, err
	}
	m.data = append(m.data, p...)
	return len(p), nil
}

func (m *memFile) Sync() error { return m.fail() }

func (m *memFile) Truncate(size int64) error {
	if err := m.fail(); err != nil {
		return err
	}
	m.data = m.data[:size]
	return nil
}

func (m *memFile) Close() error {
	m.closed = true
	return m.fail()
}

// during fails the operations from first to last.
func during(first, last int, err error) func(int) error {
	return func(op int) error {
		if op < first || op > last {
			return nil
		}
		return err
	}
}

func once(n int, err error) func(int) error { return during(n, n, err) }

func from(n int, err error) func(int) error { return during(n, math.MaxInt, err) }

// written are the bytes of a journal with the given events.
func written(t tester, events []Event) []byte {
	t.Helper()
	f := &memFile{}
	j := newJournal(f, ticking())
	for _, e := range events {
		if _, err := j.Append(e); err != nil {
			t.Fatal(err)
		}
	}
	return f.data
}
