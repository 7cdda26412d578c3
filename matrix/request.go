package matrix

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/qualify-dev/qualify/internal/strict"
)

// Request is which cells of a matrix are wanted. Its zero value, with a day,
// is all of them.
type Request struct {
	Want    Selection
	Without Selection // what is not wanted, in the same words
	Tier    string    // only values of this tier and smaller ones; "" is all
	Only    []string  // only cells with these ids, or beginnings of ids that fit one cell
	Force   bool      // also cells that cannot be
	AsOf    string    // yyyy-mm-dd, the day on which rules and support must hold
}

// whole says that every cell is wanted.
func (r Request) whole() bool {
	return len(r.Want) == 0 && len(r.Without) == 0 && len(r.Only) == 0 && r.Tier == ""
}

// Expansion is what becomes of a request.
type Expansion struct {
	Raw      int // combinations of the selected values; cells and excluded ones together
	Cells    []Cell
	Forced   map[string]Reason // of the cells that cannot be, by their ids, why
	Excluded []Excluded        // each with what removed it
	Warnings []strict.Problem
}

// Select returns the wanted cells, the last axis varying fastest, each axis in
// file order, and those that are not run. There is at least one cell without
// an error; the error is a *UnknownValueError where the request names nothing
// that is there, and strict.Problems where exclusions have expired.
func (m *Matrix) Select(r Request) (Expansion, error) {
	if err := m.checkExpiry(r.AsOf); err != nil {
		return Expansion{}, err
	}
	chosen, err := m.choose(r)
	if err != nil {
		return Expansion{}, err
	}
	if err := m.checkCount(chosen); err != nil {
		return Expansion{}, err
	}
	e, used := m.expand(chosen, r)
	m.pickFirst(r, &e)
	kept := func(id string) bool { return slices.ContainsFunc(e.Cells, func(c Cell) bool { return c.ID == id }) }
	maps.DeleteFunc(e.Forced, func(id string, _ Reason) bool { return !kept(id) })
	if r.whole() {
		e.Warnings = m.unused(used)
	}
	if len(r.Only) > 0 {
		if err := e.keep(r.Only); err != nil {
			return Expansion{}, err
		}
	}
	if len(e.Cells) == 0 {
		return e, m.emptyError(e.Excluded)
	}
	return e, checkIDs(e.Cells)
}

// Combinations returns every combination of the requested values, those that
// are not run among them. Exclusions may have expired, and only is not looked
// at: it is for explaining.
func (m *Matrix) Combinations(r Request) ([]Cell, error) {
	if !strict.IsDay(r.AsOf) {
		return nil, fmt.Errorf("expanding %s: the day to expand for is %s, not yyyy-mm-dd", m.File, strict.Quoted(r.AsOf))
	}
	chosen, err := m.choose(r)
	if err != nil {
		return nil, err
	}
	if err := m.checkCount(chosen); err != nil {
		return nil, err
	}
	var cells []Cell
	place := make([]int, len(chosen))
	for more := true; more; more = advance(place, chosen) {
		cells = append(cells, NewCell(m.valuesAt(place, chosen)))
	}
	return cells, nil
}

// expand sorts the combinations of the chosen values into cells and excluded
// ones. used says of each exclusion whether it removed any.
func (m *Matrix) expand(chosen [][]Value, r Request) (e Expansion, used []bool) {
	rules, validity := m.rules(), m.validity(r.AsOf)
	e.Forced = map[string]Reason{}
	used = make([]bool, len(m.Exclude))
	place := make([]int, len(chosen))
	for more := true; more; more = advance(place, chosen) {
		e.Raw++
		values := m.valuesAt(place, chosen)
		why, rule := validity.first(values), -1
		if why == (Reason{}) || r.Force {
			rule = rules.removes(values)
		}
		switch {
		case why != (Reason{}) && !r.Force:
			e.Excluded = append(e.Excluded, Excluded{Values: values, Why: why})
		case rule >= 0:
			used[rule] = true
			e.Excluded = append(e.Excluded, Excluded{Values: values, Rule: m.Exclude[rule]})
		default:
			cell := NewCell(values)
			if why != (Reason{}) {
				e.Forced[cell.ID] = why
			}
			e.Cells = append(e.Cells, cell)
		}
	}
	return e, used
}

// unused warns of exclusions that removed nothing from the whole matrix:
// nobody would miss them, and whoever reads them believes that they do. Those
// that name no value have been warned of when the file was loaded.
func (m *Matrix) unused(used []bool) []strict.Problem {
	var warnings []strict.Problem
	for i, rule := range m.Exclude {
		if used[i] || slices.ContainsFunc(m.Warnings, func(p strict.Problem) bool { return p.Line == rule.Line && p.Column == rule.Column }) {
			continue
		}
		warnings = append(warnings, strict.Problem{
			File: rule.File, Line: rule.Line, Column: rule.Column,
			Text: "the exclusion removes nothing: each of its cells is removed by an earlier rule, kept by an inclusion, or cannot be", Remedy: "remove it",
		})
	}
	return warnings
}

// keep leaves the cells with the given ids, or beginnings of ids.
func (e *Expansion) keep(ids []string) error {
	wanted := map[string]bool{}
	var errs []error
	for _, id := range ids {
		cell, err := e.find(id)
		if err != nil {
			errs = append(errs, err)
		}
		wanted[cell.ID] = true
	}
	e.Cells = slices.DeleteFunc(e.Cells, func(c Cell) bool { return !wanted[c.ID] })
	return errors.Join(errs...)
}

// find finds the one cell that is run whose id begins so.
func (e *Expansion) find(id string) (Cell, error) {
	var found []Cell
	for _, cell := range e.Cells {
		if cell.ID == id {
			return cell, nil
		}
		if id != "" && strings.HasPrefix(cell.ID, id) {
			found = append(found, cell)
		}
	}
	switch len(found) {
	case 1:
		return found[0], nil
	case 0:
		for _, out := range e.Excluded {
			if id != "" && strings.HasPrefix(out.ID(), id) {
				return Cell{}, fmt.Errorf("the cell %s is not run: %s (%s)", out.ID(), out.Reason(), out.By())
			}
		}
		return Cell{}, fmt.Errorf("no selected cell is called %s; qualify plan lists them", strict.Bare(id))
	}
	return Cell{}, fmt.Errorf("%d cells begin with %s, %s and %s among them; write more of the id", len(found), strict.Bare(id), found[0].ID, found[1].ID)
}

// Label is one requirement of a selector, as in -l os=debian,k8s!=1.33.
type Label struct {
	Axis, Value string
	Not         bool
}

// ParseLabels reads a selector: axis=value or axis!=value, several with commas
// between. A part without a sign is another value of the axis before it.
func ParseLabels(text string) ([]Label, error) {
	var labels []Label
	for _, part := range strings.Split(text, ",") {
		axis, value, ok := strings.Cut(part, "=")
		axis, not := strings.CutSuffix(strings.TrimSpace(axis), "!")
		if !ok && len(labels) > 0 {
			last := labels[len(labels)-1]
			axis, value, not = last.Axis, part, last.Not
		}
		// Two signs are one, as kubectl takes it.
		label := Label{Axis: strings.TrimSpace(axis), Value: strings.TrimSpace(strings.TrimPrefix(value, "=")), Not: not}
		if label.Axis == "" || label.Value == "" {
			return nil, fmt.Errorf("the selector %s has the part %s; write axis=value or axis!=value, e.g. os=debian,k8s!=1.33", strict.Quoted(text), strict.Quoted(part))
		}
		labels = append(labels, label)
	}
	return labels, nil
}

// Add takes a label into the request.
func (r *Request) Add(l Label) {
	into := &r.Want
	if l.Not {
		into = &r.Without
	}
	if *into == nil {
		*into = Selection{}
	}
	(*into)[l.Axis] = append((*into)[l.Axis], l.Value)
}

// tierRank is the place of a tier; values without one are in all.
func tierRank(tier string) int { return slices.Index(Tiers(), tier) }

// inTier leaves the values that a tier has.
func (a Axis) inTier(values []Value, tier string) []Value {
	if tier == "" {
		return values
	}
	var kept []Value
	for _, value := range values {
		if tierRank(value.Tier) <= tierRank(tier) {
			kept = append(kept, value)
		}
	}
	return kept
}
