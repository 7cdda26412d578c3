package report

import (
	"cmp"
	"slices"

	"github.com/qualify-dev/qualify/internal/result"
)

// settle decides a case by its attempts, by the judge's rules: the last
// attempt counts, but a failure stands until a later attempt passes; only the
// last lease can show that a case ran, any lease that it failed; an attempt
// recorded with two outcomes is an error. One that passed after another
// outcome is flaky. Where these rules and the judge's part, alerts says so.
func settle(attempts []Attempt, lastLease int) Case {
	slices.SortStableFunc(attempts, func(a, b Attempt) int {
		return cmp.Or(cmp.Compare(a.Lease, b.Lease), cmp.Compare(a.Session, b.Session), cmp.Compare(a.Number, b.Number))
	})
	c := Case{Attempts: attempts}
	standing, unsteady, contradictory := false, false, false
	for i, a := range attempts {
		switch a.Outcome {
		case result.Pass:
			standing = false
		case result.Fail:
			standing, unsteady = true, true
		default:
			unsteady = true
		}
		if i > 0 && a.sameAs(attempts[i-1]) {
			c.Duplicate = true
			contradictory = contradictory || a.Outcome != attempts[i-1].Outcome
		}
	}
	last := len(attempts) - 1
	switch {
	case contradictory:
		c.Outcome = result.Error
	case standing:
		c.Outcome = result.Fail
	case last >= 0 && attempts[last].Lease == lastLease:
		c.Outcome = attempts[last].Outcome
	}
	c.Flaky = c.Outcome == result.Pass && unsteady
	return c
}

func (a Attempt) sameAs(b Attempt) bool {
	return a.Lease == b.Lease && a.Session == b.Session && a.Number == b.Number
}

// badness orders outcomes by how much they must not be overlooked.
func badness(o result.Outcome) int {
	switch o {
	case result.Fail:
		return 4
	case result.Error:
		return 3
	case result.Skip:
		return 1
	case result.Pass:
		return 0
	default:
		return 2
	}
}
