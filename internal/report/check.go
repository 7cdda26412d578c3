package report

import (
	"fmt"
	"slices"
	"strings"

	"github.com/qualify-dev/qualify/internal/result"
)

// VerdictText is the verdict in words for people.
func VerdictText(v result.Verdict) string {
	switch v {
	case result.Qualified:
		return "Qualified"
	case result.NotQualified:
		return "Not qualified"
	default:
		return "Inconclusive"
	}
}

// verdictMark is the verdict as one character, for where there are no icons.
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

// Contested holds for a verdict that reads green while the evidence speaks
// against it. A writer must not show it as calm.
func (r Report) Contested() bool { return r.Verdict == result.Qualified && len(r.Alerts) > 0 }

// Word is the verdict in words, with the doubt if there is one.
func (r Report) Word() string {
	if r.Contested() {
		return VerdictText(r.Verdict) + ", but contradicted"
	}
	return VerdictText(r.Verdict)
}

// Mark is the verdict as one character.
func (r Report) Mark() string {
	if r.Contested() {
		return verdictMark(result.Inconclusive)
	}
	return verdictMark(r.Verdict)
}

// alerts lists where the verdict and the evidence contradict each other. The
// judge decides, the report does not; but a page that shows a green word over
// red rows, or fewer rows than were judged, has to say so itself.
func alerts(in Input, r Report) []string {
	var out []string
	say := func(format string, args ...any) { out = append(out, Clean(fmt.Sprintf(format, args...))) }
	d := in.Document
	if len(r.Cells) == 0 {
		say("there is no cell: nothing was planned, judged or run")
	}
	if d.Plan.Hash != in.Plan.Hash {
		say("the verdict is about plan %s, but the plan shown here is %s", orNone(d.Plan.Hash), orNone(in.Plan.Hash))
	}
	if d.Release != in.Plan.Release {
		say("the verdict is about release %s, but the plan is about %s", releaseText(d.Release), releaseText(in.Plan.Release))
	}
	if d.Verdict != result.Qualified && d.ExitCode == 0 {
		say("the verdict is %s, but the exit code is 0", VerdictText(d.Verdict))
	}
	if d.Verdict == result.Qualified {
		for _, c := range r.Cells {
			if c.Verdict != result.Qualified {
				say("the verdict is Qualified, but cell %s is %s", c.ID, VerdictText(c.Verdict))
			}
		}
		if r.Ending == "" {
			say("the verdict is Qualified, but there is %s that the run ended", noEvidence)
		}
	}
	judged := make(map[string]result.CellVerdict, len(d.Cells))
	for _, dc := range d.Cells {
		judged[Clean(dc.ID)] = dc
	}
	for _, c := range r.Cells {
		out = append(out, cellAlerts(c, d.Notes)...)
		if dc, ok := judged[c.ID]; ok {
			out = append(out, countAlerts(c, dc)...)
		}
	}
	return out
}

// cellAlerts compares one cell's verdict with its rows.
func cellAlerts(c Cell, notes []result.Reason) []string {
	var out []string
	say := func(format string, args ...any) {
		out = append(out, Clean("cell "+c.ID+": "+fmt.Sprintf(format, args...)))
	}
	if c.Unplanned {
		say("the plan does not hold this cell")
	}
	if !c.hasVerdict {
		say("the verdict does not name this cell")
	}
	if c.Verdict == result.Qualified {
		if why := against(c, notes); len(why) > 0 {
			say("its verdict is Qualified, but the evidence shows %s", strings.Join(why, ", "))
		}
	}
	return out
}

// countAlerts compares the counts that were judged with the rows shown.
func countAlerts(c Cell, dc result.CellVerdict) []string {
	judged := make(map[string]Counts, len(dc.Suites))
	for _, s := range dc.Suites {
		judged[Clean(s.Name)] = Counts{
			Expected: s.Expected, Passed: s.Passed, Failed: s.Failed, Errored: s.Errored,
			Skipped: s.Skipped, NotRun: s.NotRun, Flaky: s.Flaky,
		}
	}
	var out []string
	for _, s := range c.Suites {
		shown := s.Counts
		shown.Unexpected = 0 // verdict.json has no such count
		if want, ok := judged[s.Name]; !ok {
			out = append(out, fmt.Sprintf("cell %s: suite %s was not judged", c.ID, s.Name))
		} else if want != shown {
			out = append(out, fmt.Sprintf("cell %s: suite %s was judged on %s, but the journal shows %s", c.ID, s.Name, want, shown))
		}
	}
	return out
}

// against lists what speaks against a cell being qualified. Failures and
// errors that the judge listed among the notes are excused by a policy.
func against(c Cell, notes []result.Reason) []string {
	var why []string
	add := func(bad bool, format string, args ...any) {
		if bad {
			why = append(why, fmt.Sprintf(format, args...))
		}
	}
	for _, s := range c.Suites {
		n := s.Counts
		add(n.Failed > 0 && !excused(notes, c, s, result.ReasonCaseFailed), "%d failed in suite %s", n.Failed, s.Name)
		add(n.Errored > 0 && !excused(notes, c, s, result.ReasonCaseErrored), "%d errored in suite %s", n.Errored, s.Name)
		add(n.NotRun > 0, "%d not run in suite %s", n.NotRun, s.Name)
		add(n.Expected == 0, "no case expected of suite %s", s.Name)
		add(!s.Ended || s.EndText != "", "suite %s not run to its end", s.Name)
	}
	add(c.Counts.Passed == 0, "no case that passed")
	mismatched, compared := 0, false
	for _, i := range c.Identity {
		mismatched += len(i.Mismatched)
		compared = compared || len(i.Checked) > 0
	}
	add(mismatched > 0, "%d parts that are not the release's", mismatched)
	add(!compared, "no comparison of what ran with the release")
	for _, f := range c.Faults {
		add(f.Product, "a fault of the release: %s", firstLine(f.Text, 200))
		add(!f.Product && !f.Retried, "a fault that nothing followed: %s", firstLine(f.Text, 200))
	}
	return why
}

func excused(notes []result.Reason, c Cell, s Suite, code string) bool {
	return slices.ContainsFunc(notes, func(n result.Reason) bool {
		return n.Code == code && Clean(n.Cell) == c.ID && Clean(n.Suite) == s.Name
	})
}

// headline says in one sentence why the verdict is what it is.
func headline(r Report) string {
	switch r.Verdict {
	case result.Qualified:
		return qualifiedHeadline(r)
	case result.NotQualified:
		failed := 0
		for _, c := range r.Cells {
			if c.Verdict == result.NotQualified {
				failed++
			}
		}
		return fmt.Sprintf("The release failed in %d of %s: %s", failed, plural(len(r.Cells), "cell"), reasonText(r, noEvidence+" of how"))
	default:
		return "This run cannot say whether the release is good: " + reasonText(r, noEvidence+" of why")
	}
}

func qualifiedHeadline(r Report) string {
	s := fmt.Sprintf("%d of %d expected cases passed in %s", r.Counts.Passed, r.Counts.Expected, plural(len(r.Cells), "cell"))
	if n := r.Counts.Skipped; n > 0 {
		s += fmt.Sprintf(", %d were skipped", n)
	}
	if n := r.Counts.Flaky; n > 0 {
		s += fmt.Sprintf(", %d of them passed only after a failed attempt", n)
	}
	if n := len(r.Leftovers); n > 0 {
		s += ", but " + plural(n, "resource") + " could not be removed"
	}
	return s + "."
}

// reasonText is the first reason and how many more there are.
func reasonText(r Report, none string) string {
	if len(r.Reasons) == 0 {
		return none + "."
	}
	s := strings.TrimSuffix(firstLine(r.Reasons[0].Text, 300), ".")
	if s == "" {
		s = r.Reasons[0].Code
	}
	if n := len(r.Reasons) - 1; n > 0 {
		return fmt.Sprintf("%s, and %s.", s, plural(n, "more reason"))
	}
	return s + "."
}

// String lists the counts in words; the zero ones that say nothing stay out.
func (n Counts) String() string {
	s := fmt.Sprintf("%d expected, %d passed", n.Expected, n.Passed)
	for _, p := range []struct {
		n    int
		word string
	}{{n.Failed, "failed"}, {n.Errored, "errored"}, {n.NotRun, "not run"}, {n.Skipped, "skipped"}, {n.Flaky, "flaky"}, {n.Unexpected, "unexpected"}} {
		if p.n > 0 {
			s += fmt.Sprintf(", %d %s", p.n, p.word)
		}
	}
	return s
}

func plural(n int, word string) string {
	if n == 1 {
		return "1 " + word
	}
	return fmt.Sprintf("%d %ss", n, word)
}

func orNone(s string) string {
	if s == "" {
		return noEvidence
	}
	return s
}

func releaseText(r result.ReleaseRef) string {
	if r == (result.ReleaseRef{}) {
		return noEvidence
	}
	return fmt.Sprintf("%s (%s, %s)", orNone(r.Name), orNone(r.Kubernetes), orNone(r.Digest))
}
