package main

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/qualify-dev/qualify/internal/result"
	"github.com/qualify-dev/qualify/internal/run"
	"github.com/qualify-dev/qualify/suites"
)

const laxPolicy = `apiVersion: qualify/v1
kind: Policy
name: lax
requiredCells: ["debian-12-*"]
waivers:
  - {suite: tiny, case: dns, reason: a known fault, owner: node team, issue: "#12", expires: 9999-12-31}
`

// policyFile writes a policy into the world.
func (w *world) policyFile(t *testing.T, text string) string {
	t.Helper()
	file := w.file("policy.yaml")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

func (w *world) plan(t *testing.T) run.Plan {
	t.Helper()
	var plan run.Plan
	if err := readJSON(w.file("results/latest/plan.json"), &plan); err != nil {
		t.Fatal(err)
	}
	return plan
}

// The policy is part of the plan: its hash covers it, and judging again, by
// whatever is in the file by then, gives the same answer.
func TestPolicyIsPartOfThePlan(t *testing.T) {
	w := newWorld(t)
	w.suites = []suites.Suite{tiny(behaviours()["fail"])}
	file := w.policyFile(t, laxPolicy)
	said := w.qualify(context.Background(), "--policy", file)
	doc, plan := w.verdict(t), w.plan(t)
	if said.code != 0 || doc.Verdict != result.Qualified || doc.Policy != (result.PolicyRef{Name: "lax", Hash: plan.Policy.Hash()}) {
		t.Errorf("exit code %d, verdict %s by %+v: %s%s", said.code, doc.Verdict, doc.Policy, said.stdout, said.stderr)
	}
	if !strings.Contains(said.stdout, "\n  policy  lax sha256:") || !strings.Contains(said.stdout, `note: case-failed: "dns" failed: no answer`) {
		t.Errorf("it answers %s", said.stdout)
	}
	before := w.reports(t)
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	if again := w.call(context.Background(), "judge", "--results", w.file("results"), "latest"); again.code != 0 || again.stdout != before["verdict.json"] {
		t.Errorf("judged again: exit code %d:\n%s", again.code, again.stdout)
	}
	if again := w.call(context.Background(), "report", "--results", w.file("results"), "latest"); again.code != 0 {
		t.Errorf("reported again: exit code %d: %s", again.code, again.stderr)
	}
	for name, text := range w.reports(t) {
		if before[name] != text {
			t.Errorf("%s is another one", name)
		}
	}
	// By the policy that tolerates nothing it is what it is.
	shipped := filepath.Join(repository(), "matrix", "policy", "default.yaml")
	if strict := w.call(context.Background(), "judge", "--results", w.file("results"), "--policy", shipped, "latest"); strict.code != 1 {
		t.Errorf("by the shipped policy: exit code %d", strict.code)
	}
	// A plan with another policy in it is another plan.
	plan.Policy.FlakesTolerated++
	if plan.Check() == nil {
		t.Error("the plan's hash does not cover its policy")
	}
}

// A resumed run is judged by the policy that it was begun with.
func TestResumedRunsKeepTheirPolicy(t *testing.T) {
	w := newWorld(t)
	ctx, cancel := context.WithCancelCause(context.Background())
	w.suites = []suites.Suite{tiny(func(context.Context, suites.Env, func(result.Case)) error {
		cancel(run.Interrupted{Signal: "SIGINT"})
		return context.Canceled
	})}
	if said := w.qualify(ctx, "--policy", w.policyFile(t, laxPolicy)); said.code != 130 {
		t.Fatalf("exit code %d: %s", said.code, said.stderr)
	}
	w.suites = []suites.Suite{tiny(behaviours()["fail"])}
	said := w.call(context.Background(), "resume", "--results", w.file("results"), "latest")
	if doc := w.verdict(t); said.code != 0 || doc.Policy.Name != "lax" {
		t.Errorf("exit code %d by policy %q: %s%s", said.code, doc.Policy.Name, said.stdout, said.stderr)
	}
}

// A rule on cases is held against the plan as soon as there is one, and
// nothing is created.
func TestPoliciesThatDoNotFit(t *testing.T) {
	w := newWorld(t)
	for text, want := range map[string]string{
		strings.Replace(laxPolicy, "case: dns", "case: dnx", 1):          `policy.yaml:6:25: waivers[0].case: no planned case of suite "tiny" fits "dnx"`,
		strings.Replace(laxPolicy, "suite: tiny", "suite: teny", 1):      `policy.yaml:6:13: waivers[0].suite: no planned suite fits "teny"; did you mean tiny?`,
		strings.Replace(laxPolicy, "debian-12-*", "flatcar-*", 1):        `policy.yaml:4:17: requiredCells[0]: no planned cell fits "flatcar-*"`,
		strings.Replace(laxPolicy, "expires: 9999-12-31", "x: y", 1):     "waivers[0] has no expires",
		strings.Replace(laxPolicy, "kind: Policy", "kind: Matrix", 1):    "kind is \"Matrix\", not Policy",
		strings.Replace(laxPolicy, "name: lax", "name: lax\nname: b", 1): "has the key name again",
	} {
		said := w.qualify(context.Background(), "--policy", w.policyFile(t, text))
		if said.code != 2 || !strings.Contains(said.stderr, want) {
			t.Errorf("exit code %d, want %q: %s", said.code, want, said.stderr)
		}
	}
	if _, err := os.Stat(w.file("results")); err == nil {
		t.Error("results were made")
	}
	w.empty(t)
}

// Plans from before there were policy files are judged as they were.
func TestPlansWithoutAPolicy(t *testing.T) {
	if got := (run.Plan{}).Measure(); got.Hash() != result.DefaultPolicy().Hash() {
		t.Errorf("measured by %+v", got)
	}
}
