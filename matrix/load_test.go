package matrix

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
	"unicode"

	"github.com/qualify-dev/qualify/internal/strict"
)

// small is a good file on which the tables below vary.
const small = `apiVersion: qualify/v1
kind: Matrix
suites: [smoke]
workers: 1
axes:
  - name: os
    values:
      - name: debian-12
        family: debian
      - name: ubuntu-22.04
  - name: k8s
    values:
      - name: v1.34.4
        release: source:v1.34.4
      - name: v1.35.4
        release: source:v1.35.4
exclude:
  - when: {os: debian, k8s: ["1.34"]}
    reason: too old
    owner: node team
    issue: "#12"
    expires: 2026-12-31
`

// vary replaces one text in small.
func vary(t *testing.T, old, new string) string {
	t.Helper()
	if strings.Count(small, old) != 1 {
		t.Fatalf("%q is %d times in the sample", old, strings.Count(small, old))
	}
	return strings.Replace(small, old, new, 1)
}

func TestLoadDefault(t *testing.T) {
	m := loadDefault(t)
	if len(m.Warnings) > 0 {
		t.Errorf("warnings: %v", m.Warnings)
	}
	if m.File != "matrix/default.yaml" || m.Workers != 2 || !slices.Equal(m.Suites, []string{"smoke", "conformance"}) {
		t.Errorf("file %s, workers %d, suites %v", m.File, m.Workers, m.Suites)
	}
	if m.axisNames() != "os, containerd, k8s, provisioner" {
		t.Errorf("axes %s", m.axisNames())
	}
	axis, _ := m.Axis(K8s)
	for _, value := range axis.Values {
		if value.Release != "source:"+value.Name {
			t.Errorf("%s comes from %s", value.Name, value.Release)
		}
	}
}

// Default hands out a copy: a caller cannot change what the next one gets.
func TestDefaultIsACopy(t *testing.T) {
	data, _ := Default()
	data[0] = 'X'
	if again, _ := Default(); again[0] == 'X' {
		t.Error("the shipped matrix was changed through a caller's copy")
	}
}

func TestLoadModel(t *testing.T) {
	m := load(t, small)
	want := &Matrix{
		File: "m.yaml", Suites: []string{"smoke"}, Workers: 1, Support: Extended,
		Axes: []Axis{
			{Name: "os", Values: []Value{{Name: "debian-12", Family: "debian", line: 8, column: 9}, {Name: "ubuntu-22.04", line: 10, column: 9}}},
			{Name: "k8s", Values: []Value{
				{Name: "v1.34.4", Release: "source:v1.34.4", line: 13, column: 9},
				{Name: "v1.35.4", Release: "source:v1.35.4", line: 15, column: 9},
			}},
		},
		Exclude: []Exclusion{{
			When:   map[string][]string{"os": {"debian"}, "k8s": {"1.34"}},
			Reason: "too old", Owner: "node team", Issue: "#12", Expires: "2026-12-31",
			File: "m.yaml", Line: 18, Column: 5,
		}},
	}
	if !reflect.DeepEqual(m, want) {
		t.Errorf("loaded\n%+v\nwant\n%+v", m, want)
	}
}

// problems loads a bad file and returns what is wrong with it.
func problems(t *testing.T, text string) strict.Problems {
	t.Helper()
	m, err := Load("m.yaml", []byte(text))
	var all strict.Problems
	if !errors.As(err, &all) || m != nil || len(all) == 0 {
		t.Fatalf("matrix %v, error %v", m, err)
	}
	return all
}

const laughs = `a: &a [x, x, x, x, x, x, x, x, x]
b: &b [*a, *a, *a, *a, *a, *a, *a, *a, *a]
c: &c [*b, *b, *b, *b, *b, *b, *b, *b, *b]
`

// One clear error each: the whole message is held here.
func TestHostileFiles(t *testing.T) {
	long := strings.Repeat("x", 1_000_000)
	tests := []struct {
		name, text, want string
	}{
		{"unknown key", vary(t, "workers: 1", "workers: 1\nworker: 2"),
			"5:1: the file has the unknown key worker; did you mean workers? known keys: apiVersion, kind, suites, workers, axes, support, tiers, exclude, include, require"},
		{"huge name", vary(t, "ubuntu-22.04", long),
			`10:15: axes[0].values[1].name is "` + long[:60] + `…", which is no name; use 1 to 63 of a-z 0-9 . _ - and begin and end with a letter or digit`},
		{"huge number", vary(t, "ubuntu-22.04", strings.Repeat("1", 300)),
			"10:15: axes[0].values[1].name is the number " + strings.Repeat("1", 40) + "…, not a text; put it in quotes: \"" + strings.Repeat("1", 60) + "…\" (unquoted, YAML reads it as 1.1111111111111112e+299)"},
		{"too large", "#" + long + strings.Repeat("y", 50_000),
			"1:1: the file has 1050001 bytes, more than 1048576; is it a matrix? split it if so"},
		{"axis with no values", vary(t, "values:\n      - name: debian-12\n        family: debian\n      - name: ubuntu-22.04", "values: []"),
			"7:13: axes[0].values is empty; give at least one"},
		{"axis with null values", vary(t, "values:\n      - name: debian-12\n        family: debian\n      - name: ubuntu-22.04", "values:"),
			"7:12: axes[0].values is empty; give at least one"},
		{"no axes", vary(t, small[strings.Index(small, "axes:"):], "axes: []"),
			"5:7: axes is empty; give at least one"},
		{"no axes, but a rule", "apiVersion: qualify/v1\nkind: Matrix\nsuites: [a]\nworkers: 0\naxes: []\n" + small[strings.Index(small, "exclude:"):],
			"5:7: axes is empty; give at least one"},
		{"k8s axis without its name", vary(t, "  - name: k8s\n    values:", "  - values:"), "11:5: axes[1] has no name; add `name:`"},
		{"rule that removes everything", vary(t, `{os: debian, k8s: ["1.34"]}`, `{os: [debian, ubuntu-22.04]}`),
			"18:5: the exclusion removes every cell; narrow it"},
		{"empty", "", "1:1: the file is empty; start with `apiVersion: qualify/v1` and `kind: Matrix`"},
		{"wrong kind", "apiVersion: qualify/v1\nkind: Deployment\nspec: {replicas: 1}\n", "2:7: kind is \"Deployment\", not Matrix; start with `apiVersion: qualify/v1` and `kind: Matrix`"},
		{"number for a text", vary(t, `"1.34"`, "1.30"),
			`18:30: exclude[0].when.k8s[0] is the number 1.30, not a text; put it in quotes: "1.30" (unquoted, YAML reads it as 1.3)`},
		{"text for a number", vary(t, "workers: 1", `workers: "1"`), "4:10: workers is the text \"1\", not a number from 0 to 99; write e.g. `workers: 2`"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			all := problems(t, tt.text)
			if got := all.Error(); got != "m.yaml:"+tt.want {
				t.Errorf("error\n%.2000s\nwant\nm.yaml:%.2000s", got, tt.want)
			}
		})
	}
}

// The bomb has unknown keys as well; what matters is one word on aliases, and
// that nothing is expanded.
func TestBillionLaughs(t *testing.T) {
	all := problems(t, small+laughs)
	n := strings.Count(all.Error(), "aliases (*name) are not accepted")
	if n != 1 || len(all) != 4 {
		t.Errorf("%d words on aliases:\n%v", n, all)
	}
}

func TestRefusedValues(t *testing.T) {
	tests := []struct {
		old, new, want string
	}{
		{"apiVersion: qualify/v1\n", "", "1:1: the file has no apiVersion; add `apiVersion:`"},
		{"workers: 1\n", "", "1:1: the file has no workers; add `workers:`"},
		{"workers: 1", "workers: -1", "4:10: workers is the number -1, not a number from 0 to 99; write e.g. `workers: 2`"},
		{"workers: 1", "workers: 100", "4:10: workers is the number 100, not a number from 0 to 99; write e.g. `workers: 2`"},
		{"workers: 1", "workers: [1]", "4:10: workers is a list, not a number from 0 to 99; write e.g. `workers: 2`"},
		{"[smoke]", "[]", "3:9: suites is empty; give at least one"},
		{"[smoke]", "smoke", "3:9: suites is the text \"smoke\", not a list; write it as [a, b] or as `- a` lines"},
		{"[smoke]", "{a: b}", "3:9: suites is a mapping, not a list; write it as [a, b] or as `- a` lines"},
		{"[smoke]", "[smoke, smoke]", "3:17: suites[1] repeats smoke; keep one of the two"},
		{"[smoke]", "[Smoke]", `3:10: suites[0] is "Smoke", which is no name; ` + strict.NameRemedy},
		{"[smoke]", "[{a: b}]", "3:10: suites[0] is a mapping, not a text; write one text"},
		{"[smoke]", "[true]", `3:10: suites[0] is the truth value true, not a text; put it in quotes: "true"`},
		{"name: os", "name:", "6:10: axes[0].name is empty; write a text, in quotes if need be"},
		{"exclude:", "  - {name: os, values: [{name: x}]}\nexclude:", "17:5: the axis os is there twice; put all of its values in one"},
		{"  - name: os\n    values:", "  - values:", "6:5: axes[0] has no name; add `name:`"},
		{"family: debian\n", "family: debian\n        release: source:x\n", "10:9: axes[0].values[0] has the unknown key release; known keys: name, aliases, family, support, tier, weight, only, containerd, kubelet"},
		{"family: debian\n", "family: ubuntu-22.04\n", "10:15: axes[0].values[1].name is ubuntu-22.04, as is axes[0].values[0].family on line 9; give one of them another name"},
		{"family: debian\n", "aliases: [a, debian-12]\n", "9:22: axes[0].values[0].aliases[1] is debian-12, as is axes[0].values[0].name on line 8; give one of them another name"},
		{"name: ubuntu-22.04", "name: debian-12", "10:15: axes[0].values[1].name is debian-12, as is axes[0].values[0].name on line 8; give one of them another name"},
		{"name: ubuntu-22.04", "? [a]\n        : b", "10:9: axes[0].values[1] has no name; add `name:`|10:11: axes[0].values[1] has a list for a key; keys are names"},
		{"        release: source:v1.34.4\n", "", "13:9: axes[1].values[0] has no release; add `release:`"},
		{"source:v1.34.4", "v1.34.4", `14:18: axes[1].values[0].release is "v1.34.4", not a reference; write e.g. source:v1.34.4`},
		{"source:v1.34.4", "source:v1.35.4", "14:18: axes[1].values[0].release builds v1.35.4 under the name v1.34.4; write source:v1.34.4"},
		{"name: v1.34.4", "name: 1.34", `13:15: axes[1].values[0].name is the number 1.34, not a text; put it in quotes: "1.34"`},
		{"name: v1.34.4", "name: 1.34.4", `13:15: axes[1].values[0].name is "1.34.4", not a version; write it in full, e.g. v1.34.4|14:18: axes[1].values[0].release builds v1.34.4 under the name 1.34.4; write source:1.34.4`},
		{"release: source:v1.35.4", "release: source:v1.35.4\n        aliases: [latest]", "17:19: axes[1].values[1].aliases[0] is latest, which already names a release by rule; remove it"},
		{"release: source:v1.35.4", `release: source:v1.35.4` + "\n        family: \"1.35\"", "17:17: axes[1].values[1].family is 1.35, which already names a release by rule; remove it"},
		{`{os: debian, k8s: ["1.34"]}`, "{}", "18:11: exclude[0].when is empty; name an axis and its values, e.g. `os: debian-12`"},
		{`{os: debian, k8s: ["1.34"]}`, "debian", "18:11: exclude[0].when is the text \"debian\", not a mapping; write it as `key: value` lines"},
		{`{os: debian, k8s: ["1.34"]}`, "{os: []}", "18:16: exclude[0].when.os is empty; give at least one"},
		{`{os: debian, k8s: ["1.34"]}`, "{os: {a: b}}", "18:16: exclude[0].when.os is a mapping, not a text; write one text"},
		{`{os: debian, k8s: ["1.34"]}`, "{arch: arm64}", "18:5: the rule is about the axis arch, which is not there; the axes are os, k8s"},
		{"    owner: node team\n", "", "18:5: exclude[0] has no owner; add `owner:`"},
		{"too old", `" "`, `19:13: exclude[0].reason is blank or has control characters: " "; say it in a few words`},
		{"too old", `"a\e[31mb"`, `19:13: exclude[0].reason is blank or has control characters: "a\x1b[31mb"; say it in a few words`},
		{"too old", strings.Repeat("x", 1001), "19:13: exclude[0].reason has more than 1000 characters; say it in a few words, and the rest in the issue"},
		{`"#12"`, "#12", "21:11: exclude[0].issue is empty; put the text in quotes: unquoted, what follows # is a comment"},
		{`"#12"`, "12", `21:12: exclude[0].issue is the number 12, not a text; put it in quotes: "12"`},
		{"2026-12-31", "2026-02-30", `22:14: exclude[0].expires is "2026-02-30", not a day; write it as yyyy-mm-dd`},
		{"2026-12-31", "soon", `22:14: exclude[0].expires is "soon", not a day; write it as yyyy-mm-dd`},
	}
	for _, tt := range tests {
		t.Run(strings.TrimSpace(tt.old)+" to "+fmt.Sprintf("%.20s", tt.new), func(t *testing.T) {
			var lines []string
			for _, p := range problems(t, vary(t, tt.old, tt.new)) {
				lines = append(lines, strings.TrimPrefix(p.String(), "m.yaml:"))
			}
			if got := strings.Join(lines, "|"); got != tt.want {
				t.Errorf("problems\n%s\nwant\n%s", got, tt.want)
			}
		})
	}
}

func TestLongList(t *testing.T) {
	var names []string
	for i := range 1001 {
		names = append(names, fmt.Sprint("s", i))
	}
	all := problems(t, vary(t, "[smoke]", "["+strings.Join(names, ", ")+"]"))
	if want := "m.yaml:3:9: suites has 1001 items, more than 1000; split the matrix into several files"; all.Error() != want {
		t.Errorf("problems %v", all)
	}
}

// Everything at once, in file order.
func TestAllProblemsAtOnce(t *testing.T) {
	all := problems(t, `apiVersion: qualify/v1
kind: Matrix
suits: [smoke]
workers: many
axes:
  - name: os
    values: [{name: 9}, {nam: x}]
  - name: k8s
    values: [{name: v1.34.4}]
exclude:
  - when: {cpu: fast}
`)
	var places []string
	for _, p := range all {
		places = append(places, fmt.Sprintf("%d:%d", p.Line, p.Column))
	}
	// 1:1 no suites; 11:5 no reason, owner, issue, expires, and no such axis.
	want := "1:1 3:1 4:10 7:21 7:25 7:26 9:14 11:5 11:5 11:5 11:5 11:5"
	if got := strings.Join(places, " "); got != want {
		t.Errorf("places %s, want %s:\n%v", got, want, all)
	}
}

func TestManyProblemsAreCutInTheText(t *testing.T) {
	all := problems(t, small+strings.Repeat("x", 5)+": 1\n"+strings.Repeat("y: 1\n", 200))
	text := all.Error()
	if len(all) != 201 || strings.Count(text, "\n") != 50 || !strings.HasSuffix(text, "\nand 151 more problems") {
		t.Errorf("%d problems:\n%s", len(all), text)
	}
}

func TestWarnings(t *testing.T) {
	m := load(t, vary(t, `["1.34"]`, `["1.17"]`))
	want := []strict.Problem{{File: "m.yaml", Line: 18, Column: 5,
		Text: "the exclusion matches nothing: k8s has no value named 1.17", Remedy: "remove it, or correct its values"}}
	if !slices.Equal(m.Warnings, want) {
		t.Errorf("warnings %v, want %v", m.Warnings, want)
	}
	// A release from the command line does not make good rules suspicious.
	if given := load(t, small).WithRelease("v1.17.9", "file:x"); len(given.Warnings) > 0 {
		t.Errorf("warnings %v", given.Warnings)
	}
}

// A folded reason is one line, as messages need it.
func TestProseIsOneLine(t *testing.T) {
	m := load(t, vary(t, "too old", "|\n      too\n      old\n"))
	if m.Exclude[0].Reason != "too old" {
		t.Errorf("reason %q", m.Exclude[0].Reason)
	}
}

// cpuSeconds is what this process has used: on a busy machine a wall clock
// says nothing.
func cpuSeconds(t *testing.T) float64 {
	t.Helper()
	var use syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &use); err != nil {
		t.Fatal(err)
	}
	return time.Duration(use.Utime.Nano() + use.Stime.Nano()).Seconds()
}

// Time grows with the size of a file, not faster: these are as large as may
// be and take about a second together, under the race detector ten.
func TestLargeFiles(t *testing.T) {
	var values, rules strings.Builder
	for i := range 1000 {
		fmt.Fprintf(&values, "\n      - {name: v1.%d.0, release: \"source:v1.%d.0\"}", i, i)
		fmt.Fprintf(&rules, "\n  - {when: {k8s: \"1.%d\", os: debian}, reason: r, owner: o, issue: i, expires: 2030-01-01}", i)
	}
	text := vary(t, "\n      - name: v1.34.4\n        release: source:v1.34.4\n      - name: v1.35.4\n        release: source:v1.35.4", values.String())
	text = text[:strings.Index(text, "\n  - when")] + rules.String()
	start := cpuSeconds(t)
	m := load(t, text)
	if _, excluded, err := m.Expand(Selection{OS: {"debian"}}, "2026-01-01"); err == nil || len(excluded) != 1000 {
		t.Errorf("%d excluded, error %v", len(excluded), err)
	}
	if _, _, err := m.Expand(Selection{K8s: {strings.Repeat("x", 4_000_000)}}, "2026-01-01"); err == nil {
		t.Error("an endless name selects something")
	}
	for name, bad := range map[string]string{
		"comments":  strings.Repeat("a: #x\n", 170_000),
		"flow":      "suites: [" + strings.Repeat("a,", 500_000) + "]",
		"aliases":   strings.Repeat("- &a a\n", 140_000),
		"sequences": strings.Repeat("- ", 500_000),
	} {
		t.Run(name, func(t *testing.T) { _ = problems(t, bad) })
	}
	if took := cpuSeconds(t) - start; took > 60 {
		t.Errorf("it took %.0f s of processor time", took)
	}
}

func FuzzLoad(f *testing.F) {
	shipped, _ := Default()
	for _, seed := range []string{string(shipped), small, wide, small + laughs, "", "a: [", "a: &a [*a]", "? [a]\n: b", "!x {}", "\xff", "a\tb: \tc", "a: *b"} {
		f.Add([]byte(seed))
	}
	schema := resolved(f)
	f.Fuzz(func(t *testing.T, data []byte) {
		m, err := Load("m.yaml", data)
		if err != nil {
			checkProblems(t, err, data)
			return
		}
		if err := schema.Validate(plain(t, data)); err != nil {
			t.Errorf("the loader accepts what the schema refuses: %v", err)
		}
		again, err := Load("m.yaml", data)
		if err != nil || !reflect.DeepEqual(m, again) {
			t.Errorf("loading again: %+v, %v", again, err)
		}
		cells, excluded, err := m.Expand(nil, "0001-01-01")
		if err == nil && len(cells) == 0 {
			t.Errorf("no cells and no error; %d excluded", len(excluded))
		}
	})
}

// checkProblems holds what every refusal must have.
func checkProblems(t *testing.T, err error, data []byte) {
	t.Helper()
	var all strict.Problems
	if !errors.As(err, &all) || len(all) == 0 {
		t.Fatalf("error %T %v", err, err)
	}
	lines := 1 + strings.Count(string(data), "\n") + strings.Count(string(data), "\r") +
		strings.Count(string(data), "\u0085") + strings.Count(string(data), "\u2028") + strings.Count(string(data), "\u2029")
	last := 0
	for _, p := range all {
		if p.File != "m.yaml" || p.Line < max(last, 1) || p.Line > lines+1 || p.Column < 1 || p.Text == "" || p.Remedy == "" {
			t.Errorf("problem %+v in a file of %d lines", p, lines)
		}
		if strings.ContainsFunc(p.String(), unicode.IsControl) {
			t.Errorf("the message %q has control characters", p.String())
		}
		last = p.Line
	}
}
