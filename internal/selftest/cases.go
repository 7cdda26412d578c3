package selftest

import (
	"strings"

	"github.com/qualify-dev/qualify/internal/result"
)

// cases are results that are missing or bad.
func cases() []Mutation {
	notRun, skipped, errored := []string{result.ReasonCaseNotRun}, []string{result.ReasonCaseSkipped}, []string{result.ReasonCaseErrored}
	failed := []string{result.ReasonCaseFailed}
	to := func(o result.Outcome) change {
		return events(func(d *draft) bool { return d.edit(d.target().victim(), outcome(o)) })
	}
	return []Mutation{
		{ID: "case-deleted", Wants: notRun, Imitates: "one result was lost on the way", change: events(func(d *draft) bool { return d.drop(d.target().victim()) })},
		{ID: "cases-first-lost", Wants: notRun, Imitates: "results were lost before anybody listened", change: events(func(d *draft) bool { t := d.target(); return d.drop(t.named(t.firstName())) })},
		{ID: "cases-all-but-one-lost", Wants: notRun, Imitates: "the suite ended after its first test, and well", change: events(func(d *draft) bool { t := d.target(); return d.drop(and(t.cases(), not(t.named(t.firstName())))) })},
		{ID: "cases-of-a-suite-lost", Wants: notRun, Imitates: "a focus that selects nothing: the suite started, ran no test and ended well", change: events(func(d *draft) bool { return d.drop(d.target().cases()) })},
		{ID: "cases-serial-dropped", Wants: notRun, Imitates: "a parallel run left out the tests that must run alone, and no second run made up for it", change: events(func(d *draft) bool { return d.drop(d.target().alone()) })},
		{ID: "case-failed", Wants: failed, Imitates: "one test failed", change: to(result.Fail)},
		{ID: "case-errored", Wants: errored, Imitates: "one test could not tell", change: to(result.Error)},
		{ID: "case-skipped", Wants: skipped, Imitates: "one test skipped itself", change: to(result.Skip)},
		{ID: "case-not-run", Wants: notRun, Imitates: "one test was listed and not run", change: to(result.NotRun)},
		{ID: "cases-all-errored", Wants: errored, Imitates: "no test of the run could reach the cluster", change: events(func(d *draft) bool { return d.edit(kind(result.CaseEnded), outcome(result.Error)) })},
		{ID: "cases-all-skipped-but-one", Wants: skipped, Imitates: "one test passed and the others skipped themselves", change: events(func(d *draft) bool {
			return d.edit(and(kind(result.CaseEnded), not(d.target().victim())), outcome(result.Skip))
		})},
		{ID: "cases-unfinished", Wants: notRun, Imitates: "the second half was listed and not run", change: events(func(d *draft) bool { return d.edit(d.target().share(1, 2), outcome(result.NotRun)) })},
	}
}

// tries are results of more than one try, which do not make a good one.
func tries() []Mutation {
	errored, failed, skipped := []string{result.ReasonCaseErrored}, []string{result.ReasonCaseFailed}, []string{result.ReasonCaseSkipped}
	flaky, lost, duplicate := []string{result.ReasonCaseFlaky}, []string{result.ReasonCaseAttemptLost}, []string{result.ReasonCaseDuplicate}
	tried := func(outcomes ...result.Outcome) change {
		return events(func(d *draft) bool { return d.attempts(outcomes...) })
	}
	return []Mutation{
		{ID: "attempts-fail-pass", Wants: flaky, Imitates: "a failed test passed at the second try, and the pass was kept", change: tried(result.Fail, result.Pass)},
		{ID: "attempts-error-pass", Wants: flaky, Imitates: "a test that could not tell passed at the second try", change: tried(result.Error, result.Pass)},
		{ID: "attempts-skip-pass", Wants: flaky, Imitates: "a test skipped itself and passed at the second try", change: tried(result.Skip, result.Pass)},
		{ID: "attempts-pass-fail", Wants: failed, Imitates: "a test passed and then failed, and the best result was kept", change: tried(result.Pass, result.Fail)},
		{ID: "attempts-pass-skip", Wants: skipped, Imitates: "a test passed and then skipped itself", change: tried(result.Pass, result.Skip)},
		{ID: "attempts-last-alone", Wants: lost, Imitates: "only the last try was kept", change: events(func(d *draft) bool {
			return d.edit(d.target().victim(), func(e *result.Event) { e.Case.Attempt++ })
		})},
		{ID: "attempts-with-a-gap", Wants: lost, Imitates: "the try in the middle was lost", change: events(func(d *draft) bool {
			t := d.target()
			return d.attempts(result.Pass, result.Pass, result.Pass) && d.drop(and(t.victim(), attemptIs(2)))
		})},
		{ID: "attempts-from-0", Wants: lost, Imitates: "tries were counted from 0, so that one more may have been lost", change: events(func(d *draft) bool {
			return d.edit(d.target().victim(), func(e *result.Event) { e.Case.Attempt = 0 })
		})},
		{ID: "attempt-twice", Wants: duplicate, Imitates: "two processes ran the same test and both reported it", change: events(func(d *draft) bool {
			t := d.target()
			return d.after(t.victim(), t.attempt(t.name(), 1, result.Pass))
		})},
		{ID: "attempt-contradicts", Wants: duplicate, Imitates: "two reports of the same try do not agree", change: events(func(d *draft) bool {
			t := d.target()
			return d.before(t.victim(), t.attempt(t.name(), 1, result.Fail))
		})},
		{ID: "case-passes-with-a-failure", Wants: errored, Imitates: "outcomes were replaced and the messages of the failures stayed", change: events(func(d *draft) bool {
			return d.edit(d.target().victim(), func(e *result.Event) { e.Case.Message = "timed out waiting for the condition" })
		})},
	}
}

// strangers are results that are not of the case that they are counted for.
func strangers() []Mutation {
	notRun, failed := []string{result.ReasonCaseNotRun}, []string{result.ReasonCaseFailed}
	return []Mutation{
		{ID: "case-renamed", Wants: notRun, Imitates: "a test was renamed in the suite and not in the list", change: events(func(d *draft) bool {
			return d.edit(d.target().victim(), func(e *result.Event) { e.Case.Name += " (again)" })
		})},
		{ID: "case-name-cut", Wants: notRun, Imitates: "long names were cut, so that two tests may share one", change: events(func(d *draft) bool {
			return d.edit(d.target().victim(), func(e *result.Event) { e.Case.Name = e.Case.Name[:len(e.Case.Name)/2] })
		})},
		{ID: "case-name-in-capitals", Wants: notRun, Imitates: "names passed through a tool that changes them", change: events(func(d *draft) bool {
			return d.edit(d.target().cases(), func(e *result.Event) { e.Case.Name = strings.ToUpper(e.Case.Name) })
		})},
		{ID: "case-without-a-name", Wants: []string{result.ReasonJournalDamaged}, Imitates: "a result came without the name of its test", change: events(func(d *draft) bool {
			return d.edit(d.target().victim(), func(e *result.Event) { e.Case.Name = "" })
		})},
		{ID: "case-without-a-result", Wants: []string{result.ReasonJournalDamaged}, Imitates: "a test was reported without its result", change: events(func(d *draft) bool {
			return d.edit(d.target().victim(), func(e *result.Event) { e.Case = nil })
		})},
		{ID: "case-in-another-suite", Wants: notRun, Imitates: "a result was filed under another suite", change: events(func(d *draft) bool {
			other := d.otherSuite()
			return d.edit(d.target().victim(), func(e *result.Event) { e.Suite = other })
		})},
		{ID: "case-in-another-cell", Wants: notRun, Imitates: "a result came from the cluster of another cell", change: events(func(d *draft) bool {
			return d.edit(d.target().victim(), func(e *result.Event) { e.Cell += "-other" })
		})},
		{ID: "case-unplanned", Wants: []string{result.ReasonCaseUnexpected}, Imitates: "a test ran that nobody had planned", change: events(func(d *draft) bool {
			t := d.target()
			return d.after(t.victim(), t.attempt("a test that nobody planned", 1, result.Pass))
		})},
		{ID: "case-unplanned-fails", Wants: failed, Imitates: "a test that nobody had planned failed", change: events(func(d *draft) bool {
			t := d.target()
			return d.after(t.victim(), t.attempt("a test that nobody planned", 1, result.Fail))
		})},
		{ID: "cases-one-for-all", Wants: notRun, Imitates: "the number of passes is right, and all are of the same test", change: events(oneForAll)},
	}
}

func attemptIs(n int) where { return func(e result.Event) bool { return e.Case.Attempt == n } }

// oneForAll makes every result of the target one of its first case.
func oneForAll(d *draft) bool {
	t, n := d.target(), 0
	return len(t.expected) > 1 && d.edit(t.cases(), func(e *result.Event) {
		n++
		e.Case.Name, e.Case.Attempt = t.firstName(), n
	})
}
