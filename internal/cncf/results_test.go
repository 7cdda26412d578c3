package cncf

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/qualify-dev/qualify/internal/result"
)

// results reads a sample as the results of a vendor.
func (b *sample) results(t *testing.T, version string) Results {
	t.Helper()
	r, err := ReadResults(strings.NewReader(b.text(JUnitFile)), strings.NewReader(b.text(LogFile)), version)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// of lists what is recorded of a case: outcome and attempt.
func (r Results) of(name string) []string {
	var all []string
	for _, c := range r.Cases {
		if c.Name == name {
			all = append(all, fmt.Sprintf("%s %d", c.Outcome, c.Attempt))
		}
	}
	return all
}

func TestReadResults(t *testing.T) {
	for _, c := range []struct {
		minor int
		shape shape
	}{{24, first}, {28, terse}, {34, verbose}} {
		r := newSample(t, c.minor, c.shape).results(t, fmt.Sprintf("v1.%d.2", c.minor))
		if len(r.Expected) != len(expect(c.minor, nil).names) || len(r.Cases) != len(r.Expected) || r.Broken != "" || len(r.Notes) > 0 {
			t.Errorf("v1.%d: %d expected, %d cases, broken %q, notes %q", c.minor, len(r.Expected), len(r.Cases), r.Broken, r.Notes)
		}
		for _, got := range r.Cases {
			if got.Outcome != result.Pass || got.Attempt != 1 || got.Seconds != 2 || !slices.Contains(r.Expected, got.Name) {
				t.Errorf("v1.%d: %+v", c.minor, got)
			}
		}
	}
}

// Native runs had two blanks in some names, and history compares by name.
func TestResultsAreSpelledAsGinkgoDoes(t *testing.T) {
	b := newSample(t, 28, verbose)
	double := 0
	for _, c := range b.results(t, "v1.28.2").Cases {
		if strings.Contains(c.Name, "  ") {
			double++
		}
	}
	if double < 30 {
		t.Errorf("%d names have two blanks", double)
	}
}

func TestResultsOfFilesThatAreNotWhole(t *testing.T) {
	one := expect(28, nil).names[0]
	for name, c := range map[string]struct {
		spoil  func(*testing.T, *sample)
		of     string
		want   []string
		broken string // part of it
		note   string
	}{
		"a failure": {outcome("failed", `<failure message="m">x</failure>`, map[string]int{"failures": 1}), one, []string{"fail 1"}, "", ""},
		"a panic":   {outcome("panicked", `<error message="m">x</error>`, map[string]int{"errors": 1}), one, []string{"error 1"}, "", ""},
		"a skip":    {outcome("skipped", `<skipped message="skipped"></skipped>`, map[string]int{"skipped": 1}), one, []string{"skip 1"}, "log-and-junit-differ", ""},
		"a failure before the pass": {func(t *testing.T, b *sample) {
			b.rewrite(t, JUnitFile, firstTest, `${1}failed${2}3"><failure></failure></testcase>${1}passed${2}3">`)
			b.count(t, "failures", 1)
			b.count(t, "tests", 1)
		}, one, []string{"fail 1", "pass 2"}, "", "tests-repeated"},
		"another seed":    {inLog("1756716000", "17"), one, []string{"pass 1"}, "log-of-another-run", ""},
		"a log cut off":   {inLog(`(?s)\n[^\n]*Ran [0-9]+ of .*`, "\n"), one, []string{"pass 1"}, "log-incomplete", ""},
		"a failed log":    {inLog("SUCCESS!", "FAIL!"), one, []string{"pass 1"}, "log-failed", ""},
		"a dry run":       {setting("DryRun", "true"), one, []string{"pass 1"}, "dry-run", ""},
		"a skip of tests": {setting("SkipStrings", "x"), one, []string{"pass 1"}, "e2e-skip-used", ""},
		"another release": {inLog(`version: v1\.28`, "version: v1.27"), one, []string{"pass 1"}, "log-version", ""},
		"no version":      {inLog(`(?m)^.*e2e test version.*\n.*\n`, ""), one, []string{"pass 1"}, "", "log-version"},
		"a test of its own": {func(t *testing.T, b *sample) {
			b.rewrite(t, JUnitFile, `(<testcase name="\[It\] )[^"]*(" classname="[^"]*" status="passed")`, "${1}[sig-z] own${2}")
		}, "[sig-z] own", []string{"pass 1"}, "", ""},
		"the suite failed": {setting("SuiteSucceeded", "false"), one, []string{"pass 1"}, "junit-suite-failed", ""},
	} {
		t.Run(name, func(t *testing.T) {
			b := newSample(t, 28, terse)
			c.spoil(t, b)
			r := b.results(t, "v1.28.2")
			if got := r.of(c.of); !slices.Equal(got, c.want) {
				t.Errorf("%q, want %q", got, c.want)
			}
			if !strings.Contains(r.Broken, c.broken) || c.broken == "" && r.Broken != "" {
				t.Errorf("broken %q, want %q", r.Broken, c.broken)
			}
			if all := strings.Join(r.Notes, "; "); !strings.Contains(all, c.note) || c.note == "" && all != "" && c.broken == "" {
				t.Errorf("notes %q, want %q", all, c.note)
			}
		})
	}
}

// Where the log lists the tests, what it says otherwise contradicts the JUnit
// file, case by case.
func TestContradictions(t *testing.T) {
	names := expect(34, nil).names
	for name, c := range map[string]struct {
		spoil func(*testing.T, *sample)
		of    string
		want  []string
	}{
		"failed in the log":  {inLog(`(test/e2e/x\.go:1\n.*\n.*\n.*\n)•`, "${1}• [FAILED]"), names[0], []string{"pass 1", "fail 1"}},
		"not in the log":     {inLog(`(?s)-{30}\n[^\n]*\ntest/e2e/x\.go:1\n.*?• \[2\.000 seconds\]\n`, ""), names[0], []string{"pass 1", "notRun 1"}},
		"only in the log":    {inLog(`(?m)^-{30}\n`, strings.Repeat("-", 30)+"\n[sig-z] other [Conformance]\nx.go:1\n• [1.0 seconds]\n"+strings.Repeat("-", 30)+"\n"), "[sig-z] other [Conformance]", []string{"notRun 1", "pass 1"}},
		"passed in the log":  {outcome("failed", `<failure message="m">x</failure>`, map[string]int{"failures": 1}), names[0], []string{"fail 1", "pass 1"}},
		"skipped but listed": {outcome("skipped", `<skipped></skipped>`, map[string]int{"skipped": 1}), names[0], []string{"skip 1", "notRun 1", "pass 1"}},
	} {
		t.Run(name, func(t *testing.T) {
			b := newSample(t, 34, verbose)
			c.spoil(t, b)
			r := b.results(t, "v1.34.4")
			if got := r.of(c.of); !slices.Equal(got, c.want) {
				t.Errorf("%q, want %q", got, c.want)
			}
			others := map[string]int{}
			for _, got := range r.Cases {
				others[got.Name]++
			}
			delete(others, c.of)
			for n, times := range others {
				if times != 1 {
					t.Errorf("%s is there %d times", n, times)
				}
			}
		})
	}
}

func TestReadResultsRefuses(t *testing.T) {
	good := newSample(t, 28, terse)
	for name, c := range map[string]struct{ junit, log, version, want string }{
		"no version":    {good.text(JUnitFile), good.text(LogFile), "several", "no Kubernetes version"},
		"no JUnit":      {"<html/>", good.text(LogFile), "v1.28.2", "reading junit"},
		"JUnit cut off": {good.text(JUnitFile)[:5000], good.text(LogFile), "v1.28.2", "reading junit"},
		"nothing ran":   {`<testsuite><testcase name="[BeforeSuite]"/></testsuite>`, good.text(LogFile), "v1.28.2", "no test ran"},
		"a binary log":  {good.text(JUnitFile), "a\nb\x00", "v1.28.2", "line 2 has a NUL byte"},
	} {
		if r, err := ReadResults(strings.NewReader(c.junit), strings.NewReader(c.log), c.version); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %d cases, %v", name, len(r.Cases), err)
		}
	}
	_, err := ReadResults(strings.NewReader(good.text(JUnitFile)), iotest.ErrReader(errDisk), "v1.28.2")
	if !errors.Is(err, errDisk) {
		t.Errorf("a disk that fails gives %v", err)
	}
}

// A release without a list is imported too: what is required is then not known.
func TestReadResultsOfAMinorWithoutList(t *testing.T) {
	b := newSample(t, 28, terse)
	b.put(LogFile, strings.ReplaceAll(b.text(LogFile), "v1.28.", "v1.30."))
	r := b.results(t, "v1.30.1")
	if len(r.Cases) != 380 || len(r.Expected) < 380 || !strings.Contains(r.Broken, "required-list-unknown") {
		t.Errorf("%d cases, %d expected, broken %q", len(r.Cases), len(r.Expected), r.Broken)
	}
}

func FuzzReadResults(f *testing.F) {
	f.Add(sampleJUnit([]string{"a [Conformance]"}, verbose), sampleLog([]string{"a [Conformance]"}, 28, verbose))
	f.Add(sampleJUnit([]string{"a"}, first), sampleLog([]string{"b"}, 24, first))
	f.Fuzz(func(t *testing.T, junit, log string) {
		r, err := ReadResults(strings.NewReader(junit), strings.NewReader(log), "v1.28.2")
		if err != nil {
			return
		}
		for _, c := range r.Cases {
			if c.Name == "" || c.Attempt < 1 {
				t.Errorf("%+v", c)
			}
		}
		if len(r.Expected) < 380 || len(r.Cases) == 0 {
			t.Errorf("%d expected, %d cases", len(r.Expected), len(r.Cases))
		}
	})
}
