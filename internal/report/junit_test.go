package report

import (
	"bytes"
	"encoding/xml"
	"fmt"
	"math"
	"path"
	"regexp"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/qualify-dev/qualify/internal/result"
)

// readBack reads what WriteJUnit wrote for a cell.
func readBack(t *testing.T, r Report, cell string) ([]JUnitCase, string) {
	t.Helper()
	var b bytes.Buffer
	if err := WriteJUnit(&b, r, cell); err != nil {
		t.Fatal(err)
	}
	var cases []JUnitCase
	if err := ReadJUnit(bytes.NewReader(b.Bytes()), func(c JUnitCase) error { cases = append(cases, c); return nil }); err != nil {
		t.Fatalf("%v in:\n%s", err, b.String())
	}
	return cases, b.String()
}

func TestJUnitGolden(t *testing.T) {
	r := Build(failingRun())
	golden(t, "failing.xml", func(b *bytes.Buffer) error { return WriteJUnit(b, r, "ubuntu-24-04-v1-34-4-kind") })
	r = Build(lostRun())
	golden(t, "lost.xml", func(b *bytes.Buffer) error { return WriteJUnit(b, r, "debian-12-v1-34-4-kind") })
}

// TestJUnitSaysWhatTheReportSays reads every cell of every sample back.
func TestJUnitSaysWhatTheReportSays(t *testing.T) {
	for name, in := range samples() {
		r := Build(in)
		for _, c := range r.Cells {
			cases, text := readBack(t, r, c.ID)
			want := len(c.Steps)
			got := Counts{}
			for _, s := range c.Suites {
				want += len(s.Cases)
			}
			for _, k := range cases {
				if k.Suite != "qualify" {
					got.count(Case{Outcome: k.Outcome, Flaky: k.Flaky})
				}
				if k.Suite == "qualify" && k.Name == "run verdict" {
					want++
				}
			}
			if len(cases) != want {
				t.Errorf("%s: %d cases in the file, %d rows in the report", name, len(cases), want)
			}
			all := Counts{}
			for _, s := range c.Suites {
				for _, k := range s.Cases {
					k.Unexpected = false // the file counts every testcase
					all.count(k)
				}
			}
			if got != all {
				t.Errorf("%s, cell %s: the file says %+v, the report %+v", name, c.ID, got, all)
			}
			checkDocument(t, text)
		}
	}
}

// checkDocument looks at the file with a plain decoder: counts, times, runes.
func checkDocument(t *testing.T, text string) {
	t.Helper()
	var doc junitSuites
	if err := xml.Unmarshal([]byte(text), &doc); err != nil {
		t.Fatalf("%v in:\n%s", err, text)
	}
	times := regexp.MustCompile(`^[0-9]+\.[0-9]{3}$`)
	tests, bad := 0, 0
	for _, s := range doc.Suites {
		tests += s.Tests
		bad += s.Failures + s.Errors
		if s.Tests != len(s.Cases) || !times.MatchString(s.Time) {
			t.Errorf("suite %q: tests=%d with %d cases, time=%q", s.Name, s.Tests, len(s.Cases), s.Time)
		}
		for _, c := range s.Cases {
			if !times.MatchString(c.Time) || c.Name == "" || c.Class == "" {
				t.Errorf("case %q of class %q has time %q", c.Name, c.Class, c.Time)
			}
		}
	}
	if doc.Tests != tests || doc.Failures+doc.Errors != bad {
		t.Errorf("testsuites says %d tests, %d bad; its suites %d and %d", doc.Tests, doc.Failures+doc.Errors, tests, bad)
	}
	if !utf8.ValidString(text) || strings.IndexFunc(text, func(r rune) bool { return !legalXML(r) }) >= 0 {
		t.Error("the file holds what XML forbids")
	}
}

func find(t *testing.T, cases []JUnitCase, suite, name string) JUnitCase {
	t.Helper()
	for _, c := range cases {
		if c.Suite == suite && c.Name == name {
			return c
		}
	}
	t.Fatalf("no case %q in suite %q", name, suite)
	return JUnitCase{}
}

func TestJUnitRows(t *testing.T) {
	conf := conformanceNames(30)
	cases, text := readBack(t, Build(failingRun()), "debian-12-v1-34-4-kind")
	failed := find(t, cases, "conformance", conf[3])
	if failed.Outcome != result.Fail || !strings.Contains(failed.Message, "service.go:3927") || !strings.Contains(failed.Log, "webserver-4") {
		t.Errorf("the failure reads %+v", failed)
	}
	if c := find(t, cases, "conformance", conf[28]); c.Outcome != result.NotRun || c.Message != "not run: no evidence" {
		t.Errorf("the case that did not run reads %+v", c)
	}
	if c := find(t, cases, "conformance", conf[7]); c.Outcome != result.Error {
		t.Errorf("the error reads %+v", c)
	}
	if c := find(t, cases, "qualify", "verdict"); c.Outcome != result.Fail {
		t.Errorf("the verdict reads %+v", c)
	}
	for _, want := range []string{
		`<property name="release.digest" value="sha256:9f2c`, `<property name="os" value="debian-12">`, `<property name="kubernetes" value="v1.34.4">`,
		`<property name="verdict" value="NotQualified">`, `<property name="run" value="20261120-080000-debian-12-1-34">`,
		`<rerunError message="watch closed" type="error">`, `<property name="unexpected" value="true">`, `timestamp="2026-11-20T08:00:00"`,
	} {
		if !strings.Contains(text, want) {
			t.Errorf("the file lacks %s", want)
		}
	}
}

func TestJUnitFlaky(t *testing.T) {
	cases, text := readBack(t, Build(goodRun()), "debian-12-v1-34-4-kind")
	name := conformanceNames(1)[0]
	c := find(t, cases, "conformance", name)
	if c.Outcome != result.Pass || !c.Flaky || !strings.Contains(c.Log, "2 pods remain") {
		t.Errorf("the flaky case reads %+v", c)
	}
	if n := strings.Count(text, xmlText(name)); n != 1 {
		t.Errorf("the flaky case is there %d times; some readers take the first only", n)
	}
	for _, want := range []string{`<property name="flaky" value="true">`, `<flakyFailure message="timed out waiting for 2 pods to be gone" type="fail">`} {
		if !strings.Contains(text, want) {
			t.Errorf("the file lacks %s", want)
		}
	}
}

func xmlText(s string) string {
	var b bytes.Buffer
	if err := xml.EscapeText(&b, []byte(s)); err != nil {
		panic(err)
	}
	return `name="` + b.String() + `"`
}

// TestJUnitIsNeverGreenAlone: whatever keeps a run from green shows in each
// cell's file, even if every case of the cell passed.
func TestJUnitIsNeverGreenAlone(t *testing.T) {
	in := goodRun()
	because(&in, result.Inconclusive, result.Reason{Code: result.ReasonPlanMismatch, Text: "the run followed another plan"})
	cases, _ := readBack(t, Build(in), in.Plan.Cells[0].ID)
	if c := find(t, cases, "qualify", "run verdict"); c.Outcome != result.Error {
		t.Errorf("an inconclusive run reads %+v", c)
	}
	in = goodRun()
	in.Document.Cells = nil
	cases, _ = readBack(t, Build(in), in.Plan.Cells[0].ID)
	if c := find(t, cases, "qualify", "verdict"); c.Outcome != result.NotRun {
		t.Errorf("a cell without a verdict reads %+v", c)
	}
}

func TestJUnitBounds(t *testing.T) {
	in := bigRun(1, 330)
	for i := range in.Events {
		if c := in.Events[i].Case; c != nil {
			c.Outcome, c.Message, c.Log = result.Fail, strings.Repeat("m ", 10<<10), strings.Repeat("log line \"<&>\" of a case\n", 3<<10)
		}
	}
	r := Build(in)
	cases, text := readBack(t, r, in.Plan.Cells[0].ID)
	if len(text) > 30e6 {
		t.Errorf("the file has %d bytes; GitLab takes 30 MB", len(text))
	}
	last := cases[len(cases)-1]
	if last.Outcome != result.Fail || last.Message == "" || !strings.Contains(last.Log, "left out") {
		t.Errorf("what was left out is not said: %q", last.Log)
	}
}

func TestJUnitUnknownCell(t *testing.T) {
	if err := WriteJUnit(&bytes.Buffer{}, Build(goodRun()), "elsewhere"); err == nil {
		t.Error("a file was written for a cell that does not exist")
	}
}

func TestJUnitOfReportsBuiltByHand(t *testing.T) {
	r := Report{Cells: []Cell{{ID: "c", Suites: []Suite{{Name: "s\x00", Cases: []Case{
		{Name: "\x1b\ufffe", Outcome: result.Fail, Attempts: []Attempt{{Outcome: result.Fail, Seconds: math.NaN(), Message: hostile, Log: hostile + "]]>"}}},
		{Name: "", Outcome: 77, Attempts: []Attempt{{Outcome: 77, Seconds: math.Inf(1)}}},
	}}}}}}
	cases, text := readBack(t, r, "c")
	checkDocument(t, text)
	if len(cases) != 2 || cases[0].Outcome != result.Fail || cases[1].Outcome != result.Error {
		t.Errorf("read back %+v", cases)
	}
}

func TestWritersReportTheirErrors(t *testing.T) {
	r := Build(goodRun())
	for _, f := range Formats() {
		for _, file := range f.Files(r) {
			var whole bytes.Buffer
			if err := file.Write(&whole); err != nil {
				t.Fatal(err)
			}
			for _, room := range []int{0, 10, whole.Len() - 1} {
				if err := file.Write(&fullDisk{room}); err == nil {
					t.Errorf("%s: a disk that is full after %d bytes goes unnoticed", file.Path, room)
				}
			}
		}
	}
}

type fullDisk struct{ room int }

func (d *fullDisk) Write(p []byte) (int, error) {
	if len(p) > d.room {
		return 0, fmt.Errorf("no space left on device")
	}
	d.room -= len(p)
	return len(p), nil
}

func TestFormats(t *testing.T) {
	r := Build(failingRun())
	seen := map[string]bool{}
	var paths []string
	for _, f := range Formats() {
		if f.Name == "" || f.Doc == "" {
			t.Errorf("a format without name or doc: %+v", f)
		}
		for _, file := range f.Files(r) {
			if seen[file.Path] || path.IsAbs(file.Path) || path.Clean(file.Path) != file.Path {
				t.Errorf("path %q is used twice or leads away", file.Path)
			}
			seen[file.Path] = true
			paths = append(paths, file.Path)
		}
	}
	want := "verdict.json junit/junit_debian-12-v1-34-4-kind_01.xml junit/junit_ubuntu-24-04-v1-34-4-kind_01.xml junit/junit_rocky-9-v1-34-4-kind_01.xml report.html summary.md"
	if got := strings.Join(paths, " "); got != want {
		t.Errorf("files are\n%s, want\n%s", got, want)
	}
}

func TestJUnitFileNames(t *testing.T) {
	// testGrid is the pattern by which TestGrid finds and splits file names.
	testGrid := regexp.MustCompile(`.+/(?:junit((_[^_]+)?(_\d+-\d+)?(_\d+)?|.+)?\.xml|test.xml)$`)
	ids := []string{
		"debian-12-v1-34-4-kind", "a_b", "a-b", "A-B", "a/b", "../../etc/passwd", "", ".", "..", "-", "ä", "日本", "con", " ",
		strings.Repeat("x", 500), strings.Repeat("x", 501), "a\x00b", "a.b", ".a", "a.",
	}
	seen := map[string]string{}
	for _, id := range ids {
		name := JUnitFile(id)
		if other, ok := seen[strings.ToLower(name)]; ok {
			t.Errorf("%q and %q share %s", id, other, name)
		}
		seen[strings.ToLower(name)] = id
		if !regexp.MustCompile(`^junit/junit_[a-z0-9][a-z0-9.-]*_01\.xml$`).MatchString(name) || len(name) > 140 {
			t.Errorf("%q gives %q", id, name)
		}
		if m := testGrid.FindStringSubmatch(name); m == nil || m[4] != "_01" {
			t.Errorf("TestGrid reads %q as %q", name, m)
		}
	}
}
