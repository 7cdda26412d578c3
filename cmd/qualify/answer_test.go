package main

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/qualify-dev/qualify/internal/report"
	"github.com/qualify-dev/qualify/internal/result"
)

func answered(colour bool, doc result.Document, events ...result.Event) string {
	var out bytes.Buffer
	r := record{dir: runDirectory{id: "r1", path: "/results/r1"}, events: events}
	answer{out: &out, colour: colour}.print(r, report.Build(report.Input{Document: doc, Events: events}))
	return out.String()
}

func document(v result.Verdict, cells []string, reasons ...result.Reason) result.Document {
	doc := result.Document{APIVersion: "qualify/v1", Kind: "Verdict", Verdict: v, ExitCode: v.ExitCode(), Reasons: reasons, Release: result.ReleaseRef{Name: "r-1"}}
	for _, id := range cells {
		doc.Cells = append(doc.Cells, result.CellVerdict{ID: id, Verdict: v, Suites: []result.SuiteCount{{Expected: 3, Passed: 2}, {Expected: 4, Passed: 4}}, Identity: result.Identity{Checked: 21}})
	}
	return doc
}

func wantLines(t *testing.T, text string, lines ...string) {
	t.Helper()
	for _, line := range lines {
		if !strings.Contains("\n"+text, "\n"+line+"\n") {
			t.Errorf("it says\n%s\nwant the line\n%s", text, line)
		}
	}
}

func TestAnswer(t *testing.T) {
	text := answered(false, document(result.NotQualified, []string{"a"}, result.Reason{Code: "case-failed", Cell: "a", Text: "\"dns\" failed: no\nwith a log\nof lines"}))
	wantLines(t, text,
		"Not qualified  r-1  (exit code 1)",
		"  NotQualified  a: 6 of 7 cases passed, 21 binaries and images compared",
		`  case-failed: "dns" failed: no`,
		"  report  /results/r1/report.html",
		"  verdict /results/r1/verdict.json")
	if strings.Contains(text, "of lines") {
		t.Errorf("all of a reason is shown:\n%s", text)
	}
}

func TestAnswerIsBounded(t *testing.T) {
	var reasons []result.Reason
	for i := range 30 {
		reasons = append(reasons, result.Reason{Code: "case-failed", Cell: "a", Text: fmt.Sprint(i, " ", strings.Repeat("x", 5000))})
	}
	text := answered(false, document(result.NotQualified, []string{"a", "b"}, reasons...))
	wantLines(t, text, "  … and 18 more reasons in the report", "  case-failed: a: 11 "+strings.Repeat("x", 196)+"…")
	if lines := strings.Count(text, "\n"); lines > 20 {
		t.Errorf("%d lines:\n%s", lines, text)
	}
}

// Each product fault is shown with the log of its own cell.
func TestAnswerShowsWhoseLogItIs(t *testing.T) {
	fault := func(cell, text, log string) (result.Event, result.Reason) {
		return result.Event{Kind: result.ProductFault, Cell: cell, Text: text, Log: log},
			result.Reason{Code: result.ReasonProductFault, Cell: cell, Text: text + ": " + log}
	}
	e1, r1 := fault("a", "kubelet on a", "log of a\n")
	e2, r2 := fault("b", "etcd on b", "\nlog\tof b\n::error::x\n\n")
	e3, r3 := fault("b", "once more", "")
	other := result.Reason{Code: result.ReasonInfrastructure, Cell: "a", Text: "disk full\nlog of the disk"}
	text := answered(false, document(result.NotQualified, []string{"a", "b"}, r1, other, r2, r3), e2, e1, e3)
	want := `  product-fault: a: kubelet on a
      log of a
  infrastructure: a: disk full
  product-fault: b: etcd on b
      log of b
      : :error::x
  product-fault: b: once more
  report  `
	if !strings.Contains(text, want) {
		t.Errorf("it says\n%s\nwant\n%s", text, want)
	}
}

func TestAnswerInColour(t *testing.T) {
	for verdict, colour := range map[result.Verdict]string{result.Qualified: "32", result.NotQualified: "31", result.Inconclusive: "33"} {
		text := answered(true, document(verdict, nil))
		if !strings.HasPrefix(text, "\x1b[1;"+colour+"m") || strings.Count(text, "\x1b") != 2 {
			t.Errorf("%s is %q", verdict, text)
		}
		if text := answered(false, document(verdict, nil)); strings.Contains(text, "\x1b") {
			t.Errorf("without colours %s is %q", verdict, text)
		}
	}
}

// A name out of a manifest is foreign text too.
func TestAnswerIsHarmless(t *testing.T) {
	doc := document(result.Inconclusive, nil, result.Reason{Code: "note", Text: hostile})
	doc.Release.Name = hostile
	if text := answered(false, doc); strings.ContainsAny(text, "\x1b\x07\u202e\r\t") {
		t.Errorf("it says %q", text)
	}
}

func TestLastLines(t *testing.T) {
	for _, test := range []struct {
		log  string
		most int
		want string
	}{
		{"", 3, ""}, {"\n\n", 3, ""}, {"a", 3, "a"}, {"a\n\nb\n", 3, "a\n|b\n"}, {"a\nb\nc\nd\n", 2, "c\n|d\n"},
	} {
		if got := strings.Join(lastLines(test.log, test.most), "|"); got != test.want {
			t.Errorf("the last %d of %q are %q, want %q", test.most, test.log, got, test.want)
		}
	}
}
