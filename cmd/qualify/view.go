package main

import (
	"fmt"
	"strings"
	"time"

	"github.com/charmbracelet/x/ansi"
)

// frame is what the live view is drawn for: the same progress in the same
// frame gives the same text.
type frame struct {
	now           time.Time
	width, height int
	colour        bool
}

// margin is kept free at the right: a character in a terminal's last column
// makes some wrap and others not.
const margin = 1

// view draws how far a run has come, one line less than the frame is high: the
// cursor stands on that one.
func (f frame) view(p *progress) string {
	lines := []string{f.header(p)}
	for i := range p.builds {
		lines = append(lines, f.build(p, i)...)
	}
	if p.together {
		lines = append(lines, f.table(p)...)
	} else {
		lines = append(lines, f.cells(p)...)
	}
	lines = append(lines, f.trouble(p)...)
	for _, r := range p.remarks {
		lines = append(lines, f.faint(headline(r, mostText)))
	}
	return strings.Join(f.fit(lines), "\n") + "\n"
}

// fit cuts lines to the frame's width, and leaves out those in the middle that
// it has no room for: the header and what goes on now stay.
func (f frame) fit(lines []string) []string {
	most := max(f.height-1, 1)
	over := len(lines) - most
	switch {
	case over > 0 && most < 3:
		lines = lines[over:]
	case over > 0:
		note := f.faint(fmt.Sprintf("… %d lines more", over+1))
		lines = append([]string{lines[0], note}, lines[over+2:]...)
	}
	cut := make([]string, len(lines))
	for i, line := range lines {
		cut[i] = ansi.Truncate(line, max(f.width-margin, 1), "…")
	}
	return cut
}

func (f frame) header(p *progress) string {
	text := f.bold("qualify") + "  " + clock(f.now.Sub(p.started))
	if len(p.cells) > 1 {
		done := 0
		for _, c := range p.cells {
			if c.closed {
				done++
			}
		}
		if p.together {
			text += fmt.Sprintf("  %d of %d cells done, %d at work", done, len(p.cells), p.atWork())
		} else {
			text += fmt.Sprintf("  cell %d of %d", min(done+1, len(p.cells)), len(p.cells))
		}
	}
	if p.run != "" {
		text += "  " + f.faint("run "+p.run)
	}
	return text
}

// mostSteps is how many finished steps of a release build are shown.
const mostSteps = 5

func (f frame) build(p *progress, i int) []string {
	b := p.builds[i]
	if !b.ended.IsZero() {
		text := fmt.Sprintf("release: %d steps in %s, %d from the cache", b.total, clock(b.ended.Sub(b.started)), b.cached)
		return []string{f.done(false) + " " + text}
	}
	lines := []string{fmt.Sprintf("%s release  %s  step %d of %d%s", f.active(), clock(f.now.Sub(b.started)), b.n, b.total, f.bar(b.n-1, b.total))}
	for _, s := range b.done[max(0, len(b.done)-mostSteps):] {
		how := "made in " + clock(s.Took)
		if s.Cached {
			how = "from the cache"
		}
		if s.Without != "" {
			how += ", without " + headline(s.Without, mostText)
		}
		lines = append(lines, fmt.Sprintf("  %s %s  %s", f.done(false), headline(s.Name, mostText), f.faint(how)))
	}
	if b.step != "" {
		lines = append(lines, fmt.Sprintf("  %s %s  %s", f.active(), f.bold(headline(b.step, mostText)), clock(f.now.Sub(b.since))))
	}
	return lines
}

// cells shows the cells that are at work in full, and a line for each other.
func (f frame) cells(p *progress) []string {
	var lines []string
	waiting := 0
	for _, c := range p.cells {
		switch {
		case c.started.IsZero():
			waiting++
		case c.closed && len(p.cells) > 1:
			ran, failed := c.counts()
			lines = append(lines, fmt.Sprintf("%s %s  %s  %s", f.done(c.wrong), c.id, clock(c.ended.Sub(c.started)), f.tally(ran, failed)))
		default:
			lines = append(lines, f.cell(c)...)
		}
	}
	if waiting > 0 && len(p.cells) > 1 {
		lines = append(lines, f.faint(fmt.Sprintf("  %d more to come", waiting)))
	}
	return lines
}

func (f frame) cell(c *cellProgress) []string {
	mark := f.active()
	if c.closed {
		mark = f.done(c.wrong)
	}
	lines := []string{mark + " " + f.bold(c.id)}
	for _, phase := range c.phases {
		lines = append(lines, f.phase(c, phase))
	}
	return lines
}

// phase is a line: what it is, how long it takes, and how far its suite is.
func (f frame) phase(c *cellProgress, at phaseProgress) string {
	suite := c.planned(at.name)
	ran, failed := 0, 0
	if suite != nil {
		ran, failed = suite.counts()
	}
	name := fmt.Sprintf("%-16s", headline(at.name, mostText))
	if f.width < narrow {
		name = strings.TrimSpace(name)
	}
	wrong := at.wrong || suite != nil && ran < suite.total
	text := fmt.Sprintf("  %s %s %7s", f.done(wrong), name, fmt.Sprintf("%.1f s", at.seconds))
	if !at.ended {
		text = fmt.Sprintf("  %s %s %7s", f.active(), f.bold(name), clock(f.now.Sub(at.since)))
	}
	switch {
	case suite == nil:
		return text
	case at.ended:
		return text + "  " + f.tally(ran, failed) + f.faint(fmt.Sprintf(" of %d", suite.total))
	case f.width < narrow:
		return text + fmt.Sprintf("  %d/%d  ", ran, suite.total) + f.tally(ran, failed)
	}
	return text + fmt.Sprintf("  spec %d of %d", ran, suite.total) + f.bar(ran, suite.total) + "  " + f.tally(ran, failed) +
		f.faint(suite.aboutLeft(f.now.Sub(at.since)))
}

// trouble is the last failure, with why.
func (f frame) trouble(p *progress) []string {
	if p.failure == (failure{}) {
		return nil
	}
	what := headline(p.failure.what, mostText)
	if len(p.cells) > 1 {
		what = p.failure.cell + ": " + what
	}
	lines := []string{f.bad("last failure") + "  " + what}
	if why := headline(p.failure.why, mostText); why != "" {
		lines = append(lines, "  "+why)
	}
	return lines
}

// narrow is the width below which there is no room for a bar and columns.
const narrow = 72

// bar shows a part of a whole, with the blanks before it.
func (f frame) bar(part, whole int) string {
	if f.width < narrow || whole <= 0 {
		return ""
	}
	size := min(24, f.width-narrow+8)
	full := min(max(part, 0)*size/whole, size)
	return "  " + f.good(strings.Repeat("█", full)) + f.faint(strings.Repeat("░", size-full))
}

func (f frame) tally(ran, failed int) string {
	text := f.good(fmt.Sprintf("%d passed", ran-failed))
	if failed > 0 {
		text = f.bad(fmt.Sprintf("%d failed", failed)) + "  " + text
	}
	return text
}

// counts adds the suites of the cell up.
func (c *cellProgress) counts() (ran, failed int) {
	for _, s := range c.suites {
		r, f := s.counts()
		ran, failed = ran+r, failed+f
	}
	return ran, failed
}

// clock writes a time as people read it from a clock.
func clock(d time.Duration) string {
	seconds := max(0, int(d.Round(time.Second)/time.Second))
	switch {
	case seconds < 60:
		return fmt.Sprintf("%ds", seconds)
	case seconds < 3600:
		return fmt.Sprintf("%dm%02ds", seconds/60, seconds%60)
	}
	return fmt.Sprintf("%dh%02dm%02ds", seconds/3600, seconds/60%60, seconds%60)
}

func (f frame) active() string { return f.paint("▸", ansi.AttrYellowForegroundColor) }

func (f frame) done(wrong bool) string {
	if wrong {
		return f.bad("✗")
	}
	return f.good("✓")
}

func (f frame) good(s string) string  { return f.paint(s, ansi.AttrGreenForegroundColor) }
func (f frame) bad(s string) string   { return f.paint(s, ansi.AttrRedForegroundColor) }
func (f frame) faint(s string) string { return f.paint(s, ansi.AttrFaint) }
func (f frame) bold(s string) string  { return f.paint(s, ansi.AttrBold) }

// paint leaves text alone where colours are off: weights count as colours.
func (f frame) paint(s string, as ansi.Attr) string {
	if !f.colour || s == "" {
		return s
	}
	return ansi.NewStyle(as).Styled(s)
}
