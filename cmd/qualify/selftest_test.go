package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/qualify-dev/qualify/internal/selftest"
)

// selftestGate is the program's own gate and the recorded run.
func selftestGate(t *testing.T) (selftest.Gate, selftest.Run) {
	t.Helper()
	r, err := selftest.Recorded()
	if err != nil {
		t.Fatal(err)
	}
	return shipped(nil).gate(context.Background(), t.TempDir()), r
}

// What the verb judge answers: its exit code, its codes, and its words on
// stderr where it could not read the run.
func TestSelftestGate(t *testing.T) {
	gate, r := selftestGate(t)
	for name, tc := range map[string]struct {
		change func(*selftest.Run)
		want   selftest.Answer
	}{
		"as it is":   {func(*selftest.Run) {}, selftest.Answer{Verdict: "Qualified"}},
		"no journal": {func(r *selftest.Run) { r.Journal = nil }, selftest.Answer{Exit: 3, Codes: []string{"unreadable"}, Text: "no such file"}},
		"no plan":    {func(r *selftest.Run) { r.Plan = nil }, selftest.Answer{Exit: 3, Codes: []string{"unreadable"}, Text: "no such file"}},
		"cut":        {func(r *selftest.Run) { r.Journal = r.Journal[:len(r.Journal)-1] }, selftest.Answer{Exit: 3, Verdict: "Inconclusive", Codes: []string{"interrupted"}, Text: "the run did not end"}},
		"longer":     {func(r *selftest.Run) { r.Journal = append(slices.Clip(r.Journal), 0) }, selftest.Answer{Exit: 3, Verdict: "Inconclusive", Codes: []string{"journal-damaged"}, Text: "something follows the end"}},
		"two plans":  {func(r *selftest.Run) { r.Plan = append(slices.Clip(r.Plan), r.Plan...) }, selftest.Answer{Exit: 3, Codes: []string{"unreadable"}, Text: "something follows the document"}},
		"another run": {func(r *selftest.Run) {
			r.Info = bytes.ReplaceAll(r.Info, []byte("52dd5f15"), []byte("00000000"))
		}, selftest.Answer{Exit: 3, Codes: []string{"unreadable"}, Text: "its journal is that of run"}},
	} {
		spoilt := r
		tc.change(&spoilt)
		got, err := gate(spoilt)
		if err != nil || got.Exit != tc.want.Exit || got.Verdict != tc.want.Verdict || !slices.Equal(got.Codes, tc.want.Codes) || !strings.Contains(got.Text, tc.want.Text) {
			t.Errorf("%s: %v %+v", name, err, got)
		}
	}
}

func TestSelftestGateThatCannotBeAsked(t *testing.T) {
	_, r := selftestGate(t)
	stopped, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := shipped(nil).gate(stopped, t.TempDir())(r); !errors.Is(err, context.Canceled) {
		t.Errorf("after an interrupt: %v", err)
	}
	if _, err := shipped(nil).gate(context.Background(), filepath.Join(t.TempDir(), "none"))(r); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("without a directory: %v", err)
	}
}

// An exit code of 0 counts, whatever was printed beside it.
func TestSelftestAnswer(t *testing.T) {
	for stdout, want := range map[string]selftest.Answer{
		"":                        {Codes: []string{"unreadable"}, Text: "words"},
		"no JSON":                 {Codes: []string{"unreadable"}, Text: "words"},
		`{"verdict":"Perhaps"}`:   {Codes: []string{"unreadable"}, Text: "words"},
		`{"verdict":"Qualified"}`: {Verdict: "Qualified"},
		`{"verdict":"NotQualified","reasons":[{"code":"a","text":"one"},{"code":"b","text":"two"}]}`: {
			Verdict: "NotQualified", Codes: []string{"a", "b"}, Text: "one",
		},
	} {
		got := answerOf(0, []byte(stdout), " words\n")
		if got.Verdict != want.Verdict || !slices.Equal(got.Codes, want.Codes) || got.Text != want.Text || got.Exit != 0 {
			t.Errorf("%s: %+v", stdout, got)
		}
	}
}

func TestSelftestTable(t *testing.T) {
	found := []selftest.Result{
		{Mutation: selftest.Mutation{ID: "one", Imitates: "this", Wants: []string{"b"}}, Status: selftest.Refused, Answer: selftest.Answer{Exit: 3, Codes: []string{"a", "b"}}},
		{Mutation: selftest.Mutation{ID: "two", Imitates: "that", Project: "somebody"}, Status: selftest.Escaped, Answer: selftest.Answer{Verdict: "Qualified"}},
		{Mutation: selftest.Mutation{ID: "three", Imitates: "more"}, Status: selftest.NotApplicable},
	}
	want := "" +
		"refused           3  b                   one                                 this\n" +
		"escaped           0  -                   two                                 somebody: that\n" +
		"not applicable    -  -                   three                               more\n" +
		"2 mutations of a run: 1 refused, 1 escaped, 1 not applicable\n"
	if got := selftestTable("a run", found, selftest.Summarize(found, false)); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestSelftestAnswerCode(t *testing.T) {
	refused, escaped, none := selftest.Result{Status: selftest.Refused}, selftest.Result{Status: selftest.Escaped}, selftest.Result{Status: selftest.NotApplicable}
	for _, tc := range []struct {
		run   string
		found []selftest.Result
		want  int
	}{
		{recordedRun, []selftest.Result{refused}, 0},
		{recordedRun, []selftest.Result{refused, escaped}, 1},
		{recordedRun, []selftest.Result{refused, none}, 1},
		{recordedRun, nil, 1},
		{"run r", []selftest.Result{refused, none}, 0},
		{"run r", []selftest.Result{none}, 1},
	} {
		for _, format := range []string{"table", "json", "yaml"} {
			var out bytes.Buffer
			got, verdict := 0, (*verdictError)(nil)
			err := selftestAnswer(&out, format, tc.run, tc.found)
			if errors.As(err, &verdict) {
				got = verdict.code
			}
			if err != nil && verdict == nil || got != tc.want || out.Len() == 0 {
				t.Errorf("%s %v: %v, printed %q", tc.run, tc.found, err, &out)
			}
		}
	}
}

// The contract of -o json, byte by byte but for the numbers, and the codes of
// every mutation as the program itself gives them.
func TestSelftestOfTheProgram(t *testing.T) {
	var stdout, stderr bytes.Buffer
	code := Main(context.Background(), []string{"selftest", "-o", "json"}, &stdout, &stderr)
	var summary selftest.Summary
	decoder := json.NewDecoder(&stdout)
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&summary); err != nil || code != 0 || stderr.Len() > 0 {
		t.Fatalf("exit %d, %v, %s", code, err, &stderr)
	}
	if summary.Mutations < 60 || summary.Mutations != len(selftest.Catalogue()) || summary.Refused != summary.Mutations || len(summary.Escaped) > 0 {
		t.Errorf("%+v", summary)
	}
	gate, r := selftestGate(t)
	results, err := selftest.Check(r, gate, selftest.Catalogue())
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range results {
		if !slices.ContainsFunc(r.Mutation.Wants, func(code string) bool { return slices.Contains(r.Answer.Codes, code) }) {
			t.Errorf("%s: refused for %v, want one of %v", r.Mutation.ID, r.Answer.Codes, r.Mutation.Wants)
		}
		if strings.Contains(r.Answer.Text, "internal error") || r.Answer.Text == "" {
			t.Errorf("%s: %q", r.Mutation.ID, r.Answer.Text)
		}
	}
}
