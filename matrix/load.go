package matrix

import (
	"fmt"
	"regexp"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/qualify-dev/qualify/internal/strict"
)

// kind is what a matrix file says it is.
const kind = "Matrix"

// loader reads a matrix from a file.
type loader struct {
	*strict.Reader
	file string
}

// Load reads a matrix. The name is for messages only. The error is
// strict.Problems: everything that is wrong, at once.
func Load(name string, data []byte) (*Matrix, error) {
	r, root := strict.Open(name, kind, data)
	if root == nil {
		return nil, r.Err()
	}
	l := &loader{Reader: r, file: name}
	m := l.matrix(root)
	if err := l.Err(); err != nil {
		return nil, err
	}
	m.Warnings = l.checkRules(m)
	if err := l.Err(); err != nil {
		return nil, err
	}
	return m, nil
}

func (l *loader) matrix(root *yaml.Node) *Matrix {
	m := &Matrix{File: l.file}
	required := []string{"apiVersion", "kind", "suites", "workers", "axes"}
	f := l.Fields(root, "the file", append(required, "support", "tiers", "exclude", "include", "require"), required)
	if n := f["suites"]; n != nil {
		m.Suites = strict.Texts(l.Names(n, "suites", 1))
	}
	if n := f["workers"]; n != nil {
		m.Workers = l.Whole(n, "workers", 0, maxWorkers)
	}
	m.Support = Extended
	if n := f["support"]; n != nil {
		m.Support = l.oneOf(n, "support", []string{Standard, Extended, AnySupport})
	}
	if n := f["tiers"]; n != nil {
		m.Tiers = l.tiers(n)
	}
	named := true // every axis has a name, so that rules can be checked against them
	if n := f["axes"]; n != nil {
		for i, item := range l.List(n, "axes", 1) {
			axis, ok := l.axis(item, fmt.Sprintf("axes[%d]", i))
			named = named && ok
			if _, again := m.Axis(axis.Name); ok && again {
				l.Problem(item, "the axis "+axis.Name+" is there twice", "put all of its values in one")
			}
			m.Axes = append(m.Axes, axis)
		}
		named = named && len(m.Axes) > 0
	}
	if n := f["exclude"]; n != nil {
		for i, item := range l.List(n, "exclude", 0) {
			rule := l.exclusion(item, fmt.Sprintf("exclude[%d]", i))
			m.Exclude = append(m.Exclude, rule)
			if named {
				l.checkAxes(m, rule.When, item)
			}
		}
	}
	for key, picks := range map[string]*[]Pick{"include": &m.Include, "require": &m.Require} {
		if n := f[key]; n != nil {
			*picks = l.picks(n, key, m, named)
		}
	}
	if named {
		l.checkOnly(m)
	}
	return m
}

// maxWorkers is what one cluster of a qualification can have.
const maxWorkers = 99

// axis reads an axis; ok says that it has a name.
func (l *loader) axis(n *yaml.Node, path string) (axis Axis, ok bool) {
	keys := []string{"name", "values"}
	f := l.Fields(n, path, append(keys, "pick"), keys)
	if n := f["name"]; n != nil {
		axis.Name, ok = l.Name(n, path+".name")
	}
	if n := f["pick"]; n != nil {
		text, _ := l.Text(n, path+".pick")
		if axis.First = text == "first"; !axis.First {
			l.Problem(n, path+".pick is "+strict.Quoted(text)+", and can only be first", "remove it to take every value")
		}
	}
	if n := f["values"]; n != nil {
		taken := map[string]label{}
		for i, item := range l.List(n, path+".values", 1) {
			axis.Values = append(axis.Values, l.value(item, fmt.Sprintf("%s.values[%d]", path, i), axis.Name, taken))
		}
	}
	return axis, ok
}

// value reads a value and enters its names in taken.
func (l *loader) value(n *yaml.Node, path, axis string, taken map[string]label) Value {
	v := Value{line: n.Line, column: n.Column}
	known, required := []string{"name", "aliases", "family", "support", "tier", "weight", "only"}, []string{"name"}
	switch axis {
	case K8s:
		known, required = append(known, "release"), append(required, "release")
	case OS:
		known = append(known, "containerd", "kubelet")
	case "": // the axis has lost its name: it may have been any
		known = append(known, "release", "containerd", "kubelet")
	}
	f := l.Fields(n, path, known, required)
	if n := f["name"]; n != nil {
		v.Name, _ = l.Name(n, path+".name")
		if full, ok := parseVersion(v.Name); axis == K8s && v.Name != "" && (!ok || !full.full || full.String() != v.Name) {
			l.Problem(n, fmt.Sprintf("%s.name is %s, not a version", path, strict.Quoted(v.Name)), "write it in full, e.g. v1.34.4")
		}
		if isComponent(axis) && v.Name != "" && !componentValue(axis, v.Name) {
			l.Problem(n, fmt.Sprintf("%s.name is %s, which no %s is called", path, strict.Quoted(v.Name), axis), componentRemedy(axis))
		}
		l.take(taken, label{Named: strict.Named{Text: v.Name, Path: path + ".name", Node: n}})
	}
	if n := f["aliases"]; n != nil {
		labels := l.Names(n, path+".aliases", 0)
		for _, one := range labels {
			l.alias(taken, axis, label{Named: one})
		}
		v.Aliases = strict.Texts(labels)
	}
	if n := f["family"]; n != nil {
		v.Family, _ = l.Name(n, path+".family")
		l.alias(taken, axis, label{Named: strict.Named{Text: v.Family, Path: path + ".family", Node: n}, family: true})
	}
	if n := f["release"]; n != nil {
		v.Release = l.release(n, path+".release", v.Name)
	}
	l.attributes(f, path, &v)
	return v
}

var releaseForm = regexp.MustCompile(`^[a-z][a-z0-9+.-]*:[!-~]{1,400}$`)

// sourcePrefix marks a release that is built from the Kubernetes source.
const sourcePrefix = "source:"

func (l *loader) release(n *yaml.Node, path, version string) string {
	text, ok := l.Text(n, path)
	from, source := strings.CutPrefix(text, sourcePrefix)
	switch {
	case !ok:
	case !releaseForm.MatchString(text):
		l.Problem(n, path+" is "+strict.Quoted(text)+", not a reference", "write e.g. source:v1.34.4")
	case source && version != "" && from != version:
		l.Problem(n, fmt.Sprintf("%s builds %s under the name %s", path, strict.Bare(from), version), "write "+sourcePrefix+version)
	}
	return text
}

// exclusion reads a rule. Everything is required: a rule without an owner or
// an end is how a matrix rots.
func (l *loader) exclusion(n *yaml.Node, path string) Exclusion {
	rule := Exclusion{File: l.file, Line: n.Line, Column: n.Column, When: map[string][]string{}}
	keys := append([]string{"when"}, strict.DecisionKeys()...)
	f := l.Fields(n, path, keys, keys)
	by := l.Decision(f, path)
	rule.Reason, rule.Owner, rule.Issue, rule.Expires = by.Reason, by.Owner, by.Issue, by.Expires
	if n := f["when"]; n != nil {
		rule.When = l.conditions(n, path+".when")
	}
	return rule
}

// conditions reads wanted values by axis.
func (l *loader) conditions(n *yaml.Node, path string) map[string][]string {
	when := map[string][]string{}
	fields := l.Fields(n, path, nil, nil)
	if n.Kind == yaml.MappingNode && len(n.Content) == 0 {
		l.Problem(n, path+" is empty", "name an axis and its values, e.g. `os: debian-12`")
	}
	for axis, wanted := range fields {
		when[axis] = l.wanted(wanted, path+"."+strict.Bare(axis))
	}
	return when
}

// wanted reads one name or a list of them.
func (l *loader) wanted(n *yaml.Node, path string) []string {
	if n.Kind == yaml.SequenceNode {
		return strict.Texts(l.Names(n, path, 1))
	}
	name, ok := l.Name(n, path)
	if !ok {
		return nil
	}
	return []string{name}
}
