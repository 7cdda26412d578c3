package cncf

import (
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func itoa(n int) string { return strconv.Itoa(n) }

// timeless finds the time of each testcase.
var timeless = regexp.MustCompile(`(<testcase [^>]* time=)"[^"]*"`)

// twoRuns puts the log of a run that failed before one that did not.
func twoRuns(log string) string {
	return strings.NewReplacer("SUCCESS!", "FAIL!", "0 Failed", "1 Failed", "Test Suite Passed\n", "").Replace(log) + log
}

func TestSamplesAreAccepted(t *testing.T) {
	for _, minor := range []int{28, 32, 33, 34, 35, 36, 37} {
		for _, s := range []shape{terse, verbose} {
			b := newSample(t, minor, s)
			b.Title = "Conformance results for v1." + itoa(minor) + "/turbo-encabulator"
			r := b.lint(t)
			if !r.Accepted || len(r.Doubts) > 0 || ids(r.Notes) != "urls-resolve pull-request" {
				t.Errorf("v1.%d, shape %d: %+v", minor, s, r)
			}
			b.Strict = true
			if r := b.lint(t); !r.Accepted {
				t.Errorf("v1.%d, shape %d, strict: %+v", minor, s, r)
			}
		}
	}
	for _, minor := range []int{18, 19, 24} {
		if r := newSample(t, minor, first).lint(t); !r.Accepted || len(r.Doubts) > 0 {
			t.Errorf("v1.%d: %+v", minor, r)
		}
	}
}

// The real submissions as they were made. That of v1.28 holds the log of the
// run of v1.27, as its seed shows; it was accepted all the same, since a terse
// log names neither a version nor a test. The doubts tell.
func TestRealSubmissions(t *testing.T) {
	for release, want := range map[string]struct{ asOf, findings, doubts string }{
		"v1.18": {"2020-12-01", "file-missing", ""},
		"v1.19": {"2021-03-01", "file-missing", ""},
		"v1.24": {"2022-11-01", "file-missing", ""},
		"v1.25": {"2023-02-10", "file-missing", ""},
		"v1.27": {"2023-05-12", "file-missing", ""},
		"v1.28": {"2023-09-01", "", "log-version log-and-junit-differ log-of-another-run"},
		"v1.32": {"2025-02-06", "file-missing", ""},
	} {
		t.Run(release, func(t *testing.T) {
			b := realSample(t, release)
			b.AsOf = day(t, want.asOf)
			r := b.lint(t)
			if ids(r.Findings) != want.findings || ids(r.Doubts) != want.doubts {
				t.Errorf("findings %+v\ndoubts %+v", r.Findings, r.Doubts)
			}
			if len(r.Findings) > 0 && (len(r.Findings) != 1 || r.Findings[0].Got != "no e2e.log") {
				t.Errorf("refused for more than its log: %+v", r.Findings)
			}
			b.Strict = true
			if r := b.lint(t); r.Accepted {
				t.Error("strict accepts what leaves doubts")
			}
			b.AsOf = day(t, "2026-11-25")
			if r := b.lint(t); !strings.HasPrefix(ids(r.Findings), "release-window") {
				t.Errorf("accepted years later: %+v", r.Findings)
			}
		})
	}
}

// What no written rule forbids, or what the files do not prove, is a doubt: it
// refuses where the user asks for that.
func TestDoubts(t *testing.T) {
	for name, m := range map[string]mutation{
		"a log without a version": {"log-version", inLog(`(?m)^.*e2e test version.*\n.*\n`, "")},
		"a log of another seed":   {"log-of-another-run", inLog("1756716000", "1756716001")},
		"a log of other numbers": {"log-and-junit-differ", func(t *testing.T, b *sample) {
			b.put(LogFile, strings.ReplaceAll(b.text(LogFile), itoa(len(expect(28, nil).names)), "377"))
		}},
		"two runs": {"log-several-runs", func(t *testing.T, b *sample) {
			n := len(expect(28, nil).names)
			b.put(LogFile, strings.ReplaceAll(b.text(LogFile), itoa(n), itoa(n-29))+strings.ReplaceAll(b.text(LogFile), itoa(n), "29"))
		}},
		"a narrow focus":            {"e2e-focus", setting("FocusStrings", `\[sig-storage\].*\[Conformance\]`)},
		"a filter of labels":        {"e2e-focus", setting("LabelFilter", "Conformance")},
		"repeated by the framework": {"tests-repeated", setting("FlakeAttempts", "2")},
		"flakes in the log":         {"tests-repeated", inLog("0 Failed", "0 Failed | 1 Flaked")},
		"a test twice": {"tests-repeated", func(t *testing.T, b *sample) {
			b.rewrite(t, JUnitFile, firstTest+`</testcase>`, `${1}passed${2}1"></testcase>${1}passed${2}2"></testcase>`)
			b.count(t, "tests", 1)
		}},
		"a test of another release": {"junit-tests-unknown", func(t *testing.T, b *sample) {
			b.rewrite(t, JUnitFile, `\[sig-x\] not chosen" classname="[^"]*" status="skipped" time="0">\s*<skipped message="skipped"></skipped>`, `[sig-x] of tomorrow [Conformance]" classname="" status="passed" time="1">`)
			b.count(t, "skipped", -1)
			b.put(LogFile, strings.ReplaceAll(b.text(LogFile), itoa(len(expect(28, nil).names)), itoa(len(expect(28, nil).names)+1)))
		}},
		"a version that is a number":  {"product-yaml-field-not-text", setField("version", "1.30")},
		"a logo of an unknown format": {"product-yaml-logo", setField("product_logo_url", "https://yoyo.dyne/logo")},
		"a list of releases that ends": {"release-window", func(t *testing.T, b *sample) {
			*b = *newSample(t, 37, terse)
			b.AsOf = day(t, "2027-02-01")
		}},
	} {
		t.Run(name, func(t *testing.T) {
			b := newSample(t, 28, terse)
			m.spoil(t, b)
			r := b.lint(t)
			if !r.Accepted || ids(r.Doubts) != m.rule {
				t.Errorf("findings %+v\ndoubts %+v", r.Findings, r.Doubts)
			}
			b.Strict = true
			if r := b.lint(t); r.Accepted || ids(r.Findings) != m.rule || len(r.Doubts) > 0 {
				t.Errorf("strict: findings %+v\ndoubts %+v", r.Findings, r.Doubts)
			}
		})
	}
}

// Harmless variants must not be refused.
func TestWhatIsAllowed(t *testing.T) {
	for name, spoil := range map[string]func(*testing.T, *sample){
		"no repository":            dropField("repo_url"),
		"no logo":                  dropField("product_logo_url"),
		"a hosted platform":        setField("type", "hosted platform"),
		"an installer in quotes":   setField("type", `"installer"`),
		"an address with a name":   setField("contact_email_address", "Yoyodyne <c@yoyo.dyne>"),
		"a website over http":      setField("website_url", "http://yoyo.dyne"),
		"a logo in EPS":            setField("product_logo_url", "https://yoyo.dyne/logo.eps?x=1"),
		"a field of one's own":     func(_ *testing.T, b *sample) { b.put(ProductFile, b.text(ProductFile)+"slogan: more\n") },
		"steps without a command":  setFile(ReadmeFile, "# Steps\n\n1. Open the console of the platform and choose a region.\n2. Press the button *create cluster* and wait for ten minutes or so.\n3. Open the shell and start the conformance tests from there.\n"),
		"Sonobuoy of another day":  inReadme("\nSonobuoy 0.53.10, 0.53.2, 1.0.53.1 and 10.53.0 are not 0.53.\n"),
		"another thing at 0.53.1":  inReadme("\n\n\n\nnode-exporter 0.53.1\n"),
		"an empty skip in the log": inLog("(?m)^Will run", `Args (comma-delimited): /usr/local/bin/ginkgo,--focus=\[Conformance\],--skip=,--no-color=true`+"\nWill run"),
		"a skip of something else": inLog("(?m)^Will run", "apt-get --skip=all; tar --skip-old-files\nWill run"),
		"Windows line ends": func(_ *testing.T, b *sample) {
			for _, name := range []string{LogFile, ProductFile, ReadmeFile} {
				b.put(name, strings.ReplaceAll(b.text(name), "\n", "\r\n"))
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			b := newSample(t, 28, terse)
			spoil(t, b)
			if r := b.lint(t); !r.Accepted || len(r.Doubts) > 0 {
				t.Errorf("findings %+v\ndoubts %+v", r.Findings, r.Doubts)
			}
		})
	}
}

// What nobody reads is noted, in case it is a slip of the pen.
func TestUnknownFieldsAreNoted(t *testing.T) {
	b := newSample(t, 28, terse)
	b.put(ProductFile, b.text(ProductFile)+"repository_url: https://yoyo.dyne\n")
	r := b.lint(t)
	if !r.Accepted || ids(r.Notes) != "product-yaml-field-unknown urls-resolve pull-request" || r.Notes[0].Got != "repository_url" {
		t.Errorf("%+v", r)
	}
}

// Where no list of a minor comes with the program, completeness cannot be
// shown, unless the user gives the list.
func TestSubmissionOfAMinorWithoutList(t *testing.T) {
	b := newSample(t, 28, terse)
	b.place, b.AsOf = "v1.30/turbo-encabulator", day(t, "2024-06-01")
	b.put(LogFile, strings.ReplaceAll(b.text(LogFile), "v1.28.", "v1.30."))
	known := len(expect(30, nil).names)
	if known < 300 || known > 402 {
		t.Errorf("%d tests are known to be required of v1.30, which has 402", known)
	}
	r := b.lint(t)
	if ids(r.Findings) != "junit-tests-missing required-list-unknown" && ids(r.Findings) != "required-list-unknown" {
		t.Errorf("%+v", r.Findings)
	}
	for _, name := range expect(28, nil).names {
		b.Tests = append(b.Tests, Test{Name: name, Releases: []string{"v1.28"}})
	}
	b.Tests = append(b.Tests, Test{Name: "[sig-x] later", Releases: []string{"v1.31"}})
	if r := b.lint(t); !r.Accepted {
		t.Errorf("%+v", r.Findings)
	}
	b.Tests = append(b.Tests, Test{Name: "[sig-x] missing", Releases: []string{"v1.30", "v1.31"}})
	r = b.lint(t)
	if ids(r.Findings) != "junit-tests-missing" || !slices.Equal(r.Findings[0].Tests, []string{"[sig-x] missing"}) {
		t.Errorf("%+v", r.Findings)
	}
}

// A minor from before the rule is not held to it.
func TestRulesThatCameLater(t *testing.T) {
	for _, minor := range []int{24, 25} {
		b := newSample(t, minor, map[int]shape{24: first, 25: terse}[minor])
		dropField("contact_email_address")(t, b)
		setField("product_logo_url", "https://yoyo.dyne/logo.png")(t, b)
		r := b.lint(t)
		want := map[int]string{24: "", 25: "product-yaml-field-missing product-yaml-logo"}[minor]
		if ids(r.Findings) != want || len(r.Findings) != strings.Count(want, "product") {
			t.Errorf("v1.%d: %+v", minor, r.Findings)
		}
	}
}

func TestRulesAreTold(t *testing.T) {
	seen := map[string]bool{}
	for _, r := range rules() {
		if seen[r.id] || r.check == nil || !strings.HasSuffix(r.text, ".") && !strings.HasSuffix(r.text, "?") || strings.Contains(r.text, "://") {
			t.Errorf("%+v", r)
		}
		seen[r.id] = true
	}
	used := map[string]bool{}
	for _, m := range mutations() {
		used[m.rule] = true
	}
	for _, id := range []string{"required-list-unknown", "log-and-junit-differ", "junit-tests-unknown", "e2e-focus", "tests-repeated", "log-of-another-run", "log-several-runs", "product-yaml-field-not-text", "product-yaml-field-unknown", "urls-resolve", "pull-request"} {
		used[id] = true // by the other tests
	}
	for id := range seen {
		if !used[id] {
			t.Errorf("no mutation is refused by %s", id)
		}
	}
	if n := len(mutations()); n < 40 {
		t.Errorf("only %d mutations", n)
	}
}

// Whatever is missing, exactly that is named.
func TestPropertyMissingTestsAreNamed(t *testing.T) {
	names := expect(35, nil).names
	rapid.Check(t, func(r *rapid.T) {
		absent := rapid.SliceOfNDistinct(rapid.IntRange(0, len(names)-1), 1, 40, rapid.ID).Draw(r, "absent")
		var there, missing []string
		for i, name := range names {
			if slices.Contains(absent, i) {
				missing = append(missing, name)
			} else {
				there = append(there, name)
			}
		}
		for _, s := range []shape{terse, verbose, first} {
			b := newSample(t, 35, terse)
			b.put(JUnitFile, sampleJUnit(there, s))
			b.put(LogFile, sampleLog(there, 35, s))
			report := b.lint(t)
			if ids(report.Findings) != "junit-tests-missing" || !slices.Equal(report.Findings[0].Tests, missing) {
				r.Errorf("shape %d: %d are missing, found %+v", s, len(missing), report.Findings)
			}
		}
	})
}

func TestLocated(t *testing.T) {
	for place, want := range map[string]struct {
		at    string
		minor int
	}{
		"v1.34/turbo":                  {"v1.34/turbo", 34},
		"/srv/k8s-conformance/v1.34/x": {"v1.34/x", 34},
		"v1.34/turbo/":                 {"v1.34/turbo", 34},
		"a/../v1.34/./turbo":           {"v1.34/turbo", 34},
		`C:\conformance\v1.34\turbo`:   {"v1.34/turbo", 34},
		"v1.9/turbo":                   {"v1.9/turbo", 0},
		"v2.34/turbo":                  {"v2.34/turbo", 0},
		"v1.345/turbo":                 {"v1.345/turbo", 0},
		"1.34/turbo":                   {"1.34/turbo", 0},
		"turbo":                        {"./turbo", 0},
	} {
		var s submission
		s.located(place)
		if s.place() != want.at || s.minor != want.minor {
			t.Errorf("%s: %s, minor %d", place, s.place(), s.minor)
		}
	}
}

func TestUsesBadSonobuoy(t *testing.T) {
	for text, want := range map[string]bool{
		"sonobuoy 0.53.0":                             true,
		"Sonobuoy v0.53.1.":                           true,
		"sonobuoy_0.53.1_linux_amd64.tar.gz":          true,
		"# Sonobuoy\n\nversion: 0.53.1":               true,
		"sonobuoy/sonobuoy:v0.53.1\n":                 true,
		"sonobuoy 0.53.2":                             false,
		"sonobuoy 0.53.10":                            false,
		"sonobuoy 10.53.0":                            false,
		"sonobuoy 1.0.53.0":                           false,
		"node-exporter 0.53.0":                        false,
		"sonobuoy\n\n\n\n\nnode-exporter 0.53.0":      false,
		"0.53.0 of something\nand then sonobuoy 0.57": false,
	} {
		if line, got := usesBadSonobuoy(text); got != want {
			t.Errorf("%q: %v by %q", text, got, line)
		}
	}
}
