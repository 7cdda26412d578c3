package selftest

import (
	"bytes"
	"encoding/json"

	"github.com/qualify-dev/qualify/internal/result"
	"github.com/qualify-dev/qualify/internal/run"
)

const (
	otherDigest = "sha256:0000000000000000000000000000000000000000000000000000000000000bad"
	otherID     = "20000101-000000-0000aaaa"
)

// foreign are files that are not about this plan or this run.
func foreign() []Mutation {
	unreadable := []string{Unreadable}
	mismatch := []string{result.ReasonPlanMismatch}
	return []Mutation{
		{ID: "plan-missing", Wants: unreadable, Imitates: "the plan was not uploaded", change: planFile(func([]byte) []byte { return nil })},
		{ID: "plan-empty-file", Wants: unreadable, Imitates: "the plan was created and never written", change: planFile(func([]byte) []byte { return []byte{} })},
		{ID: "plan-null", Wants: unreadable, Imitates: "the plan was written from nothing", change: planFile(func([]byte) []byte { return []byte("null\n") })},
		{ID: "plan-cut", Wants: unreadable, Imitates: "the disk was full while the plan was written", change: planFile(func(b []byte) []byte { return b[:len(b)/2] })},
		{ID: "plan-two-documents", Wants: unreadable, Imitates: "a second plan was appended to the first", change: planFile(func(b []byte) []byte { return append(b, b...) })},
		{ID: "plan-unknown-field", Wants: unreadable, Imitates: "a newer version wrote a condition that this one would overlook", change: planFile(func(b []byte) []byte { return bytes.Replace(b, []byte("{"), []byte(`{"requires": "all nodes",`), 1) })},
		{ID: "plan-case-removed", Wants: unreadable, Imitates: "a case that did not run was struck from the plan", change: plans(asItWas, withoutVictim)},
		{ID: "plan-version-edited", Wants: unreadable, Imitates: "the plan was copied for another version", change: plans(asItWas, onCells(func(c *run.PlanCell) { c.Release.Kubernetes = "v1.99.0" }))},
		{ID: "plan-values-edited", Wants: unreadable, Imitates: "the plan was copied for another operating system", change: plans(asItWas, onCells(func(c *run.PlanCell) { c.Values = map[string]string{"os": "another-os"} }))},
		{ID: "plan-hash-removed", Wants: unreadable, Imitates: "the plan never had a hash", change: plans(asItWas, func(d *draft) bool { d.plan.Hash = ""; return true })},
		{ID: "plan-policy-loosened", Wants: unreadable, Imitates: "a failure was written off in the plan's policy after the run", change: plans(asItWas, tolerated)},
		{ID: "plan-policy-put-in", Wants: mismatch, Imitates: "a plan with a laxer policy was put in the place of the one that was run", change: plans(rehashed, tolerated)},
		{ID: "plan-made-again", Wants: mismatch, Imitates: "a new plan was compiled after the run, with fewer cases", change: plans(rehashed, withoutVictim)},
		{ID: "plan-of-fewer-nodes", Wants: mismatch, Imitates: "a plan of the same cells and another size was put in its place", change: plans(rehashed, func(d *draft) bool { d.plan.Workers++; return true })},
		{ID: "plan-of-another-release", Wants: mismatch, Imitates: "the plan of the next candidate was put beside the results of this one", change: plans(rehashed, onCells(func(c *run.PlanCell) { c.Release.Digest = otherDigest }))},
		{ID: "journal-of-another-plan", Wants: mismatch, Imitates: "the journal of a run with another plan was put in this one's place", change: events(func(d *draft) bool {
			return d.edit(kind(result.RunStarted), func(e *result.Event) { e.Plan = otherDigest })
		})},
		{ID: "journal-of-another-release", Wants: mismatch, Imitates: "the results of the previous candidate were used again", change: events(func(d *draft) bool {
			return d.edit(kind(result.RunStarted, result.IdentityMatch), func(e *result.Event) { e.Release = otherDigest })
		})},
		{ID: "journal-without-a-plan", Wants: mismatch, Imitates: "the runner did not say what plan it followed", change: events(func(d *draft) bool {
			return d.edit(kind(result.RunStarted), func(e *result.Event) { e.Plan = "" })
		})},
		{ID: "journal-without-a-release", Wants: mismatch, Imitates: "the runner did not say what release it tested", change: events(func(d *draft) bool {
			return d.edit(kind(result.RunStarted), func(e *result.Event) { e.Release = "" })
		})},
		{ID: "journal-without-a-run", Wants: []string{Unreadable, result.ReasonRunMismatch}, Imitates: "the runner did not say what run it was", change: events(func(d *draft) bool { return d.edit(kind(result.RunStarted), say("")) })},
		{ID: "journal-of-another-run", Wants: []string{Unreadable, result.ReasonRunMismatch}, Imitates: "the journal of an earlier run of the same plan was copied here", change: events(func(d *draft) bool { return d.otherRun(otherID) })},
		{ID: "info-of-another-run", Wants: []string{Unreadable, result.ReasonRunMismatch}, Imitates: "the results of an earlier run were copied into the directory of this one", change: infoFile(`{"id":"` + otherID + `","tool":"","command":"","host":null}`)},
		{ID: "info-missing", Wants: unreadable, Imitates: "the description of the run was not uploaded", change: files(func(r *Run) bool { r.Info = nil; return true })},
		{ID: "info-empty-file", Wants: unreadable, Imitates: "the description of the run was created and never written", change: infoFile("")},
		{ID: "info-without-an-id", Wants: []string{Unreadable, result.ReasonRunMismatch}, Imitates: "the description of the run does not say which run it is", change: infoFile("{}")},
	}
}

// tolerated lets the victim fail, and the policy say that nothing decides.
func tolerated(d *draft) bool {
	d.plan.Policy = result.Policy{Name: "lax", InformingSuites: []string{"*"}, FlakesTolerated: 999}
	return d.edit(d.target().victim(), outcome(result.Fail))
}

// reduced are runs whose plan and journal agree with each other, and that
// show less than they must, or claim what their evidence does not bear out.
func reduced() []Mutation {
	nothing, invalid := []string{result.ReasonNothingExpected}, []string{result.ReasonPlanInvalid}
	return []Mutation{
		{ID: "plan-without-cells", Wants: []string{result.ReasonPlanEmpty}, Imitates: "the selection matched no cell, and nothing was tested", change: plans(bound, func(d *draft) bool {
			d.plan.Cells = nil
			return d.drop(not(kind(result.RunStarted, result.RunEnded)))
		})},
		{ID: "plan-without-suites", Wants: nothing, Imitates: "a cell was brought up and no suite was selected", change: plans(bound, func(d *draft) bool {
			return onCells(func(c *run.PlanCell) { c.Suites = nil })(d) && d.drop(kind(result.SuiteStarted, result.CaseEnded, result.SuiteEnded))
		})},
		{ID: "plan-expects-nothing", Wants: nothing, Imitates: "the list of expected tests was empty, and so was the result", change: plans(bound, func(d *draft) bool {
			return onCells(func(c *run.PlanCell) {
				for i := range c.Suites {
					c.Suites[i].Expected = nil
				}
			})(d) && d.drop(kind(result.CaseEnded))
		})},
		{ID: "plan-expects-nothing-of-a-suite", Wants: nothing, Imitates: "the list of one suite could not be read and was taken for empty", change: plans(bound, func(d *draft) bool {
			return d.drop(d.target().cases()) && onTarget(func(c *run.PlanCell, i int) { c.Suites[i].Expected = []string{} })(d)
		})},
		{ID: "plan-expects-less", Wants: []string{result.ReasonCaseUnexpected}, Imitates: "a case was struck from the plan, and ran", change: plans(bound, strike)},
		{ID: "plan-without-a-suite", Wants: []string{result.ReasonCaseUnexpected}, Imitates: "a suite was struck from the plan, and ran", change: plans(bound, func(d *draft) bool {
			return onTarget(func(c *run.PlanCell, i int) { c.Suites = append(c.Suites[:i:i], c.Suites[i+1:]...) })(d)
		})},
		{ID: "plan-case-twice", Wants: invalid, Imitates: "one result was counted for two cases of the plan", change: plans(bound, func(d *draft) bool {
			return onTarget(func(c *run.PlanCell, i int) {
				c.Suites[i].Expected = append(c.Suites[i].Expected, c.Suites[i].Expected[0])
			})(d)
		})},
		{ID: "plan-suite-twice", Wants: invalid, Imitates: "one suite was counted for two of the plan", change: plans(bound, func(d *draft) bool {
			return onTarget(func(c *run.PlanCell, i int) { c.Suites = append(c.Suites, c.Suites[i]) })(d)
		})},
		{ID: "plan-cell-twice", Wants: invalid, Imitates: "one cell was counted for two of the plan", change: plans(bound, func(d *draft) bool {
			d.plan.Cells = append(d.plan.Cells, d.plan.Cells...)
			return len(d.plan.Cells) > 0
		})},
		{ID: "plan-cell-without-a-name", Wants: invalid, Imitates: "a cell of the plan has no name that evidence could be about", change: plans(bound, onCells(func(c *run.PlanCell) { c.ID = "" }))},
		{ID: "plan-has-more-cells", Wants: []string{result.ReasonCellMissing}, Imitates: "a cell of the plan was never run", change: plans(bound, func(d *draft) bool {
			extra := append([]run.PlanCell{}, d.plan.Cells...)
			for i := range extra {
				extra[i].ID += "-arm64"
			}
			d.plan.Cells = append(d.plan.Cells, extra...)
			return len(extra) > 0
		})},
		{ID: "plan-has-more-suites", Wants: []string{result.ReasonSuiteMissing}, Imitates: "a suite of the plan was never run", change: plans(bound, onCells(func(c *run.PlanCell) {
			c.Suites = append(c.Suites, result.PlanSuite{Name: "upgrade", Expected: []string{"nodes are drained one by one"}})
		}))},
		{ID: "plan-has-more-cases", Wants: []string{result.ReasonCaseNotRun}, Imitates: "a case of the plan was never run", change: plans(bound, func(d *draft) bool {
			return onTarget(func(c *run.PlanCell, i int) { c.Suites[i].Expected = append(c.Suites[i].Expected, "a new case") })(d)
		})},
		{ID: "plan-claims-another-release", Wants: []string{result.ReasonIdentityMismatch}, Imitates: "the verdict was issued for a release that the clusters did not run", change: plans(bound, onCells(func(c *run.PlanCell) { c.Release.Digest = otherDigest }))},
		{ID: "plan-without-a-digest", Wants: []string{result.ReasonPlanMismatch}, Imitates: "the plan names a version and no release", change: plans(bound, onCells(func(c *run.PlanCell) { c.Release.Digest = "" }))},
	}
}

func planFile(spoil func([]byte) []byte) change {
	return files(func(r *Run) bool { r.Plan = spoil(r.Plan); return true })
}

func infoFile(text string) change {
	return files(func(r *Run) bool {
		var info struct{ ID string }
		if json.Unmarshal(r.Info, &info) == nil && info.ID == otherID {
			return false
		}
		r.Info = []byte(text)
		return true
	})
}

// onCells changes every cell of the plan.
func onCells(how func(*run.PlanCell)) func(*draft) bool {
	return func(d *draft) bool {
		for i := range d.plan.Cells {
			how(&d.plan.Cells[i])
		}
		return len(d.plan.Cells) > 0
	}
}

// onTarget changes the target's suite in the plan.
func onTarget(how func(c *run.PlanCell, suite int)) func(*draft) bool {
	return func(d *draft) bool {
		t := d.target()
		for i := range d.plan.Cells {
			c := &d.plan.Cells[i]
			for k := range c.Suites {
				if c.ID == t.cell && c.Suites[k].Name == t.suite {
					how(c, k)
					return true
				}
			}
		}
		return false
	}
}

// strike takes the victim out of the plan, withoutVictim out of both.
func strike(d *draft) bool {
	name := d.target().name()
	return onTarget(func(c *run.PlanCell, i int) {
		var kept []string
		for _, e := range c.Suites[i].Expected {
			if e != name {
				kept = append(kept, e)
			}
		}
		c.Suites[i].Expected = kept
	})(d)
}

func withoutVictim(d *draft) bool { return d.drop(d.target().victim()) && strike(d) }
