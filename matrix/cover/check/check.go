// Package check verifies covering arrays. It is written from what they promise
// and not from how package cover makes them: it has that package's types and
// none of its code, so that a mistake there is not made twice.
//
// Everything is looked at: each row against each constraint, and each
// combination that the rows do not have is proved to be in no valid row. What
// cannot be decided is a problem, never a pass.
package check

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"github.com/qualify-dev/qualify/matrix/cover"
)

// Report is what Verify found.
type Report struct {
	// Problems are rows that are no valid rows of the model, and combinations of
	// which it could not be decided whether a valid row has them. Empty is good.
	Problems []string
	// Uncovered are the combinations that some valid row has, but none of the
	// given. Empty is good.
	Uncovered []cover.Tuple
	// Covered counts the combinations that the given rows have, Impossible those
	// that no valid row has.
	Covered, Impossible int
}

// OK says whether the rows keep the promise.
func (r Report) OK() bool { return len(r.Problems) == 0 && len(r.Uncovered) == 0 }

// maxNodes is how far a proof for one combination goes before it is given up.
const maxNodes = 2_000_000

// Verify looks whether the rows are valid, and hold every combination of
// values on so many axes (all axes, if there are fewer) that a valid row of the
// model can have. It is an error if the model itself is not usable, or if ctx
// ends first.
func Verify(ctx context.Context, m cover.Model, rows []cover.Row, strength int) (Report, error) {
	return verify(ctx, m, rows, strength, maxNodes)
}

func verify(ctx context.Context, m cover.Model, rows []cover.Row, strength, nodes int) (Report, error) {
	if strength < 1 {
		return Report{}, fmt.Errorf("verifying rows: the strength is %d; it is at least 1", strength)
	}
	rules, err := read(m)
	if err != nil {
		return Report{}, fmt.Errorf("verifying rows: %w", err)
	}
	c := &checker{model: m, rules: rules, strength: min(strength, len(m.Axes)), nodes: nodes, have: map[string]bool{}}
	c.rows(rows)
	c.prepare()
	if err := c.tuples(ctx, 0, nil); err != nil {
		return Report{}, fmt.Errorf("verifying rows: %w", err)
	}
	return c.report, nil
}

// rule is a constraint over few axes: forbids is asked with a row of which at
// least these axes are decided.
type rule struct {
	name    string
	axes    []int
	forbids func(row []int) bool
}

// read turns constraints into rules, by their meaning.
func read(m cover.Model) ([]rule, error) {
	if len(m.Axes) == 0 {
		return nil, errors.New("the model has no axes")
	}
	place := map[string]int{}
	for i, a := range m.Axes {
		if _, twice := place[a.Name]; twice || len(a.Values) == 0 {
			return nil, fmt.Errorf("axis %q is there twice, or without values", a.Name)
		}
		place[a.Name] = i
	}
	var rules []rule
	for i, c := range m.Constraints {
		if (len(c.Forbid) > 0) == (c.Forbids != nil) {
			return nil, fmt.Errorf("constraint %d (%s) needs either terms or a predicate", i+1, c.Name)
		}
		names := c.Axes
		if c.Forbids == nil {
			names = nil
			for _, t := range c.Forbid {
				names = append(names, t.Axis)
			}
		}
		r := rule{name: fmt.Sprintf("constraint %d (%s)", i+1, c.Name)}
		for _, name := range names {
			at, known := place[name]
			if !known {
				return nil, fmt.Errorf("%s: there is no axis %q", r.name, name)
			}
			r.axes = append(r.axes, at)
		}
		r.forbids = meaning(m, c, r.axes)
		rules = append(rules, r)
	}
	return rules, nil
}

func meaning(m cover.Model, c cover.Constraint, axes []int) func(row []int) bool {
	if c.Forbids != nil {
		return func(row []int) bool {
			values := make([]string, len(axes))
			for i, a := range axes {
				values[i] = m.Axes[a].Values[row[a]]
			}
			return c.Forbids(values)
		}
	}
	return func(row []int) bool {
	terms:
		for i, t := range c.Forbid {
			for _, v := range t.Values {
				if m.Axes[axes[i]].Values[row[axes[i]]] == v {
					continue terms
				}
			}
			return false
		}
		return true
	}
}

type checker struct {
	model    cover.Model
	rules    []rule
	strength int
	nodes    int             // for each proof
	have     map[string]bool // keys of the combinations in the rows

	touching [][]int // by axis: its rules
	group    []int   // by axis: which axes hang together by rules
	groups   map[int][]int
	proved   map[string]answer // by what the proof depended on
	report   Report
}

// key is a text for a combination, by the places of axes and values.
func key(t cover.Tuple) string {
	k := make([]byte, 0, 24) // millions are made, so without fmt
	for _, s := range t {
		k = append(strconv.AppendInt(k, int64(s.Axis), 10), '=')
		k = append(strconv.AppendInt(k, int64(s.Value), 10), ' ')
	}
	return string(k)
}

// rows checks each row by itself, and notes its combinations if it is valid.
func (c *checker) rows(rows []cover.Row) {
next:
	for i, row := range rows {
		if len(row) != len(c.model.Axes) {
			c.problem("row %d has %d values, the model has %d axes", i+1, len(row), len(c.model.Axes))
			continue
		}
		for a, v := range row {
			if v < 0 || v >= len(c.model.Axes[a].Values) {
				c.problem("row %d: axis %q has no value %d", i+1, c.model.Axes[a].Name, v)
				continue next
			}
		}
		valid := true
		for _, r := range c.rules {
			if r.forbids(row) {
				c.problem("row %d is forbidden by %s", i+1, r.name)
				valid = false
			}
		}
		if valid {
			c.note(row, 0, nil)
		}
	}
}

func (c *checker) note(row cover.Row, axis int, t cover.Tuple) {
	if len(t) == c.strength {
		c.have[key(t)] = true
		return
	}
	for a := axis; a < len(row); a++ {
		c.note(row, a+1, append(t, cover.Setting{Axis: a, Value: row[a]}))
	}
}

// tuples goes through all combinations: had, or impossible, or a problem.
func (c *checker) tuples(ctx context.Context, axis int, t cover.Tuple) error {
	if len(t) == c.strength {
		if c.have[key(t)] {
			c.report.Covered++
			return nil
		}
		switch c.possible(t) {
		case no:
			c.report.Impossible++
		case yes:
			c.report.Uncovered = append(c.report.Uncovered, append(cover.Tuple(nil), t...))
		default:
			c.problem("it could not be decided whether a valid row has %s", c.model.Text(t))
		}
		return ctx.Err()
	}
	for a := axis; a < len(c.model.Axes); a++ {
		for v := range c.model.Axes[a].Values {
			if err := c.tuples(ctx, a+1, append(t, cover.Setting{Axis: a, Value: v})); err != nil {
				return err
			}
		}
	}
	return nil
}

func (c *checker) problem(format string, args ...any) {
	c.report.Problems = append(c.report.Problems, fmt.Sprintf(format, args...))
}
