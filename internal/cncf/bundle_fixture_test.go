package cncf

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"testing/fstest"
	"time"
)

// sample is a submission in memory that a test makes and then spoils.
type sample struct {
	place string
	Options
	files fstest.MapFS
}

func day(t *testing.T, text string) time.Time {
	t.Helper()
	d, err := time.Parse(time.DateOnly, text)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

const sampleProduct = `# Conformance
vendor: Yoyodyne
name: Turbo Encabulator
version: v1.7.4
website_url: https://yoyo.dyne/turbo-encabulator
repo_url: https://github.com/yoyo.dyne/turbo-encabulator
documentation_url: https://yoyo.dyne/turbo-encabulator/docs
product_logo_url: https://yoyo.dyne/assets/turbo-encabulator.svg
type: distribution
description: The Turbo Encabulator is a distribution for all of your encabulating needs.
contact_email_address: conformance@yoyo.dyne
`

const sampleReadme = `# Conformance of the Turbo Encabulator

Install three machines with Debian 12, give each of them two cores and four gigabytes of memory, and put the
installer of the [Turbo Encabulator](https://yoyo.dyne/turbo-encabulator) on the first one.

` + "```shell" + `
encabulate --machines 10.0.0.1,10.0.0.2,10.0.0.3
sonobuoy run --mode=certified-conformance --wait
` + "```" + `

The results are those of Sonobuoy v0.57.1, and E2E_SKIP="" was set.
`

// shape is how the evidence of a sample looks.
type shape uint8

const (
	terse   shape = iota // Ginkgo 2, a dot for each test
	verbose              // Ginkgo 2, a block for each test
	first                // Ginkgo 1, a line of JSON for each test
)

// newSample makes a submission that nothing is wrong with.
func newSample(t *testing.T, minor int, s shape) *sample {
	t.Helper()
	names := expect(minor, nil).names
	if len(names) < 200 {
		t.Fatalf("only %d tests are required of v1.%d", len(names), minor)
	}
	b := &sample{place: fmt.Sprintf("k8s-conformance/v1.%d/turbo-encabulator", minor), files: fstest.MapFS{}}
	for _, r := range minorReleases() {
		if r.minor == minor {
			b.AsOf = day(t, r.day).AddDate(0, 0, 30)
		}
	}
	b.put(ProductFile, sampleProduct)
	b.put(ReadmeFile, sampleReadme)
	b.put(LogFile, sampleLog(names, minor, s))
	b.put(JUnitFile, sampleJUnit(names, s))
	return b
}

func (b *sample) put(name, text string) {
	b.files[name] = &fstest.MapFile{Data: []byte(text), Mode: 0o644}
}

func (b *sample) text(name string) string { return string(b.files[name].Data) }

// rewrite puts another text in the place of the first match of a pattern.
func (b *sample) rewrite(t *testing.T, name, pattern, with string) {
	t.Helper()
	re := regexp.MustCompile(pattern)
	text := b.text(name)
	at := re.FindStringSubmatchIndex(text)
	if at == nil {
		t.Fatalf("%s has nothing like %s to spoil", name, pattern)
	}
	b.put(name, text[:at[0]]+string(re.ExpandString(nil, with, text, at))+text[at[1]:])
}

// field gives a field of PRODUCT.yaml another value; a nil value removes it.
func (b *sample) field(t *testing.T, name string, value *string) {
	t.Helper()
	line := ""
	if value != nil {
		line = name + ": " + *value + "\n"
	}
	b.rewrite(t, ProductFile, `(?m)^`+name+`:.*\n?`, strings.ReplaceAll(line, "$", "$$"))
}

// count changes what the suites of the JUnit file claim to hold.
func (b *sample) count(t *testing.T, what string, by int) {
	t.Helper()
	re := regexp.MustCompile(`<testsuites? [^>]*>`)
	attr := regexp.MustCompile(` ` + what + `="([0-9]+)"`)
	found := false
	b.put(JUnitFile, re.ReplaceAllStringFunc(b.text(JUnitFile), func(tag string) string {
		return attr.ReplaceAllStringFunc(tag, func(a string) string {
			found = true
			n, err := strconv.Atoi(attr.FindStringSubmatch(a)[1])
			if err != nil {
				t.Fatal(err)
			}
			return fmt.Sprintf(` %s="%d"`, what, n+by)
		})
	}))
	if !found {
		t.Fatalf("no suite claims %s", what)
	}
}

const suiteName = "Kubernetes e2e suite"

func sampleJUnit(names []string, s shape) string {
	var b strings.Builder
	b.WriteString(`<?xml version="1.0" encoding="UTF-8"?>` + "\n")
	if s == first {
		fmt.Fprintf(&b, `  <testsuite name="%s" tests="%d" failures="0" errors="0" time="%d">`+"\n", suiteName, len(names), 2*len(names))
		for _, name := range names {
			fmt.Fprintf(&b, `      <testcase name=%s classname="%s" time="2"></testcase>`+"\n", quoteXML(name), suiteName)
		}
		fmt.Fprintf(&b, `      <testcase name="[sig-x] not chosen" classname="%s" time="0">`+"\n          <skipped></skipped>\n      </testcase>\n  </testsuite>\n", suiteName)
		return b.String()
	}
	fmt.Fprintf(&b, `  <testsuites tests="%d" disabled="1" errors="0" failures="0" time="%d">`+"\n", len(names)+2, 2*len(names))
	fmt.Fprintf(&b, `      <testsuite name="%s" package="/usr/local/bin" tests="%d" disabled="0" skipped="1" errors="0" failures="0" time="%d" timestamp="2025-09-01T10:00:00">`+"\n          <properties>\n", suiteName, len(names)+2, 2*len(names))
	for _, p := range [][2]string{
		{"SuiteSucceeded", "true"}, {"SpecialSuiteFailureReason", ""}, {"RandomSeed", "1756716000"}, {"LabelFilter", ""},
		{"FocusStrings", `\[Conformance\]`}, {"SkipStrings", ""}, {"FocusFiles", ""}, {"SkipFiles", ""}, {"FlakeAttempts", "0"}, {"DryRun", "false"},
	} {
		fmt.Fprintf(&b, `              <property name="%s" value="%s"></property>`+"\n", p[0], p[1])
	}
	b.WriteString("          </properties>\n")
	fmt.Fprintf(&b, `          <testcase name="[SynchronizedBeforeSuite]" classname="%s" status="passed" time="0.1"></testcase>`+"\n", suiteName)
	for _, name := range names {
		fmt.Fprintf(&b, `          <testcase name=%s classname="%s" status="passed" time="2"></testcase>`+"\n", quoteXML("[It] "+name), suiteName)
	}
	fmt.Fprintf(&b, `          <testcase name="[It] [sig-x] not chosen" classname="%s" status="skipped" time="0">`+"\n", suiteName)
	b.WriteString("              <skipped message=\"skipped\"></skipped>\n          </testcase>\n      </testsuite>\n  </testsuites>\n")
	return b.String()
}

func quoteXML(name string) string {
	return `"` + strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", `"`, "&#34;", "'", "&#39;").Replace(name) + `"`
}

func sampleLog(names []string, minor int, s shape) string {
	var b strings.Builder
	b.WriteString("  I0901 10:00:00.205014      19 e2e.go:109] Starting e2e run \"08edb2ff\" on Ginkgo node 1\n")
	fmt.Fprintf(&b, "Running Suite: %s - /usr/local/bin\n====\nRandom Seed: \x1b[1m1756716000\x1b[0m - will randomize all specs\n\n", suiteName)
	fmt.Fprintf(&b, "Will run \x1b[1m%d\x1b[0m of \x1b[1m%d\x1b[0m specs\n", len(names), len(names)+1)
	fmt.Fprintf(&b, "  I0901 10:00:01.1      19 e2e.go:142] e2e test version: v1.%d.2\n  I0901 10:00:01.1      19 e2e.go:153] kube-apiserver version: v1.%d.2-eks-abc\n", minor, minor)
	for i, name := range names {
		switch s {
		case terse:
			b.WriteString("•SS")
		case first:
			fmt.Fprintf(&b, "%s\n[sig-x] In parts \n  %s\n  /workspace/test/e2e/x.go:77\n•SS{\"msg\":\"x\"}\n{\"msg\":%q,\"total\":%d,\"completed\":%d,\"skipped\":1,\"failed\":0}\n",
				strings.Repeat("-", 30), name, "PASSED "+name, len(names), i+1)
		case verbose:
			fmt.Fprintf(&b, "%s\n%s [sig-x, Conformance]\ntest/e2e/x.go:%d\n  STEP: creating something @ 09/01/25\n%s\n  more.go:12\n• [2.000 seconds]\n", strings.Repeat("-", 30), name, i+1, "output")
		}
	}
	if s == verbose {
		b.WriteString(strings.Repeat("-", 30) + "\n[sig-x] gives up [Conformance]\ntest/e2e/x.go:9\nS [SKIPPED] [0.1 seconds]\n")
		b.WriteString(strings.Repeat("-", 30) + "\n[SynchronizedAfterSuite] \ntest/e2e/e2e.go:88\n[SynchronizedAfterSuite] PASSED [0.050 seconds]\n" + strings.Repeat("-", 30) + "\n")
	}
	fmt.Fprintf(&b, "\n\n\x1b[38;5;10m\x1b[1mRan %d of %d Specs in 6257.154 seconds\x1b[0m\n", len(names), len(names)+1)
	fmt.Fprintf(&b, "\x1b[1mSUCCESS!\x1b[0m -- \x1b[1m%d Passed\x1b[0m | \x1b[1m0 Failed\x1b[0m | \x1b[1m0 Pending\x1b[0m | \x1b[1m1 Skipped\x1b[0m\nPASS\n\nGinkgo ran 1 suite in 1h44m\nTest Suite Passed\n", len(names))
	return b.String()
}

// sharedSubmissions is where real submissions lie beside a checkout.
const sharedSubmissions = "../../../shared/data/eksd/conformance"

// realSample reads a real submission into memory.
func realSample(t *testing.T, release string) *sample {
	t.Helper()
	dir := filepath.Join(sharedSubmissions, release, "eks-d")
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Skipf("no real submissions beside this checkout: %v", err)
	}
	b := &sample{place: release + "/eks-d", files: fstest.MapFS{}}
	for _, e := range entries {
		data, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if err != nil {
			t.Fatal(err)
		}
		b.files[e.Name()] = &fstest.MapFile{Data: data, Mode: 0o444}
	}
	return b
}

func (b *sample) lint(t *testing.T) Report {
	t.Helper()
	var tree fs.FS = b.files
	r, err := Lint(tree, b.place, b.Options)
	if err != nil {
		t.Fatal(err)
	}
	if r.Accepted != (len(r.Findings) == 0) {
		t.Errorf("accepted is %v with %d findings", r.Accepted, len(r.Findings))
	}
	return r
}

// ids lists the rules of findings, each once.
func ids(all []Finding) string {
	var rules []string
	for _, f := range all {
		if len(rules) == 0 || rules[len(rules)-1] != f.Rule {
			rules = append(rules, f.Rule)
		}
	}
	return strings.Join(rules, " ")
}
