package cncf

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/qualify-dev/qualify/internal/report"
	"github.com/qualify-dev/qualify/internal/result"
)

// Ran is what the two files of a run of chosen tests say, as evidence.
type Ran struct {
	// Cases are those of the chosen tests about which both files agree.
	Cases []result.Case
	// Broken is why the files do not stand for one whole run of exactly the
	// chosen tests; empty if they do.
	Broken []string
}

// ReadRun reads the files that a run of our own has left, of the given
// Kubernetes version. An error means that one of them is no such file.
func ReadRun(junit, log io.Reader, chosen []string, kubernetes string) (Ran, error) {
	minor, err := minorOf(kubernetes)
	if err != nil {
		return Ran{}, err
	}
	tests := expectation{spelled: map[string]string{}}
	for _, name := range chosen {
		tests.spelled[plainName(name)] = name
	}
	for name := range tests.spelled {
		tests.names = append(tests.names, name)
	}
	slices.Sort(tests.names)
	c := &collector{facts: junitFacts{ran: map[string]int{}, settings: map[string]string{}}, tests: tests, attempts: map[string]int{}}
	reader := report.JUnitReader{Case: c.take, Property: c.facts.set}
	if err := reader.Read(junit); err != nil {
		return Ran{}, err
	}
	slices.Sort(c.facts.failed)
	text := &textReader{in: io.LimitReader(log, mostEvidence+1)}
	facts := readLog(text)
	if text.fault != nil {
		return Ran{}, fmt.Errorf("reading log: %w", text.fault)
	}
	s := &submission{minor: minor, release: minorName(minor), junit: &c.facts, log: facts, tests: tests}
	return c.run(s), nil
}

// run compares the files with each other and with what was chosen.
func (c *collector) run(s *submission) Ran {
	var r Ran
	broken := func(format string, args ...any) { r.Broken = append(r.Broken, fmt.Sprintf(format, args...)) }
	doubted := map[string]bool{}
	for _, odd := range c.contradictions(s) {
		doubted[odd.Name] = true
	}
	count := map[string]int{}
	for _, found := range c.cases {
		count[found.Name]++
	}
	var missing, others, twice []string
	for _, name := range s.tests.names {
		if count[s.tests.spelled[name]] == 0 {
			missing = append(missing, name)
		}
	}
	for _, found := range c.cases {
		_, wanted := s.tests.spelled[plainName(found.Name)]
		switch {
		case !wanted:
			others = append(others, found.Name)
		case count[found.Name] > 1:
			twice = append(twice, found.Name)
		case !doubted[found.Name]:
			r.Cases = append(r.Cases, found)
		}
	}
	if len(missing) > 0 {
		broken("%s says nothing of %d of %d tests: %s", JUnitFile, len(missing), len(s.tests.names), few(missing))
	}
	if len(others) > 0 {
		broken("%d tests ran that nobody asked for: %s", len(others), few(others))
	}
	if len(twice) > 0 {
		broken("%s has tests twice: %s", JUnitFile, few(slices.Compact(twice)))
	}
	c.whole(s, broken)
	return r
}

// whole looks at what the files say of the run as a whole.
func (c *collector) whole(s *submission, broken func(string, ...any)) {
	failed := false // a test did; then the suite did too
	for _, found := range c.cases {
		failed = failed || found.Outcome != result.Pass && found.Outcome != result.Skip
		if found.Outcome == result.Skip && s.log.willRun > 0 {
			s.log.willRun-- // it was chosen, and skipped itself
		}
	}
	for _, name := range s.junit.failed {
		if suiteNode.MatchString(name) {
			broken("%s failed, which is of the whole suite", name)
		}
	}
	checks := []func(*submission) []breach{checkDryRun, checkLogEnd, checkLogSums, checkSameTests, checkSameRun, checkOneRun, checkTestsRepeated}
	if failed {
		if !s.log.broke || s.log.passed || len(s.log.ends) == 1 && s.log.ends[0].success {
			broken("%s has failed tests, and %s does not say that the suite failed", JUnitFile, LogFile)
		}
	} else {
		checks = append(checks, checkSuiteFailed)
		for _, end := range s.log.ends {
			if end.failed > 0 || end.passed >= 0 && !end.success { // pending ones are not of the chosen
				broken("%s says that %d tests passed and %d failed", LogFile, end.passed, end.failed)
			}
		}
		if !s.log.passed || s.log.broke {
			broken("%s does not say that the suite passed", LogFile)
		}
	}
	for _, check := range checks {
		for _, b := range check(s) {
			broken("%s", strings.TrimPrefix(strings.TrimPrefix(fmt.Sprintf("wanted %s, found %s", b.want, b.got), "wanted , "), "found "))
		}
	}
	for _, b := range checkLogVersion(s) {
		if b.weight == refuses {
			broken("%s is of %s, not %s", LogFile, b.got, b.want)
		}
	}
}
