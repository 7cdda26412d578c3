package selftest

import (
	"slices"
	"strings"

	"github.com/qualify-dev/qualify/internal/result"
)

// target is the suite that mutations are aimed at: the one of the plan that
// expects the most cases.
type target struct {
	cell, suite string
	expected    []string
}

func (d *draft) target() target {
	var t target
	for _, c := range d.plan.Cells {
		for _, s := range c.Suites {
			if len(s.Expected) > len(t.expected) {
				t = target{cell: c.ID, suite: s.Name, expected: s.Expected}
			}
		}
	}
	return t
}

// otherSuite is the name of another suite of the cell, or of none.
func (d *draft) otherSuite() string {
	t := d.target()
	for _, c := range d.plan.Cells {
		for _, s := range c.Suites {
			if c.ID == t.cell && s.Name != t.suite {
				return s.Name
			}
		}
	}
	return "another suite"
}

// inCell fits all events of the target's cell.
func (t target) inCell() where { return func(e result.Event) bool { return e.Cell == t.cell } }

// in fits all events of the target.
func (t target) in() where {
	return and(t.inCell(), func(e result.Event) bool { return e.Suite == t.suite })
}

// cases fits the results of the target.
func (t target) cases() where { return and(t.in(), kind(result.CaseEnded)) }

// victim is the case in the middle of the target; it fits all its attempts.
func (t target) victim() where { return t.named(t.name()) }

func (t target) name() string {
	if len(t.expected) == 0 {
		return ""
	}
	return t.expected[len(t.expected)/2]
}

func (t target) firstName() string {
	if len(t.expected) == 0 {
		return ""
	}
	return t.expected[0]
}

func (t target) named(names ...string) where {
	return and(t.cases(), func(e result.Event) bool { return slices.Contains(names, e.Case.Name) })
}

// share is the last n of every m expected cases, one at least.
func (t target) share(n, m int) where {
	count := min(max(1, len(t.expected)*n/m), len(t.expected))
	return t.named(t.expected[len(t.expected)-count:]...)
}

// alone are the cases that cannot run beside others: those that say so, and
// where none does, the ones that come last in the list.
func (t target) alone() where {
	var names []string
	for _, name := range t.expected {
		if strings.Contains(name, "[Serial]") || strings.Contains(name, "[Disruptive]") {
			names = append(names, name)
		}
	}
	if len(names) == 0 {
		return t.share(1, 9)
	}
	return t.named(names...)
}

// at makes an event one of the target's.
func (t target) at(e result.Event) result.Event {
	e.Cell, e.Suite = t.cell, t.suite
	return e
}

// attempt is a result of a case of the target.
func (t target) attempt(name string, n int, o result.Outcome) result.Event {
	c := &result.Case{Name: name, Outcome: o, Attempt: n, Seconds: 1}
	if o != result.Pass {
		c.Message = "timed out waiting for the condition"
	}
	return t.at(result.Event{Kind: result.CaseEnded, Case: c})
}

// attempts replaces all results of the victim by one for each outcome.
func (d *draft) attempts(outcomes ...result.Outcome) bool {
	t := d.target()
	i := d.first(t.victim())
	if i < 0 {
		return false
	}
	d.drop(t.victim())
	var again []result.Event
	for n, o := range outcomes {
		again = append(again, t.attempt(t.name(), n+1, o))
	}
	return d.insert(i, again...)
}

// outcome gives results another outcome, and the words that go with it.
func outcome(o result.Outcome) func(*result.Event) {
	return func(e *result.Event) {
		e.Case.Outcome, e.Case.Message = o, ""
		if o != result.Pass {
			e.Case.Message = "timed out waiting for the condition"
		}
	}
}

// say gives events another text.
func say(text string) func(*result.Event) { return func(e *result.Event) { e.Text = text } }
