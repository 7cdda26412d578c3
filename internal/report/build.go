package report

import (
	"cmp"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/qualify-dev/qualify/internal/result"
)

// Build makes the report of a run. It is deterministic, and does not change
// its input.
func Build(in Input) Report {
	f := newFolding()
	f.plan(in.Plan)
	f.document(in.Document)
	f.events(in.Events)
	d := in.Document
	r := Report{
		Document:  d,
		Run:       cleanRun(in.Run),
		Verdict:   d.Verdict,
		ExitCode:  d.ExitCode,
		Release:   cleanRelease(d.Release),
		PlanHash:  Clean(d.Plan.Hash),
		Policy:    result.PolicyRef{Name: Clean(d.Policy.Name), Hash: Clean(d.Policy.Hash)},
		Reasons:   cleanReasons(d.Reasons),
		Notes:     f.notesOf(d.Notes, "", append(f.run.notes, f.odd...)),
		Faults:    f.run.cell.Faults,
		Phases:    f.run.cell.Phases,
		Leftovers: f.run.cell.Leftovers,
		Ending:    f.ending,
	}
	for _, id := range f.order {
		c := f.cells[id].done()
		c.Notes = f.notesOf(d.Notes, id, f.cells[id].notes)
		c.excuse()
		r.Counts = r.Counts.plus(c.Counts)
		r.Leftovers = append(r.Leftovers, c.Leftovers...)
		r.Cells = append(r.Cells, c)
	}
	r.Alerts = alerts(in, r)
	slices.SortStableFunc(r.Cells, func(a, b Cell) int { return cmp.Compare(rank(b.Verdict), rank(a.Verdict)) })
	redFirst(r)
	r.Headline = headline(r)
	return r
}

// notesOf lists the judged notes on a cell, or on the run, and those of the
// journal that the judge did not take over. A note on a cell that nobody knows
// is one on the run.
func (f *folding) notesOf(judged []result.Reason, cell string, journal []string) []result.Reason {
	out := []result.Reason{}
	for _, n := range judged {
		if n.Cell == cell || cell == "" && f.cells[n.Cell] == nil {
			out = append(out, cleanReasons([]result.Reason{n})...)
		}
	}
	for _, text := range journal {
		if !slices.ContainsFunc(out, func(n result.Reason) bool { return sameNote(n.Text, text) }) {
			out = append(out, result.Reason{Code: result.NoteWarning, Cell: Clean(cell), Text: text})
		}
	}
	return out
}

// excuse marks the cases that the judge found in the notes: the policy took
// their weight. The judge lists a few of many, so that others may not be marked.
func (c *Cell) excuse() {
	why := map[[2]string]string{}
	for _, n := range c.Notes {
		if quoted, err := strconv.QuotedPrefix(n.Text); err == nil && slices.Contains(excusable, n.Code) {
			why[[2]string{n.Suite, quoted}] = excuseOf(n.Text)
		}
	}
	for s := range c.Suites {
		for i := range c.Suites[s].Cases {
			k := &c.Suites[s].Cases[i]
			k.Excused = why[[2]string{c.Suites[s].Name, strconv.Quote(k.Name)}]
		}
	}
}

// excusable are the codes of what a policy can take the weight from.
var excusable = []string{result.ReasonCaseFailed, result.ReasonCaseErrored, result.ReasonCaseFlaky}

// excuseOf is what the judge says at the end of such a note.
func excuseOf(text string) string {
	const before = " (does not decide: "
	if at := strings.LastIndex(text, before); at >= 0 && strings.HasSuffix(text, ")") && !strings.HasSuffix(text, " tolerated)") {
		return text[at+len(before) : len(text)-1]
	}
	return "the policy tolerates it"
}

// sameNote holds also where the judge cut a long text.
func sameNote(judged, text string) bool {
	head, cut := strings.CutSuffix(judged, "…")
	return judged == text || cut && head != "" && strings.HasPrefix(text, head)
}

// rank orders verdicts by how much they must not be overlooked.
func rank(v result.Verdict) int {
	switch v {
	case result.NotQualified:
		return 2
	case result.Qualified:
		return 0
	default:
		return 1
	}
}

// redFirst moves the reasons of cells that are not qualified to the front of
// a run that is not, and of those the first of each cell, so that one cell's
// many reasons do not hide another cell's only one. The judge lists them by
// cell and within a cell the gravest first; that order stays.
func redFirst(r Report) {
	if r.Verdict != result.NotQualified {
		return
	}
	blamed := map[string]bool{}
	for _, c := range r.Cells {
		blamed[c.ID] = c.Verdict == result.NotQualified
	}
	var first, more, rest []result.Reason
	seen := map[string]bool{}
	for _, reason := range r.Reasons {
		switch {
		case !blamed[reason.Cell]:
			rest = append(rest, reason)
		case seen[reason.Cell]:
			more = append(more, reason)
		default:
			seen[reason.Cell] = true
			first = append(first, reason)
		}
	}
	copy(r.Reasons, slices.Concat(first, more, rest))
}

// axisOrder puts the axes first that people ask for first.
var axisOrder = [...]string{"os", "k8s", "arch", "provisioner"}

func valuePairs(values map[string]string) []Pair {
	pos := func(axis string) int {
		if i := slices.Index(axisOrder[:], axis); i >= 0 {
			return i
		}
		return len(axisOrder)
	}
	axes := slices.SortedFunc(maps.Keys(values), func(a, b string) int {
		return cmp.Or(cmp.Compare(pos(a), pos(b)), cmp.Compare(a, b))
	})
	pairs := make([]Pair, 0, len(axes))
	for _, a := range axes {
		pairs = append(pairs, Pair{Name: Clean(a), Value: Clean(values[a])})
	}
	return pairs
}

func cleanRun(r RunInfo) RunInfo {
	r.ID, r.Tool, r.Command = Clean(r.ID), Clean(r.Tool), Clean(r.Command)
	host := make([]Pair, 0, len(r.Host))
	for _, p := range r.Host {
		host = append(host, Pair{Name: Clean(p.Name), Value: Clean(p.Value)})
	}
	r.Host = host
	return r
}

func cleanRelease(r result.ReleaseRef) result.ReleaseRef {
	return result.ReleaseRef{Name: Clean(r.Name), Kubernetes: Clean(r.Kubernetes), Digest: Clean(r.Digest)}
}

func cleanReasons(reasons []result.Reason) []result.Reason {
	out := make([]result.Reason, 0, len(reasons))
	for _, r := range reasons {
		out = append(out, result.Reason{Code: Clean(r.Code), Cell: Clean(r.Cell), Suite: Clean(r.Suite), Text: Clean(r.Text)})
	}
	return out
}

func cleanAll(ss []string) []string {
	out := make([]string, 0, len(ss))
	for _, s := range ss {
		out = append(out, Clean(s))
	}
	return out
}
