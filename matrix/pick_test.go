package matrix

import (
	"slices"
	"strings"
	"testing"
)

const pickYAML = `apiVersion: qualify/v1
kind: Matrix
suites: [smoke]
workers: 1
axes:
  - name: os
    values: [{name: old, containerd: "1.4"}, {name: new, containerd: "1.6"}]
  - name: containerd
    pick: first
    values: [{name: os}, {name: v1.7.32}, {name: v1.6.36}]
  - name: k8s
    values: [{name: v1.25.0, release: "source:v1.25.0"}, {name: v1.34.4, release: "source:v1.34.4"}]
`

// An axis that picks does not multiply: each cell has the first value that can
// be, unless values are selected. What cannot be can be forced, but is not
// picked where something else can.
func TestPickFirst(t *testing.T) {
	m, err := Load("m.yaml", []byte(pickYAML))
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		request Request
		want    string
		forced  int
	}{
		{Request{}, "new/os/v1.25.0 new/os/v1.34.4 old/os/v1.25.0 old/v1.7.32/v1.34.4", 0},
		{Request{Force: true}, "new/os/v1.25.0 new/os/v1.34.4 old/os/v1.25.0 old/v1.7.32/v1.34.4", 0},
		{Request{Want: Selection{Containerd: {"v1.6.36"}}}, "new/v1.6.36/v1.25.0 new/v1.6.36/v1.34.4 old/v1.6.36/v1.25.0 old/v1.6.36/v1.34.4", 0},
		{Request{Want: Selection{OS: {"new"}, Containerd: {"os,v1.7.32"}, K8s: {"1.34"}}}, "new/os/v1.34.4 new/v1.7.32/v1.34.4", 0},
		{Request{Want: Selection{OS: {"old"}, Containerd: {"os"}, K8s: {"1.34"}}, Force: true}, "old/os/v1.34.4", 1},
		{Request{Want: Selection{OS: {"old"}, K8s: {"1.34"}}, Without: Selection{Containerd: {"v1.7.32", "v1.6.36"}}, Force: true}, "old/os/v1.34.4", 1},
	} {
		test.request.AsOf = "2026-01-01"
		e, err := m.Select(test.request)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, c := range e.Cells {
			got = append(got, c.Value(OS)+"/"+c.Value(Containerd)+"/"+c.Value(K8s))
		}
		slices.Sort(got)
		if strings.Join(got, " ") != test.want || len(e.Forced) != test.forced {
			t.Errorf("%+v: %v, forced %v; want %s, %d forced", test.request, got, e.Forced, test.want, test.forced)
		}
		if e.Raw != len(e.Cells)+len(e.Excluded) {
			t.Errorf("%+v: %d combinations, %d cells, %d excluded", test.request, e.Raw, len(e.Cells), len(e.Excluded))
		}
		for id, why := range e.Forced {
			if id != e.Cells[0].ID || why.Rule != RuleContainerd {
				t.Errorf("forced %s: %+v", id, why)
			}
		}
	}
	if _, err := m.Select(Request{Want: Selection{OS: {"old"}, Containerd: {"os"}, K8s: {"1.34"}}, AsOf: "2026-01-01"}); err == nil || !strings.Contains(err.Error(), "containerd 1.4 of old has no CRI v1") {
		t.Errorf("not forced: %v", err)
	}
}

func TestPickIsRead(t *testing.T) {
	if _, err := Load("m.yaml", []byte(strings.Replace(pickYAML, "pick: first", "pick: last", 1))); err == nil || !strings.Contains(err.Error(), `axes[1].pick is "last", and can only be first`) {
		t.Errorf("%v", err)
	}
}
