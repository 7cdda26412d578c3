package report

import (
	"fmt"
	"slices"
	"strings"

	"github.com/qualify-dev/qualify/internal/result"
)

// steps makes cases out of the runner's own work, so that a cell that never
// got to its tests still has rows that are red. Their names are stable: CI
// systems keep history by name.
func (c *cellFold) steps() []Case {
	steps := []Case{c.provisionStep()}
	for _, name := range c.phaseNames() {
		steps = append(steps, c.phaseStep(name))
	}
	steps = append(steps, c.identityStep("before"), c.identityStep("after"))
	for _, s := range c.cell.Suites {
		steps = append(steps, suiteStep(s, c.cell.Faults))
	}
	if s, ok := c.otherFaults(); ok {
		steps = append(steps, s)
	}
	if s, ok := c.cleanupStep(); ok {
		steps = append(steps, s)
	}
	return append(steps, c.verdictStep())
}

// step decides a step by its attempts. Unlike with cases a later success
// never clears the release's failure: a cluster that came up only the second
// time has shown that the release can fail to come up.
func step(name string, attempts []Attempt) Case {
	for i := range attempts {
		attempts[i].Number = i + 1
	}
	c := settle(attempts, 0)
	c.Name = name
	if slices.ContainsFunc(attempts, func(a Attempt) bool { return a.Outcome == result.Fail }) {
		c.Outcome, c.Flaky = result.Fail, false
	}
	return c
}

func faultAttempt(f Fault) Attempt {
	o := result.Error
	if f.Product {
		o = result.Fail
	}
	return Attempt{Outcome: o, Message: f.Text, Log: f.Log}
}

func missing(text string) Attempt { return Attempt{Outcome: result.NotRun, Message: text} }

func (c *cellFold) provisionStep() Case {
	var attempts []Attempt
	for _, f := range c.cell.Faults {
		if f.Early {
			attempts = append(attempts, faultAttempt(f))
		}
	}
	switch {
	case c.isUp:
		a := Attempt{Outcome: result.Pass}
		if !c.leased.IsZero() && c.up.After(c.leased) {
			a.Seconds = c.up.Sub(c.leased).Seconds()
		}
		attempts = append(attempts, a)
	case len(attempts) == 0:
		attempts = append(attempts, missing(notRunMessage+" that a cluster came up"))
	}
	return step("provision", attempts)
}

func (c *cellFold) phaseNames() []string {
	var names []string
	for _, p := range c.cell.Phases {
		if !slices.Contains(names, p.Name) {
			names = append(names, p.Name)
		}
	}
	return names
}

// phaseStep joins all entries of a phase: a phase that is entered again after
// a retry or a resume is another attempt at the same step.
func (c *cellFold) phaseStep(name string) Case {
	var faults, attempts []Attempt
	for _, f := range c.cell.Faults {
		if f.Phase == name {
			faults = append(faults, faultAttempt(f))
		}
	}
	for _, p := range c.cell.Phases {
		if p.Name != name {
			continue
		}
		a := Attempt{Outcome: result.Pass}
		switch {
		case len(faults) > 0: // faults belong to the earliest entries
			a, faults = faults[0], faults[1:]
		case !p.Ended:
			a = missing("phase " + name + " was entered; " + noEvidence + " that it ended")
		}
		a.Seconds = p.Seconds
		attempts = append(attempts, a)
	}
	return step("phase "+name, append(attempts, faults...))
}

// identityStep asks for a comparison on the last lease. What ran as something
// else on any lease stays so.
func (c *cellFold) identityStep(stage string) Case {
	var attempts []Attempt
	mismatched := false
	for _, i := range c.cell.Identity {
		if i.Stage != stage {
			continue
		}
		a := Attempt{Lease: i.Lease, Number: len(attempts) + 1, Outcome: result.Pass}
		switch {
		case len(i.Mismatched) > 0:
			mismatched = true
			a.Outcome, a.Log = result.Error, strings.Join(i.Mismatched, "\n")
			a.Message = fmt.Sprintf("%d of %d running parts are not the release's: %s", len(i.Mismatched), len(i.Checked), i.Mismatched[0])
		case len(i.Checked) == 0:
			a.Outcome, a.Message = result.Error, "nothing was compared"
		}
		attempts = append(attempts, a)
	}
	s := settle(attempts, len(c.cell.Leases))
	s.Name = "identity " + stage + " the suites"
	if mismatched {
		s.Outcome, s.Flaky = result.Error, false
	}
	return s
}

// suiteStep says whether a suite ran to its end; how its cases ended is said
// by the cases.
func suiteStep(s Suite, faults []Fault) Case {
	var attempts []Attempt
	for _, f := range faults {
		if f.Suite == s.Name && f.Phase == "" {
			attempts = append(attempts, faultAttempt(f))
		}
	}
	switch {
	case !s.Started:
		attempts = append(attempts, missing("not run: "+noEvidence+" that the suite was started"))
	case !s.Ended:
		attempts = append(attempts, missing("the suite was started; "+noEvidence+" that it ended"))
	case s.EndText != "":
		attempts = append(attempts, Attempt{Outcome: result.Error, Message: s.EndText})
	default:
		attempts = append(attempts, Attempt{Outcome: result.Pass})
	}
	return step("suite "+s.Name+" ran to its end", attempts)
}

// otherFaults gathers the faults that no other step shows.
func (c *cellFold) otherFaults() (Case, bool) {
	var attempts []Attempt
	for _, f := range c.cell.Faults {
		if !f.Early && f.Phase == "" && f.Suite == "" {
			attempts = append(attempts, faultAttempt(f))
		}
	}
	return step("run", attempts), len(attempts) > 0
}

func (c *cellFold) cleanupStep() (Case, bool) {
	if len(c.cell.Leases) == 0 && len(c.cell.Leftovers) == 0 {
		return Case{}, false
	}
	a := Attempt{Outcome: result.Pass}
	for _, l := range c.cell.Leases {
		if l.Kept {
			a = Attempt{Outcome: result.Skip, Message: "resources of " + l.Name + " were kept as asked"}
		}
	}
	if n := len(c.cell.Leftovers); n > 0 {
		a = Attempt{Outcome: result.Error, Message: plural(n, "resource") + " not proven gone", Log: strings.Join(c.cell.Leftovers, "\n")}
	}
	return step("clean up", []Attempt{a}), true
}

// verdictStep makes sure that a cell that is not qualified is never green,
// whatever its other rows say.
func (c *cellFold) verdictStep() Case {
	a := missing(noEvidence + " of a verdict on this cell")
	if c.cell.hasVerdict {
		texts := make([]string, 0, len(c.cell.Reasons))
		for _, r := range c.cell.Reasons {
			texts = append(texts, r.Text)
		}
		a = Attempt{Outcome: verdictOutcome(c.cell.Verdict), Message: VerdictText(c.cell.Verdict), Log: strings.Join(texts, "\n")}
		if len(texts) > 0 {
			a.Message += ": " + texts[0]
		}
	}
	return step("verdict", []Attempt{a})
}

func verdictOutcome(v result.Verdict) result.Outcome {
	switch v {
	case result.Qualified:
		return result.Pass
	case result.NotQualified:
		return result.Fail
	default:
		return result.Error
	}
}
