package cover

import (
	"fmt"
	"math/bits"
	"slices"
)

// space is a model, compiled. Each value of each axis has a number of its own,
// its point; those of an axis follow each other.
type space struct {
	axes   []span
	points int
	axisOf []int32 // by point
	bans   []ban
	byAxis [][]int32 // the bans that have a term on the axis
	byBit  [][]int32 // by point: the bans with a term that holds for it
	weight []float64 // by point
	words  int       // of a domain
}

// span is where an axis has its points, and its words in a domain.
type span struct {
	first, count int32
	word, words  int32
}

// ban is a constraint in its only compiled form: no row may fulfil all terms.
type ban struct {
	terms []term // on different axes; none holds for all values
	rule  int    // place in Model.Constraints
}

type term struct {
	axis int32
	set  set // of values, not points
}

// settled is a row by its points, one for each axis.
type settled []int32

// set is a set of small numbers.
type set []uint64

func newSet(n int) set         { return make(set, (n+63)/64) }
func (s set) has(i int32) bool { return s[i>>6]>>(uint(i)&63)&1 == 1 }
func (s set) add(i int32)      { s[i>>6] |= 1 << (uint(i) & 63) }

func (s set) size() int {
	n := 0
	for _, w := range s {
		n += bits.OnesCount64(w)
	}
	return n
}

func (s set) common(o set) int {
	n := 0
	for i, w := range s {
		n += bits.OnesCount64(w & o[i])
	}
	return n
}

// maxPoints bounds a model: tables grow with a power of it.
const maxPoints = 4096

func newSpace(m Model) (*space, error) {
	if err := m.Validate(); err != nil {
		return nil, err
	}
	s := &space{}
	for a, axis := range m.Axes {
		sp := span{first: int32(s.points), count: int32(len(axis.Values)), word: int32(s.words), words: int32(len(newSet(len(axis.Values))))}
		s.axes = append(s.axes, sp)
		s.words += int(sp.words)
		for v := range axis.Values {
			s.axisOf = append(s.axisOf, int32(a))
			w := 1.0
			if axis.Weights != nil {
				w = axis.Weights[v]
			}
			s.weight = append(s.weight, w)
		}
		if s.points += len(axis.Values); s.points > maxPoints {
			return nil, fmt.Errorf("the axes have more than %d values; give fewer", maxPoints)
		}
	}
	for i, c := range m.Constraints {
		bans, err := s.compile(m, c)
		if err != nil {
			return nil, fmt.Errorf("constraint %d (%s): %w", i+1, c.Name, err)
		}
		for _, b := range bans {
			b.rule = i
			s.bans = append(s.bans, b)
		}
	}
	s.index()
	return s, nil
}

func (s *space) index() {
	s.byAxis = make([][]int32, len(s.axes))
	s.byBit = make([][]int32, s.points)
	for i, b := range s.bans {
		for _, t := range b.terms {
			s.byAxis[t.axis] = append(s.byAxis[t.axis], int32(i))
			for v := range s.axes[t.axis].count {
				if t.set.has(v) {
					p := s.axes[t.axis].first + v
					s.byBit[p] = append(s.byBit[p], int32(i))
				}
			}
		}
	}
}

func (s *space) compile(m Model, c Constraint) ([]ban, error) {
	if c.Forbids != nil {
		return s.tabulate(m, c)
	}
	b := ban{}
	for _, t := range c.Forbid {
		at := m.axis(t.Axis)
		held := newSet(len(m.Axes[at].Values))
		for _, v := range t.Values {
			held.add(int32(slices.Index(m.Axes[at].Values, v)))
		}
		b.require(int32(at), held)
	}
	return []ban{s.simplify(b)}, nil
}

// require adds a term; on an axis that has one already both must hold.
func (b *ban) require(axis int32, held set) {
	for _, t := range b.terms {
		if t.axis == axis {
			for i := range t.set {
				t.set[i] &= held[i]
			}
			return
		}
	}
	b.terms = append(b.terms, term{axis: axis, set: held})
}

// simplify drops the terms that always hold, and orders the others.
func (s *space) simplify(b ban) ban {
	b.terms = slices.DeleteFunc(b.terms, func(t term) bool { return t.set.size() == int(s.axes[t.axis].count) })
	slices.SortFunc(b.terms, func(x, y term) int { return int(x.axis - y.axis) })
	return b
}

// maxTable bounds how often a predicate is asked.
const maxTable = 1 << 20

// tabulate asks a predicate for all values of its axes, and writes down what
// it forbids as few bans: values for which the rest is the same go together.
func (s *space) tabulate(m Model, c Constraint) ([]ban, error) {
	t := table{space: s, model: m, rule: c, values: make([]string, len(c.Axes))}
	size := 1
	for _, name := range c.Axes {
		at := m.axis(name)
		t.axes = append(t.axes, int32(at))
		if size *= len(m.Axes[at].Values); size > maxTable {
			return nil, fmt.Errorf("its axes have more than %d combinations; give it fewer axes", maxTable)
		}
	}
	bans := t.from(0)
	for i := range bans {
		bans[i] = s.simplify(bans[i])
	}
	return bans, nil
}

type table struct {
	space  *space
	model  Model
	rule   Constraint
	axes   []int32
	values []string
}

// from returns the bans on the axes from depth on, those before being fixed.
func (t table) from(depth int) []ban {
	if depth == len(t.axes) {
		if t.rule.Forbids(t.values) {
			return []ban{{}}
		}
		return nil
	}
	names := t.model.Axes[t.axes[depth]].Values
	groups := map[string]int{}
	var rests [][]ban
	var sets []set
	for v, name := range names {
		t.values[depth] = name
		rest := t.from(depth + 1)
		if len(rest) == 0 {
			continue
		}
		key := fmt.Sprint(rest)
		at, known := groups[key]
		if !known {
			at = len(rests)
			groups[key] = at
			rests, sets = append(rests, rest), append(sets, newSet(len(names)))
		}
		sets[at].add(int32(v))
	}
	var all []ban
	for i, rest := range rests {
		for _, b := range rest {
			terms := append([]term{{axis: t.axes[depth], set: sets[i]}}, b.terms...)
			all = append(all, ban{terms: terms})
		}
	}
	return all
}

// settled turns a row of the caller into ours, and refuses one that is not valid.
func (s *space) settled(row Row) (settled, error) {
	if len(row) != len(s.axes) {
		return nil, fmt.Errorf("it has %d values, the model has %d axes", len(row), len(s.axes))
	}
	r := make(settled, len(row))
	for a, v := range row {
		if v < 0 || v >= int(s.axes[a].count) {
			return nil, fmt.Errorf("axis %d has no value %d", a, v)
		}
		r[a] = s.axes[a].first + int32(v)
	}
	if b := s.banned(r); b >= 0 {
		return nil, fmt.Errorf("constraint %d forbids it", s.bans[b].rule+1)
	}
	return r, nil
}

// banned is the first ban that the row violates, or -1.
func (s *space) banned(r settled) int {
	for i, b := range s.bans {
		if b.holds(s, r) {
			return i
		}
	}
	return -1
}

func (b ban) holds(s *space, r settled) bool {
	for _, t := range b.terms {
		if !t.set.has(r[t.axis] - s.axes[t.axis].first) {
			return false
		}
	}
	return true
}

// row is the opposite of settled.
func (s *space) row(r settled) Row {
	row := make(Row, len(r))
	for a, p := range r {
		row[a] = int(p - s.axes[a].first)
	}
	return row
}
