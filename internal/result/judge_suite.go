package result

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strconv"
)

// suiteCourt judges one suite of one cell.
type suiteCourt struct {
	cell    CellEvidence
	suite   PlanSuite
	got     SuiteEvidence
	release string
	exc     *excuses
}

// judge counts the expected cases and says what is wrong.
func (c *suiteCourt) judge() (SuiteCount, []finding) {
	c.got, _ = c.cell.Suite(c.suite.Name)
	expected, repeated := distinct(c.wanted())
	count := SuiteCount{Name: c.suite.Name, Expected: len(expected)}
	all := slices.Concat(nothingExpected(expected), casesRepeated(repeated), c.missing(), c.narrowed(), c.incomplete())
	if len(c.got.Cases) == 0 && !c.started() {
		count.NotRun = len(expected) // said once, by missing
		return count, all
	}
	var unsteady []ruled
	cut := c.cut(expected)
	for _, name := range expected {
		r := ruled{name: name, ruling: c.rule(name)}
		tally(&count, r.ruling)
		all = append(all, contradictions(r)...)
		if r.unsteady() {
			unsteady = append(unsteady, r)
			continue
		}
		if r.outcome == NotRun && cut[name] {
			continue // said once, by narrowed
		}
		all = append(all, c.outcome(r)...)
	}
	all = append(all, c.flaky(unsteady)...)
	all = append(all, c.unexpected()...)
	return count, all
}

// wanted are the cases that the suite is judged by.
func (c *suiteCourt) wanted() []string {
	var seen []string
	for _, got := range c.got.Cases {
		seen = append(seen, got.Name)
	}
	return c.suite.Wanted(seen)
}

func distinct(names []string) (unique, repeated []string) {
	seen := map[string]bool{}
	for _, name := range names {
		if seen[name] {
			repeated = append(repeated, name)
			continue
		}
		seen[name] = true
		unique = append(unique, name)
	}
	return unique, repeated
}

func nothingExpected(expected []string) []finding {
	if len(expected) > 0 {
		return nil
	}
	return found(blocks, ReasonNothingExpected, "no case was expected of this suite, so it can show nothing")
}

func casesRepeated(repeated []string) []finding {
	var all []finding
	for _, name := range repeated {
		all = append(all, found(blocks, ReasonPlanInvalid, "the plan expects case %q twice", name)...)
	}
	return all
}

// started reports that the suite was run on the resources that count.
func (c *suiteCourt) started() bool { return c.session() != nil }

// session is the last one on the cell's last lease.
func (c *suiteCourt) session() *Session {
	if n := len(c.got.Sessions); n > 0 && c.got.Sessions[n-1].Lease == c.cell.LastLease() {
		return &c.got.Sessions[n-1]
	}
	return nil
}

func (c *suiteCourt) missing() []finding {
	if c.started() {
		return nil
	}
	return found(blocks, ReasonSuiteMissing, "the suite was never started")
}

// narrowed finds a suite that the user has cut down: it is not complete, also
// where it happens to have shown everything.
func (c *suiteCourt) narrowed() []finding {
	if !c.suite.Narrowed() {
		return nil
	}
	expected, _ := distinct(c.suite.Expected)
	return found(blocks, ReasonSuiteIncomplete, "the suite was cut down by focus %q and skip %q: %d of %d cases were left out",
		brief(c.suite.Focus), brief(c.suite.Skip), len(c.cut(expected)), len(expected))
}

// cut are the cases that the user has left out. A focus that cannot be read
// leaves out nothing, so that each absent case is told.
func (c *suiteCourt) cut(expected []string) map[string]bool {
	selected, err := c.suite.Selected(expected)
	if err != nil {
		return nil
	}
	cut := map[string]bool{}
	for _, name := range expected {
		cut[name] = !slices.Contains(selected, name)
	}
	maps.DeleteFunc(cut, func(_ string, is bool) bool { return !is })
	return cut
}

func (c *suiteCourt) incomplete() []finding {
	var all []finding
	if c.got.Stray > 0 {
		all = found(blocks, ReasonSuiteIncomplete, "%d results stand outside the start and end of the suite", c.got.Stray)
	}
	s := c.session()
	switch {
	case s == nil:
	case !s.Ended:
		all = append(all, found(blocks, ReasonSuiteIncomplete, "the suite never ended")...)
	case s.Text != "":
		all = append(all, found(blocks, ReasonSuiteIncomplete, "the suite did not run to its end: %s", brief(s.Text))...)
	}
	return append(all, c.startedAgain()...)
}

// startedAgain finds sessions that did not run to their end and were followed
// by another in the same process: a suite that is started until it comes
// through. A later process may do so, since the former may have been killed.
func (c *suiteCourt) startedAgain() []finding {
	var all []finding
	for i := 1; i < len(c.got.Sessions); i++ {
		s, next := c.got.Sessions[i-1], c.got.Sessions[i]
		if s.Lease != c.cell.LastLease() || next.Process != s.Process || s.Ended && s.Text == "" {
			continue
		}
		all = append(all, found(blocks, ReasonSuiteIncomplete, "%s", withDetail("the suite was started again before it had run to its end", brief(s.Text)))...)
	}
	return all
}

// ruled is a case with what its attempts amount to.
type ruled struct {
	name string
	ruling
}

func (c *suiteCourt) rule(name string) ruling {
	got, _ := c.got.Case(name)
	return rule(got.Attempts, c.cell.LastLease())
}

func tally(count *SuiteCount, r ruling) {
	switch r.outcome {
	case Pass:
		count.Passed++
	case Fail:
		count.Failed++
	case Skip:
		count.Skipped++
	case NotRun:
		count.NotRun++
	default:
		count.Errored++
	}
	if r.unsteady() {
		count.Flaky++
	}
}

// contradictions are doubts about the record itself, which nothing excuses.
func contradictions(r ruled) []finding {
	var all []finding
	if r.repeated {
		text := "attempt recorded twice"
		if r.contradictory {
			text = "attempt recorded twice with different outcomes"
		}
		all = append(all, found(blocks, ReasonCaseDuplicate, "%s: %s", strconv.Quote(r.name), text)...)
	}
	if r.excused != "" {
		all = append(all, found(blocks, ReasonCaseErrored, "%s passed and says why it did not: %s", strconv.Quote(r.name), brief(r.excused))...)
	}
	if r.lost {
		all = append(all, found(blocks, ReasonCaseAttemptLost, "%s: the numbers of its attempts have a gap", strconv.Quote(r.name))...)
	}
	return all
}

// outcome turns the result of an expected, steady case into a finding.
func (c *suiteCourt) outcome(r ruled) []finding {
	switch r.outcome {
	case Pass:
		c.exc.steady(c.suite.Name, r.name)
		return nil
	case Fail:
		return c.failed(r)
	case Skip:
		return found(blocks, ReasonCaseSkipped, "%s", withDetail(strconv.Quote(r.name)+" was skipped", brief(r.message)))
	case NotRun:
		return found(blocks, ReasonCaseNotRun, "%s did not run", strconv.Quote(r.name))
	}
	if r.contradictory {
		return nil // said already, and a contradiction is not to be waived
	}
	return c.excusable(r, blocks, ReasonCaseErrored, withDetail(strconv.Quote(r.name)+" could not tell", brief(r.message)))
}

func (c *suiteCourt) failed(r ruled) []finding {
	return c.excusable(r, c.blame(r.failedOn), ReasonCaseFailed, withDetail(strconv.Quote(r.name)+" failed", brief(r.message)))
}

// blame is the weight of a failure on a lease: without proof that the release
// ran there, or where something else may have made it, it is nobody's.
func (c *suiteCourt) blame(lease int) weight {
	if heldBefore(c.cell, c.release, lease) && !c.disturbed(lease) {
		return blames
	}
	return blocks
}

// disturbed tells whether the suite ran into a fault on a lease that is not the
// release's.
func (c *suiteCourt) disturbed(lease int) bool {
	return slices.ContainsFunc(c.cell.Faults, func(f Fault) bool {
		return f.Lease == lease && f.Suite == c.suite.Name
	})
}

// excusable is a finding that a waiver or an informing suite may take the
// weight from.
func (c *suiteCourt) excusable(r ruled, w weight, code, text string) []finding {
	if why := c.exc.excuse(c.suite.Name, r.name); why != "" {
		return found(informs, code, "%s (does not decide: %s)", text, why)
	}
	return found(w, code, "%s", text)
}

// flaky judges the cases that passed only after an attempt that did not. Up to
// the policy's limit they are noted. Above it they keep the cell from green,
// and blame the release if the failed attempts alone are too many.
func (c *suiteCourt) flaky(unsteady []ruled) []finding {
	limit := c.exc.policy.flakes(c.suite.Name)
	var all []finding
	var counted []ruled
	failures := 0
	for _, r := range unsteady {
		if why := c.exc.excuse(c.suite.Name, r.name); why != "" {
			all = append(all, found(informs, ReasonCaseFlaky, "%s (does not decide: %s)", flakyText(r), why)...)
			continue
		}
		counted = append(counted, r)
		if r.failed {
			failures++
		}
	}
	for _, r := range counted {
		w := informs
		switch {
		case len(counted) <= limit:
		case failures > limit && r.failed:
			w = c.blame(r.failedOn)
		default:
			w = blocks
		}
		all = append(all, found(w, ReasonCaseFlaky, "%s (%d flaky cases in this suite, %d tolerated)", flakyText(r), len(counted), limit)...)
	}
	return all
}

func flakyText(r ruled) string {
	return withDetail(fmt.Sprintf("%s passed only after an attempt that ended as %s", strconv.Quote(r.name), r.before), brief(r.message))
}

// unexpected judges cases that the plan did not expect. They cannot help, but
// a failure is a failure wherever it is seen.
func (c *suiteCourt) unexpected() []finding {
	var all []finding
	expected := map[string]bool{}
	for _, name := range c.wanted() {
		expected[name] = true
	}
	for _, got := range c.got.Cases {
		if expected[got.Name] {
			continue
		}
		r := ruled{name: got.Name, ruling: rule(got.Attempts, c.cell.LastLease())}
		all = append(all, found(blocks, ReasonCaseUnexpected, "%s was not planned and ended as %s", strconv.Quote(r.name), r.outcome)...)
		if r.outcome == Fail {
			all = append(all, c.failed(r)...)
		}
	}
	return all
}

// ruling is what all attempts at one case amount to.
type ruling struct {
	outcome       Outcome // of the last attempt; Fail if a failure stands
	before        Outcome // of the last attempt that did not pass, if any
	failed        bool    // an attempt failed
	failedOn      int     // the lease of the last failed attempt
	repeated      bool    // an attempt was recorded more than once
	contradictory bool    // and with different outcomes
	lost          bool    // an attempt is missing between others
	message       string  // of the last attempt that did not pass
	excused       string  // of an attempt that passed, though only one that did not has a message
}

// unsteady reports a case that passed, but not at once.
func (r ruling) unsteady() bool { return r.outcome == Pass && r.before != Pass }

// rule reads the attempts at a case, in order. Only the last lease can show
// that the case ran; any lease can show that it failed.
func rule(attempts []Attempt, lastLease int) ruling {
	r := ruling{before: Pass}
	standing := false
	for _, a := range attempts {
		switch outcome := a.Case.Outcome; outcome {
		case Pass:
			standing = false
			r.excused = cmp.Or(r.excused, a.Case.Message)
		case Fail:
			standing, r.failed, r.failedOn = true, true, a.Lease
			fallthrough
		default:
			r.before, r.message = outcome, a.Case.Message
		}
	}
	r.repeated, r.contradictory = repeats(attempts)
	r.lost = gaps(attempts)
	last := len(attempts) - 1
	switch { // else the outcome stays NotRun
	case r.contradictory:
		r.outcome = Error
	case standing:
		r.outcome = Fail
	case last >= 0 && attempts[last].Lease == lastLease:
		r.outcome = attempts[last].Case.Outcome
	}
	return r
}

// repeats finds attempts that were recorded more than once.
func repeats(attempts []Attempt) (repeated, contradictory bool) {
	for i := 1; i < len(attempts); i++ {
		a, b := attempts[i-1], attempts[i]
		if a.Lease == b.Lease && a.Session == b.Session && a.Case.Attempt == b.Case.Attempt {
			repeated = true
			contradictory = contradictory || a.Case.Outcome != b.Case.Outcome
		}
	}
	return repeated, contradictory
}

// gaps finds numbers that are missing. Within a session they are dense; each
// session begins at 1 again or goes on where the one before ended.
func gaps(attempts []Attempt) bool {
	highest := 0
	for i, a := range attempts {
		n := a.Case.Attempt
		if i > 0 && a.Lease == attempts[i-1].Lease && a.Session == attempts[i-1].Session {
			if n > attempts[i-1].Case.Attempt+1 {
				return true
			}
		} else if n != 1 && n != highest+1 {
			return true
		}
		highest = max(highest, n)
	}
	return false
}
