package cover

import (
	"context"
	"math"
	"slices"
)

// search looks for an array with a row less, again and again: it takes a row
// out and then changes single values of the others, one that makes a missing
// combination present at each step, until nothing is missing. What was changed
// lately stays as it is for a while (tabu search, after TCA by Lin et al. 2015).
type search struct {
	*generator
	rows   []settled
	locked int       // the first rows are required
	held   [][]int32 // by row and ban: how many terms hold
	since  [][]int64 // by row and axis: the step that changed it
	step   int64
	work   int64 // what was spent, in combinations looked at
	price  int64 // how many combinations of a row have a given axis
	spare  settled
}

const (
	// tenure is for how many steps a changed value stays. On the models of
	// bench/casa 2 and 5 need 1 % more rows, 8 needs 2 %.
	tenure = 3
	// patience is the work without success after which the search ends, for each
	// combination that is to be covered and at most; unless the caller has said
	// until when it goes on.
	patience     = 2_000
	mostPatience = 60_000_000
	// mostWork is the work after which it ends in any case, a few seconds.
	mostWork = 1_500_000_000
	// shake is one in how many steps is not the best one.
	shake = 1000
	// candidates is how many rows are considered for a change of several values.
	candidates = 4
)

func newSearch(g *generator, rows []settled, locked int) *search {
	s := &search{generator: g, rows: rows, locked: locked, spare: make(settled, len(g.axes))}
	s.price = int64(len(g.axes))
	if g.strength == 3 {
		s.price *= s.price / 2
	}
	for range rows {
		s.held = append(s.held, make([]int32, len(g.bans)))
		s.since = append(s.since, slices.Repeat([]int64{-tenure}, len(g.axes)))
	}
	for i := range rows {
		s.recount(i)
	}
	return s
}

// shrink returns the fewest rows that it finds; the first ones stay as they are.
func (g *generator) shrink(ctx context.Context, rows []settled, locked int) ([]settled, error) {
	fewest := max(g.bound, locked+1) // the required ones alone do not cover, or there are no others
	if len(rows) <= fewest {
		return rows, nil
	}
	s := newSearch(g, rows, locked)
	best := make([]settled, len(rows))
	for i, row := range rows {
		best[i] = slices.Clone(row)
	}
	for len(s.rows) > fewest {
		s.drop()
		done, err := s.repair(ctx)
		if err != nil {
			return nil, err
		}
		if !done {
			break
		}
		best = best[:len(s.rows)]
		for i, row := range s.rows {
			copy(best[i], row)
		}
	}
	for _, row := range s.rows {
		g.tally.remove(row)
	}
	for _, row := range best {
		g.tally.add(row)
	}
	return best, nil
}

// drop takes the row out without which the least is missing.
func (s *search) drop() {
	at, least := -1, math.MaxInt
	for i := s.locked; i < len(s.rows); i++ {
		if n := s.tally.alone(s.rows[i]); n < least {
			at, least = i, n
		}
	}
	s.tally.remove(s.rows[at])
	s.rows = slices.Delete(s.rows, at, at+1)
	s.held = slices.Delete(s.held, at, at+1)
	s.since = slices.Delete(s.since, at, at+1)
}

// repair goes on until nothing is missing (true) or the search is to end.
func (s *search) repair(ctx context.Context) (bool, error) {
	end := s.work + min(int64(s.covered)*patience, mostPatience)
	for len(s.tally.missing) > 0 {
		if s.step++; s.step%64 == 0 {
			if err := ctx.Err(); err != nil {
				return false, err
			}
			if s.over(end) {
				return false, nil
			}
		}
		want := s.tally.sorted(s.tally.missing[s.random.IntN(len(s.tally.missing))])
		row, axis, point := s.bestMove(want)
		if row >= 0 && s.random.IntN(shake) > 0 {
			s.change(row, axis, point)
			continue
		}
		if err := s.force(ctx, want); err != nil {
			return false, err
		}
	}
	return true, nil
}

func (s *search) over(end int64) bool {
	if s.options.Until == nil {
		return s.work > min(end, mostWork)
	}
	select {
	case <-s.options.Until:
		return true
	default:
		return false
	}
}

// bestMove finds the change of one value after which the wanted combination is
// present and the fewest others are missing; of equals the one whose value has
// stayed the longest. The row is -1 if there is none.
func (s *search) bestMove(want []int32) (row, axis int, point int32) {
	row = -1
	most, oldest := math.MinInt, int64(0)
	for i := s.locked; i < len(s.rows); i++ {
		a, p := s.lacks(i, want)
		if a < 0 || s.step-s.since[i][a] < tenure || !s.mayHave(i, a, p) {
			continue
		}
		s.work += s.price
		gain := s.tally.gain(s.rows[i], a, p)
		if gain > most || gain == most && s.since[i][a] < oldest {
			row, axis, point, most, oldest = i, a, p, gain, s.since[i][a]
		}
	}
	s.work += int64(len(s.rows))
	return row, axis, point
}

// lacks returns what a row would have to change for a combination: an axis of
// one value, or -1 if it is more.
func (s *search) lacks(row int, want []int32) (axis int, point int32) {
	axis = -1
	for _, p := range want {
		if a := s.axisOf[p]; s.rows[row][a] != p {
			if axis >= 0 {
				return -1, 0
			}
			axis, point = int(a), p
		}
	}
	return axis, point
}

// mayHave says whether a row stays valid with another value on an axis.
func (s *search) mayHave(row, axis int, point int32) bool {
	held := s.held[row]
	for _, b := range s.byBit[point] {
		if terms := s.bans[b].terms; held[b] == int32(len(terms))-1 && !s.holdsOn(terms, row, int32(axis)) {
			return false
		}
	}
	return true
}

func (s *search) holdsOn(terms []term, row int, axis int32) bool {
	for i := range terms {
		if terms[i].axis == axis {
			return terms[i].set.has(s.rows[row][axis] - s.axes[axis].first)
		}
	}
	return true
}

func (s *search) change(row, axis int, point int32) {
	for _, b := range s.byBit[s.rows[row][axis]] {
		s.held[row][b]--
	}
	for _, b := range s.byBit[point] {
		s.held[row][b]++
	}
	s.tally.change(s.rows[row], axis, point)
	s.since[row][axis] = s.step
	s.work += 2 * s.price
}

func (s *search) recount(row int) {
	clear(s.held[row])
	for _, p := range s.rows[row] {
		for _, b := range s.byBit[p] {
			s.held[row][b]++
		}
	}
}

// force puts the wanted combination into one of a few rows, chosen by chance,
// and changes there as little as the constraints demand.
func (s *search) force(ctx context.Context, want []int32) error {
	if s.locked == len(s.rows) {
		return nil
	}
	var best settled
	at, least := -1, math.MaxInt
	for range candidates {
		row := s.locked + s.random.IntN(len(s.rows)-s.locked)
		found, err := s.find(ctx, want, s.spare, func(axis int32, room []int32) []int32 {
			return s.keepFirst(s.rows[row][axis], axis, room)
		})
		if err != nil {
			return err
		}
		s.work += 8*int64(len(s.axes)) + s.price*int64(len(s.axes))/2
		if !found {
			continue
		}
		if cost := s.tally.alone(s.rows[row]); at < 0 || cost < least {
			best, at, least = slices.Clone(s.spare), row, cost
		}
	}
	if at < 0 {
		return nil
	}
	for a, p := range best {
		if s.rows[at][a] != p {
			s.change(at, a, p)
		}
	}
	return nil
}

// keepFirst tries the value that the row has before the others.
func (s *search) keepFirst(now, axis int32, room []int32) []int32 {
	points := s.anyhow(axis, room)
	if i := slices.Index(points, now); i > 0 {
		points[0], points[i] = points[i], points[0]
	}
	return points
}
