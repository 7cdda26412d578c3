package planning

import (
	"fmt"
	"slices"
	"time"

	"github.com/qualify-dev/qualify/internal/run"
)

// Limits bound a plan; zero is no bound.
type Limits struct {
	Seconds int     // of all cells, one after the other
	USD     float64 // of all cells
}

// The names under which a plan lists what limits took out of it.
const (
	RuleMaxTime = "max-time"
	RuleMaxCost = "max-cost"
)

// Limit leaves cells out until the plan keeps to the limits, and lists them as
// excluded. Required cells come first and stay; of the others those that come
// first in the plan do. It is an error where the required ones, or every cell
// there is, are too much.
func Limit(plan run.Plan, most Limits) (run.Plan, error) {
	if most.Seconds <= 0 && most.USD <= 0 {
		return plan, nil
	}
	keep := make([]string, len(plan.Cells)) // the rule that removes it, or ""
	var sum run.Estimate
	for _, required := range []bool{true, false} {
		for i, c := range plan.Cells {
			if c.Required != required {
				continue
			}
			switch {
			case most.Seconds > 0 && sum.Seconds+seconds(c) > most.Seconds:
				keep[i] = RuleMaxTime
			case most.USD > 0 && sum.USD+usd(c) > most.USD:
				keep[i] = RuleMaxCost
			default:
				sum.Seconds += seconds(c)
				sum.USD += usd(c)
				continue
			}
			if required {
				return plan, fmt.Errorf("the cells that the matrix requires do not keep to --%s: with %s the plan takes %s and costs %.2f USD",
					keep[i], c.ID, time.Duration(sum.Seconds+seconds(c))*time.Second, sum.USD+usd(c))
			}
		}
	}
	cells := plan.Cells
	plan.Cells, plan.Excluded = nil, slices.Clone(plan.Excluded)
	for i, c := range cells {
		if keep[i] == "" {
			plan.Cells = append(plan.Cells, c)
			continue
		}
		plan.Excluded = append(plan.Excluded, run.Excluded{Values: c.Values, Rule: keep[i], Reason: fmt.Sprintf(
			"it takes %s and costs %.2f USD, more than is left of --%s", time.Duration(seconds(c))*time.Second, usd(c), keep[i])})
	}
	if len(plan.Cells) == 0 {
		return plan, fmt.Errorf("nothing is left to run: no cell keeps to --max-time and --max-cost; the cheapest in time takes %s",
			time.Duration(seconds(slices.MinFunc(cells, func(a, b run.PlanCell) int { return seconds(a) - seconds(b) })))*time.Second)
	}
	return plan, nil
}
