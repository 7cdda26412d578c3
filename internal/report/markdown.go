package report

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/qualify-dev/qualify/internal/result"
)

// The bounds of the summary. GitHub drops a step summary whole above 1024 kB,
// so it ends well before that; nobody reads so much in it anyway.
const (
	markdownMost    = 900_000
	markdownCases   = 50
	markdownReasons = 10
	markdownText    = 500
)

// WriteMarkdown writes a short summary: verdict, reasons, cells, and the cases
// that did not pass. Logs are left to the page.
func WriteMarkdown(w io.Writer, r Report) error {
	m := &markdown{}
	m.line("# %s %s: %s", r.Mark(), r.Word(), md(orNone(r.Release.Name)))
	m.line("")
	m.line("%s", md(r.Headline))
	m.line("")
	m.line("Kubernetes %s · %s · run %s · policy %s · exit code %d",
		md(orNone(r.Release.Kubernetes)), md(orNone(r.Release.Digest)), md(orNone(r.Run.ID)), md(orNone(r.Policy.Name)), r.ExitCode)
	m.list("The verdict and the evidence contradict each other", r.Alerts)
	m.list("Why", reasonTexts(r.Reasons))
	m.cells(r)
	m.cases(r)
	m.alike(r)
	m.list("Not proven gone", r.Leftovers)
	m.list("Notes", reasonTexts(allNotes(r)))
	if _, err := io.WriteString(w, m.text()); err != nil {
		return fmt.Errorf("writing markdown: %w", err)
	}
	return nil
}

// markdown gathers lines up to the bound.
type markdown struct {
	b    strings.Builder
	full bool
}

func (m *markdown) line(format string, args ...any) {
	s := fmt.Sprintf(format, args...) + "\n"
	if m.full || m.b.Len()+len(s) > markdownMost {
		m.full = true
		return
	}
	m.b.WriteString(s)
}

func (m *markdown) text() string {
	if m.full {
		return m.b.String() + "\n**This summary was cut: it holds as much as a CI page may.**\n"
	}
	return m.b.String()
}

func (m *markdown) list(title string, items []string) {
	if len(items) == 0 {
		return
	}
	m.line("\n## %s\n", title)
	for i, item := range items {
		if i == markdownReasons {
			m.line("- and %d more", len(items)-i)
			return
		}
		m.line("- %s", md(item))
	}
}

func (m *markdown) cells(r Report) {
	m.line("\n## Cells\n")
	if len(r.Cells) == 0 {
		m.line("%s of any cell", noEvidence)
		return
	}
	m.line("| cell | verdict | expected | passed | failed | errored | not run | skipped | flaky |")
	m.line("|---|---|--:|--:|--:|--:|--:|--:|--:|")
	for _, c := range r.Cells {
		n := c.Counts
		m.line("| %s | %s %s | %d | %d | %d | %d | %d | %d | %d |", md(c.ID), verdictMark(c.Verdict), VerdictText(c.Verdict),
			n.Expected, n.Passed, n.Failed, n.Errored, n.NotRun, n.Skipped, n.Flaky)
	}
}

// cases lists what did not pass, failures of all cells before errors, and
// counts what did not run.
func (m *markdown) cases(r Report) {
	var lines []string
	for _, o := range []result.Outcome{result.Fail, result.Error, result.NotRun} {
		for _, c := range r.Cells {
			for _, s := range c.Suites {
				lines = append(lines, suiteLines(c, s, o)...)
			}
		}
	}
	if len(lines) == 0 {
		return
	}
	m.line("\n## Cases that did not pass\n")
	for i, l := range lines {
		if i == markdownCases {
			m.line("- and %d more", len(lines)-i)
			return
		}
		m.line("%s", l)
	}
}

// alike lists what several cases seem to have failed for.
func (m *markdown) alike(r Report) {
	for i, a := range r.AllAlike() {
		if i == 0 {
			m.line("\n## Failures that are alike\n")
		}
		if i == markdownReasons {
			m.line("- and more")
			return
		}
		m.line("- %d cases, %s / %s / %s among them: %s", len(a.Cases), md(a.Cases[0].Cell), md(a.Cases[0].Suite), md(a.Cases[0].Name), md(a.Signature))
	}
}

// suiteLines are the lines about the cases of one suite that ended one way.
func suiteLines(c Cell, s Suite, o result.Outcome) []string {
	if o == result.NotRun {
		if s.Counts.NotRun == 0 {
			return nil
		}
		return []string{fmt.Sprintf("- **%s** %s / %s: %d of %d expected", outcomeWord(o), md(c.ID), md(s.Name), s.Counts.NotRun, s.Counts.Expected)}
	}
	var lines []string
	for _, k := range s.Cases {
		if k.Outcome == o {
			lines = append(lines, fmt.Sprintf("- **%s** %s / %s / %s: %s", outcomeWord(o), md(c.ID), md(s.Name), md(k.Name), md(firstLine(k.Message(), markdownText)))+excusedSuffix(k))
		}
	}
	return lines
}

func excusedSuffix(c Case) string {
	if c.Excused == "" {
		return ""
	}
	return " (does not decide: " + md(c.Excused) + ")"
}

// allNotes are those on the run, and then those on its cells.
func allNotes(r Report) []result.Reason {
	notes := slices.Clone(r.Notes)
	for _, c := range r.Cells {
		notes = append(notes, c.Notes...)
	}
	return notes
}

func reasonTexts(reasons []result.Reason) []string {
	texts := make([]string, 0, len(reasons))
	for _, r := range reasons {
		t := r.Text
		if strings.HasPrefix(r.Code, "case-") {
			t = firstLine(t, markdownText)
		}
		if r.Cell != "" {
			t = r.Cell + ": " + t
		}
		texts = append(texts, t)
	}
	return texts
}

// md makes one line of plain text out of text from outside: no markup, no
// HTML, no command that a CI system would take out of its log.
func md(s string) string {
	s = strings.Join(strings.Fields(Console(s)), " ")
	s = cutEnd(s, markdownText)
	var b strings.Builder
	for _, r := range s {
		switch {
		case r == '&':
			b.WriteString("&amp;")
		case r == '<':
			b.WriteString("&lt;")
		case r == '@':
			b.WriteString("&#64;") // no mention
		case strings.ContainsRune("\\`*_{}[]>#|~!", r):
			b.WriteByte('\\')
			b.WriteRune(r)
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}
