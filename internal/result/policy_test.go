package result

import (
	"encoding/json"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestMatches(t *testing.T) {
	for _, tc := range []struct {
		pattern, name string
		want          bool
	}{
		{"", "", false}, {"", "a", false}, {"a", "a", true}, {"a", "ab", false}, {"a", "", false},
		{"*", "", true}, {"*", "anything", true}, {"a*", "a", true}, {"a*a", "a", false}, {"a*a", "aa", true},
		{"[sig-network] *", "[sig-network] Services x", true}, {"[sig-network] *", "s Services", false},
		{"*Conformance]", "x [Conformance]", true}, {"a*b*c", "aXbYc", true}, {"a*b*c", "acb", false},
		{"a**c", "abc", true}, {"*b*", "abc", true}, {"a.c", "abc", false}, {"a*bb*b", "abb", false},
		{"*b*", "xyz", false}, {"a*bc*", "axb", false},
	} {
		if got := matches(tc.pattern, tc.name); got != tc.want {
			t.Errorf("matches(%q, %q) = %v", tc.pattern, tc.name, got)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		parts := rapid.SliceOfN(rapid.StringMatching(`[ab]{0,3}`), 1, 4).Draw(t, "parts")
		fill := rapid.StringMatching(`[abc]{0,3}`).Draw(t, "fill")
		pattern, name := strings.Join(parts, "*"), strings.Join(parts, fill)
		if pattern != "" && !matches(pattern, name) {
			t.Fatalf("%q does not match %q", pattern, name)
		}
	})
}

func TestDate(t *testing.T) {
	var d Date
	if err := json.Unmarshal([]byte(`"2026-09-01"`), &d); err != nil || d.String() != "2026-09-01" {
		t.Fatalf("%v %v", d, err)
	}
	if d != NewDate(epoch) || d != NewDate(time.Date(2026, 9, 2, 1, 0, 0, 0, time.FixedZone("", 2*3600))) {
		t.Error("days differ")
	}
	if text, err := json.Marshal(d); string(text) != `"2026-09-01"` || err != nil {
		t.Errorf("%s %v", text, err)
	}
	if err := json.Unmarshal([]byte(`""`), &d); err != nil || d != (Date{}) || d.String() != "" {
		t.Errorf("%v %v", d, err)
	}
	for _, bad := range []string{`"2026-13-01"`, `"1.9.2026"`, `"2026-09-01T00:00:00Z"`} {
		if err := json.Unmarshal([]byte(bad), &d); err == nil {
			t.Errorf("%s is a date", bad)
		}
	}
}

func waiver() Waiver {
	return Waiver{Suite: "smoke", Case: "ex*", Reason: "known", Owner: "team", Issue: "#1", Expires: NewDate(epoch)}
}

func TestPolicyRoundTrip(t *testing.T) {
	p := Policy{
		Name: "strict", FlakesTolerated: 2, FlakeLimits: []FlakeLimit{{"smoke", 1}}, RequiredCells: []string{"c*"}, InformingSuites: []string{"soak"},
		InformingCases: []CaseRule{{"smoke", "dns"}}, BlockingSuites: []string{"s*"}, BlockingCases: []CaseRule{{"*", "x"}}, Waivers: []Waiver{waiver()},
	}
	text, err := json.Marshal(p)
	if err != nil {
		t.Fatal(err)
	}
	var got Policy
	if err := json.Unmarshal(text, &got); err != nil || !reflect.DeepEqual(got, p) {
		t.Fatalf("%+v %v", got, err)
	}
	p.AsOf = epoch
	if again, err := json.Marshal(p); string(again) != string(text) || err != nil {
		t.Errorf("the day of judgement is part of the file: %s %v", again, err)
	}
}

// waived is a policy with one waiver, changed, measured on a day.
func waived(asOf time.Time, change func(*Waiver)) Policy {
	p, w := DefaultPolicy(), waiver()
	change(&w)
	p.Waivers, p.AsOf = []Waiver{w}, asOf
	return p
}

func TestWaivers(t *testing.T) {
	same := func(*Waiver) {}
	run := func(o Outcome) []Event {
		return swap(cleanRun(), caseIs("exec"), ended("c1", "smoke", "exec", 1, o))
	}
	without := slices.DeleteFunc(cleanRun(), caseIs("exec"))
	flaky := swap(cleanRun(), caseIs("exec"), ended("c1", "smoke", "exec", 1, Fail), ended("c1", "smoke", "exec", 2, Pass))
	twice := swap(cleanRun(), caseIs("exec"), ended("c1", "smoke", "exec", 1, Fail), ended("c1", "smoke", "exec", 1, Pass))
	swapped := identity("c1", StageAfter)
	swapped.Mismatched = []string{"kubelet"}
	for name, tc := range map[string]struct {
		events  []Event
		policy  Policy
		verdict Verdict
		reasons []string
		notes   []string
	}{
		"failure":                {run(Fail), waived(epoch, same), Qualified, []string{}, []string{ReasonCaseFailed}},
		"error":                  {run(Error), waived(epoch, same), Qualified, []string{}, []string{ReasonCaseErrored}},
		"flake":                  {flaky, waived(epoch, same), Qualified, []string{}, []string{ReasonCaseFlaky}},
		"last day":               {run(Fail), waived(epoch.Add(15*time.Hour), same), Qualified, []string{}, []string{ReasonCaseFailed}},
		"expired":                {run(Fail), waived(epoch.Add(16*time.Hour), same), NotQualified, []string{ReasonCaseFailed}, []string{NoteWaiverExpired}},
		"no day":                 {run(Fail), waived(time.Time{}, same), NotQualified, []string{ReasonCaseFailed}, []string{NoteWaiverInvalid}},
		"no owner":               {run(Fail), waived(epoch, func(w *Waiver) { w.Owner = " " }), NotQualified, []string{ReasonCaseFailed}, []string{NoteWaiverInvalid}},
		"no reason":              {run(Fail), waived(epoch, func(w *Waiver) { w.Reason = "" }), NotQualified, []string{ReasonCaseFailed}, []string{NoteWaiverInvalid}},
		"no issue":               {run(Fail), waived(epoch, func(w *Waiver) { w.Issue = "" }), NotQualified, []string{ReasonCaseFailed}, []string{NoteWaiverInvalid}},
		"no end":                 {run(Fail), waived(epoch, func(w *Waiver) { w.Expires = Date{} }), NotQualified, []string{ReasonCaseFailed}, []string{NoteWaiverInvalid}},
		"other case":             {run(Fail), waived(epoch, func(w *Waiver) { w.Case = "x*" }), NotQualified, []string{ReasonCaseFailed}, []string{NoteWaiverUnused}},
		"other suite":            {run(Fail), waived(epoch, func(w *Waiver) { w.Suite = "soak" }), NotQualified, []string{ReasonCaseFailed}, []string{NoteWaiverUnused}},
		"passing":                {cleanRun(), waived(epoch, same), Qualified, []string{}, []string{NoteWaiverPassing}},
		"unused":                 {cleanRun(), waived(epoch, func(w *Waiver) { w.Case = "x*" }), Qualified, []string{}, []string{NoteWaiverUnused}},
		"never missing evidence": {without, waived(epoch, same), Inconclusive, []string{ReasonCaseNotRun}, []string{NoteWaiverUnused}},
		"never not run":          {run(NotRun), waived(epoch, same), Inconclusive, []string{ReasonCaseNotRun}, []string{NoteWaiverUnused}},
		"never a skip":           {run(Skip), waived(epoch, same), Inconclusive, []string{ReasonCaseSkipped}, []string{NoteWaiverUnused}},
		"never a contradiction":  {twice, waived(epoch, same), Inconclusive, []string{ReasonCaseDuplicate}, []string{NoteWaiverUnused}},
		"never identity":         {swap(run(Fail), stageIs(StageAfter), swapped), waived(epoch, same), Inconclusive, []string{ReasonIdentityMismatch, ReasonIdentityMissing}, []string{ReasonCaseFailed}},
	} {
		doc := judge(t, onePlan(), tc.events, tc.policy)
		if doc.Verdict != tc.verdict || !slices.Equal(codes(doc.Reasons), tc.reasons) || !slices.Equal(codes(doc.Notes), tc.notes) {
			t.Errorf("%s: %v, reasons %+v, notes %+v", name, doc.Verdict, doc.Reasons, doc.Notes)
		}
	}
}

func TestInforming(t *testing.T) {
	failing := swap(cleanRun(), caseIs("exec"), ended("c1", "smoke", "exec", 1, Fail))
	missing := slices.DeleteFunc(cleanRun(), caseIs("exec"))
	bySuite := Policy{InformingSuites: []string{"smo*"}}
	byCase := Policy{InformingCases: []CaseRule{{Suite: "smoke", Case: "exec"}}}
	for name, p := range map[string]Policy{"suite": bySuite, "case": byCase} {
		if doc := judge(t, onePlan(), failing, p); doc.ExitCode != 0 || !slices.Equal(codes(doc.Notes), []string{ReasonCaseFailed}) {
			t.Errorf("%s: failure decides: %+v", name, doc.Reasons)
		}
		if doc := judge(t, onePlan(), missing, p); doc.Verdict != Inconclusive {
			t.Errorf("%s: missing evidence does not decide", name)
		}
	}
	for name, p := range map[string]Policy{
		"other suite": {InformingSuites: []string{"soak"}}, "other case": {InformingCases: []CaseRule{{"smoke", "dns"}, {"soak", "exec"}}},
		"empty": {InformingSuites: []string{""}, InformingCases: []CaseRule{{}}},
	} {
		if doc := judge(t, onePlan(), failing, p); doc.Verdict != NotQualified {
			t.Errorf("%s: failure does not decide", name)
		}
	}
}

func TestRequiredCells(t *testing.T) {
	if doc := judge(t, onePlan(), cleanRun(), Policy{RequiredCells: []string{"c*"}}); doc.ExitCode != 0 {
		t.Errorf("%+v", doc.Reasons)
	}
	doc := judge(t, onePlan(), cleanRun(), Policy{RequiredCells: []string{"c*", "arm64-*"}})
	if doc.Verdict != Inconclusive || !slices.Equal(codes(doc.Reasons), []string{ReasonCellMissing}) {
		t.Errorf("%+v", doc)
	}
}

// The hash tells policies apart by what they say, and does not change by the
// day.
func TestPolicyHash(t *testing.T) {
	base := Policy{Name: "p", Waivers: []Waiver{waiver()}}
	later := base
	later.AsOf = epoch
	if base.Hash() != later.Hash() || !strings.HasPrefix(base.Hash(), "sha256:") || len(base.Hash()) != len("sha256:")+64 {
		t.Errorf("hashes %s and %s", base.Hash(), later.Hash())
	}
	other := waiver()
	other.Reason = "another"
	seen := map[string]string{base.Hash(): "the first"}
	for name, p := range map[string]Policy{
		"name": {Name: "q", Waivers: base.Waivers}, "reason": {Name: "p", Waivers: []Waiver{other}}, "none": {Name: "p"}, "flakes": {Name: "p", FlakesTolerated: 1},
		"limit": {Name: "p", FlakeLimits: []FlakeLimit{{"a", 1}}}, "cells": {Name: "p", RequiredCells: []string{"a"}}, "informing": {Name: "p", InformingSuites: []string{"a"}},
		"blocking": {Name: "p", BlockingSuites: []string{"a"}}, "case": {Name: "p", InformingCases: []CaseRule{{"a", "b"}}}, "blocking case": {Name: "p", BlockingCases: []CaseRule{{"a", "b"}}},
	} {
		if same, again := seen[p.Hash()]; again {
			t.Errorf("%s and %s have one hash", name, same)
		}
		seen[p.Hash()] = name
	}
	doc := judge(t, onePlan(), cleanRun(), base)
	if doc.Policy != (PolicyRef{Name: "p", Hash: base.Hash()}) {
		t.Errorf("the verdict names the policy %+v", doc.Policy)
	}
}

func TestFlakeLimits(t *testing.T) {
	p := Policy{FlakesTolerated: 3, FlakeLimits: []FlakeLimit{{"soak*", 5}, {"soak-long", 4}, {"smoke", -1}, {"soak-*", 9}}}
	for suite, want := range map[string]int{"soak": 5, "soak-long": 4, "smoke": 0, "conformance": 3} {
		if got := p.flakes(suite); got != want {
			t.Errorf("%s tolerates %d, want %d", suite, got, want)
		}
	}
	flaky := outcomes(Fail, Pass)(cleanRun())
	for _, tc := range []struct {
		limits []FlakeLimit
		want   Verdict
	}{{nil, NotQualified}, {[]FlakeLimit{{"smoke", 1}}, Qualified}, {[]FlakeLimit{{"other", 1}}, NotQualified}} {
		if doc := judge(t, onePlan(), flaky, Policy{FlakeLimits: tc.limits}); doc.Verdict != tc.want {
			t.Errorf("limits %v: %s, want %s", tc.limits, doc.Verdict, tc.want)
		}
	}
}

// What blocks in spite of an informing rule decides.
func TestBlockingBeatsInforming(t *testing.T) {
	failed := outcomes(Fail)(cleanRun())
	for _, tc := range []struct {
		name   string
		policy Policy
		want   Verdict
	}{
		{"informing", Policy{InformingSuites: []string{"*"}}, Qualified},
		{"informing case", Policy{InformingCases: []CaseRule{{"smoke", "*"}}}, Qualified},
		{"blocking suite", Policy{InformingSuites: []string{"*"}, BlockingSuites: []string{"smoke"}}, NotQualified},
		{"another suite", Policy{InformingSuites: []string{"*"}, BlockingSuites: []string{"soak"}}, Qualified},
		{"blocking case", Policy{InformingSuites: []string{"*"}, BlockingCases: []CaseRule{{"smoke", "*"}}}, NotQualified},
		{"another case", Policy{InformingSuites: []string{"*"}, BlockingCases: []CaseRule{{"smoke", "no such"}}}, Qualified},
		{"blocking suite of an informing case", Policy{InformingCases: []CaseRule{{"*", "*"}}, BlockingSuites: []string{"smoke"}}, NotQualified},
	} {
		if doc := judge(t, onePlan(), failed, tc.policy); doc.Verdict != tc.want {
			t.Errorf("%s: %s, want %s", tc.name, doc.Verdict, tc.want)
		}
	}
}

func TestIdleRules(t *testing.T) {
	plan := onePlan()
	suite := plan.Cells[0].Suites[0]
	good := Policy{
		RequiredCells: []string{plan.Cells[0].ID}, BlockingSuites: []string{suite.Name}, InformingSuites: []string{"*"},
		BlockingCases: []CaseRule{{"*", suite.Expected[0]}}, InformingCases: []CaseRule{{suite.Name, "*"}}, FlakeLimits: []FlakeLimit{{suite.Name, 1}},
		Waivers: []Waiver{{Suite: suite.Name, Case: suite.Expected[0]}},
	}
	if idle := good.Idle(plan); len(idle) > 0 {
		t.Errorf("idle: %v", idle)
	}
	bad := Policy{
		RequiredCells: []string{plan.Cells[0].ID, "x*"}, BlockingSuites: []string{"smok"}, InformingSuites: []string{"*", ""},
		BlockingCases: []CaseRule{{"nope", "*"}}, InformingCases: []CaseRule{{suite.Name, "none"}}, FlakeLimits: []FlakeLimit{{"nope", 1}},
		Waivers: []Waiver{{Suite: suite.Name, Case: suite.Expected[0]}, {Suite: "*", Case: "none"}, {Suite: "nope", Case: "*"}},
	}
	var got []string
	for _, r := range bad.Idle(plan) {
		got = append(got, r.Path+": "+r.Text)
	}
	want := []string{
		`requiredCells[1]: no planned cell fits "x*"`, `blockingSuites[0]: no planned suite fits "smok"`, `blockingCases[0].suite: no planned suite fits "nope"`,
		`informingSuites[1]: no planned suite fits ""`, `informingCases[0].case: no planned case of suite "smoke" fits "none"`,
		`flakeLimits[0].suite: no planned suite fits "nope"`, `waivers[1].case: no planned case of suite "*" fits "none"`, `waivers[2].suite: no planned suite fits "nope"`,
	}
	if !slices.Equal(got, want) {
		t.Errorf("idle\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	// A case need not be planned in every suite, nor a suite in every cell.
	two := onePlan()
	two.Cells = append(two.Cells, PlanCell{ID: "c2", Suites: []PlanSuite{{Name: "other", Expected: []string{"only here"}}}})
	if idle := (Policy{InformingCases: []CaseRule{{"*", "only here"}}}).Idle(two); len(idle) > 0 {
		t.Errorf("idle: %v", idle)
	}
}
