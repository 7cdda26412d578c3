package cover_test

import (
	"fmt"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/qualify-dev/qualify/matrix/cover"
)

// TestPropertyWalkVisitsValidRowsInOrder, and tells of every other row which
// constraint removes it.
func TestPropertyWalkVisitsValidRowsInOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := randomModel(t)
		product := 1
		for _, a := range m.Axes {
			product *= len(a.Values)
		}
		var got []cover.Row
		removed := 0
		err := cover.Walk(m, cover.Visitor{
			Valid: func(row cover.Row) bool {
				got = append(got, slices.Clone(row))
				return true
			},
			Excluded: func(begin cover.Row, constraint, rows int) bool {
				removed += rows
				alone := cover.Model{Axes: m.Axes, Constraints: m.Constraints[constraint : constraint+1]}
				for _, row := range valid(alone) {
					if slices.Equal(row[:len(begin)], begin) {
						t.Errorf("%v is said to be removed by %+v, which allows %v", begin, m.Constraints[constraint], row)
					}
				}
				return true
			},
		})
		if err != nil {
			t.Fatal(err)
		}
		if want := valid(m); !slices.EqualFunc(got, want, slices.Equal) {
			t.Errorf("visited %v, valid are %v", got, want)
		}
		if len(got)+removed != product {
			t.Errorf("%d valid and %d removed are not %d rows", len(got), removed, product)
		}
	})
}

func TestWalkStops(t *testing.T) {
	m := grid(3, 4)
	m.Constraints = []cover.Constraint{{Name: "x", Forbid: []cover.Term{{Axis: "a1", Values: []string{"v2"}}}}}
	visits := 0
	stop := func() bool { visits++; return visits < 3 }
	if err := cover.Walk(m, cover.Visitor{Valid: func(cover.Row) bool { return stop() }}); err != nil || visits != 3 {
		t.Errorf("%d visits, %v", visits, err)
	}
	visits = 0
	err := cover.Walk(m, cover.Visitor{
		Valid:    func(cover.Row) bool { return true },
		Excluded: func(cover.Row, int, int) bool { return stop() },
	})
	if err != nil || visits != 3 {
		t.Errorf("%d visits to what is excluded, %v", visits, err)
	}
}

// TestWalkNamesTheFirst of the constraints that remove the same rows.
func TestWalkNamesTheFirst(t *testing.T) {
	m := grid(2, 2)
	for _, values := range [][]string{{"v1"}, {"v0", "v1"}} {
		m.Constraints = append(m.Constraints, cover.Constraint{Forbid: []cover.Term{{Axis: "a0", Values: []string{"v0"}}, {Axis: "a1", Values: values}}})
	}
	var named []int
	err := cover.Walk(m, cover.Visitor{
		Valid:    func(cover.Row) bool { return true },
		Excluded: func(_ cover.Row, constraint, _ int) bool { named = append(named, constraint); return true },
	})
	if err != nil || !slices.Equal(named, []int{1}) {
		t.Errorf("named are %v, %v", named, err)
	}
	m.Constraints[1].Forbid = m.Constraints[1].Forbid[1:] // no longer decided by the first axis
	m.Constraints[1].Forbid[0].Values = []string{"v1"}
	named = nil
	err = cover.Walk(m, cover.Visitor{
		Valid:    func(cover.Row) bool { return true },
		Excluded: func(_ cover.Row, constraint, _ int) bool { named = append(named, constraint); return true },
	})
	if err != nil || !slices.Equal(named, []int{0, 1}) {
		t.Errorf("named are %v, %v", named, err)
	}
}

func TestWalkRefusesWhatCannotBeCounted(t *testing.T) {
	if err := cover.Walk(grid(40, 4), cover.Visitor{Valid: func(cover.Row) bool { return false }}); err == nil {
		t.Error("4^40 rows were counted")
	}
}

// grid is a model of axes a0, a1, … that each have the values v0, v1, …
func grid(axes, values int) cover.Model {
	var m cover.Model
	for a := range axes {
		axis := cover.Axis{Name: fmt.Sprintf("a%d", a)}
		for v := range values {
			axis.Values = append(axis.Values, fmt.Sprintf("v%d", v))
		}
		m.Axes = append(m.Axes, axis)
	}
	return m
}
