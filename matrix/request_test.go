package matrix

import (
	"errors"
	"reflect"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

const day = "2026-01-01"

func selectCells(t *testing.T, m *Matrix, r Request) Expansion {
	t.Helper()
	r.AsOf = day
	e, err := m.Select(r)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// shown lists the cells by their values on two axes.
func shown(cells []Cell) string {
	var all []string
	for _, c := range cells {
		all = append(all, c.Value(OS)+"/"+c.Value(K8s))
	}
	return strings.Join(all, " ")
}

func TestSelectRequest(t *testing.T) {
	m := load(t, strings.Replace(small[:strings.Index(small, "exclude:")], "- name: ubuntu-22.04", "- {name: ubuntu-22.04, tier: full}", 1))
	tests := []struct {
		name string
		r    Request
		want string
	}{
		{"all", Request{}, "debian-12/v1.34.4 debian-12/v1.35.4 ubuntu-22.04/v1.34.4 ubuntu-22.04/v1.35.4"},
		{"channel", Request{Want: Selection{K8s: {"1-34"}, OS: {"debian"}}}, "debian-12/v1.34.4"},
		{"not", Request{Without: Selection{K8s: {"1.34"}}}, "debian-12/v1.35.4 ubuntu-22.04/v1.35.4"},
		{"not a family", Request{Without: Selection{OS: {"debian"}}}, "ubuntu-22.04/v1.34.4 ubuntu-22.04/v1.35.4"},
		{"tier", Request{Tier: Gate}, "debian-12/v1.34.4 debian-12/v1.35.4"},
		{"largest tier", Request{Tier: Full}, "debian-12/v1.34.4 debian-12/v1.35.4 ubuntu-22.04/v1.34.4 ubuntu-22.04/v1.35.4"},
		{"only", Request{Only: []string{"debian-12-v1-35"}}, "debian-12/v1.35.4"},
		{"only two", Request{Only: []string{"debian-12-v1-35", "ubuntu-22-04-v1-34"}}, "debian-12/v1.35.4 ubuntu-22.04/v1.34.4"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := shown(selectCells(t, m, tt.r).Cells); got != tt.want {
				t.Errorf("cells %s, want %s", got, tt.want)
			}
		})
	}
}

func TestSelectRequestRefuses(t *testing.T) {
	m := load(t, strings.Replace(small, "- name: ubuntu-22.04", "- {name: ubuntu-22.04, tier: full}", 1))
	tests := []struct {
		name string
		r    Request
		want string
	}{
		{"tier", Request{Tier: "huge"}, "there is no tier huge; the tiers are quick, gate, full"},
		{"beyond the tier", Request{Tier: Quick, Want: Selection{OS: {"ubuntu-22.04"}}}, "no selected value of os is in the tier quick: ubuntu-22.04 is in a larger one"},
		{"not there", Request{Without: Selection{OS: {"solaris"}}}, "unknown os solaris; known: debian-12, ubuntu-22.04"},
		{"no such axis", Request{Without: Selection{"cpu": {"fast"}}}, "selecting by cpu: m.yaml has no such axis; it has os, k8s"},
		{"everything unwanted", Request{Without: Selection{OS: {"debian", "ubuntu-22.04"}}}, "nothing of os is left: each selected value is one that is not wanted"},
		{"no such cell", Request{Only: []string{"solaris"}}, "no selected cell is called solaris; qualify plan lists them"},
		{"no cell", Request{Only: []string{""}}, `no selected cell is called ""; qualify plan lists them`},
		{"two cells", Request{Only: []string{"ubuntu"}}, "2 cells begin with ubuntu, ubuntu-22-04-v1-34-4-"},
		{"excluded cell", Request{Only: []string{"debian-12-v1-34"}}, "is not run: too old (m.yaml:18)"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			tt.r.AsOf = day
			if _, err := m.Select(tt.r); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %v, want %s", err, tt.want)
			}
		})
	}
	_, err := m.Select(Request{Want: Selection{OS: {"ubuntu"}, K8s: {"1.17"}}, AsOf: day})
	var unknown *UnknownValueError
	if !errors.As(err, &unknown) || !strings.Contains(err.Error(), "unknown os ubuntu") || !strings.Contains(err.Error(), "no release serves Kubernetes 1.17") {
		t.Errorf("error %v", err)
	}
}

func TestParseLabels(t *testing.T) {
	got, err := ParseLabels("os=debian, ubuntu,k8s!=1.33,arch==amd64")
	want := []Label{{"os", "debian", false}, {"os", "ubuntu", false}, {"k8s", "1.33", true}, {"arch", "amd64", false}}
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("labels %v, error %v", got, err)
	}
	for _, bad := range []string{"", "os", "=x", "os=", "os=a,,b", "!=x", "os=a,=b"} {
		if got, err := ParseLabels(bad); err == nil {
			t.Errorf("%q is read as %v", bad, got)
		}
	}
	var r Request
	for _, l := range want {
		r.Add(l)
	}
	if !reflect.DeepEqual(r, Request{Want: Selection{"os": {"debian", "ubuntu"}, "arch": {"amd64"}}, Without: Selection{"k8s": {"1.33"}}}) {
		t.Errorf("request %+v", r)
	}
}

// An exclusion without an effect is warned of where the whole matrix is meant.
func TestUnusedExclusion(t *testing.T) {
	m := load(t, small+`  - {when: {os: debian-12, k8s: v1.34.4}, reason: r, owner: o, issue: i, expires: 2027-01-01}
`)
	e := selectCells(t, m, Request{})
	if len(e.Warnings) != 1 || e.Warnings[0].Line != 23 || !strings.Contains(e.Warnings[0].Text, "removes nothing") {
		t.Errorf("warnings %v", e.Warnings)
	}
	if e := selectCells(t, m, Request{Want: Selection{OS: {"ubuntu-22.04"}}}); len(e.Warnings) > 0 {
		t.Errorf("warnings %v", e.Warnings)
	}
}

// Nothing is lost: every combination is a cell or excluded, once.
func TestPropertySelectSorts(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		m := randomMatrix(rt)
		e, err := m.Select(Request{AsOf: day})
		if err != nil {
			return
		}
		seen := map[string]bool{}
		for _, c := range e.Cells {
			seen[c.ID] = true
		}
		for _, x := range e.Excluded {
			seen[x.ID()] = true
		}
		if e.Raw != len(seen) || e.Raw != len(e.Cells)+len(e.Excluded) {
			rt.Errorf("%d raw, %d cells, %d excluded, %d ids", e.Raw, len(e.Cells), len(e.Excluded), len(seen))
		}
	})
}

// Whatever is typed after -l is refused, or is labels that all say something.
func FuzzParseLabels(f *testing.F) {
	for _, seed := range []string{"os=debian, ubuntu,k8s!=1.33", "a==b", "=", ",", "a=,b", "!=x"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		labels, err := ParseLabels(text)
		if (err == nil) != (len(labels) > 0) {
			t.Fatalf("%q: %v, %v", text, labels, err)
		}
		for _, l := range labels {
			if l.Axis == "" || l.Value == "" {
				t.Errorf("%q has the label %+v", text, l)
			}
		}
	})
}
