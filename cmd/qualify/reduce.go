package main

import (
	"context"
	"time"

	"github.com/qualify-dev/qualify/internal/run"
	"github.com/qualify-dev/qualify/matrix"
)

// reduce leaves few of the cells, where that is asked for, and says what they
// stand for.
func (o *runOptions) reduce(ctx context.Context, s *selected) error {
	strength := o.strength
	if strength == 0 && len(o.only) == 0 {
		strength = s.matrix.Tiers[o.tier].Strength
	}
	switch {
	case o.optimize < 0:
		return usagef("--optimize cannot be negative")
	case strength == 0 && o.optimize > 0:
		return usagef("--optimize goes with --strength: without one every cell is run")
	case strength == 0:
		s.guarantee = guaranteeOf(matrix.Coverage{Strength: len(s.matrix.Axes), Covered: len(s.Cells), Total: len(s.Cells)})
		return nil
	}
	how := matrix.Reduction{Strength: strength, Seed: o.seed}
	if o.optimize > 0 {
		until, cancel := context.WithTimeout(ctx, o.optimize)
		defer cancel()
		how.Until = until.Done()
	}
	cells, covers, err := s.matrix.Reduce(ctx, s.request, s.Expansion, how)
	if err != nil {
		return usage(err)
	}
	s.Cells, s.guarantee = cells, guaranteeOf(covers)
	return nil
}

func guaranteeOf(c matrix.Coverage) *run.Guarantee {
	g := &run.Guarantee{Strength: c.Strength, Covered: c.Covered, Total: c.Total, Uncovered: c.Uncovered}
	if g.Uncovered == nil {
		g.Uncovered = []map[string]string{}
	}
	return g
}

// measure finds out anew what the cells of a plan stand for, by the checker.
func (s selected) measure(ctx context.Context, plan run.Plan) (matrix.Coverage, error) {
	cells := make([]matrix.Cell, len(plan.Cells))
	for i, c := range plan.Cells {
		cells[i] = matrix.Cell{ID: c.ID, Values: c.Values}
	}
	return s.matrix.Verify(ctx, s.request, s.whole, cells, s.guarantee.Strength)
}

// verifyTime is when a verification is given up.
const verifyTime = 10 * time.Minute

// verify holds the guarantee of a plan against what the checker finds.
func (s selected) verify(ctx context.Context, plan run.Plan) error {
	ctx, cancel := context.WithTimeout(ctx, verifyTime)
	defer cancel()
	found, err := s.measure(ctx, plan)
	if err != nil {
		return err
	}
	for _, problem := range found.Problems {
		return usagef("verifying the plan: %s", problem)
	}
	if g := plan.Guarantee; found.Covered != g.Covered || found.Total != g.Total || len(found.Uncovered) != len(g.Uncovered) {
		return usagef("verifying the plan: it says that it covers %d of %d combinations, and it covers %d of %d", g.Covered, g.Total, found.Covered, found.Total)
	}
	return nil
}
