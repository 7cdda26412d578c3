package cover

import (
	"context"
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
	g.sort(rows, len(required))
	return rows, nil
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

// sort brings the rows that add the most to the front, behind the first ones,
// which are required.
func (g *generator) sort(rows []settled, first int) {
	for _, row := range rows[first:] {
		g.tally.remove(row)
	}
	for i := first; i < len(rows); i++ {
		best, most := i, -1
		for j := i; j < len(rows); j++ {
			if fresh := g.tally.fresh(rows[j]); fresh > most {
				best, most = j, fresh
			}
		}
		rows[i], rows[best] = rows[best], rows[i]
		g.tally.add(rows[i])
	}
}

func (g *generator) result(rows []settled, required int) *Result {
	r := &Result{Strength: g.strength, Covered: g.covered - len(g.tally.missing), Impossible: g.impossible, Bound: max(g.bound, required)}
	for _, row := range rows {
		r.Rows = append(r.Rows, g.row(row))
	}
	return r
}
