package main

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/qualify-dev/qualify/internal/planning"
	"github.com/qualify-dev/qualify/internal/result"
	"github.com/qualify-dev/qualify/internal/run"
)

// counts say what a plan was taken from.
type counts struct {
	raw, possible int
}

func (s selected) counts() counts { return counts{raw: s.Raw, possible: len(s.whole.Cells)} }

// planTable shows a plan to people.
func planTable(plan run.Plan, of counts) string {
	var text strings.Builder
	w := tabwriter.NewWriter(&text, 0, 8, 2, ' ', 0)
	fmt.Fprintln(w, "CELL\tTIME\tUSD\tNOTE")
	for _, c := range plan.Cells {
		fmt.Fprintf(w, "%s\t%s\t%.2f\t%s\n", c.ID, took(c.Estimate.Seconds), c.Estimate.USD, cellNote(c))
	}
	_ = w.Flush()
	fmt.Fprintf(&text, "\n%s\n", strings.Join(planSummary(plan, of), "\n"))
	if groups := excludedGroups(plan); len(groups) > 0 {
		fmt.Fprintln(&text, "\nnot run:")
		w := tabwriter.NewWriter(&text, 0, 8, 2, ' ', 0)
		for _, g := range groups {
			fmt.Fprintf(w, "  %d\t%s\t%s\n", g.count, g.rule, g.reason)
		}
		_ = w.Flush()
	}
	return text.String()
}

func cellNote(c run.PlanCell) string {
	var notes []string
	if c.Required {
		notes = append(notes, "required")
	}
	for _, part := range c.Components {
		if part.Name == result.TestImages {
			notes = append(notes, "tests run images that are made here")
		}
	}
	if c.Forced != "" {
		notes = append(notes, "forced: "+c.Forced)
	}
	if c.Blocked != "" {
		notes = append(notes, "cannot be run here: "+strings.TrimPrefix(c.Blocked, "unsupported here: "))
	}
	return strings.Join(notes, "; ")
}

// planSummary says what the plan is, in lines.
func planSummary(plan run.Plan, of counts) []string {
	total := planning.Total(plan)
	lines := []string{fmt.Sprintf("%s of %d that can be among %d combinations in %s, as of %s: %s one after the other, %.2f USD",
		plural(len(plan.Cells), "cell"), of.possible, of.raw, plan.Matrix, plan.AsOf, took(total.Seconds), total.USD)}
	var suites []string
	for _, s := range plan.Cells[0].Suites {
		name := s.Name
		if s.Backend != "" {
			name += " by " + s.Backend
		}
		suites = append(suites, name)
	}
	lines = append(lines, fmt.Sprintf("in each: %s, on a control plane and %s", strings.Join(suites, ", "), plural(plan.Workers, "worker")))
	if plan.Clusters > 1 {
		lines = append(lines, fmt.Sprintf("each cell is spread over %d clusters when it is run, with a share of its tests on each", plan.Clusters))
	}
	if plan.Shard != "" {
		lines = append(lines, "part "+plan.Shard+" of a larger plan")
	}
	lines = append(lines, guaranteeLine(plan))
	sources := map[string]int{}
	for _, c := range plan.Cells {
		sources[c.Estimate.Source]++
	}
	for _, source := range slices.Sorted(maps.Keys(sources)) {
		lines = append(lines, fmt.Sprintf("estimates of %s: %s", plural(sources[source], "cell"), source))
	}
	return append(lines, "plan "+plan.Hash)
}

func guaranteeLine(plan run.Plan) string {
	g, what := plan.Guarantee, "cells that can be"
	switch {
	case g.Strength == len(plan.Cells[0].Values): // every combination is a cell
	case g.Strength == 2:
		what = "pairs of values that can be"
	case g.Strength == 3:
		what = "triples of values that can be"
	}
	if g.Covered == g.Total {
		return fmt.Sprintf("guarantee: all %d %s", g.Total, what)
	}
	return fmt.Sprintf("guarantee: %d of %d %s; -o json lists the %d others", g.Covered, g.Total, what, g.Total-g.Covered)
}

// excludedGroup is what one rule removed.
type excludedGroup struct {
	rule, reason string
	count        int
}

// excludedGroups sums what is not run up by its rules, the largest first. The
// reason is the first of a rule's.
func excludedGroups(plan run.Plan) []excludedGroup {
	var groups []excludedGroup
	at := map[string]int{}
	for _, e := range plan.Excluded {
		i, seen := at[e.Rule]
		if !seen {
			i = len(groups)
			at[e.Rule] = i
			reason := e.Reason
			if e.Owner != "" {
				reason += fmt.Sprintf(" (owner %s, until %s)", e.Owner, e.Expires)
			}
			groups = append(groups, excludedGroup{rule: e.Rule, reason: reason})
		}
		groups[i].count++
	}
	slices.SortStableFunc(groups, func(a, b excludedGroup) int { return cmp.Compare(b.count, a.count) })
	return groups
}

func took(seconds int) string { return (time.Duration(seconds) * time.Second).String() }

// planMarkdown shows a plan on a page of a CI job or a wiki.
func planMarkdown(plan run.Plan, of counts) string {
	var text strings.Builder
	cell := strings.NewReplacer("|", "\\|", "\n", " ", "<", "&lt;")
	lines := planSummary(plan, of)
	fmt.Fprintf(&text, "%s.\n", cell.Replace(lines[0]))
	for _, line := range lines[1:] {
		fmt.Fprintf(&text, "- %s\n", cell.Replace(line))
	}
	fmt.Fprint(&text, "\n| cell | values | time | USD | note |\n|---|---|--:|--:|---|\n")
	for _, c := range plan.Cells {
		fmt.Fprintf(&text, "| %s | %s | %s | %.2f | %s |\n", c.ID, cell.Replace(planning.Title(c.Values)), took(c.Estimate.Seconds), c.Estimate.USD, cell.Replace(cellNote(c)))
	}
	if groups := excludedGroups(plan); len(groups) > 0 {
		fmt.Fprint(&text, "\n| not run | rule | reason of the first |\n|--:|---|---|\n")
		for _, g := range groups {
			fmt.Fprintf(&text, "| %d | %s | %s |\n", g.count, cell.Replace(g.rule), cell.Replace(g.reason))
		}
	}
	return text.String()
}

func plural(n int, noun string) string {
	if n != 1 {
		noun += "s"
	}
	return fmt.Sprintf("%d %s", n, noun)
}
