package matrix

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/qualify-dev/qualify/matrix/cover"
	"github.com/qualify-dev/qualify/matrix/cover/check"
)

// Reduction is how cells are reduced to few.
type Reduction struct {
	Strength int             // every combination of values on so many axes stays, 2 or 3
	Seed     uint64          // the same seed gives the same cells
	Until    <-chan struct{} // the search for fewer cells goes on until it is closed; nil ends it early, the same everywhere
}

// Coverage is what cells cover of the combinations of values that can be.
type Coverage struct {
	Strength  int
	Covered   int
	Total     int
	Uncovered []map[string]string // each combination by its axes
	// Problems are what is wrong with the cells beside what they do not cover.
	Problems []string
}

// Reduce returns few of the cells that a request selects, which hold every
// combination of strength values that is in any of them. Required cells are
// among them, and come first; after those, the cell that adds most does.
func (m *Matrix) Reduce(ctx context.Context, r Request, e Expansion, how Reduction) ([]Cell, Coverage, error) {
	if how.Strength < minStrength || how.Strength > maxStrength {
		return nil, Coverage{}, fmt.Errorf("reducing %s: the strength is %d; it is %d or %d", m.File, how.Strength, minStrength, maxStrength)
	}
	if len(r.Only) > 0 {
		return nil, Coverage{}, fmt.Errorf("reducing %s: cells that are named one by one are not reduced; leave one of the two out", m.File)
	}
	model, err := m.model(r, e)
	if err != nil {
		return nil, Coverage{}, err
	}
	var required []cover.Row
	for i, is := range m.Required(e.Cells) {
		if is {
			row, err := model.Row(e.Cells[i].Values)
			if err != nil {
				return nil, Coverage{}, err
			}
			required = append(required, row)
		}
	}
	result, err := cover.Generate(ctx, model, cover.Options{Strength: how.Strength, Seed: how.Seed, Required: required, Until: how.Until})
	if err != nil {
		return nil, Coverage{}, fmt.Errorf("reducing %s: %w", m.File, err)
	}
	cells := make([]Cell, len(result.Rows))
	for i, row := range result.Rows {
		cells[i] = NewCell(model.Names(row))
	}
	return cells, Coverage{Strength: result.Strength, Covered: result.Covered, Total: result.Covered, Uncovered: []map[string]string{}}, checkIDs(cells)
}

// Verify finds out what some of the cells that a request selects cover, by a
// checker that shares nothing with what made them. A strength of the number of
// axes asks for every cell.
func (m *Matrix) Verify(ctx context.Context, r Request, e Expansion, cells []Cell, strength int) (Coverage, error) {
	model, err := m.model(r, e)
	if err != nil {
		return Coverage{}, err
	}
	rows := make([]cover.Row, len(cells))
	for i, cell := range cells {
		if rows[i], err = model.Row(cell.Values); err != nil {
			return Coverage{}, fmt.Errorf("verifying cell %s: %w", cell.ID, err)
		}
	}
	report, err := check.Verify(ctx, model, rows, strength)
	if err != nil {
		return Coverage{}, fmt.Errorf("verifying cells of %s: %w", m.File, err)
	}
	c := Coverage{
		Strength: min(strength, len(model.Axes)), Covered: report.Covered, Total: report.Covered + len(report.Uncovered),
		Uncovered: make([]map[string]string, len(report.Uncovered)), Problems: report.Problems,
	}
	for i, tuple := range report.Uncovered {
		c.Uncovered[i] = map[string]string{}
		for _, s := range tuple {
			c.Uncovered[i][model.Axes[s.Axis].Name] = model.Axes[s.Axis].Values[s.Value]
		}
	}
	return c, nil
}

// model is the request for the search: the selected values, and constraints
// over as few axes as each rule looks at. Its valid rows are the cells of the
// expansion; a test holds the two together.
func (m *Matrix) model(r Request, e Expansion) (cover.Model, error) {
	chosen, err := m.choose(r)
	if err != nil {
		return cover.Model{}, err
	}
	var model cover.Model
	for i, values := range chosen {
		axis := cover.Axis{Name: m.Axes[i].Name}
		for _, value := range values {
			axis.Values = append(axis.Values, value.Name)
			axis.Weights = append(axis.Weights, float64(max(value.Weight, 1)))
		}
		model.Axes = append(model.Axes, axis)
	}
	if r.Force || len(r.Only) > 0 || m.picks(r) {
		model.Constraints = m.membership(e)
		return model, nil
	}
	v := m.validity(r.AsOf)
	model.Constraints = slices.Concat(
		v.constraints(RuleSupport, nil, v.supported, m.eachAxis()...),
		v.constraints(RuleOnly, nil, v.companions, m.eachPair()...),
		v.constraints(RuleContainerd, []string{OS, K8s, Containerd}, v.runtime),
		v.constraints("kubelet", m.componentAxes(), v.versions),
		m.exclusions(),
	)
	return model, nil
}

// picks says whether cells were thinned on an axis.
func (m *Matrix) picks(r Request) bool {
	return slices.ContainsFunc(m.Axes, func(a Axis) bool { return a.First && len(r.Want[a.Name]) == 0 })
}

// membership leaves the cells of an expansion and no others, where no rule says
// in few axes which those are.
func (m *Matrix) membership(e Expansion) []cover.Constraint {
	var axes []string
	for _, axis := range m.Axes {
		axes = append(axes, axis.Name)
	}
	key := func(values []string) string { return fmt.Sprintf("%q", values) }
	in := make(map[string]bool, len(e.Cells))
	for _, cell := range e.Cells {
		values := make([]string, len(axes))
		for i, axis := range axes {
			values[i] = cell.Values[axis]
		}
		in[key(values)] = true
	}
	return []cover.Constraint{{Name: "selected", Axes: axes, Forbids: func(values []string) bool { return !in[key(values)] }}}
}

// constraints makes a rule of validity one of the search. It looks at the axes
// of always that there are, or at each set of axes for itself.
func (v *validity) constraints(name string, always []string, rule func(map[string]string) []Reason, sets ...[]string) []cover.Constraint {
	if always != nil {
		axes := slices.DeleteFunc(slices.Clone(always), func(axis string) bool { return !slices.Contains(v.axes, axis) })
		sets = [][]string{axes}
	}
	var all []cover.Constraint
	for _, axes := range sets {
		if len(axes) == 0 {
			continue
		}
		all = append(all, cover.Constraint{Name: "validity/" + name, Axes: axes, Forbids: func(values []string) bool {
			return len(rule(valuesOf(axes, values))) > 0
		}})
	}
	return all
}

func valuesOf(axes, values []string) map[string]string {
	m := make(map[string]string, len(axes))
	for i, axis := range axes {
		m[axis] = values[i]
	}
	return m
}

func (m *Matrix) eachAxis() [][]string {
	var sets [][]string
	for _, axis := range m.Axes {
		sets = append(sets, []string{axis.Name})
	}
	return sets
}

// eachPair lists the axes whose values name companions, with those of the companions.
func (m *Matrix) eachPair() [][]string {
	var sets [][]string
	seen := map[string]bool{}
	for _, axis := range m.Axes {
		for _, value := range axis.Values {
			for _, other := range slices.Sorted(maps.Keys(value.Only)) {
				if key := axis.Name + " " + other; !seen[key] {
					seen[key] = true
					sets = append(sets, []string{axis.Name, other})
				}
			}
		}
	}
	return sets
}

// componentAxes are those that the version skew policy looks at.
func (m *Matrix) componentAxes() []string {
	axes := []string{OS, K8s}
	for _, axis := range m.Axes {
		if isComponent(axis.Name) && axis.Name != Containerd {
			axes = append(axes, axis.Name)
		}
	}
	return axes
}

// exclusions are the rules of the file. An inclusion keeps what any exclusion
// would remove, so each looks at the axes of the inclusions too.
func (m *Matrix) exclusions() []cover.Constraint {
	rules := m.rules()
	kept := map[string]bool{}
	for _, pick := range m.Include {
		for axis := range pick.When {
			kept[axis] = true
		}
	}
	var all []cover.Constraint
	for i, rule := range m.Exclude {
		looked := maps.Clone(kept)
		for axis := range rule.When {
			looked[axis] = true
		}
		axes, removes := slices.Sorted(maps.Keys(looked)), rules.exclude[i]
		all = append(all, cover.Constraint{Name: rule.At(), Axes: axes, Forbids: func(values []string) bool {
			cell := valuesOf(axes, values)
			return removes.holds(cell) && !slices.ContainsFunc(rules.include, func(c condition) bool { return c.holds(cell) })
		}})
	}
	return all
}
