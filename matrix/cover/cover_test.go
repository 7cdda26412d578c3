package cover_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/qualify-dev/qualify/matrix/cover"
	"github.com/qualify-dev/qualify/matrix/cover/check"
)

// randomModel has axes of few values, so that all rows can be looked at.
func randomModel(t *rapid.T) cover.Model {
	var m cover.Model
	for a := range rapid.IntRange(1, 6).Draw(t, "axes") {
		axis := cover.Axis{Name: fmt.Sprintf("axis%d", a)}
		for v := range rapid.IntRange(1, 4).Draw(t, "values") {
			axis.Values = append(axis.Values, fmt.Sprintf("v%d", v))
		}
		if rapid.Bool().Draw(t, "weighted") {
			axis.Weights = rapid.SliceOfN(rapid.Float64Range(0, 9), len(axis.Values), len(axis.Values)).Draw(t, "weights")
		}
		m.Axes = append(m.Axes, axis)
	}
	for i := range rapid.IntRange(0, 8).Draw(t, "constraints") {
		c := cover.Constraint{Name: fmt.Sprintf("rule%d", i)}
		if rapid.IntRange(0, 3).Draw(t, "kind") == 0 {
			c = randomPredicate(t, m, c)
		} else {
			for range rapid.IntRange(1, 3).Draw(t, "terms") {
				axis := rapid.SampledFrom(m.Axes).Draw(t, "axis")
				c.Forbid = append(c.Forbid, cover.Term{Axis: axis.Name, Values: rapid.SliceOfN(rapid.SampledFrom(axis.Values), 1, 2).Draw(t, "of")})
			}
		}
		m.Constraints = append(m.Constraints, c)
	}
	return m
}

func randomPredicate(t *rapid.T, m cover.Model, c cover.Constraint) cover.Constraint {
	seed := rapid.Uint64().Draw(t, "seed")
	axes := rapid.SliceOfNDistinct(rapid.SampledFrom(m.Axes), 1, min(3, len(m.Axes)), func(a cover.Axis) string { return a.Name }).Draw(t, "over")
	for _, a := range axes {
		c.Axes = append(c.Axes, a.Name)
	}
	c.Forbids = func(values []string) bool {
		h := seed
		for _, v := range strings.Join(values, " ") {
			h = h*31 + uint64(v)
		}
		return rand.New(rand.NewPCG(h, 1)).IntN(4) == 0
	}
	return c
}

// valid lists the valid rows of a small model, by the meaning of constraints.
func valid(m cover.Model) []cover.Row {
	rows := []cover.Row{{}}
	for _, axis := range m.Axes {
		var longer []cover.Row
		for _, row := range rows {
			for v := range axis.Values {
				longer = append(longer, append(slices.Clone(row), v))
			}
		}
		rows = longer
	}
	return slices.DeleteFunc(rows, func(row cover.Row) bool {
		names := m.Names(row)
		return slices.ContainsFunc(m.Constraints, func(c cover.Constraint) bool {
			if c.Forbids != nil {
				var values []string
				for _, a := range c.Axes {
					values = append(values, names[a])
				}
				return c.Forbids(values)
			}
			return !slices.ContainsFunc(c.Forbid, func(term cover.Term) bool { return !slices.Contains(term.Values, names[term.Axis]) })
		})
	})
}

// tuples of rows, as text.
func tuples(m cover.Model, rows []cover.Row, strength int) map[string]bool {
	all := map[string]bool{}
	for _, row := range rows {
		var from func(a int, t cover.Tuple)
		from = func(a int, t cover.Tuple) {
			if len(t) == strength {
				all[m.Text(t)] = true
				return
			}
			for ; a < len(row); a++ {
				from(a+1, append(slices.Clone(t), cover.Setting{Axis: a, Value: row[a]}))
			}
		}
		from(0, nil)
	}
	return all
}

// TestPropertyEveryPossibleTupleIsCovered compares with all valid rows, which
// neither the generator nor the checker looks at.
func TestPropertyEveryPossibleTupleIsCovered(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := randomModel(t)
		strength := rapid.IntRange(1, 3).Draw(t, "strength")
		all := valid(m)
		o := cover.Options{Strength: strength, Seed: rapid.Uint64().Draw(t, "seed")}
		if len(all) > 0 {
			o.Required = rapid.SliceOfN(rapid.SampledFrom(all), 0, 3).Draw(t, "required")
		}
		r, err := cover.Generate(context.Background(), m, o)
		if len(all) == 0 {
			if !errors.Is(err, cover.ErrEmpty) {
				t.Fatalf("no row is valid, and the error is %v", err)
			}
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		want, got := tuples(m, all, min(strength, len(m.Axes))), tuples(m, r.Rows, r.Strength)
		for tuple := range want {
			if !got[tuple] {
				t.Errorf("%s is not covered", tuple)
			}
		}
		if len(got) != len(want) || r.Covered != len(want) {
			t.Errorf("%d possible, %d in the rows, %d said to be covered", len(want), len(got), r.Covered)
		}
		for _, impossible := range r.Impossible {
			if want[m.Text(impossible)] {
				t.Errorf("%s is said to be impossible", m.Text(impossible))
			}
		}
		for i, row := range unique(o.Required) {
			if !slices.Equal(r.Rows[i], row) {
				t.Errorf("row %d is %v, required is %v", i+1, r.Rows[i], row)
			}
		}
		if len(r.Rows) < r.Bound || len(r.Rows) > len(all) {
			t.Errorf("%d rows of %d valid ones, at least %d", len(r.Rows), len(all), r.Bound)
		}
		agree(t, m, r)
	})
}

// unique leaves out what comes again.
func unique(rows []cover.Row) []cover.Row {
	var first []cover.Row
	for _, row := range rows {
		if !slices.ContainsFunc(first, func(r cover.Row) bool { return slices.Equal(r, row) }) {
			first = append(first, row)
		}
	}
	return first
}

// agree holds the checker against the same rows, and against fewer.
func agree(t *rapid.T, m cover.Model, r *cover.Result) {
	report, err := check.Verify(context.Background(), m, r.Rows, r.Strength)
	if err != nil || !report.OK() || report.Covered != r.Covered || report.Impossible != len(r.Impossible) {
		t.Fatalf("the checker says %+v, %v", report, err)
	}
	fewer := tuples(m, r.Rows[1:], r.Strength)
	report, err = check.Verify(context.Background(), m, r.Rows[1:], r.Strength)
	if err != nil || len(report.Uncovered) != r.Covered-len(fewer) || report.Covered != len(fewer) {
		t.Fatalf("without a row %d of %d are covered, and the checker says %+v, %v", len(fewer), r.Covered, report, err)
	}
}
