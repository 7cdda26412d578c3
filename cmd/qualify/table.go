package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/charmbracelet/x/ansi"
)

// besideTable is how many lines of a view are not the table's: the header, the
// releases, the last failure and the remarks.
const besideTable = 9

// table shows cells that are worked on at the same time, a line each: in the
// order of the plan where there is room for all, else those that are at work or
// went wrong, and how many others there are.
func (f frame) table(p *progress) []string {
	rows, left := p.cells, ""
	if most := max(f.height-besideTable, 3); len(rows) > most {
		rows, left = fitting(p.cells, most)
	}
	grid := make([][]string, 0, len(rows)+1)
	grid = append(grid, f.columns(" ", f.bold("CELL"), f.bold("NOW"), f.bold("TIME"), f.bold("CASES")))
	for _, c := range rows {
		grid = append(grid, f.row(c))
	}
	lines := align(grid)
	if left != "" {
		lines = append(lines, f.faint("  "+left))
	}
	return lines
}

// fitting are the cells that there is room for, in order, and what the others are.
func fitting(cells []*cellProgress, most int) (rows []*cellProgress, left string) {
	var counts [4]int
	for want := range 3 { // at work, wrong, waiting
		for _, c := range cells {
			if c.rank() == want && len(rows) < most-1 {
				rows = append(rows, c)
			}
		}
	}
	for _, c := range cells {
		if !slices.Contains(rows, c) {
			counts[c.rank()]++
		}
	}
	var texts []string
	for rank, name := range []string{"at work", "wrong", "to come", "well"} {
		if counts[rank] > 0 {
			texts = append(texts, fmt.Sprintf("%d %s", counts[rank], name))
		}
	}
	return rows, "and " + strings.Join(texts, ", ")
}

// rank orders cells by how much a reader wants to see them.
func (c *cellProgress) rank() int {
	switch {
	case c.atWork():
		return 0
	case c.wrong:
		return 1
	case c.started.IsZero():
		return 2
	}
	return 3
}

// atWork tells a cell that has resources, or is about to.
func (c *cellProgress) atWork() bool { return !c.started.IsZero() && !c.closed }

// columns orders a row: where there is no room for names, they come last and
// are cut.
func (f frame) columns(mark, cell string, more ...string) []string {
	if f.width < narrow {
		return append(append([]string{mark + " " + more[0]}, more[1:]...), cell)
	}
	return append([]string{mark + " " + cell}, more...)
}

// row is one cell: what it is at, for how long, and how its cases went.
func (f frame) row(c *cellProgress) []string {
	ran, failed := c.counts()
	tally := ""
	if ran > 0 {
		tally = f.tally(ran, failed)
	}
	switch {
	case c.started.IsZero():
		return f.columns(" ", f.faint(c.id), f.faint("to come"), "", "")
	case c.closed:
		return f.columns(f.done(c.wrong), c.id, "ended", clock(c.ended.Sub(c.started)), tally)
	}
	now, since := "", c.ended
	for _, at := range c.phases {
		if at.ended {
			continue
		}
		now, since = headline(at.name, mostText), at.since
		if s := c.planned(at.name); s != nil {
			done, _ := s.counts()
			now += fmt.Sprintf(" %d/%d", done, s.total)
		}
	}
	mark := f.active()
	if c.wrong {
		mark = f.done(true)
	}
	return f.columns(mark, f.bold(c.id), now, clock(f.now.Sub(since)), tally)
}

// align makes columns of a grid, two blanks apart.
func align(grid [][]string) []string {
	var widths []int
	for _, row := range grid {
		for i, cell := range row {
			if i == len(widths) {
				widths = append(widths, 0)
			}
			widths[i] = max(widths[i], ansi.StringWidth(cell))
		}
	}
	lines := make([]string, len(grid))
	for n, row := range grid {
		for i, cell := range row {
			lines[n] += cell + strings.Repeat(" ", widths[i]-ansi.StringWidth(cell)+2)
		}
		lines[n] = strings.TrimRight(lines[n], " ")
	}
	return lines
}
