package result

import (
	"slices"
	"testing"
)

// A suite whose cases nobody can know before is judged by all that it shows, and
// by the end that was planned: what it shows can make it worse and never better.
func TestPluginSuites(t *testing.T) {
	plugin := func(expected ...string) func(*Plan) {
		return func(p *Plan) {
			p.Cells[0].Suites[0].Plugin, p.Cells[0].Suites[0].Expected = "x", expected
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
		"all pass":               {plugin("job"), nil, guard{verdict: Qualified, exit: 0}},
		"its end is missing":     {plugin("job"), without("job"), doubt(ReasonCaseNotRun)},
		"another end is planned": {plugin("the end"), nil, doubt(ReasonCaseNotRun)},
		"nothing is planned":     {plugin(), nil, doubt(ReasonNothingExpected, ReasonCaseUnexpected)},
		"all fail":               {plugin("job"), outcomes(Fail), guard{verdict: NotQualified, exit: 1, codes: []string{ReasonCaseFailed}}},
		"all could not tell":     {plugin("job"), outcomes(Error), doubt(ReasonCaseErrored)},
		"all are skipped":        {plugin("job"), outcomes(Skip), doubt(ReasonCaseSkipped)},
		"it is no plugin":        {func(p *Plan) { p.Cells[0].Suites[0].Expected = []string{"job"} }, nil, doubt(ReasonCaseUnexpected)},
	} {
		c.guard.plan, c.guard.events = c.plan, c.events
		guards[name] = c.guard
	}
	checkGuards(t, guards)
	plan := onePlan()
	plugin("job")(&plan)
	if count := judge(t, plan, cleanRun(), DefaultPolicy()).Cells[0].Suites[0]; count.Expected != 3 || count.Passed != 3 {
		t.Errorf("%+v", count)
	}
}

func TestWanted(t *testing.T) {
	for _, c := range []struct {
		suite PlanSuite
		seen  []string
		want  []string
	}{
		{PlanSuite{Expected: []string{"a", "b"}}, []string{"c"}, []string{"a", "b"}},
		{PlanSuite{Expected: []string{"a"}, SuiteMode: SuiteMode{Plugin: "x"}}, nil, []string{"a"}},
		{PlanSuite{Expected: []string{"a"}, SuiteMode: SuiteMode{Plugin: "x"}}, []string{"c", "a", "b"}, []string{"a", "c", "b"}},
	} {
		if got := c.suite.Wanted(c.seen); !slices.Equal(got, c.want) {
			t.Errorf("%+v with %q: %q", c.suite, c.seen, got)
		}
	}
}
