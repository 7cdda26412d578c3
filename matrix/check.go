package matrix

import (
	"fmt"
	"maps"
	"regexp"
	"slices"

	"go.yaml.in/yaml/v3"

	"github.com/qualify-dev/qualify/internal/strict"
)

// label is a name that selects values.
type label struct {
	strict.Named
	family bool
}

// reservedForm is what names on the k8s axis by rule.
var reservedForm = regexp.MustCompile(`^(v?[0-9].*|latest|n-[0-9]+)$`)

// alias enters an alias or family.
func (l *loader) alias(taken map[string]label, axis string, new label) {
	if axis == K8s && reservedForm.MatchString(new.Text) {
		l.Problem(new.Node, fmt.Sprintf("%s is %s, which already names a release by rule", new.Path, new.Text), "remove it")
		return
	}
	l.take(taken, new)
}

// take enters a label. Only a family may be there more than once: any other
// name that selected two values would be a slip.
func (l *loader) take(taken map[string]label, new label) {
	old, there := taken[new.Text]
	switch {
	case new.Text == "": // already a problem
	case !there:
		taken[new.Text] = new
	case !old.family || !new.family:
		l.Problem(new.Node, fmt.Sprintf("%s is %s, as is %s on line %d", new.Path, new.Text, old.Path, old.Node.Line), "give one of them another name")
	}
}

// checkAxes refuses a rule on an axis that the matrix does not have.
func (l *loader) checkAxes(m *Matrix, rule Exclusion, n *yaml.Node) {
	for _, name := range slices.Sorted(maps.Keys(rule.When)) {
		if _, ok := m.Axis(name); !ok {
			l.Problem(n, fmt.Sprintf("the rule is about the axis %s, which is not there", strict.Bare(name)), "the axes are "+m.axisNames())
		}
	}
}

// checkRules looks at each rule against the whole matrix. One that matches
// nothing is a warning, since a catalog moves on; one that removes everything
// cannot be meant.
func (l *loader) checkRules(m *Matrix) []strict.Problem {
	var warnings strict.Problems
	for i, rule := range m.compile() {
		at := m.Exclude[i]
		nothing, all := "", true
		for _, name := range slices.Sorted(maps.Keys(rule)) {
			axis, _ := m.Axis(name)
			all = all && len(rule[name]) == len(axis.Values)
			if len(rule[name]) == 0 && nothing == "" {
				nothing = fmt.Sprintf("%s has no value named %s", name, strict.Bare(at.When[name][0]))
			}
		}
		switch {
		case nothing != "":
			warnings = append(warnings, strict.Problem{File: l.file, Line: at.Line, Column: at.Column,
				Text: "the exclusion matches nothing: " + nothing, Remedy: "remove it, or correct its values"})
		case all:
			l.ProblemAt(at.Line, at.Column, "the exclusion removes every cell", "narrow it")
		}
	}
	return warnings
}
