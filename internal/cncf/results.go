package cncf

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/qualify-dev/qualify/internal/report"
	"github.com/qualify-dev/qualify/internal/result"
)

// Results are what the JUnit file and the log of a conformance run say, as
// evidence: for runs that somebody else made.
type Results struct {
	// Expected are the tests that the release requires, and those that ran
	// beside them.
	Expected []string
	// Cases are the tests that ran, or were expected and skipped. Where the two
	// files disagree about one, it is there twice with the same attempt, which no
	// honest run records.
	Cases []result.Case
	// Broken is why the files do not stand for a whole run; empty if they do.
	Broken string
	Notes  []string
}

// The bounds of what is kept of a test's output.
const (
	mostMessage = 4 << 10
	mostExcerpt = 16 << 10
)

// ReadResults reads the two files of a run of the given Kubernetes version.
// An error means that one of them is no such file.
func ReadResults(junit, log io.Reader, kubernetes string) (Results, error) {
	minor, err := minorOf(kubernetes)
	if err != nil {
		return Results{}, err
	}
	c := &collector{
		facts: junitFacts{ran: map[string]int{}, settings: map[string]string{}},
		tests: expect(minor, nil), attempts: map[string]int{},
	}
	reader := report.JUnitReader{Case: c.take, Property: c.facts.set}
	if err := reader.Read(junit); err != nil {
		return Results{}, err
	}
	if len(c.facts.ran) == 0 {
		return Results{}, fmt.Errorf("reading junit: no test ran in it")
	}
	slices.Sort(c.facts.failed)
	text := &textReader{in: io.LimitReader(log, mostEvidence+1)}
	facts := readLog(text)
	if text.fault != nil {
		return Results{}, fmt.Errorf("reading log: %w", text.fault)
	}
	if problem := text.problem(); problem != "" {
		return Results{}, fmt.Errorf("reading log: %s", problem)
	}
	return c.results(&submission{minor: minor, release: minorName(minor), junit: &c.facts, log: facts, tests: c.tests}), nil
}

// collector turns testcases into cases.
type collector struct {
	facts    junitFacts
	tests    expectation
	attempts map[string]int
	cases    []result.Case
}

// spelled is a test's name as native runs have it, so that both can be compared.
func (c *collector) spelled(name string) string { return cmp.Or(c.tests.spelled[name], name) }

func (c *collector) take(j report.JUnitCase) error {
	if err := c.facts.take(j); err != nil {
		return err
	}
	name := plainName(j.Name)
	_, expected := slices.BinarySearch(c.tests.names, name)
	if j.Outcome == result.Skip && !expected || suiteNode.MatchString(name) {
		return nil // not chosen; or no test, of which the suite's end tells
	}
	c.attempts[name]++
	r := result.Case{Name: c.spelled(name), Outcome: j.Outcome, Attempt: c.attempts[name], Seconds: j.Seconds}
	if j.Outcome != result.Pass {
		r.Message, r.Log = head(cmp.Or(strings.TrimSpace(j.Message), j.Outcome.String()), mostMessage), head(j.Log, mostExcerpt)
	}
	c.cases = append(c.cases, r)
	return nil
}

// head keeps the beginning of a text.
func head(text string, most int) string {
	if len(text) <= most {
		return text
	}
	return strings.ToValidUTF8(text[:most], "") + "…"
}

func (c *collector) results(s *submission) Results {
	r := Results{Cases: append(c.cases, c.contradictions(s)...)}
	for _, name := range slices.Concat(c.tests.names, s.junit.names()) {
		r.Expected = append(r.Expected, c.spelled(name))
	}
	slices.Sort(r.Expected)
	r.Expected = slices.Compact(r.Expected)
	var broken []string
	for _, rule := range slices.Concat(testRules(), logRules()) {
		for _, b := range rule.check(s) {
			text := fmt.Sprintf("%s: wanted %s, found %s", rule.id, cmp.Or(b.want, rule.want), b.got)
			switch {
			case slices.Contains(ofTheCases, rule.id), rule.id == sameTests && len(s.log.ran) > 0:
			case b.weight == refuses, rule.id == sameTests, rule.id == sameRun:
				broken = append(broken, text)
			default:
				r.Notes = append(r.Notes, text)
			}
		}
	}
	r.Broken = strings.Join(broken, "; ")
	return r
}

// The rules whose findings the cases themselves show, and those that compare
// the two files.
var ofTheCases = []string{"junit-tests-missing", "junit-tests-failed"}

const (
	sameTests = "log-and-junit-differ"
	sameRun   = "log-of-another-run"
)

// contradictions are what the log says otherwise than the JUnit file, where it
// lists the tests.
func (c *collector) contradictions(s *submission) []result.Case {
	if len(s.log.ran) == 0 {
		return nil
	}
	said := map[string]bool{}
	var all []result.Case
	for name, passed := range s.log.ran {
		known := s.knownName(name)
		said[known] = true
		if c.facts.ran[known] == 0 {
			all = append(all,
				result.Case{Name: c.spelled(known), Outcome: result.NotRun, Attempt: 1, Message: JUnitFile + " does not say that it ran"},
				c.fromLog(known, passed, 1))
			continue
		}
		if _, failed := slices.BinarySearch(c.facts.failed, known); failed == passed {
			all = append(all, c.fromLog(known, passed, c.attempts[known]))
		}
	}
	for name := range c.facts.ran {
		if !said[name] {
			all = append(all, result.Case{Name: c.spelled(name), Outcome: result.NotRun, Attempt: c.attempts[name], Message: LogFile + " does not list it"})
		}
	}
	slices.SortStableFunc(all, func(a, b result.Case) int { return strings.Compare(a.Name, b.Name) })
	return all
}

func (c *collector) fromLog(name string, passed bool, attempt int) result.Case {
	if passed {
		return result.Case{Name: c.spelled(name), Outcome: result.Pass, Attempt: attempt}
	}
	return result.Case{Name: c.spelled(name), Outcome: result.Fail, Attempt: attempt, Message: LogFile + " says that it failed"}
}
