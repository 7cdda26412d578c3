package cover

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// bound is a model of few rows, each of which can be asked of its constraints.
func bound(t *rapid.T) Model {
	m := plain(rapid.IntRange(1, 5).Draw(t, "axes"), rapid.IntRange(1, 3).Draw(t, "values"))
	for range rapid.IntRange(0, 9).Draw(t, "constraints") {
		var c Constraint
		for range rapid.IntRange(1, 3).Draw(t, "terms") {
			axis := rapid.SampledFrom(m.Axes).Draw(t, "axis")
			c.Forbid = append(c.Forbid, Term{Axis: axis.Name, Values: rapid.SliceOfN(rapid.SampledFrom(axis.Values), 0, 2).Draw(t, "of")})
		}
		m.Constraints = append(m.Constraints, c)
	}
	return m
}

// eachRow goes through all rows, valid or not.
func eachRow(s *space, yield func(settled)) {
	row := make(settled, len(s.axes))
	var from func(a int)
	from = func(a int) {
		if a == len(row) {
			yield(row)
			return
		}
		for i := range s.axes[a].count {
			row[a] = s.axes[a].first + i
			from(a + 1)
		}
	}
	from(0)
}

// TestPropertyBansMeanTheConstraints, row by row.
func TestPropertyBansMeanTheConstraints(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := bound(t)
		s, err := newSpace(m)
		if err != nil {
			t.Fatal(err)
		}
		eachRow(s, func(r settled) {
			names := m.Names(s.row(r))
			forbidden := slices.ContainsFunc(m.Constraints, func(c Constraint) bool {
				return !slices.ContainsFunc(c.Forbid, func(term Term) bool { return !slices.Contains(term.Values, names[term.Axis]) })
			})
			if (s.banned(r) >= 0) != forbidden {
				t.Errorf("%v: forbidden is %v, the ban is %d", names, forbidden, s.banned(r))
			}
			back, err := s.settled(s.row(r))
			if (err != nil) != forbidden || err == nil && !slices.Equal(back, r) {
				t.Errorf("%v comes back as %v, %v", r, back, err)
			}
		})
	})
}

// TestPropertySolver: it never takes away what a valid row needs, finds a row
// where there is one, and is afterwards as it was.
func TestPropertySolver(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s, err := newSpace(bound(t))
		if err != nil {
			t.Fatal(err)
		}
		var rows []settled
		eachRow(s, func(r settled) {
			if s.banned(r) < 0 {
				rows = append(rows, slices.Clone(r))
			}
		})
		v := newSolver(s)
		if v.dead && len(rows) > 0 {
			t.Fatalf("it says that there is no row, but %v is one", rows[0])
		}
		if v.dead {
			return
		}
		before := slices.Clone(v.domain)
		fixed := rapid.SliceOfN(rapid.Int32Range(0, int32(s.points)-1), 0, 3).Draw(t, "fixed")
		ok := true
		for _, p := range fixed {
			ok = ok && v.fix(p)
		}
		left := slices.DeleteFunc(slices.Clone(rows), func(r settled) bool {
			return slices.ContainsFunc(fixed, func(p int32) bool { return r[s.axisOf[p]] != p })
		})
		for _, r := range left {
			if slices.ContainsFunc(r, func(p int32) bool { return !v.allows(p) }) || !ok {
				t.Fatalf("%v has the fixed %v, and is no longer allowed", r, fixed)
			}
		}
		found := false
		if ok {
			found, err = v.complete(context.Background(), allAxes(s), v.points)
		}
		if err != nil || found != (len(left) > 0) {
			t.Fatalf("a row is found: %v (%v); there are %d", found, err, len(left))
		}
		if row := make(settled, len(s.axes)); found {
			v.settle(row)
			if !slices.ContainsFunc(left, func(r settled) bool { return slices.Equal(r, row) }) {
				t.Errorf("%v is not among %v", row, left)
			}
		}
		v.undo(0)
		if !slices.Equal(v.domain, before) || len(v.queue) > 0 || slices.Contains(v.queued, true) {
			t.Errorf("after undo the domains are %b, they were %b", v.domain, before)
		}
	})
}

func allAxes(s *space) []int32 {
	var all []int32
	for a := range s.axes {
		all = append(all, int32(a))
	}
	return all
}

// TestPropagation draws conclusions without trying anything.
func TestPropagation(t *testing.T) {
	m := plain(3, 3)
	m.Constraints = []Constraint{
		{Forbid: []Term{{Axis: "a0", Values: []string{"v0"}}, {Axis: "a1", Values: []string{"v0", "v2"}}}},
		{Forbid: []Term{{Axis: "a1", Values: []string{"v1"}}, {Axis: "a2", Values: []string{"v1"}}}},
		{Forbid: []Term{{Axis: "a1", Values: []string{"v1"}}, {Axis: "a2", Values: []string{"v2"}}}},
	}
	s, err := newSpace(m)
	if err != nil {
		t.Fatal(err)
	}
	v := newSolver(s)
	if !v.fix(0) {
		t.Fatal("a0=v0 is refused")
	}
	for axis, want := range map[int32][]int32{0: {0}, 1: {4}, 2: {6}} {
		if got := v.points(axis, nil); !slices.Equal(got, want) {
			t.Errorf("axis %d may be %v, should be %v", axis, got, want)
		}
	}
	if v.fix(7) || !v.fix(6) {
		t.Error("what was taken away can still be fixed, or what is left can not")
	}
}

// TestManyValues have more than one word for each axis.
func TestManyValues(t *testing.T) {
	m := plain(2, 200)
	m.Constraints = []Constraint{{Axes: []string{"a0", "a1"}, Forbids: func(v []string) bool {
		return len(v[0]) == len(v[1]) // digits
	}}}
	s, err := newSpace(m)
	if err != nil {
		t.Fatal(err)
	}
	v := newSolver(s)
	if !v.fix(199) { // a1 must not have three digits
		t.Fatal("a0=v199 is refused")
	}
	if got := v.points(1, nil); len(got) != 100 || got[0] != 200 || got[99] != 299 {
		t.Errorf("%d values are left, from %d to %d", len(got), got[0], got[len(got)-1])
	}
}

// TestTablesAreShort: a predicate that is about few values becomes few bans.
func TestTablesAreShort(t *testing.T) {
	m := plain(3, 50)
	asked := 0
	m.Constraints = []Constraint{{Axes: []string{"a2", "a0"}, Forbids: func(v []string) bool {
		asked++
		return strings.HasSuffix(v[0], "7") && v[1] != "v3"
	}}}
	s, err := newSpace(m)
	if err != nil {
		t.Fatal(err)
	}
	if len(s.bans) != 1 || asked != 50*50 {
		t.Errorf("%d bans from %d questions: %v", len(s.bans), asked, s.bans)
	}
	for text, want := range map[string]bool{"3 0 7": false, "4 0 7": true, "4 0 8": false, "0 9 47": true} {
		var r settled
		for a, word := range strings.Fields(text) {
			var v int32
			if _, err := fmt.Sscan(word, &v); err != nil {
				t.Fatal(err)
			}
			r = append(r, s.axes[a].first+v)
		}
		if (s.banned(r) == 0) != want {
			t.Errorf("%s: banned is %v, want %v", text, !want, want)
		}
	}
}
