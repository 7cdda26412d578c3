package check

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/qualify-dev/qualify/matrix/cover"
)

// small is two systems, of which one has no old version.
func small() cover.Model {
	return cover.Model{
		Axes: []cover.Axis{{Name: "os", Values: []string{"a", "b"}}, {Name: "k8s", Values: []string{"1", "2"}}, {Name: "arch", Values: []string{"x", "y"}}},
		Constraints: []cover.Constraint{
			{Name: "old", Forbid: []cover.Term{{Axis: "os", Values: []string{"a"}}, {Axis: "k8s", Values: []string{"1"}}}},
			{Name: "odd", Axes: []string{"arch", "os"}, Forbids: func(v []string) bool { return v[0] == "y" && v[1] == "b" }},
		},
	}
}

func TestVerify(t *testing.T) {
	// The valid rows are these; a-1, b-y and with them 1-y are impossible.
	all := []cover.Row{{0, 1, 0}, {0, 1, 1}, {1, 0, 0}, {1, 1, 0}}
	for name, test := range map[string]struct {
		rows      []cover.Row
		covered   int
		uncovered []string
		problems  []string
	}{
		"all":       {rows: all, covered: 9},
		"a row few": {rows: all[1:], covered: 8, uncovered: []string{"os=a arch=x"}},
		"none":      {uncovered: []string{"os=a k8s=2", "os=b k8s=1", "os=b k8s=2", "os=a arch=x", "os=a arch=y", "os=b arch=x", "k8s=1 arch=x", "k8s=2 arch=x", "k8s=2 arch=y"}},
		"by terms":  {rows: append([]cover.Row{{0, 0, 0}}, all...), covered: 9, problems: []string{"row 1 is forbidden by constraint 1 (old)"}},
		"by asking": {rows: append([]cover.Row{{1, 1, 1}}, all...), covered: 9, problems: []string{"row 1 is forbidden by constraint 2 (odd)"}},
		"short":     {rows: append(all, cover.Row{0, 1}), covered: 9, problems: []string{"row 5 has 2 values, the model has 3 axes"}},
		"no value":  {rows: append(all, cover.Row{0, 1, 2}), covered: 9, problems: []string{`row 5: axis "arch" has no value 2`}},
		"negative":  {rows: append(all, cover.Row{-1, 1, 0}), covered: 9, problems: []string{`row 5: axis "os" has no value -1`}},
	} {
		m := small()
		r, err := Verify(context.Background(), m, test.rows, 2)
		if err != nil {
			t.Fatal(err)
		}
		var uncovered []string
		for _, tuple := range r.Uncovered {
			uncovered = append(uncovered, m.Text(tuple))
		}
		slices.Sort(uncovered)
		slices.Sort(test.uncovered)
		if r.Covered != test.covered || r.Impossible != 3 || !slices.Equal(uncovered, test.uncovered) || !slices.Equal(r.Problems, test.problems) {
			t.Errorf("%s: %+v, uncovered %q", name, r, uncovered)
		}
		if good := len(test.uncovered)+len(test.problems) == 0; r.OK() != good {
			t.Errorf("%s: OK is %v", name, r.OK())
		}
	}
}

func TestVerifyRefuses(t *testing.T) {
	axis := cover.Axis{Name: "a", Values: []string{"x"}}
	term := []cover.Term{{Axis: "a", Values: []string{"x"}}}
	for want, m := range map[string]cover.Model{
		"has no axes":                {},
		"twice, or without values":   {Axes: []cover.Axis{axis, axis}},
		"is there twice, or without": {Axes: []cover.Axis{{Name: "a"}}},
		"needs either":               {Axes: []cover.Axis{axis}, Constraints: []cover.Constraint{{}}},
		"needs either terms or":      {Axes: []cover.Axis{axis}, Constraints: []cover.Constraint{{Forbid: term, Forbids: func([]string) bool { return false }}}},
		`no axis "b"`:                {Axes: []cover.Axis{axis}, Constraints: []cover.Constraint{{Forbid: []cover.Term{{Axis: "b"}}}}},
	} {
		if _, err := Verify(context.Background(), m, nil, 1); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v; want %q", err, want)
		}
	}
	if _, err := Verify(context.Background(), small(), nil, 0); err == nil {
		t.Error("strength 0 proves nothing, and is accepted")
	}
	ended, end := context.WithCancel(context.Background())
	end()
	if _, err := Verify(ended, small(), nil, 2); err == nil {
		t.Error("it has not noticed that it was to end")
	}
}

// TestWhatIsNotDecidedIsAProblem: more pigeons than holes is easily said and
// hard to prove.
func TestWhatIsNotDecidedIsAProblem(t *testing.T) {
	var m cover.Model
	for p := range 6 {
		m.Axes = append(m.Axes, cover.Axis{Name: fmt.Sprint("pigeon", p), Values: strings.Fields("1 2 3 4 5")})
		for q := range p {
			for _, hole := range m.Axes[0].Values {
				m.Constraints = append(m.Constraints, cover.Constraint{Forbid: []cover.Term{
					{Axis: m.Axes[p].Name, Values: []string{hole}}, {Axis: m.Axes[q].Name, Values: []string{hole}},
				}})
			}
		}
	}
	r, err := verify(context.Background(), m, nil, 1, 3)
	if err != nil || len(r.Problems) != 30 || !strings.Contains(r.Problems[0], "could not be decided whether a valid row has pigeon0=1") || r.OK() {
		t.Errorf("with few steps: %+v, %v", r, err)
	}
	r, err = Verify(context.Background(), m, nil, 1)
	if err != nil || r.Impossible != 30 || !r.OK() {
		t.Errorf("with many steps: %+v, %v", r, err)
	}
}

// TestDeadEndsAreLeftAsTheyWereEntered: with e=2 the proof tries a=1, which
// takes values from b and c before it fails, and a=2 needs those.
func TestDeadEndsAreLeftAsTheyWereEntered(t *testing.T) {
	var m cover.Model
	for _, name := range strings.Fields("a b c e") {
		m.Axes = append(m.Axes, cover.Axis{Name: name, Values: strings.Fields("1 2")})
	}
	for _, pair := range []string{"a1 b1", "a1 c1", "b2 c2", "a2 c2", "a1 e1"} {
		c := cover.Constraint{Name: pair}
		for word := range strings.FieldsSeq(pair) {
			c.Forbid = append(c.Forbid, cover.Term{Axis: word[:1], Values: []string{word[1:]}})
		}
		m.Constraints = append(m.Constraints, c)
	}
	r, err := Verify(context.Background(), m, nil, 1)
	if err != nil || len(r.Uncovered) != 6 || r.Impossible != 2 {
		t.Errorf("a=2, c=1 and all else are possible; it says %+v, %v", r, err)
	}
}

// TestPropertyAgreesWithAllRows compares with looking at every row, for rows
// drawn from all there are, good and bad.
func TestPropertyAgreesWithAllRows(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var m cover.Model
		rows := []cover.Row{nil}
		for a := range rapid.IntRange(1, 5).Draw(t, "axes") {
			axis := cover.Axis{Name: fmt.Sprint("axis", a), Values: strings.Fields("x y z")[:rapid.IntRange(1, 3).Draw(t, "values")]}
			m.Axes = append(m.Axes, axis)
			var longer []cover.Row
			for _, row := range rows {
				for v := range axis.Values {
					longer = append(longer, append(slices.Clone(row), v))
				}
			}
			rows = longer
		}
		type literal struct{ axis, value int }
		var forbidden [][]literal
		for range rapid.IntRange(0, 6).Draw(t, "constraints") {
			var all []literal
			var c cover.Constraint
			for range rapid.IntRange(1, 3).Draw(t, "terms") {
				a := rapid.IntRange(0, len(m.Axes)-1).Draw(t, "axis")
				v := rapid.IntRange(0, len(m.Axes[a].Values)-1).Draw(t, "value")
				all = append(all, literal{a, v})
				c.Forbid = append(c.Forbid, cover.Term{Axis: m.Axes[a].Name, Values: m.Axes[a].Values[v : v+1]})
			}
			forbidden, m.Constraints = append(forbidden, all), append(m.Constraints, c)
		}
		isValid := func(row cover.Row) bool {
			return !slices.ContainsFunc(forbidden, func(all []literal) bool {
				return !slices.ContainsFunc(all, func(l literal) bool { return row[l.axis] != l.value })
			})
		}
		given := rapid.SliceOfN(rapid.SampledFrom(rows), 0, 8).Draw(t, "given")
		pairs := func(rows []cover.Row) map[string]bool {
			has := map[string]bool{}
			for _, row := range rows {
				for a := range row {
					for b := range a {
						has[fmt.Sprint(b, row[b], a, row[a])] = isValid(row) || has[fmt.Sprint(b, row[b], a, row[a])]
					}
				}
				if len(row) == 1 {
					has[fmt.Sprint(row)] = isValid(row)
				}
			}
			return has
		}
		count := func(has map[string]bool) (n int) {
			for _, valid := range has {
				if valid {
					n++
				}
			}
			return n
		}
		r, err := Verify(context.Background(), m, given, 2)
		if err != nil {
			t.Fatal(err)
		}
		possible, covered, all := count(pairs(rows)), count(pairs(given)), len(pairs(rows))
		if r.Covered != covered || len(r.Uncovered) != possible-covered || r.Impossible != all-possible {
			t.Errorf("%d covered of %d possible of %d; it says %+v", covered, possible, all, r)
		}
		if bad := slices.ContainsFunc(given, func(row cover.Row) bool { return !isValid(row) }); bad != (len(r.Problems) > 0) {
			t.Errorf("some rows are not valid: %v; it says %q", bad, r.Problems)
		}
	})
}
