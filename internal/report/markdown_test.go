package report

import (
	"bytes"
	"regexp"
	"strings"
	"testing"

	"github.com/qualify-dev/qualify/internal/result"
)

func summaryOf(t *testing.T, in Input) string {
	t.Helper()
	var b bytes.Buffer
	if err := WriteMarkdown(&b, Build(in)); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestMarkdownGolden(t *testing.T) {
	r := Build(failingRun())
	golden(t, "failing.md", func(b *bytes.Buffer) error { return WriteMarkdown(b, r) })
}

func TestMarkdownSaysTheVerdict(t *testing.T) {
	for want, in := range map[string]Input{
		"# ✓ Qualified: kubernetes": goodRun(), "# ✗ Not qualified: kubernetes": failingRun(), "# ? Inconclusive: kubernetes": lostRun(),
		"# ? Qualified, but contradicted: kubernetes": contestedRun(), "# ? Inconclusive: no evidence": {},
	} {
		if got := summaryOf(t, in); !strings.HasPrefix(got, want) {
			t.Errorf("summary begins with %q, want %q", strings.SplitN(got, "\n", 2)[0], want)
		}
	}
	if got := summaryOf(t, Input{}); !strings.Contains(got, "no evidence of any cell") {
		t.Errorf("an empty run reads\n%s", got)
	}
}

// TestMarkdownOfHostileText: no markup, no HTML and no CI command gets
// through, and no line breaks out of its place.
func TestMarkdownOfHostileText(t *testing.T) {
	got := summaryOf(t, hostileRun())
	for _, bad := range []string{"<script", "<img", "\n::", "\n##vso", "```", "\x1b", "\u202e", "\n| a"} {
		if strings.Contains(got, bad) {
			t.Errorf("the summary holds %q:\n%s", bad, got)
		}
	}
	allowed := regexp.MustCompile(`^(#{1,2} .*|- .*|\|.*\||[A-Z].*|)$`)
	for line := range strings.Lines(got) {
		if line = strings.TrimSuffix(line, "\n"); !allowed.MatchString(line) {
			t.Errorf("a line that nobody wrote: %q", line)
		}
		if strings.HasPrefix(line, "| ") && strings.Count(strings.ReplaceAll(line, `\|`, ""), "|") != 10 {
			t.Errorf("a row that breaks its table: %q", line)
		}
	}
}

func TestMarkdownText(t *testing.T) {
	for in, want := range map[string]string{
		"a_b *c* [d](e)": `a\_b \*c\* \[d\](e)`, "::error::x": ": :error::x", "a\n\n# b": `a \# b`, "<b>&amp;": `&lt;b\>&amp;amp;`, "@team": "&#64;team", "\x1b[0m": `^\[\[0m`,
	} {
		if got := md(in); got != want {
			t.Errorf("md(%q) = %q, want %q", in, got, want)
		}
	}
}

func TestMarkdownIsBounded(t *testing.T) {
	in := bigRun(1, 300)
	for i := range in.Events {
		if c := in.Events[i].Case; c != nil {
			c.Outcome, c.Message = result.Fail, strings.Repeat("long ", 5000)
		}
	}
	got := summaryOf(t, in)
	if !strings.Contains(got, "- and 250 more\n") || len(got) > 100_000 {
		t.Errorf("%d bytes; the rest is not counted", len(got))
	}
	many := Report{Verdict: result.NotQualified, Cells: make([]Cell, 20_000)}
	for i := range many.Cells {
		many.Cells[i].ID = strings.Repeat("cell", 12)
	}
	var b bytes.Buffer
	if err := WriteMarkdown(&b, many); err != nil {
		t.Fatal(err)
	}
	got = b.String()
	if len(got) > 1_000_000 || !strings.HasSuffix(got, "**This summary was cut: it holds as much as a CI page may.**\n") {
		t.Errorf("%d bytes, ending in %q", len(got), got[max(0, len(got)-100):])
	}
	if !strings.HasPrefix(got, "# ✗ Not qualified") {
		t.Error("the verdict was cut")
	}
}
