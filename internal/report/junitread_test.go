package report

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/qualify-dev/qualify/internal/result"
)

func read(text string) ([]JUnitCase, error) {
	var cases []JUnitCase
	err := ReadJUnit(strings.NewReader(text), func(c JUnitCase) error { cases = append(cases, c); return nil })
	return cases, err
}

func TestReadJUnitOfOthers(t *testing.T) {
	for name, tc := range map[string]struct {
		in   string
		want []result.Outcome
	}{
		"bare suite":       {`<testsuite tests="1"><testcase name="a"/></testsuite>`, []result.Outcome{result.Pass}},
		"nested suites":    {`<testsuites tests="2"><testsuite><testsuite tests="1"><testcase name="a"/></testsuite><testcase name="b"><failure/></testcase></testsuite></testsuites>`, []result.Outcome{result.Pass, result.Fail}},
		"namespace":        {`<testsuite xmlns="urn:x"><testcase name="a"><skipped/></testcase></testsuite>`, []result.Outcome{result.Skip}},
		"worst counts":     {`<testsuite><testcase name="a"><skipped/><error/><failure/></testcase></testsuite>`, []result.Outcome{result.Fail}},
		"not run is ours":  {`<testsuite errors="1"><testcase name="a"><error type="not-run"/></testcase></testsuite>`, []result.Outcome{result.NotRun}},
		"ginkgo status":    {`<testsuite><testcase name="a" status="passed"/><testcase name="b" status="pending"/><testcase name="c" status="timedout"/></testsuite>`, []result.Outcome{result.Pass, result.Skip, result.Error}},
		"googletest":       {`<testsuite><testcase name="a" status="run" result="completed"/><testcase name="b" status="notrun" result="suppressed"/></testsuite>`, []result.Outcome{result.Pass, result.NotRun}},
		"failed by status": {`<testsuite><testcase name="a" status="Failed"/></testsuite>`, []result.Outcome{result.Fail}},
		"thousands":        {`<testsuite><testcase name="a" time="1,234.5"/></testsuite>`, []result.Outcome{result.Pass}},
		"escape in a log":  {"<testsuite><testcase name=\"a\"><failure>\x1b[31m\x00</failure></testcase></testsuite>", []result.Outcome{result.Fail}},
		"escape reference": {`<testsuite><testcase name="a"><failure>&#27;&#x1B;&#0;</failure></testcase></testsuite>`, []result.Outcome{result.Fail}},
		"broken utf-8":     {"<testsuite><testcase name=\"a\xff\"/></testsuite>", []result.Outcome{result.Pass}},
		"ginkgo 1 counts":  {`<testsuite tests="1" failures="0" errors="0"><testcase name="a"/><testcase name="b"><skipped/></testcase></testsuite>`, []result.Outcome{result.Pass, result.Skip}},
		"ginkgo 2 pending": {`<testsuites tests="3" disabled="2"><testsuite tests="3" disabled="1" skipped="1"><testcase name="a"/><testcase name="b"><skipped/></testcase><testcase name="c"><skipped/></testcase></testsuite></testsuites>`, []result.Outcome{result.Pass, result.Skip, result.Skip}},
		"ginkgo 2 aborted": {`<testsuite tests="1" failures="0" errors="1"><testcase name="a" status="aborted"><failure type="aborted"/></testcase></testsuite>`, []result.Outcome{result.Error}},
		"elements in text": {`<testsuite><testcase name="a"><failure>x<b>y</b>z</failure></testcase></testsuite>`, []result.Outcome{result.Fail}},
	} {
		cases, err := read(tc.in)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		var got []result.Outcome
		for _, c := range cases {
			got = append(got, c.Outcome)
		}
		if len(got) != len(tc.want) {
			t.Errorf("%s: %v, want %v", name, got, tc.want)
			continue
		}
		for i := range got {
			if got[i] != tc.want[i] {
				t.Errorf("%s: case %d is %v, want %v", name, i, got[i], tc.want[i])
			}
		}
	}
}

func TestReadJUnitRefuses(t *testing.T) {
	for name, in := range map[string]string{
		"nothing":                  "",
		"only a header":            `<?xml version="1.0"?>`,
		"another document":         `<html><body/></html>`,
		"text":                     "PASS",
		"too few":                  `<testsuite tests="2"><testcase name="a"/></testsuite>`,
		"too many":                 `<testsuite tests="0"><testcase name="a"/></testsuite>`,
		"a failure that is hidden": `<testsuite tests="1" failures="0"><testcase name="a"><failure/></testcase></testsuite>`,
		"a failure that is lost":   `<testsuite tests="1" failures="1"><testcase name="a"/></testsuite>`,
		"errors lost":              `<testsuite errors="1"><testcase name="a"/></testsuite>`,
		"skipped lost":             `<testsuite skipped="1"><testcase name="a"/></testsuite>`,
		"what ran lost":            `<testsuite tests="2"><testcase name="a"/><testcase name="b"><skipped/></testcase><testcase name="c"><skipped/></testcase></testsuite>`,
		"skipped claimed":          `<testsuite tests="1" skipped="1"><testcase name="a"/><testcase name="b"><skipped/></testcase></testsuite>`,
		"pending lost":             `<testsuite tests="2" disabled="1" skipped="1"><testcase name="a"/><testcase name="b"/></testsuite>`,
		"the outer count":          `<testsuites tests="3"><testsuite tests="1"><testcase name="a"/></testsuite></testsuites>`,
		"count no number":          `<testsuite tests="all"><testcase name="a"/></testsuite>`,
		"count negative":           `<testsuite tests="-1"/>`,
		"time no number":           `<testsuite><testcase name="a" time="soon"/></testsuite>`,
		"no name":                  `<testsuite><testcase/></testsuite>`,
		"unknown element":          `<testsuite><testcase name="a"><failurf/></testcase></testsuite>`,
		"unknown in a suite":       `<testsuite><testcasf name="a"/></testsuite>`,
		"case outside":             `<testcase name="a"/>`,
		"cut in a case":            `<testsuite><testcase name="a"><failure>x`,
		"cut between cases":        `<testsuite><testcase name="a"/>`,
		"two documents":            `<testsuite/><testsuite/>`,
		"entities":                 `<!DOCTYPE x [<!ENTITY e "eeee">]><testsuite><testcase name="&e;"/></testsuite>`,
		"other charset":            `<?xml version="1.0" encoding="ISO-8859-1"?><testsuite/>`,
		"deep suites":              strings.Repeat("<testsuite>", 1000) + strings.Repeat("</testsuite>", 1000),
		"deep text":                `<testsuite><testcase name="a"><failure>` + strings.Repeat("<b>", 1000) + strings.Repeat("</b>", 1000) + `</failure></testcase></testsuite>`,
		"deep properties":          `<testsuite><properties>` + strings.Repeat("<b>", 1000),
	} {
		if cases, err := read(in); err == nil {
			t.Errorf("%s: read as sound, with %+v", name, cases)
		}
	}
}

func TestReadJUnitKeepsWhatIsWhole(t *testing.T) {
	cases, err := read(`<testsuite tests="3"><testcase name="a"/><testcase name="b"><failure message="m"/></testcase><testcase name="c"><fail`)
	if err == nil || len(cases) != 2 || cases[1].Outcome != result.Fail || cases[1].Message != "m" {
		t.Errorf("%+v, %v", cases, err)
	}
	if !errors.Is(err, io.ErrUnexpectedEOF) && !strings.Contains(err.Error(), "EOF") {
		t.Errorf("the error does not say that the file is cut off: %v", err)
	}
	stop := errors.New("stop")
	if err := ReadJUnit(strings.NewReader(`<testsuite><testcase name="a"/></testsuite>`), func(JUnitCase) error { return stop }); !errors.Is(err, stop) {
		t.Errorf("the error of emit is lost: %v", err)
	}
}

func TestJUnitReaderGivesTheSuitesProperties(t *testing.T) {
	in := `<testsuite><properties><property name="RandomSeed" value="7"/><other/><property name="DryRun" value="false">x</property></properties>` +
		`<testcase name="a"><properties><property name="own" value="1"/></properties></testcase></testsuite>`
	var got []string
	reader := JUnitReader{
		Case:     func(c JUnitCase) error { got = append(got, c.Name); return nil },
		Property: func(name, value string) error { got = append(got, name+"="+value); return nil },
	}
	if err := reader.Read(strings.NewReader(in)); err != nil || !slices.Equal(got, []string{"RandomSeed=7", "DryRun=false", "a"}) {
		t.Errorf("%q, %v", got, err)
	}
	stop := errors.New("stop")
	reader.Property = func(string, string) error { return stop }
	if err := reader.Read(strings.NewReader(in)); !errors.Is(err, stop) {
		t.Errorf("the error of Property is lost: %v", err)
	}
	if err := reader.Read(strings.NewReader(`<testsuite><properties><property`)); err == nil {
		t.Error("properties that are cut off read as sound")
	}
}

// What other readers refuse is refused where that is what counts.
func TestJUnitReaderIsExactWhereAsked(t *testing.T) {
	for name, text := range map[string]string{
		"an escape": "\x1b[31m", "a reference to it": "&#27;", "broken UTF-8": "\xff",
	} {
		in := `<testsuite><testcase name="a"><failure>` + text + `</failure></testcase></testsuite>`
		reader := JUnitReader{Case: func(JUnitCase) error { return nil }}
		if err := reader.Read(strings.NewReader(in)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		reader.Exact = true
		if err := reader.Read(strings.NewReader(in)); err == nil {
			t.Errorf("%s: an exact reader takes it", name)
		}
	}
}

func TestReadJUnitBoundsText(t *testing.T) {
	blind := JUnitReader{Case: func(JUnitCase) error { return nil }}
	cases, err := read(`<testsuite><testcase name="a"><failure>` + strings.Repeat("x", 3*readText) + `</failure></testcase></testsuite>`)
	if err != nil || len(cases[0].Message) > readText {
		t.Errorf("%v, %d bytes", err, len(cases[0].Message))
	}
	endless := io.MultiReader(strings.NewReader(`<testsuite><system-out>`), &repeat{})
	if err := blind.read(endless, 1<<20); err == nil || !strings.Contains(err.Error(), "larger than") {
		t.Errorf("an endless file gives %v", err)
	}
	padded := io.MultiReader(strings.NewReader(`<testsuite><testcase name="a"/></testsuite>`), strings.NewReader(strings.Repeat("\n", 2<<20)))
	if err := blind.read(padded, 1<<20); err == nil {
		t.Error("a file that was not read to its end reads as sound")
	}
}

type repeat struct{}

func (*repeat) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = 'x'
	}
	return len(p), nil
}

// failing counts the cases that a file shows as failed, and says whether the
// reader noticed damage.
func failing(text []byte) (passed map[string]bool, damaged bool) {
	passed = map[string]bool{}
	err := ReadJUnit(bytes.NewReader(text), func(c JUnitCase) error {
		if c.Outcome == result.Pass {
			passed[c.Name] = true
		}
		return nil
	})
	return passed, err != nil
}

// TestDamageNeverTurnsAFailureIntoAPass cuts the file at every byte and flips
// thousands of its bits. A damaged file may be refused, and mostly is; a case
// that failed must not come out of an undamaged-looking file as passed.
func TestDamageNeverTurnsAFailureIntoAPass(t *testing.T) {
	r := Report{Cells: []Cell{{ID: "c", Suites: []Suite{{Name: "s", Cases: []Case{
		{Name: "held", Outcome: result.Pass, Attempts: []Attempt{{Outcome: result.Pass}}},
		{Name: "failed", Outcome: result.Fail, Attempts: []Attempt{{Outcome: result.Fail, Message: "m", Log: "l"}}},
		{Name: "flaky", Outcome: result.Pass, Flaky: true, Attempts: []Attempt{{Outcome: result.Fail}, {Outcome: result.Pass, Number: 1}}},
		{Name: "lost"}, {Name: "skipped", Outcome: result.Skip},
	}}}}}}
	var b bytes.Buffer
	if err := WriteJUnit(&b, r, "c"); err != nil {
		t.Fatal(err)
	}
	whole, _ := failing(b.Bytes())
	for cut := range b.Len() - 1 {
		passed, damaged := failing(b.Bytes()[:cut])
		if !damaged {
			t.Fatalf("cut at %d of %d and not noticed", cut, b.Len())
		}
		for name := range passed {
			if !whole[name] {
				t.Fatalf("cut at %d: %q passes", cut, name)
			}
		}
	}
	rnd := rand.New(rand.NewPCG(3, 5))
	for range 5_000 {
		bad := bytes.Clone(b.Bytes())
		at := rnd.IntN(len(bad))
		bad[at] ^= 1 << rnd.IntN(8)
		passed, damaged := failing(bad)
		if !damaged && len(passed) > len(whole) {
			t.Fatalf("byte %d flipped to %q: %d cases pass instead of %d", at, bad[at], len(passed), len(whole))
		}
	}
}

func FuzzReadJUnit(f *testing.F) {
	for _, in := range []Input{lostRun(), hostileRun()} {
		r := Build(in)
		var b bytes.Buffer
		if err := WriteJUnit(&b, r, r.Cells[0].ID); err != nil {
			f.Fatal(err)
		}
		f.Add(b.Bytes())
	}
	f.Add([]byte(`<testsuite tests="1"><testcase name="a" time="1"><failure>&#27;x</failure></testcase></testsuite>`))
	f.Fuzz(func(t *testing.T, text []byte) {
		var all, byteWise []JUnitCase
		err := ReadJUnit(bytes.NewReader(text), func(c JUnitCase) error { all = append(all, c); return nil })
		err2 := ReadJUnit(iotest.OneByteReader(bytes.NewReader(text)), func(c JUnitCase) error { byteWise = append(byteWise, c); return nil })
		if (err == nil) != (err2 == nil) || len(all) != len(byteWise) {
			t.Fatalf("read at once: %d cases, %v; byte by byte: %d cases, %v", len(all), err, len(byteWise), err2)
		}
		for _, c := range all {
			if c.Name == "" || len(c.Log) > readText || len(c.Message) > readText || c.Seconds < 0 {
				t.Fatalf("case %+v", c)
			}
		}
	})
}

func BenchmarkReadJUnit(b *testing.B) {
	r := Build(bigRun(1, 5000))
	var buf bytes.Buffer
	if err := WriteJUnit(&buf, r, r.Cells[0].ID); err != nil {
		b.Fatal(err)
	}
	b.SetBytes(int64(buf.Len()))
	b.ReportAllocs()
	for b.Loop() {
		if err := ReadJUnit(bytes.NewReader(buf.Bytes()), func(JUnitCase) error { return nil }); err != nil {
			b.Fatal(err)
		}
	}
}
