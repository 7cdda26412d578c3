// Package planning makes a plan out of chosen cells: what each will cost and
// how that is known, in which order they run, what fits into a time or a sum,
// and how a plan is divided among machines. It is pure: plans, verdicts of
// earlier runs and figures in, plans out.
package planning
