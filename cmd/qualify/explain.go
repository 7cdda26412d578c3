package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/qualify-dev/qualify/internal/report"
	"github.com/qualify-dev/qualify/matrix"
)

// mostExplained is how many cells are explained at a time.
const mostExplained = 20

// explained is what -o json and yaml say of a cell.
type explained struct {
	ID       string            `json:"id"`
	Values   map[string]string `json:"values"`
	Runs     bool              `json:"runs"`
	Invalid  []matrix.Reason   `json:"invalid"`
	Excludes []rule            `json:"excludes"`
	Includes []rule            `json:"includes"`
	Requires []rule            `json:"requires"`
	Blocked  string            `json:"blocked"` // why this program cannot run it here, or ""
}

// rule is one rule of the matrix file.
type rule struct {
	At      string `json:"at"`
	Reason  string `json:"reason"`
	Owner   string `json:"owner,omitempty"`
	Issue   string `json:"issue,omitempty"`
	Expires string `json:"expires,omitempty"`
}

// runExplain says of the cells that --explain names why they are run or not.
func (o *planOptions) runExplain(cmd *cobra.Command) error {
	if o.github || o.format == "markdown" {
		return usagef("--explain prints a table, json or yaml")
	}
	ids := ""
	if strings.Contains(o.explain, "=") {
		o.selectors = append(o.selectors, o.explain)
	} else {
		ids = o.explain
	}
	m, err := o.loadMatrix()
	if err == nil && o.release != "" {
		m, err = o.ofRelease(cmd.Context(), m)
	}
	if err != nil {
		return err
	}
	r, err := o.request()
	if err != nil {
		return err
	}
	cells, err := m.Combinations(r)
	if err != nil {
		return &usageError{elsewhere(err, m)}
	}
	var all []explained
	for _, cell := range cells {
		if strings.HasPrefix(cell.ID, ids) {
			all = append(all, o.explainCell(m, cell, r.AsOf))
		}
	}
	switch {
	case len(all) == 0:
		return usagef("no cell of %s is called %s; qualify plan lists those that are run", m.File, report.Console(o.explain))
	case len(all) > mostExplained:
		return usagef("%d cells are meant by --explain %s, and at most %d are explained: name more of their values", len(all), report.Console(o.explain), mostExplained)
	}
	return printAs(cmd.OutOrStdout(), o.format, all, func() string {
		var text strings.Builder
		for _, e := range all {
			text.WriteString(e.text())
		}
		return text.String()
	})
}

func (o *planOptions) ofRelease(ctx context.Context, m *matrix.Matrix) (*matrix.Matrix, error) {
	w, err := o.w.workshop()
	if err == nil {
		err = w.publishedAt(o.baseURL)
	}
	if err != nil {
		return nil, err
	}
	return o.withRelease(ctx, w, m)
}

func (o *planOptions) explainCell(m *matrix.Matrix, cell matrix.Cell, asOf string) explained {
	said := m.Explain(cell.Values, asOf)
	e := explained{ID: cell.ID, Values: cell.Values, Runs: said.Runs(), Invalid: said.Invalid, Excludes: []rule{}, Includes: []rule{}, Requires: []rule{}}
	if e.Invalid == nil {
		e.Invalid = []matrix.Reason{}
	}
	for _, x := range said.Excludes {
		e.Excludes = append(e.Excludes, rule{x.At(), x.Reason, x.Owner, x.Issue, x.Expires})
	}
	for _, x := range said.Includes {
		e.Includes = append(e.Includes, rule{At: x.At(), Reason: x.Reason})
	}
	for _, x := range said.Requires {
		e.Requires = append(e.Requires, rule{At: x.At(), Reason: x.Reason})
	}
	entry, err := o.w.entry(cell.Value(matrix.Provisioner))
	if err == nil {
		err = entry.Can(cell)
	}
	if err != nil {
		e.Blocked = err.Error()
	}
	return e
}

func (e explained) text() string {
	var text strings.Builder
	state := "is run where it is selected"
	if !e.Runs {
		state = "is not run"
	}
	fmt.Fprintf(&text, "%s %s\n", e.ID, state)
	for _, axis := range matrix.AxisOrder(e.Values) {
		fmt.Fprintf(&text, "  %s=%s\n", axis, e.Values[axis])
	}
	for _, r := range e.Invalid {
		fmt.Fprintf(&text, "  it cannot be: %s (validity/%s)\n", r.Text, r.Rule)
	}
	for _, x := range e.Excludes {
		fmt.Fprintf(&text, "  %s excludes it until %s: %s (owner %s, issue %s)\n", x.At, x.Expires, x.Reason, x.Owner, x.Issue)
	}
	for _, x := range e.Includes {
		fmt.Fprintf(&text, "  %s keeps it in spite of exclusions: %s\n", x.At, x.Reason)
	}
	for _, x := range e.Requires {
		fmt.Fprintf(&text, "  %s requires it in every reduction: %s\n", x.At, x.Reason)
	}
	if e.Blocked != "" {
		fmt.Fprintf(&text, "  it cannot be run here: %s\n", e.Blocked)
	}
	return text.String()
}
