package main

import (
	"context"
	"errors"
	"fmt"
	"html"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/qualify-dev/qualify/internal/cncf"
	"github.com/qualify-dev/qualify/internal/result"
)

// vendorFiles writes the results that a vendor has of all tests of v1.34.
func vendorFiles(t *testing.T, w *world) []string {
	t.Helper()
	listed, err := cncf.ShippedTests()
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, test := range listed {
		if slices.Contains(test.Minors, 34) {
			names = append(names, test.Name)
		}
	}
	var log, junit strings.Builder
	fmt.Fprintf(&log, "Random Seed: 7\n\nWill run %d of %d specs\n  e2e test version: v1.34.4\n", len(names), len(names))
	fmt.Fprintf(&junit, `<testsuite tests="%d" failures="0" errors="0">`, len(names))
	for i, name := range names {
		fmt.Fprintf(&log, "------------------------------\n%s\ntest/e2e/x.go:%d\n• [1.000 seconds]\n", name, i+1)
		fmt.Fprintf(&junit, "<testcase name=\"[It] %s\" time=\"1.5\"></testcase>\n", html.EscapeString(name))
	}
	fmt.Fprintf(&log, "------------------------------\n\nRan %d of %d Specs in 2.000 seconds\nSUCCESS! -- %d Passed | 0 Failed | 0 Pending | 0 Skipped\n", len(names), len(names), len(names))
	junit.WriteString("</testsuite>")
	err = errors.Join(os.WriteFile(w.file("junit.xml"), []byte(junit.String()), 0o600), os.WriteFile(w.file("e2e.log"), []byte(log.String()), 0o600))
	if err != nil {
		t.Fatal(err)
	}
	return names
}

func (w *world) imports(more ...string) said {
	return w.call(context.Background(), append([]string{
		"import", "--junit", w.file("junit.xml"), "--log", w.file("e2e.log"), "--release", w.file("release.yaml"), "--results", w.file("results"), "--os", "debian-12",
	}, more...)...)
}

// codes are those of the reasons, each once.
func codes(doc result.Document) []string {
	var all []string
	for _, r := range doc.Reasons {
		all = append(all, r.Code)
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// The best that somebody else's results can be is inconclusive, for want of a
// proof of what was tested.
func TestImport(t *testing.T) {
	w := newWorld(t)
	names := vendorFiles(t, w)
	said := w.imports()
	doc := w.verdict(t)
	if said.code != 3 || doc.Verdict != result.Inconclusive || !slices.Equal(codes(doc), []string{result.ReasonIdentityMissing}) {
		t.Fatalf("exit code %d, %+v\n%s%s", said.code, doc.Reasons, said.stdout, said.stderr)
	}
	cell := doc.Cells[0]
	if s := cell.Suites[0]; s.Name != conformanceSuite || s.Expected != len(names) || s.Passed != len(names) {
		t.Errorf("%+v", s)
	}
	if cell.Values["provisioner"] != imported || cell.Values["os"] != "debian-12" || cell.Values["k8s"] != "v1.34.4" || doc.Release.Digest != w.rel.Digest() {
		t.Errorf("%+v of %+v", cell.Values, doc.Release)
	}
	if len(doc.Notes) != 2 || !strings.HasPrefix(doc.Notes[0].Text, "imported from a run of somebody else's: junit_01.xml, sha256:") {
		t.Errorf("notes %+v", doc.Notes)
	}
	page, err := os.ReadFile(w.file("results/latest/report.html"))
	if err != nil || !strings.Contains(string(page), "imported from a run of somebody else") {
		t.Errorf("the page does not say that it was imported, %v", err)
	}
	for _, name := range []string{cncf.JUnitFile, cncf.LogFile} {
		if kept, err := filepath.Glob(w.file("results/latest/cells/*/suites/conformance/" + name)); err != nil || len(kept) != 1 {
			t.Errorf("%s: %q, %v", name, kept, err)
		}
	}
	w.empty(t)
	if again := w.call(context.Background(), "resume", "latest", "--results", w.file("results")); again.code != 2 || !strings.Contains(again.stderr, "cannot be resumed") {
		t.Errorf("resumed: exit code %d\n%s", again.code, again.stderr)
	}
}

func TestImportOfResultsThatAreNotGood(t *testing.T) {
	for name, c := range map[string]struct {
		file, old, with string
		codes           []string
		text            string
	}{
		"a failed test": {
			"junit.xml", "time=\"1.5\"></testcase>", `time="1"><failure>no answer</failure></testcase>`, nil, "no answer",
		},
		"a test that is missing": {"junit.xml", "[It] [sig-", "[It] [gis-", []string{result.ReasonCaseDuplicate, result.ReasonIdentityMissing}, "attempt recorded twice"},
		"a failure in the log":   {"e2e.log", "• [1.000", "• [FAILED] [1.000", []string{result.ReasonCaseDuplicate, result.ReasonIdentityMissing}, "attempt recorded twice with different outcomes"},
		"a log of another run":   {"e2e.log", "v1.34.4", "v1.33.1", []string{result.ReasonIdentityMissing, result.ReasonSuiteIncomplete}, "log-version"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			vendorFiles(t, w)
			err := edit(w.file(c.file), func(data []byte) []byte { return []byte(strings.Replace(string(data), c.old, c.with, 1)) })
			if c.text == "no answer" { // a file that counts wrongly is damaged
				err = errors.Join(err,
					edit(w.file(c.file), func(data []byte) []byte {
						return []byte(strings.Replace(string(data), `failures="0"`, `failures="1"`, 1))
					}),
					edit(w.file("e2e.log"), func(data []byte) []byte {
						return []byte(strings.Replace(string(data), "• [1.000", "• [FAILED] [1.000", 1))
					}))
				c.codes = []string{result.ReasonCaseFailed, result.ReasonIdentityMissing}
			}
			if err != nil {
				t.Fatal(err)
			}
			said := w.imports()
			doc := w.verdict(t)
			if said.code != 3 || doc.Verdict == result.Qualified || !slices.Equal(codes(doc), c.codes) {
				t.Errorf("exit code %d, %q: %+v", said.code, codes(doc), doc.Reasons)
			}
			if !slices.ContainsFunc(doc.Reasons, func(r result.Reason) bool { return strings.Contains(r.Text, c.text) }) {
				t.Errorf("no reason says %q: %+v", c.text, doc.Reasons)
			}
		})
	}
}

// What cannot be imported leaves nothing behind.
func TestImportRefuses(t *testing.T) {
	w := newWorld(t)
	vendorFiles(t, w)
	if err := os.WriteFile(w.file("bad.xml"), []byte("<html/>"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		got  said
		want []string
	}{
		"nothing":     {w.call(context.Background(), "import", "--results", w.file("results")), []string{"--junit: which file?", "--log: which file?", "--release: which release was tested?"}},
		"no file":     {w.imports("--junit", w.file("none")), []string{"--junit: open "}},
		"no JUnit":    {w.imports("--junit", w.file("bad.xml")), []string{"reading junit"}},
		"no release":  {w.imports("--release", w.file("none.yaml")), []string{"none.yaml"}},
		"an OS":       {w.imports("--os", "../x"), []string{`--os "../x" is no name`}},
		"a word more": {w.imports("now"), []string{"unknown verb or argument"}},
	} {
		for _, want := range c.want {
			if c.got.code != 2 || !strings.Contains(c.got.stderr, want) || c.got.stdout != "" {
				t.Errorf("%s: exit code %d:\n%s%s", name, c.got.code, c.got.stdout, c.got.stderr)
			}
		}
	}
	if _, err := os.Stat(w.file("results")); err == nil {
		t.Error("a results directory was made")
	}
}
