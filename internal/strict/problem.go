package strict

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"
)

// Problem is one thing that is wrong with a file, for the person who edits it.
type Problem struct {
	File   string
	Line   int // from 1
	Column int // from 1, in characters
	Text   string
	Remedy string
}

// String is the problem on one line, in the form editors jump to.
func (p Problem) String() string {
	return fmt.Sprintf("%s:%d:%d: %s; %s", p.File, p.Line, p.Column, p.Text, p.Remedy)
}

// Problems is everything that is wrong with a file, in file order.
type Problems []Problem

// A file of rubbish has a problem on every line; nobody reads past these.
const maxShown = 50

// Error has one line for each problem.
func (p Problems) Error() string {
	lines := make([]string, 0, min(len(p), maxShown+1))
	for i, problem := range p {
		if i == maxShown {
			lines = append(lines, fmt.Sprintf("and %d more problems", len(p)-i))
			break
		}
		lines = append(lines, problem.String())
	}
	return strings.Join(lines, "\n")
}

// Err puts the problems in file order and makes an error of them.
func (p Problems) Err() error {
	if len(p) == 0 {
		return nil
	}
	slices.SortStableFunc(p, func(a, b Problem) int {
		return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column))
	})
	return p
}

// Quoted makes foreign text safe to print in a message: bounded, on one line,
// without control characters.
func Quoted(text string) string {
	const most = 60
	if utf8.RuneCountInString(text) > most {
		text = string([]rune(text)[:most]) + "…"
	}
	return fmt.Sprintf("%q", text)
}

// Bare is Quoted, without the quotes where the text is an ordinary name.
func Bare(text string) string {
	if nameForm.MatchString(strings.ToLower(text)) {
		return text
	}
	return Quoted(text)
}
