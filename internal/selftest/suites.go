package selftest

import (
	"strings"

	"github.com/qualify-dev/qualify/internal/result"
	"github.com/qualify-dev/qualify/internal/run"
)

// suites are suites that did not run as a whole, or not when they should.
func suites() []Mutation {
	incomplete, missing := []string{result.ReasonSuiteIncomplete}, []string{result.ReasonSuiteMissing}
	return []Mutation{
		{ID: "suite-missing", Wants: missing, Imitates: "a suite was forgotten", change: events(func(d *draft) bool { return d.drop(d.target().in()) })},
		{ID: "suites-all-missing", Wants: missing, Imitates: "the cluster came up, and that was all", change: events(func(d *draft) bool { return d.drop(kind(result.SuiteStarted, result.CaseEnded, result.SuiteEnded)) })},
		{ID: "suite-never-started", Wants: incomplete, Imitates: "results arrived of a suite that was never started", change: events(func(d *draft) bool { return d.drop(d.ends(result.SuiteStarted)) })},
		{ID: "suite-never-ended", Wants: incomplete, Imitates: "all results arrived, and the process that gave them never ended", change: events(func(d *draft) bool { return d.drop(d.ends(result.SuiteEnded)) })},
		{ID: "suites-never-ended", Wants: incomplete, Imitates: "no suite of the run ended", change: events(func(d *draft) bool { return d.drop(kind(result.SuiteEnded)) })},
		{ID: "suite-killed", Wants: incomplete, Imitates: "the process of a suite was killed after its last result", change: events(func(d *draft) bool {
			return d.edit(d.ends(result.SuiteEnded), say("the suite's process was killed: signal 9"))
		})},
		{ID: "suite-killed-halfway", Wants: incomplete, Imitates: "the process of a suite was killed halfway", change: events(func(d *draft) bool {
			return d.drop(d.target().share(1, 2)) && d.edit(d.ends(result.SuiteEnded), say("the suite's process was killed: signal 9"))
		})},
		{ID: "suite-out-of-time", Wants: incomplete, Imitates: "a suite took longer than its budget", change: events(func(d *draft) bool {
			return d.drop(d.target().share(1, 10)) && d.edit(d.ends(result.SuiteEnded), say("conformance took longer than its budget of 45m0s"))
		})},
		{ID: "suite-clean-up-failed", Wants: incomplete, Imitates: "every test passed and the set-up or clean-up around them failed", change: events(func(d *draft) bool {
			return d.edit(d.ends(result.SuiteEnded), say("SynchronizedAfterSuite failed: namespaces were not removed"))
		})},
		{ID: "suite-died-and-ran-again", Wants: incomplete, Imitates: "the process of a suite died and was started until it came through", change: events(func(d *draft) bool {
			t := d.target()
			return d.before(t.cases(), t.at(result.Event{Kind: result.SuiteEnded, Text: "the suite's process died: exit status 2"}), t.at(result.Event{Kind: result.SuiteStarted}))
		})},
		{ID: "suite-hung-and-ran-again", Wants: incomplete, Imitates: "a suite hung, and another process of it was started beside", change: events(func(d *draft) bool {
			t := d.target()
			return d.before(t.cases(), t.at(result.Event{Kind: result.SuiteStarted}))
		})},
		{ID: "suite-ended-twice", Wants: incomplete, Imitates: "two processes said that they ended one suite", change: events(func(d *draft) bool {
			return d.after(d.ends(result.SuiteEnded), d.target().at(result.Event{Kind: result.SuiteEnded}))
		})},
		{ID: "suite-ended-too-soon", Wants: incomplete, Imitates: "a suite was said to have ended while its tests still ran", change: events(func(d *draft) bool {
			return d.move(d.ends(result.SuiteEnded), func() int { return d.first(d.target().victim()) })
		})},
		{ID: "suite-started-too-late", Wants: incomplete, Imitates: "results are older than the suite that they are said to be of", change: events(func(d *draft) bool {
			return d.move(d.ends(result.SuiteStarted), func() int { return d.first(d.target().victim()) })
		})},
		{ID: "suite-renamed", Wants: missing, Imitates: "another suite ran in place of the planned one", change: events(func(d *draft) bool {
			return d.edit(d.target().in(), func(e *result.Event) { e.Suite += "-lite" })
		})},
		{ID: "suite-cut-down", Wants: incomplete, Imitates: "a focus was given, and what it left passed", change: plans(bound, onCells(func(c *run.PlanCell) {
			for i := range c.Suites {
				c.Suites[i].Focus = "." // fits all, so that nothing else shows it
			}
		}))},
		{ID: "suite-unplanned", Wants: []string{result.ReasonCaseUnexpected}, Imitates: "a suite ran that nobody had planned", change: events(func(d *draft) bool {
			at := func(k result.Kind) result.Event {
				return result.Event{Kind: k, Cell: d.target().cell, Suite: "a suite that nobody planned"}
			}
			return d.after(d.ends(result.SuiteEnded), at(result.SuiteStarted), at(result.SuiteEnded))
		})},
	}
}

// ends fits the starts or the ends of the target.
func (d *draft) ends(k result.Kind) where { return and(d.target().in(), kind(k)) }

// identities are runs of which it is not shown that they tested the release.
func identities() []Mutation {
	missing, mismatch := []string{result.ReasonIdentityMissing}, []string{result.ReasonIdentityMismatch}
	before, after := stage(result.StageBefore), stage(result.StageAfter)
	compared := kind(result.IdentityMatch)
	edit := func(w where, how func(*result.Event)) change {
		return events(func(d *draft) bool { return d.edit(w, how) })
	}
	nothing := func(e *result.Event) { e.Checked = nil }
	part := func(e *result.Event) { e.Checked = e.Checked[:min(1, len(e.Checked))] }
	differs := func(e *result.Event) { e.Mismatched = []string{"node file kubelet: has another digest"} }
	other := func(e *result.Event) { e.Release = otherDigest }
	return []Mutation{
		{ID: "identity-before-missing", Wants: missing, Imitates: "nobody looked at what ran before the tests", change: events(func(d *draft) bool { return d.drop(before) })},
		{ID: "identity-after-missing", Wants: missing, Imitates: "nobody looked at what ran after the tests", change: events(func(d *draft) bool { return d.drop(after) })},
		{ID: "identity-missing", Wants: missing, Imitates: "nobody looked at what ran", change: events(func(d *draft) bool { return d.drop(compared) })},
		{ID: "identity-before-of-nothing", Wants: missing, Imitates: "no node could be asked before the tests, so nothing differed", change: edit(before, nothing)},
		{ID: "identity-after-of-nothing", Wants: missing, Imitates: "no node could be asked after the tests, so nothing differed", change: edit(after, nothing)},
		{ID: "identity-of-blanks", Wants: missing, Imitates: "the nodes answered with empty lines, so nothing differed", change: edit(compared, func(e *result.Event) { e.Checked = []string{"", ""} })},
		{ID: "identity-before-of-one-node", Wants: missing, Imitates: "most nodes could not be asked before the tests", change: edit(before, part)},
		{ID: "identity-after-of-one-node", Wants: missing, Imitates: "most nodes could not be asked after the tests", change: edit(after, part)},
		{ID: "identity-before-differs", Wants: mismatch, Imitates: "the cluster came up with another kubelet", change: edit(before, differs)},
		{ID: "identity-after-differs", Wants: mismatch, Imitates: "an image was swapped while the tests ran", change: edit(after, differs)},
		{ID: "identity-between-differs", Wants: mismatch, Imitates: "an image differed for a time and was put right before the end", change: events(func(d *draft) bool {
			t := d.target()
			return d.before(t.victim(), result.Event{
				Kind: result.IdentityMatch, Cell: t.cell, Stage: "between",
				Checked: []string{"etcd"}, Mismatched: []string{"etcd: has another digest"},
			})
		})},
		{ID: "identity-unproven", Wants: missing, Imitates: "a node could not be reached, and the others were the release", change: edit(compared, func(e *result.Event) {
			e.Unproven = []string{"the binaries on a node"}
		})},
		{ID: "identity-image-swapped", Wants: mismatch, Imitates: "an image was swapped, the digests show it, and the list of differences stayed empty", change: edit(after, func(e *result.Event) {
			e.Checked = swapped(e.Checked)
		})},
		{ID: "identity-before-of-another-release", Wants: mismatch, Imitates: "the nodes were compared with the previous release before the tests", change: edit(before, other)},
		{ID: "identity-after-of-another-release", Wants: mismatch, Imitates: "the nodes were compared with the next release after the tests", change: edit(after, other)},
		{ID: "identity-of-no-release", Wants: missing, Imitates: "the nodes were compared, and nobody knows with what", change: edit(compared, func(e *result.Event) { e.Release = "" })},
		{ID: "identity-before-too-late", Wants: missing, Imitates: "what ran was looked at for the first time when the tests had begun", change: events(func(d *draft) bool { return d.move(before, func() int { return d.last(kind(result.SuiteEnded)) }) })},
		{ID: "identity-before-after-a-suite", Wants: missing, Imitates: "what ran was looked at for the first time between two suites", change: events(func(d *draft) bool {
			last := d.last(kind(result.SuiteStarted))
			return d.first(kind(result.SuiteStarted)) < last && d.move(before, func() int { return d.last(kind(result.SuiteStarted)) })
		})},
		{ID: "identity-after-too-soon", Wants: missing, Imitates: "what ran was looked at for the last time when tests still ran", change: events(func(d *draft) bool { return d.move(after, func() int { return d.first(d.target().victim()) }) })},
		{ID: "identity-only-before", Wants: missing, Imitates: "one look at the cluster was counted for two", change: edit(after, func(e *result.Event) { e.Stage = result.StageBefore })},
		{ID: "identity-at-another-time", Wants: missing, Imitates: "what ran was looked at, at a time that nobody knows", change: edit(compared, func(e *result.Event) { e.Stage = "some time" })},
		{ID: "identity-of-another-cell", Wants: missing, Imitates: "the nodes of another cluster were looked at", change: edit(compared, func(e *result.Event) { e.Cell += "-other" })},
	}
}

// swapped gives the first item that was compared another digest.
func swapped(checked []string) []string {
	for i, item := range checked {
		if at := strings.LastIndex(item, ": "); at >= 0 {
			checked[i] = item[:at+2] + otherDigest
			return checked
		}
	}
	return checked
}
