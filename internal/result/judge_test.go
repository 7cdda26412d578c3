package result

import (
	"bytes"
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestJudgeCleanRun(t *testing.T) {
	doc := judge(t, onePlan(), cleanRun(), DefaultPolicy())
	plan := onePlan()
	want := Document{
		APIVersion: "qualify/v1", Kind: "Verdict", Verdict: Qualified, ExitCode: 0,
		Reasons: []Reason{}, Notes: []Reason{}, Release: plan.Release, Plan: PlanRef{Hash: "plan-hash"},
		Cells: []CellVerdict{{
			ID: "c1", Values: map[string]string{"os": "debian-12"}, Verdict: Qualified, Reasons: []Reason{},
			Identity: Identity{Checked: 2, Mismatched: []string{}}, Phases: []Phase{{"up", 42}},
			Suites: []SuiteCount{{Name: "smoke", Expected: 3, Passed: 3}},
		}},
	}
	if !reflect.DeepEqual(doc, want) {
		t.Fatalf("got\n%+v\nwant\n%+v", doc, want)
	}
}

func TestJudgeKeepsThePublishedFields(t *testing.T) {
	text, err := json.Marshal(judge(t, onePlan(), cleanRun(), DefaultPolicy()))
	if err != nil {
		t.Fatal(err)
	}
	want := `{"apiVersion":"qualify/v1","kind":"Verdict","verdict":"Qualified","exitCode":0,"reasons":[],"notes":[],` +
		`"release":{"name":"v1-34-1","kubernetes":"v1.34.4","digest":"sha256:rel"},"plan":{"hash":"plan-hash"},` +
		`"cells":[{"id":"c1","values":{"os":"debian-12"},"verdict":"Qualified","reasons":[],` +
		`"identity":{"checked":2,"mismatched":[]},"phases":[{"name":"up","seconds":42}],` +
		`"suites":[{"name":"smoke","expected":3,"passed":3,"failed":0,"errored":0,"skipped":0,"notRun":0,"flaky":0}]}]}`
	if string(text) != want {
		t.Fatalf("got\n%s\nwant\n%s", text, want)
	}
}

// guard is one way in which evidence can be wrong, and what must come of it.
type guard struct {
	plan    func(*Plan)
	events  func([]Event) []Event
	policy  Policy
	verdict Verdict
	exit    int
	codes   []string // of the reasons, in order
}

func replaced(fits func(Event) bool, with ...Event) func([]Event) []Event {
	return func(events []Event) []Event { return swap(events, fits, with...) }
}

func added(more ...Event) func([]Event) []Event { // before the suite ends
	return func(events []Event) []Event {
		return swap(events, kindIs(SuiteEnded), append(more, suite(SuiteEnded, "c1", "smoke", ""))...)
	}
}

// outcomes replaces the case "exec" by attempts with these outcomes.
func outcomes(of ...Outcome) func([]Event) []Event {
	var attempts []Event
	for i, o := range of {
		attempts = append(attempts, ended("c1", "smoke", "exec", i+1, o))
	}
	return replaced(caseIs("exec"), attempts...)
}

func changed(e Event, change func(*Event)) Event {
	change(&e)
	return e
}

func (g guard) check(t *testing.T) {
	t.Helper()
	plan, events := onePlan(), cleanRun()
	if g.plan != nil {
		g.plan(&plan)
	}
	if g.events != nil {
		events = g.events(events)
	}
	doc := judge(t, plan, events, g.policy)
	if doc.Verdict != g.verdict || doc.ExitCode != g.exit || !slices.Equal(codes(doc.Reasons), g.codes) {
		t.Errorf("%v, exit %d, codes %q; want %v, %d, %q\n%+v",
			doc.Verdict, doc.ExitCode, codes(doc.Reasons), g.verdict, g.exit, g.codes, doc.Reasons)
	}
}

func checkGuards(t *testing.T, guards map[string]guard) {
	for name, g := range guards {
		t.Run(name, func(t *testing.T) { g.check(t) })
	}
}

func TestRunGuards(t *testing.T) {
	doubt := func(codes ...string) guard { return guard{verdict: Inconclusive, exit: 3, codes: codes} }
	with := func(g guard, events func([]Event) []Event) guard { g.events = events; return g }
	planned := func(g guard, plan func(*Plan)) guard { g.plan = plan; return g }
	startedWith := func(change func(*Event)) func([]Event) []Event {
		return replaced(kindIs(RunStarted), changed(start(), change))
	}
	noRunID := func(events []Event) []Event {
		events = startedWith(func(e *Event) { e.Text = "" })(events)
		for i := range events {
			if events[i].Lease != nil {
				events[i].Lease.Run = ""
			}
		}
		return events
	}
	checkGuards(t, map[string]guard{
		"planEmpty": {
			plan: func(p *Plan) { p.Cells = nil }, verdict: Inconclusive, exit: 3, codes: []string{ReasonPlanEmpty},
			events: func([]Event) []Event { return []Event{start(), end(RunComplete)} },
		},
		"planInvalid, cell twice":  planned(doubt(ReasonPlanInvalid), func(p *Plan) { p.Cells = append(p.Cells, p.Cells[0]) }),
		"planInvalid, no id":       planned(doubt(ReasonPlanInvalid, ReasonCellMissing), func(p *Plan) { p.Cells = append(p.Cells, PlanCell{Suites: p.Cells[0].Suites}) }),
		"planOfAnother":            with(doubt(ReasonPlanMismatch), startedWith(func(e *Event) { e.Plan = "other" })),
		"planOfAnother, no hash":   {plan: func(p *Plan) { p.Hash = "" }, events: startedWith(func(e *Event) { e.Plan = "" }), verdict: Inconclusive, exit: 3, codes: []string{ReasonPlanMismatch}},
		"planOfAnother, resumed":   with(doubt(ReasonPlanMismatch), replaced(kindIs(SuiteStarted), changed(start(), func(e *Event) { e.Plan = "other" }), suite(SuiteStarted, "c1", "smoke", ""))),
		"releaseOfAnother":         with(doubt(ReasonPlanMismatch), startedWith(func(e *Event) { e.Release = "sha256:old" })),
		"releaseOfAnother, none":   {plan: func(p *Plan) { p.Release.Digest = "" }, events: startedWith(func(e *Event) { e.Release = "" }), verdict: Inconclusive, exit: 3, codes: []string{ReasonPlanMismatch}},
		"runOfAnother":             with(doubt(ReasonRunMismatch), replaced(kindIs(RunEnded), changed(start(), func(e *Event) { e.Text = "run-2" }), end(RunComplete))),
		"runOfAnother, no id":      with(doubt(ReasonRunMismatch), noRunID),
		"runNotEnded":              with(doubt(ReasonInterrupted), replaced(kindIs(RunEnded))),
		"runNotEnded, resumed":     with(doubt(ReasonInterrupted), func(events []Event) []Event { return append(events, start()) }),
		"runNotEnded, incomplete":  with(doubt(ReasonInterrupted), replaced(kindIs(RunEnded), end("disk full"))),
		"runNotEnded, no words":    with(doubt(ReasonInterrupted), replaced(kindIs(RunEnded), end(""))),
		"unexpectedCells":          with(doubt(ReasonCellUnexpected), added(identity("c9", StageBefore))),
		"runFaults":                with(doubt(ReasonInfrastructure), added(Event{Kind: InfraFault, Text: "engine gone"})),
		"runAnomalies, no start":   with(doubt(ReasonPlanMismatch, ReasonJournalDamaged, ReasonRunMismatch), replaced(kindIs(RunStarted))),
		"cellAnomalies, lease":     with(doubt(ReasonRunMismatch), replaced(kindIs(LeaseOpened), changed(lease(LeaseOpened, "c1", "q-1"), func(e *Event) { e.Lease.Run = "run-0" }))),
		"cellAnomalies, after end": with(doubt(ReasonJournalDamaged), replaced(kindIs(LeaseClosed), lease(LeaseClosed, "c1", "q-1"), identity("c1", StageAfter))),
	})
}

func TestClockGuard(t *testing.T) {
	events := number(cleanRun())
	for i := 6; i < len(events); i++ {
		events[i].Time = events[i].Time.Add(-time.Hour)
	}
	doc := Judge(onePlan(), Fold(events), DefaultPolicy())
	checkDocument(t, doc)
	if doc.Verdict != Inconclusive || !slices.Equal(codes(doc.Reasons), []string{ReasonClockJumped}) {
		t.Errorf("%+v", doc.Reasons)
	}
}

func TestCellGuards(t *testing.T) {
	doubt := func(events func([]Event) []Event, codes ...string) guard {
		return guard{events: events, verdict: Inconclusive, exit: 3, codes: codes}
	}
	bad := func(stage string) Event {
		return changed(identity("c1", stage), func(e *Event) { e.Mismatched = []string{"kubelet on node-1"} })
	}
	nothing := func(stage string) Event {
		return changed(identity("c1", stage), func(e *Event) { e.Checked = nil })
	}
	old := func(stage string) Event {
		return changed(identity("c1", stage), func(e *Event) { e.Release = "sha256:old" })
	}
	product := Event{Kind: ProductFault, Cell: "c1", Text: "kubelet", Log: "line 1\nline 2\n"}
	infra := Event{Kind: InfraFault, Cell: "c1", Text: "engine gone"}
	boot := []Event{start(), lease(LeaseOpened, "c1", "q-1"), product, lease(LeaseClosed, "c1", "q-1"), end(RunComplete)}
	failing := func(more func([]Event) []Event) func([]Event) []Event {
		return func(events []Event) []Event { return more(outcomes(Fail)(events)) }
	}
	checkGuards(t, map[string]guard{
		"cellMissing": doubt(func([]Event) []Event { return []Event{start(), end(RunComplete)} }, ReasonCellMissing),
		"cellEmpty": {plan: func(p *Plan) { p.Cells[0].Suites = nil }, verdict: Inconclusive, exit: 3, codes: []string{ReasonNothingExpected},
			events: func([]Event) []Event {
				return []Event{start(), identity("c1", StageBefore), identity("c1", StageAfter), end(RunComplete)}
			}},
		"suitesRepeated": {plan: func(p *Plan) { p.Cells[0].Suites = append(p.Cells[0].Suites, p.Cells[0].Suites...) },
			verdict: Inconclusive, exit: 3, codes: []string{ReasonPlanInvalid}},
		"identityMismatch before":          doubt(replaced(stageIs(StageBefore), bad(StageBefore)), ReasonIdentityMismatch, ReasonIdentityMissing),
		"identityMismatch after":           doubt(replaced(stageIs(StageAfter), bad(StageAfter)), ReasonIdentityMismatch, ReasonIdentityMissing),
		"identityMismatch between":         doubt(added(bad("during")), ReasonIdentityMismatch),
		"identityMismatch voids failures":  doubt(failing(replaced(stageIs(StageAfter), identity("c1", StageAfter), bad(StageAfter))), ReasonIdentityMismatch, ReasonCaseFailed),
		"identityMismatch voids faults":    doubt(added(bad("during"), product), ReasonIdentityMismatch, ReasonProductFault),
		"identityMismatch, compared again": doubt(replaced(stageIs(StageBefore), bad(StageBefore), identity("c1", StageBefore)), ReasonIdentityMismatch),
		"identityMismatch, other release":  doubt(replaced(stageIs(StageBefore), old(StageBefore), identity("c1", StageBefore)), ReasonIdentityMismatch),
		"identityBefore missing":           doubt(replaced(stageIs(StageBefore)), ReasonIdentityMissing),
		"identityBefore empty":             doubt(replaced(stageIs(StageBefore), nothing(StageBefore)), ReasonIdentityMissing),
		"identityBefore too late": doubt(func(events []Event) []Event {
			return added(identity("c1", StageBefore))(replaced(stageIs(StageBefore))(events))
		}, ReasonIdentityMissing),
		"identityBefore of another cell": doubt(replaced(stageIs(StageBefore), identity("c9", StageBefore)), ReasonCellUnexpected, ReasonIdentityMissing),
		"identityAfter missing":          doubt(replaced(stageIs(StageAfter)), ReasonIdentityMissing),
		"identityAfter empty":            doubt(replaced(stageIs(StageAfter), nothing(StageAfter)), ReasonIdentityMissing),
		"identityAfter too early": doubt(func(events []Event) []Event {
			return added(identity("c1", StageAfter))(replaced(stageIs(StageAfter))(events))
		}, ReasonIdentityMissing),
		"failure needs identity before":  doubt(failing(replaced(stageIs(StageBefore))), ReasonIdentityMissing, ReasonCaseFailed),
		"failure does not need it after": {events: failing(replaced(stageIs(StageAfter))), verdict: NotQualified, exit: 1, codes: []string{ReasonCaseFailed, ReasonIdentityMissing}},
		"cellFaults, product":            {events: added(product), verdict: NotQualified, exit: 1, codes: []string{ReasonProductFault}},
		"cellFaults, product before identity": {events: func([]Event) []Event { return boot }, verdict: NotQualified, exit: 1,
			codes: []string{ReasonProductFault, ReasonIdentityMissing, ReasonSuiteMissing}},
		"cellFaults, infrastructure":               doubt(added(infra), ReasonInfrastructure),
		"cellFaults, infrastructure and a failure": {events: failing(added(infra)), verdict: NotQualified, exit: 1, codes: []string{ReasonCaseFailed, ReasonInfrastructure}},
		"cellLeftovers":                            {events: replaced(kindIs(LeaseClosed), Event{Kind: Leftover, Cell: "c1", Text: "volume v"}), verdict: Qualified, exit: 4, codes: []string{ReasonLeftovers}},
		"cellLeftovers, lease open":                {events: replaced(kindIs(LeaseClosed)), verdict: Qualified, exit: 4, codes: []string{ReasonLeftovers}},
		"cellLeftovers and a failure":              {events: failing(replaced(kindIs(LeaseClosed))), verdict: NotQualified, exit: 1, codes: []string{ReasonCaseFailed, ReasonLeftovers}},
		"kept is no leftover":                      {events: replaced(kindIs(LeaseClosed), lease(LeaseKept, "c1", "q-1")), verdict: Qualified, exit: 0, codes: []string{}},
		"runLeftovers":                             {events: added(Event{Kind: Leftover, Text: "network n"}), verdict: Qualified, exit: 4, codes: []string{ReasonLeftovers}},
		"runLeftovers of unplanned cell":           doubt(added(Event{Kind: Leftover, Cell: "c9", Text: "network n"}), ReasonCellUnexpected, ReasonLeftovers),
	})
}

func TestSuiteGuards(t *testing.T) {
	doubt := func(events func([]Event) []Event, codes ...string) guard {
		return guard{events: events, verdict: Inconclusive, exit: 3, codes: codes}
	}
	failed := func(events func([]Event) []Event, codes ...string) guard {
		return guard{events: events, verdict: NotQualified, exit: 1, codes: codes}
	}
	fine := func(events func([]Event) []Event, flakes int) guard {
		return guard{events: events, policy: Policy{FlakesTolerated: flakes}, verdict: Qualified, codes: []string{}}
	}
	onlySkips := func(events []Event) []Event {
		for i := range events {
			if events[i].Case != nil {
				events[i].Case.Outcome = Skip
			}
		}
		return events
	}
	attempt := func(n int, o Outcome) Event { return ended("c1", "smoke", "exec", n, o) }
	expect := func(names ...string) func(*Plan) {
		return func(p *Plan) { p.Cells[0].Suites[0].Expected = names }
	}
	begin, stop := suite(SuiteStarted, "c1", "smoke", ""), suite(SuiteEnded, "c1", "smoke", "")
	checkGuards(t, map[string]guard{
		"nothingExpected": {plan: expect(), verdict: Inconclusive, exit: 3, codes: []string{ReasonNothingExpected},
			events: func(events []Event) []Event {
				return slices.DeleteFunc(events, func(e Event) bool { return e.Kind == CaseEnded })
			}},
		"casesRepeated": {plan: expect("dns", "exec", "job", "dns"), verdict: Inconclusive, exit: 3, codes: []string{ReasonPlanInvalid}},
		"missing": doubt(func(events []Event) []Event {
			return slices.DeleteFunc(events, func(e Event) bool { return e.Suite == "smoke" })
		}, ReasonSuiteMissing),
		"missing, but results":     doubt(replaced(kindIs(SuiteStarted)), ReasonSuiteMissing, ReasonSuiteIncomplete),
		"incomplete, no end":       doubt(replaced(kindIs(SuiteEnded)), ReasonSuiteIncomplete),
		"incomplete, broken off":   doubt(replaced(kindIs(SuiteEnded), suite(SuiteEnded, "c1", "smoke", "killed")), ReasonSuiteIncomplete),
		"incomplete, stray result": doubt(replaced(kindIs(SuiteEnded), stop, attempt(2, Pass)), ReasonSuiteIncomplete),
		"incomplete, second time":  doubt(replaced(kindIs(SuiteEnded), stop, begin), ReasonSuiteIncomplete),
		"complete the second time": fine(replaced(caseIs("exec"), begin, attempt(1, Pass)), 0),
		"not run":                  doubt(replaced(caseIs("exec")), ReasonCaseNotRun),
		"not run, said so":         doubt(outcomes(NotRun), ReasonCaseNotRun),
		"all not run": doubt(func(events []Event) []Event {
			return slices.DeleteFunc(events, func(e Event) bool { return e.Kind == CaseEnded })
		}, ReasonCaseNotRun),
		"skipped":                doubt(outcomes(Skip), ReasonCaseSkipped),
		"all skipped":            doubt(onlySkips, ReasonCaseSkipped),
		"skipped after pass":     doubt(outcomes(Pass, Skip), ReasonCaseSkipped),
		"errored":                doubt(outcomes(Error), ReasonCaseErrored),
		"errored after pass":     doubt(outcomes(Pass, Error), ReasonCaseErrored),
		"failed":                 failed(outcomes(Fail), ReasonCaseFailed),
		"failed after pass":      failed(outcomes(Pass, Fail), ReasonCaseFailed),
		"failed, then error":     failed(outcomes(Fail, Error), ReasonCaseFailed),
		"failed, then skipped":   failed(outcomes(Fail, Skip), ReasonCaseFailed),
		"failed, then not run":   failed(outcomes(Fail, NotRun), ReasonCaseFailed),
		"passed twice":           fine(outcomes(Pass, Pass), 0),
		"flaky":                  failed(outcomes(Fail, Pass), ReasonCaseFlaky),
		"flaky, tolerated":       fine(outcomes(Fail, Pass), 1),
		"flaky by error":         doubt(outcomes(Error, Pass), ReasonCaseFlaky),
		"flaky by skip":          doubt(outcomes(Skip, Pass), ReasonCaseFlaky),
		"flaky by not run":       doubt(outcomes(NotRun, Pass), ReasonCaseFlaky),
		"flaky by error, stands": fine(outcomes(Error, Pass), 1),
		"flaky, limit below 0":   {policy: Policy{FlakesTolerated: -1}, verdict: Qualified, codes: []string{}},
		"flaky before the other run": failed(replaced(caseIs("exec"), attempt(1, Fail), begin, attempt(1, Pass)),
			ReasonCaseFlaky),
		"repeated":                doubt(replaced(caseIs("exec"), attempt(1, Pass), attempt(1, Pass)), ReasonCaseDuplicate),
		"repeated, contradictory": doubt(replaced(caseIs("exec"), attempt(1, Fail), attempt(1, Pass)), ReasonCaseDuplicate),
		"repeated failure":        failed(replaced(caseIs("exec"), attempt(1, Fail), attempt(1, Fail)), ReasonCaseFailed, ReasonCaseDuplicate),
		"lost first":              doubt(replaced(caseIs("exec"), attempt(2, Pass)), ReasonCaseAttemptLost),
		"lost between":            doubt(replaced(caseIs("exec"), attempt(1, Pass), attempt(3, Pass)), ReasonCaseAttemptLost),
		"lost, counted from 0":    doubt(replaced(caseIs("exec"), attempt(0, Pass)), ReasonCaseAttemptLost),
		"lost, next session":      doubt(replaced(caseIs("exec"), attempt(1, Pass), begin, attempt(3, Pass)), ReasonCaseAttemptLost),
		"numbered on":             fine(replaced(caseIs("exec"), attempt(1, Pass), begin, attempt(2, Pass)), 0),
		"unexpected":              doubt(added(ended("c1", "smoke", "extra", 1, Pass)), ReasonCaseUnexpected),
		"unexpected skip":         doubt(added(ended("c1", "smoke", "extra", 1, Skip)), ReasonCaseUnexpected),
		"unexpected failure":      failed(added(ended("c1", "smoke", "extra", 1, Fail)), ReasonCaseFailed, ReasonCaseUnexpected),
		"unplanned suite":         doubt(added(suite(SuiteStarted, "c1", "soak", "")), ReasonCaseUnexpected),
		"unplanned suite fails":   failed(added(suite(SuiteStarted, "c1", "soak", ""), ended("c1", "soak", "x", 1, Fail)), ReasonCaseFailed, ReasonCaseUnexpected),
	})
}

// A flake limit counts cases, and blames only if failures alone exceed it.
func TestFlakeLimit(t *testing.T) {
	events := func(dns, exec, job Outcome) []Event {
		all := cleanRun()
		for name, o := range map[string]Outcome{"dns": dns, "exec": exec, "job": job} {
			if o != Pass {
				all = swap(all, caseIs(name), ended("c1", "smoke", name, 1, o), ended("c1", "smoke", name, 2, Pass))
			}
		}
		return all
	}
	for _, tc := range []struct {
		dns, exec, job Outcome
		limit          int
		want           Verdict
	}{
		{Fail, Pass, Pass, 0, NotQualified}, {Fail, Pass, Pass, 1, Qualified},
		{Fail, Fail, Pass, 1, NotQualified}, {Fail, Fail, Pass, 2, Qualified},
		{Fail, Error, Pass, 1, Inconclusive}, {Fail, Error, Pass, 2, Qualified},
		{Fail, Error, Fail, 1, NotQualified}, {Error, Error, Skip, 2, Inconclusive},
	} {
		doc := judge(t, onePlan(), events(tc.dns, tc.exec, tc.job), Policy{FlakesTolerated: tc.limit})
		if doc.Verdict != tc.want {
			t.Errorf("%+v: %v %+v", tc, doc.Verdict, doc.Reasons)
		}
		if s := doc.Cells[0].Suites[0]; s.Passed != 3 || s.Flaky == 0 {
			t.Errorf("%+v: %+v", tc, s)
		}
		if tc.want == Qualified && !slices.Equal(codes(doc.Notes), []string{ReasonCaseFlaky}) {
			t.Errorf("%+v: tolerated flakes are not noted: %+v", tc, doc.Notes)
		}
	}
}

func TestExitCodes(t *testing.T) {
	failing := outcomes(Fail)(cleanRun())
	for _, tc := range []struct {
		events  []Event
		end     string
		verdict Verdict
		exit    int
	}{
		{cleanRun(), RunComplete, Qualified, 0},
		{cleanRun(), RunInterrupted("SIGINT"), Inconclusive, 130},
		{cleanRun(), RunInterrupted("SIGTERM"), Inconclusive, 143},
		{cleanRun(), RunInterrupted("SIGTERM") + " twice", Inconclusive, 143},
		{cleanRun(), RunInterrupted("SIGHUP"), Inconclusive, 3},
		{cleanRun(), "interrupted", Inconclusive, 3},
		{failing, RunComplete, NotQualified, 1},
		{failing, RunInterrupted("SIGINT"), NotQualified, 130},
	} {
		doc := judge(t, onePlan(), swap(tc.events, kindIs(RunEnded), end(tc.end)), DefaultPolicy())
		if doc.Verdict != tc.verdict || doc.ExitCode != tc.exit {
			t.Errorf("%q: %v, exit %d", tc.end, doc.Verdict, doc.ExitCode)
		}
	}
	resumed := slices.Concat(swap(cleanRun(), kindIs(RunEnded), end(RunInterrupted("SIGINT"))), []Event{start(), end(RunComplete)})
	if doc := judge(t, onePlan(), resumed, DefaultPolicy()); doc.ExitCode != 0 {
		t.Errorf("resumed and completed: %+v", doc.Reasons)
	}
	open := append(resumed, start())
	if doc := judge(t, onePlan(), open, DefaultPolicy()); doc.ExitCode != 3 {
		t.Errorf("resumed again and killed: exit %d", doc.ExitCode)
	}
}

// twoLeases is a run whose first cluster met a fault and was made again.
func twoLeases(first ...Event) []Event {
	fault := Event{Kind: InfraFault, Cell: "c1", Text: "engine gone"}
	before := slices.Concat([]Event{start(), lease(LeaseOpened, "c1", "q-1"), identity("c1", StageBefore), suite(SuiteStarted, "c1", "smoke", "")},
		first, []Event{fault, lease(LeaseClosed, "c1", "q-1")})
	return slices.Concat(before, cleanRun()[1:])
}

func TestSecondLease(t *testing.T) {
	attempt := func(name string, o Outcome) Event { return ended("c1", "smoke", name, 1, o) }
	firstOnly := func(name string) []Event {
		events := twoLeases(attempt("dns", Pass), attempt("exec", Pass), attempt("job", Pass))
		last := 0
		for i, e := range events {
			if e.Case != nil && e.Case.Name == name {
				last = i
			}
		}
		return slices.Delete(events, last, last+1)
	}
	twice := twoLeases(Event{Kind: ProductFault, Cell: "c1", Text: "kubelet"})
	for name, tc := range map[string]struct {
		events  []Event
		verdict Verdict
		reasons []string
		notes   []string
	}{
		"tried again":                   {twoLeases(attempt("dns", Pass)), Qualified, []string{}, []string{ReasonInfrastructure}},
		"passed on the first only":      {firstOnly("dns"), Inconclusive, []string{ReasonCaseNotRun}, []string{ReasonInfrastructure}},
		"failed on the first":           {twoLeases(attempt("dns", Fail)), NotQualified, []string{ReasonCaseFlaky}, []string{ReasonInfrastructure}},
		"errored on the first":          {twoLeases(attempt("dns", Error)), Inconclusive, []string{ReasonCaseFlaky}, []string{ReasonInfrastructure}},
		"product fault on the first":    {twice, NotQualified, []string{ReasonProductFault}, []string{ReasonInfrastructure}},
		"second never compared before":  {slices.Delete(twoLeases(), 9, 10), Inconclusive, []string{ReasonIdentityMissing}, []string{ReasonInfrastructure}},
		"second never ran the suite":    {twoLeases()[:7], Inconclusive, []string{ReasonIdentityMissing, ReasonSuiteMissing, ReasonInterrupted}, []string{ReasonInfrastructure}},
		"failed on the first, no rerun": {twoLeases(attempt("dns", Fail))[:8], NotQualified, []string{}, []string{ReasonInfrastructure}},
	} {
		doc := judge(t, onePlan(), tc.events, DefaultPolicy())
		if name == "second never ran the suite" || name == "failed on the first, no rerun" {
			if doc.Verdict != tc.verdict {
				t.Errorf("%s: %v %+v", name, doc.Verdict, doc.Reasons)
			}
			continue
		}
		if doc.Verdict != tc.verdict || !slices.Equal(codes(doc.Reasons), tc.reasons) || !slices.Equal(codes(doc.Notes), tc.notes) {
			t.Errorf("%s: %v\nreasons %+v\nnotes %+v", name, doc.Verdict, doc.Reasons, doc.Notes)
		}
	}
}

func TestRunFaultIsTriedAgainByResume(t *testing.T) {
	fault := Event{Kind: InfraFault, Text: "engine gone"}
	events := slices.Concat([]Event{start(), fault, end("engine gone")}, cleanRun())
	doc := judge(t, onePlan(), events, DefaultPolicy())
	if doc.ExitCode != 0 || !slices.Equal(codes(doc.Notes), []string{ReasonInfrastructure}) {
		t.Errorf("%+v", doc)
	}
}

func TestVoidedRunVoidsItsCells(t *testing.T) {
	events := swap(outcomes(Fail)(cleanRun()), kindIs(RunStarted), changed(start(), func(e *Event) { e.Plan = "other" }))
	doc := judge(t, onePlan(), events, DefaultPolicy())
	if doc.Verdict != Inconclusive || doc.Cells[0].Verdict != Inconclusive {
		t.Errorf("verdicts %v, %v", doc.Verdict, doc.Cells[0].Verdict)
	}
	if !slices.Equal(codes(doc.Cells[0].Reasons), []string{ReasonPlanMismatch, ReasonCaseFailed}) || doc.Cells[0].Reasons[0].Cell != "c1" {
		t.Errorf("cell reasons %+v", doc.Cells[0].Reasons)
	}
	if !slices.Equal(codes(doc.Reasons), []string{ReasonPlanMismatch, ReasonCaseFailed}) || len(doc.Reasons) != 2 {
		t.Errorf("reasons %+v", doc.Reasons)
	}
}

func TestOneCellDecidesForTheRun(t *testing.T) {
	plan := onePlan()
	second := plan.Cells[0]
	second.ID = "c2"
	plan.Cells = append(plan.Cells, second)
	both := func(first, other []Event) []Event {
		for i := range other {
			if other[i].Cell != "" {
				other[i].Cell = "c2"
			}
			if other[i].Lease != nil {
				other[i].Lease.Cell = "c2"
			}
		}
		return slices.Concat(first[:len(first)-1], other[1:])
	}
	good, bad, unknown := cleanRun, func() []Event { return outcomes(Fail)(cleanRun()) }, func() []Event { return outcomes(Error)(cleanRun()) }
	for _, tc := range []struct {
		first, other func() []Event
		want         Verdict
	}{
		{good, good, Qualified}, {good, bad, NotQualified}, {bad, unknown, NotQualified},
		{unknown, bad, NotQualified}, {good, unknown, Inconclusive}, {unknown, good, Inconclusive},
	} {
		if doc := judge(t, plan, both(tc.first(), tc.other()), DefaultPolicy()); doc.Verdict != tc.want {
			t.Errorf("%v instead of %v: %+v", doc.Verdict, tc.want, doc.Reasons)
		}
	}
}

func TestReasonsAreBounded(t *testing.T) {
	plan, events := onePlan(), cleanRun()
	for i := range 100 {
		name := fmt.Sprintf("case %03d", i)
		plan.Cells[0].Suites[0].Expected = append(plan.Cells[0].Suites[0].Expected, name)
		events = swap(events, kindIs(SuiteEnded), ended("c1", "smoke", name, 1, Fail), suite(SuiteEnded, "c1", "smoke", ""))
	}
	doc := judge(t, plan, events, DefaultPolicy())
	if n := len(doc.Reasons); n != maxListed+1 {
		t.Fatalf("%d reasons", n)
	}
	if first, last := doc.Reasons[0], doc.Reasons[maxListed]; !strings.Contains(first.Text, "case 000") || last != (Reason{ReasonCaseFailed, "c1", "smoke", "and 80 more"}) {
		t.Errorf("first %+v, last %+v", first, last)
	}
	if s := doc.Cells[0].Suites[0]; s.Failed != 100 || s.Passed != 3 {
		t.Errorf("%+v", s)
	}
}

func TestReasonTexts(t *testing.T) {
	log := strings.Repeat("noise\n", 50) + "kubelet: exit 1\n"
	events := added(Event{Kind: ProductFault, Cell: "c1", Text: "kubelet on node-1 did not start", Log: log},
		Event{Kind: Note, Cell: "c1", Text: "cgroup v1"}, Event{Kind: Note, Text: "clock unsynchronised"})(cleanRun())
	doc := judge(t, onePlan(), events, DefaultPolicy())
	text := doc.Reasons[0].Text
	if !strings.HasPrefix(text, "kubelet on node-1 did not start: noise\n") || !strings.HasSuffix(text, "\nkubelet: exit 1") || strings.Count(text, "\n") != logLines-1 {
		t.Errorf("product fault: %q", text)
	}
	if want := []Reason{{NoteWarning, "", "", "clock unsynchronised"}, {NoteWarning, "c1", "", "cgroup v1"}}; !slices.Equal(doc.Notes, want) {
		t.Errorf("notes %+v", doc.Notes)
	}
	long := strings.Repeat("ü", 3000)
	if got := lastLines(long); len(got) > logBytes+3 || !strings.HasPrefix(got, "…ü") {
		t.Errorf("long line: %d bytes", len(got))
	}
	if got := brief("x" + long); len(got) > textSize+3 || !strings.HasSuffix(got, "ü…") {
		t.Errorf("long message: %d bytes", len(got))
	}
	failed := judge(t, onePlan(), outcomes(Fail)(cleanRun()), DefaultPolicy())
	if want := (Reason{ReasonCaseFailed, "c1", "smoke", `"exec" failed: because`}); failed.Reasons[0] != want {
		t.Errorf("%+v", failed.Reasons[0])
	}
}

func TestVerdictOf(t *testing.T) {
	for _, tc := range []struct {
		weights []weight
		want    Verdict
	}{
		{nil, Qualified}, {[]weight{informs, leaks}, Qualified}, {[]weight{informs, blocks}, Inconclusive},
		{[]weight{blocks, blames}, NotQualified}, {[]weight{blames, voids}, Inconclusive}, {[]weight{0}, Inconclusive},
	} {
		var all []finding
		for _, w := range tc.weights {
			all = append(all, finding{weight: w})
		}
		if got := verdictOf(all); got != tc.want {
			t.Errorf("%v: %v", tc.weights, got)
		}
	}
}

func TestZeroValuesAreNotGreen(t *testing.T) {
	doc := Judge(Plan{}, Evidence{}, Policy{})
	checkDocument(t, doc)
	if doc.Verdict != Inconclusive || doc.ExitCode != 3 {
		t.Errorf("%+v", doc)
	}
	if (Document{}).Verdict == Qualified || Outcome(0) == Pass {
		t.Error("zero values read as success")
	}
}

func TestDocumentRoundTrip(t *testing.T) {
	doc := judge(t, onePlan(), outcomes(Fail, Pass)(cleanRun()), DefaultPolicy())
	text, err := json.Marshal(doc)
	if err != nil {
		t.Fatal(err)
	}
	var got Document
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&got); err != nil || !reflect.DeepEqual(got, doc) {
		t.Fatalf("%v\n%+v\n%+v", err, got, doc)
	}
}
