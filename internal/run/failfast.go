package run

import (
	"sync"

	"github.com/qualify-dev/qualify/internal/result"
)

// failFast is the part of a policy that ends a run early: once a cell that has
// ended is not qualified, no other is begun. Those under way come to their end,
// since half of their evidence would be none.
//
// It judges by the whole policy, as the verdict will: what a waiver excuses
// stops nothing.
type failFast struct {
	plan   Plan
	mu     sync.Mutex
	events []result.Event
	by     string // the cell that stopped the run
}

// newFailFast is nil where the policy lets everything run.
func newFailFast(plan Plan, past []result.Event) *failFast {
	if !plan.Measure().FailFast {
		return nil
	}
	f := &failFast{plan: plan, events: append([]result.Event(nil), past...)}
	for _, cell := range plan.Cells {
		f.ended(cell.ID) // in an earlier process
	}
	return f
}

// hear keeps an event that is on disk.
func (f *failFast) hear(e result.Event) {
	if f == nil {
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.events = append(f.events, e)
}

// ended judges a cell that will not be worked on any more.
func (f *failFast) ended(id string) {
	if f == nil {
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.by != "" || len(f.events) == 0 {
		return
	}
	policy := f.plan.Measure()
	policy.AsOf = f.events[0].Time // as the verdict measures waivers
	for _, cell := range result.Judge(f.plan.Judged(), result.Fold(f.events), policy).Cells {
		if cell.ID == id && cell.Verdict == result.NotQualified {
			f.by = id
		}
	}
}

// stopped names the cell because of which nothing more is begun.
func (f *failFast) stopped() string {
	if f == nil {
		return ""
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.by
}
