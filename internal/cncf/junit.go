package cncf

import (
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"

	"github.com/qualify-dev/qualify/internal/report"
	"github.com/qualify-dev/qualify/internal/result"
)

// junitFacts is what a junit_01.xml says.
type junitFacts struct {
	listed   int // testcases, those that did not run among them
	ran      map[string]int
	failed   []string
	seconds  float64           // of all that ran
	settings map[string]string // of the suite: Ginkgo 2 records how it was started
}

// readJUnit reads the file as strictly as the bot's own reader, which takes a
// character that XML forbids for damage.
func readJUnit(r io.Reader) (*junitFacts, error) {
	facts := &junitFacts{ran: map[string]int{}, settings: map[string]string{}}
	reader := report.JUnitReader{Exact: true, Case: facts.take, Property: facts.set}
	if err := reader.Read(r); err != nil {
		return nil, err
	}
	slices.Sort(facts.failed)
	return facts, nil
}

// set remembers a setting of the suite. There are some twenty.
func (f *junitFacts) set(name, value string) error {
	if len(f.settings) < 200 {
		f.settings[name] = value
	}
	return nil
}

// suiteNode is the name of a set-up or tear-down of the whole suite, which
// Ginkgo 2 lists among the tests.
var suiteNode = regexp.MustCompile(`^\[(?:(?:Synchronized)?(?:Before|After)Suite|Report(?:Before|After)Suite|DeferCleanup[^\]]*)\]`)

func (f *junitFacts) take(c report.JUnitCase) error {
	if f.listed++; f.listed > mostTests {
		return fmt.Errorf("more than %d testcases", mostTests)
	}
	if c.Outcome == result.Skip {
		return nil
	}
	name := plainName(c.Name)
	f.seconds += c.Seconds
	if c.Outcome != result.Pass {
		f.failed = append(f.failed, name)
	}
	if !suiteNode.MatchString(name) {
		f.ran[name]++
	}
	return nil
}

func (f *junitFacts) names() []string {
	names := make([]string, 0, len(f.ran))
	for name := range f.ran {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

func checkJUnitDamaged(s *submission) []breach {
	if s.junitErr == nil {
		return nil
	}
	return []breach{{got: short(s.junitErr.Error())}}
}

// checkTestsMissing finds what did not run; what ran and failed is a finding of
// its own.
func checkTestsMissing(s *submission) []breach {
	if s.junit == nil {
		return nil
	}
	var missing []string
	for _, name := range s.tests.names {
		if s.junit.ran[name] == 0 {
			missing = append(missing, name)
		}
	}
	if len(missing) == 0 {
		return nil
	}
	return []breach{{
		want: fmt.Sprintf("%d tests, each of which ran", len(s.tests.names)),
		got:  fmt.Sprintf("%d of them did not: %s", len(missing), few(missing)), tests: missing,
	}}
}

// checkTestsListed refuses where the whole list is not known: what is missing
// could not be seen.
func checkTestsListed(s *submission) []breach {
	if s.junit == nil || s.minor == 0 || s.tests.lacking == "" {
		return nil
	}
	return []breach{{got: fmt.Sprintf("%s; %d tests are known to be required", s.tests.lacking, len(s.tests.names))}}
}

func checkTestsFailed(s *submission) []breach {
	if s.junit == nil || len(s.junit.failed) == 0 {
		return nil
	}
	failed := slices.Compact(slices.Clone(s.junit.failed))
	return []breach{{got: fmt.Sprintf("%d failed or broke: %s", len(failed), few(failed)), tests: failed}}
}

func checkSuiteFailed(s *submission) []breach {
	if s.junit == nil {
		return nil
	}
	if why := s.junit.settings["SpecialSuiteFailureReason"]; why != "" {
		return []breach{{got: short(why)}}
	}
	if ok := s.junit.settings["SuiteSucceeded"]; ok != "" && ok != "true" {
		return []breach{{got: "SuiteSucceeded=" + short(ok)}}
	}
	return nil
}

// checkDryRun finds files of runs that ran nothing: Ginkgo calls each test of
// a dry run passed.
func checkDryRun(s *submission) []breach {
	switch {
	case s.junit == nil:
	case s.junit.settings["DryRun"] == "true":
		return []breach{{got: "DryRun=true"}}
	case len(s.junit.ran) > 0 && s.junit.seconds == 0:
		return []breach{{got: fmt.Sprintf("%d tests that took no time at all", len(s.junit.ran))}}
	}
	return nil
}

// checkTestsUnknown finds conformance tests that the minor does not have. It
// can only doubt: products are free to run tests of their own too.
func checkTestsUnknown(s *submission) []breach {
	if s.junit == nil || s.tests.lacking != "" {
		return nil
	}
	var unknown []string
	for _, name := range s.junit.names() {
		if _, known := slices.BinarySearch(s.tests.known, name); !known && strings.Contains(name, "[Conformance]") {
			unknown = append(unknown, name)
		}
	}
	if len(unknown) == 0 {
		return nil
	}
	return []breach{{weight: doubts, got: fmt.Sprintf("%d others: %s", len(unknown), few(unknown)), tests: unknown}}
}

func checkTestsRepeated(s *submission) []breach {
	if s.junit == nil {
		return nil
	}
	var repeated []string
	for _, name := range s.junit.names() {
		if s.junit.ran[name] > 1 {
			repeated = append(repeated, name)
		}
	}
	attempts := s.junit.settings["FlakeAttempts"]
	switch {
	case len(repeated) > 0:
		return []breach{{weight: doubts, got: fmt.Sprintf("%d ran more than once: %s", len(repeated), few(repeated)), tests: repeated}}
	case attempts != "" && attempts != "0" && attempts != "1":
		return []breach{{weight: doubts, got: "FlakeAttempts=" + short(attempts)}}
	case s.log != nil && s.log.flaked:
		return []breach{{weight: doubts, got: LogFile + " tells of tests that passed after they had failed"}}
	}
	return nil
}

// conformanceFocus is what certified runs select their tests with.
const conformanceFocus = `\[Conformance\]`

// checkFocus only doubts: what a narrow focus left out is missing, and said
// so, and a wide one does no harm.
func checkFocus(s *submission) []breach {
	if s.junit == nil {
		return nil
	}
	for _, name := range []string{"LabelFilter", "SemVerFilter", "FocusFiles"} {
		if value := s.junit.settings[name]; value != "" {
			return []breach{{weight: doubts, got: name + "=" + short(value)}}
		}
	}
	if focus, said := s.junit.settings["FocusStrings"]; said && focus != conformanceFocus {
		return []breach{{weight: doubts, got: "FocusStrings=" + short(focus)}}
	}
	return nil
}

var readmeSkip = regexp.MustCompile(`(?:E2E_SKIP|--e2e-skip)[=: ]+\s*(?:"([^"]*)"|'([^']*)'|([^\s"'#]+))`)

func checkSkip(s *submission) []breach {
	var all []breach
	if s.junit != nil {
		for _, name := range []string{"SkipStrings", "SkipFiles"} {
			if value := s.junit.settings[name]; value != "" {
				all = append(all, breach{got: fmt.Sprintf("%s: %s=%s", JUnitFile, name, short(value))})
			}
		}
	}
	if s.log != nil && s.log.skip != "" {
		all = append(all, breach{got: LogFile + ": " + short(s.log.skip)})
	}
	for _, m := range readmeSkip.FindAllStringSubmatch(s.readme, -1) {
		if m[1]+m[2]+m[3] != "" {
			all = append(all, breach{got: ReadmeFile + ": " + short(m[0])})
		}
	}
	return all
}
