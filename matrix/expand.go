package matrix

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/qualify-dev/qualify/internal/strict"
)

// Excluded is a selected cell that is not run.
type Excluded struct {
	Values map[string]string // of the cell, by axis
	Rule   Exclusion         // the first in file order that matches, where Why is zero
	Why    Reason            // why the cell cannot be; it comes before all rules
}

// ID is the one that the cell would have. There can be many more of these than
// of cells that are run, and few are ever named.
func (e Excluded) ID() string { return cellID(e.Values) }

// By names what removed the cell: a rule of the file by its place, e.g.
// m.yaml:18, or one of validity by its name, e.g. validity/skew-kubelet.
func (e Excluded) By() string {
	if e.Why != (Reason{}) {
		return "validity/" + e.Why.Rule
	}
	return e.Rule.At()
}

// Reason is what removed the cell, as a sentence.
func (e Excluded) Reason() string {
	if e.Why != (Reason{}) {
		return e.Why.Text
	}
	return e.Rule.Reason
}

// maxCells bounds an expansion. Each cell is a cluster: more than this is a
// slip in a file, and a few long axes would otherwise fill the memory.
const maxCells = 100_000

// Expand is Select for those who want the cells and what removed the others.
func (m *Matrix) Expand(sel Selection, asOf string) (cells []Cell, excluded []Excluded, err error) {
	e, err := m.Select(Request{Want: sel, AsOf: asOf})
	if err != nil {
		return nil, e.Excluded, err
	}
	return e.Cells, e.Excluded, nil
}

// checkIDs holds what the rest of the program builds on, directories and
// resource names. A collision of hashes must be an error, however unlikely.
func checkIDs(cells []Cell) error {
	seen := make(map[string]Cell, len(cells))
	for _, cell := range cells {
		if other, again := seen[cell.ID]; again {
			return fmt.Errorf("expanding: the cells %v and %v have one id, %s; rename a value", other.Values, cell.Values, cell.ID)
		}
		seen[cell.ID] = cell
	}
	return nil
}

// checkExpiry refuses to go on under exclusions nobody stands behind any more.
func (m *Matrix) checkExpiry(asOf string) error {
	if !strict.IsDay(asOf) {
		return fmt.Errorf("expanding %s: the day to expand for is %s, not yyyy-mm-dd", m.File, strict.Quoted(asOf))
	}
	var expired strict.Problems
	for _, rule := range m.Exclude {
		if rule.Expires < asOf { // text order is date order in this form
			expired = append(expired, strict.Problem{
				File: rule.File, Line: rule.Line, Column: rule.Column,
				Text:   fmt.Sprintf("the exclusion expired on %s (%s; owner %s, issue %s)", rule.Expires, rule.Reason, rule.Owner, rule.Issue),
				Remedy: "remove it, or let its owner set a later date",
			})
		}
	}
	return expired.Err()
}

func (m *Matrix) checkCount(chosen [][]Value) error {
	count := min(len(chosen), 1)
	for _, values := range chosen {
		count *= len(values) // at most maxCells times what fits in a file
		if count > maxCells {
			return fmt.Errorf("expanding %s: more than %d cells are selected; select fewer values", m.File, maxCells)
		}
	}
	if count == 0 {
		return errors.New("expanding a matrix without axes or values; load one first")
	}
	return nil
}

// finders are those of the axes, by name.
func (m *Matrix) finders() map[string]finder {
	finders := map[string]finder{}
	for _, axis := range m.Axes {
		finders[axis.Name] = newFinder(axis)
	}
	return finders
}

// condition is what a rule wants: names by axis.
type condition map[string]map[string]bool

func (c condition) holds(values map[string]string) bool {
	for axis, names := range c {
		if !names[values[axis]] {
			return false
		}
	}
	return true
}

// compiled resolves conditions to the exact names that they are about.
func compiled(finders map[string]finder, when map[string][]string) condition {
	c := condition{}
	for name, wanted := range when {
		c[name] = finders[name].all(wanted)
	}
	return c
}

// rules are the compiled rules of a matrix.
type rules struct{ exclude, include []condition }

func (m *Matrix) rules() rules {
	var r rules
	finders := m.finders()
	for _, rule := range m.Exclude {
		r.exclude = append(r.exclude, compiled(finders, rule.When))
	}
	for _, pick := range m.Include {
		r.include = append(r.include, compiled(finders, pick.When))
	}
	return r
}

// removes is the first exclusion that removes a cell, or -1.
func (r rules) removes(values map[string]string) int {
	holds := func(c condition) bool { return c.holds(values) }
	at := slices.IndexFunc(r.exclude, holds)
	if at >= 0 && slices.ContainsFunc(r.include, holds) {
		return -1
	}
	return at
}

// advance moves to the next combination, the last axis fastest; false after
// the last one.
func advance(place []int, chosen [][]Value) bool {
	for i := len(place) - 1; i >= 0; i-- {
		place[i]++
		if place[i] < len(chosen[i]) {
			return true
		}
		place[i] = 0
	}
	return false
}

func (m *Matrix) valuesAt(place []int, chosen [][]Value) map[string]string {
	values := make(map[string]string, len(place))
	for i, axis := range m.Axes {
		values[axis.Name] = chosen[i][place[i]].Name
	}
	return values
}

// emptyError names the rules that left nothing to run.
func (m *Matrix) emptyError(excluded []Excluded) error {
	var rules []string
	seen := map[string]bool{}
	for _, e := range excluded {
		if at := e.By() + e.Reason(); !seen[at] {
			seen[at] = true
			rules = append(rules, fmt.Sprintf("%s (%s)", e.By(), e.Reason()))
		}
	}
	const most = 8
	if n := len(rules) - most; n > 0 {
		rules = append(rules[:most], fmt.Sprintf("and %d more", n))
	}
	return fmt.Errorf("expanding %s: nothing is left to run: rules exclude each of the %d selected cells: %s; select other values or change the rules",
		m.File, len(excluded), strings.Join(rules, ", "))
}
