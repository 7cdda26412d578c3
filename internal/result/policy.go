package result

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Policy is what a team has decided to tolerate. The zero value tolerates
// nothing. Names are matched by patterns in which * stands for any text and
// everything else for itself; the empty pattern matches nothing.
//
// Neither a waiver nor an informing suite can excuse missing evidence: what
// must not block when it did not run does not belong in the plan.
type Policy struct {
	Name string `json:"name"`

	// FlakesTolerated is how many cases of one suite in one cell may pass
	// only after an attempt that did not. FlakeLimits say it for some suites;
	// of several that fit, the least counts.
	FlakesTolerated int          `json:"flakesTolerated"`
	FlakeLimits     []FlakeLimit `json:"flakeLimits,omitempty"`

	// RequiredCells must each match a cell of the plan, so that a plan that
	// was cut down cannot qualify a release.
	RequiredCells []string `json:"requiredCells,omitempty"`

	// InformingSuites and InformingCases must run, but what they find does
	// not decide. BlockingSuites and BlockingCases decide all the same: they
	// are exceptions from the former.
	InformingSuites []string   `json:"informingSuites,omitempty"`
	InformingCases  []CaseRule `json:"informingCases,omitempty"`
	BlockingSuites  []string   `json:"blockingSuites,omitempty"`
	BlockingCases   []CaseRule `json:"blockingCases,omitempty"`

	Waivers []Waiver `json:"waivers,omitempty"`

	// FailFast ends a run at its first cell that is not qualified: no other is
	// begun. It makes no verdict better, since that cell decides it.
	FailFast bool `json:"failFast,omitempty"`

	// AsOf is the day that waivers are measured against. It is no part of a
	// policy file. While it is zero no waiver is in force; whoever judges a
	// recorded run again takes the time of its first start to get the same
	// answer.
	AsOf time.Time `json:"-"`
}

// CaseRule selects cases by patterns; both must match.
type CaseRule struct {
	Suite string `json:"suite"`
	Case  string `json:"case"`
}

func (r CaseRule) fits(suite, name string) bool {
	return matches(r.Suite, suite) && matches(r.Case, name)
}

// FlakeLimit is the number of flaky cases that is tolerated in suites.
type FlakeLimit struct {
	Suite     string `json:"suite"` // pattern
	Tolerated int    `json:"tolerated"`
}

// Waiver excuses failures and errors of known cases for a time. Every field is
// required: a waiver that nobody owns, or that never ends, excuses nothing.
type Waiver struct {
	Suite   string `json:"suite"` // pattern
	Case    string `json:"case"`  // pattern
	Reason  string `json:"reason"`
	Owner   string `json:"owner"`
	Issue   string `json:"issue"`
	Expires Date   `json:"expires"` // the last day on which it excuses
}

// DefaultPolicy tolerates nothing and excuses nothing.
func DefaultPolicy() Policy { return Policy{Name: "default"} }

// Hash names the policy by its content: two of one name need not be the same.
// The day that it is measured against is no part of it.
func (p Policy) Hash() string {
	data, err := json.Marshal(p)
	if err != nil {
		return "" // impossible: texts and numbers; and an empty hash is no hash
	}
	sum := sha256.Sum256(data)
	return "sha256:" + hex.EncodeToString(sum[:])
}

// flakes is how many flaky cases of a suite are tolerated.
func (p Policy) flakes(suite string) int {
	limit, own := p.FlakesTolerated, false
	for _, l := range p.FlakeLimits {
		if matches(l.Suite, suite) && (!own || l.Tolerated < limit) {
			limit, own = l.Tolerated, true
		}
	}
	return max(0, limit)
}

// informs says why what a case finds does not decide; it is empty where it
// does.
func (p Policy) informs(suite, name string) string {
	only := func(rules []CaseRule) bool {
		return slices.ContainsFunc(rules, func(r CaseRule) bool { return r.fits(suite, name) })
	}
	switch {
	case matchesAny(p.BlockingSuites, suite), only(p.BlockingCases):
		return ""
	case matchesAny(p.InformingSuites, suite):
		return "the suite only informs"
	case only(p.InformingCases):
		return "the case only informs"
	}
	return ""
}

// Date is a day of the calendar in UTC, written as 2006-01-02.
type Date struct{ day time.Time }

// NewDate is the day that contains t.
func NewDate(t time.Time) Date {
	y, m, d := t.UTC().Date()
	return Date{time.Date(y, m, d, 0, 0, 0, 0, time.UTC)}
}

// String writes the day; the zero Date is empty.
func (d Date) String() string {
	if d.day.IsZero() {
		return ""
	}
	return d.day.Format(time.DateOnly)
}

// MarshalText writes the day.
func (d Date) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// UnmarshalText reads a day.
func (d *Date) UnmarshalText(text []byte) error {
	if len(text) == 0 {
		*d = Date{}
		return nil
	}
	day, err := time.Parse(time.DateOnly, string(text))
	if err != nil {
		return fmt.Errorf("parsing date: %w", err)
	}
	*d = Date{day}
	return nil
}

// excusesOn says whether a waiver is in force on a day; if not, code and why
// say what is wrong with it.
func (w Waiver) excusesOn(asOf time.Time) (code, why string) {
	for _, field := range []struct{ name, value string }{
		{"suite", w.Suite}, {"case", w.Case}, {"reason", w.Reason},
		{"owner", w.Owner}, {"issue", w.Issue}, {"expires", w.Expires.String()},
	} {
		if strings.TrimSpace(field.value) == "" {
			return NoteWaiverInvalid, "it has no " + field.name
		}
	}
	if asOf.IsZero() {
		return NoteWaiverInvalid, "no day was given to measure it against"
	}
	if NewDate(asOf).day.After(w.Expires.day) {
		return NoteWaiverExpired, "it expired on " + w.Expires.String()
	}
	return "", ""
}

func (w Waiver) rule() CaseRule { return CaseRule{w.Suite, w.Case} }

func (w Waiver) String() string {
	return fmt.Sprintf("waiver of %q in suite %q (%s, %s, until %s): %s",
		w.Case, w.Suite, w.Owner, w.Issue, w.Expires, w.Reason)
}

// matches reports whether a whole name fits a pattern.
func matches(pattern, name string) bool {
	if pattern == "" {
		return false
	}
	parts := strings.Split(pattern, "*")
	rest, ok := strings.CutPrefix(name, parts[0])
	if !ok || len(parts) == 1 {
		return ok && rest == ""
	}
	last := parts[len(parts)-1]
	for _, part := range parts[1 : len(parts)-1] {
		i := strings.Index(rest, part)
		if i < 0 {
			return false
		}
		rest = rest[i+len(part):]
	}
	return strings.HasSuffix(rest, last)
}

func matchesAny(patterns []string, name string) bool {
	for _, p := range patterns {
		if matches(p, name) {
			return true
		}
	}
	return false
}

// excuses applies a policy to cases and remembers what each waiver did.
type excuses struct {
	policy Policy
	used   []bool // for each waiver: it excused a case
	passed []int  // for each waiver: cases it fits that passed without it
}

func newExcuses(p Policy) *excuses {
	return &excuses{policy: p, used: make([]bool, len(p.Waivers)), passed: make([]int, len(p.Waivers))}
}

// steady records that a case passed at once, so that waivers of it show as no
// longer needed.
func (x *excuses) steady(suite, name string) {
	for i, w := range x.policy.Waivers {
		if w.rule().fits(suite, name) {
			x.passed[i]++
		}
	}
}

// excuse says why a case that failed, could not tell or was flaky does not
// decide; the answer is empty if nothing excuses it.
func (x *excuses) excuse(suite, name string) string {
	why := ""
	for i, w := range x.policy.Waivers {
		if !w.rule().fits(suite, name) {
			continue
		}
		if code, _ := w.excusesOn(x.policy.AsOf); code == "" {
			x.used[i] = true
			why = cmp.Or(why, w.String())
		}
	}
	return cmp.Or(why, x.policy.informs(suite, name))
}

// unneeded notes the waivers that did nothing, once all cases were seen.
func (x *excuses) unneeded() []finding {
	var found []finding
	note := func(code string, w Waiver, format string, args ...any) {
		text := w.String() + "; " + fmt.Sprintf(format, args...)
		found = append(found, finding{informs, Reason{Code: code, Text: text}})
	}
	for i, w := range x.policy.Waivers {
		code, why := w.excusesOn(x.policy.AsOf)
		switch {
		case code != "":
			note(code, w, "it excuses nothing: %s", why)
		case x.used[i]:
		case x.passed[i] > 0:
			note(NoteWaiverPassing, w, "remove it: the %d cases it fits pass", x.passed[i])
		default:
			note(NoteWaiverUnused, w, "it fits no case that failed or passed")
		}
	}
	return found
}
