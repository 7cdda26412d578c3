// Package policy reads the files that say what a team tolerates, and ships two
// of them. What a policy means is internal/result's to say; it is pure as that
// is.
package policy

import (
	"cmp"
	_ "embed"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/qualify-dev/qualify/internal/result"
	"github.com/qualify-dev/qualify/internal/strict"
)

//go:embed default.yaml
var defaultYAML string

// Default returns the shipped policy and the name to report problems under. It
// tolerates nothing, as result.DefaultPolicy does.
func Default() (data []byte, name string) {
	return []byte(defaultYAML), "matrix/policy/default.yaml"
}

// File is a policy with the places of its rules.
type File struct {
	Policy result.Policy

	name   string
	places map[string]*yaml.Node // by the paths of result.IdleRule
}

// kind is what a policy file says it is.
const kind = "Policy"

// maxTolerated bounds flakes: who tolerates more tolerates everything.
const maxTolerated = 999

// Load reads a policy. The name is for messages only. The error is
// strict.Problems: everything that is wrong, at once.
func Load(name string, data []byte) (*File, error) {
	r, root := strict.Open(name, kind, data)
	if root == nil {
		return nil, r.Err()
	}
	l := &loader{Reader: r, places: map[string]*yaml.Node{}}
	f := &File{Policy: l.policy(root), name: name, places: l.places}
	if err := r.Err(); err != nil {
		return nil, err
	}
	return f, nil
}

// loader reads a policy from a file.
type loader struct {
	*strict.Reader
	places map[string]*yaml.Node
}

func (l *loader) policy(root *yaml.Node) result.Policy {
	var p result.Policy
	required := []string{"apiVersion", "kind", "name"}
	f := l.Fields(root, "the file", append(required, "requiredCells", "blockingSuites", "blockingCases", "informingSuites",
		"informingCases", "flakesTolerated", "flakeLimits", "waivers", "failFast"), required)
	if n := f["name"]; n != nil {
		p.Name, _ = l.Name(n, "name")
	}
	for key, list := range map[string]*[]string{"requiredCells": &p.RequiredCells, "blockingSuites": &p.BlockingSuites, "informingSuites": &p.InformingSuites} {
		if n := f[key]; n != nil {
			*list = l.patterns(n, key)
		}
	}
	for key, list := range map[string]*[]result.CaseRule{"blockingCases": &p.BlockingCases, "informingCases": &p.InformingCases} {
		if n := f[key]; n != nil {
			*list = l.cases(n, key)
		}
	}
	if n := f["flakesTolerated"]; n != nil {
		p.FlakesTolerated = l.Whole(n, "flakesTolerated", 0, maxTolerated)
	}
	if n := f["flakeLimits"]; n != nil {
		p.FlakeLimits = l.limits(n, "flakeLimits")
	}
	if n := f["failFast"]; n != nil {
		if p.FailFast = n.Value == "true"; n.Kind != yaml.ScalarNode || n.Tag != "!!bool" {
			l.Problem(n, "failFast is neither true nor false", "write true or false")
		}
	}
	if n := f["waivers"]; n != nil {
		p.Waivers = l.waivers(n, "waivers")
	}
	return p
}

// patternForm is a text on one line. Names of cases have blanks and brackets;
// only * means something.
var patternForm = regexp.MustCompile(patternText)

const patternText = `^[^\x00-\x20\x7f-\xa0]([^\x00-\x1f\x7f-\x9f]{0,498}[^\x00-\x20\x7f-\xa0])?$`

// pattern reads one and remembers where it stands.
func (l *loader) pattern(n *yaml.Node, path string) string {
	l.places[path] = n
	text, ok := l.Text(n, path)
	if ok && !patternForm.MatchString(text) {
		l.Problem(n, path+" is "+strict.Quoted(text)+", which is no pattern", "write a name, with * for any text; no blanks at its ends, at most 500 characters")
	}
	return text
}

func (l *loader) patterns(n *yaml.Node, path string) []string {
	var patterns []string
	for i, item := range l.List(n, path, 0) {
		at := fmt.Sprintf("%s[%d]", path, i)
		text := l.pattern(item, at)
		if slices.Contains(patterns, text) {
			l.Problem(item, at+" repeats "+strict.Quoted(text), "keep one of the two")
		}
		patterns = append(patterns, text)
	}
	return patterns
}

// rule reads the two patterns that select cases.
func (l *loader) rule(f map[string]*yaml.Node, path string) result.CaseRule {
	var r result.CaseRule
	if n := f["suite"]; n != nil {
		r.Suite = l.pattern(n, path+".suite")
	}
	if n := f["case"]; n != nil {
		r.Case = l.pattern(n, path+".case")
	}
	return r
}

func (l *loader) cases(n *yaml.Node, path string) []result.CaseRule {
	var rules []result.CaseRule
	keys := []string{"suite", "case"}
	for i, item := range l.List(n, path, 0) {
		at := fmt.Sprintf("%s[%d]", path, i)
		r := l.rule(l.Fields(item, at, keys, keys), at)
		l.once(item, at, r, rules)
		rules = append(rules, r)
	}
	return rules
}

// once refuses the second rule for the same cases: one of the two is outlived,
// and nobody sees which.
func (l *loader) once(n *yaml.Node, path string, r result.CaseRule, before []result.CaseRule) {
	if at := slices.Index(before, r); at >= 0 && r.Suite != "" && r.Case != "" {
		l.Problem(n, fmt.Sprintf("%s is about the same cases as the rule number %d of its list", path, at+1), "keep one of the two")
	}
}

func (l *loader) limits(n *yaml.Node, path string) []result.FlakeLimit {
	var limits []result.FlakeLimit
	keys := []string{"suite", "tolerated"}
	for i, item := range l.List(n, path, 0) {
		at := fmt.Sprintf("%s[%d]", path, i)
		var limit result.FlakeLimit
		f := l.Fields(item, at, keys, keys)
		if n := f["suite"]; n != nil {
			limit.Suite = l.pattern(n, at+".suite")
		}
		if n := f["tolerated"]; n != nil {
			limit.Tolerated = l.Whole(n, at+".tolerated", 0, maxTolerated)
		}
		limits = append(limits, limit)
	}
	return limits
}

func (l *loader) waivers(n *yaml.Node, path string) []result.Waiver {
	var waivers []result.Waiver
	var rules []result.CaseRule
	keys := append([]string{"suite", "case"}, strict.DecisionKeys()...)
	for i, item := range l.List(n, path, 0) {
		at := fmt.Sprintf("%s[%d]", path, i)
		f := l.Fields(item, at, keys, keys)
		r, by := l.rule(f, at), l.Decision(f, at)
		w := result.Waiver{Suite: r.Suite, Case: r.Case, Reason: by.Reason, Owner: by.Owner, Issue: by.Issue}
		_ = w.Expires.UnmarshalText([]byte(by.Expires)) // Decision has looked at it
		l.once(item, at, r, rules)
		waivers, rules = append(waivers, w), append(rules, r)
	}
	return waivers
}

// Scope tells which rules of a policy are held against a plan, by their paths.
type Scope func(path string) bool

// Everything is for a plan that is about to be run: what fits nothing of it is
// a slip of whoever wrote the policy or selected the cells.
func Everything(string) bool { return true }

// Selection is for cells and suites of which nobody knows the cases yet.
func Selection(path string) bool { return !strings.HasSuffix(path, ".case") }

// Recorded is for a run that has been made: that a required cell is missing is
// a verdict by then, and no mistake.
func Recorded(path string) bool { return !strings.HasPrefix(path, "requiredCells") }

// Check is an error, strict.Problems, where a rule within the scope fits nothing
// of a plan.
func (f *File) Check(plan result.Plan, within Scope) error {
	var problems strict.Problems
	for _, rule := range f.Policy.Idle(plan) {
		if !within(rule.Path) {
			continue
		}
		n := f.places[rule.Path] // there is one: Idle names the loader's paths
		problems = append(problems, strict.Problem{
			File: f.name, Line: n.Line, Column: n.Column, Text: rule.Path + ": " + rule.Text, Remedy: remedy(rule.Path, n.Value, plan),
		})
	}
	return problems.Err()
}

// remedy says what the plan has in place of what a rule wants.
func remedy(path, pattern string, plan result.Plan) string {
	var cells, suites []string
	for _, c := range plan.Cells {
		cells = append(cells, c.ID)
		for _, s := range c.Suites {
			if !slices.Contains(suites, s.Name) {
				suites = append(suites, s.Name)
			}
		}
	}
	slices.Sort(suites)
	switch {
	case strings.HasPrefix(path, "requiredCells"):
		return "select it, or leave it out; planned: " + some(cells)
	case strings.HasSuffix(path, ".case"):
		return "remove the rule, or correct it: a case's whole name has to fit, with * for any text"
	}
	hint := ""
	if like := strict.Nearest(strings.ToLower(pattern), suites); like != "" {
		hint = "did you mean " + like + "? "
	}
	return hint + "planned suites: " + some(suites)
}

// some lists a few of many.
func some(names []string) string {
	const most = 6
	list := strings.Join(names[:min(len(names), most)], ", ")
	if more := len(names) - most; more > 0 {
		list += fmt.Sprintf(" and %d more", more)
	}
	return cmp.Or(list, "none")
}
