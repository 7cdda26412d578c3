package cover

import (
	"cmp"
	"context"
	"math/rand/v2"
	"slices"
)

// generator holds what is needed from the model to the rows.
type generator struct {
	*space
	options    Options
	strength   int
	solver     *solver
	tally      *tally
	random     *rand.Rand
	order      []int32 // axes, in the order in which rows are made
	gains      []int   // by point: room for best
	covered    int
	impossible []Tuple
	bound      int
}

func newGenerator(ctx context.Context, s *space, o Options) (*generator, error) {
	g := &generator{space: s, options: o, strength: min(o.Strength, len(s.axes)), solver: newSolver(s), gains: make([]int, s.points)}
	g.random = rand.New(rand.NewPCG(o.Seed, 0)) //nolint:gosec // the same rows for a seed is the point
	if g.solver.dead {
		return nil, ErrEmpty
	}
	var err error
	if g.tally, err = newTally(s.points, g.strength); err != nil {
		return nil, err
	}
	for a := range s.axes {
		g.order = append(g.order, int32(a))
	}
	// Where constraints are many, it gets stuck late if they are looked at late.
	slices.SortStableFunc(g.order, func(a, b int32) int { return len(s.byAxis[b]) - len(s.byAxis[a]) })
	// Asked once, before it is asked for each combination.
	if some, err := g.find(ctx, nil, make(settled, len(s.axes)), g.anyhow); !some || err != nil {
		return nil, cmp.Or(err, ErrEmpty)
	}
	return g, g.survey(ctx)
}

// survey finds out which combinations some valid row has. Each row that it
// finds answers for all that are in it, so few have to be asked for singly.
func (g *generator) survey(ctx context.Context) error {
	row := make(settled, len(g.axes))
	err := g.eachCombination(func(chosen []int32) error {
		if g.tally.n[g.tally.place(chosen)] != never {
			return nil
		}
		possible, err := g.find(ctx, chosen, row, g.anyhow)
		if possible {
			g.tally.each(row, -1, func(place int32) { g.tally.want(place) })
		}
		return err
	})
	if err != nil {
		return err
	}
	g.covered = len(g.tally.missing)
	return g.conclude()
}

// conclude lists what no row has, and takes the axes that have the most
// possible combinations for the bound: each row has one of them.
func (g *generator) conclude() error {
	possible := map[[MaxStrength]int32]int{}
	return g.eachCombination(func(chosen []int32) error {
		if g.tally.n[g.tally.place(chosen)] == never {
			g.impossible = append(g.impossible, g.tuple(chosen))
			return nil
		}
		var axes [MaxStrength]int32
		for i, p := range chosen {
			axes[i] = g.axisOf[p]
		}
		possible[axes]++
		g.bound = max(g.bound, possible[axes])
		return nil
	})
}

// eachCombination calls yield with the points of each combination, possible or
// not, sorted. They are to be copied.
func (g *generator) eachCombination(yield func(chosen []int32) error) error {
	var from func(axis int, chosen []int32) error
	from = func(axis int, chosen []int32) error {
		if len(chosen) == g.strength {
			return yield(chosen)
		}
		for a := axis; a < len(g.axes); a++ {
			for i := range g.axes[a].count {
				if err := from(a+1, append(chosen, g.axes[a].first+i)); err != nil {
					return err
				}
			}
		}
		return nil
	}
	return from(0, make([]int32, 0, MaxStrength))
}

func (g *generator) tuple(chosen []int32) Tuple {
	t := make(Tuple, len(chosen))
	for i, p := range chosen {
		t[i] = Setting{Axis: int(g.axisOf[p]), Value: int(p - g.axes[g.axisOf[p]].first)}
	}
	return t
}

// find looks for a row with these points; false means that there is none.
func (g *generator) find(ctx context.Context, points []int32, row settled, rank ranking) (bool, error) {
	mark := len(g.solver.trail)
	defer g.solver.undo(mark)
	for _, p := range points {
		if !g.solver.fix(p) {
			return false, ctx.Err()
		}
	}
	found, err := g.solver.complete(ctx, g.order, rank)
	if found {
		g.solver.settle(row)
	}
	return found, err
}

// anyhow tries values in random order, for rows that differ.
func (g *generator) anyhow(axis int32, room []int32) []int32 {
	points := g.solver.points(axis, room)
	g.random.Shuffle(len(points), func(i, j int) { points[i], points[j] = points[j], points[i] })
	return points
}

// greedy adds rows until nothing is missing. It makes one at a time and takes
// it: what many tries for each would save, the search finds sooner.
func (g *generator) greedy(ctx context.Context, rows []settled) ([]settled, error) {
	for len(g.tally.missing) > 0 {
		row := make(settled, len(g.axes))
		if err := g.build(ctx, row); err != nil {
			return nil, err
		}
		g.tally.add(row)
		rows = append(rows, row)
	}
	return rows, nil
}

// build makes a row around a combination that is missing: axis by axis, in
// random order, the value that adds the most to what is fixed.
func (g *generator) build(ctx context.Context, row settled) error {
	seed := g.tally.sorted(g.tally.missing[g.random.IntN(len(g.tally.missing))])
	order := slices.Clone(g.order)
	g.random.Shuffle(len(order), func(i, j int) { order[i], order[j] = order[j], order[i] })
	was := g.order
	g.order = order
	_, err := g.find(ctx, seed, row, g.best)
	g.order = was
	return err // that there is such a row is known
}

// best tries first the value which together with those that are fixed is in
// the most missing combinations; of equal ones the heavier, then any.
func (g *generator) best(axis int32, room []int32) []int32 {
	points := g.anyhow(axis, room)
	if len(points) < 2 {
		return points
	}
	fixed := make(settled, 0, len(g.axes)+1)
	at := 0
	for a := range g.axes {
		switch {
		case int32(a) == axis:
			at = len(fixed)
			fixed = append(fixed, -1)
		case g.solver.left[a] == 1:
			fixed = g.solver.points(int32(a), fixed)
		}
	}
	for _, p := range points {
		fixed[at] = p
		n := 0
		g.tally.each(fixed, at, func(place int32) {
			if g.tally.n[place] == 0 {
				n++
			}
		})
		g.gains[p] = n
	}
	slices.SortStableFunc(points, func(a, b int32) int {
		return cmp.Or(cmp.Compare(g.gains[b], g.gains[a]), cmp.Compare(g.weight[b], g.weight[a]))
	})
	return points
}
