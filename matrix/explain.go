package matrix

import "slices"

// Explanation is everything that the matrix has to say of a cell.
type Explanation struct {
	Invalid  []Reason    // why it cannot be; none is a cell that can
	Excludes []Exclusion // the rules that would remove it, in file order
	Includes []Pick      // the rules that keep it in spite of them
	Requires []Pick      // the rules that want it in every reduction
}

// Runs says whether the cell is run where it is selected.
func (e Explanation) Runs() bool {
	return len(e.Invalid) == 0 && (len(e.Excludes) == 0 || len(e.Includes) > 0)
}

// Explain says why a cell is run, or not, on a day (yyyy-mm-dd).
func (m *Matrix) Explain(values map[string]string, asOf string) Explanation {
	e := Explanation{Invalid: m.Invalid(values, asOf)}
	finders := m.finders()
	for _, rule := range m.Exclude {
		if compiled(finders, rule.When).holds(values) {
			e.Excludes = append(e.Excludes, rule)
		}
	}
	for _, rule := range m.Include {
		if compiled(finders, rule.When).holds(values) {
			e.Includes = append(e.Includes, rule)
		}
	}
	for _, rule := range m.Require {
		if compiled(finders, rule.When).holds(values) {
			e.Requires = append(e.Requires, rule)
		}
	}
	return e
}

// Required tells of each of the cells whether it must be in every reduction.
func (m *Matrix) Required(cells []Cell) []bool {
	finders := m.finders()
	var rules []condition
	for _, rule := range m.Require {
		rules = append(rules, compiled(finders, rule.When))
	}
	required := make([]bool, len(cells))
	for i, cell := range cells {
		required[i] = slices.ContainsFunc(rules, func(c condition) bool { return c.holds(cell.Values) })
	}
	return required
}
