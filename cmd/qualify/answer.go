package main

import (
	"fmt"
	"io"
	"path/filepath"
	"strings"

	"github.com/charmbracelet/x/ansi"

	"github.com/qualify-dev/qualify/internal/cluster"
	"github.com/qualify-dev/qualify/internal/report"
	"github.com/qualify-dev/qualify/internal/result"
)

// answer is the product on stdout: the verdict, why, and where to read on.
type answer struct {
	out    io.Writer
	colour bool
}

func newAnswer(out io.Writer, w wiring) answer { return answer{out: out, colour: w.colourful(out)} }

// How much of the reasons is shown. All of it is in the report.
const (
	mostReasons = 12
	mostReason  = 200 // characters
	mostLog     = 15  // lines
)

func (a answer) print(r record, built report.Report) {
	doc := built.Document
	fmt.Fprintf(a.out, "%s  %s  (exit code %d)\n", a.word(built), headline(doc.Release.Name, mostReason), doc.ExitCode)
	fmt.Fprintf(a.out, "  %s\n", headline(built.Headline, mostText))
	for _, c := range doc.Cells {
		passed, expected := 0, 0
		for _, s := range c.Suites {
			passed, expected = passed+s.Passed, expected+s.Expected
		}
		fmt.Fprintf(a.out, "  %-13s %s: %d of %d cases passed, %d binaries and images compared\n", c.Verdict, c.ID, passed, expected, c.Identity.Checked)
	}
	a.reasons(r, doc)
	a.policy(doc)
	fmt.Fprintf(a.out, "  report  %s\n  verdict %s\n", r.dir.file("report.html"), r.dir.file("verdict.json"))
	a.kept(r)
}

// word is the verdict, in its colour where there are any.
func (a answer) word(built report.Report) string {
	colour := ansi.AttrYellowForegroundColor
	switch built.Document.Verdict {
	case result.Qualified:
		colour = ansi.AttrGreenForegroundColor
	case result.NotQualified:
		colour = ansi.AttrRedForegroundColor
	}
	if !a.colour {
		return built.Word()
	}
	return ansi.NewStyle(ansi.AttrBold, colour).Styled(built.Word())
}

// reasons shows the first line of each, and what the blamed component logged
// last: that is what its owner asks for first.
func (a answer) reasons(r record, doc result.Document) {
	faults := productFaults(r.events)
	for i, reason := range doc.Reasons {
		if i == mostReasons {
			fmt.Fprintf(a.out, "  … and %d more reasons in the report\n", len(doc.Reasons)-mostReasons)
			return
		}
		where := ""
		if len(doc.Cells) > 1 && reason.Cell != "" {
			where = reason.Cell + ": "
		}
		text, log := reason.Text, ""
		if of := faults[reason.Cell]; reason.Code == result.ReasonProductFault && len(of) > 0 {
			text, log, faults[reason.Cell] = of[0].Text, of[0].Log, of[1:]
		}
		fmt.Fprintf(a.out, "  %s: %s%s\n", reason.Code, where, headline(text, mostReason))
		for _, line := range lastLines(log, mostLog) {
			fmt.Fprintf(a.out, "      %s\n", headline(line, mostReason))
		}
	}
}

// policy names the policy where it is not the one that tolerates nothing, and
// what of it had an effect or has outlived itself.
func (a answer) policy(doc result.Document) {
	if doc.Policy == (result.PolicyRef{}) || doc.Policy.Hash == result.DefaultPolicy().Hash() {
		return
	}
	fmt.Fprintf(a.out, "  policy  %s %s\n", headline(doc.Policy.Name, mostReason), doc.Policy.Hash)
	shown := 0
	for _, n := range doc.Notes {
		if !strings.HasPrefix(n.Code, "waiver-") && !strings.HasPrefix(n.Code, "case-") {
			continue
		}
		if shown++; shown > mostReasons {
			fmt.Fprintf(a.out, "  … and more notes in the report\n")
			return
		}
		fmt.Fprintf(a.out, "  note: %s: %s\n", n.Code, headline(n.Text, mostText))
	}
}

// productFaults are those of each cell, in the order in which they are
// reasons too.
func productFaults(events []result.Event) map[string][]result.Event {
	of := map[string][]result.Event{}
	for _, e := range events {
		if e.Kind == result.ProductFault {
			of[e.Cell] = append(of[e.Cell], e)
		}
	}
	return of
}

// lastLines are the last lines of a log that are not blank.
func lastLines(log string, most int) []string {
	var lines []string
	for line := range strings.Lines(log) {
		if strings.TrimSpace(line) != "" {
			lines = append(lines, line)
		}
	}
	return lines[max(0, len(lines)-most):]
}

// kept tells how to reach and how to remove what --keep left.
func (a answer) kept(r record) {
	for _, e := range r.events {
		if e.Kind == result.LeaseKept {
			kubeconfig := r.dir.file(filepath.Join("cells", e.Cell, "kubeconfig"))
			fmt.Fprintf(a.out, "  kept: export KUBECONFIG=%s\n  remove it with: qualify gc --run %s\n", quoted([]string{kubeconfig})[0], r.dir.id)
		}
	}
}

// quoted writes words as a shell would read them.
func quoted(words []string) []string {
	out := make([]string, len(words))
	for i, word := range words {
		out[i] = cluster.Command(word).String()
	}
	return out
}
