package main

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/jsonschema-go/jsonschema"
	"sigs.k8s.io/yaml"

	"github.com/qualify-dev/qualify/internal/planning"
	"github.com/qualify-dev/qualify/internal/result"
	"github.com/qualify-dev/qualify/internal/run"
)

// keepsToPlanSchema holds a plan against the published schema.
func keepsToPlanSchema(t *testing.T, data []byte) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(repository(), "schema", "plan.schema.json"))
	if err != nil {
		t.Fatal(err)
	}
	var schema jsonschema.Schema
	if err := json.Unmarshal(text, &schema); err != nil {
		t.Fatal(err)
	}
	resolved, err := schema.Resolve(nil)
	if err != nil {
		t.Fatal(err)
	}
	var document any
	if err := json.Unmarshal(data, &document); err != nil {
		t.Fatal(err)
	}
	if err := resolved.Validate(document); err != nil {
		t.Errorf("the plan breaks its schema: %v\n%s", err, data)
	}
}

// wide is a matrix with what a plan can tell of.
const wide = `apiVersion: qualify/v1
kind: Matrix
suites: [tiny]
workers: 1
axes:
  - name: os
    values:
      - {name: debian-12, family: debian, weight: 3}
      - {name: debian-11, family: debian, containerd: "1.4.13"}
      - {name: ubuntu-22.04}
  - name: k8s
    values: [{name: v1.34.4, release: "source:v1.34.4"}]
  - name: provisioner
    values: [{name: fake}, {name: moon}]
exclude:
  - {when: {os: ubuntu-22.04, provisioner: fake}, reason: no licence, owner: me, issue: "#1", expires: 2999-01-01}
require:
  - {when: {os: debian-12, provisioner: fake}, reason: the gate stands on it}
`

func wideWorld(t *testing.T) *world {
	t.Helper()
	w := newWorld(t)
	if err := os.WriteFile(w.file("matrix.yaml"), []byte(wide), 0o600); err != nil {
		t.Fatal(err)
	}
	return w
}

// planOf calls plan and reads what it prints.
func (w *world) planOf(t *testing.T, more ...string) (run.Plan, string) {
	t.Helper()
	got := w.call(t.Context(), append(append([]string{"plan"}, w.flags()...), append(more, "-o", "json")...)...)
	if got.code != 0 {
		t.Fatalf("code %d: %s", got.code, got.stderr)
	}
	keepsToPlanSchema(t, []byte(got.stdout))
	var plan run.Plan
	if err := json.Unmarshal([]byte(got.stdout), &plan); err != nil {
		t.Fatal(err)
	}
	if err := plan.Check(); err != nil {
		t.Error(err)
	}
	return plan, got.stdout
}

func TestPlanTellsEverything(t *testing.T) {
	w := wideWorld(t)
	plan, _ := w.planOf(t)
	if len(plan.Cells) != 3 || len(plan.Excluded) != 3 || plan.Guarantee.Covered != 3 || plan.Guarantee.Total != 3 {
		t.Fatalf("%d cells, %d excluded, guarantee %+v", len(plan.Cells), len(plan.Excluded), plan.Guarantee)
	}
	if c := plan.Cells[0]; !c.Required || c.Blocked != "" || c.Source != w.file("release.yaml") || c.Estimate.Seconds == 0 {
		t.Errorf("first cell %+v", c)
	}
	if c := plan.Cells[1]; c.Required || !strings.Contains(c.Blocked, `unknown provisioner "moon"`) {
		t.Errorf("second cell %+v", c)
	}
	rules := map[string]int{}
	for _, e := range plan.Excluded {
		rules[strings.TrimPrefix(e.Rule, w.file("matrix.yaml"))]++
	}
	if rules["validity/containerd"] != 2 || rules[":16"] != 1 {
		t.Errorf("excluded by %v", rules)
	}
	if _, err := os.Stat(w.file("results")); err == nil {
		t.Error("a plan created something")
	}
	w.empty(t)
}

func TestPlanForms(t *testing.T) {
	w := wideWorld(t)
	base := append([]string{"plan"}, w.flags()...)
	table := w.call(t.Context(), base...).stdout
	for _, want := range []string{"debian-12-v1-34-4-fake", "required", `cannot be run here: unknown provisioner "moon"`, "3 cells of 3 that can be among 6 combinations in ", "guarantee: all 3 cells that can be", "validity/containerd", "no licence (owner me, until 2999-01-01)", "plan sha256:"} {
		if !strings.Contains(table, want) {
			t.Errorf("the table lacks %q:\n%s", want, table)
		}
	}
	markdown := w.call(t.Context(), append(base, "-o", "markdown")...).stdout
	if !strings.Contains(markdown, "| debian-12 v1.34.4 fake |") || !strings.Contains(markdown, "| not run | rule |") {
		t.Errorf("markdown:\n%s", markdown)
	}
	asJSON, err := yaml.YAMLToJSON([]byte(w.call(t.Context(), append(base, "-o", "yaml")...).stdout))
	if err != nil {
		t.Fatal(err)
	}
	keepsToPlanSchema(t, asJSON)
	var jobs planning.Jobs
	line := w.call(t.Context(), append(base, "--github")...).stdout
	if err := json.Unmarshal([]byte(line), &jobs); err != nil || len(jobs.Include) != 3 || strings.Count(line, "\n") != 1 {
		t.Errorf("%s: %v", line, err)
	}
}

func TestPlanIsBounded(t *testing.T) {
	w := wideWorld(t)
	all, _ := w.planOf(t)
	first := all.Cells[0].Estimate.Seconds
	plan, _ := w.planOf(t, "--max-time", (time.Duration(first) * time.Second).String())
	if len(plan.Cells) != 1 || plan.Guarantee.Covered != 1 || plan.Guarantee.Total != 3 || len(plan.Guarantee.Uncovered) != 2 {
		t.Errorf("%d cells, guarantee %+v", len(plan.Cells), plan.Guarantee)
	}
	if last := plan.Excluded[len(plan.Excluded)-1]; last.Rule != planning.RuleMaxTime {
		t.Errorf("excluded %+v", last)
	}
	total := 0
	for _, shard := range []string{"1/2", "2/2"} {
		plan, _ := w.planOf(t, "--shard", shard)
		total += len(plan.Cells)
		if plan.Shard != shard || plan.Guarantee.Covered != len(plan.Cells) || plan.Guarantee.Total != 3 {
			t.Errorf("shard %s: %+v", plan.Shard, plan.Guarantee)
		}
	}
	if total != 3 {
		t.Errorf("the shards have %d cells", total)
	}
}

func TestPlanRefuses(t *testing.T) {
	w := wideWorld(t)
	for _, tt := range []struct {
		args []string
		want string
	}{
		{[]string{"-o", "xml"}, `unknown output format "xml"`},
		{[]string{"--order", "luck"}, "there is no order"},
		{[]string{"--shard", "9/2"}, "there is no part 9 of 2"},
		{[]string{"--max-time", "1s"}, "the cells that the matrix requires do not keep to --max-time"},
		{[]string{"--max-time", "-1s"}, "cannot be negative"},
		{[]string{"--suite", "huge"}, `unknown suite "huge"`},
		{[]string{"--os", "solaris"}, "unknown os solaris"},
		{[]string{"--explain", "solaris"}, "no cell of "},
		{[]string{"--explain", "os=solaris"}, "unknown os solaris"},
		{[]string{"now"}, "unknown verb or argument"},
	} {
		got := w.call(t.Context(), append(append([]string{"plan"}, w.flags()...), tt.args...)...)
		if got.code != 2 || !strings.Contains(got.stderr, tt.want) || got.stdout != "" {
			t.Errorf("%v: code %d, %s%s", tt.args, got.code, got.stdout, got.stderr)
		}
	}
}

func TestPlanExplains(t *testing.T) {
	w := wideWorld(t)
	base := append([]string{"plan"}, w.flags()...)
	got := w.call(t.Context(), append(base, "--explain", "os=debian-11")...).stdout
	for _, want := range []string{"debian-11-v1-34-4-fake", "is not run", "it cannot be: containerd 1.4.13 of debian-11 has no CRI v1", "validity/containerd"} {
		if !strings.Contains(got, want) {
			t.Errorf("lacks %q:\n%s", want, got)
		}
	}
	got = w.call(t.Context(), append(base, "--explain", "ubuntu-22-04-v1-34-4-fake")...).stdout
	if !strings.Contains(got, "matrix.yaml:16 excludes it until 2999-01-01: no licence (owner me, issue #1)") {
		t.Error(got)
	}
	got = w.call(t.Context(), append(base, "--explain", "debian-12-v1-34-4-moon")...).stdout
	if !strings.Contains(got, "is run where it is selected") || !strings.Contains(got, `it cannot be run here: unknown provisioner "moon"`) {
		t.Error(got)
	}
	var all []explained
	text := w.call(t.Context(), append(base, "--explain", "debian-12-v1-34-4-fake", "-o", "json")...).stdout
	if err := json.Unmarshal([]byte(text), &all); err != nil || len(all) != 1 || !all[0].Runs || len(all[0].Requires) != 1 {
		t.Errorf("%s: %v", text, err)
	}
}

func TestPlanOfForcedCells(t *testing.T) {
	w := wideWorld(t)
	plan, _ := w.planOf(t, "--os", "debian-11", "--provisioner", "fake", "--force-invalid", "--verify")
	if len(plan.Cells) != 1 || !strings.HasPrefix(plan.Cells[0].Forced, "containerd 1.4.13 of debian-11 has no CRI v1") {
		t.Errorf("cells %+v", plan.Cells)
	}
	table := w.call(t.Context(), append(append([]string{"plan"}, w.flags()...), "--os", "debian-11", "--force-invalid")...).stdout
	if !strings.Contains(table, "forced: containerd 1.4.13 of debian-11") {
		t.Error(table)
	}
}

// A saved plan is executed exactly, and its hash is in the verdict.
func TestRunExecutesASavedPlan(t *testing.T) {
	w := wideWorld(t)
	saved, text := w.planOf(t, "--only", "debian-12-v1-34-4-fake", "--retries", "0", "--workers", "2")
	file := w.file("saved.json")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	got := w.call(t.Context(), "run", file, "--results", w.file("results"))
	if got.code != 0 {
		t.Fatalf("code %d: %s%s", got.code, got.stdout, got.stderr)
	}
	doc := w.verdict(t)
	if doc.Plan.From != saved.Hash || doc.Plan.Hash == saved.Hash || len(doc.Cells) != 1 {
		t.Errorf("the verdict is on the plan %+v, the saved one is %s", doc.Plan, saved.Hash)
	}
	made, err := os.ReadFile(w.file("results/latest/plan.json"))
	if err != nil {
		t.Fatal(err)
	}
	keepsToPlanSchema(t, made)
	w.empty(t)
	// The next plan knows how long it took.
	next, _ := w.planOf(t, "--only", "debian-12-v1-34-4-fake")
	if source := next.Cells[0].Estimate.Source; source != "history: median of 1 of this cell" {
		t.Errorf("estimate from %q", source)
	}
}

func TestRunRefusesSavedPlans(t *testing.T) {
	w := wideWorld(t)
	_, text := w.planOf(t)
	_, one := w.planOf(t, "--only", "debian-12-v1-34-4-fake")
	for name, tt := range map[string]struct {
		text, want string
		flags      []string
	}{
		"a cell that cannot be run": {text, `unknown provisioner "moon"`, nil},
		"a changed plan":            {strings.Replace(one, `"workers": 1`, `"workers": 0`, 1), "the plan was changed after it was made", nil},
		"no plan":                   {"{}", "the plan was changed after it was made", nil},
		"something else":            {`{"kind": "Deployment", "spec": 1}`, "unknown field", nil},
		"nothing":                   {"", "reading the plan", nil},
		"another choice":            {one, "--os does not go with a saved plan", []string{"--os", "debian-12"}},
	} {
		file := w.file("saved.json")
		if err := os.WriteFile(file, []byte(tt.text), 0o600); err != nil {
			t.Fatal(err)
		}
		got := w.call(t.Context(), append([]string{"run", file, "--results", w.file("results")}, tt.flags...)...)
		if got.code != 2 || !strings.Contains(got.stderr, tt.want) {
			t.Errorf("%s: code %d, %s", name, got.code, got.stderr)
		}
	}
	if _, err := os.Stat(w.file("results")); err == nil {
		t.Error("a run was made")
	}
	w.empty(t)
}

func TestPlanIsReduced(t *testing.T) {
	w := newWorld(t)
	var many strings.Builder
	for _, axis := range []string{"a", "b", "c", "d"} {
		many.WriteString("  - {name: " + axis + ", values: [{name: x}, {name: y}, {name: z}]}\n")
	}
	text := matrixYAML + many.String() + "tiers:\n  quick: {strength: 2}\nrequire:\n  - {when: {a: z, b: z, c: z, d: z}, reason: r}\n"
	if err := os.WriteFile(w.file("matrix.yaml"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	all, _ := w.planOf(t, "--verify")
	if len(all.Cells) != 81 || all.Guarantee.Strength != 7 || all.Guarantee.Total != 81 {
		t.Errorf("%d cells, %+v", len(all.Cells), all.Guarantee)
	}
	pairs, _ := w.planOf(t, "--strength", "2", "--verify")
	again, _ := w.planOf(t, "--tier", "quick", "--verify")
	// Four axes of three values, and three of one: 4*3/2*9 + 4*3*3 + 3 pairs.
	if g := pairs.Guarantee; len(pairs.Cells) > 11 || g.Strength != 2 || g.Covered != 93 || g.Total != 93 || len(g.Uncovered) != 0 {
		t.Errorf("%d cells, %+v", len(pairs.Cells), g)
	}
	if again.Hash != pairs.Hash || !pairs.Cells[0].Required {
		t.Errorf("hashes %s and %s, first cell %+v", pairs.Hash, again.Hash, pairs.Cells[0])
	}
	// What does not fit into the time is listed as not covered.
	time := (time.Duration(2*all.Cells[0].Estimate.Seconds) * time.Second).String()
	short, _ := w.planOf(t, "--strength", "2", "--verify", "--max-time", time)
	if g := short.Guarantee; len(short.Cells) != 2 || g.Total != 93 || g.Covered+len(g.Uncovered) != 93 || len(g.Uncovered) == 0 {
		t.Errorf("%d cells, %d of %d, %d uncovered", len(short.Cells), g.Covered, g.Total, len(g.Uncovered))
	}
	for _, bad := range [][]string{{"--strength", "4"}, {"--strength", "1"}, {"--optimize", "1s"}, {"--strength", "2", "--optimize", "-1s"}, {"--strength", "2", "--only", "debian"}} {
		if got := w.call(t.Context(), append(append([]string{"plan"}, w.flags()...), bad...)...); got.code != 2 || got.stdout != "" {
			t.Errorf("%v: code %d, %s", bad, got.code, got.stderr)
		}
	}
}

// A run that was reduced says so in its plan, as qualify plan does.
func TestRunSaysWhatItStandsFor(t *testing.T) {
	w := newWorld(t)
	if got := w.qualify(t.Context(), "--strength", "2"); got.code != 0 {
		t.Fatalf("code %d: %s", got.code, got.stderr)
	}
	var plan run.Plan
	if err := readJSON(w.file("results/latest/plan.json"), &plan); err != nil {
		t.Fatal(err)
	}
	if g := plan.Guarantee; g == nil || g.Strength != 2 || g.Covered != 3 || g.Total != 3 || plan.AsOf == "" {
		t.Errorf("guarantee %+v as of %s", g, plan.AsOf)
	}
}

// A field that is added to plans is added to their schema too.
func TestPlanSchemaHasEveryField(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(repository(), "schema", "plan.schema.json"))
	if err != nil {
		t.Fatal(err)
	}
	var schema jsonschema.Schema
	if err := json.Unmarshal(text, &schema); err != nil {
		t.Fatal(err)
	}
	cell := schema.Defs["cell"].Properties
	for _, pair := range []struct {
		of         any
		properties map[string]*jsonschema.Schema
	}{
		{run.Plan{}, schema.Properties},
		{run.Budgets{}, schema.Properties["budgets"].Properties},
		{run.Guarantee{}, schema.Properties["guarantee"].Properties},
		{run.Excluded{}, schema.Defs["excluded"].Properties},
		{run.PlanCell{}, cell},
		{run.Estimate{}, cell["estimate"].Properties},
		{result.ReleaseRef{}, cell["release"].Properties},
		{result.ComponentRef{}, cell["components"].Items.Properties},
		{result.PlanSuite{}, cell["suites"].Items.Properties},
	} {
		fields := map[string]bool{}
		for _, f := range reflect.VisibleFields(reflect.TypeOf(pair.of)) {
			if name, _, _ := strings.Cut(f.Tag.Get("json"), ","); name != "" {
				fields[name] = true
			}
		}
		for name := range pair.properties {
			if !fields[name] {
				t.Errorf("%T has no field %s, and the schema has", pair.of, name)
			}
			delete(fields, name)
		}
		for name := range fields {
			t.Errorf("the schema lacks %s of %T", name, pair.of)
		}
	}
}

// Spreading cells is for suites that can be divided, and within reason.
func TestClustersFlag(t *testing.T) {
	w := newWorld(t)
	for _, test := range []struct {
		args []string
		want string
	}{
		{[]string{"--clusters", "0", "--conformance", "full"}, "--clusters is 0, and is 1 to 64"},
		{[]string{"--clusters", "65", "--conformance", "full"}, "--clusters is 65, and is 1 to 64"},
		{[]string{"--clusters", "2"}, "--clusters goes with --conformance full"},
		{[]string{"--clusters", "2", "--conformance", "certified"}, "--clusters goes with --conformance full"},
	} {
		said := w.call(context.Background(), append([]string{"plan", "-f", w.file("matrix.yaml"), "--results", w.file("results")}, test.args...)...)
		if said.code != 2 || !strings.Contains(said.stderr, test.want) {
			t.Errorf("%q: exit code %d, %s", test.args, said.code, said.stderr)
		}
	}
}
