package cover

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Model is the space of rows: one value on each axis, as far as no constraint
// forbids it.
type Model struct {
	Axes        []Axis
	Constraints []Constraint
}

// Axis is one dimension of a model.
type Axis struct {
	Name   string
	Values []string // at least one, all different
	// Weights says by value how much it is wanted where nothing else decides.
	// Nil is the same for all; none is negative.
	Weights []float64
}

// Constraint says which rows are not valid, in one of two ways: by terms, or
// by a predicate over few axes.
type Constraint struct {
	Name string // of the rule that it stands for; returned with what it removes

	// Forbid removes the rows in which every one of the terms holds.
	Forbid []Term

	// Axes and Forbids remove the rows for whose values on these axes, in this
	// order, Forbids is true. It is asked once for each combination, before
	// anything else, and must answer alike each time.
	Axes    []string
	Forbids func(values []string) bool
}

// Term holds for a row that has one of the values on the axis.
type Term struct {
	Axis   string
	Values []string
}

// Row has for each axis, in the model's order, the place of its value in Values.
type Row []int

// Tuple is a combination of values on some of the axes, which are in the
// model's order.
type Tuple []Setting

// Setting is one value on one axis, both by their places in the model.
type Setting struct{ Axis, Value int }

// Names returns the values of a row by the names of their axes.
func (m Model) Names(row Row) map[string]string {
	names := make(map[string]string, len(row))
	for a, v := range row {
		names[m.Axes[a].Name] = m.Axes[a].Values[v]
	}
	return names
}

// Text is a tuple as people read it: "os=debian-12 k8s=v1.34.4".
func (m Model) Text(t Tuple) string {
	parts := make([]string, len(t))
	for i, s := range t {
		parts[i] = m.Axes[s.Axis].Name + "=" + m.Axes[s.Axis].Values[s.Value]
	}
	return strings.Join(parts, " ")
}

// Row finds the row of values by axis. It is an error if an axis is absent,
// unknown or has no such value.
func (m Model) Row(values map[string]string) (Row, error) {
	row := make(Row, len(m.Axes))
	for a, axis := range m.Axes {
		value, has := values[axis.Name]
		if !has {
			return nil, fmt.Errorf("reading a row: it has no value on axis %q", axis.Name)
		}
		if row[a] = slices.Index(axis.Values, value); row[a] < 0 {
			return nil, fmt.Errorf("reading a row: axis %q has no value %q", axis.Name, value)
		}
	}
	for name := range values {
		if !slices.ContainsFunc(m.Axes, func(a Axis) bool { return a.Name == name }) {
			return nil, fmt.Errorf("reading a row: there is no axis %q", name)
		}
	}
	return row, nil
}

// Validate returns everything that is wrong with the model, joined. Everything
// that takes a model begins with it.
func (m Model) Validate() error {
	var wrong []error
	if len(m.Axes) == 0 {
		wrong = append(wrong, errors.New("a model without axes has no rows"))
	}
	seen := map[string]bool{}
	for _, axis := range m.Axes {
		if seen[axis.Name] {
			wrong = append(wrong, fmt.Errorf("axis %q is there twice", axis.Name))
		}
		seen[axis.Name] = true
		wrong = append(wrong, axis.validate()...)
	}
	for i, c := range m.Constraints {
		for _, err := range m.validateConstraint(c) {
			wrong = append(wrong, fmt.Errorf("constraint %d (%s): %w", i+1, c.Name, err))
		}
	}
	return errors.Join(wrong...)
}

func (a Axis) validate() []error {
	var wrong []error
	if len(a.Values) == 0 {
		wrong = append(wrong, fmt.Errorf("axis %q has no values", a.Name))
	}
	seen := map[string]bool{}
	for _, v := range a.Values {
		if seen[v] {
			wrong = append(wrong, fmt.Errorf("axis %q has the value %q twice", a.Name, v))
		}
		seen[v] = true
	}
	if a.Weights != nil && len(a.Weights) != len(a.Values) {
		wrong = append(wrong, fmt.Errorf("axis %q has %d values and %d weights", a.Name, len(a.Values), len(a.Weights)))
	}
	for _, w := range a.Weights {
		if !(w >= 0) { // also refuses what is no number
			wrong = append(wrong, fmt.Errorf("axis %q has the weight %v, which is not 0 or more", a.Name, w))
		}
	}
	return wrong
}

func (m Model) validateConstraint(c Constraint) []error {
	var wrong []error
	byTerms, byPredicate := len(c.Forbid) > 0, c.Forbids != nil
	if byTerms == byPredicate || byPredicate != (len(c.Axes) > 0) {
		wrong = append(wrong, errors.New("it needs either terms or a predicate with its axes"))
	}
	for _, term := range c.Forbid {
		at := m.axis(term.Axis)
		if at < 0 {
			wrong = append(wrong, fmt.Errorf("there is no axis %q", term.Axis))
			continue
		}
		for _, v := range term.Values {
			if !slices.Contains(m.Axes[at].Values, v) {
				wrong = append(wrong, fmt.Errorf("axis %q has no value %q", term.Axis, v))
			}
		}
	}
	for i, name := range c.Axes {
		if m.axis(name) < 0 {
			wrong = append(wrong, fmt.Errorf("there is no axis %q", name))
		}
		if slices.Contains(c.Axes[:i], name) {
			wrong = append(wrong, fmt.Errorf("axis %q is there twice", name))
		}
	}
	return wrong
}

// axis is the place of an axis, or -1.
func (m Model) axis(name string) int {
	return slices.IndexFunc(m.Axes, func(a Axis) bool { return a.Name == name })
}
