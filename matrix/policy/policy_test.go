package policy

import (
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/google/jsonschema-go/jsonschema"
	"pgregory.net/rapid"

	"github.com/qualify-dev/qualify/internal/result"
	"github.com/qualify-dev/qualify/internal/strict"
	"github.com/qualify-dev/qualify/internal/strict/stricttest"
)

// small is a good file on which the tables below vary.
const small = `apiVersion: qualify/v1
kind: Policy
name: nightly
requiredCells: ["debian-*"]
blockingSuites: [smoke]
blockingCases:
  - {suite: soak, case: "[a] *"}
informingSuites: ["soak*"]
informingCases:
  - {suite: smoke, case: dns}
flakesTolerated: 1
flakeLimits:
  - {suite: smoke, tolerated: 0}
waivers:
  - suite: smoke
    case: "exec *"
    reason: too old
    owner: node team
    issue: "#12"
    expires: 2026-12-31
`

func vary(t *testing.T, old, new string) string {
	t.Helper()
	if strings.Count(small, old) != 1 {
		t.Fatalf("%q is %d times in the sample", old, strings.Count(small, old))
	}
	return strings.Replace(small, old, new, 1)
}

func load(t *testing.T, text string) *File {
	t.Helper()
	f, err := Load("p.yaml", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func TestLoad(t *testing.T) {
	want := result.Policy{
		Name: "nightly", FlakesTolerated: 1, FlakeLimits: []result.FlakeLimit{{Suite: "smoke", Tolerated: 0}},
		RequiredCells: []string{"debian-*"}, BlockingSuites: []string{"smoke"}, BlockingCases: []result.CaseRule{{Suite: "soak", Case: "[a] *"}},
		InformingSuites: []string{"soak*"}, InformingCases: []result.CaseRule{{Suite: "smoke", Case: "dns"}},
		Waivers: []result.Waiver{{
			Suite: "smoke", Case: "exec *", Reason: "too old", Owner: "node team", Issue: "#12",
			Expires: result.NewDate(time.Date(2026, 12, 31, 0, 0, 0, 0, time.UTC)),
		}},
	}
	if got := load(t, small).Policy; !reflect.DeepEqual(got, want) {
		t.Errorf("loaded\n%+v\nwant\n%+v", got, want)
	}
}

// The shipped default is what is judged by where no file is named.
func TestDefaultIsTheDefault(t *testing.T) {
	data, name := Default()
	f, err := Load(name, data)
	if err != nil || !reflect.DeepEqual(f.Policy, result.DefaultPolicy()) {
		t.Errorf("the default is %+v, %v", f, err)
	}
	data[0] = 'X'
	if again, _ := Default(); again[0] == 'X' {
		t.Error("it was changed through a caller's copy")
	}
}

// Every shipped file can be loaded, and meets the schema.
func TestShippedPolicies(t *testing.T) {
	files, err := filepath.Glob("*.yaml")
	if err != nil || len(files) < 2 {
		t.Fatalf("files %v, %v", files, err)
	}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		bySchema, byLoader := agree(t, schema(t), string(data))
		if bySchema != nil || byLoader != nil {
			t.Errorf("%s\nschema: %v\nloader: %v", file, bySchema, byLoader)
		}
	}
}

func TestRefusedFiles(t *testing.T) {
	const known = "known keys: apiVersion, kind, name, requiredCells, blockingSuites, blockingCases, informingSuites, informingCases, flakesTolerated, flakeLimits, waivers, failFast"
	const pattern = "which is no pattern; write a name, with * for any text; no blanks at its ends, at most 500 characters"
	for _, tt := range []struct{ old, new, want string }{
		{"kind: Policy", "kind: Matrix", "2:7: kind is \"Matrix\", not Policy; start with `apiVersion: qualify/v1` and `kind: Policy`"},
		{"waivers:", "waiver:", "14:1: the file has the unknown key waiver; did you mean waivers? " + known},
		{"name: nightly\n", "", "1:1: the file has no name; add `name:`"},
		{`["debian-*"]`, "debian", "4:16: requiredCells is the text \"debian\", not a list; write it as [a, b] or as `- a` lines"},
		{`["debian-*"]`, `["a", "a"]`, `4:22: requiredCells[1] repeats "a"; keep one of the two`},
		{`["debian-*"]`, `[" a"]`, `4:17: requiredCells[0] is " a", ` + pattern},
		{`["debian-*"]`, `[""]`, `4:17: requiredCells[0] is "", ` + pattern},
		{`["debian-*"]`, `["a\nb"]`, `4:17: requiredCells[0] is "a\nb", ` + pattern},
		{`["debian-*"]`, "[1.30]", `4:17: requiredCells[0] is the number 1.30, not a text; put it in quotes: "1.30" (unquoted, YAML reads it as 1.3)`},
		{`["debian-*"]`, "[*x]", "4:1: aliases (*name) are not accepted; write the value out where it is used"},
		{"{suite: soak, case: \"[a] *\"}", "{suite: soak}", "7:5: blockingCases[0] has no case; add `case:`"},
		{"{suite: soak, case: \"[a] *\"}", "{suite: soak, case: [a]}", "7:25: blockingCases[0].case is a list, not a text; write one text"},
		{"{suite: smoke, case: dns}", "{suite: smoke, case: dns}\n  - {case: dns, suite: smoke}", "11:5: informingCases[1] is about the same cases as the rule number 1 of its list; keep one of the two"},
		{"flakesTolerated: 1", "failFast: \"true\"\nflakesTolerated: 1", "11:11: failFast is neither true nor false; write true or false"},
		{"flakesTolerated: 1", "failFast: [true]\nflakesTolerated: 1", "11:11: failFast is neither true nor false; write true or false"},
		{"flakesTolerated: 1", "flakesTolerated: -1", "11:18: flakesTolerated is the number -1, not a number from 0 to 999; write e.g. `flakesTolerated: 2`"},
		{"tolerated: 0", "tolerated: many", "13:31: flakeLimits[0].tolerated is the text \"many\", not a number from 0 to 999; write e.g. `tolerated: 2`"},
		{", tolerated: 0", "", "13:5: flakeLimits[0] has no tolerated; add `tolerated:`"},
		{"    reason: too old\n", "", "15:5: waivers[0] has no reason; add `reason:`"},
		{"    owner: node team\n", "", "15:5: waivers[0] has no owner; add `owner:`"},
		{"    issue: \"#12\"\n", "", "15:5: waivers[0] has no issue; add `issue:`"},
		{"    expires: 2026-12-31\n", "", "15:5: waivers[0] has no expires; add `expires:`"},
		{"  - suite: smoke\n    case:", "  - case:", "15:5: waivers[0] has no suite; add `suite:`"},
		{"2026-12-31", "never", `20:14: waivers[0].expires is "never", not a day; write it as yyyy-mm-dd`},
		{"2026-12-31", "2026-12-31\n  - {suite: smoke, case: exec *, reason: r, owner: o, issue: i, expires: 2027-01-01}", "21:5: waivers[1] is about the same cases as the rule number 1 of its list; keep one of the two"},
	} {
		t.Run(strings.TrimSpace(tt.old)+" to "+strings.TrimSpace(tt.new), func(t *testing.T) {
			f, err := Load("p.yaml", []byte(vary(t, tt.old, tt.new)))
			if f != nil || err == nil || err.Error() != "p.yaml:"+tt.want {
				t.Errorf("error\n%v\nwant\np.yaml:%s", err, tt.want)
			}
		})
	}
	_, err := Load("p.yaml", []byte("apiVersion: qualify/v1\nkind: Policy\nnam: x\nwaivers: [{suite: s, case: c}, {reason: 1}]\nflakeLimits: 3\n"))
	if lines := strings.Split(err.Error(), "\n"); len(lines) != 13 {
		t.Errorf("%d problems at once: %v", len(lines), err)
	}
}

func planned() result.Plan {
	return result.Plan{Cells: []result.PlanCell{{
		ID: "debian-12-kind", Suites: []result.PlanSuite{{Name: "smoke", Expected: []string{"dns", "exec into a pod"}}, {Name: "soak", Expected: []string{"[a] runs long"}}},
	}}}
}

// What fits nothing planned is a slip, with its place.
func TestCheck(t *testing.T) {
	if err := load(t, small).Check(planned(), Everything); err != nil {
		t.Errorf("all of it fits: %v", err)
	}
	for _, tt := range []struct{ old, new, want string }{
		{`["debian-*"]`, `["debian-*", "ubuntu-*"]`, `4:29: requiredCells[1]: no planned cell fits "ubuntu-*"; select it, or leave it out; planned: debian-12-kind`},
		{"blockingSuites: [smoke]", "blockingSuites: [smok]", `5:18: blockingSuites[0]: no planned suite fits "smok"; did you mean smoke? planned suites: smoke, soak`},
		{`case: "[a] *"`, `case: "a *"`, `7:25: blockingCases[0].case: no planned case of suite "soak" fits "a *"; remove the rule, or correct it: a case's whole name has to fit, with * for any text`},
		{`["soak*"]`, "[perf]", `8:19: informingSuites[0]: no planned suite fits "perf"; planned suites: smoke, soak`},
		{"{suite: smoke, tolerated: 0}", "{suite: perf, tolerated: 0}", `13:13: flakeLimits[0].suite: no planned suite fits "perf"; planned suites: smoke, soak`},
		{"exec *", "execute *", `16:11: waivers[0].case: no planned case of suite "smoke" fits "execute *"; remove the rule, or correct it: a case's whole name has to fit, with * for any text`},
	} {
		err := load(t, vary(t, tt.old, tt.new)).Check(planned(), Everything)
		var problems strict.Problems
		if !errors.As(err, &problems) || err.Error() != "p.yaml:"+tt.want {
			t.Errorf("%s\n%v\nwant\np.yaml:%s", tt.new, err, tt.want)
		}
	}
	f := load(t, vary(t, `["debian-*"]`, `["ubuntu-*"]`))
	if err := f.Check(planned(), Recorded); err != nil {
		t.Errorf("what is excepted: %v", err)
	}
	if err := f.Check(result.Plan{}, Everything); err == nil || !strings.Contains(err.Error(), "planned: none") {
		t.Errorf("of no plan: %v", err)
	}
	early := planned()
	for i := range early.Cells[0].Suites {
		early.Cells[0].Suites[i].Expected = nil
	}
	if err := load(t, small).Check(early, Selection); err != nil {
		t.Errorf("where no cases are known: %v", err)
	}
	if err := load(t, vary(t, "[smoke]", "[smok]")).Check(early, Selection); err == nil || !strings.Contains(err.Error(), "did you mean smoke") {
		t.Errorf("a suite that is not selected, where no cases are known: %v", err)
	}
	many := planned()
	for _, id := range strings.Split("a b c d e f g h", " ") {
		many.Cells = append(many.Cells, result.PlanCell{ID: id})
	}
	if err := f.Check(many, Everything); err == nil || !strings.Contains(err.Error(), "planned: debian-12-kind, a, b, c, d, e and 3 more") {
		t.Errorf("of many cells: %v", err)
	}
}

func schema(t testing.TB) *jsonschema.Resolved {
	t.Helper()
	read, err := stricttest.Schema("policy.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	for name, form := range map[string]string{"pattern": patternText, "prose": strict.ProseForm} {
		if read.Defs[name].Pattern != form {
			t.Errorf("%s: %s in the schema, %s in the loader", name, read.Defs[name].Pattern, form)
		}
	}
	if read.Properties["name"].Pattern != strict.NameForm || *read.Defs["tolerated"].Maximum != maxTolerated || *read.Defs["patterns"].MaxItems != strict.MaxList {
		t.Error("the schema has another form of names or other bounds")
	}
	resolved, err := read.Resolve(nil)
	if err != nil {
		t.Fatal(err)
	}
	return resolved
}

// agree says what each makes of a file.
func agree(t testing.TB, schema *jsonschema.Resolved, text string) (bySchema, byLoader error) {
	t.Helper()
	plain, err := stricttest.Plain([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	_, byLoader = Load("p.yaml", []byte(text))
	return schema.Validate(plain), byLoader
}

func TestSchemaAndLoaderAgreeOnDamage(t *testing.T) {
	schema, refused := schema(t), 0
	rapid.Check(t, func(rt *rapid.T) {
		if stricttest.Agree(rt, small, schema, func(text []byte) error { _, err := Load("p.yaml", text); return err }) {
			refused++
		}
	})
	if refused == 0 {
		t.Error("no file was bad")
	}
}

func FuzzLoad(f *testing.F) {
	example, err := os.ReadFile("nightly.yaml")
	if err != nil {
		f.Fatal(err)
	}
	for _, seed := range []string{small, string(example), defaultYAML, "", "waivers: [", "kind: Policy\nwaivers: [{expires: 1}]"} {
		f.Add([]byte(seed))
	}
	schema := schema(f)
	f.Fuzz(func(t *testing.T, data []byte) {
		file, err := Load("p.yaml", data)
		if err == nil {
			plain, err := stricttest.Plain(data)
			if err == nil {
				err = schema.Validate(plain)
			}
			if err != nil {
				t.Errorf("the loader accepts what the schema refuses: %v", err)
			}
			err = file.Check(planned(), Everything)
			if err == nil {
				return
			}
		}
		var all strict.Problems
		if !errors.As(err, &all) && file == nil || err != nil && strings.ContainsFunc(strings.ReplaceAll(err.Error(), "\n", ""), unicode.IsControl) {
			t.Fatalf("error %T %q", err, err)
		}
	})
}
