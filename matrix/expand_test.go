package matrix

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/qualify-dev/qualify/internal/strict"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// golden compares text with testdata/name.
func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s has changed (-update accepts it):\n%s", path, got)
	}
}

// Whoever edits default.yaml sees here what it does.
func TestExpandDefault(t *testing.T) {
	cells, excluded, err := loadDefault(t).Expand(nil, "2026-01-01")
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	for _, cell := range cells {
		fmt.Fprintln(&b, cell.ID, cell.Values)
	}
	for _, e := range excluded {
		fmt.Fprintln(&b, "excluded", e.Values, e.Rule.At(), e.Rule.Reason)
	}
	golden(t, "default.cells", b.String())
}

func TestExpandOrderAndRules(t *testing.T) {
	cells, excluded, err := load(t, small).Expand(nil, "2026-12-31") // on its last day a rule holds
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, cell := range cells {
		got = append(got, cell.Value(OS)+" "+cell.Value(K8s))
	}
	if want := []string{"debian-12 v1.35.4", "ubuntu-22.04 v1.34.4", "ubuntu-22.04 v1.35.4"}; !slices.Equal(got, want) {
		t.Errorf("cells %q, want %q", got, want)
	}
	if len(excluded) != 1 || excluded[0].Values[K8s] != "v1.34.4" || excluded[0].Rule.At() != "m.yaml:18" || excluded[0].Rule.Owner != "node team" {
		t.Errorf("excluded %+v", excluded)
	}
}

// In a rule a minor stands for all of its releases; selected, for the newest.
func TestRuleOnMinor(t *testing.T) {
	m := load(t, wide+`exclude:
  - {when: {k8s: "1.34"}, reason: r, owner: o, issue: i, expires: 2026-12-31}
  - {when: {k8s: v1.34.4}, reason: second, owner: o, issue: i, expires: 2026-12-31}
  - {when: {k8s: n-1, os: debian}, reason: r, owner: o, issue: i, expires: 2026-12-31}
`)
	_, excluded, err := m.Expand(Selection{OS: {"debian-12"}}, "2026-01-01")
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, e := range excluded {
		got = append(got, fmt.Sprint(e.Values[K8s], ":", e.Rule.Line))
	}
	// v1.34.4 is named twice: the first rule counts.
	if want := []string{"v1.34.4:22", "v1.34.10:22", "v1.34.9:22", "v1.35.2:24"}; !slices.Equal(got, want) {
		t.Errorf("excluded %v, want %v", got, want)
	}
}

// A rule about a minor holds for a release from the command line too.
func TestRuleOnGivenRelease(t *testing.T) {
	given := load(t, small).WithRelease("v1.34.99", "file:x")
	cells, excluded, err := given.Expand(nil, "2026-01-01")
	if err != nil || len(cells) != 1 || len(excluded) != 1 || excluded[0].Values[OS] != "debian-12" {
		t.Errorf("cells %v, excluded %v, error %v", cells, excluded, err)
	}
}

func TestExpired(t *testing.T) {
	m := load(t, small+`  - {when: {os: ubuntu-22.04, k8s: latest}, reason: r, owner: o, issue: i, expires: 2025-01-01}
`)
	cells, _, err := m.Expand(Selection{OS: {"ubuntu-22.04"}}, "2027-01-01")
	want := `m.yaml:18:5: the exclusion expired on 2026-12-31 (too old; owner node team, issue #12); remove it, or let its owner set a later date
m.yaml:23:5: the exclusion expired on 2025-01-01 (r; owner o, issue i); remove it, or let its owner set a later date`
	var expired strict.Problems
	if !errors.As(err, &expired) || cells != nil || err.Error() != want {
		t.Errorf("cells %v, error\n%v\nwant\n%s", cells, err, want)
	}
}

// No day, no answer: an unset one must not switch expiry off.
func TestExpandNeedsADay(t *testing.T) {
	for _, day := range []string{"", "2026-1-1", "2026-02-30", "today", "2026-01-01T00:00:00Z"} {
		if _, _, err := load(t, small).Expand(nil, day); err == nil || !strings.Contains(err.Error(), "not yyyy-mm-dd") {
			t.Errorf("day %q: error %v", day, err)
		}
	}
}

func TestExpandEmpty(t *testing.T) {
	cells, excluded, err := load(t, small).Expand(Selection{OS: {"debian"}, K8s: {"1.34"}}, "2026-01-01")
	want := "expanding m.yaml: nothing is left to run: rules exclude each of the 1 selected cells: m.yaml:18 (too old); select other values or change the rules"
	if err == nil || err.Error() != want || cells != nil || len(excluded) != 1 {
		t.Errorf("cells %v, excluded %v, error %v", cells, excluded, err)
	}
	if _, _, err := new(Matrix).Expand(nil, "2026-01-01"); err == nil {
		t.Error("a matrix without axes expands")
	}
}

func TestExpandTooLarge(t *testing.T) {
	var b strings.Builder
	b.WriteString("apiVersion: qualify/v1\nkind: Matrix\nsuites: [smoke]\nworkers: 1\naxes:\n")
	for axis := range 100 { // the product of all does not fit an int
		fmt.Fprintf(&b, "  - {name: a%d, values: [{name: x}, {name: y}, {name: z}]}\n", axis)
	}
	m := load(t, b.String())
	if _, _, err := m.Expand(nil, "2026-01-01"); err == nil || !strings.Contains(err.Error(), "more than 100000 cells") {
		t.Errorf("error %v", err)
	}
}

func TestCheckIDs(t *testing.T) {
	one, two := Cell{ID: "a-1", Values: map[string]string{OS: "a"}}, Cell{ID: "a-1", Values: map[string]string{OS: "b"}}
	if err := checkIDs([]Cell{one, {ID: "a-2"}}); err != nil {
		t.Error(err)
	}
	if err := checkIDs([]Cell{one, two}); err == nil || !strings.Contains(err.Error(), "map[os:a] and map[os:b] have one id, a-1") {
		t.Errorf("error %v", err)
	}
}

// No loaded matrix has a name twice; Expand holds the line all the same.
func TestExpandChecksIDs(t *testing.T) {
	m := &Matrix{File: "m.yaml", Axes: []Axis{{Name: OS, Values: []Value{{Name: "a"}, {Name: "a"}}}}}
	if _, _, err := m.Expand(nil, "2026-01-01"); err == nil || !strings.Contains(err.Error(), "have one id") {
		t.Errorf("error %v", err)
	}
}

// randomMatrix draws a small matrix with rules by exact names.
func randomMatrix(rt *rapid.T) *Matrix {
	m := &Matrix{File: "random.yaml"}
	for axis := range rapid.IntRange(1, 4).Draw(rt, "axes") {
		a := Axis{Name: fmt.Sprintf("axis%d", axis)}
		for value := range rapid.IntRange(1, 4).Draw(rt, "values") {
			a.Values = append(a.Values, Value{Name: fmt.Sprintf("v%d", value)})
		}
		m.Axes = append(m.Axes, a)
	}
	for rule := range rapid.IntRange(0, 3).Draw(rt, "rules") {
		e := Exclusion{When: map[string][]string{}, Expires: "2026-12-31", Line: rule + 1}
		for _, axis := range m.Axes {
			if rapid.Bool().Draw(rt, "about "+axis.Name) {
				e.When[axis.Name] = rapid.SliceOfN(rapid.SampledFrom(axis.names()), 1, 2).Draw(rt, "when")
			}
		}
		m.Exclude = append(m.Exclude, e)
	}
	return m
}

// Against plain recursion and a literal reading of the rules.
func TestExpandAgainstRecursion(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		m := randomMatrix(rt)
		sel := Selection{}
		for _, axis := range m.Axes {
			sel[axis.Name] = rapid.SliceOfN(rapid.SampledFrom(axis.names()), 0, 3).Draw(rt, "select")
		}
		var want, wantOut []Cell
		var wantRules []int
		var recurse func(axes []Axis, values map[string]string)
		recurse = func(axes []Axis, values map[string]string) {
			if len(axes) == 0 {
				if line := removedBy(m, values); line > 0 {
					wantOut, wantRules = append(wantOut, NewCell(values)), append(wantRules, line)
				} else {
					want = append(want, NewCell(values))
				}
				return
			}
			for _, value := range axes[0].Values {
				if wanted := sel[axes[0].Name]; len(wanted) == 0 || slices.Contains(wanted, value.Name) {
					next := map[string]string{axes[0].Name: value.Name}
					for k, v := range values {
						next[k] = v
					}
					recurse(axes[1:], next)
				}
			}
		}
		recurse(m.Axes, nil)
		cells, excluded, err := m.Expand(sel, "2026-01-01")
		if (err != nil) != (len(want) == 0) || !reflect.DeepEqual(cells, want) {
			rt.Fatalf("cells %v, error %v, want %v", cells, err, want)
		}
		for i, e := range excluded {
			if !reflect.DeepEqual(e.Values, wantOut[i].Values) || e.Rule.Line != wantRules[i] {
				rt.Fatalf("excluded %v by rule %d, want %v by %d", e.Values, e.Rule.Line, wantOut[i], wantRules[i])
			}
		}
		if len(excluded) != len(wantOut) {
			rt.Fatalf("%d excluded, want %d", len(excluded), len(wantOut))
		}
	})
}

// removedBy is the line of the first rule that matches, or 0.
func removedBy(m *Matrix, values map[string]string) int {
	for _, rule := range m.Exclude {
		matches := true
		for axis, wanted := range rule.When {
			matches = matches && slices.Contains(wanted, values[axis])
		}
		if matches {
			return rule.Line
		}
	}
	return 0
}

func BenchmarkExpand(b *testing.B) {
	var text strings.Builder
	text.WriteString("apiVersion: qualify/v1\nkind: Matrix\nsuites: [smoke]\nworkers: 1\naxes:\n")
	for axis := range 5 {
		fmt.Fprintf(&text, "  - {name: a%d, values: [{name: a}, {name: b}, {name: c}, {name: d}, {name: e}, {name: f}]}\n", axis)
	}
	m, err := Load("m.yaml", []byte(text.String()))
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if _, _, err := m.Expand(nil, "2026-01-01"); err != nil {
			b.Fatal(err)
		}
	}
}
