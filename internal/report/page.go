package report

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/qualify-dev/qualify/internal/result"
)

// The bounds of the page. Everything that is left out is counted on the page,
// and stands in full in the journal.
const (
	pageReasons = 6       // reasons shown without opening anything, each list
	pageReason  = 2 << 10 // of one reason
	pageOpen    = 40      // cases that did not pass and are shown open
	logMost     = 8 << 10 // of one log
	logsMost    = 3 << 20 // of all logs together
	logLines    = 14      // of one log without opening anything
	pageMessage = 4 << 10 // of one message
	pageNames   = 60      // names of not-run cases shown open, each suite
	pageCells   = 3       // with at most so many cells even the qualified ones are open
)

// page is a Report laid out for the template.
type page struct {
	Report
	Title    string
	Totals   totals
	Why      []result.Reason // with long texts shortened
	MoreWhy  []result.Reason
	Notes    []result.Reason
	Faults   []pageFault
	Cells    []pageCell
	Releases int    // that the cells are of
	Took     string // empty: no evidence
}

type pageCell struct {
	Cell
	Title   string
	Open    bool
	Totals  totals
	Took    string
	Why     []result.Reason
	MoreWhy []result.Reason
	Notes   []result.Reason
	Faults  []pageFault
	Checks  []pageCheck
	Bars    []bar
	Suites  []pageSuite
}

type pageCheck struct {
	Comparison
	Missing bool // there should be a comparison here
	Old     bool // made on resources that were given up, so it shows nothing good
}

type pageFault struct {
	Fault
	Log pageLog
}

// pageLog is a log whose end is shown and whose beginning can be opened: the
// cause mostly stands at the end.
type pageLog struct {
	Earlier string
	Lines   int // of Earlier
	End     string
}

// pageSuite is a suite with its cases in the order in which they matter.
type pageSuite struct {
	Suite
	Totals     totals
	Trouble    string // why the suite itself is no evidence
	Bad        []pageCase
	NotRun     []Case
	OpenNotRun bool
	Unexpected []pageCase
	Flaky      []pageCase
	Skipped    []pageCase
	Passed     []Case
}

type pageCase struct {
	Case
	Open    bool
	Brief   string
	Message string
	Log     pageLog
	Others  []pageAttempt
}

type pageAttempt struct {
	Attempt
	Message string
	Log     pageLog
}

// bar is one phase on a time line that is 1000 units wide.
type bar struct {
	Phase
	X, Width int
}

// layout carries what adds up over the page.
type layout struct {
	logs int // bytes of log that still fit
	open int // cases that may still be shown open
}

func newPage(r Report) page {
	l := &layout{logs: logsMost, open: pageOpen}
	p := page{Report: r, Totals: newTotals(r.Counts)}
	p.Title = fmt.Sprintf("%s %s: %s", r.Mark(), r.Word(), orNone(r.Release.Name))
	p.Why, p.MoreWhy = split(briefReasons(r.Reasons), pageReasons)
	if !r.Run.Started.IsZero() && r.Run.Ended.After(r.Run.Started) {
		p.Took = duration(r.Run.Ended.Sub(r.Run.Started).Seconds())
	}
	p.Notes = briefReasons(r.Notes)
	p.Faults = l.faults(r.Faults)
	releases := map[string]bool{}
	for _, c := range r.Cells {
		releases[c.Release.Digest] = true
		p.Cells = append(p.Cells, l.cell(c, len(r.Cells)))
	}
	p.Releases = len(releases)
	return p
}

func (l *layout) faults(faults []Fault) []pageFault {
	var out []pageFault
	for _, f := range faults {
		out = append(out, pageFault{f, l.log(f.Log)})
	}
	return out
}

// briefReasons shortens what is said in full elsewhere on the page: a case has
// its own row with its whole message. Other reasons may end in a log.
func briefReasons(reasons []result.Reason) []result.Reason {
	out := make([]result.Reason, 0, len(reasons))
	for _, r := range reasons {
		if r.Text = excerpt(r.Text, pageReason); strings.HasPrefix(r.Code, "case-") {
			r.Text = firstLine(r.Text, pageReason/4)
		}
		if r.Code == result.NoteWarning {
			r.Code = ""
		}
		out = append(out, r)
	}
	return out
}

func split[T any](all []T, n int) (head, rest []T) {
	if len(all) <= n+1 { // one more line is shorter than the line that hides it
		return all, nil
	}
	return all[:n], all[n:]
}

func (l *layout) cell(c Cell, cells int) pageCell {
	pc := pageCell{Cell: c, Totals: newTotals(c.Counts), Open: c.Verdict != result.Qualified || cells <= pageCells}
	for i, v := range c.Values {
		if i > 0 {
			pc.Title += " · "
		}
		pc.Title += v.Value
	}
	if pc.Title == "" {
		pc.Title = orNone(c.ID)
	}
	if c.HasTime {
		pc.Took = duration(c.Seconds)
	}
	pc.Why, pc.MoreWhy = split(briefReasons(c.Reasons), pageReasons)
	if cells == 1 {
		pc.Why, pc.MoreWhy = nil, append(pc.Why, pc.MoreWhy...) // all of them stand above the cell already
	}
	pc.Notes = briefReasons(c.Notes)
	pc.Faults = l.faults(c.Faults)
	pc.Checks = checks(c)
	pc.Bars = bars(c)
	for _, s := range c.Suites {
		pc.Suites = append(pc.Suites, l.suite(s))
	}
	slices.SortStableFunc(pc.Suites, func(a, b pageSuite) int { return cmp.Compare(b.weight(), a.weight()) })
	return pc
}

// checks lists the comparisons, with a row for each that is missing.
func checks(c Cell) []pageCheck {
	var out []pageCheck
	last := len(c.Leases)
	for _, stage := range []string{result.StageBefore, result.StageAfter} {
		found := false
		for _, i := range c.Identity {
			if i.Stage == stage {
				found = found || i.Lease == last
				out = append(out, pageCheck{Comparison: i, Old: i.Lease != last})
			}
		}
		if !found {
			out = append(out, pageCheck{Comparison: Comparison{Stage: stage}, Missing: true})
		}
	}
	for _, i := range c.Identity {
		if i.Stage != result.StageBefore && i.Stage != result.StageAfter {
			out = append(out, pageCheck{Comparison: i, Old: true})
		}
	}
	return out
}

func bars(c Cell) []bar {
	end := c.Seconds
	for _, p := range c.Phases {
		end = max(end, p.Start+finite(p.Seconds))
	}
	if end <= 0 {
		end = 1
	}
	out := make([]bar, 0, len(c.Phases))
	for _, p := range c.Phases {
		b := bar{Phase: p, X: int(finite(p.Start) / end * 1000)}
		b.Width = max(3, int(finite(p.Seconds)/end*1000))
		if !p.Ended {
			b.Width = max(3, 1000-b.X)
		}
		out = append(out, b)
	}
	return out
}

func (l *layout) suite(s Suite) pageSuite {
	ps := pageSuite{Suite: s, Totals: newTotals(s.Counts), Trouble: trouble(s)}
	for _, c := range s.Cases {
		switch {
		case c.Unexpected:
			ps.Unexpected = append(ps.Unexpected, l.one(c))
		case c.Outcome == result.Pass && c.Flaky:
			ps.Flaky = append(ps.Flaky, l.one(c))
		case c.Outcome == result.Pass:
			ps.Passed = append(ps.Passed, c)
		case c.Outcome == result.Skip:
			ps.Skipped = append(ps.Skipped, l.one(c))
		case len(c.Attempts) == 0:
			ps.NotRun = append(ps.NotRun, c)
		case c.Outcome == result.Fail:
			ps.Bad = append(ps.Bad, l.one(c))
		}
	}
	for _, c := range s.Cases { // after all failures
		if !c.Unexpected && (c.Outcome == result.Error || badness(c.Outcome) == badness(result.NotRun) && len(c.Attempts) > 0) {
			ps.Bad = append(ps.Bad, l.one(c))
		}
	}
	ps.OpenNotRun = len(ps.NotRun) <= pageNames
	return ps
}

// weight orders suites by how much they must not be overlooked.
func (s pageSuite) weight() int {
	switch n := s.Counts; {
	case n.Failed > 0:
		return 2
	case n.Errored > 0, n.NotRun > 0, n.Unexpected > 0, s.Trouble != "":
		return 1
	}
	return 0
}

func trouble(s Suite) string {
	switch {
	case s.Unplanned:
		return "the plan does not hold this suite"
	case !s.Started:
		return noEvidence + " that this suite was started"
	case !s.Ended:
		return "the suite was started; " + noEvidence + " that it ended"
	case s.EndText != "":
		return "the suite did not run to its end: " + s.EndText
	case s.Counts.Expected == 0:
		return "no case was expected, so the suite shows nothing"
	}
	return ""
}

// one lays out a case that takes more than a line.
func (l *layout) one(c Case) pageCase {
	d := c.Deciding()
	pc := pageCase{
		Case: c, Message: excerpt(c.Message(), pageMessage), Brief: brief(c),
		Open: l.open > 0 && badness(c.Outcome) > badness(result.Skip),
	}
	if c.Outcome != result.Pass {
		pc.Log = l.log(d.Log)
	}
	if pc.Open {
		l.open--
	}
	decided := c.deciding()
	for i, a := range c.Attempts {
		if i != decided {
			pc.Others = append(pc.Others, pageAttempt{a, excerpt(a.Message, pageMessage), l.log(a.Log)})
		}
	}
	return pc
}

// brief is the line that stands for a case while it is closed.
func brief(c Case) string {
	if !c.Flaky {
		return firstLine(c.Message(), 160)
	}
	for _, a := range c.Attempts {
		if a.Outcome != result.Pass {
			return firstLine("before: "+a.Message, 160)
		}
	}
	return ""
}

// log takes a log's excerpt out of the room that is left on the page.
func (l *layout) log(s string) pageLog {
	s = strings.TrimRight(excerpt(s, logMost), "\n")
	if len(s) > l.logs {
		return pageLog{End: fmt.Sprintf("… log of %d bytes left out: this page holds as much log as it may; the journal has it …", len(s))}
	}
	l.logs -= len(s)
	at := len(s)
	for range logLines {
		if at = strings.LastIndexByte(s[:at], '\n'); at < 0 {
			return pageLog{End: s}
		}
	}
	return pageLog{Earlier: s[:at], Lines: strings.Count(s[:at], "\n") + 1, End: s[at+1:]}
}

// totals are counts as a bar and as words.
type totals struct {
	Counts
	Parts []part
	Words []countWord
}

// countWord is one count in words.
type countWord struct {
	Class, Key, Text string
	N                int
}

// countWords puts what must not be overlooked first, and then what passed.
// Zeros stay: that nothing failed is worth a word.
func countWords(n Counts) []countWord {
	all := []countWord{
		{"fail", "failed", "failed", n.Failed}, {"error", "errored", "errored", n.Errored}, {"notRun", "notRun", "not run", n.NotRun},
		{"error", "unexpected", "unexpected", n.Unexpected}, {"pass", "passed", "passed", n.Passed},
		{"flaky", "flaky", "flaky", n.Flaky}, {"skip", "skipped", "skipped", n.Skipped},
	}
	var out, zeros []countWord
	for _, w := range all {
		switch {
		case w.N > 0 || w.Key == "passed":
			out = append(out, w)
		case w.Key == "failed", w.Key == "errored", w.Key == "notRun":
			zeros = append(zeros, w)
		}
	}
	return append(out, zeros...)
}

// part is one outcome's share, on a bar that is 1000 units wide.
type part struct {
	Outcome  result.Outcome
	N        int
	X, Width int
}

// newTotals lays the counts out, what must not be overlooked first. Each part
// that is not zero stays visible, however small its share.
func newTotals(n Counts) totals {
	t := totals{Counts: n, Words: countWords(n)}
	parts := []part{
		{Outcome: result.Fail, N: n.Failed}, {Outcome: result.Error, N: n.Errored}, {Outcome: result.NotRun, N: n.NotRun},
		{Outcome: result.Skip, N: n.Skipped}, {Outcome: result.Pass, N: n.Passed},
	}
	sum := 0
	for i := range parts {
		if p := &parts[i]; p.N > 0 {
			p.Width = max(12, p.N*1000/max(1, n.Expected))
			sum += p.Width
		}
	}
	x := 0
	for _, p := range parts {
		if p.N > 0 {
			p.X, p.Width = x, p.Width*1000/sum
			x += p.Width
			t.Parts = append(t.Parts, p)
		}
	}
	if n := len(t.Parts); n > 0 {
		t.Parts[n-1].Width += 1000 - x
	}
	return t
}
