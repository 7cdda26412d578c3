package cncf

import (
	"slices"
	"strings"
	"testing"

	"github.com/qualify-dev/qualify/internal/result"
)

// ran reads a sample as the files of a run of some tests.
func (b *sample) ran(t *testing.T, chosen []string) Ran {
	t.Helper()
	r, err := ReadRun(strings.NewReader(b.text(JUnitFile)), strings.NewReader(b.text(LogFile)), chosen, "v1.34.4")
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// chosen are the tests of a minor as plans spell them.
func chosen(minor int) []string {
	e := expect(minor, nil)
	var names []string
	for _, name := range e.names {
		names = append(names, e.spelled[name])
	}
	return names
}

func TestReadRun(t *testing.T) {
	names := chosen(34)
	for _, s := range []shape{verbose, terse} {
		r := newSample(t, 34, s).ran(t, names)
		if len(r.Cases) != len(names) || len(r.Broken) > 0 {
			t.Errorf("%d of %d cases, broken %q", len(r.Cases), len(names), r.Broken)
		}
		for _, c := range r.Cases {
			if c.Outcome != result.Pass || c.Attempt != 1 || !slices.Contains(names, c.Name) {
				t.Errorf("%+v", c)
			}
		}
	}
}

// Files that do not stand for one whole run of the chosen tests say so, and
// about what is in doubt there is no case.
func TestReadRunOfFilesThatAreNotWhole(t *testing.T) {
	names := chosen(34)
	failedLog := func(t *testing.T, b *sample) {
		b.rewrite(t, LogFile, `(test/e2e/x\.go:1\n.*\n.*\n.*\n)•`, "${1}• [FAILED]")
		b.rewrite(t, LogFile, `SUCCESS!`, "FAIL!")
		b.rewrite(t, LogFile, `m([0-9]+) Passed`, "m423 Passed")
		b.rewrite(t, LogFile, `m0 Failed`, "m1 Failed")
		b.rewrite(t, LogFile, `Test Suite Passed`, "Test Suite Failed")
	}
	failure := outcome("failed", `<failure message="m">x</failure>`, map[string]int{"failures": 1})
	both := func(t *testing.T, b *sample) {
		failure(t, b)
		failedLog(t, b)
	}
	for name, c := range map[string]struct {
		spoil  func(*testing.T, *sample)
		chosen []string
		cases  int
		broken string // part of it
	}{
		"a failure":                    {both, names, len(names), ""},
		"a failure that the log hides": {failure, names, len(names) - 1, "does not say that the suite failed"},
		"a failure of the log alone":   {failedLog, names, len(names) - 1, "says that 423 tests passed and 1 failed"},
		"a test that nobody chose":     {unspoiled, names[1:], len(names) - 1, "1 tests ran that nobody asked for: " + names[0]},
		"a test that is missing":       {unspoiled, append([]string{"[sig-z] other"}, names...), len(names), "says nothing of 1 of 425 tests: [sig-z] other"},
		"a test that was skipped": {
			func(t *testing.T, b *sample) {
				outcome("skipped", `<skipped message="skipped"></skipped>`, map[string]int{"skipped": 1})(t, b)
				b.rewrite(t, LogFile, `(test/e2e/x\.go:1\n.*\n.*\n.*\n)•.*`, "${1}S [SKIPPED] [1.0 seconds]")
				b.rewrite(t, LogFile, `m([0-9]+) Passed`, "m423 Passed")
				b.rewrite(t, LogFile, `Ran [0-9]+ of`, "Ran 423 of")
			}, names, len(names), "",
		},
		"a test twice": {func(t *testing.T, b *sample) {
			b.rewrite(t, JUnitFile, firstTest, `${1}failed${2}3"><failure></failure></testcase>${1}passed${2}3">`)
			b.count(t, "failures", 1)
			b.count(t, "tests", 1)
		}, names, len(names) - 1, "has tests twice"},
		"another seed":     {inLog("1756716000", "17"), names, len(names), "Random Seed: 17"},
		"a log cut off":    {inLog(`(?s)\n[^\n]*Ran [0-9]+ of .*`, "\n"), names, len(names), "does not say that the suite passed"},
		"a dry run":        {setting("DryRun", "true"), names, len(names), "DryRun=true"},
		"another release":  {inLog(`version: v1\.34`, "version: v1.33"), names, len(names), "is of v1.33.2, not v1.34"},
		"the suite failed": {setting("SuiteSucceeded", "false"), names, len(names), "SuiteSucceeded=false"},
		"its set-up failed": {func(t *testing.T, b *sample) {
			b.rewrite(t, JUnitFile, `(BeforeSuite\]" classname="[^"]*" )status="passed" time="0.1">`, `${1}status="failed" time="0.1"><failure>x</failure>`)
			b.count(t, "failures", 1)
		}, names, len(names), "BeforeSuite] failed, which is of the whole suite"},
		"it was repeated": {setting("FlakeAttempts", "3"), names, len(names), "FlakeAttempts=3"},
	} {
		t.Run(name, func(t *testing.T) {
			b := newSample(t, 34, verbose)
			c.spoil(t, b)
			r := b.ran(t, c.chosen)
			all := strings.Join(r.Broken, "; ")
			if len(r.Cases) != c.cases || !strings.Contains(all, c.broken) || c.broken == "" && all != "" {
				t.Errorf("%d cases, broken %q; want %d, %q", len(r.Cases), all, c.cases, c.broken)
			}
			seen := map[string]bool{}
			for _, found := range r.Cases {
				if seen[found.Name] {
					t.Errorf("%s is there twice", found.Name)
				}
				seen[found.Name] = true
			}
		})
	}
}

func unspoiled(*testing.T, *sample) {}

func TestReadRunRefuses(t *testing.T) {
	good := newSample(t, 34, terse)
	for name, c := range map[string]struct{ junit, log, version, want string }{
		"no version":    {good.text(JUnitFile), good.text(LogFile), "several", "no Kubernetes version"},
		"no JUnit":      {"<html/>", good.text(LogFile), "v1.34.4", "reading junit"},
		"JUnit cut off": {good.text(JUnitFile)[:5000], good.text(LogFile), "v1.34.4", "reading junit"},
	} {
		if r, err := ReadRun(strings.NewReader(c.junit), strings.NewReader(c.log), chosen(34), c.version); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %d cases, %v", name, len(r.Cases), err)
		}
	}
}

// Whatever the files are, a case is one of the chosen tests, and there once.
func FuzzReadRun(f *testing.F) {
	f.Add(sampleJUnit([]string{"a [Conformance]"}, verbose), sampleLog([]string{"a [Conformance]"}, 34, verbose))
	f.Add(sampleJUnit([]string{"a [Conformance]", "b"}, terse), sampleLog([]string{"b"}, 34, terse))
	f.Fuzz(func(t *testing.T, junit, log string) {
		r, err := ReadRun(strings.NewReader(junit), strings.NewReader(log), []string{"a [Conformance]", "b"}, "v1.34.4")
		if err != nil {
			return
		}
		seen := map[string]bool{}
		for _, c := range r.Cases {
			if c.Name != "a [Conformance]" && c.Name != "b" || seen[c.Name] {
				t.Errorf("%+v of %+v", c, r.Cases)
			}
			seen[c.Name] = true
		}
		if len(seen) < 2 && len(r.Broken) == 0 {
			t.Errorf("only %v, and nothing is broken", r.Cases)
		}
	})
}
