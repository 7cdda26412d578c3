package run

import (
	"slices"

	"github.com/qualify-dev/qualify/internal/provision"
	"github.com/qualify-dev/qualify/internal/result"
)

// standing is how earlier processes of a run left a cell. It follows from the
// journal alone.
type standing struct {
	leases int // opened so far; the next one is named after the next number
	// remove are the leases whose resources are not proven gone and of no use.
	remove []provision.Lease
	// adopt is the lease of a cluster that was proven to be the release, and on
	// which suites remain to be run.
	adopt *provision.Lease
	done  bool // nothing more can be learned of the cell
	// suites are those that were begun on the lease to be adopted, by name.
	suites map[string]begun
}

// begun is how far a suite came on a lease.
type begun struct {
	ended bool // it came to its own end
	shown []string
	// broken are the cases whose last attempt did not pass, with its number: in
	// a suite that was cut short they may not have been tried again yet.
	broken map[string]int
}

// stand reads a cell's standing from its evidence.
func stand(cell PlanCell, got result.CellEvidence) standing {
	s := standing{leases: len(got.Leases), done: finished(cell, got)}
	for i, l := range got.Leases {
		if l.State == result.LeaseClosed || l.State == result.LeaseKept && s.done {
			continue
		}
		lease := provision.Lease(l.Claim)
		if i == len(got.Leases)-1 && !s.done && proven(cell, got) {
			s.adopt = &lease
			continue
		}
		s.remove = append(s.remove, lease)
	}
	if s.adopt != nil {
		s.suites = suitesOn(got)
	}
	return s
}

// abandon gives the cell up: what earlier processes left of it is removed, and
// nothing is run.
func (s *standing) abandon() {
	if s.adopt != nil {
		s.remove, s.adopt = append(s.remove, *s.adopt), nil
	}
	s.done = true
}

// finished tells whether the cell's last lease says all that it can: the
// release was to blame, it was not the release that ran, or every suite came
// to an end and what ran was compared once more after it. A fault of the
// infrastructure says nothing.
func finished(cell PlanCell, got result.CellEvidence) bool {
	last := got.LastLease()
	if last == 0 {
		return false
	}
	for _, f := range got.Faults {
		if f.Lease == last {
			return f.Product
		}
	}
	end := 0
	for _, planned := range cell.Suites {
		suite, _ := got.Suite(planned.Name)
		n := len(suite.Sessions)
		if n == 0 || suite.Sessions[n-1].Lease != last || !suite.Sessions[n-1].Ended {
			return differed(got)
		}
		end = max(end, suite.Sessions[n-1].Last)
	}
	return differed(got) || slices.ContainsFunc(got.Identity, func(c result.Comparison) bool {
		return c.Lease == last && c.Stage == result.StageAfter && c.At > end
	})
}

// differed tells whether something else than the release ran on the last lease.
func differed(got result.CellEvidence) bool {
	return slices.ContainsFunc(got.Identity, func(c result.Comparison) bool {
		return c.Lease == got.LastLease() && len(c.Mismatched) > 0
	})
}

// proven tells whether the cluster of the last lease came up and was the
// release. One that was not looked at is half-made: nobody knows what it lacks.
func proven(cell PlanCell, got result.CellEvidence) bool {
	last := got.LastLease()
	if slices.ContainsFunc(got.Faults, func(f result.Fault) bool { return f.Lease == last }) {
		return false
	}
	return slices.ContainsFunc(got.Identity, func(c result.Comparison) bool {
		return c.Lease == last && c.Stage == result.StageBefore && c.Release == cell.Release.Digest &&
			len(c.Checked) > 0 && len(c.Mismatched) == 0
	})
}

// suitesOn are the suites that were begun on the last lease.
func suitesOn(got result.CellEvidence) map[string]begun {
	last := got.LastLease()
	found := map[string]begun{}
	for _, suite := range got.Suites {
		n := len(suite.Sessions)
		if n == 0 || suite.Sessions[n-1].Lease != last {
			continue
		}
		b := begun{ended: suite.Sessions[n-1].Ended, broken: map[string]int{}}
		for _, c := range suite.Cases {
			if slices.ContainsFunc(c.Attempts, func(a result.Attempt) bool { return a.Lease == last }) {
				b.shown = append(b.shown, c.Name)
			}
			if a := c.Attempts[len(c.Attempts)-1]; a.Lease == last && (a.Case.Outcome == result.Fail || a.Case.Outcome == result.Error) {
				b.broken[c.Name] = a.Case.Attempt
			}
		}
		found[suite.Name] = b
	}
	return found
}

// left is the suite with what it still has to show: nothing that the user has
// cut away. A plan's focus was read when it was made; one that cannot be read
// any more cuts away nothing, and the judge finds the suite incomplete all the same.
func (b begun) left(s result.PlanSuite) result.PlanSuite {
	if selected, err := s.Selected(s.Expected); err == nil {
		s.Expected = selected
	}
	s.Expected = b.rest(s.Expected)
	return s
}

// rest is what a suite still has to show. Where every case was shown but the
// suite's own end was not, the last one is run again, since how the suite ends
// is evidence too. It is one that did not fail: what failed is tried again as
// often as the plan says, and not once more because somebody was killed.
func (b begun) rest(expected []string) []string {
	rest := slices.DeleteFunc(slices.Clone(expected), func(name string) bool { return slices.Contains(b.shown, name) })
	if len(rest) == 0 && !b.ended && len(expected) > 0 {
		for i := len(expected) - 1; i >= 0; i-- {
			if _, broken := b.broken[expected[i]]; !broken {
				return expected[i : i+1]
			}
		}
		return expected[len(expected)-1:]
	}
	return rest
}
