package result

import (
	"slices"
	"strings"
)

// Judge measures the evidence of a run against its plan and a policy. It is
// pure: the same input gives the same document, byte by byte.
//
// Every doubt is a finding, and findings have one of five weights:
//
//	voids    the evidence is not about this release, plan or run
//	blames   the release failed
//	blocks   evidence is missing, contradictory or broken off
//	leaks    resources are left over
//	informs  nothing follows
//
// A cell with anything that voids is Inconclusive, whatever its tests say: an
// image that was swapped takes the meaning from failures too. Else, with
// anything that blames, it is NotQualified, even if other evidence is missing:
// one proven failure is enough. Else, with anything that blocks, it is
// Inconclusive. Only a cell that nothing voids, blames or blocks is Qualified,
// so there is no way to green but through evidence for each planned case.
//
// To blame, a failure needs proof of whose it is: a failed or flaky case
// blames if the cell's identity was compared, and held, before the suites of
// the same lease, and no fault on that lease names its suite. Otherwise it only
// blocks. A product fault blames without that, since a release that cannot boot
// cannot be compared.
//
// The run is Inconclusive if anything voids it, and then none of its cells
// says more. Else it is NotQualified if one cell is, else Inconclusive if one
// cell is or anything blocks the run itself, else Qualified. An interrupted
// run exits with the code of its signal whatever the verdict, a Qualified one
// with leftovers with 4; 0 means Qualified and no reason at all.
//
// An infrastructure fault blocks unless the cell was tried again with a new
// lease. Failures of the earlier lease stay in the record, and a pass in the
// later one makes them flaky. A case that passes after any attempt that did
// not counts against the limit of flakes, errors included: if errors were
// free, one word changed in a journal would turn a flake into nothing.
func Judge(plan Plan, ev Evidence, policy Policy) Document {
	exc := newExcuses(policy)
	run := runFindings(plan, ev, policy)
	doc := Document{
		APIVersion: "qualify/v1", Kind: "Verdict",
		Release: plan.Release, Plan: PlanRef{Hash: plan.Hash, From: plan.From}, Policy: PolicyRef{Name: policy.Name, Hash: policy.Hash()},
		Cells: []CellVerdict{},
	}
	var cellReasons, cellNotes []Reason
	for _, cell := range plan.Cells {
		verdict, notes := judgeCell(plan, cell, ev, exc)
		cellReasons, cellNotes = append(cellReasons, verdict.Reasons...), append(cellNotes, notes...)
		if has(run, voids) {
			verdict = voided(verdict, run)
		}
		doc.Cells = append(doc.Cells, verdict)
	}
	reasons, notes := listed(append(run, exc.unneeded()...))
	doc.Reasons, doc.Notes = append(reasons, cellReasons...), append(notes, cellNotes...)
	doc.Verdict = runVerdict(run, doc.Cells)
	doc.ExitCode = exitCode(doc, ev)
	return doc
}

// runVerdict joins what was found about the run with its cells, which have
// nothing to say any more if the run is void.
func runVerdict(run []finding, cells []CellVerdict) Verdict {
	is := func(v Verdict) bool {
		return slices.ContainsFunc(cells, func(c CellVerdict) bool { return c.Verdict == v })
	}
	own := verdictOf(run)
	switch {
	case own == NotQualified || is(NotQualified):
		return NotQualified
	case own == Inconclusive || is(Inconclusive):
		return Inconclusive
	}
	return Qualified
}

// voided takes from a cell what the run has no right to say of it.
func voided(c CellVerdict, run []finding) CellVerdict {
	c.Verdict = Inconclusive
	var why []finding
	for _, f := range run {
		if f.weight == voids {
			f.reason.Cell = c.ID
			why = append(why, f)
		}
	}
	reasons, _ := listed(why)
	c.Reasons = append(reasons, c.Reasons...)
	return c
}

// The exit codes that do not follow from the verdict alone.
const (
	exitLeftovers = 4
	exitSIGINT    = 130
	exitSIGTERM   = 143
)

func exitCode(doc Document, ev Evidence) int {
	switch interruptedBy(ev) {
	case "SIGINT":
		return exitSIGINT
	case "SIGTERM":
		return exitSIGTERM
	}
	leftover := slices.ContainsFunc(doc.Reasons, func(r Reason) bool { return r.Code == ReasonLeftovers })
	if doc.Verdict == Qualified && leftover {
		return exitLeftovers
	}
	return doc.Verdict.ExitCode()
}

// interruptedBy names the signal that ended the run's last process, if any.
func interruptedBy(ev Evidence) string {
	rest, interrupted := strings.CutPrefix(ev.End, interruptedPrefix+": ")
	if !interrupted {
		return ""
	}
	signal, _, _ := strings.Cut(rest, " ")
	return signal
}

// runFindings holds the guards that concern no single cell.
func runFindings(plan Plan, ev Evidence, policy Policy) []finding {
	return slices.Concat(
		planOfAnother(plan, ev),
		releaseOfAnother(plan, ev),
		runOfAnother(ev),
		runAnomalies(plan, ev),
		planEmpty(plan),
		planInvalid(plan),
		requiredCells(plan, policy),
		runNotEnded(ev),
		tornEnd(ev),
		unexpectedCells(plan, ev),
		runFaults(ev),
		runLeftovers(plan, ev),
		runNotes(ev),
		unbound(plan),
		leftOut(plan),
	)
}

func planEmpty(plan Plan) []finding {
	if len(plan.Cells) > 0 {
		return nil
	}
	return found(blocks, ReasonPlanEmpty, "the plan has no cells, so nothing was tested")
}

// planOfAnother demands that each process of the run worked on this plan. A
// plan without a hash is never the same as another.
func planOfAnother(plan Plan, ev Evidence) []finding {
	if len(ev.Starts) == 0 {
		return found(voids, ReasonPlanMismatch, "the journal records no start of a run")
	}
	for _, s := range ev.Starts {
		if s.Plan != plan.Hash || plan.Hash == "" {
			return found(voids, ReasonPlanMismatch, "the run followed plan %q, this is plan %q", s.Plan, plan.Hash)
		}
	}
	return nil
}

func releaseOfAnother(plan Plan, ev Evidence) []finding {
	for _, s := range ev.Starts {
		if s.Release != plan.Release.Digest || plan.Release.Digest == "" {
			return found(voids, ReasonPlanMismatch, "the run tested release %q, the plan is for %q", s.Release, plan.Release.Digest)
		}
	}
	return nil
}

func runOfAnother(ev Evidence) []finding {
	for _, s := range ev.Starts {
		if s.Run != ev.Starts[0].Run || s.Run == "" {
			return found(voids, ReasonRunMismatch, "the journal mixes runs %q and %q", ev.Starts[0].Run, s.Run)
		}
	}
	return nil
}

// runAnomalies reports what Fold found odd, except where a planned cell
// answers for it. A clock that jumped makes times wrong, not results.
func runAnomalies(plan Plan, ev Evidence) []finding {
	var all []finding
	for _, a := range ev.Anomalies {
		if planned(plan, a.Cell) {
			continue
		}
		all = append(all, about(a.Cell, "", found(anomalyWeight(a), a.Code, "%s", a.Text))...)
	}
	return all
}

func anomalyWeight(a Anomaly) weight {
	if a.Code == ReasonClockJumped {
		return blocks
	}
	return voids
}

func planned(plan Plan, cell string) bool {
	return slices.ContainsFunc(plan.Cells, func(c PlanCell) bool { return c.ID == cell })
}

// planInvalid finds plans that would let one piece of evidence count twice.
func planInvalid(plan Plan) []finding {
	var all []finding
	seen := map[string]bool{}
	for _, c := range plan.Cells {
		if seen[c.ID] || c.ID == "" {
			all = append(all, found(blocks, ReasonPlanInvalid, "the plan has cell %q twice or a cell without ID", c.ID)...)
		}
		seen[c.ID] = true
	}
	return all
}

func requiredCells(plan Plan, policy Policy) []finding {
	var all []finding
	for _, pattern := range policy.RequiredCells {
		if !slices.ContainsFunc(plan.Cells, func(c PlanCell) bool { return matches(pattern, c.ID) }) {
			all = append(all, found(blocks, ReasonCellMissing, "policy %q requires a cell that fits %q and the plan has none", policy.Name, pattern)...)
		}
	}
	return all
}

func runNotEnded(ev Evidence) []finding {
	if !ev.Ended {
		return found(blocks, ReasonInterrupted, "the run did not end; continue it with qualify resume")
	}
	if ev.End != RunComplete {
		return found(blocks, ReasonInterrupted, "the run did not complete: it ended with %q", ev.End)
	}
	return nil
}

// tornEnd blocks where something follows the end of the run that cannot be
// read: a process that went on after it, or damage. Of a run that did not end
// enough is said.
func tornEnd(ev Evidence) []finding {
	if ev.Torn == "" || !ev.Ended {
		return nil
	}
	return found(blocks, ReasonJournalDamaged, "something follows the end of the run: %s; qualify resume cuts it off", ev.Torn)
}

func unexpectedCells(plan Plan, ev Evidence) []finding {
	var all []finding
	for _, c := range ev.Cells {
		if !planned(plan, c.ID) {
			all = append(all, about(c.ID, "", found(blocks, ReasonCellUnexpected, "the journal holds a cell that was not planned"))...)
		}
	}
	return all
}

// runFaults blocks by faults that met the last process of the run.
func runFaults(ev Evidence) []finding {
	var all []finding
	for _, f := range ev.Faults {
		all = append(all, faultFinding(f, len(ev.Starts))...)
	}
	return all
}

// faultFinding gives a fault its weight: an infrastructure fault that was
// followed by another try only informs.
func faultFinding(f Fault, last int) []finding {
	text := withDetail(brief(f.Text), lastLines(f.Log))
	switch {
	case f.Product:
		return found(blames, ReasonProductFault, "%s", text)
	case f.Lease < last:
		return found(informs, ReasonInfrastructure, "%s (tried again)", text)
	}
	return found(blocks, ReasonInfrastructure, "%s", text)
}

// runLeftovers lists what belongs to no planned cell; cells list their own.
func runLeftovers(plan Plan, ev Evidence) []finding {
	var all []finding
	for _, text := range ev.Leftovers {
		all = append(all, leftover(text)...)
	}
	for _, c := range ev.Cells {
		if planned(plan, c.ID) {
			continue
		}
		for _, text := range c.Unreleased() {
			all = append(all, about(c.ID, "", leftover(text))...)
		}
	}
	return all
}

func leftover(text string) []finding {
	return found(leaks, ReasonLeftovers, "left over: %s; remove it with qualify gc", text)
}

// unbound says what no verdict on the release can be about. Whether that is
// accepted was decided before the run.
func unbound(plan Plan) []finding {
	if len(plan.Unbound) == 0 {
		return nil
	}
	return found(informs, NoteUnbound, "the release has no digest for %d of its assets, so nothing shows whether their bytes are the release's: %s",
		len(plan.Unbound), brief(strings.Join(plan.Unbound, ", ")))
}

// leftOut says what was asked for and is not part of the verdict.
func leftOut(plan Plan) []finding {
	var all []finding
	for _, l := range plan.LeftOut {
		all = append(all, found(informs, NoteLeftOut, "%d of the selected combinations left out: %s (%s)", l.Combinations, brief(l.Reason), brief(l.Rule))...)
	}
	return all
}

func runNotes(ev Evidence) []finding {
	var all []finding
	for _, text := range ev.Notes {
		all = append(all, found(informs, NoteWarning, "%s", brief(text))...)
	}
	return all
}
