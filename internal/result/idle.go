package result

import (
	"fmt"
	"slices"
)

// IdleRule is a rule of a policy that can do nothing with a plan.
type IdleRule struct {
	Path string // of its pattern in the policy, e.g. "waivers[0].case"
	Text string // what is wrong with it
}

// Idle lists the rules that fit nothing planned, in the order in which a policy
// file has them. Such a rule is a slip or outlived, and not what it seems to
// be: a waiver that is thought to cover a case, a suite that is thought to
// block.
func (p Policy) Idle(plan Plan) []IdleRule {
	i := idling{plan: plan}
	for n, pattern := range p.RequiredCells {
		i.cell(fmt.Sprintf("requiredCells[%d]", n), pattern)
	}
	i.suites("blockingSuites", p.BlockingSuites)
	i.cases("blockingCases", p.BlockingCases)
	i.suites("informingSuites", p.InformingSuites)
	i.cases("informingCases", p.InformingCases)
	for n, l := range p.FlakeLimits {
		i.suite(fmt.Sprintf("flakeLimits[%d].suite", n), l.Suite)
	}
	for n, w := range p.Waivers {
		i.rule(fmt.Sprintf("waivers[%d]", n), w.rule())
	}
	return i.found
}

// idling looks rules up in a plan.
type idling struct {
	plan  Plan
	found []IdleRule
}

func (i *idling) note(path, format string, args ...any) {
	i.found = append(i.found, IdleRule{Path: path, Text: fmt.Sprintf(format, args...)})
}

func (i *idling) cell(path, pattern string) {
	if !slices.ContainsFunc(i.plan.Cells, func(c PlanCell) bool { return matches(pattern, c.ID) }) {
		i.note(path, "no planned cell fits %q", pattern)
	}
}

func (i *idling) suites(path string, patterns []string) {
	for n, pattern := range patterns {
		i.suite(fmt.Sprintf("%s[%d]", path, n), pattern)
	}
}

// suite tells whether a planned suite fits.
func (i *idling) suite(path, pattern string) bool {
	for _, c := range i.plan.Cells {
		if slices.ContainsFunc(c.Suites, func(s PlanSuite) bool { return matches(pattern, s.Name) }) {
			return true
		}
	}
	i.note(path, "no planned suite fits %q", pattern)
	return false
}

func (i *idling) cases(path string, rules []CaseRule) {
	for n, r := range rules {
		i.rule(fmt.Sprintf("%s[%d]", path, n), r)
	}
}

func (i *idling) rule(path string, r CaseRule) {
	if !i.suite(path+".suite", r.Suite) {
		return
	}
	for _, c := range i.plan.Cells {
		for _, s := range c.Suites {
			if matches(r.Suite, s.Name) && slices.ContainsFunc(s.Expected, func(name string) bool { return matches(r.Case, name) }) {
				return
			}
		}
	}
	i.note(path+".case", "no planned case of suite %q fits %q", r.Suite, r.Case)
}
