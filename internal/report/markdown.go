package report

import (
	"fmt"
	"io"
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
	m.line("# %s %s: %s", verdictMark(r.Verdict), VerdictText(r.Verdict), md(orNone(r.Release.Name)))
	m.line("")
	m.line("%s", md(r.Headline))
	m.line("")
	m.line("Kubernetes %s · %s · run %s · exit code %d", md(orNone(r.Release.Kubernetes)), md(orNone(r.Release.Digest)), md(orNone(r.Run.ID)), r.ExitCode)
	m.list("The verdict and the evidence contradict each other", r.Alerts)
	m.list("Why", reasonTexts(r.Reasons))
	m.cells(r)
	m.cases(r)
	m.list("Not proven gone", r.Leftovers)
	m.list("Notes", reasonTexts(r.Notes))
	if _, err := io.WriteString(w, m.text()); err != nil {
		return fmt.Errorf("writing markdown: %w", err)
	}
	return nil
}

func verdictMark(v result.Verdict) string {
	switch v {
	case result.Qualified:
		return "✓"
	case result.NotQualified:
		return "✗"
	default:
		return "?"
	}
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

// cases lists what did not pass, failures of all cells before errors.
func (m *markdown) cases(r Report) {
	total, shown := 0, 0
	for _, o := range []result.Outcome{result.Fail, result.Error, result.NotRun} {
		for _, c := range r.Cells {
			for _, s := range c.Suites {
				for _, k := range s.Cases {
					if k.Outcome != o {
						continue
					}
					if total++; shown == markdownCases {
						continue
					}
					if shown++; shown == 1 {
						m.line("\n## Cases that did not pass\n")
					}
					m.line("- **%s** %s / %s / %s: %s", o, md(c.ID), md(s.Name), md(k.Name), md(k.Message()))
				}
			}
		}
	}
	if total > shown {
		m.line("- and %d more", total-shown)
	}
}

func reasonTexts(reasons []result.Reason) []string {
	texts := make([]string, 0, len(reasons))
	for _, r := range reasons {
		t := r.Text
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
