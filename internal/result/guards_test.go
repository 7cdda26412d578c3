package result

import (
	"slices"
	"testing"
	"time"
)

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

// A clock that jumped keeps the run from green, but failures stand.
func TestClockGuard(t *testing.T) {
	checkClockGuard(t, cleanRun(), Inconclusive, ReasonClockJumped)
	checkClockGuard(t, outcomes(Fail)(cleanRun()), NotQualified, ReasonClockJumped, ReasonCaseFailed)
}

// What follows the end and cannot be read keeps a run from green; before the
// end, the missing end says enough.
func TestTornEndGuard(t *testing.T) {
	for name, tc := range map[string]struct {
		events  []Event
		verdict Verdict
		codes   []string
	}{
		"after the end":  {cleanRun(), Inconclusive, []string{ReasonJournalDamaged}},
		"and a failure":  {outcomes(Fail)(cleanRun()), NotQualified, []string{ReasonJournalDamaged, ReasonCaseFailed}},
		"before the end": {replaced(kindIs(RunEnded))(cleanRun()), Inconclusive, []string{ReasonInterrupted}},
	} {
		ev := Fold(number(tc.events))
		ev.Torn = "the last line is damaged"
		doc := Judge(onePlan(), ev, DefaultPolicy())
		checkDocument(t, doc)
		if doc.Verdict != tc.verdict || !slices.Equal(codes(doc.Reasons), tc.codes) {
			t.Errorf("%s: %v %+v", name, doc.Verdict, doc.Reasons)
		}
	}
}

func checkClockGuard(t *testing.T, events []Event, want Verdict, reasons ...string) {
	t.Helper()
	events = number(events)
	for i := 6; i < len(events); i++ {
		events[i].Time = events[i].Time.Add(-time.Hour)
	}
	doc := Judge(onePlan(), Fold(events), DefaultPolicy())
	checkDocument(t, doc)
	if doc.Verdict != want || !slices.Equal(codes(doc.Reasons), reasons) {
		t.Errorf("%v %+v", doc.Verdict, doc.Reasons)
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
	short := func(suite string) Event {
		return Event{Kind: InfraFault, Cell: "c1", Suite: suite, Text: "no disk left"}
	}
	boot := []Event{start(), lease(LeaseOpened, "c1", "q-1"), product, lease(LeaseClosed, "c1", "q-1"), end(RunComplete)}
	failing := func(more func([]Event) []Event) func([]Event) []Event {
		return func(events []Event) []Event { return more(outcomes(Fail)(events)) }
	}
	before := func(what ...Event) []Event { // on a lease of its own
		all := []Event{lease(LeaseOpened, "c1", "q-0"), identity("c1", StageBefore), suite(SuiteStarted, "c1", "smoke", "")}
		return append(append(all, what...), lease(LeaseClosed, "c1", "q-0"), lease(LeaseOpened, "c1", "q-1"))
	}
	saw := func(items ...string) Event {
		return changed(identity("c1", StageAfter), func(e *Event) { e.Checked = items })
	}
	moved := func(k, behind Kind) func([]Event) []Event {
		return func(events []Event) []Event {
			e := events[slices.IndexFunc(events, kindIs(k))]
			events = swap(events, kindIs(k))
			at := events[slices.IndexFunc(events, kindIs(behind))]
			return swap(events, kindIs(behind), at, e)
		}
	}
	checkGuards(t, map[string]guard{
		"cellMissing": doubt(func([]Event) []Event { return []Event{start(), end(RunComplete)} }, ReasonCellMissing),
		"cellEmpty": {plan: func(p *Plan) { p.Cells[0].Suites = nil }, verdict: Inconclusive, exit: 3, codes: []string{ReasonNothingExpected},
			events: func([]Event) []Event {
				return []Event{
					start(), lease(LeaseOpened, "c1", "q-1"), identity("c1", StageBefore), identity("c1", StageAfter),
					lease(LeaseClosed, "c1", "q-1"), end(RunComplete),
				}
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
		"identityUnproven":                 doubt(replaced(stageIs(StageAfter), changed(identity("c1", StageAfter), func(e *Event) { e.Unproven = []string{"the binaries"} })), ReasonIdentityMissing),
		"identityBefore missing":           doubt(replaced(stageIs(StageBefore)), ReasonIdentityMissing),
		"identityBefore empty":             doubt(replaced(stageIs(StageBefore), nothing(StageBefore)), ReasonIdentityMissing),
		"identityBefore too late": doubt(func(events []Event) []Event {
			return added(identity("c1", StageBefore))(replaced(stageIs(StageBefore))(events))
		}, ReasonIdentityMissing),
		"identityBefore between sessions": doubt(func(events []Event) []Event {
			return added(identity("c1", StageBefore), start(), suite(SuiteStarted, "c1", "smoke", ""))(replaced(stageIs(StageBefore))(events))
		}, ReasonIdentityMissing),
		"identityMismatch, other release voids failures": doubt(failing(replaced(stageIs(StageAfter), identity("c1", StageAfter), old(StageAfter))), ReasonIdentityMismatch, ReasonCaseFailed),
		"identityBefore of another cell":                 doubt(replaced(stageIs(StageBefore), identity("c9", StageBefore)), ReasonCellUnexpected, ReasonIdentityMissing),
		"identityAfter missing":                          doubt(replaced(stageIs(StageAfter)), ReasonIdentityMissing),
		"identityAfter empty":                            doubt(replaced(stageIs(StageAfter), nothing(StageAfter)), ReasonIdentityMissing),
		"identityAfter too early": doubt(func(events []Event) []Event {
			return added(identity("c1", StageAfter))(replaced(stageIs(StageAfter))(events))
		}, ReasonIdentityMissing),
		"failure needs identity before":           doubt(failing(replaced(stageIs(StageBefore))), ReasonIdentityMissing, ReasonCaseFailed),
		"failure on a short machine":              doubt(failing(added(short("smoke"))), ReasonInfrastructure, ReasonCaseFailed),
		"failure, other suite was short":          {events: failing(added(short("conformance"))), verdict: NotQualified, exit: 1, codes: []string{ReasonCaseFailed, ReasonInfrastructure}},
		"failure, the engine had gone":            {events: failing(added(infra)), verdict: NotQualified, exit: 1, codes: []string{ReasonCaseFailed, ReasonInfrastructure}},
		"failure, tried again on a short machine": doubt(replaced(kindIs(LeaseOpened), before(ended("c1", "smoke", "exec", 1, Fail), short("smoke"))...), ReasonCaseFlaky),
		"failure, the machine before was short": {
			events:  failing(replaced(kindIs(LeaseOpened), before(short("smoke"))...)),
			verdict: NotQualified, exit: 1, codes: []string{ReasonCaseFailed},
		},
		"failure does not need it after": {events: failing(replaced(stageIs(StageAfter))), verdict: NotQualified, exit: 1, codes: []string{ReasonCaseFailed, ReasonIdentityMissing}},
		"identityMissing, of blanks": doubt(func(events []Event) []Event {
			for i := range events {
				if events[i].Kind == IdentityMatch {
					events[i].Checked = append(events[i].Checked, " ")
				}
			}
			return events
		}, ReasonIdentityMissing),
		"identityMissing, with nothing":   doubt(replaced(stageIs(StageBefore), changed(identity("c1", StageBefore), func(e *Event) { e.Release = "" })), ReasonIdentityMissing),
		"identityChanged":                 doubt(replaced(stageIs(StageAfter), saw("kubelet: 1a", "etcd: 3c")), ReasonIdentityMismatch),
		"identityChanged does not void":   {events: failing(replaced(stageIs(StageAfter), saw("kubelet: 1a", "etcd: 3c"))), verdict: NotQualified, exit: 1, codes: []string{ReasonCaseFailed, ReasonIdentityMismatch}},
		"identityChanged, pods that went": {events: replaced(stageIs(StageAfter), saw("kubelet: 1a", "etcd: 2b", "pod b image c: 4d")), verdict: Qualified, codes: []string{}},
		"identityPartial, less after":     doubt(replaced(stageIs(StageAfter), saw("kubelet: 1a")), ReasonIdentityMissing),
		"identityPartial, more after":     doubt(replaced(stageIs(StageAfter), saw("kubelet: 1a", "etcd: 2b", "no digest")), ReasonIdentityMissing),
		"identityPartial, one item twice": doubt(replaced(stageIs(StageAfter), saw("kubelet: 1a", "kubelet: 1a")), ReasonIdentityMissing),
		"identityPartial, twice and not": doubt(func(events []Event) []Event {
			twice := changed(identity("c1", StageBefore), func(e *Event) { e.Checked = append(e.Checked, e.Checked...) })
			return replaced(stageIs(StageAfter), saw("kubelet: 1a"))(replaced(stageIs(StageBefore), twice)(events))
		}, ReasonIdentityMissing),
		"identityPartial, another time":     {events: added(changed(identity("c1", "during"), func(e *Event) { e.Checked = e.Checked[:1] })), verdict: Qualified, codes: []string{}},
		"leaseMissing":                      doubt(func(events []Event) []Event { return replaced(kindIs(LeaseOpened))(events) }, ReasonIdentityMissing),
		"leaseMissing, opened afterwards":   doubt(moved(LeaseOpened, SuiteEnded), ReasonIdentityMissing, ReasonSuiteMissing, ReasonCaseNotRun),
		"cellAnomalies, lease of no run":    doubt(replaced(kindIs(LeaseOpened), changed(lease(LeaseOpened, "c1", "q-1"), func(e *Event) { e.Lease.Run = "" })), ReasonRunMismatch),
		"cellAnomalies, lease of no cell":   doubt(replaced(kindIs(LeaseOpened), changed(lease(LeaseOpened, "c1", "q-1"), func(e *Event) { e.Lease.Cell = "" })), ReasonRunMismatch),
		"cellLeftovers, other lease closed": {events: replaced(kindIs(LeaseClosed), Event{Kind: LeaseClosed, Cell: "c1", Text: "q-2"}), verdict: Qualified, exit: 4, codes: []string{ReasonLeftovers}},
		"cellFaults, product":               {events: added(product), verdict: NotQualified, exit: 1, codes: []string{ReasonProductFault}},
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

// The first suite is the one that was started first, whatever it is called.
func TestIdentityBetweenSuites(t *testing.T) {
	plan := onePlan()
	plan.Cells[0].Suites = append(plan.Cells[0].Suites, PlanSuite{Name: "a suite", Expected: []string{"x"}})
	second := []Event{suite(SuiteStarted, "c1", "a suite", ""), ended("c1", "a suite", "x", 1, Pass), suite(SuiteEnded, "c1", "a suite", "")}
	events := replaced(stageIs(StageAfter), append(second, identity("c1", StageAfter))...)(cleanRun())
	if doc := judge(t, plan, events, DefaultPolicy()); doc.ExitCode != 0 {
		t.Fatalf("%+v", doc.Reasons)
	}
	late := replaced(stageIs(StageBefore))(events)
	late = replaced(func(e Event) bool { return e.Kind == SuiteStarted && e.Suite == "a suite" }, identity("c1", StageBefore), second[0])(late)
	if doc := judge(t, plan, late, DefaultPolicy()); !slices.Equal(codes(doc.Reasons), []string{ReasonIdentityMissing}) {
		t.Errorf("%+v", doc.Reasons)
	}
}

// One comparison that saw nothing is told once, and not for each item that the
// other one saw.
func TestEmptyComparisonIsToldOnce(t *testing.T) {
	events := replaced(stageIs(StageAfter), changed(identity("c1", StageAfter), func(e *Event) { e.Checked = nil }))(cleanRun())
	if doc := judge(t, onePlan(), events, DefaultPolicy()); len(doc.Reasons) != 1 {
		t.Errorf("%+v", doc.Reasons)
	}
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
		"incomplete, then again":   doubt(replaced(caseIs("exec"), begin, attempt(1, Pass)), ReasonSuiteIncomplete),
		"died, then again":         doubt(replaced(caseIs("exec"), suite(SuiteEnded, "c1", "smoke", "killed"), begin, attempt(1, Pass)), ReasonSuiteIncomplete),
		"died, then resumed":       fine(replaced(caseIs("exec"), suite(SuiteEnded, "c1", "smoke", "killed"), start(), begin, attempt(1, Pass)), 0),
		"complete, then again":     fine(replaced(kindIs(SuiteEnded), stop, begin, stop), 0),
		"passed, with a failure":   doubt(replaced(caseIs("exec"), changed(attempt(1, Pass), func(e *Event) { e.Case.Message = "timed out" })), ReasonCaseErrored),
		"complete the second time": fine(replaced(caseIs("exec"), start(), begin, attempt(1, Pass)), 0),
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
		"flaky before the other run": failed(replaced(caseIs("exec"), attempt(1, Fail), start(), begin, attempt(1, Pass)),
			ReasonCaseFlaky),
		"repeated":                doubt(replaced(caseIs("exec"), attempt(1, Pass), attempt(1, Pass)), ReasonCaseDuplicate),
		"repeated, contradictory": doubt(replaced(caseIs("exec"), attempt(1, Fail), attempt(1, Pass)), ReasonCaseDuplicate),
		"repeated thrice":         doubt(replaced(caseIs("exec"), attempt(1, Fail), attempt(1, Pass), attempt(1, Pass)), ReasonCaseDuplicate),
		"repeated failure":        failed(replaced(caseIs("exec"), attempt(1, Fail), attempt(1, Fail)), ReasonCaseFailed, ReasonCaseDuplicate),
		"lost first":              doubt(replaced(caseIs("exec"), attempt(2, Pass)), ReasonCaseAttemptLost),
		"lost between":            doubt(replaced(caseIs("exec"), attempt(1, Pass), attempt(3, Pass)), ReasonCaseAttemptLost),
		"lost, counted from 0":    doubt(replaced(caseIs("exec"), attempt(0, Pass)), ReasonCaseAttemptLost),
		"lost, next session":      doubt(replaced(caseIs("exec"), attempt(1, Pass), start(), begin, attempt(3, Pass)), ReasonCaseAttemptLost),
		"lost, later session":     doubt(replaced(caseIs("exec"), attempt(1, Pass), attempt(2, Pass), start(), begin, attempt(2, Pass)), ReasonCaseAttemptLost),
		"numbered again":          fine(replaced(caseIs("exec"), attempt(1, Pass), attempt(2, Pass), start(), begin, attempt(1, Pass), attempt(2, Pass)), 0),
		"numbered on":             fine(replaced(caseIs("exec"), attempt(1, Pass), start(), begin, attempt(2, Pass)), 0),
		"unexpected":              doubt(added(ended("c1", "smoke", "extra", 1, Pass)), ReasonCaseUnexpected),
		"unexpected skip":         doubt(added(ended("c1", "smoke", "extra", 1, Skip)), ReasonCaseUnexpected),
		"unexpected failure":      failed(added(ended("c1", "smoke", "extra", 1, Fail)), ReasonCaseFailed, ReasonCaseUnexpected),
		"unplanned suite":         doubt(added(suite(SuiteStarted, "c1", "soak", "")), ReasonCaseUnexpected),
		"unplanned suite fails":   failed(added(suite(SuiteStarted, "c1", "soak", ""), ended("c1", "soak", "x", 1, Fail)), ReasonCaseFailed, ReasonCaseUnexpected),
	})
}
