package main

import (
	"testing"

	"github.com/qualify-dev/qualify/internal/run"
)

// Whatever of a plan could hold a secret is looked at, also of the last of many
// excluded cells that are all but the same.
func TestSecretsOfExcludedCells(t *testing.T) {
	w := newWorld(t).wiring()
	many := make([]run.Excluded, 1000)
	for i := range many {
		many[i] = run.Excluded{Values: map[string]string{"os": "debian-12"}, Rule: "m.yaml:3", Reason: "it rains", Owner: "a team", Expires: "2027-01-01"}
	}
	if err := w.plain(run.Plan{Excluded: many}); err != nil {
		t.Fatal(err)
	}
	const secret = "password=hunter2hunter2"
	for name, last := range map[string]run.Excluded{
		"value":   {Values: map[string]string{"os": secret}, Rule: "m.yaml:3", Reason: "it rains", Owner: "a team", Expires: "2027-01-01"},
		"rule":    {Values: many[0].Values, Rule: secret, Reason: "it rains", Owner: "a team", Expires: "2027-01-01"},
		"reason":  {Values: many[0].Values, Rule: "m.yaml:3", Reason: secret, Owner: "a team", Expires: "2027-01-01"},
		"owner":   {Values: many[0].Values, Rule: "m.yaml:3", Reason: "it rains", Owner: secret, Expires: "2027-01-01"},
		"expires": {Values: many[0].Values, Rule: "m.yaml:3", Reason: "it rains", Owner: "a team", Expires: secret},
	} {
		if err := w.plain(run.Plan{Excluded: append(many[:len(many):len(many)], last)}); err == nil {
			t.Errorf("%s: a secret in it was not seen", name)
		}
	}
}
