package report

import (
	"encoding/xml"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"

	"github.com/qualify-dev/qualify/internal/result"
)

// The bounds of one JUnit file. GitLab refuses files of 30 MB and TestGrid
// those of 100 MB, so logs stop before that; messages and counts never do.
const (
	junitMessage = 1 << 10  // of a message attribute
	junitBody    = 16 << 10 // of a failure's text
	junitLog     = 64 << 10 // of one case's system-out
	junitLogs    = 16 << 20 // of all system-out together
	junitName    = 1 << 10  // of a case's name
)

// NotRunType is the type of the error element by which a case that did not
// run is told from one that ended in an error.
const NotRunType = "not-run"

type junitSuites struct {
	XMLName  xml.Name     `xml:"testsuites"`
	Name     string       `xml:"name,attr"`
	Tests    int          `xml:"tests,attr"`
	Failures int          `xml:"failures,attr"`
	Errors   int          `xml:"errors,attr"`
	Skipped  int          `xml:"skipped,attr"`
	Time     string       `xml:"time,attr"`
	Suites   []junitSuite `xml:"testsuite"`
}

type junitSuite struct {
	Name       string           `xml:"name,attr"`
	Tests      int              `xml:"tests,attr"`
	Failures   int              `xml:"failures,attr"`
	Errors     int              `xml:"errors,attr"`
	Skipped    int              `xml:"skipped,attr"`
	Time       string           `xml:"time,attr"`
	Timestamp  string           `xml:"timestamp,attr,omitempty"`
	Properties *junitProperties `xml:"properties"`
	Cases      []junitCase      `xml:"testcase"`
}

type junitProperties struct {
	List []junitProperty `xml:"property"`
}

type junitProperty struct {
	Name  string `xml:"name,attr"`
	Value string `xml:"value,attr"`
}

// junitCase is one testcase. A case that passed after a failed attempt is one
// passing testcase with a flakyFailure (Surefire's element) for each earlier
// attempt and the property flaky=true. Two testcases of the same name, one
// failing and one passing, are what Prow shows as flaky; that was rejected,
// because GitLab looks at the first of them only.
type junitCase struct {
	Name       string           `xml:"name,attr"`
	Class      string           `xml:"classname,attr"`
	Time       string           `xml:"time,attr"`
	Properties *junitProperties `xml:"properties"`
	Skipped    *junitText       `xml:"skipped"`
	Error      *junitText       `xml:"error"`
	Failure    *junitText       `xml:"failure"`
	Rerun      []junitText      `xml:"rerunFailure"`
	RerunError []junitText      `xml:"rerunError"`
	Flaky      []junitText      `xml:"flakyFailure"`
	FlakyError []junitText      `xml:"flakyError"`
	Out        *junitOut        `xml:"system-out"`
}

type junitText struct {
	Message string `xml:"message,attr"`
	Type    string `xml:"type,attr,omitempty"`
	Text    string `xml:",cdata"`
}

// junitOut is CDATA so that people can read the log in the file.
type junitOut struct {
	Text string `xml:",cdata"`
}

// WriteJUnit writes the JUnit file of one cell: a testsuite "qualify" with
// the runner's own steps, then one testsuite for each suite. A failure is the
// release's, an error is ours or the infrastructure's or that there is no
// evidence. The first line of a message is its attribute, all of it is the
// element's text, and the log is in system-out. Passed cases carry no log.
func WriteJUnit(w io.Writer, r Report, cellID string) error {
	c, ok := r.Cell(cellID)
	if !ok {
		return fmt.Errorf("writing junit: no cell %q in the report", cellID)
	}
	j := &junitWriter{room: junitLogs, class: slug(c.ID), timestamp: stamp(r)}
	doc := junitSuites{Name: "qualify " + c.ID}
	doc.Suites = append(doc.Suites, j.suite("qualify", append(c.Steps[:len(c.Steps):len(c.Steps)], runStep(r)...), append(junitFacts(r, c), noteFacts(r, c)...)))
	for _, s := range c.Suites {
		doc.Suites = append(doc.Suites, j.suite(s.Name, s.Cases, append(junitFacts(r, c), suiteFacts(s)...)))
	}
	for _, s := range doc.Suites {
		doc.Tests += s.Tests
		doc.Failures += s.Failures
		doc.Errors += s.Errors
		doc.Skipped += s.Skipped
	}
	doc.Time = decimal(j.seconds)
	if _, err := io.WriteString(w, xml.Header); err != nil {
		return fmt.Errorf("writing junit: %w", err)
	}
	enc := xml.NewEncoder(w)
	enc.Indent("", "  ")
	if err := enc.Encode(doc); err != nil {
		return fmt.Errorf("writing junit of cell %s: %w", c.ID, err)
	}
	if _, err := io.WriteString(w, "\n"); err != nil {
		return fmt.Errorf("writing junit of cell %s: %w", c.ID, err)
	}
	return nil
}

// runStep is a row for what went wrong with the run as a whole, so that a
// cell's file is not green in a run that proves nothing. A run that is not
// qualified because of another cell adds no row here.
func runStep(r Report) []Case {
	for _, reason := range r.Reasons {
		if reason.Cell == "" && r.Verdict != result.Qualified {
			a := Attempt{Outcome: verdictOutcome(r.Verdict), Message: "the whole run: " + reason.Text}
			return []Case{step("run verdict", []Attempt{a})}
		}
	}
	return nil
}

func junitFacts(r Report, c Cell) []junitProperty {
	rel := c.Release
	if rel == (result.ReleaseRef{}) {
		rel = r.Release
	}
	props := []junitProperty{
		{"run", orNone(r.Run.ID)}, {"release", orNone(rel.Name)}, {"release.digest", orNone(rel.Digest)},
		{"kubernetes", orNone(rel.Kubernetes)}, {"os", orNone(value(c.Values, "os"))},
		{"cell", c.ID}, {"verdict", c.Verdict.String()}, {"run.verdict", r.Verdict.String()},
		{"policy", orNone(r.Policy.Name)}, {"policy.hash", orNone(r.Policy.Hash)},
	}
	for _, v := range c.Values {
		props = append(props, junitProperty{"axis." + v.Name, v.Value})
	}
	return props
}

// noteFacts are what travels with the verdict, so that a reader of the file
// alone sees that a waiver is outlived, or that one was used.
func noteFacts(r Report, c Cell) []junitProperty {
	const most = 50
	var props []junitProperty
	for _, n := range slices.Concat(r.Notes, c.Notes) {
		if len(props) == most {
			break
		}
		props = append(props, junitProperty{"note." + orNone(n.Code), firstLine(n.Text, junitMessage)})
	}
	return props
}

func suiteFacts(s Suite) []junitProperty {
	props := []junitProperty{{"expected", strconv.Itoa(s.Counts.Expected)}}
	if s.Counts.Unexpected > 0 {
		props = append(props, junitProperty{"unexpected", strconv.Itoa(s.Counts.Unexpected)})
	}
	return props
}

func value(pairs []Pair, name string) string {
	for _, p := range pairs {
		if p.Name == name {
			return p.Value
		}
	}
	return ""
}

// junitWriter carries what adds up over one file.
type junitWriter struct {
	room      int // bytes of log that still fit
	class     string
	timestamp string
	seconds   float64
}

func (j *junitWriter) suite(name string, cases []Case, props []junitProperty) junitSuite {
	s := junitSuite{Name: name, Timestamp: j.timestamp, Properties: &junitProperties{props}, Cases: make([]junitCase, 0, len(cases))}
	var seconds float64
	for _, c := range cases {
		s.Tests++
		switch c.Outcome {
		case result.Pass:
		case result.Fail:
			s.Failures++
		case result.Skip:
			s.Skipped++
		default:
			s.Errors++
		}
		seconds += finite(c.Seconds())
		s.Cases = append(s.Cases, j.testcase(name, c))
	}
	s.Time = decimal(seconds)
	j.seconds += seconds
	return s
}

func (j *junitWriter) testcase(suite string, c Case) junitCase {
	out := junitCase{Name: cutEnd(orNone(c.Name), junitName), Class: j.class + "." + suite, Time: decimal(c.Seconds())}
	props := caseFacts(c)
	if len(props) > 0 {
		out.Properties = &junitProperties{props}
	}
	text := junitElement(c.Message(), c.Outcome)
	switch c.Outcome {
	case result.Pass:
	case result.Fail:
		out.Failure = text
	case result.Skip:
		out.Skipped = text
	default:
		out.Error = text
	}
	decided := c.deciding()
	for i, a := range c.Attempts {
		if i != decided {
			out.other(c, a)
		}
	}
	if log := j.log(caseLog(c)); log != "" {
		out.Out = &junitOut{log}
	}
	return out
}

// other adds an attempt that did not decide the case.
func (out *junitCase) other(c Case, a Attempt) {
	if a.Outcome == result.Pass || a.Outcome == result.Skip {
		return
	}
	t := *junitElement(orNone(a.Message), a.Outcome)
	switch failed := a.Outcome == result.Fail; {
	case c.Flaky && failed:
		out.Flaky = append(out.Flaky, t)
	case c.Flaky:
		out.FlakyError = append(out.FlakyError, t)
	case failed:
		out.Rerun = append(out.Rerun, t)
	default:
		out.RerunError = append(out.RerunError, t)
	}
}

func caseFacts(c Case) []junitProperty {
	var props []junitProperty
	if c.Flaky {
		props = append(props, junitProperty{"flaky", "true"})
	}
	if c.Excused != "" {
		props = append(props, junitProperty{"excused", firstLine(c.Excused, junitMessage)})
	}
	if c.Unexpected {
		props = append(props, junitProperty{"unexpected", "true"})
	}
	if c.Duplicate {
		props = append(props, junitProperty{"duplicate", "true"})
	}
	if len(c.Attempts) > 1 {
		props = append(props, junitProperty{"attempts", strconv.Itoa(len(c.Attempts))})
	}
	return props
}

func junitElement(message string, o result.Outcome) *junitText {
	message = Clean(message) // CDATA is not escaped: a report built by hand must not break the file
	t := &junitText{Message: firstLine(message, junitMessage), Type: o.String(), Text: excerpt(message, junitBody)}
	if o == result.NotRun {
		t.Type = NotRunType
	}
	if t.Text == t.Message {
		t.Text = ""
	}
	return t
}

// caseLog is the log of the attempt that counts, or of the attempt that made
// a case flaky.
func caseLog(c Case) string {
	if c.Outcome != result.Pass {
		return c.Deciding().Log
	}
	for _, a := range c.Attempts {
		if c.Flaky && a.Outcome != result.Pass {
			return a.Log
		}
	}
	return ""
}

func (j *junitWriter) log(s string) string {
	s = Clean(excerpt(s, junitLog))
	if len(s) > j.room {
		return fmt.Sprintf("log of %d bytes left out: this file holds as much log as it may", len(s))
	}
	j.room -= len(s)
	return s
}

func stamp(r Report) string {
	if r.Run.Started.IsZero() {
		return ""
	}
	return r.Run.Started.UTC().Format("2006-01-02T15:04:05")
}

// decimal writes seconds as the schemas ask: a decimal point, no exponent.
func decimal(seconds float64) string { return strconv.FormatFloat(finite(seconds), 'f', 3, 64) }

// finite maps what is no duration to none.
func finite(seconds float64) float64 {
	if math.IsNaN(seconds) || math.IsInf(seconds, 0) || seconds < 0 {
		return 0
	}
	return seconds
}
