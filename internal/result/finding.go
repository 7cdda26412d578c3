package result

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// weight is what a finding does to a verdict. The zero value is a doubt, so
// that a finding whose weight was forgotten keeps the verdict from green.
type weight uint8

const (
	blocks  weight = iota // cannot tell: Inconclusive, unless something blames
	informs               // no effect; a note
	leaks                 // no effect on the verdict, but the exit code is not 0
	blames                // the release failed: NotQualified, unless something voids
	voids                 // the evidence is not about this release or run: Inconclusive
)

// byImportance is the order in which findings are listed.
var byImportance = [...]weight{voids, blames, blocks, leaks, informs}

// finding is a reason and its weight.
type finding struct {
	weight weight
	reason Reason
}

func found(w weight, code, format string, args ...any) []finding {
	return []finding{{w, Reason{Code: code, Text: fmt.Sprintf(format, args...)}}}
}

func has(all []finding, w weight) bool {
	return slices.ContainsFunc(all, func(f finding) bool { return f.weight == w })
}

// verdictOf is the lattice that Judge describes.
func verdictOf(all []finding) Verdict {
	switch {
	case has(all, voids):
		return Inconclusive
	case has(all, blames):
		return NotQualified
	case has(all, blocks):
		return Inconclusive
	}
	return Qualified
}

// about fills in the place of findings that do not name one.
func about(cell, suite string, all []finding) []finding {
	for i := range all {
		all[i].reason.Cell = cmp.Or(all[i].reason.Cell, cell)
		all[i].reason.Suite = cmp.Or(all[i].reason.Suite, suite)
	}
	return all
}

// maxListed is how many reasons of one code are listed for one suite. A
// release that breaks everything must not make the answer unreadable; the
// counts stay exact.
const maxListed = 20

// listed splits findings into reasons and notes, the gravest first and in
// their given order otherwise, and folds long lists.
func listed(all []finding) (reasons, notes []Reason) {
	reasons, notes = []Reason{}, []Reason{}
	for _, w := range byImportance {
		list := abridged(all, w)
		if w == informs {
			notes = append(notes, list...)
		} else {
			reasons = append(reasons, list...)
		}
	}
	return reasons, notes
}

// abridged lists the findings of one weight.
func abridged(all []finding, w weight) []Reason {
	key := func(r Reason) Reason { return Reason{Code: r.Code, Cell: r.Cell, Suite: r.Suite} }
	total, shown := map[Reason]int{}, map[Reason]int{}
	for _, f := range all {
		if f.weight == w {
			total[key(f.reason)]++
		}
	}
	var list []Reason
	for _, f := range all {
		k := key(f.reason)
		if f.weight != w || shown[k] > maxListed {
			continue
		}
		shown[k]++
		if shown[k] > maxListed {
			k.Text = fmt.Sprintf("and %d more", total[k]-maxListed)
			list = append(list, k)
			continue
		}
		list = append(list, f.reason)
	}
	return list
}

// The bounds of text taken over from logs and messages.
const (
	logLines = 12
	logBytes = 4 << 10
	textSize = 600
)

// lastLines is the end of a log, where the cause mostly stands.
func lastLines(log string) string {
	lines := strings.Split(strings.TrimRight(log, "\n"), "\n")
	if len(lines) > logLines {
		lines = lines[len(lines)-logLines:]
	}
	text := strings.Join(lines, "\n")
	if len(text) > logBytes {
		text = "…" + strings.ToValidUTF8(text[len(text)-logBytes:], "")
	}
	return text
}

// brief keeps a message to a length that can be listed.
func brief(message string) string {
	if len(message) <= textSize {
		return message
	}
	return strings.ToValidUTF8(message[:textSize], "") + "…"
}

// withDetail joins a statement and an optional detail.
func withDetail(statement, detail string) string {
	if detail == "" {
		return statement
	}
	return statement + ": " + detail
}
