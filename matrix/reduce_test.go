package matrix

import (
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/qualify-dev/qualify/matrix/cover"
)

// walked lists the ids of the model's valid rows, in order.
func walked(t interface{ Fatal(...any) }, m *Matrix, r Request, e Expansion) []string {
	model, err := m.model(r, e)
	if err != nil {
		t.Fatal(err)
	}
	var ids []string
	err = cover.Walk(model, cover.Visitor{Valid: func(row cover.Row) bool {
		ids = append(ids, NewCell(model.Names(row)).ID)
		return true
	}})
	if err != nil {
		t.Fatal(err)
	}
	return ids
}

func idsOf(cells []Cell) []string {
	var ids []string
	for _, c := range cells {
		ids = append(ids, c.ID)
	}
	return ids
}

// The search knows the same cells as Select, rule by rule and axis by axis.
func TestModelIsTheMatrix(t *testing.T) {
	for name, text := range map[string]string{"small": small, "rich": rich, "grown": grown} {
		m := load(t, text)
		for _, r := range []Request{{}, {Without: Selection{K8s: {"1.35"}}}, {Want: Selection{OS: {"debian-12"}}}, {Tier: Quick}} {
			if name == "grown" && len(r.Without) > 0 {
				continue // it has no 1.35
			}
			r.AsOf = day
			e, err := m.Select(r)
			if err != nil {
				t.Fatal(name, err)
			}
			if got := walked(t, m, r, e); !slices.Equal(got, idsOf(e.Cells)) {
				t.Errorf("%s, %+v: the model has %d rows, Select %d cells", name, r, len(got), len(e.Cells))
			}
		}
	}
}

// Where an axis picks its first value, or cells that cannot be are forced, no
// rule is left that the search could be told; it knows the cells themselves.
func TestModelOfPickedCells(t *testing.T) {
	data, name := Default()
	m, err := Load(name, data)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range []Request{{}, {Force: true}, {Want: Selection{Containerd: {"os", "v1.7.32"}}}, {Want: Selection{Containerd: {"os"}}, Force: true}} {
		r.AsOf = day
		e, err := m.Select(r)
		if err != nil {
			t.Fatal(err)
		}
		got, want := walked(t, m, r, e), idsOf(e.Cells)
		slices.Sort(got)
		slices.Sort(want)
		if !slices.Equal(got, want) {
			t.Errorf("%+v: the model has %d rows, Select %d cells", r, len(got), len(want))
		}
		cells, covers, err := m.Reduce(t.Context(), r, e, Reduction{Strength: 2, Seed: 1})
		if err != nil {
			t.Fatal(err)
		}
		seen, err := m.Verify(t.Context(), r, e, cells, 2)
		if err != nil || seen.Covered != covers.Covered || len(seen.Uncovered)+len(seen.Problems) > 0 {
			t.Errorf("%+v: claimed %d, found %d of %d, %v %v", r, covers.Covered, seen.Covered, seen.Total, seen.Problems, err)
		}
	}
}

func TestPropertyModelIsTheMatrix(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		m := randomMatrix(rt)
		e, err := m.Select(Request{AsOf: day})
		if err != nil {
			return
		}
		if got := walked(rt, m, Request{AsOf: day}, e); !slices.Equal(got, idsOf(e.Cells)) {
			rt.Errorf("the model has %v, Select %v", got, idsOf(e.Cells))
		}
	})
}

func TestReduce(t *testing.T) {
	m := load(t, grown+`require:
  - {when: {os: debian-11, k8s: v1.34.4, kubelet: n-1, containerd: v1.7.32, provisioner: ec2}, reason: r}
`)
	r := Request{AsOf: day}
	e := selectCells(t, m, r)
	for _, strength := range []int{2, 3} {
		cells, claimed, err := m.Reduce(t.Context(), r, e, Reduction{Strength: strength, Seed: 1})
		if err != nil {
			t.Fatal(err)
		}
		again, _, err := m.Reduce(t.Context(), r, e, Reduction{Strength: strength, Seed: 1})
		if err != nil || !slices.Equal(idsOf(cells), idsOf(again)) {
			t.Errorf("strength %d: other cells the second time, %v", strength, err)
		}
		if cells[0].Value(OS) != "debian-11" || cells[0].Value(Kubelet) != "n-1" || len(cells) >= len(e.Cells) {
			t.Errorf("strength %d: %d of %d cells, first %v", strength, len(cells), len(e.Cells), cells[0].Values)
		}
		for _, c := range cells {
			if why := m.Invalid(c.Values, day); why != nil {
				t.Errorf("%v cannot be: %v", c.Values, why)
			}
		}
		seen, err := m.Verify(t.Context(), r, e, cells, strength)
		if err != nil || len(seen.Uncovered) > 0 || len(seen.Problems) > 0 || seen.Covered != claimed.Covered || seen.Total != claimed.Total {
			t.Errorf("strength %d: claimed %d of %d, found %d of %d, %v %v %v", strength, claimed.Covered, claimed.Total, seen.Covered, seen.Total, seen.Uncovered, seen.Problems, err)
		}
		// With a cell less, something is missing and is named.
		seen, err = m.Verify(t.Context(), r, e, cells[:len(cells)-1], strength)
		if err != nil || len(seen.Uncovered) == 0 || seen.Total != claimed.Total || len(seen.Uncovered[0]) != strength {
			t.Errorf("strength %d: a cell less gives %d of %d, %v, %v", strength, seen.Covered, seen.Total, seen.Uncovered, err)
		}
	}
	all, err := m.Verify(t.Context(), r, e, e.Cells, len(m.Axes))
	if err != nil || len(all.Uncovered) > 0 || all.Covered != len(e.Cells) || len(all.Problems) > 0 {
		t.Errorf("all cells are %d of %d, %v, %v", all.Covered, all.Total, all.Problems, err)
	}
}

// A cell that cannot be is no proof of anything.
func TestVerifyRefusesInvalidCells(t *testing.T) {
	m := load(t, small)
	cells := []Cell{NewCell(map[string]string{OS: "debian-12", K8s: "v1.34.4"})} // excluded
	seen, err := m.Verify(t.Context(), Request{AsOf: day}, selectCells(t, m, Request{}), cells, 2)
	if err != nil || len(seen.Problems) != 1 || !strings.Contains(seen.Problems[0], "m.yaml:18") {
		t.Errorf("problems %q, %v", seen.Problems, err)
	}
	if _, err := m.Verify(t.Context(), Request{AsOf: day}, selectCells(t, m, Request{}), []Cell{NewCell(map[string]string{OS: "solaris", K8s: "v1.34.4"})}, 2); err == nil {
		t.Error("a cell of another matrix is verified")
	}
}

func TestReduceRefuses(t *testing.T) {
	m := load(t, small)
	r := Request{AsOf: day}
	e := selectCells(t, m, r)
	for _, strength := range []int{-1, 0, 1, 4} {
		if _, _, err := m.Reduce(t.Context(), r, e, Reduction{Strength: strength}); err == nil || !strings.Contains(err.Error(), "it is 2 or 3") {
			t.Errorf("strength %d: %v", strength, err)
		}
	}
	r.Only = []string{"x"}
	if _, _, err := m.Reduce(t.Context(), r, e, Reduction{Strength: 2}); err == nil || !strings.Contains(err.Error(), "are not reduced") {
		t.Errorf("error %v", err)
	}
}
