package release

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// Problem is one thing that is wrong in a manifest.
type Problem struct {
	File  string
	Line  int    // 0 where the file as a whole is meant
	Asset string // "" where no asset is concerned
	Text  string
}

// String gives the problem as file:line, asset and text.
func (p Problem) String() string {
	var b strings.Builder
	b.WriteString(p.File)
	if p.Line > 0 {
		fmt.Fprintf(&b, ":%d", p.Line)
	}
	if p.Asset != "" {
		fmt.Fprintf(&b, ": asset %s", p.Asset)
	}
	b.WriteString(": " + p.Text)
	return b.String()
}

// Problems is everything that is wrong in one manifest, in order of its lines.
// It is a fault of the input: nothing has been created or fetched yet.
type Problems []Problem

// shownProblems bounds the text: nobody reads the hundredth.
const shownProblems = 100

// Error lists the problems, one to a line.
func (p Problems) Error() string {
	if len(p) == 0 {
		return "reading manifest: no problems"
	}
	if len(p) == 1 {
		return "reading manifest: " + p[0].String()
	}
	var b strings.Builder
	fmt.Fprintf(&b, "reading manifest: %d problems", len(p))
	for _, one := range p[:min(len(p), shownProblems)] {
		b.WriteString("\n  " + one.String())
	}
	if more := len(p) - shownProblems; more > 0 {
		fmt.Fprintf(&b, "\n  and %d more", more)
	}
	return b.String()
}

// sorted orders problems by line, and keeps the order of those on one line.
func (p Problems) sorted() Problems {
	slices.SortStableFunc(p, func(a, b Problem) int { return cmp.Compare(a.Line, b.Line) })
	return p
}

// quote shows a value from outside: without control characters, and cut where
// it is long, since it may be as large as the manifest.
func quote(value string) string {
	const most = 120
	runes := []rune(value)
	if len(runes) > most {
		return fmt.Sprintf("%q…", string(runes[:most]))
	}
	return fmt.Sprintf("%q", value)
}
