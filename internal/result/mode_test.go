package result

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestSelected(t *testing.T) {
	names := []string{"[sig-apps] Job [Conformance]", "[sig-apps] CronJob [Serial] [Conformance]", "[sig-node] Pods [Conformance]"}
	for _, c := range []struct {
		mode SuiteMode
		want []string
	}{
		{SuiteMode{}, names},
		{SuiteMode{Mode: "full", Budget: 7}, names},
		{SuiteMode{Focus: "sig-apps"}, names[:2]},
		{SuiteMode{Skip: `\[Serial\]`}, []string{names[0], names[2]}},
		{SuiteMode{Focus: "sig-apps", Skip: `\[Serial\]`}, names[:1]},
		{SuiteMode{Focus: "^Job"}, nil},
	} {
		got, err := c.mode.Selected(names)
		if err != nil || !slices.Equal(got, c.want) {
			t.Errorf("%+v: %q, %v", c.mode, got, err)
		}
		if c.mode.Narrowed() != (c.mode.Focus+c.mode.Skip != "") {
			t.Errorf("%+v: narrowed is %v", c.mode, c.mode.Narrowed())
		}
	}
	for _, mode := range []SuiteMode{{Focus: "("}, {Skip: "["}} {
		if got, err := mode.Selected(names); err == nil || got != nil {
			t.Errorf("%+v: %q", mode, got)
		}
	}
}

// What is cut away is told once, and never makes a run green: also where
// everything was shown nevertheless.
func TestNarrowedSuites(t *testing.T) {
	narrow := func(focus, skip string) func(*Plan) {
		return func(p *Plan) {
			p.Cells[0].Suites[0].SuiteMode = SuiteMode{Focus: focus, Skip: skip}
		}
	}
	without := func(name string) func([]Event) []Event { return replaced(caseIs(name)) }
	doubt := func(codes ...string) guard { return guard{verdict: Inconclusive, exit: 3, codes: codes} }
	guards := map[string]guard{}
	for name, c := range map[string]struct {
		plan   func(*Plan)
		events func([]Event) []Event
		guard  guard
	}{
		"all were shown":                   {narrow(".", ""), nil, doubt(ReasonSuiteIncomplete)},
		"one was cut away":                 {narrow("", "^job$"), without("job"), doubt(ReasonSuiteIncomplete)},
		"one was cut away, and was shown":  {narrow("", "^job$"), nil, doubt(ReasonSuiteIncomplete)},
		"one was selected, and is missing": {narrow("", "^job$"), without("dns"), doubt(ReasonSuiteIncomplete, ReasonCaseNotRun)},
		"the focus cannot be read":         {narrow("(", ""), without("job"), doubt(ReasonSuiteIncomplete, ReasonCaseNotRun)},
		"one that was cut away failed": {
			narrow("", "^exec$"), outcomes(Fail),
			guard{verdict: NotQualified, exit: 1, codes: []string{ReasonCaseFailed, ReasonSuiteIncomplete}},
		},
	} {
		c.guard.plan, c.guard.events = c.plan, c.events
		guards[name] = c.guard
	}
	checkGuards(t, guards)
	plan := onePlan()
	narrow("", "^job$")(&plan)
	doc := judge(t, plan, without("job")(cleanRun()), DefaultPolicy())
	if text := doc.Reasons[0].Text; !strings.Contains(text, `skip "^job$": 1 of 3 cases were left out`) || doc.Cells[0].Suites[0].NotRun != 1 {
		t.Errorf("reason %q, suite %+v", text, doc.Cells[0].Suites[0])
	}
}

func TestPropertyNarrowedIsNeverGreen(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		plan := onePlan()
		focus, skip := rapid.String().Draw(t, "focus"), rapid.String().Draw(t, "skip")
		plan.Cells[0].Suites[0].SuiteMode = SuiteMode{Focus: focus, Skip: skip}
		doc := judge(t, plan, cleanRun(), DefaultPolicy())
		if (doc.Verdict == Qualified) != (focus+skip == "") {
			t.Fatal(fmt.Sprintf("focus %q, skip %q: %v", focus, skip, doc.Verdict))
		}
	})
}
