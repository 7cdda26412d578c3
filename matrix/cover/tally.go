package cover

import "fmt"

// tally counts for each combination of points how many rows have it, and keeps
// a list of those that none has.
//
// A combination has the place that its points, sorted, have in the
// combinatorial number system: C(p3,3)+C(p2,2)+p1. Pairs, on which nearly all
// the time is spent, are in a square instead, each of them twice, so that the
// partners of one point lie side by side.
type tally struct {
	strength int
	points   int32
	n        []int32
	second   []int32 // by point: C(p,2)
	third    []int32 // by point: C(p,3)
	missing  []int32 // places of the combinations that no row has
	where    []int32 // by place: where in missing, or -1
}

// never is the count of what no valid row can have: it is not missing, and it
// is never lost.
const never = 1 << 30

// maxPlaces bounds the tables.
const maxPlaces = 1 << 27

func newTally(points, strength int) (*tally, error) {
	t := &tally{strength: strength, points: int32(points)}
	size := points
	for p := range points {
		t.second = append(t.second, int32(p*(p-1)/2))
		t.third = append(t.third, int32(min(p*(p-1)*(p-2)/6, maxPlaces)))
	}
	switch strength {
	case 2:
		size = points * points
	case 3:
		size = points * (points - 1) * (points - 2) / 6
	}
	if size > maxPlaces {
		return nil, fmt.Errorf("%d values are too many for strength %d; give fewer, or a lower strength", points, strength)
	}
	t.n, t.where = make([]int32, size), make([]int32, size)
	for i := range t.n {
		t.n[i], t.where[i] = never, -1
	}
	return t, nil
}

// place of points that are sorted.
func (t *tally) place(sorted []int32) int32 {
	switch len(sorted) {
	case 1:
		return sorted[0]
	case 2:
		return sorted[0]*t.points + sorted[1]
	}
	return t.triple(sorted[0], sorted[1], sorted[2])
}

func (t *tally) triple(a, b, c int32) int32 { return t.third[c] + t.second[b] + a }

// sorted is the opposite of place.
func (t *tally) sorted(place int32) []int32 {
	switch t.strength {
	case 1:
		return []int32{place}
	case 2:
		return []int32{place / t.points, place % t.points}
	}
	c := largest(t.third, place)
	place -= t.third[c]
	b := largest(t.second, place)
	return []int32{place - t.second[b], b, c}
}

// largest is the last place whose value is at most the wanted one.
func largest(values []int32, want int32) int32 {
	low, high := 0, len(values)
	for low+1 < high {
		if mid := (low + high) / 2; values[mid] <= want {
			low = mid
		} else {
			high = mid
		}
	}
	return int32(low)
}

// want makes a combination one that is to be covered. It returns false if it
// was already.
func (t *tally) want(place int32) bool {
	if t.n[place] != never {
		return false
	}
	t.n[place] = 0
	if t.strength == 2 {
		t.n[place%t.points*t.points+place/t.points] = 0
	}
	t.miss(place)
	return true
}

func (t *tally) miss(place int32) {
	t.where[place] = int32(len(t.missing))
	t.missing = append(t.missing, place)
}

func (t *tally) found(place int32) {
	at, last := t.where[place], t.missing[len(t.missing)-1]
	t.missing[at] = last
	t.where[last] = at
	t.missing = t.missing[:len(t.missing)-1]
	t.where[place] = -1
}

// count adds one row's share, +1 or -1, of a combination.
func (t *tally) count(place, by int32) {
	if t.strength == 2 {
		t.countPair(place/t.points, place%t.points, by)
		return
	}
	n := t.n[place]
	if n == never {
		return
	}
	if n == 0 {
		t.found(place)
	}
	t.n[place] = n + by
	if n+by == 0 {
		t.miss(place)
	}
}

func (t *tally) countPair(p, q, by int32) {
	at := p*t.points + q
	n := t.n[at]
	if n == never {
		return
	}
	if n == 0 {
		t.found(min(p, q)*t.points + max(p, q))
	}
	t.n[at] = n + by
	t.n[q*t.points+p] = n + by
	if n+by == 0 {
		t.miss(min(p, q)*t.points + max(p, q))
	}
}

// each calls yield with the places of the row's combinations that have the
// axis; of all its combinations, if the axis is -1.
func (t *tally) each(r settled, axis int, yield func(place int32)) {
	switch {
	case axis < 0:
		for a := range r { // those whose last axis is a
			t.each(r[:a+1], a, yield)
		}
	case t.strength == 1:
		yield(r[axis])
	case t.strength == 2:
		for b, q := range r {
			if b != axis {
				yield(min(r[axis], q)*t.points + max(r[axis], q))
			}
		}
	default:
		t.eachTriple(r, axis, yield)
	}
}

func (t *tally) eachTriple(r settled, axis int, yield func(place int32)) {
	p := r[axis]
	for b := range r {
		for c := b + 1; b != axis && c < len(r); c++ {
			switch {
			case c == axis:
			case axis < b:
				yield(t.triple(p, r[b], r[c]))
			case axis < c:
				yield(t.triple(r[b], p, r[c]))
			default:
				yield(t.triple(r[b], r[c], p))
			}
		}
	}
}

// add counts a row, remove takes it out again.
func (t *tally) add(r settled)    { t.each(r, -1, func(place int32) { t.count(place, 1) }) }
func (t *tally) remove(r settled) { t.each(r, -1, func(place int32) { t.count(place, -1) }) }

// change gives the row, which was counted, another value on an axis.
func (t *tally) change(r settled, axis int, point int32) {
	if t.strength == 2 {
		for _, q := range r { // with itself an axis has no combination, so never
			t.countPair(r[axis], q, -1)
		}
		r[axis] = point
		for _, q := range r {
			t.countPair(point, q, 1)
		}
		return
	}
	t.each(r, axis, func(place int32) { t.count(place, -1) })
	r[axis] = point
	t.each(r, axis, func(place int32) { t.count(place, 1) })
}

// gain is how many fewer would be missing after change.
func (t *tally) gain(r settled, axis int, point int32) int {
	if t.strength == 2 {
		return t.gainPairs(r, axis, point)
	}
	sum := 0
	was := r[axis]
	t.each(r, axis, func(place int32) {
		if t.n[place] == 1 {
			sum--
		}
	})
	r[axis] = point
	t.each(r, axis, func(place int32) {
		if t.n[place] == 0 {
			sum++
		}
	})
	r[axis] = was
	return sum
}

// gainPairs is where the search spends its time. The places of a point with
// another of its own axis count as never, so the axis itself needs no
// exception.
func (t *tally) gainPairs(r settled, axis int, point int32) int {
	before := t.n[r[axis]*t.points:][:t.points]
	after := t.n[point*t.points:][:t.points]
	sum := 0
	for _, q := range r {
		if before[q] == 1 {
			sum--
		}
		if after[q] == 0 {
			sum++
		}
	}
	return sum
}

// alone is how many combinations are in this row only.
func (t *tally) alone(r settled) int {
	sum := 0
	t.each(r, -1, func(place int32) {
		if t.n[place] == 1 {
			sum++
		}
	})
	return sum
}

// fresh is how many combinations the row would add.
func (t *tally) fresh(r settled) int {
	sum := 0
	t.each(r, -1, func(place int32) {
		if t.n[place] == 0 {
			sum++
		}
	})
	return sum
}
