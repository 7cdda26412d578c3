package cover_test

import (
	"context"
	"errors"
	"math"
	"reflect"
	"strings"
	"testing"

	"github.com/qualify-dev/qualify/matrix/cover"
	"github.com/qualify-dev/qualify/matrix/cover/check"
)

func TestModelsThatAreWrong(t *testing.T) {
	never := func([]string) bool { return false }
	for want, change := range map[string]func(*cover.Model){
		"without axes":               func(m *cover.Model) { m.Axes = nil },
		`axis "a0" is there twice`:   func(m *cover.Model) { m.Axes[1].Name = "a0" },
		`axis "a1" has no values`:    func(m *cover.Model) { m.Axes[1].Values = nil },
		`has the value "v0" twice`:   func(m *cover.Model) { m.Axes[1].Values = []string{"v0", "v0"} },
		"3 values and 1 weights":     func(m *cover.Model) { m.Axes[1].Weights = []float64{1} },
		"weight -1, which":           func(m *cover.Model) { m.Axes[1].Weights = []float64{0, -1, 1} },
		"weight NaN":                 func(m *cover.Model) { m.Axes[1].Weights = []float64{0, math.NaN(), 1} },
		"constraint 1 (x): it needs": func(m *cover.Model) { m.Constraints = []cover.Constraint{{Name: "x"}} },
		"a predicate with its axes":  func(m *cover.Model) { m.Constraints = []cover.Constraint{{Forbids: never}} },
		"constraint 1 (): it needs ei": func(m *cover.Model) {
			m.Constraints = []cover.Constraint{{Axes: []string{"a0"}, Forbid: on("a0", "v0")}}
		},
		`there is no axis "b"`:             func(m *cover.Model) { m.Constraints = []cover.Constraint{{Forbid: on("b", "v0")}} },
		`axis "a0" has no value "w"`:       func(m *cover.Model) { m.Constraints = []cover.Constraint{{Forbid: on("a0", "w")}} },
		`there is no axis "c"`:             func(m *cover.Model) { m.Constraints = []cover.Constraint{{Axes: []string{"c"}, Forbids: never}} },
		`constraint 1 (): axis "a0" is th`: func(m *cover.Model) { m.Constraints = []cover.Constraint{{Axes: []string{"a0", "a0"}, Forbids: never}} },
	} {
		m := grid(3, 3)
		change(&m)
		for name, err := range map[string]error{
			"Validate": m.Validate(),
			"Walk":     cover.Walk(m, cover.Visitor{Valid: func(cover.Row) bool { return true }}),
			"Generate": generateError(m, cover.Options{Strength: 2}),
		} {
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%s: %v; want %q", name, err, want)
			}
		}
	}
	two := grid(3, 3)
	two.Axes[0].Values, two.Axes[2].Values = nil, nil
	if err := two.Validate(); err == nil || strings.Count(err.Error(), "has no values") != 2 {
		t.Errorf("not everything that is wrong is said: %v", err)
	}
}

func on(axis string, values ...string) []cover.Term {
	return []cover.Term{{Axis: axis, Values: values}}
}

func generateError(m cover.Model, o cover.Options) error {
	_, err := cover.Generate(context.Background(), m, o)
	return err
}

func TestGenerateRefuses(t *testing.T) {
	table := grid(3, 200)
	table.Constraints = []cover.Constraint{{Axes: []string{"a0", "a1", "a2"}, Forbids: func([]string) bool { return false }}}
	bound := grid(2, 2)
	bound.Constraints = []cover.Constraint{{Name: "b", Forbid: append(on("a0", "v0"), on("a1", "v1")...)}}
	for want, test := range map[string]struct {
		model   cover.Model
		options cover.Options
	}{
		"the strength is 0":     {grid(2, 2), cover.Options{}},
		"the strength is 4":     {grid(5, 2), cover.Options{Strength: 4}},
		"1048576 combinations":  {table, cover.Options{Strength: 2}},
		"more than 4096 values": {grid(2, 3000), cover.Options{Strength: 2}},
		"too many for strength": {grid(20, 100), cover.Options{Strength: 3}},
		"required row 1: it has 1 values, the model has 2 axes": {bound, cover.Options{Strength: 2, Required: []cover.Row{{0}}}},
		"required row 2: axis 1 has no value 2":                 {bound, cover.Options{Strength: 2, Required: []cover.Row{{0, 0}, {0, 2}}}},
		"required row 1: constraint 1 forbids it":               {bound, cover.Options{Strength: 2, Required: []cover.Row{{0, 1}}}},
	} {
		if err := generateError(test.model, test.options); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v; want %q", err, want)
		}
	}
}

// TestNothingIsValid, in the ways in which that can be known or found out.
func TestNothingIsValid(t *testing.T) {
	atOnce := grid(2, 2)
	atOnce.Constraints = []cover.Constraint{{Forbid: on("a0", "v0", "v1")}}
	asked := grid(2, 2)
	asked.Constraints = []cover.Constraint{{Axes: []string{"a1", "a0"}, Forbids: func([]string) bool { return true }}}
	searched := grid(3, 2) // three axes, two values, all different
	for _, pair := range [][2]string{{"a0", "a1"}, {"a0", "a2"}, {"a1", "a2"}} {
		for _, v := range []string{"v0", "v1"} {
			searched.Constraints = append(searched.Constraints, cover.Constraint{Forbid: append(on(pair[0], v), on(pair[1], v)...)})
		}
	}
	for name, m := range map[string]cover.Model{"at once": atOnce, "asked": asked, "searched": searched} {
		if err := generateError(m, cover.Options{Strength: 2}); !errors.Is(err, cover.ErrEmpty) {
			t.Errorf("%s: %v", name, err)
		}
		removed, rows := 0, 1<<len(m.Axes)
		err := cover.Walk(m, cover.Visitor{
			Valid:    func(row cover.Row) bool { t.Errorf("%s: %v is valid", name, row); return true },
			Excluded: func(_ cover.Row, _, n int) bool { removed += n; return true },
		})
		if err != nil || removed != rows {
			t.Errorf("%s: %d of %d rows are removed, %v", name, removed, rows, err)
		}
	}
}

func TestGenerateEndsWithItsContext(t *testing.T) {
	ended, end := context.WithCancel(context.Background())
	end()
	if _, err := cover.Generate(ended, grid(20, 4), cover.Options{Strength: 2}); !errors.Is(err, context.Canceled) {
		t.Errorf("it has not noticed that it was to end: %v", err)
	}
}

// TestUntilEndsTheSearchAlone: what there is by then is complete.
func TestUntilEndsTheSearchAlone(t *testing.T) {
	now := make(chan struct{})
	close(now)
	m := grid(20, 4)
	r, err := cover.Generate(context.Background(), m, cover.Options{Strength: 2, Until: now})
	if err != nil {
		t.Fatal(err)
	}
	if report, err := check.Verify(context.Background(), m, r.Rows, 2); err != nil || !report.OK() {
		t.Errorf("%+v, %v", report, err)
	}
	long, err := cover.Generate(context.Background(), m, cover.Options{Strength: 2})
	if err != nil || len(long.Rows) >= len(r.Rows) {
		t.Errorf("with a search %d rows, without %d, %v", len(long.Rows), len(r.Rows), err)
	}
}

// TestKnownOptima are sizes that are proved to be the least.
func TestKnownOptima(t *testing.T) {
	for _, test := range []struct{ axes, values, strength, rows int }{
		{4, 3, 2, 9},  // an orthogonal array
		{5, 4, 2, 16}, // so is this
		{2, 30, 2, 900},
		{10, 2, 2, 6},
		{4, 2, 3, 8},
		{6, 5, 1, 5},
		{1, 7, 2, 7}, // of fewer axes than that: all rows
	} {
		r, err := cover.Generate(context.Background(), grid(test.axes, test.values), cover.Options{Strength: test.strength})
		if err != nil || len(r.Rows) != test.rows {
			t.Errorf("%+v: %d rows, %v", test, len(r.Rows), err)
		}
	}
}

// TestRowsThatAddTheMostComeFirst, so that a run which is cut short has
// covered as much as it could.
func TestRowsThatAddTheMostComeFirst(t *testing.T) {
	m := kops()
	r, err := cover.Generate(context.Background(), m, cover.Options{Strength: 2})
	if err != nil {
		t.Fatal(err)
	}
	before, last := 0, math.MaxInt
	for i := range r.Rows {
		covered := len(tuples(m, r.Rows[:i+1], 2))
		if covered-before > last {
			t.Fatalf("row %d adds %d, the one before %d", i+1, covered-before, last)
		}
		before, last = covered, covered-before
	}
}

// TestWeightsDecideWhereNothingElseDoes: one long axis needs many rows, in
// which the short ones are free.
func TestWeightsDecideWhereNothingElseDoes(t *testing.T) {
	m := grid(3, 2)
	m.Axes[2] = cover.Axis{Name: "long", Values: strings.Fields("a b c d e f g h")}
	m.Axes[1] = cover.Axis{Name: "a1", Values: strings.Fields("x y z"), Weights: []float64{0, 5, 1}}
	m.Axes[0].Weights = []float64{1, 0}
	m.Constraints = []cover.Constraint{{Forbid: append(on("a0", "v1"), on("a1", "x", "z")...)}}
	r, err := cover.Generate(context.Background(), m, cover.Options{Strength: 1})
	if err != nil {
		t.Fatal(err)
	}
	has := map[string]int{}
	for _, row := range r.Rows {
		for axis, value := range m.Names(row) {
			has[axis+value]++
		}
	}
	if len(r.Rows) != 8 || has["a1x"] != 1 || has["a1z"] != 1 || has["a1y"] != 6 || has["a0v1"] != 1 {
		t.Errorf("%d rows have %v", len(r.Rows), has)
	}
}

func TestRowsByName(t *testing.T) {
	m := grid(2, 2)
	row, err := m.Row(map[string]string{"a1": "v1", "a0": "v0"})
	if err != nil || !reflect.DeepEqual(row, cover.Row{0, 1}) {
		t.Errorf("%v, %v", row, err)
	}
	for want, values := range map[string]map[string]string{
		`no value on axis "a1"`:       {"a0": "v0"},
		`axis "a1" has no value "v7"`: {"a0": "v0", "a1": "v7"},
		`there is no axis "b"`:        {"a0": "v0", "a1": "v0", "b": ""},
	} {
		if _, err := m.Row(values); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v; want %q", err, want)
		}
	}
}
