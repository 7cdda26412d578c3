package run

import (
	"reflect"
	"testing"

	"github.com/qualify-dev/qualify/internal/result"
)

// The judge is told everything of a plan that it has a field for.
func TestJudgedLeavesNothingOut(t *testing.T) {
	planned := PlanCell{
		ID: "c", Values: map[string]string{"os": "debian-12"}, Release: result.ReleaseRef{Name: "r"},
		Suites:     []result.PlanSuite{{Name: "smoke"}},
		Components: []result.ComponentRef{{Name: "containerd"}}, Forced: "it cannot be",
	}
	judged := Plan{Hash: "h", From: "f", Unbound: []string{"a"}, Excluded: []Excluded{{Rule: "m.yaml:3", Reason: "it rains"}}, Cells: []PlanCell{planned}}.Judged()
	for _, part := range []reflect.Value{reflect.ValueOf(judged), reflect.ValueOf(judged.Cells[0])} {
		for i := range part.NumField() {
			if part.Field(i).IsZero() {
				t.Errorf("%s.%s is left out", part.Type(), part.Type().Field(i).Name)
			}
		}
	}
	of, from := reflect.TypeFor[result.PlanCell](), reflect.ValueOf(planned)
	for i := range of.NumField() {
		name := of.Field(i).Name
		if got := reflect.ValueOf(judged.Cells[0]).FieldByName(name); !reflect.DeepEqual(got.Interface(), from.FieldByName(name).Interface()) {
			t.Errorf("%s: %v, planned %v", name, got, from.FieldByName(name))
		}
	}
}

// Combinations are counted by what left them out, in the plan's order.
func TestLeftOut(t *testing.T) {
	got := Plan{Excluded: []Excluded{{Rule: "b", Reason: "1"}, {Rule: "a", Reason: "1"}, {Rule: "b", Reason: "2"}, {Rule: "b", Reason: "1"}}}.leftOut()
	want := []result.LeftOut{{Rule: "b", Reason: "1", Combinations: 2}, {Rule: "a", Reason: "1", Combinations: 1}, {Rule: "b", Reason: "2", Combinations: 1}}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%+v, want %+v", got, want)
	}
}
