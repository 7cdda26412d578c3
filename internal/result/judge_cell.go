package result

import (
	"maps"
	"slices"
	"strings"
)

// judgeCell measures one planned cell and counts its suites.
func judgeCell(plan Plan, cell PlanCell, ev Evidence, exc *excuses) (CellVerdict, []Reason) {
	got, present := ev.Cell(cell.ID)
	all := slices.Concat(cellAnomalies(cell, ev), cellMissing(present), cellEmpty(cell), suitesRepeated(cell))
	counts := []SuiteCount{}
	want := releaseOf(plan, cell)
	if present {
		all = append(all, slices.Concat(
			identityMismatch(got, want),
			identityChanged(got),
			identityPartial(got),
			identityUnproven(got),
			cellFaults(got),
			leaseMissing(got),
			identityBefore(got, want),
			identityAfter(got, want),
		)...)
	}
	for _, suite := range cell.Suites {
		c := suiteCourt{cell: got, suite: suite, release: want, exc: exc}
		count, findings := c.judge()
		counts = append(counts, count)
		if present {
			all = append(all, about("", suite.Name, findings)...)
		}
	}
	all = append(all, unplannedSuites(cell, got, want, exc)...)
	all = append(all, cellLeftovers(got)...)
	all = append(all, cellForced(cell)...)
	all = append(all, cellSubstitutes(cell)...)
	all = append(all, cellNotes(got)...)
	reasons, notes := listed(about(cell.ID, "", all))
	return CellVerdict{
		ID: cell.ID, Values: valuesOf(cell), Verdict: verdictOf(all), Reasons: reasons,
		Identity: identityOf(got), Phases: append([]Phase{}, got.Phases...), Suites: counts,
	}, notes
}

// releaseOf is the digest that a cell's identity is compared with.
func releaseOf(plan Plan, cell PlanCell) string {
	if cell.Release.Digest != "" {
		return cell.Release.Digest
	}
	return plan.Release.Digest
}

func valuesOf(cell PlanCell) map[string]string {
	values := map[string]string{}
	maps.Copy(values, cell.Values)
	return values
}

// identityOf sums the comparisons up: the size of the last one, and whatever
// differed in any.
func identityOf(got CellEvidence) Identity {
	id := Identity{Mismatched: []string{}}
	for _, c := range got.Identity {
		id.Checked = len(c.Checked)
		id.Mismatched = append(id.Mismatched, c.Mismatched...)
	}
	slices.Sort(id.Mismatched)
	id.Mismatched = slices.Compact(id.Mismatched)
	return id
}

func cellAnomalies(cell PlanCell, ev Evidence) []finding {
	var all []finding
	for _, a := range ev.Anomalies {
		if a.Cell == cell.ID {
			all = append(all, found(anomalyWeight(a), a.Code, "%s", a.Text)...)
		}
	}
	return all
}

func cellMissing(present bool) []finding {
	if present {
		return nil
	}
	return found(blocks, ReasonCellMissing, "the journal holds nothing about this planned cell")
}

func cellEmpty(cell PlanCell) []finding {
	if len(cell.Suites) > 0 {
		return nil
	}
	return found(blocks, ReasonNothingExpected, "no suite was planned for this cell")
}

func suitesRepeated(cell PlanCell) []finding {
	var all []finding
	seen := map[string]bool{}
	for _, s := range cell.Suites {
		if seen[s.Name] {
			all = append(all, about("", s.Name, found(blocks, ReasonPlanInvalid, "the suite is planned twice"))...)
		}
		seen[s.Name] = true
	}
	return all
}

// identityMismatch voids by any comparison of any lease: what differed once is
// not explained by a later comparison that held.
func identityMismatch(got CellEvidence, release string) []finding {
	var all []finding
	for _, c := range got.Identity {
		for _, item := range c.Mismatched {
			all = append(all, found(voids, ReasonIdentityMismatch, "%s is not what the release holds (compared %s the suites)", item, c.Stage)...)
		}
		if otherRelease(c, release) {
			all = append(all, found(voids, ReasonIdentityMismatch, "the cell was compared with release %q, the plan is for %q", c.Release, release)...)
		}
	}
	return all
}

// otherRelease reports a comparison with another release's digests. One that
// does not say what it was made with is no such proof, and holds nothing.
func otherRelease(c Comparison, release string) bool { return c.Release != "" && c.Release != release }

// held reports a comparison that is positive evidence: a comparison of
// nothing, or with nothing, is not.
func held(c Comparison, release string) bool {
	blank := func(item string) bool { return strings.TrimSpace(item) == "" }
	return len(c.Checked) > 0 && !slices.ContainsFunc(c.Checked, blank) && len(c.Mismatched) == 0 && c.Release == release
}

// itemOf takes what was compared apart: it reads "what: digest".
func itemOf(checked string) (what, digest string) {
	at := strings.LastIndex(checked, ": ")
	if at < 0 {
		return checked, ""
	}
	return checked[:at], checked[at+2:]
}

// identityChanged finds what two comparisons of a lease saw differently. Both
// cannot be the release, so one of them overlooked a difference.
func identityChanged(got CellEvidence) []finding {
	var all []finding
	seen := map[string]string{}
	for _, c := range got.Identity {
		if c.Lease != got.LastLease() {
			continue
		}
		for _, item := range c.Checked {
			what, digest := itemOf(item)
			if before, known := seen[what]; known && before != digest {
				all = append(all, found(blocks, ReasonIdentityMismatch, "%s was %s and then %s, and no comparison tells which of them is the release's", what, before, digest)...)
			}
			seen[what] = digest
		}
	}
	return all
}

// identityPartial finds what one comparison of a lease looked at and another
// did not: who could ask one node of three has not compared the cluster.
// Images come and go with pods and with the kubelet's collection of garbage;
// everything else stays as long as the cluster.
func identityPartial(got CellEvidence) []finding {
	seen, comparisons := map[string]int{}, 0
	for _, c := range got.Identity {
		if c.Lease != got.LastLease() || c.Stage != StageBefore && c.Stage != StageAfter || len(c.Checked) == 0 {
			continue
		}
		comparisons++
		items := map[string]bool{}
		for _, item := range c.Checked {
			if what, _ := itemOf(item); !strings.Contains(what, " image ") && !items[what] {
				items[what] = true
				seen[what]++
			}
		}
	}
	var all []finding
	for _, what := range slices.Sorted(maps.Keys(seen)) {
		if seen[what] < comparisons {
			all = append(all, found(blocks, ReasonIdentityMissing, "%s was compared in %d of %d comparisons", what, seen[what], comparisons)...)
		}
	}
	return all
}

// identityUnproven finds what a comparison could not look at. It is not known to
// be the release, and what is not known is never taken for good.
func identityUnproven(got CellEvidence) []finding {
	var items []string
	for _, c := range got.Identity {
		items = append(items, c.Unproven...)
	}
	slices.Sort(items)
	var all []finding
	for _, item := range slices.Compact(items) {
		all = append(all, found(blocks, ReasonIdentityMissing, "unproven: %s", brief(item))...)
	}
	return all
}

func leaseMissing(got CellEvidence) []finding {
	if got.LastLease() > 0 {
		return nil
	}
	return found(blocks, ReasonIdentityMissing, "no lease was recorded, so nothing shows on which resources anything ran")
}

func cellFaults(got CellEvidence) []finding {
	var all []finding
	for _, f := range got.Faults {
		all = append(all, about("", f.Suite, faultFinding(f, got.LastLease()))...)
	}
	return all
}

func identityBefore(got CellEvidence, release string) []finding {
	if heldBefore(got, release, got.LastLease()) {
		return nil
	}
	return found(blocks, ReasonIdentityMissing, "nothing shows that this release ran before the suites")
}

// heldBefore reports that the cell ran the release before the first suite
// that was started on a lease.
func heldBefore(got CellEvidence, release string, lease int) bool {
	first, _ := suiteSpan(got, lease)
	return slices.ContainsFunc(got.Identity, func(c Comparison) bool {
		return c.Lease == lease && c.Stage == StageBefore && held(c, release) && (first == 0 || c.At < first)
	})
}

// identityAfter demands a comparison that follows the last result, since what
// ran before the suites need not be what they ran against.
func identityAfter(got CellEvidence, release string) []finding {
	lease := got.LastLease()
	_, last := suiteSpan(got, lease)
	if slices.ContainsFunc(got.Identity, func(c Comparison) bool {
		return c.Lease == lease && c.Stage == StageAfter && held(c, release) && c.At > last
	}) {
		return nil
	}
	return found(blocks, ReasonIdentityMissing, "nothing shows that this release still ran after the suites")
}

// suiteSpan is where the suites of a lease begin and end among the cell's
// events; both are 0 if none was started.
func suiteSpan(got CellEvidence, lease int) (first, last int) {
	for _, suite := range got.Suites {
		for _, s := range suite.Sessions {
			if s.Lease != lease {
				continue
			}
			if first == 0 || s.First < first {
				first = s.First
			}
			last = max(last, s.Last)
		}
	}
	return first, last
}

// unplannedSuites judges suites that the plan does not have as suites that
// expect nothing, so that what failed in them is seen.
func unplannedSuites(cell PlanCell, got CellEvidence, release string, exc *excuses) []finding {
	var all []finding
	for _, s := range got.Suites {
		if slices.ContainsFunc(cell.Suites, func(p PlanSuite) bool { return p.Name == s.Name }) {
			continue
		}
		c := suiteCourt{cell: got, suite: PlanSuite{Name: s.Name}, got: s, release: release, exc: exc}
		findings := append(found(blocks, ReasonCaseUnexpected, "the suite was not planned for this cell"), c.unexpected()...)
		all = append(all, about("", s.Name, findings)...)
	}
	return all
}

func cellLeftovers(got CellEvidence) []finding {
	var all []finding
	for _, text := range got.Unreleased() {
		all = append(all, leftover(text)...)
	}
	return all
}

// cellForced tells readers that the cell was not expected to work. What it shows
// counts like any other evidence.
func cellForced(cell PlanCell) []finding {
	if cell.Forced == "" {
		return nil
	}
	return found(informs, NoteForced, "this cell cannot be, and was run because that was asked for: %s", brief(cell.Forced))
}

// cellSubstitutes tells readers that tests ran other images than the published
// ones. They were made to behave alike, and nothing shows that they do in all.
func cellSubstitutes(cell PlanCell) []finding {
	for _, part := range cell.Components {
		if part.Name == TestImages {
			return found(informs, NoteSubstitutes, "the tests ran with images that were made in place of the published ones: %s %s, %s", part.Name, part.Version, part.Digest)
		}
	}
	return nil
}

func cellNotes(got CellEvidence) []finding {
	var all []finding
	for _, text := range got.Notes {
		all = append(all, found(informs, NoteWarning, "%s", brief(text))...)
	}
	return all
}
