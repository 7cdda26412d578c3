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
func (l *loader) checkAxes(m *Matrix, when map[string][]string, n *yaml.Node) {
	for _, name := range slices.Sorted(maps.Keys(when)) {
		if _, ok := m.Axis(name); !ok {
			l.Problem(n, fmt.Sprintf("the rule is about the axis %s, which is not there", strict.Bare(name)), "the axes are "+m.axisNames())
		}
	}
}

// checkOnly refuses what a value can go together with where nothing is called
// that: a slip there would take every cell of the value away.
func (l *loader) checkOnly(m *Matrix) {
	finders := m.finders()
	for _, axis := range m.Axes {
		for _, value := range axis.Values {
			for _, name := range slices.Sorted(maps.Keys(value.Only)) {
				find, ok := finders[name]
				text, remedy := "", ""
				switch {
				case !ok:
					text, remedy = fmt.Sprintf("%s goes only with an axis %s, which is not there", value.Name, strict.Bare(name)), "the axes are "+m.axisNames()
				case name == axis.Name:
					text, remedy = fmt.Sprintf("%s goes only with other values of its own axis", value.Name), "name another axis"
				default:
					if want := find.missing(value.Only[name]); want != "" {
						text, remedy = fmt.Sprintf("%s goes only with the %s %s, which is not there", value.Name, name, strict.Bare(want)), "correct it, or add the value"
					}
				}
				if text != "" {
					l.ProblemAt(value.line, value.column, text, remedy)
				}
			}
		}
	}
}

// checkRules looks at each rule against the whole matrix. An exclusion that
// matches nothing is a warning, since a catalog moves on; one that removes
// everything cannot be meant. A required cell that is not there is a mistake:
// who relies on it would rely on nothing.
func (l *loader) checkRules(m *Matrix) []strict.Problem {
	var warnings strict.Problems
	warn := func(line, column int, text string) {
		warnings = append(warnings, strict.Problem{File: l.file, Line: line, Column: column, Text: text, Remedy: "remove it, or correct its values"})
	}
	finders := m.finders()
	for _, at := range m.Exclude {
		switch nothing := m.nothing(finders, at.When); {
		case nothing != "":
			warn(at.Line, at.Column, "the exclusion matches nothing: "+nothing)
		case m.everything(finders, at.When) && !slices.ContainsFunc(m.Include, func(p Pick) bool { return m.nothing(finders, p.When) == "" }):
			l.ProblemAt(at.Line, at.Column, "the exclusion removes every cell", "narrow it")
		}
	}
	for _, at := range m.Include {
		if nothing := m.nothing(finders, at.When); nothing != "" {
			warn(at.Line, at.Column, "the inclusion matches nothing: "+nothing)
		}
	}
	for _, at := range m.Require {
		if nothing := m.nothing(finders, at.When); nothing != "" {
			l.ProblemAt(at.Line, at.Column, "the requirement matches nothing: "+nothing, "remove it, or correct its values")
		}
	}
	return warnings
}

// nothing says why a rule matches no cell, or "".
func (m *Matrix) nothing(finders map[string]finder, when map[string][]string) string {
	for _, name := range slices.Sorted(maps.Keys(when)) {
		if len(finders[name].all(when[name])) == 0 {
			return fmt.Sprintf("%s has no value named %s", name, strict.Bare(when[name][0]))
		}
	}
	return ""
}

// everything says that a rule matches every cell.
func (m *Matrix) everything(finders map[string]finder, when map[string][]string) bool {
	for name, wanted := range when {
		if find := finders[name]; len(find.all(wanted)) < len(find.axis.Values) {
			return false
		}
	}
	return true
}
