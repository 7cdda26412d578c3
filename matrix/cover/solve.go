package cover

import (
	"context"
	"math/bits"
)

// solver fixes the values of one row, axis by axis, and takes away at once
// what the constraints then no longer allow. Every step can be taken back.
type solver struct {
	*space
	domain []uint64 // what is left for each axis
	left   []int32  // how many values are
	trail  []change
	queue  []int32 // axes that lost values
	queued []bool
	dead   bool // the empty row is forbidden already
}

type change struct {
	word int32
	axis int32
	was  uint64
	left int32
}

func newSolver(s *space) *solver {
	v := &solver{space: s, domain: make([]uint64, s.words), left: make([]int32, len(s.axes)), queued: make([]bool, len(s.axes))}
	for a, sp := range s.axes {
		v.left[a] = sp.count
		for i := range sp.count {
			v.domainOf(int32(a)).add(i)
		}
	}
	for i := range s.bans {
		v.dead = v.dead || !v.apply(int32(i))
	}
	v.dead = v.dead || !v.propagate()
	v.trail = v.trail[:0]
	return v
}

func (v *solver) domainOf(axis int32) set {
	sp := v.axes[axis]
	return v.domain[sp.word : sp.word+sp.words]
}

func (v *solver) allows(point int32) bool {
	axis := v.axisOf[point]
	return v.domainOf(axis).has(point - v.axes[axis].first)
}

// fix gives the point's axis its value, and draws the conclusions. It returns
// false if no row is left; undo is for the caller, in either case.
func (v *solver) fix(point int32) bool {
	axis := v.axisOf[point]
	if !v.allows(point) {
		return false
	}
	if v.left[axis] == 1 {
		return true
	}
	only := v.axes[axis]
	at := point - only.first
	for i := range only.words {
		keep := uint64(0)
		if i == at>>6 {
			keep = 1 << (uint(at) & 63)
		}
		v.keep(axis, only.word+i, keep)
	}
	return v.propagate()
}

// keep leaves of one word of an axis what is in the mask.
func (v *solver) keep(axis, word int32, mask uint64) {
	was := v.domain[word]
	if was&^mask == 0 {
		return
	}
	v.trail = append(v.trail, change{word: word, axis: axis, was: was, left: v.left[axis]})
	v.domain[word] = was & mask
	v.left[axis] -= int32(bits.OnesCount64(was &^ mask))
	if !v.queued[axis] {
		v.queued[axis] = true
		v.queue = append(v.queue, axis)
	}
}

func (v *solver) propagate() bool {
	ok := true
	for len(v.queue) > 0 {
		axis := v.queue[len(v.queue)-1]
		v.queue = v.queue[:len(v.queue)-1]
		v.queued[axis] = false
		for _, b := range v.byAxis[axis] {
			if !ok {
				break
			}
			ok = v.apply(b)
		}
	}
	return ok
}

// apply looks at one ban: if all of its terms but one are certain to hold, the
// last must not. It returns false if all are certain.
func (v *solver) apply(b int32) bool {
	var open *term
	terms := v.bans[b].terms
	for i := range terms {
		t := &terms[i]
		switch both := int32(v.domainOf(t.axis).common(t.set)); {
		case both == 0:
			return true
		case both == v.left[t.axis]:
		case open != nil:
			return true
		default:
			open = t
		}
	}
	if open == nil {
		return false
	}
	for i, w := range open.set {
		v.keep(open.axis, v.axes[open.axis].word+int32(i), ^w)
	}
	return true
}

// undo goes back to when the trail had this length.
func (v *solver) undo(to int) {
	for i := len(v.trail) - 1; i >= to; i-- {
		c := v.trail[i]
		v.domain[c.word] = c.was
		v.left[c.axis] = c.left
	}
	v.trail = v.trail[:to]
}

// ranking puts the values that an axis may still have in the order in which
// they are to be tried. It is given room, and returns what it filled of it.
type ranking func(axis int32, room []int32) []int32

// complete fixes all axes that are open, in this order, going back where it
// gets stuck. It returns false if no row is left, and the context's error if
// that ends first. What was fixed stays so until undo.
func (v *solver) complete(ctx context.Context, order []int32, rank ranking) (bool, error) {
	for len(order) > 0 && v.left[order[0]] == 1 {
		order = order[1:]
	}
	if len(order) == 0 {
		return true, nil
	}
	mark := len(v.trail)
	var room [16]int32
	for _, p := range rank(order[0], room[:0]) {
		if v.fix(p) {
			if done, err := v.complete(ctx, order[1:], rank); done || err != nil {
				return done, err
			}
		}
		v.undo(mark)
		if err := ctx.Err(); err != nil {
			return false, err
		}
	}
	return false, nil
}

// settle reads the row off, once complete has found it.
func (v *solver) settle(into settled) {
	for a, sp := range v.axes {
		for i, w := range v.domain[sp.word : sp.word+sp.words] {
			if w != 0 {
				into[a] = sp.first + int32(i*64+bits.TrailingZeros64(w))
			}
		}
	}
}

// points appends the values that are left on an axis.
func (v *solver) points(axis int32, to []int32) []int32 {
	sp := v.axes[axis]
	for i, w := range v.domain[sp.word : sp.word+sp.words] {
		for ; w != 0; w &= w - 1 {
			to = append(to, sp.first+int32(i*64+bits.TrailingZeros64(w)))
		}
	}
	return to
}
