package cover

import (
	"errors"
	"fmt"
	"math"
)

// Visitor is told what Walk meets. Its functions return whether to go on.
type Visitor struct {
	// Valid is called with each valid row. The row is used again for the next
	// one; clone what is to be kept.
	Valid func(row Row) bool
	// Excluded, if not nil, is called for each group of rows that a constraint
	// removes: how many there are, which all begin with the same values on the
	// first axes, and the constraint's place in the model. Of several the first
	// is named, among those that these axes decide. The numbers of rows add up,
	// with the valid ones, to the product of the axes.
	Excluded func(begin Row, constraint int, rows int) bool
}

// Walk visits all rows of a model in order, the last axis varying fastest, and
// keeps none. As soon as the axes of a constraint have their values, everything
// it removes is left out at once and never enumerated.
func Walk(m Model, v Visitor) error {
	s, err := newSpace(m)
	if err != nil {
		return fmt.Errorf("walking: %w", err)
	}
	w := &walk{space: s, visit: v, row: make(Row, len(s.axes)), below: make([]int, len(s.axes))}
	rows := 1
	for a := len(s.axes) - 1; a >= 0; a-- {
		w.below[a] = rows
		count := int(s.axes[a].count)
		if rows > math.MaxInt/count {
			return errors.New("walking: the axes have more rows than can be counted; select fewer values")
		}
		rows *= count
	}
	w.prepare()
	for _, b := range s.bans {
		if len(b.terms) == 0 {
			if v.Excluded != nil {
				v.Excluded(w.row[:0], b.rule, rows)
			}
			return nil
		}
	}
	w.from(0)
	return nil
}

type walk struct {
	*space
	visit   Visitor
	row     Row
	below   []int     // by axis: how many rows begin with the same values up to it
	decided [][]int32 // by axis: the bans of which it is the last one
	removed [][]int32 // by axis and value: the rule that removes it here, plus one
}

func (w *walk) prepare() {
	w.decided = make([][]int32, len(w.axes))
	for i, b := range w.bans {
		if n := len(b.terms); n > 0 {
			last := b.terms[n-1].axis
			w.decided[last] = append(w.decided[last], int32(i))
		}
	}
	for _, sp := range w.axes {
		w.removed = append(w.removed, make([]int32, sp.count))
	}
}

// from walks the axes that are left. Constraints are asked once for all values
// of an axis, not for each.
func (w *walk) from(axis int) bool {
	if axis == len(w.row) {
		return w.visit.Valid(w.row)
	}
	removed := w.removed[axis]
	clear(removed)
	for _, b := range w.decided[axis] {
		w.remove(axis, &w.bans[b])
	}
	for v := range removed {
		w.row[axis] = v
		switch rule := w.removed[axis][v]; {
		case rule == 0:
			if !w.from(axis + 1) {
				return false
			}
		case w.visit.Excluded != nil:
			if !w.visit.Excluded(w.row[:axis+1], int(rule)-1, w.below[axis]) {
				return false
			}
		}
	}
	return true
}

// remove marks the values of the axis that a ban forbids, if its other terms
// hold. The first rule in order wins, as bans are in their order.
func (w *walk) remove(axis int, b *ban) {
	last := len(b.terms) - 1
	for i := range last {
		if t := &b.terms[i]; !t.set.has(int32(w.row[t.axis])) {
			return
		}
	}
	for v := range w.removed[axis] {
		if w.removed[axis][v] == 0 && b.terms[last].set.has(int32(v)) {
			w.removed[axis][v] = int32(b.rule) + 1
		}
	}
}
