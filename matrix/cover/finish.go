package cover

import (
	"cmp"
	"context"
	"slices"
)

// rows makes the array: greedily, around the required rows.
func (g *generator) rows(ctx context.Context, required []settled) ([]settled, error) {
	for _, row := range required {
		g.tally.add(row)
	}
	rows, err := g.greedy(ctx, required)
	if err != nil {
		return nil, err
	}
	if rows, err = g.shrink(ctx, rows, len(required)); err != nil {
		return nil, err
	}
	g.prefer(rows[len(required):])
	return g.sort(rows, len(required)), nil
}

// prefer gives rows heavier values where nothing is lost by it.
func (g *generator) prefer(rows []settled) {
	for _, row := range rows {
		for a, sp := range g.axes {
			for p := sp.first; p < sp.first+sp.count; p++ {
				if g.weight[p] > g.weight[row[a]] && g.allowed(row, a, p) && g.tally.gain(row, a, p) >= 0 {
					g.tally.change(row, a, p)
				}
			}
		}
	}
}

// allowed says whether a valid row stays so with another value on an axis.
func (g *generator) allowed(row settled, axis int, point int32) bool {
	was := row[axis]
	row[axis] = point
	defer func() { row[axis] = was }()
	for _, b := range g.byBit[point] {
		if g.bans[b].holds(g.space, row) {
			return false
		}
	}
	return true
}

// sort brings the rows that add the most to the front, of equals the heavier,
// behind the first ones, which are required.
func (g *generator) sort(rows []settled, first int) []settled {
	rest := rows[first:]
	slices.SortStableFunc(rest, func(a, b settled) int { return cmp.Compare(g.heft(b), g.heft(a)) })
	for _, row := range rest {
		g.tally.remove(row)
	}
	// By what a row would add now; later it can only be less, so a row is looked
	// at again when nothing else could add as much as it once did.
	var by [][]settled
	put := func(row settled) {
		fresh := g.tally.fresh(row)
		for len(by) <= fresh {
			by = append(by, nil)
		}
		by[fresh] = append(by[fresh], row)
	}
	for _, row := range rest {
		put(row)
	}
	sorted := slices.Clone(rows[:first])
	for level := len(by) - 1; level >= 0; level-- {
		for _, row := range by[level] {
			if g.tally.fresh(row) < level {
				put(row)
				continue
			}
			g.tally.add(row)
			sorted = append(sorted, row)
		}
	}
	return sorted
}

func (g *generator) heft(row settled) float64 {
	sum := 0.0
	for _, p := range row {
		sum += g.weight[p]
	}
	return sum
}

func (g *generator) result(rows []settled, required int) *Result {
	r := &Result{Strength: g.strength, Covered: g.covered - len(g.tally.missing), Impossible: g.impossible, Bound: max(g.bound, required)}
	for _, row := range rows {
		r.Rows = append(r.Rows, g.row(row))
	}
	return r
}
