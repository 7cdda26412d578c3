package strict

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"unicode"

	"go.yaml.in/yaml/v3"
)

// sample is a file with a field of each kind.
const sample = `apiVersion: qualify/v1
kind: Sample
name: first
names: [a, b]
count: 3
rule:
  reason: |
    too
    old
  owner: node team
  issue: "#12"
  expires: 2026-12-31
`

// read is what a reader of samples returns.
type read struct {
	name  string
	names []string
	count int
	by    Decision
}

func load(data []byte) (read, error) {
	r, root := Open("s.yaml", "Sample", data)
	if root == nil {
		return read{}, r.Err()
	}
	f := r.Fields(root, "the file", []string{"apiVersion", "kind", "name", "names", "count", "rule", "any"}, []string{"apiVersion", "kind", "name"})
	var s read
	if n := f["name"]; n != nil {
		s.name, _ = r.Name(n, "name")
	}
	if n := f["names"]; n != nil {
		s.names = Texts(r.Names(n, "names", 1))
	}
	if n := f["count"]; n != nil {
		s.count = r.Whole(n, "count", 1, 9)
	}
	if n := f["rule"]; n != nil {
		s.by = r.Decision(r.Fields(n, "rule", DecisionKeys(), DecisionKeys()), "rule")
	}
	if n := f["any"]; n != nil {
		r.Fields(n, "any", nil, nil)
	}
	return s, r.Err()
}

// vary replaces one text in the sample.
func vary(t *testing.T, old, new string) string {
	t.Helper()
	if strings.Count(sample, old) != 1 {
		t.Fatalf("%q is %d times in the sample", old, strings.Count(sample, old))
	}
	return strings.Replace(sample, old, new, 1)
}

func TestReading(t *testing.T) {
	got, err := load([]byte(sample))
	want := read{"first", []string{"a", "b"}, 3, Decision{"too old", "node team", "#12", "2026-12-31"}}
	if err != nil || fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("read %+v, %v, want %+v", got, err, want)
	}
	if _, err := load([]byte("\xef\xbb\xbf" + strings.ReplaceAll(sample, "\n", "\r\n"))); err != nil {
		t.Errorf("as an editor on another system saves it: %v", err)
	}
}

// One clear error each: the whole message is held here.
func TestHostileFiles(t *testing.T) {
	long := strings.Repeat("x", 1_000_000)
	const start = "start with `apiVersion: qualify/v1` and `kind: Sample`"
	const look = "look at the indentation, the quotes and the brackets at this line and just before it"
	const known = "known keys: apiVersion, kind, name, names, count, rule, any"
	for _, tt := range []struct{ name, text, want string }{
		{"unknown key", vary(t, "count: 3", "conut: 3"), "5:1: the file has the unknown key conut; did you mean count? " + known},
		{"duplicate key", vary(t, "count: 3", "count: 3\ncount: 2"), "6:1: the file has the key count again, first on line 5; keep one of the two"},
		{"cyclic alias", vary(t, "[a, b]", "&a [*a]"), "4:8: anchors (&name) and aliases (*name) are not accepted; write the value out where it is used"},
		{"alias of nothing", vary(t, "[a, b]", "*a"), "4:1: aliases (*name) are not accepted; write the value out where it is used"},
		{"merge key", vary(t, "count: 3", "<<: {a: b}"), `5:1: the file has the unknown key "<<"; ` + known},
		{"huge key", vary(t, "count: 3", "? "+long+"\n: 1"), `5:3: the file has the unknown key "` + long[:60] + `…"; ` + known},
		{"huge file", "#" + long + strings.Repeat("y", 50_000), "1:1: the file has 1050001 bytes, more than 1048576; is it a sample? split it if so"},
		{"tab", vary(t, "  owner", "\towner"), "10:1: a tab in the indentation; indent with spaces"},
		{"tab after spaces", vary(t, "  owner", " \t owner"), "10:2: a tab in the indentation; indent with spaces"},
		{"empty", "", "1:1: the file is empty; " + start},
		{"comments only", "# nothing\n  \n", "1:1: the file is empty; " + start},
		{"null", "---\n", "1:1: the file is empty; " + start},
		{"a sentence", "not YAML at all", "1:1: the file is the text \"not YAML at all\", not a mapping; write it as `key: value` lines"},
		{"a list", "- a\n", "1:1: the file is a list, not a mapping; write it as `key: value` lines"},
		{"not YAML", vary(t, "[a, b]", "[a, b"), "4:1: not YAML: did not find expected ',' or ']'; " + look},
		{"not YAML, first line", "a: b: c", "1:1: not YAML: mapping values are not allowed in this context; " + look},
		{"open quote", vary(t, "2026-12-31", `"2026-12-31`), "12:1: not YAML: found unexpected end of stream; " + look},
		{"deep", strings.Repeat("[", 1_000_000), "1:1: not YAML: exceeded max depth of 10000; " + look},
		{"two documents", sample + "---\n" + sample, "14:1: a second document starts here; keep one document to a file: remove the --- and what follows, or move it"},
		{"two documents, the second bad", sample + "---\n[", "15:1: not YAML: did not find expected node content; " + look},
		{"wrong kind", "apiVersion: qualify/v1\nkind: Deployment\nspec: {replicas: 1}\n", "2:7: kind is \"Deployment\", not Sample; " + start},
		{"wrong version", vary(t, "qualify/v1", "qualify/v2"), "1:13: apiVersion is \"qualify/v2\", not qualify/v1; " + start},
		{"no kind", vary(t, "kind: Sample\n", ""), "1:1: the file has no kind; add `kind:`"},
		{"NUL", vary(t, "first", "fir\x00st"), "3:10: the control character U+0000 is not text; remove it; is this a YAML file?"},
		{"escape", vary(t, "node", "no\x1b[31mde"), "10:12: the control character U+001B is not text; remove it; is this a YAML file?"},
		{"invalid UTF-8", vary(t, "node", "nôde \xff"), "10:15: the byte 0xff is not UTF-8 text; save the file as UTF-8"},
		{"UTF-16", "\xff\xfea\x00", "1:1: the byte 0xff is not UTF-8 text; save the file as UTF-8"},
		{"tag", vary(t, "first", "!!str 1.30"), `3:7: the tag "!!str" is not accepted; remove it; put a text in quotes where it looks like a number`},
		{"tagged root", "!x {}", `1:1: the tag "!x" is not accepted; remove it; put a text in quotes where it looks like a number`},
		{"tagged number", vary(t, "count: 3", "count: !!int 3"), `5:8: the tag "!!int" is not accepted; remove it; put a text in quotes where it looks like a number`},
		{"no name", vary(t, "first", "First!"), `3:7: name is "First!", which is no name; ` + NameRemedy},
		{"number for a name", vary(t, "first", "1.30"), `3:7: name is the number 1.30, not a text; put it in quotes: "1.30" (unquoted, YAML reads it as 1.3)`},
		{"truth for a name", vary(t, "first", "true"), `3:7: name is the truth value true, not a text; put it in quotes: "true"`},
		{"no value", vary(t, "first", ""), "3:6: name is empty; write a text, in quotes if need be"},
		{"comment for a value", vary(t, `"#12"`, "#12"), "11:9: rule.issue is empty; put the text in quotes: unquoted, what follows # is a comment"},
		{"list for a name", vary(t, "first", "[a]"), "3:7: name is a list, not a text; write one text"},
		{"empty list", vary(t, "[a, b]", "[]"), "4:8: names is empty; give at least one"},
		{"name for a list", vary(t, "[a, b]", "a"), "4:8: names is the text \"a\", not a list; write it as [a, b] or as `- a` lines"},
		{"repeated name", vary(t, "[a, b]", "[a, b, a]"), "4:15: names[2] repeats a; keep one of the two"},
		{"long list", vary(t, "[a, b]", "["+strings.Repeat("[],", MaxList+1)+"]"), "4:8: names has 1001 items, more than 1000; split the sample into several files"},
		{"number out of bounds", vary(t, "count: 3", "count: 10"), "5:8: count is the number 10, not a number from 1 to 9; write e.g. `count: 2`"},
		{"no whole number", vary(t, "count: 3", "count: 2.5"), "5:8: count is the number 2.5, not a number from 1 to 9; write e.g. `count: 2`"},
		{"text for a number", vary(t, "count: 3", `count: "3"`), "5:8: count is the text \"3\", not a number from 1 to 9; write e.g. `count: 2`"},
		{"no day", vary(t, "2026-12-31", "2026-02-30"), `12:12: rule.expires is "2026-02-30", not a day; write it as yyyy-mm-dd`},
		{"no owner", vary(t, "  owner: node team\n", ""), "7:3: rule has no owner; add `owner:`"},
		{"blank prose", vary(t, "node team", `" "`), `10:10: rule.owner is blank or has control characters: " "; say it in a few words`},
		{"long prose", vary(t, "node team", long[:MaxProse+1]), "10:10: rule.owner has more than 1000 characters; say it in a few words, and the rest in the issue"},
		{"mapping for a key", vary(t, "count: 3", "any: {? [a]\n: b}"), "5:9: any has a list for a key; keys are names"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := load([]byte(tt.text))
			var all Problems
			if !errors.As(err, &all) {
				t.Fatalf("error %v", err)
			}
			if tt.name == "long list" {
				all = all[:1] // each item is wrong too
			}
			if got := all.Error(); got != "s.yaml:"+tt.want {
				t.Errorf("error\n%.2000s\nwant\ns.yaml:%.2000s", got, tt.want)
			}
		})
	}
}

// Everything at once, in file order, and not more than anybody reads.
func TestAllProblemsAtOnce(t *testing.T) {
	_, err := load([]byte("apiVersion: qualify/v1\nkind: Sample\nnames: 3\nnaem: x\ncount: many\n" + strings.Repeat("y: 1\n", 200)))
	lines := strings.Split(err.Error(), "\n")
	if len(lines) != maxShown+1 || lines[maxShown] != "and 154 more problems" {
		t.Errorf("%d lines: %v", len(lines), err)
	}
	for i, want := range []string{"s.yaml:1:1: the file has no name", "s.yaml:3:8: names is", "s.yaml:4:1: the file has the unknown key naem; did you mean name?", "s.yaml:5:8: count is"} {
		if !strings.HasPrefix(lines[i], want) {
			t.Errorf("line %d: %s", i, lines[i])
		}
	}
	if (Problems{}).Err() != nil {
		t.Error("no problems are an error")
	}
}

func FuzzOpen(f *testing.F) {
	for _, seed := range []string{sample, "", "a: [", "a: &a [*a]", "? [a]\n: b", "!x {}", "\xff", "a\tb: \tc", "a: *b", "kind: Sample\n---\n", "count: 1e999"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		_, err := load(data)
		if err == nil {
			var doc yaml.Node
			if yaml.Unmarshal(data, &doc) != nil {
				t.Fatal("what is no YAML was read")
			}
			return
		}
		checkProblems(t, err, data)
	})
}

// checkProblems holds what every refusal must have.
func checkProblems(t *testing.T, err error, data []byte) {
	t.Helper()
	var all Problems
	if !errors.As(err, &all) || len(all) == 0 {
		t.Fatalf("error %T %v", err, err)
	}
	lines := 1 + strings.Count(string(data), "\n") + strings.Count(string(data), "\r") +
		strings.Count(string(data), "\u0085") + strings.Count(string(data), "\u2028") + strings.Count(string(data), "\u2029")
	last := 0
	for _, p := range all {
		if p.File != "s.yaml" || p.Line < max(last, 1) || p.Line > lines+1 || p.Column < 1 || p.Text == "" || p.Remedy == "" {
			t.Errorf("problem %+v in a file of %d lines", p, lines)
		}
		if strings.ContainsFunc(p.String(), unicode.IsControl) {
			t.Errorf("the message %q has control characters", p.String())
		}
		last = p.Line
	}
}

func TestDistance(t *testing.T) {
	for _, tt := range []struct {
		a, b string
		want int
	}{
		{"", "", 0}, {"", "abc", 3}, {"kind", "kind", 0}, {"kidn", "kind", 1}, {"knd", "kind", 1},
		{"kiind", "kind", 1}, {"kong", "kind", 2}, {"ubuntu", "debian", 6}, {"debain-12", "debian-12", 1},
	} {
		if got := distance(tt.a, tt.b); got != tt.want {
			t.Errorf("distance(%q, %q) = %d, want %d", tt.a, tt.b, got, tt.want)
		}
	}
}
