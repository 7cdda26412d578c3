// Package result holds what a run learned and what follows from it: outcomes,
// cases, the append-only journal, the evidence folded from it, and the judge.
//
// It is a leaf: it knows no cluster, no clock, no environment and no network.
// The zero value of every type is the safe one, so that forgotten evidence
// can never read as success.
package result

import "fmt"

// Outcome is how one case ended.
type Outcome uint8

// The outcomes. NotRun is zero on purpose: what nobody filled in did not run.
const (
	NotRun Outcome = iota // no evidence that the case ran to an end
	Pass                  // ran, and held
	Fail                  // ran, and the product did not hold
	Error                 // could not tell: our fault or the infrastructure's
	Skip                  // left out by plan or by the case itself
)

var outcomeNames = [...]string{"notRun", "pass", "fail", "error", "skip"}

// String returns the outcome's name as it stands in journals and reports.
func (o Outcome) String() string { return nameOf(outcomeNames[:], uint8(o)) }

// MarshalText writes the outcome's name.
func (o Outcome) MarshalText() ([]byte, error) { return marshalName(outcomeNames[:], uint8(o)) }

// UnmarshalText reads an outcome's name; an unknown name is an error.
func (o *Outcome) UnmarshalText(text []byte) error {
	n, err := parseName(outcomeNames[:], "outcome", string(text))
	*o = Outcome(n)
	return err
}

// Verdict is the answer for a suite, a cell or a whole run.
type Verdict uint8

// The verdicts. Inconclusive is zero on purpose: no evidence, no green.
const (
	Inconclusive Verdict = iota // evidence is missing, contradictory or not about this release
	Qualified                   // every required case has complete, positive evidence
	NotQualified                // the release failed
)

var verdictNames = [...]string{"Inconclusive", "Qualified", "NotQualified"}

// String returns the verdict's name as it stands in verdict.json.
func (v Verdict) String() string { return nameOf(verdictNames[:], uint8(v)) }

// MarshalText writes the verdict's name.
func (v Verdict) MarshalText() ([]byte, error) { return marshalName(verdictNames[:], uint8(v)) }

// UnmarshalText reads a verdict's name; an unknown name is an error.
func (v *Verdict) UnmarshalText(text []byte) error {
	n, err := parseName(verdictNames[:], "verdict", string(text))
	*v = Verdict(n)
	return err
}

// ExitCode maps a verdict to the process exit code of the published table.
func (v Verdict) ExitCode() int {
	switch v {
	case Qualified:
		return 0
	case NotQualified:
		return 1
	default:
		return 3
	}
}

func nameOf(names []string, n uint8) string {
	if int(n) < len(names) {
		return names[n]
	}
	return fmt.Sprintf("invalid(%d)", n)
}

func marshalName(names []string, n uint8) ([]byte, error) {
	if int(n) >= len(names) {
		return nil, fmt.Errorf("value %d has no name", n)
	}
	return []byte(names[n]), nil
}

func parseName(names []string, what, text string) (uint8, error) {
	for i, name := range names {
		if name == text {
			return uint8(i), nil
		}
	}
	return 0, fmt.Errorf("unknown %s %q", what, text)
}
