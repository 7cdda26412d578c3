package run

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/qualify-dev/qualify/internal/release"
	"github.com/qualify-dev/qualify/internal/result"
	"github.com/qualify-dev/qualify/matrix"
	"github.com/qualify-dev/qualify/suites"
)

// dividing has a suite of n cases that can be divided, and one that cannot.
func dividing(t *testing.T, n int, divide func(names []string, clusters int) [][]string) *world {
	w := newWorld(t)
	large := suiteOf("large", pass)
	var names []string
	for i := range n {
		names = append(names, fmt.Sprintf("case %d", i))
	}
	large.Modes = []suites.Mode{{
		Name: "all", Expect: func(*release.Release) ([]string, error) { return names, nil },
		Divide: func(_ *release.Release, names []string, clusters int) ([][]string, error) {
			return divide(names, clusters), nil
		},
	}}
	w.suites = append(w.suites, large)
	return w
}

// inTurn deals names like cards.
func inTurn(names []string, clusters int) [][]string {
	parts := make([][]string, clusters)
	for i, name := range names {
		parts[i%clusters] = append(parts[i%clusters], name)
	}
	return parts
}

func divided(t *testing.T, w *world, clusters int) (Plan, error) {
	t.Helper()
	c := w.compilation()
	plan, err := Compile(c)
	if err != nil {
		t.Fatal(err)
	}
	return plan.Divided(clusters, c.Releases, c.Suite)
}

// No case is lost between the parts, and what cannot be divided is whole in
// each.
func TestDivided(t *testing.T) {
	for _, test := range []struct{ cases, clusters, parts int }{{7, 3, 3}, {7, 1, 1}, {2, 5, 2}, {1, 2, 1}} {
		w := dividing(t, test.cases, inTurn)
		w.systems = []string{"debian-12", "ubuntu-24.04"}
		plan, err := divided(t, w, test.clusters)
		if err != nil {
			t.Fatal(err)
		}
		if err := plan.Check(); err != nil {
			t.Error(err)
		}
		if err := plan.wholeCells(); err != nil {
			t.Error(err)
		}
		if len(plan.Cells) != 2*test.parts {
			t.Errorf("%+v: %d cells", test, len(plan.Cells))
		}
		shown := map[string]int{}
		for _, cell := range plan.Cells {
			if matrix.NewCell(cell.Values).ID != cell.ID {
				t.Errorf("cell %s is not named by its values %v", cell.ID, cell.Values)
			}
			for _, s := range cell.Suites {
				if s.Name == "tiny" && !slices.Equal(s.Expected, expected()) {
					t.Errorf("%s: the suite that cannot be divided has %q", cell.ID, s.Expected)
				}
				for _, name := range s.Expected {
					shown[cell.Values[matrix.OS]+" "+s.Name+" "+name]++
				}
			}
		}
		for name, times := range shown {
			if strings.Contains(name, " large ") && times != 1 {
				t.Errorf("%+v: %s is in %d parts", test, name, times)
			}
		}
		if len(shown) != 2*(test.cases+len(expected())) {
			t.Errorf("%+v: %d cases", test, len(shown))
		}
	}
}

func TestDividedErrors(t *testing.T) {
	for name, test := range map[string]struct {
		divide func([]string, int) [][]string
		change func(*world, *Plan)
		want   string
	}{
		"a case is lost":  {func(names []string, _ int) [][]string { return [][]string{names[1:]} }, nil, "2 cases, and it has 3"},
		"a case is twice": {func(names []string, _ int) [][]string { return [][]string{names, names[:1]} }, nil, "4 cases, and it has 3"},
		"a case is new":   {func(names []string, _ int) [][]string { return [][]string{names[1:], {"mine"}, {"yours"}} }, nil, "4 cases, and it has 3"},
		"another instead": {func(names []string, _ int) [][]string { return [][]string{names[1:], {"mine"}} }, nil, "cases"},
		"cut down":        {inTurn, func(_ *world, p *Plan) { p.Cells[0].Suites[1].Focus = "x" }, "it is cut down"},
		"nothing to do":   {inTurn, func(w *world, p *Plan) { p.Cells[0].Suites = p.Cells[0].Suites[:1] }, "none of its suites"},
		"an axis":         {inTurn, func(w *world, p *Plan) { p.Cells[0].Values[matrix.Part] = "left" }, "call it otherwise"},
	} {
		w := dividing(t, 3, test.divide)
		c := w.compilation()
		plan, err := Compile(c)
		if err != nil {
			t.Fatal(err)
		}
		if test.change != nil {
			test.change(w, &plan)
		}
		if _, err := plan.Divided(2, c.Releases, c.Suite); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: error %v, want %q in it", name, err, test.want)
		}
	}
}

// A saved plan is divided when it is run, and the plan of that run again in the
// same way.
func TestAdoptDivided(t *testing.T) {
	w := dividing(t, 7, inTurn)
	saved := drafted(t, w)
	saved.Clusters = 3
	saved, err := saved.Sealed()
	if err != nil {
		t.Fatal(err)
	}
	c := w.compilation()
	c.Cells, c.Suites = nil, nil
	plan, err := Adopt(saved, c)
	if err != nil {
		t.Fatal(err)
	}
	if len(plan.Cells) != 3 || !plan.Cells[2].Required || plan.Clusters != 3 {
		t.Fatalf("plan %+v", plan)
	}
	again, err := Adopt(reread(t, plan), c)
	if err != nil {
		t.Fatal(err)
	}
	for i := range plan.Cells {
		if again.Cells[i].ID != plan.Cells[i].ID || !slices.Equal(again.Cells[i].Suites[1].Expected, plan.Cells[i].Suites[1].Expected) {
			t.Errorf("part %d: %+v, want %+v", i, again.Cells[i], plan.Cells[i])
		}
	}
	for name, test := range map[string]struct {
		change func(*Plan)
		want   string
	}{
		"a part is missing":      {func(p *Plan) { p.Cells = p.Cells[:2] }, "is not in the plan"},
		"a part that is none":    {func(p *Plan) { rename(&p.Cells[0], "1of3x") }, "is no part of 3"},
		"a part of more":         {func(p *Plan) { rename(&p.Cells[0], "1of9") }, "is no part of 3"},
		"a part beyond the last": {func(p *Plan) { rename(&p.Cells[0], "4of3") }, "is no part of 3"},
		"another division": {func(p *Plan) {
			a, b := p.Cells[0].Suites, p.Cells[1].Suites
			p.Cells[0].Suites, p.Cells[1].Suites = b, a
		}, "other cases now"},
		"negative": {func(p *Plan) { p.Clusters = -1 }, "cannot be negative"},
	} {
		spoilt := reread(t, plan)
		test.change(&spoilt)
		if spoilt, err = spoilt.Sealed(); err != nil {
			t.Fatal(err)
		}
		if _, err := Adopt(spoilt, c); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: error %v, want %q in it", name, err, test.want)
		}
	}
}

func rename(c *PlanCell, part string) {
	c.Values[matrix.Part] = part
	c.ID = matrix.NewCell(c.Values).ID
}

func reread(t *testing.T, p Plan) Plan {
	t.Helper()
	data, err := json.Marshal(p)
	if err != nil {
		t.Fatal(err)
	}
	var read Plan
	if err := json.Unmarshal(data, &read); err != nil {
		t.Fatal(err)
	}
	return read
}

// The verdict is on all parts: what one lacks, no other makes good.
func TestPartsAreJudgedTogether(t *testing.T) {
	for _, lazy := range []bool{false, true} {
		w := dividing(t, 7, inTurn)
		if lazy {
			w.suites[1].Run = func(ctx context.Context, env suites.Env, emit func(result.Case)) error {
				env.Expected = slices.DeleteFunc(slices.Clone(env.Expected), func(name string) bool { return name == "case 4" })
				return pass(ctx, env, emit)
			}
		}
		w.clusters = 3
		o := w.execute(context.Background())
		if lazy {
			o.want(t, result.Inconclusive, 3, result.ReasonCaseNotRun)
			continue
		}
		if len(o.doc.Cells) != 3 || o.doc.Verdict != result.Qualified {
			t.Errorf("verdict %s of %d cells: %+v", o.doc.Verdict, len(o.doc.Cells), o.doc.Reasons)
		}
	}
}
