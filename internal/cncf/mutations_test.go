package cncf

import (
	"io/fs"
	"maps"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
)

// mutation spoils a submission in one way.
type mutation struct {
	rule  string // that refuses it, and no other does
	spoil func(*testing.T, *sample)
}

func value(text string) *string { return &text }

func setting(name, value string) func(*testing.T, *sample) {
	return func(t *testing.T, b *sample) {
		b.rewrite(t, JUnitFile, `<property name="`+name+`" value="[^"]*"`, `<property name="`+name+`" value="`+value+`"`)
	}
}

func setField(name, text string) func(*testing.T, *sample) {
	return func(t *testing.T, b *sample) { b.field(t, name, value(text)) }
}

func dropField(name string) func(*testing.T, *sample) {
	return func(t *testing.T, b *sample) { b.field(t, name, nil) }
}

func setFile(name, text string) func(*testing.T, *sample) {
	return func(_ *testing.T, b *sample) { b.put(name, text) }
}

func dropFile(name string) func(*testing.T, *sample) {
	return func(_ *testing.T, b *sample) { delete(b.files, name) }
}

func setMode(name string, mode fs.FileMode) func(*testing.T, *sample) {
	return func(_ *testing.T, b *sample) {
		b.files[name] = &fstest.MapFile{Data: b.files[name].Data, Mode: mode | 0o644}
	}
}

func inLog(pattern, with string) func(*testing.T, *sample) {
	return func(t *testing.T, b *sample) { b.rewrite(t, LogFile, pattern, with) }
}

func inReadme(text string) func(*testing.T, *sample) {
	return func(_ *testing.T, b *sample) { b.put(ReadmeFile, b.text(ReadmeFile)+text) }
}

// firstTest is a conformance test that ran, as it stands in the JUnit file.
const firstTest = `(<testcase name="\[It\] [^"]*\[Conformance\][^"]*" classname="[^"]*" status=")passed(" time=")[0-9.]*">`

// outcome gives the first test that ran another outcome.
func outcome(status, element string, counts map[string]int) func(*testing.T, *sample) {
	return func(t *testing.T, b *sample) {
		b.rewrite(t, JUnitFile, firstTest, "${1}"+status+"${2}3\">"+element)
		for what, by := range counts {
			b.count(t, what, by)
		}
	}
}

// mutations fit every submission of Ginkgo 2 with a terse log.
func mutations() map[string]mutation {
	all := map[string]mutation{
		"another folder":            {"folder-layout", func(_ *testing.T, b *sample) { b.place = "conformance/turbo-encabulator" }},
		"a patch release as folder": {"folder-layout", func(_ *testing.T, b *sample) { b.place = "v1.28.2/turbo-encabulator" }},
		"a minor of one digit":      {"folder-layout", func(_ *testing.T, b *sample) { b.place = "v1.9/turbo-encabulator" }},
		"no product folder":         {"folder-layout", func(_ *testing.T, b *sample) { b.place = "v1.28/." }},
		"a title without release":   {"title", func(_ *testing.T, b *sample) { b.Title = "Conformance results for Turbo Encabulator" }},
		"a title without product":   {"title", func(_ *testing.T, b *sample) { b.Title = "Conformance results for v1.28/" }},
		"a title of another":        {"title", func(_ *testing.T, b *sample) { b.Title = "Conformance results for v1.27/turbo-encabulator" }},
		"before the release":        {"release-window", func(t *testing.T, b *sample) { b.AsOf = day(t, "2023-08-14") }},
		"three minors later":        {"release-window", func(t *testing.T, b *sample) { b.AsOf = day(t, "2024-08-13") }},

		"an archive too":      {"file-extra", setFile("sonobuoy.tar.gz", "x")},
		"a hidden file":       {"file-extra", setFile(".DS_Store", "x")},
		"a file in a folder":  {"file-extra", setFile("images/logo.svg", "x")},
		"a second JUnit file": {"file-extra", setFile("junit_02.xml", "x")},
		"a linked JUnit file": {"file-irregular", setMode(JUnitFile, fs.ModeSymlink)},
		"a linked log":        {"file-irregular", setMode(LogFile, fs.ModeSymlink)},
		"a pipe for a log":    {"file-irregular", setMode(LogFile, fs.ModeNamedPipe)},
		"a folder for README": {"file-irregular", func(_ *testing.T, b *sample) {
			delete(b.files, ReadmeFile)
			b.put(ReadmeFile+"/index.md", "x")
		}},
		"a large product file": {"file-too-large", func(_ *testing.T, b *sample) {
			b.put(ProductFile, b.text(ProductFile)+strings.Repeat("# more\n", mostProse/7))
		}},
		"a NUL in the log":       {"file-not-text", inLog("Will run", "Will\x00run")},
		"Latin-1 in README":      {"file-not-text", inReadme("Z\xfcrich\n")},
		"a character cut off":    {"file-not-text", inReadme("…"[:2])},
		"UTF-16 as product file": {"file-not-text", setFile(ProductFile, "\xff\xfev\x00e\x00")},
		"broken YAML":            {"product-yaml-invalid", setFile(ProductFile, "vendor: [\n")},
		"YAML that is a list":    {"product-yaml-invalid", setFile(ProductFile, "- vendor\n- name\n")},
		"YAML that is a word":    {"product-yaml-invalid", setFile(ProductFile, "vendor")},
		"YAML of two documents":  {"product-yaml-invalid", setFile(ProductFile, "vendor: a\n---\nvendor: b\n")},
		"YAML with an alias": {"product-yaml-invalid", func(t *testing.T, b *sample) {
			setField("vendor", "&v Yoyodyne")(t, b)
			setField("name", "*v")(t, b)
		}},
		"a field twice": {"product-yaml-invalid", func(_ *testing.T, b *sample) {
			b.put(ProductFile, b.text(ProductFile)+"\nvendor: other\n")
		}},
		"a field that is a list":     {"product-yaml-invalid", setField("vendor", "[Yoyodyne]")},
		"only comments":              {"product-yaml-invalid", setFile(ProductFile, "# nothing\n")},
		"an empty vendor":            {"product-yaml-field-missing", setField("vendor", `""`)},
		"a blank name":               {"product-yaml-field-missing", setField("name", `" "`)},
		"a null version":             {"product-yaml-field-missing", setField("version", "")},
		"another type":               {"product-yaml-type", setField("type", "operating system")},
		"a type in capitals":         {"product-yaml-type", setField("type", "Distribution")},
		"a website without scheme":   {"product-yaml-url", setField("website_url", "yoyo.dyne/turbo")},
		"a website without host":     {"product-yaml-url", setField("website_url", "https:///turbo")},
		"a repository over ssh":      {"product-yaml-url", setField("repo_url", "git@github.com:yoyodyne/turbo.git")},
		"a repository over git":      {"product-yaml-url", setField("repo_url", "git://github.com/yoyodyne/turbo")},
		"relative documentation":     {"product-yaml-url", setField("documentation_url", "/docs")},
		"no address of a logo":       {"product-yaml-url", setField("product_logo_url", "see website")},
		"no email address":           {"product-yaml-email", setField("contact_email_address", "yoyo.dyne/contact")},
		"a logo of dots":             {"product-yaml-logo", setField("product_logo_url", "https://yoyo.dyne/logo.PNG?raw=true")},
		"a README of one link":       {"install-instructions", setFile(ReadmeFile, "# Turbo\n\nSee [the documentation](https://yoyo.dyne/docs) and https://yoyo.dyne/more.\n")},
		"a README of headings":       {"install-instructions", setFile(ReadmeFile, strings.Repeat("# A heading with quite a few words in it\n", 20))},
		"a README without steps":     {"install-instructions", setFile(ReadmeFile, strings.Repeat("Our product is very good and easy to install. ", 20))},
		"bad Sonobuoy in README":     {"sonobuoy-0.53", inReadme("\nWe used Sonobuoy v0.53.1.\n")},
		"bad Sonobuoy near its name": {"sonobuoy-0.53", inReadme("\n## Sonobuoy\n\n    VERSION=0.53.0\n")},
		"bad Sonobuoy in the log":    {"sonobuoy-0.53", inLog("(?m)^Will run", "image: sonobuoy/sonobuoy:v0.53.1\nWill run")},
		"JUnit cut off": {"junit-damaged", func(_ *testing.T, b *sample) {
			b.put(JUnitFile, b.text(JUnitFile)[:len(b.text(JUnitFile))/2])
		}},
		"JUnit that is HTML":         {"junit-damaged", setFile(JUnitFile, "<html><body>404</body></html>")},
		"JUnit that is JSON":         {"junit-damaged", setFile(JUnitFile, `{"tests": 380}`)},
		"JUnit of another count":     {"junit-damaged", func(t *testing.T, b *sample) { b.count(t, "tests", 1) }},
		"JUnit that hides a failure": {"junit-damaged", outcome("failed", "<failure></failure>", nil)},
		"JUnit with an escape":       {"junit-damaged", outcome("passed", "<system-out>\x1b[31m</system-out>", nil)},
		"JUnit with entities":        {"junit-damaged", func(t *testing.T, b *sample) { b.rewrite(t, JUnitFile, `\?>\n`, "?>\n"+bomb) }},
		"a required test skipped":    {"junit-tests-missing", outcome("skipped", `<skipped message="skipped"></skipped>`, map[string]int{"skipped": 1})},
		"a required test renamed": {"junit-tests-missing", func(t *testing.T, b *sample) {
			b.rewrite(t, JUnitFile, `(<testcase name="\[It\] [^"]*)\[Conformance\](" classname="[^"]*" status="passed")`, "${1}[conformance]${2}")
		}},
		"a required test gone": {"junit-tests-missing", func(t *testing.T, b *sample) {
			b.rewrite(t, JUnitFile, firstTest+`</testcase>`, "")
			b.count(t, "tests", -1)
		}},
		"a test failed":               {"junit-tests-failed", outcome("failed", `<failure message="m" type="failed">x</failure>`, map[string]int{"failures": 1})},
		"a test panicked":             {"junit-tests-failed", outcome("panicked", `<error message="m" type="panicked">x</error>`, map[string]int{"errors": 1})},
		"a test failed by its status": {"junit-tests-failed", outcome("failed", "", map[string]int{"failures": 1})},
		"a failure before the pass": {"junit-tests-failed", func(t *testing.T, b *sample) {
			b.rewrite(t, JUnitFile, firstTest, `${1}failed${2}3"><failure></failure></testcase>${1}passed${2}3">`)
			b.count(t, "failures", 1)
			b.count(t, "tests", 1)
		}},
		"the set-up failed": {"junit-tests-failed", func(t *testing.T, b *sample) {
			b.rewrite(t, JUnitFile, `(<testcase name="\[SynchronizedBeforeSuite\]" classname="[^"]*" status=")passed(" time=")`, `${1}failed${2}`)
			b.count(t, "failures", 1)
		}},
		"the suite failed":          {"junit-suite-failed", setting("SuiteSucceeded", "false")},
		"the suite was interrupted": {"junit-suite-failed", setting("SpecialSuiteFailureReason", "Interrupted by User")},
		"a dry run":                 {"dry-run", setting("DryRun", "true")},
		"a dry run that does not say so": {"dry-run", func(_ *testing.T, b *sample) {
			b.put(JUnitFile, timeless.ReplaceAllString(b.text(JUnitFile), `$1"0"`))
		}},
		"a skip":                        {"e2e-skip-used", setting("SkipStrings", `\[Serial\]`)},
		"a skip of files":               {"e2e-skip-used", setting("SkipFiles", "dns.go")},
		"a skip in the log":             {"e2e-skip-used", inLog("(?m)^Will run", `Args (comma-delimited): /usr/local/bin/ginkgo,--focus=\[Conformance\],--skip=\[Serial\],--no-color=true`+"\nWill run")},
		"a skip in the log's variables": {"e2e-skip-used", inLog("(?m)^Will run", `+ E2E_SKIP='\[Disruptive\]'`+"\nWill run")},
		"a skip in README":              {"e2e-skip-used", inReadme("\n    export E2E_SKIP=Disruptive\n")},
		"a log cut off":                 {"log-incomplete", inLog(`(?s)\n[^\n]*Ran [0-9]+ of .*`, "\n")},
		"a log without numbers":         {"log-incomplete", inLog(`(?s)\n[^\n]*SUCCESS!.*`, "\nPASS\n")},
		"a log of one test that failed": {"log-failed", inLog("0 Failed", "1 Failed")},
		"a log of a suite that failed":  {"log-failed", inLog("Test Suite Passed", "Test Suite Failed")},
		"a log that says FAIL":          {"log-failed", inLog("SUCCESS!", "FAIL!")},
		"a log with pending tests":      {"log-failed", inLog("0 Pending", "2 Pending")},
		"a log of fewer passed":         {"log-inconsistent", inLog(`[0-9]+ Passed`, "12 Passed")},
		"a log of more to run":          {"log-inconsistent", inLog(`(?m)^Will run [^ ]+ of`, "Will run 9999 of")},
		"a log of another release":      {"log-version", inLog("(?m)^Will run", "  e2e test version: v1.25.1\nWill run")},
		"a log of another API server":   {"log-version", inLog("(?m)^Will run", "  kube-apiserver version: v1.27.9+k3s1\nWill run")},
	}
	for _, name := range Files() {
		all["no "+name] = mutation{"file-missing", dropFile(name)}
		all["an empty "+name] = mutation{"file-empty", setFile(name, "")}
	}
	for _, name := range requiredFields {
		all["no "+name] = mutation{"product-yaml-field-missing", dropField(name)}
	}
	return all
}

const bomb = `<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]><x>&b;</x>` + "\n"

func TestEachMutationIsRefusedByItsRule(t *testing.T) {
	spoilAll(t, mutations(), func(t *testing.T) *sample { return newSample(t, 28, terse) })
}

func TestEachMutationOfARealSubmissionIsRefusedByItsRule(t *testing.T) {
	spoilAll(t, mutations(), func(t *testing.T) *sample {
		b := realSample(t, "v1.28")
		b.AsOf = day(t, "2023-09-01")
		return b
	})
}

// spoilAll shows that each mutation, and none but it, turns an accepted
// submission into one that its rule alone refuses.
func spoilAll(t *testing.T, all map[string]mutation, fresh func(*testing.T) *sample) {
	if r := fresh(t).lint(t); !r.Accepted {
		t.Fatalf("refused before it was spoilt: %+v", r.Findings)
	}
	if len(all) < 4 {
		t.Fatalf("only %d mutations", len(all))
	}
	for _, name := range slices.Sorted(maps.Keys(all)) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := fresh(t)
			all[name].spoil(t, b)
			r := b.lint(t)
			if r.Accepted || ids(r.Findings) != all[name].rule {
				t.Errorf("refused by %q, want %s: %+v", ids(r.Findings), all[name].rule, r.Findings)
			}
			for _, f := range r.Findings {
				if f.Want == "" || f.Got == "" || f.Text == "" {
					t.Errorf("a finding says too little: %+v", f)
				}
			}
		})
	}
}

func TestMutationsOfVerboseLogsAreRefused(t *testing.T) {
	block := `(?s)-{30}\n[^\n]*\[Conformance\][^\n]*\ntest/e2e/x\.go:2\n.*?• \[2\.000 seconds\]\n`
	spoilAll(t, map[string]mutation{
		"a test is not in the log": {"log-and-junit-differ", func(t *testing.T, b *sample) {
			b.rewrite(t, LogFile, block, "")
			n := len(expect(34, nil).names)
			for _, word := range []string{"Will run \x1b\\[1m", "Ran ", "\x1b\\[1m"} {
				b.rewrite(t, LogFile, "("+word+")"+itoa(n)+"( |\x1b)", "${1}"+itoa(n-1)+"${2}")
			}
		}},
		"another test is in the log":      {"log-and-junit-differ", inLog(`\n\[sig-[^\n]*(\ntest/e2e/x\.go:5\n)`, "\n[sig-x] something else [Conformance]${1}")},
		"fewer tests than it says":        {"log-inconsistent log-and-junit-differ", inLog(block, "")},
		"another release":                 {"log-version", inLog(`e2e test version: v1\.34`, "e2e test version: v1.33")},
		"a version that is none":          {"log-version", inLog(`e2e test version: v1\.34\.2`, "e2e test version: unknown")},
		"an API server of another minor":  {"log-version", inLog(`kube-apiserver version: v1\.34`, "kube-apiserver version: v1.33")},
		"a failure and a run without one": {"log-failed", func(_ *testing.T, b *sample) { b.put(LogFile, twoRuns(b.text(LogFile))) }},
	}, func(t *testing.T) *sample { return newSample(t, 34, verbose) })
}

func TestMutationsOfTheFirstGinkgoAreRefused(t *testing.T) {
	spoilAll(t, map[string]mutation{
		"a test failed": {"junit-tests-failed", func(t *testing.T, b *sample) {
			b.rewrite(t, JUnitFile, `time="2">`, `time="2"><failure type="Failure">x</failure>`)
			b.count(t, "failures", 1)
		}},
		"a test is missing": {"junit-tests-missing log-and-junit-differ", func(t *testing.T, b *sample) {
			b.rewrite(t, JUnitFile, ` *<testcase name="[^"]*" classname="[^"]*" time="2"></testcase>\n`, "")
			b.count(t, "tests", -1)
		}},
		"another count":            {"junit-damaged", func(t *testing.T, b *sample) { b.count(t, "tests", 2) }},
		"another test in the log":  {"log-and-junit-differ", inLog(`"PASSED \[sig-`, `"PASSED [gis-`)},
		"a suite that did not end": {"log-incomplete", inLog(`(?s)\n[^\n]*Ran [0-9]+ of .*`, "\n")},
	}, func(t *testing.T) *sample { return newSample(t, 24, first) })
}
