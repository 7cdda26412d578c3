package report

import (
	"cmp"
	"regexp"
	"slices"
	"strings"

	"github.com/qualify-dev/qualify/internal/result"
)

// Alike are cases that did not pass for what seems to be the same reason.
type Alike struct {
	Signature string // what their messages have in common
	Cases     []AlikeCase
}

// AlikeCase is one of them.
type AlikeCase struct{ Cell, Suite, Name string }

// AllAlike groups the cases that failed or could not tell by the signature of
// their message; the largest group comes first, and one case is no group.
func (r Report) AllAlike() []Alike {
	groups := map[string]*Alike{}
	var all []*Alike
	for _, c := range r.Cells {
		for _, s := range c.Suites {
			for _, k := range s.Cases {
				if k.Outcome != result.Fail && k.Outcome != result.Error {
					continue
				}
				signature := Signature(k.Message())
				if groups[signature] == nil {
					groups[signature] = &Alike{Signature: signature}
					all = append(all, groups[signature])
				}
				groups[signature].Cases = append(groups[signature].Cases, AlikeCase{c.ID, s.Name, k.Name})
			}
		}
	}
	slices.SortStableFunc(all, func(a, b *Alike) int { return cmp.Compare(len(b.Cases), len(a.Cases)) })
	var several []Alike
	for _, a := range all {
		if len(a.Cases) > 1 {
			several = append(several, *a)
		}
	}
	return several
}

// What differs from run to run, the longer forms first.
var varying = []struct {
	form *regexp.Regexp
	name string
}{
	{regexp.MustCompile(`\b[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}\b`), "<uuid>"},
	{regexp.MustCompile(`\b\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d[0-9.,]*(?:Z| ?[+-]\d\d:?\d\d)?`), "<time>"},
	{regexp.MustCompile(`\b\d\d:\d\d:\d\d(?:\.\d+)?\b`), "<time>"},
	{regexp.MustCompile(`(?i)\bsha256:[0-9a-f]+`), "<digest>"},
	{regexp.MustCompile(`0x[0-9a-fA-F]+`), "<address>"},
	{regexp.MustCompile(`\b\d{1,3}(?:\.\d{1,3}){3}(?::\d+)?\b`), "<ip>"},
	{regexp.MustCompile(`\b(?:\d+(?:\.\d+)?(?:h|ms|m|s|µs|ns))+\b`), "<duration>"},
	{regexp.MustCompile(`\b[0-9a-f]{12,}\b`), "<hex>"},
	{regexp.MustCompile(`-\d+\b`), "-<n>"},
	// The framework's names end in a number, those of controllers in five or ten
	// letters and digits that spell no word.
	{regexp.MustCompile(`\b([a-z][a-z0-9-]*?)-(?:[bcdfghjklmnpqrstvwxz2456789]{5,10}-)?[bcdfghjklmnpqrstvwxz2456789]{5}\b`), "$1-<id>"},
	{regexp.MustCompile(`\d+`), "<n>"},
}

// mostSignature bounds what messages are compared by: they begin with what
// went wrong, and end in what was found.
const mostSignature = 300

// Signature is a message without what differs from run to run: names that
// were made up, times, addresses and numbers. Equal failures have an equal one.
func Signature(message string) string {
	text := cutEnd(strings.Join(strings.Fields(message), " "), 4*mostSignature)
	for _, v := range varying {
		text = v.form.ReplaceAllString(text, v.name)
	}
	return cutEnd(text, mostSignature)
}
