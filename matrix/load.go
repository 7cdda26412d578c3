package matrix

import (
	"fmt"
	"strings"

	"go.yaml.in/yaml/v3"
)

// What a matrix file says it is.
const (
	apiVersion = "qualify/v1"
	kind       = "Matrix"
)

// Load reads a matrix. The name is for messages only. The error is Problems:
// everything that is wrong, at once.
func Load(name string, data []byte) (*Matrix, error) {
	l := &loader{file: name}
	root := l.parse(data)
	if root == nil || !l.header(root) {
		return nil, l.problems.sorted()
	}
	m := l.matrix(root)
	if len(l.problems) > 0 {
		return nil, l.problems.sorted()
	}
	m.Warnings = l.checkRules(m)
	if len(l.problems) > 0 {
		return nil, l.problems.sorted()
	}
	return m, nil
}

// header checks apiVersion and kind. A file that says it is something else is
// not read on: each of its other keys would be a problem, and none helps.
func (l *loader) header(root *yaml.Node) bool {
	want := map[string]string{"apiVersion": apiVersion, "kind": kind}
	if root.Kind != yaml.MappingNode {
		l.fields(root, "the file", nil, nil)
		return false
	}
	ours := true
	for i := 0; i+1 < len(root.Content); i += 2 {
		key, value := root.Content[i].Value, root.Content[i+1]
		if want[key] == "" || reported(value) {
			continue
		}
		text, ok := l.text(value, key)
		if ok && text != want[key] {
			l.add(value, fmt.Sprintf("%s is %s, not %s", key, quoted(text), want[key]), startRemedy)
		}
		ours = ours && ok && text == want[key]
	}
	return ours
}

func (l *loader) matrix(root *yaml.Node) *Matrix {
	m := &Matrix{File: l.file}
	required := []string{"apiVersion", "kind", "suites", "workers", "axes"}
	f := l.fields(root, "the file", append(required, "exclude"), required)
	if n := f["suites"]; n != nil {
		m.Suites = texts(l.labels(n, "suites", 1))
	}
	if n := f["workers"]; n != nil {
		m.Workers = l.workers(n)
	}
	named := true // every axis has a name, so that rules can be checked against them
	if n := f["axes"]; n != nil {
		for i, item := range l.list(n, "axes", 1) {
			axis, ok := l.axis(item, fmt.Sprintf("axes[%d]", i))
			named = named && ok
			if _, again := m.Axis(axis.Name); ok && again {
				l.add(item, "the axis "+axis.Name+" is there twice", "put all of its values in one")
			}
			m.Axes = append(m.Axes, axis)
		}
		named = named && len(m.Axes) > 0
	}
	if n := f["exclude"]; n != nil {
		for i, item := range l.list(n, "exclude", 0) {
			rule := l.exclusion(item, fmt.Sprintf("exclude[%d]", i))
			m.Exclude = append(m.Exclude, rule)
			if named {
				l.checkAxes(m, rule, item)
			}
		}
	}
	return m
}

// maxWorkers is what one cluster of a qualification can have.
const maxWorkers = 99

func (l *loader) workers(n *yaml.Node) int {
	var workers int
	if reported(n) {
		return 0
	}
	if n.Tag != "!!int" || n.Decode(&workers) != nil || workers < 0 || workers > maxWorkers {
		l.add(n, "workers is "+describe(n)+", not a number from 0 to 99", "write e.g. `workers: 2`")
	}
	return workers
}

// axis reads an axis; ok says that it has a name.
func (l *loader) axis(n *yaml.Node, path string) (axis Axis, ok bool) {
	keys := []string{"name", "values"}
	f := l.fields(n, path, keys, keys)
	if n := f["name"]; n != nil {
		axis.Name, ok = l.name(n, path+".name")
	}
	if n := f["values"]; n != nil {
		taken := map[string]label{}
		for i, item := range l.list(n, path+".values", 1) {
			axis.Values = append(axis.Values, l.value(item, fmt.Sprintf("%s.values[%d]", path, i), axis.Name, taken))
		}
	}
	return axis, ok
}

// value reads a value and enters its names in taken.
func (l *loader) value(n *yaml.Node, path, axis string, taken map[string]label) Value {
	var v Value
	known, required := []string{"name", "aliases", "family"}, []string{"name"}
	switch axis {
	case K8s:
		known, required = append(known, "release"), append(required, "release")
	case "": // the axis has lost its name: it may have been k8s
		known = append(known, "release")
	}
	f := l.fields(n, path, known, required)
	if n := f["name"]; n != nil {
		v.Name, _ = l.name(n, path+".name")
		if full, ok := parseVersion(v.Name); axis == K8s && v.Name != "" && (!ok || !full.full || full.String() != v.Name) {
			l.add(n, fmt.Sprintf("%s.name is %s, not a version", path, quoted(v.Name)), "write it in full, e.g. v1.34.4")
		}
		l.take(taken, label{v.Name, path + ".name", n, false})
	}
	if n := f["aliases"]; n != nil {
		labels := l.labels(n, path+".aliases", 0)
		for _, one := range labels {
			l.alias(taken, axis, one)
		}
		v.Aliases = texts(labels)
	}
	if n := f["family"]; n != nil {
		v.Family, _ = l.name(n, path+".family")
		l.alias(taken, axis, label{v.Family, path + ".family", n, true})
	}
	if n := f["release"]; n != nil {
		v.Release = l.release(n, path+".release", v.Name)
	}
	return v
}

// sourcePrefix marks a release that is built from the Kubernetes source.
const sourcePrefix = "source:"

func (l *loader) release(n *yaml.Node, path, version string) string {
	text, ok := l.text(n, path)
	from, source := strings.CutPrefix(text, sourcePrefix)
	switch {
	case !ok:
	case !releaseForm.MatchString(text):
		l.add(n, path+" is "+quoted(text)+", not a reference", "write e.g. source:v1.34.4")
	case source && version != "" && from != version:
		l.add(n, fmt.Sprintf("%s builds %s under the name %s", path, bare(from), version), "write "+sourcePrefix+version)
	}
	return text
}

// exclusion reads a rule. Everything is required: a rule without an owner or
// an end is how a matrix rots.
func (l *loader) exclusion(n *yaml.Node, path string) Exclusion {
	rule := Exclusion{File: l.file, Line: n.Line, Column: n.Column, When: map[string][]string{}}
	keys := []string{"when", "reason", "owner", "issue", "expires"}
	f := l.fields(n, path, keys, keys)
	for name, field := range map[string]*string{"reason": &rule.Reason, "owner": &rule.Owner, "issue": &rule.Issue} {
		if n := f[name]; n != nil {
			*field = l.prose(n, path+"."+name)
		}
	}
	if n := f["expires"]; n != nil {
		text, ok := l.text(n, path+".expires")
		if ok && !isDate(text) {
			l.add(n, path+".expires is "+quoted(text)+", not a day", "write it as yyyy-mm-dd")
		}
		rule.Expires = text
	}
	if n := f["when"]; n != nil {
		conditions := l.fields(n, path+".when", nil, nil)
		if n.Kind == yaml.MappingNode && len(n.Content) == 0 {
			l.add(n, path+".when is empty", "name an axis and its values, e.g. `os: debian-12`")
		}
		for axis, wanted := range conditions {
			rule.When[axis] = l.wanted(wanted, path+".when."+bare(axis))
		}
	}
	return rule
}

// wanted reads one name or a list of them.
func (l *loader) wanted(n *yaml.Node, path string) []string {
	if n.Kind == yaml.SequenceNode {
		return texts(l.labels(n, path, 1))
	}
	name, ok := l.name(n, path)
	if !ok {
		return nil
	}
	return []string{name}
}
