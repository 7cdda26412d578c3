package matrix

import (
	"errors"
	"slices"
	"strings"
	"testing"
)

// wide is a catalog with several of everything.
const wide = `apiVersion: qualify/v1
kind: Matrix
suites: [smoke]
workers: 1
axes:
  - name: os
    values:
      - {name: debian-12, family: debian, aliases: [bookworm]}
      - {name: ubuntu-22.04, family: ubuntu}
      - {name: debian-9, family: debian}
  - name: k8s
    values:
      - {name: v1.36.1, release: "source:v1.36.1"}
      - {name: v1.34.4, release: "source:v1.34.4"}
      - {name: v1.34.10, release: "source:v1.34.10"}
      - {name: v1.34.9, release: "source:v1.34.9"}
      - {name: v1.35.2, release: "source:v1.35.2", aliases: [blessed]}
      - {name: v1.37.0-rc.1, release: "source:v1.37.0-rc.1"}
  - name: provisioner
    values: [{name: kind}]
`

func load(t *testing.T, text string) *Matrix {
	t.Helper()
	m, err := Load("m.yaml", []byte(text))
	if err != nil {
		t.Fatalf("loading: %v", err)
	}
	return m
}

func loadDefault(t *testing.T) *Matrix {
	t.Helper()
	data, name := Default()
	m, err := Load(name, data)
	if err != nil {
		t.Fatalf("loading: %v", err)
	}
	return m
}

// selected lists the distinct values on an axis, in order of appearance.
func selected(t *testing.T, m *Matrix, sel Selection, axis string) []string {
	t.Helper()
	cells, _, err := m.Expand(sel, "2026-01-01")
	if err != nil {
		t.Fatalf("expanding %v: %v", sel, err)
	}
	var values []string
	for _, cell := range cells {
		if !slices.Contains(values, cell.Value(axis)) {
			values = append(values, cell.Value(axis))
		}
	}
	return values
}

func TestSelect(t *testing.T) {
	tests := []struct {
		axis   string
		wanted []string
		want   string
	}{
		{OS, nil, "debian-12 ubuntu-22.04 debian-9"},
		{OS, []string{"debian"}, "debian-12 debian-9"},
		{OS, []string{"bookworm"}, "debian-12"},
		{OS, []string{"Debian-12"}, "debian-12"},
		{OS, []string{"debian-9,ubuntu"}, "ubuntu-22.04 debian-9"},
		{OS, []string{"debian-9", " debian-12 , debian-9"}, "debian-12 debian-9"},
		{K8s, []string{"1.34"}, "v1.34.10"},
		{K8s, []string{"v1.34"}, "v1.34.10"},
		{K8s, []string{"V1.34"}, "v1.34.10"},
		{K8s, []string{"1.34.4"}, "v1.34.4"},
		{K8s, []string{"v1.34.4"}, "v1.34.4"},
		{K8s, []string{"latest"}, "v1.36.1"},
		{K8s, []string{"n-1"}, "v1.35.2"},
		{K8s, []string{"N-2"}, "v1.34.10"},
		{K8s, []string{"1.37"}, "v1.37.0-rc.1"},
		{K8s, []string{"1.37.0-rc.1"}, "v1.37.0-rc.1"},
		{K8s, []string{"blessed", "latest"}, "v1.36.1 v1.35.2"},
	}
	m := load(t, wide)
	for _, tt := range tests {
		t.Run(tt.axis+" "+strings.Join(tt.wanted, "+"), func(t *testing.T) {
			got := strings.Join(selected(t, m, Selection{tt.axis: tt.wanted}, tt.axis), " ")
			if got != tt.want {
				t.Errorf("selected %s, want %s", got, tt.want)
			}
		})
	}
}

func TestDefaultSelect(t *testing.T) {
	m := loadDefault(t)
	for _, wanted := range []string{"1.34", "v1.34", "1.34.4", "v1.34.4"} {
		if got := selected(t, m, Selection{OS: {"debian"}, K8s: {wanted}}, K8s); !slices.Equal(got, []string{"v1.34.4"}) {
			t.Errorf("%s selects %v", wanted, got)
		}
	}
	for wanted, want := range map[string]string{"latest": "v1.37.2", "n-1": "v1.36.3"} {
		if got := selected(t, m, Selection{K8s: {wanted}}, K8s); !slices.Equal(got, []string{want}) {
			t.Errorf("%s selects %v", wanted, got)
		}
	}
}

func TestUnknownValue(t *testing.T) {
	const names = "v1.34.4, v1.34.9, v1.34.10, v1.35.2, v1.36.1, v1.37.0-rc.1 (also by blessed)"
	const oses = "debian-9, debian-12, ubuntu-22.04 (also by bookworm, debian, ubuntu)"
	const remedy = "; name a release manifest with --release to qualify another one"
	tests := []struct {
		axis, value, text string
	}{
		{OS, "solaris", "unknown os solaris; known: " + oses},
		{OS, "debain-12", "unknown os debain-12; known: " + oses + "; did you mean debian-12?"},
		{OS, "ubunut", "unknown os ubunut; known: " + oses + "; did you mean ubuntu?"},
		{OS, "", "an empty name for os; known: " + oses},
		{OS, "a\nb", `unknown os "a\nb"; known: ` + oses},
		{K8s, "1.17", "no release serves Kubernetes 1.17; the catalog knows " + names + remedy},
		{K8s, "v1.34.5", "no release serves Kubernetes v1.34.5; the catalog knows " + names + remedy + "; did you mean v1.34.10?"},
		{K8s, "lastest", "no release serves Kubernetes lastest; the catalog knows " + names + remedy + "; did you mean latest?"},
		{K8s, "n-3", "no release serves Kubernetes n-3 (1.33); the catalog knows " + names + remedy},
		{K8s, "", "an empty name for k8s; known: " + names},
	}
	m := load(t, wide)
	for _, tt := range tests {
		t.Run(tt.axis+" "+tt.value, func(t *testing.T) {
			cells, _, err := m.Expand(Selection{tt.axis: {tt.value}}, "2026-01-01")
			var unknown *UnknownValueError
			if !errors.As(err, &unknown) || cells != nil {
				t.Fatalf("cells %v, error %v", cells, err)
			}
			if unknown.Axis != tt.axis || unknown.Value != tt.value {
				t.Errorf("error about %q on %q", unknown.Value, unknown.Axis)
			}
			if err.Error() != tt.text {
				t.Errorf("text\n%s\nwant\n%s", err, tt.text)
			}
		})
	}
}

func TestUnknownKnown(t *testing.T) {
	_, _, err := loadDefault(t).Expand(Selection{K8s: {"1.17"}}, "2026-01-01")
	var unknown *UnknownValueError
	if !errors.As(err, &unknown) {
		t.Fatalf("error %v", err)
	}
	if want := []string{"v1.33.13", "v1.34.4", "v1.35.4", "v1.36.3", "v1.37.2"}; !slices.Equal(unknown.Known, want) {
		t.Errorf("known %v", unknown.Known)
	}
}

// Whoever mistypes two things hears of both.
func TestSelectionReportsEverything(t *testing.T) {
	_, _, err := load(t, wide).Expand(Selection{"cpu": {"fast"}, "zone": nil, OS: {"solaris", "debian,plan9"}, K8s: {"1.17"}}, "2026-01-01")
	if err == nil {
		t.Fatal("no error")
	}
	for _, want := range []string{"selecting by cpu: m.yaml has no such axis; it has os, k8s, provisioner", "solaris", "plan9", "Kubernetes 1.17"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q is not in\n%v", want, err)
		}
	}
	if n := strings.Count(err.Error(), "\n"); n != 3 {
		t.Errorf("%d lines, want 4:\n%v", n+1, err)
	}
}

func TestWithRelease(t *testing.T) {
	m := loadDefault(t)
	given := m.WithRelease("1.17.9", "file:candidate.yaml")
	for _, wanted := range [][]string{nil, {"1.17"}, {"v1.17.9"}, {"latest"}} {
		if got := selected(t, given, Selection{K8s: wanted}, K8s); !slices.Equal(got, []string{"v1.17.9"}) {
			t.Errorf("%v selects %v", wanted, got)
		}
	}
	if value, ok := given.Value(K8s, "v1.17.9"); !ok || value.Release != "file:candidate.yaml" {
		t.Errorf("value %+v, %v", value, ok)
	}
	_, _, err := given.Expand(Selection{K8s: {"1.34"}}, "2026-01-01")
	if want := "the release given does not serve Kubernetes 1.34: it is v1.17.9; leave the version out or name another release manifest with --release"; err == nil || err.Error() != want {
		t.Errorf("error %v", err)
	}
	if got := selected(t, m, nil, K8s); len(got) != 5 {
		t.Errorf("the original has changed: %v", got)
	}
}

func TestWithReleaseOddities(t *testing.T) {
	odd := load(t, wide).WithRelease("Custom+build", "file:x")
	for _, wanted := range [][]string{nil, {"custom+BUILD"}} {
		if got := selected(t, odd, Selection{K8s: wanted}, K8s); !slices.Equal(got, []string{"Custom+build"}) {
			t.Errorf("selected %v", got)
		}
	}
	for _, wanted := range []string{"latest", "0.0", "n-1"} { // no version: not version 0.0 either
		if _, _, err := odd.Expand(Selection{K8s: {wanted}}, "2026-01-01"); err == nil {
			t.Errorf("%s selects a release without a version", wanted)
		}
	}
	rule := load(t, wide+"exclude: [{when: {k8s: \"0.0\"}, reason: r, owner: o, issue: i, expires: 2026-12-31}]\n")
	if got := selected(t, rule.WithRelease("custom", "file:x"), nil, K8s); !slices.Equal(got, []string{"custom"}) {
		t.Errorf("selected %v", got)
	}
	without := load(t, `{apiVersion: qualify/v1, kind: Matrix, suites: [a], workers: 0, axes: [{name: os, values: [{name: x}]}]}`)
	if got := selected(t, without.WithRelease("v1.2.3", "file:x"), nil, K8s); !slices.Equal(got, []string{"v1.2.3"}) {
		t.Errorf("selected %v", got)
	}
}

func TestLookups(t *testing.T) {
	m := loadDefault(t)
	if value, ok := m.Value(K8s, "v1.34.4"); !ok || value.Release != "source:v1.34.4" {
		t.Errorf("value %+v, %v", value, ok)
	}
	if _, ok := m.Value(K8s, "1.34"); ok {
		t.Error("Value takes aliases: cells have exact names")
	}
	if _, ok := m.Value("arch", "amd64"); ok {
		t.Error("a value on an absent axis")
	}
	if axis, ok := m.Axis(OS); !ok || axis.Name != OS {
		t.Errorf("axis %+v, %v", axis, ok)
	}
}
