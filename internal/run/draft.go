package run

import (
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/qualify-dev/qualify/internal/result"
	"github.com/qualify-dev/qualify/matrix"
)

// Draft makes a plan whose releases have still to be built or fetched: it
// names where each is to be taken from, and the suites without their cases.
// refs are the releases by the cells' k8s value. It has no hash yet.
func Draft(c Compilation, refs map[string]string) (Plan, error) {
	plan := Plan{APIVersion: "qualify/v1", Kind: "Plan", Workers: c.Workers, Budgets: DefaultBudgets(), Retries: c.Retries, Reruns: c.Reruns, Cells: []PlanCell{}}
	plan.Policy = Plan{Policy: c.Policy}.Measure()
	if len(c.Cells) == 0 {
		return plan, errors.New("the plan is empty: no cell is selected")
	}
	if len(c.Suites) == 0 {
		return plan, errors.New("the plan is empty: no suite is selected")
	}
	problems := c.named()
	var names []result.PlanSuite
	for _, name := range c.Suites {
		names = append(names, result.PlanSuite{Name: name, SuiteMode: c.Modes[name]})
	}
	for _, cell := range c.Cells {
		ref := refs[cell.Value(matrix.K8s)]
		if ref == "" {
			problems = errors.Join(problems, fmt.Errorf("cell %s: the matrix does not say where the release of Kubernetes %s comes from", cell.ID, cell.Value(matrix.K8s)))
		}
		plan.Cells = append(plan.Cells, PlanCell{ID: cell.ID, Values: cell.Values, Suites: names, Source: ref, Components: c.ComponentsOf(cell), Forced: c.Forced[cell.ID].Text})
	}
	plan.Excluded = c.excluded()
	return plan, problems
}

// Adopt makes the plan that is run out of a saved one.
// c.Releases are those of its cells; everything else is the saved plan's.
// What it names by digest must still have it.
func Adopt(saved Plan, c Compilation) (Plan, error) {
	if err := saved.Check(); err != nil {
		return Plan{}, err
	}
	if err := saved.whole(); err != nil {
		return Plan{}, err
	}
	c.Workers, c.Retries, c.Reruns, c.Policy = saved.Workers, saved.Retries, saved.Reruns, saved.Policy
	c.Cells, c.Excluded, c.Suites = saved.MatrixCells(), nil, nil
	c.MadeImages = saved.madeImages()
	c.Modes = map[string]result.SuiteMode{}
	for _, s := range saved.Cells[0].Suites {
		c.Suites = append(c.Suites, s.Name)
		if mode := s.SuiteMode; mode.Mode != "" || mode.Backend != "" || mode.Plugin != "" || mode.Narrowed() {
			mode.Budget = 0 // it comes with the mode
			c.Modes[s.Name] = mode
		}
	}
	plan, err := Compile(c)
	if err != nil {
		return plan, err
	}
	base := saved.undivided()
	for i := range plan.Cells {
		cell, was := &plan.Cells[i], base[i]
		if was.Release.Digest != "" && was.Release != cell.Release {
			return plan, fmt.Errorf("cell %s: the plan is for the release %s with digest %s, and what is there now is %s with %s",
				cell.ID, was.Release.Name, was.Release.Digest, cell.Release.Name, cell.Release.Digest)
		}
		if !sameComponents(was.Components, cell.Components) {
			return plan, fmt.Errorf("cell %s: the plan is for the components %v, and what is there now is %v", cell.ID, was.Components, cell.Components)
		}
		for j, s := range was.Suites {
			if s.Expected != nil && !slices.Equal(s.Expected, cell.Suites[j].Expected) {
				return plan, fmt.Errorf("cell %s: the suite %s shows other cases now than those of the plan", cell.ID, s.Name)
			}
		}
		cell.Source, cell.Required, cell.Estimate, cell.Forced = was.Source, was.Required, was.Estimate, was.Forced
	}
	plan.Budgets, plan.Excluded, plan.Guarantee = saved.Budgets, saved.Excluded, saved.Guarantee
	plan.AsOf, plan.Matrix, plan.Shard, plan.From = saved.AsOf, saved.Matrix, saved.Shard, saved.Hash
	if plan, err = plan.Divided(saved.Clusters, c.Releases, c.Suite); err != nil {
		return plan, err
	}
	if err := saved.sameParts(plan); err != nil {
		return plan, err
	}
	return plan.Sealed()
}

// whole refuses a plan that nobody's plan verb makes: cells of other names
// than their values give, or of suites that differ.
func (p Plan) whole() error {
	if p.APIVersion != "qualify/v1" || p.Kind != "Plan" {
		return fmt.Errorf("it is a %s of %s, not a Plan of qualify/v1", p.Kind, p.APIVersion)
	}
	if len(p.Cells) == 0 {
		return errors.New("it has no cells")
	}
	var problems []error
	if p.Workers < 0 || p.Retries < 0 || p.Reruns < 0 {
		problems = append(problems, errors.New("its workers, retries and reruns cannot be negative"))
	}
	if p.Clusters < 0 {
		problems = append(problems, errors.New("its clusters cannot be negative"))
	}
	problems = append(problems, p.wholeCells())
	if b := p.Budgets; min(b.Up, b.Identify, b.Suite, b.Collect, b.Down) < 1 {
		problems = append(problems, errors.New("its budgets leave no time for a phase"))
	}
	for _, c := range p.Cells {
		if id := matrix.NewCell(maps.Clone(c.Values)).ID; id != c.ID {
			problems = append(problems, fmt.Errorf("cell %s: its values are those of %s", c.ID, id))
		}
		if !slices.EqualFunc(c.Suites, p.Cells[0].Suites, func(a, b result.PlanSuite) bool {
			return a.Name == b.Name && a.SuiteMode == b.SuiteMode
		}) {
			problems = append(problems, fmt.Errorf("cell %s: its suites are not those of %s", c.ID, p.Cells[0].ID))
		}
	}
	return errors.Join(problems...)
}

// sameComponents tells whether a saved plan's components are those that there
// are; what it names without a digest had still to be built.
func sameComponents(saved, now []result.ComponentRef) bool {
	return slices.EqualFunc(saved, now, func(was, is result.ComponentRef) bool {
		return was == is || was.Digest == "" && was.Name == is.Name && was.Version == is.Version
	})
}

// MatrixCells are the plan's cells as the matrix has them, undivided.
func (p Plan) MatrixCells() []matrix.Cell {
	whole := p.undivided()
	cells := make([]matrix.Cell, len(whole))
	for i, c := range whole {
		cells[i] = matrix.Cell{ID: c.ID, Values: c.Values}
	}
	return cells
}
