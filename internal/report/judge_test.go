package report

import (
	"fmt"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/qualify-dev/qualify/internal/result"
)

// journalGen draws a journal of one or two cells as a runner could write it,
// with everything that can go wrong on the way: retried leases, lost ends,
// reruns, contradictions, mismatches. Mostly it draws what holds.
type journalGen struct {
	t      *rapid.T
	tape   *tape
	plan   result.Plan
	faults int // how many more things may go wrong
}

func drawInput(t *rapid.T) Input {
	g := &journalGen{t: t, tape: &tape{now: sampleStart}, faults: rapid.SampledFrom([]int{0, 1, 2, 5, 1000}).Draw(t, "faults")}
	g.plan = result.Plan{Hash: sampleHash, Release: sampleRelease}
	for i := range rapid.IntRange(1, 2).Draw(t, "cells") {
		g.plan.Cells = append(g.plan.Cells, planCell(fmt.Sprint("os-", i),
			result.PlanSuite{Name: "smoke", Expected: []string{"a", "b", "c"}}, result.PlanSuite{Name: "conformance", Expected: []string{"a", "d"}}))
	}
	g.tape.add(result.Event{Kind: result.RunStarted, Text: "run", Plan: sampleHash, Release: sampleRelease.Digest})
	for _, c := range g.plan.Cells {
		if g.mostly("cell is there") {
			g.cell(c)
		}
	}
	g.tape.cell = ""
	if g.mostly("note") {
		g.tape.add(result.Event{Kind: result.Note, Text: "a warning"})
	}
	if g.mostly("run ends") {
		end := result.RunComplete
		if g.rarely("interrupted") {
			end = result.RunInterrupted("SIGINT")
		}
		g.tape.add(result.Event{Kind: result.RunEnded, Text: end})
	}
	in := sampleInput(g.plan, g.tape)
	policy := result.DefaultPolicy()
	policy.FlakesTolerated = rapid.IntRange(0, 2).Draw(t, "flakes")
	policy.AsOf = sampleStart
	if rapid.Bool().Draw(t, "waiver") {
		policy.Waivers = []result.Waiver{{Suite: "smoke", Case: "b", Reason: "known", Owner: "us", Issue: "1", Expires: result.NewDate(sampleStart.Add(24 * time.Hour))}}
	}
	in.Document = result.Judge(g.plan, result.Fold(g.tape.events), policy)
	return in
}

func (g *journalGen) rarely(what string) bool {
	if g.faults == 0 || rapid.IntRange(0, 9).Draw(g.t, what) > 0 {
		return false
	}
	g.faults--
	return true
}

func (g *journalGen) mostly(what string) bool { return !g.rarely(what) }

func (g *journalGen) cell(pc result.PlanCell) {
	g.tape.cell = pc.ID
	for lease := 1; lease <= 3; lease++ {
		name := &result.Lease{Name: fmt.Sprint("lease-", rapid.IntRange(1, 2).Draw(g.t, "lease")), Cell: pc.ID, Run: "run"}
		g.tape.add(result.Event{Kind: result.LeaseOpened, Lease: name})
		again := g.rarely("lease fails")
		if again {
			g.tape.add(result.Event{Kind: rapid.SampledFrom([]result.Kind{result.InfraFault, result.InfraFault, result.ProductFault}).Draw(g.t, "fault"), Text: "boom"})
		}
		if !again || rapid.Bool().Draw(g.t, "suites all the same") {
			g.body(pc)
		}
		if g.rarely("leftover") {
			g.tape.add(result.Event{Kind: result.Leftover, Text: "a container"})
		}
		if g.mostly("lease closes") {
			g.tape.add(result.Event{Kind: result.LeaseClosed, Lease: name})
		}
		if !again {
			return
		}
	}
}

func (g *journalGen) body(pc result.PlanCell) {
	g.compare(result.StageBefore)
	for _, s := range pc.Suites {
		if g.mostly("suite runs") {
			g.suite(s)
		}
	}
	g.compare(result.StageAfter)
}

func (g *journalGen) compare(stage string) {
	if g.rarely("comparison is missing") {
		return
	}
	e := result.Event{Kind: result.IdentityMatch, Stage: stage, Release: sampleRelease.Digest, Checked: []string{"kubelet"}}
	if g.rarely("nothing is compared") {
		e.Checked = nil
	}
	if g.rarely("mismatch") {
		e.Mismatched = []string{"kubelet"}
	}
	g.tape.add(e)
}

func (g *journalGen) suite(s result.PlanSuite) {
	starts := 1
	if g.rarely("started again") {
		starts = 2
	}
	for range starts {
		if g.mostly("suite starts") {
			g.tape.add(result.Event{Kind: result.SuiteStarted, Suite: s.Name})
		}
		for _, name := range append(s.Expected[:len(s.Expected):len(s.Expected)], "unplanned") {
			if name == "unplanned" && g.mostly("only what is planned") || g.rarely("case is lost") {
				continue
			}
			g.attempts(s.Name, name)
		}
		if g.mostly("suite ends") {
			text := ""
			if g.rarely("suite does not complete") {
				text = "killed"
			}
			g.tape.add(result.Event{Kind: result.SuiteEnded, Suite: s.Name, Text: text})
		}
	}
}

func (g *journalGen) attempts(suite, name string) {
	number := 1
	for again := true; again; {
		again = g.rarely("another attempt")
		o := result.Pass
		if again && rapid.Bool().Draw(g.t, "flaky") || g.rarely("does not hold") {
			o = result.Outcome(rapid.IntRange(0, 4).Draw(g.t, "outcome"))
		}
		g.tape.run(suite, result.Case{Name: name, Outcome: o, Attempt: number})
		if g.mostly("next number") {
			number++
		}
	}
}

// TestReportAgreesWithTheJudge: the report folds the journal for itself; that
// it counts as the judge does is what makes an alert mean something.
func TestReportAgreesWithTheJudge(t *testing.T) {
	_, schema := verdictSchema(t)
	verdicts := map[result.Verdict]int{}
	rapid.Check(t, func(rt *rapid.T) {
		in := drawInput(rt)
		r := Build(in)
		verdicts[r.Verdict]++
		for _, a := range r.Alerts {
			rt.Fatalf("the judge says %v, the report alerts: %s\nreasons %+v", r.Verdict, a, in.Document.Reasons)
		}
		if err := schema.Validate(written(t, in.Document)); err != nil {
			rt.Fatalf("the judge's document does not validate: %v\n%+v", err, in.Document)
		}
		for _, c := range r.Cells {
			bad := 0
			for _, s := range c.Steps {
				if s.Outcome != result.Pass && s.Outcome != result.Skip {
					bad++
				}
			}
			if c.Verdict == result.Qualified && bad > 0 && len(c.Leftovers) == 0 {
				rt.Fatalf("cell %s is Qualified, but its own steps are not: %+v", c.ID, c.Steps)
			}
			if c.Verdict != result.Qualified && bad == 0 {
				rt.Fatalf("cell %s is %v and every step is green", c.ID, c.Verdict)
			}
		}
	})
	for v := result.Inconclusive; v <= result.NotQualified; v++ {
		if verdicts[v] == 0 {
			t.Errorf("no journal was drawn that is %v: %v", v, verdicts)
		}
	}
}
