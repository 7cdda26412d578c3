package planning

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/qualify-dev/qualify/internal/run"
)

// The orders of a plan.
const (
	ByRisk     = "risk"   // what failed last, then what was never run; in the matrix's order among equals
	ByMatrix   = "matrix" // as the matrix has them
	ByShortest = "shortest"
	ByLongest  = "longest"
)

// Orders lists the orders, the default first.
func Orders() []string { return []string{ByRisk, ByMatrix, ByShortest, ByLongest} }

// Order puts the cells in an order.
func (e Estimator) Order(plan run.Plan, how string) (run.Plan, error) {
	plan.Cells = slices.Clone(plan.Cells)
	var before func(a, b run.PlanCell) int
	switch how {
	case ByRisk:
		before = func(a, b run.PlanCell) int { return e.history.risk(b.ID) - e.history.risk(a.ID) }
	case ByMatrix:
		return plan, nil
	case ByShortest:
		before = func(a, b run.PlanCell) int { return cmp.Compare(seconds(a), seconds(b)) }
	case ByLongest:
		before = func(a, b run.PlanCell) int { return cmp.Compare(seconds(b), seconds(a)) }
	default:
		return plan, fmt.Errorf("there is no order %q; the orders are %s", how, strings.Join(Orders(), ", "))
	}
	slices.SortStableFunc(plan.Cells, before)
	return plan, nil
}

func seconds(c run.PlanCell) int {
	if c.Estimate == nil {
		return 0
	}
	return c.Estimate.Seconds
}

func usd(c run.PlanCell) float64 {
	if c.Estimate == nil {
		return 0
	}
	return c.Estimate.USD
}

// Total is what all cells of a plan take, one after the other, and cost.
func Total(plan run.Plan) (total run.Estimate) {
	for _, c := range plan.Cells {
		total.Seconds += seconds(c)
		total.USD += usd(c)
	}
	return total
}
