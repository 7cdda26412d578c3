package run

import (
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/qualify-dev/qualify/internal/release"
	"github.com/qualify-dev/qualify/internal/result"
	"github.com/qualify-dev/qualify/matrix"
	"github.com/qualify-dev/qualify/suites"
)

// Divided spreads each cell over so many clusters. A part is a cell like any
// other, with a value of its own on the axis matrix.Part, a cluster of its own,
// and its share of the cases of every suite that can be divided; it shows the
// other suites whole, each of which says something of the cluster. All parts
// are in the plan and required, so the verdict is on all cases. Where there is
// not enough to do for all, a cell has fewer parts.
//
// releases are those of the plan's cells, by their k8s value.
func (p Plan) Divided(clusters int, releases map[string]*release.Release, suiteOf func(string) (suites.Suite, error)) (Plan, error) {
	if clusters <= 1 {
		return p, nil
	}
	var cells []PlanCell
	for _, cell := range p.Cells {
		parts, err := cell.divided(clusters, releases[cell.Values[matrix.K8s]], suiteOf)
		if err != nil {
			return p, fmt.Errorf("spreading cell %s over %d clusters: %w", cell.ID, clusters, err)
		}
		cells = append(cells, parts...)
	}
	p.Cells, p.Clusters = cells, clusters
	return p.Sealed()
}

func (c PlanCell) divided(clusters int, rel *release.Release, suiteOf func(string) (suites.Suite, error)) ([]PlanCell, error) {
	if _, taken := c.Values[matrix.Part]; taken {
		return nil, fmt.Errorf("its matrix has an axis %s, which names the parts; call it otherwise", matrix.Part)
	}
	shares := map[string][][]string{}
	count := 0
	for _, s := range c.Suites {
		share, err := share(s, clusters, rel, suiteOf)
		if err != nil {
			return nil, fmt.Errorf("suite %s: %w", s.Name, err)
		}
		if share != nil {
			shares[s.Name], count = share, max(count, len(share))
		}
	}
	if count == 0 {
		return nil, errors.New("none of its suites can be divided as it is run; of the shipped ones, conformance in its mode full can")
	}
	parts := make([]PlanCell, count)
	for i := range parts {
		part := c
		part.Values = maps.Clone(c.Values)
		part.Values[matrix.Part] = fmt.Sprintf("%dof%d", i+1, count)
		part.ID, part.Suites = matrix.NewCell(part.Values).ID, nil
		for _, s := range c.Suites {
			if all, is := shares[s.Name]; is {
				if i >= len(all) {
					continue
				}
				s.Expected = all[i]
			}
			part.Suites = append(part.Suites, s)
		}
		parts[i] = part
	}
	return parts, nil
}

// share divides the cases of a suite; nil is a suite that every part shows
// whole. No case may be lost, or be in two parts.
func share(s result.PlanSuite, clusters int, rel *release.Release, suiteOf func(string) (suites.Suite, error)) ([][]string, error) {
	suite, err := suiteOf(s.Name)
	if err != nil {
		return nil, err
	}
	mode, err := suite.In(s.Mode)
	if err != nil || mode.Divide == nil {
		return nil, err
	}
	if s.Narrowed() {
		return nil, errors.New("it is cut down, so there is no use in dividing it")
	}
	parts, err := mode.Divide(rel, s.Expected, clusters)
	if err != nil {
		return nil, err
	}
	parts = slices.DeleteFunc(parts, func(part []string) bool { return len(part) == 0 })
	got, want := slices.Sorted(slices.Values(slices.Concat(parts...))), slices.Sorted(slices.Values(s.Expected))
	if !slices.Equal(got, want) {
		return nil, fmt.Errorf("its parts have %d cases, and it has %d", len(got), len(want))
	}
	return parts, nil
}

// undivided are the plan's cells as they were before they were divided.
func (p Plan) undivided() []PlanCell {
	var cells []PlanCell
	seen := map[string]bool{}
	for _, c := range p.Cells {
		if _, is := c.Values[matrix.Part]; is && p.Clusters > 1 {
			c.Values = maps.Clone(c.Values)
			delete(c.Values, matrix.Part)
			c.ID = matrix.NewCell(c.Values).ID
			c.Suites = slices.Clone(c.Suites)
			for i := range c.Suites {
				c.Suites[i].Expected = nil // a share of them at most
			}
			if seen[c.ID] {
				continue
			}
			seen[c.ID] = true
		}
		cells = append(cells, c)
	}
	return cells
}

// wholeCells refuses a plan that has some parts of a cell and lacks others: a
// verdict on it would be on less than it seems to be.
func (p Plan) wholeCells() error {
	if p.Clusters <= 1 {
		return nil
	}
	here := map[string]bool{}
	for _, c := range p.Cells {
		here[c.ID] = true
	}
	var problems []error
	for _, c := range p.Cells {
		var n, of int
		text, is := c.Values[matrix.Part]
		if !is {
			continue // still to be divided
		}
		if _, err := fmt.Sscanf(text, "%dof%d", &n, &of); err != nil || text != fmt.Sprintf("%dof%d", n, of) || n < 1 || n > of || of > p.Clusters {
			problems = append(problems, fmt.Errorf("cell %s: %q is no part of %d", c.ID, text, p.Clusters))
			continue
		}
		for other := range of {
			values := maps.Clone(c.Values)
			values[matrix.Part] = fmt.Sprintf("%dof%d", other+1, of)
			if id := matrix.NewCell(values).ID; !here[id] {
				problems = append(problems, fmt.Errorf("cell %s: its other part %s is not in the plan", c.ID, id))
			}
		}
	}
	return errors.Join(problems...)
}

// sameParts refuses another division than the one that a plan was saved with.
func (p Plan) sameParts(now Plan) error {
	was := map[string]PlanCell{}
	for _, c := range p.Cells {
		was[c.ID] = c
	}
	for _, c := range now.Cells {
		saved := was[c.ID]
		if _, is := saved.Values[matrix.Part]; !is {
			continue
		}
		if !slices.EqualFunc(c.Suites, saved.Suites, func(a, b result.PlanSuite) bool { return a.Name == b.Name && slices.Equal(a.Expected, b.Expected) }) {
			return fmt.Errorf("cell %s: it has other cases now than in the plan", c.ID)
		}
	}
	return nil
}
