package cncf

import (
	"fmt"
	"slices"
	"strings"
)

func checkLogEnd(s *submission) []breach {
	switch {
	case s.log == nil:
	case len(s.log.ends) == 0:
		return []breach{{got: `no line "Ran … of … Specs in … seconds"`}}
	case s.log.ends[len(s.log.ends)-1].passed < 0 && s.log.ends[len(s.log.ends)-1].failed < 0:
		return []breach{{got: "no line with the numbers of tests that passed and failed"}}
	}
	return nil
}

func checkLogFailed(s *submission) []breach {
	if s.log == nil {
		return nil
	}
	for _, end := range s.log.ends {
		if end.passed < 0 && end.failed < 0 {
			continue // it says nothing, which is another finding
		}
		if !end.success || end.failed != 0 || end.pending > 0 {
			return []breach{{got: fmt.Sprintf("%d passed, %d failed, %d pending", end.passed, end.failed, end.pending)}}
		}
	}
	if s.log.broke {
		return []breach{{got: "Test Suite Failed"}}
	}
	return nil
}

// checkLogSums leaves logs of failed runs alone: enough is said of them.
func checkLogSums(s *submission) []breach {
	if s.log == nil || len(checkLogFailed(s)) > 0 {
		return nil
	}
	var all []breach
	sum := 0
	for _, end := range s.log.ends {
		sum += end.ran
		if end.passed >= 0 && end.failed >= 0 && end.passed+end.failed != end.ran {
			all = append(all, breach{
				want: fmt.Sprintf("%d tests that passed or failed", end.ran), got: fmt.Sprintf("%d passed, %d failed", end.passed, end.failed),
			})
		}
	}
	if s.log.willRun >= 0 && len(s.log.ends) > 0 && s.log.willRun != sum {
		all = append(all, breach{want: fmt.Sprintf("the %d tests that were to run", s.log.willRun), got: fmt.Sprintf("%d ran", sum)})
	}
	if n := len(s.log.ran); n > 0 && len(s.log.ends) == 1 && n != sum {
		all = append(all, breach{want: fmt.Sprintf("a list of the %d tests that ran", sum), got: fmt.Sprintf("a list of %d", n)})
	}
	return all
}

// checkLogVersion only doubts where the log names no version: terse logs of
// Ginkgo 2 do not, and such submissions were accepted.
func checkLogVersion(s *submission) []breach {
	if s.log == nil || s.minor == 0 {
		return nil
	}
	want := s.release
	if len(s.log.versions) == 0 {
		return []breach{{weight: doubts, want: want, got: "no version"}}
	}
	var others []string
	for _, v := range s.log.versions {
		if minor, err := minorOf(v); err != nil || minor != s.minor {
			others = append(others, short(v))
		}
	}
	if len(others) == 0 {
		return nil
	}
	return []breach{{want: want, got: strings.Join(others, ", ")}}
}

// checkSameTests compares the lists. A terse log has no list; the numbers that
// it has do not prove which tests ran, so they only raise a doubt.
func checkSameTests(s *submission) []breach {
	if s.log == nil || s.junit == nil || len(s.log.ends) == 0 {
		return nil
	}
	if len(s.log.ran) > 0 {
		onlyLog, onlyJUnit := s.differing()
		if len(onlyLog)+len(onlyJUnit) == 0 {
			return nil
		}
		return []breach{{
			want:  fmt.Sprintf("the %d tests of %s", len(s.junit.ran), JUnitFile),
			got:   fmt.Sprintf("%d only in %s, %d only in %s: %s", len(onlyLog), LogFile, len(onlyJUnit), JUnitFile, few(slices.Concat(onlyLog, onlyJUnit))),
			tests: slices.Concat(onlyLog, onlyJUnit),
		}}
	}
	sum := 0
	for _, end := range s.log.ends {
		sum += end.ran
	}
	if sum == len(s.junit.ran) {
		return nil
	}
	return []breach{{
		weight: doubts,
		want:   fmt.Sprintf("the %d tests of %s", len(s.junit.ran), JUnitFile), got: fmt.Sprintf("%d tests, without their names", sum),
	}}
}

func checkSameRun(s *submission) []breach {
	if s.log == nil || s.junit == nil {
		return nil
	}
	junit := s.junit.settings["RandomSeed"]
	if junit == "" || s.log.seed == "" || junit == s.log.seed {
		return nil
	}
	return []breach{{weight: doubts, want: "RandomSeed " + short(junit), got: "Random Seed: " + short(s.log.seed)}}
}

func checkOneRun(s *submission) []breach {
	if s.log == nil || len(s.log.ends) < 2 {
		return nil
	}
	return []breach{{weight: doubts, got: fmt.Sprintf("%d runs", len(s.log.ends))}}
}
