package result

import (
	"bytes"
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
)

func TestJudgeCleanRun(t *testing.T) {
	doc := judge(t, onePlan(), cleanRun(), DefaultPolicy())
	plan := onePlan()
	want := Document{
		APIVersion: "qualify/v1", Kind: "Verdict", Verdict: Qualified, ExitCode: 0,
		Reasons: []Reason{}, Notes: []Reason{}, Release: plan.Release, Plan: PlanRef{Hash: "plan-hash"}, Policy: PolicyRef{Name: "default", Hash: DefaultPolicy().Hash()},
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
		`"policy":{"name":"default","hash":"sha256:e249525f5e73aeae715452f1311ffbc92011eaf56c1aa4b205161dfeb271f9ac"},` +
		`"cells":[{"id":"c1","values":{"os":"debian-12"},"verdict":"Qualified","reasons":[],` +
		`"identity":{"checked":2,"mismatched":[]},"phases":[{"name":"up","seconds":42}],` +
		`"suites":[{"name":"smoke","expected":3,"passed":3,"failed":0,"errored":0,"skipped":0,"notRun":0,"flaky":0}]}]}`
	if string(text) != want {
		t.Fatalf("got\n%s\nwant\n%s", text, want)
	}
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
		{cleanRun(), "SIGINT", Inconclusive, 3},
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
	doc := judge(t, onePlan(), open, DefaultPolicy())
	if doc.ExitCode != 3 || !strings.Contains(doc.Reasons[0].Text, "qualify resume") {
		t.Errorf("resumed again and killed: exit %d, %+v", doc.ExitCode, doc.Reasons)
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
		"tried again":                    {twoLeases(attempt("dns", Pass)), Qualified, []string{}, []string{ReasonInfrastructure}},
		"passed on the first only":       {firstOnly("dns"), Inconclusive, []string{ReasonCaseNotRun}, []string{ReasonInfrastructure}},
		"failed on the first":            {twoLeases(attempt("dns", Fail)), NotQualified, []string{ReasonCaseFlaky}, []string{ReasonInfrastructure}},
		"errored on the first":           {twoLeases(attempt("dns", Error)), Inconclusive, []string{ReasonCaseFlaky}, []string{ReasonInfrastructure}},
		"product fault on the first":     {twice, NotQualified, []string{ReasonProductFault}, []string{ReasonInfrastructure}},
		"first was another cluster":      {swap(twoLeases(), kindIs(IdentityMatch), changed(identity("c1", StageBefore), func(e *Event) { e.Checked = []string{"kubelet: 9f", "node a: 1"} })), Qualified, []string{}, []string{ReasonInfrastructure}},
		"result before the second start": {slices.Insert(twoLeases(), 8, attempt("dns", Pass)), Inconclusive, []string{ReasonSuiteIncomplete}, []string{ReasonInfrastructure}},
		"second never compared before":   {slices.Delete(twoLeases(), 9, 10), Inconclusive, []string{ReasonIdentityMissing}, []string{ReasonInfrastructure}},
		"second never ran the suite":     {twoLeases()[:7], Inconclusive, []string{ReasonIdentityMissing, ReasonSuiteMissing, ReasonInterrupted}, []string{ReasonInfrastructure}},
		"failed on the first, no rerun":  {twoLeases(attempt("dns", Fail))[:8], NotQualified, []string{}, []string{ReasonInfrastructure}},
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
	startedWith := func(change func(*Event)) func([]Event) []Event {
		return replaced(kindIs(RunStarted), changed(start(), change))
	}
	damaged := added(Event{Kind: Note, Text: "x"}, changed(lease(LeaseOpened, "c9", "q-9"), func(e *Event) { e.Lease.Cell = "c1" }))
	for name, tc := range map[string]struct {
		events func([]Event) []Event
		code   string
	}{
		"plan":    {startedWith(func(e *Event) { e.Plan = "other" }), ReasonPlanMismatch},
		"release": {startedWith(func(e *Event) { e.Release = "sha256:old" }), ReasonPlanMismatch},
		"run":     {replaced(kindIs(RunEnded), changed(start(), func(e *Event) { e.Text = "run-2" }), end(RunComplete)), ReasonRunMismatch},
		"anomaly": {damaged, ReasonRunMismatch},
	} {
		events := append(tc.events(outcomes(Fail)(cleanRun())), Event{Kind: Leftover, Text: "network n"})
		doc := judge(t, onePlan(), events, DefaultPolicy())
		if doc.Verdict != Inconclusive || doc.Cells[0].Verdict != Inconclusive {
			t.Errorf("%s: verdicts %v, %v", name, doc.Verdict, doc.Cells[0].Verdict)
		}
		own := doc.Cells[0].Reasons
		if got := codes(own); got[0] != tc.code || !slices.Contains(got, ReasonCaseFailed) || slices.Contains(got, ReasonLeftovers) || own[0].Cell != "c1" {
			t.Errorf("%s: cell reasons %+v", name, own)
		}
		n := 0
		for _, r := range doc.Reasons {
			if r.Code == tc.code {
				n++
			}
		}
		if n != 1 || doc.Reasons[0].Code != tc.code {
			t.Errorf("%s: reasons %+v", name, doc.Reasons)
		}
	}
}

// What is odd in one cell's record says nothing of the others.
func TestCellAnomalyVoidsItsCellOnly(t *testing.T) {
	stale := replaced(kindIs(LeaseClosed), lease(LeaseClosed, "c1", "q-1"), identity("c1", StageAfter))
	plan, events := twoCells(stale(cleanRun()), outcomes(Fail)(cleanRun()))
	doc := judge(t, plan, events, DefaultPolicy())
	if doc.Verdict != NotQualified || doc.Cells[0].Verdict != Inconclusive || doc.Cells[1].Verdict != NotQualified {
		t.Errorf("%v %v %v", doc.Verdict, doc.Cells[0].Verdict, doc.Cells[1].Verdict)
	}
}

func TestCellOfOtherRelease(t *testing.T) {
	plan := onePlan()
	plan.Cells[0].Release.Digest = "sha256:cell"
	compared := func(digest string) []Event {
		events := cleanRun()
		for i := range events {
			if events[i].Kind == IdentityMatch {
				events[i].Release = digest
			}
		}
		return events
	}
	if doc := judge(t, plan, compared("sha256:cell"), DefaultPolicy()); doc.ExitCode != 0 {
		t.Errorf("compared with the cell's release: %+v", doc.Reasons)
	}
	if doc := judge(t, plan, compared("sha256:rel"), DefaultPolicy()); doc.Verdict != Inconclusive {
		t.Error("compared with another release than the cell's")
	}
	plan.Cells[0].Release.Digest = ""
	if doc := judge(t, plan, compared("sha256:rel"), DefaultPolicy()); doc.ExitCode != 0 {
		t.Errorf("compared with the plan's release: %+v", doc.Reasons)
	}
}

// twoCells is a run of two cells that are planned alike.
func twoCells(first, second []Event) (Plan, []Event) {
	plan := onePlan()
	cell := plan.Cells[0]
	cell.ID = "c2"
	plan.Cells = append(plan.Cells, cell)
	for i := range second {
		if second[i].Cell != "" {
			second[i].Cell = "c2"
		}
		if second[i].Lease != nil {
			second[i].Lease.Cell = "c2"
		}
	}
	return plan, slices.Concat(first[:len(first)-1], second[1:])
}

func TestOneCellDecidesForTheRun(t *testing.T) {
	good, bad, unknown := cleanRun, func() []Event { return outcomes(Fail)(cleanRun()) }, func() []Event { return outcomes(Error)(cleanRun()) }
	for _, tc := range []struct {
		first, other func() []Event
		want         Verdict
	}{
		{good, good, Qualified}, {good, bad, NotQualified}, {bad, unknown, NotQualified},
		{unknown, bad, NotQualified}, {good, unknown, Inconclusive}, {unknown, good, Inconclusive},
	} {
		plan, events := twoCells(tc.first(), tc.other())
		if doc := judge(t, plan, events, DefaultPolicy()); doc.Verdict != tc.want {
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
	// Waived failures have the same code but are listed, and counted, apart.
	events = outcomes(Fail)(events)
	doc := judge(t, plan, events, waived(epoch, func(*Waiver) {}))
	if n := len(doc.Reasons); n != maxListed+1 || len(doc.Notes) != 1 {
		t.Fatalf("%d reasons", n)
	}
	if !strings.Contains(doc.Reasons[maxListed-1].Text, "case 019") {
		t.Errorf("last but one %+v", doc.Reasons[maxListed-1])
	}
	if first, last := doc.Reasons[0], doc.Reasons[maxListed]; !strings.Contains(first.Text, "case 000") || last != (Reason{ReasonCaseFailed, "c1", "smoke", "and 80 more"}) {
		t.Errorf("first %+v, last %+v", first, last)
	}
	if s := doc.Cells[0].Suites[0]; s.Failed != 101 || s.Passed != 2 {
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
	terse := judge(t, onePlan(), added(Event{Kind: ProductFault, Cell: "c1", Text: "kubelet"})(cleanRun()), DefaultPolicy())
	if terse.Reasons[0].Text != "kubelet" {
		t.Errorf("%+v", terse.Reasons[0])
	}
	flaky := judge(t, onePlan(), outcomes(Fail, Pass)(cleanRun()), DefaultPolicy())
	if want := (Reason{ReasonCaseFlaky, "c1", "smoke", `"exec" passed only after an attempt that ended as fail: because (1 flaky cases in this suite, 0 tolerated)`}); flaky.Reasons[0] != want {
		t.Errorf("%+v", flaky.Reasons[0])
	}
	failed := judge(t, onePlan(), outcomes(Fail)(cleanRun()), DefaultPolicy())
	if want := (Reason{ReasonCaseFailed, "c1", "smoke", `"exec" failed: because`}); failed.Reasons[0] != want {
		t.Errorf("%+v", failed.Reasons[0])
	}
}

func TestRepetitionsAreToldApart(t *testing.T) {
	for want, second := range map[string]Outcome{
		`"exec": attempt recorded twice`:                         Pass,
		`"exec": attempt recorded twice with different outcomes`: Fail,
	} {
		events := swap(cleanRun(), caseIs("exec"), ended("c1", "smoke", "exec", 1, Pass), ended("c1", "smoke", "exec", 1, second))
		if doc := judge(t, onePlan(), events, DefaultPolicy()); len(doc.Reasons) != 1 || doc.Reasons[0].Text != want {
			t.Errorf("%v: %+v", second, doc.Reasons)
		}
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

// A verdict on a release without digests says so, whatever it is.
func TestUnboundIsSaid(t *testing.T) {
	plan := onePlan()
	plan.Unbound = []string{"csi-attacher-image", "csi-resizer-image"}
	doc := judge(t, plan, cleanRun(), DefaultPolicy())
	if doc.Verdict != Qualified || len(doc.Notes) != 1 || doc.Notes[0].Code != NoteUnbound || !strings.Contains(doc.Notes[0].Text, "no digest for 2 of its assets") || !strings.Contains(doc.Notes[0].Text, "csi-resizer-image") {
		t.Errorf("%v, notes %+v", doc.Verdict, doc.Notes)
	}
}

// Tests that ran with made images say so, whatever they show.
func TestSubstituteImagesAreSaid(t *testing.T) {
	plan := onePlan()
	plan.Cells[0].Components = []ComponentRef{{Name: "containerd", Version: "v1.7.32", Digest: "sha256:cc"}, {Name: TestImages, Version: "v1.34.4", Digest: "sha256:dd"}}
	doc := judge(t, plan, cleanRun(), DefaultPolicy())
	if doc.Verdict != Qualified || len(doc.Notes) != 1 || doc.Notes[0].Code != NoteSubstitutes || doc.Notes[0].Cell != plan.Cells[0].ID || !strings.Contains(doc.Notes[0].Text, "sha256:dd") {
		t.Errorf("%s, notes %+v", doc.Verdict, doc.Notes)
	}
}

// A cell that was run although it cannot be is judged like any other, and says
// what it is.
func TestForcedCells(t *testing.T) {
	plan := onePlan()
	plan.Cells[0].Forced = "containerd 1.4 has no CRI v1"
	doc := judge(t, plan, cleanRun(), DefaultPolicy())
	if doc.Verdict != Qualified || len(doc.Notes) != 1 || doc.Notes[0].Code != NoteForced || !strings.Contains(doc.Notes[0].Text, "containerd 1.4 has no CRI v1") {
		t.Errorf("%s, notes %+v", doc.Verdict, doc.Notes)
	}
}

// What was asked for and left out is told, and decides nothing.
func TestLeftOutCombinations(t *testing.T) {
	plan := onePlan()
	for i := range 25 {
		plan.LeftOut = append(plan.LeftOut, LeftOut{Rule: fmt.Sprintf("m.yaml:%d", i), Reason: "it rains", Combinations: i + 1})
	}
	doc := judge(t, plan, cleanRun(), DefaultPolicy())
	if doc.Verdict != Qualified || len(doc.Notes) != 21 {
		t.Fatalf("%s, notes %+v", doc.Verdict, doc.Notes)
	}
	if first := doc.Notes[0]; first.Code != NoteLeftOut || first.Text != "1 of the selected combinations left out: it rains (m.yaml:0)" {
		t.Errorf("first note %+v", first)
	}
	if last := doc.Notes[20]; last.Code != NoteLeftOut || last.Text != "and 5 more" {
		t.Errorf("last note %+v", last)
	}
}
