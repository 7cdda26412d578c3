package suites

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/onsi/ginkgo/v2/types"

	"github.com/qualify-dev/qualify/internal/redact"
	"github.com/qualify-dev/qualify/internal/result"
	"github.com/qualify-dev/qualify/internal/sink"
)

func TestNames(t *testing.T) {
	for _, c := range []struct {
		text string
		want []string // nil is refused
		why  string
	}{
		{"a\nb\n", []string{"a", "b"}, ""},
		{"# what this is\n\n  a \r\n\t\n#b\nb # no comment", []string{"a", "b # no comment"}, ""},
		{"[x] a [y]\n[x] a\n", []string{"[x] a [y]", "[x] a"}, ""},
		{"", nil, "empty"},
		{"\n# only\n # comments\n", nil, "empty"},
		{"a\nb\na\n", nil, `"a" twice`},
		{"a\n  a  \n", nil, `"a" twice`},
	} {
		got, err := names(c.text)
		if !slices.Equal(got, c.want) || (err == nil) != (c.want != nil) || err != nil && !strings.Contains(err.Error(), c.why) {
			t.Errorf("%q: got %q and %v, want %q %s", c.text, got, err, c.want, c.why)
		}
	}
}

func FuzzNames(f *testing.F) {
	f.Add("a\nb\n# c\n\n")
	f.Add("a\na")
	f.Fuzz(func(t *testing.T, text string) {
		list, err := names(text)
		if (err == nil) != (len(list) > 0) {
			t.Fatalf("%d names, %v", len(list), err)
		}
		for i, name := range list {
			if name == "" || name != strings.TrimSpace(name) || strings.HasPrefix(name, "#") || slices.Contains(list[:i], name) || !strings.Contains(text, name) {
				t.Errorf("name %q", name)
			}
		}
	})
}

// Each state that Ginkgo knows has its outcome; every other is an error, and
// nothing but passing passes.
func TestCaseOfStates(t *testing.T) {
	known := map[types.SpecState]result.Outcome{
		types.SpecStatePassed:      result.Pass,
		types.SpecStateFailed:      result.Fail,
		types.SpecStatePanicked:    result.Fail,
		types.SpecStateTimedout:    result.Fail,
		types.SpecStateSkipped:     result.Skip,
		types.SpecStatePending:     result.Skip,
		types.SpecStateInterrupted: result.Error,
		types.SpecStateAborted:     result.Error,
		types.SpecStateInvalid:     result.Error,
	}
	states := []types.SpecState{types.SpecStateInvalid, 3, types.SpecStatePassed | types.SpecStateFailed, ^types.SpecState(0)}
	for bit := range 32 {
		states = append(states, 1<<bit)
	}
	for _, state := range states {
		want, ok := known[state]
		if !ok {
			want = result.Error
		}
		if got := caseOf(types.SpecReport{State: state}, sink.New(redact.New())); got.Outcome != want {
			t.Errorf("%s (%d): %s, want %s", state, state, got.Outcome, want)
		}
		if got := caseOf(types.SpecReport{State: state}, sink.New(redact.New())); got.Message == "" && want != result.Pass {
			t.Errorf("%s (%d) says nothing", state, state)
		}
	}
}

func TestCaseOf(t *testing.T) {
	report := types.SpecReport{
		ContainerHierarchyTexts: []string{"[sig-x] Thing", "", "in a corner"}, LeafNodeText: "works [Conformance]",
		State: types.SpecStatePanicked, RunTime: 1500 * time.Millisecond, NumAttempts: 2,
		Failure:                    types.Failure{Message: "  Test Panicked\n", ForwardedPanic: "nil map"},
		CapturedGinkgoWriterOutput: "told the writer\n", CapturedStdOutErr: "told standard output\n",
	}
	want := result.Case{
		Name: "[sig-x] Thing in a corner works [Conformance]", Outcome: result.Fail, Attempt: 2, Seconds: 1.5,
		Message: "Test Panicked: nil map", Log: "told the writer\ntold standard output\n",
	}
	if got := caseOf(report, sink.New(redact.New())); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
	// A case that passed needs no words; one that nobody counted ran once.
	report.State, report.NumAttempts = types.SpecStatePassed, 0
	if got := caseOf(report, sink.New(redact.New())); got != (result.Case{Name: want.Name, Outcome: result.Pass, Attempt: 1, Seconds: 1.5}) {
		t.Errorf("passed: %+v", got)
	}
	if got := caseOf(types.SpecReport{State: types.SpecStateSkipped}, sink.New(redact.New())); got.Message != "skipped" {
		t.Errorf("skipped without a word: %q", got.Message)
	}
}

func TestExcerpt(t *testing.T) {
	const most, notice = 16 << 10, "… (the whole log is in the run's directory)\n"
	lines := strings.Repeat(strings.Repeat("x", 99)+"\n", 1000) + "the cause\n"
	for _, c := range []struct {
		name, log string
		cut       bool
	}{
		{"empty", "", false},
		{"short", "a\nb\n", false},
		{"as much as there is room for", strings.Repeat("x", most), false},
		{"a byte more", strings.Repeat("x", most+1), true},
		{"many lines", lines, true},
		{"one long line", strings.Repeat("y", 10*most), true},
		{"a line break at the very end", strings.Repeat("y", 10*most) + "\n", true},
		{"wide characters", strings.Repeat("界", most), true},
	} {
		got := excerpt(c.log)
		rest, cut := strings.CutPrefix(got, notice)
		if cut != c.cut || !strings.HasSuffix(c.log, rest) || len(rest) > most || !utf8.ValidString(got) {
			t.Errorf("%s: %d bytes of %d, cut %v, valid %v", c.name, len(rest), len(c.log), cut, utf8.ValidString(got))
		}
		if c.log != "" && strings.TrimSpace(rest) == "" {
			t.Errorf("%s: nothing is left", c.name)
		}
	}
	if rest := strings.TrimPrefix(excerpt(lines), notice); !strings.HasPrefix(rest, "xxx") || len(rest) < most-100 || !strings.HasSuffix(rest, "the cause\n") {
		t.Errorf("many lines: %d bytes from %.9q", len(rest), rest)
	}
}

// Events that the excerpt has no room for stand before it, within bounds.
func TestEventsAreKept(t *testing.T) {
	event := func(n int) string {
		return fmt.Sprintf("I1127 dump.go:53] At 2026-11-27 - event for pod-%d: {kubelet n1} Failed: no image %d\n", n, n)
	}
	filler := strings.Repeat(strings.Repeat("x", 99)+"\n", 300)
	log := "begin\n" + event(1) + event(2) + filler + event(3) + "the end\n"
	got := caseOf(types.SpecReport{State: types.SpecStateFailed, CapturedGinkgoWriterOutput: log}, sink.New(redact.New())).Log
	if !strings.HasPrefix(got, "events of its namespaces:\n"+event(1)+event(2)+"… (") || strings.Count(got, event(3)) != 1 || !strings.HasSuffix(got, "the end\n") {
		t.Errorf("%.400q", got)
	}
	if short := event(1) + "the end\n"; caseOf(types.SpecReport{State: types.SpecStateFailed, CapturedGinkgoWriterOutput: short}, sink.New(redact.New())).Log != short {
		t.Error("a short log is changed")
	}
	var many strings.Builder
	for n := range 1000 {
		many.WriteString(event(n))
	}
	got = caseOf(types.SpecReport{State: types.SpecStateFailed, CapturedGinkgoWriterOutput: many.String() + filler}, sink.New(redact.New())).Log
	if len(got) > 25<<10 || strings.Count(got, "event for") < 50 {
		t.Errorf("%d bytes with %d events", len(got), strings.Count(got, "event for"))
	}
}

func TestWithout(t *testing.T) {
	for _, c := range []struct{ names, held, want []string }{
		{nil, nil, nil},
		{nil, []string{"a"}, nil},
		{[]string{"a", "b", "c"}, []string{"c", "a", "d"}, []string{"b"}},
		{[]string{"b", "a"}, nil, []string{"b", "a"}},
		{[]string{"a"}, []string{"A", "a ", "aa"}, []string{"a"}},
	} {
		if got := without(c.names, c.held); !slices.Equal(got, c.want) {
			t.Errorf("%q without %q: got %q, want %q", c.names, c.held, got, c.want)
		}
	}
}

func TestAmbiguous(t *testing.T) {
	for _, c := range []struct {
		names, held []string
		want        string
	}{
		{nil, []string{"a", "a"}, ""},
		{[]string{"a", "b"}, []string{"a", "b", "c", "c"}, ""},
		{[]string{"a", "b"}, []string{"b", "a", "b"}, "b"},
	} {
		if got := ambiguous(c.names, c.held); got != c.want {
			t.Errorf("%q among %q: got %q, want %q", c.names, c.held, got, c.want)
		}
	}
}

// A log is redacted before it is cut: of what the cut goes through nobody could
// tell any more what it was.
func TestLogsAreRedactedBeforeTheyAreCut(t *testing.T) {
	const kept = 16 << 10
	for at := range 40 {
		log := "password=hunter2hunter2hunter2\n" + strings.Repeat("x", kept-at) // the last kept bytes begin within the password
		got := caseOf(types.SpecReport{State: types.SpecStateFailed, CapturedStdOutErr: log}, sink.New(redact.New()))
		if strings.Contains(got.Log, "unter") {
			t.Fatalf("%d bytes of it are left: %.80q", at, got.Log)
		}
	}
}
