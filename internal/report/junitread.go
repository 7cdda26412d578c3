package report

import (
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/qualify-dev/qualify/internal/result"
)

// JUnitCase is one testcase of a JUnit file.
type JUnitCase struct {
	Suite   string
	Class   string
	Name    string
	Outcome result.Outcome
	Flaky   bool
	Seconds float64
	Message string
	Log     string
}

// The bounds of the reader. A file beyond them is damaged.
const (
	readMost  = 100 << 20 // bytes of a file; TestGrid's bound too
	readDepth = 64        // nested elements
	readText  = 256 << 10 // bytes kept of one text
)

// JUnitReader reads a JUnit file as a stream.
type JUnitReader struct {
	// Case gets each complete testcase. Its error ends the reading.
	Case func(JUnitCase) error
	// Property gets each property of a testsuite, not those of a testcase; nil
	// passes over them.
	Property func(name, value string) error
	// Exact takes runes that XML forbids for damage, as most readers do.
	// Otherwise they are replaced, since one escape sequence in a log must not
	// cost the file.
	Exact bool
}

// ReadJUnit reads with a JUnitReader that looks at the testcases alone.
func ReadJUnit(r io.Reader, emit func(JUnitCase) error) error {
	return JUnitReader{Case: emit}.Read(r)
}

// Read reads a whole file. An error means that the file is damaged: cut off,
// malformed, too large, or contradicting its own counts. What was handed over
// before it stands, but a damaged file must never be read as success.
func (o JUnitReader) Read(r io.Reader) error { return o.read(r, readMost) }

func (o JUnitReader) read(r io.Reader, most int64) error {
	limited := &io.LimitedReader{R: r, N: most + 1}
	var source io.Reader = limited
	if !o.Exact {
		source = newXMLFilter(limited)
	}
	jr := &junitReader{JUnitReader: o, dec: xml.NewDecoder(source)}
	jr.dec.CharsetReader = func(charset string, _ io.Reader) (io.Reader, error) {
		return nil, fmt.Errorf("charset %q is not UTF-8", charset)
	}
	err := jr.read()
	if limited.N <= 0 { // also if it ends well where it was cut
		err = errors.Join(fmt.Errorf("larger than %d bytes", most), err)
	}
	if err != nil {
		return fmt.Errorf("reading junit: %w", err)
	}
	return nil
}

// tally counts what a suite holds, and what it claims to hold.
type tally struct {
	tests, failures, errors, skipped int
	claims                           []claim
}

type claim struct {
	what string
	n    int
}

type junitReader struct {
	JUnitReader
	dec   *xml.Decoder
	stack []junitLevel // open testsuites and testsuite elements
	roots int
}

type junitLevel struct {
	tally
	name     string
	disabled int // what it claims: Ginkgo counts pending cases there, and marks them as skipped
}

func (j *junitReader) read() error {
	for {
		tok, err := j.dec.Token()
		if errors.Is(err, io.EOF) {
			if j.roots == 0 {
				return errors.New("no testsuite in it")
			}
			return nil
		}
		if err != nil {
			return err
		}
		switch t := tok.(type) {
		case xml.StartElement:
			if err := j.start(t); err != nil {
				return err
			}
		case xml.EndElement:
			if err := j.end(); err != nil {
				return err
			}
		}
	}
}

func (j *junitReader) start(t xml.StartElement) error {
	switch name := t.Name.Local; {
	case name == "testsuites" || name == "testsuite":
		return j.open(t)
	case len(j.stack) == 0:
		return fmt.Errorf("element %q where a testsuite was expected", name)
	case name == "testcase":
		return j.testcase(t)
	case name == "properties":
		return j.properties()
	case name == "system-out" || name == "system-err":
		return j.skip(0)
	default:
		return fmt.Errorf("unknown element %q in a testsuite", name)
	}
}

func (j *junitReader) open(t xml.StartElement) error {
	if len(j.stack) == 0 {
		if j.roots++; j.roots > 1 {
			return errors.New("more than one root element")
		}
	}
	if len(j.stack) >= readDepth {
		return fmt.Errorf("more than %d testsuites in one another", readDepth)
	}
	l := junitLevel{name: bound(attr(t, "name"))}
	for _, what := range []string{"tests", "failures", "errors", "skipped", "disabled"} {
		text, ok := lookup(t, what)
		if !ok {
			continue
		}
		n, err := strconv.Atoi(text)
		if err != nil || n < 0 {
			return fmt.Errorf("testsuite %q: %s=%q is no count", l.name, what, text)
		}
		if what == "disabled" {
			l.disabled = n
		} else {
			l.claims = append(l.claims, claim{what, n})
		}
	}
	j.stack = append(j.stack, l)
	return nil
}

// properties reads those of a testsuite.
func (j *junitReader) properties() error {
	return j.children(func(t xml.StartElement) error {
		if t.Name.Local == "property" && j.Property != nil {
			if err := j.Property(bound(attr(t, "name")), bound(attr(t, "value"))); err != nil {
				return err
			}
		}
		return j.skip(1)
	})
}

// holds tells whether a claim is true. Ginkgo 1 counts as tests what ran, and
// makes no claim about what was skipped.
func (l junitLevel) holds(c claim) bool {
	switch c.what {
	case "failures":
		return l.failures == c.n
	case "errors":
		return l.errors == c.n
	case "skipped":
		return l.skipped == c.n || l.skipped == c.n+l.disabled
	}
	counts := func(other claim) bool { return other.what == "skipped" }
	return l.tests == c.n || l.tests-l.skipped == c.n && !slices.ContainsFunc(l.claims, counts)
}

// end closes a testsuite: what it holds must be what it claims.
func (j *junitReader) end() error {
	l := j.stack[len(j.stack)-1]
	j.stack = j.stack[:len(j.stack)-1]
	for _, c := range l.claims {
		if !l.holds(c) {
			return fmt.Errorf("testsuite %q claims %s=%d and holds tests=%d failures=%d errors=%d skipped=%d",
				l.name, c.what, c.n, l.tests, l.failures, l.errors, l.skipped)
		}
	}
	if len(j.stack) > 0 {
		up := &j.stack[len(j.stack)-1]
		up.tests += l.tests
		up.failures += l.failures
		up.errors += l.errors
		up.skipped += l.skipped
	}
	return nil
}

func (j *junitReader) testcase(t xml.StartElement) error {
	top := &j.stack[len(j.stack)-1]
	c := JUnitCase{Suite: top.name, Class: bound(attr(t, "classname")), Name: bound(attr(t, "name")), Outcome: result.Pass}
	if text, ok := lookup(t, "time"); ok {
		s, err := strconv.ParseFloat(strings.ReplaceAll(text, ",", ""), 64)
		if err != nil {
			return fmt.Errorf("testcase %q: time=%q is no number", c.Name, text)
		}
		c.Seconds = finite(s)
	}
	if err := j.children(func(t xml.StartElement) error { return j.element(&c, t) }); err != nil {
		return fmt.Errorf("testcase %q: %w", c.Name, err)
	}
	if c.Outcome == result.Pass {
		c.Outcome = statusOutcome(t)
	}
	if c.Name == "" {
		return errors.New("a testcase without a name")
	}
	top.tests++
	switch c.Outcome {
	case result.Fail:
		top.failures++
	case result.Error, result.NotRun:
		top.errors++
	case result.Skip:
		top.skipped++
	}
	return j.Case(c)
}

// children hands on the elements of the open one, up to its end.
func (j *junitReader) children(take func(xml.StartElement) error) error {
	for {
		tok, err := j.dec.Token()
		if err != nil {
			return cutOff(err)
		}
		switch t := tok.(type) {
		case xml.EndElement:
			return nil
		case xml.StartElement:
			if err := take(t); err != nil {
				return err
			}
		}
	}
}

func (j *junitReader) element(c *JUnitCase, t xml.StartElement) error {
	switch t.Name.Local {
	case "failure":
		if attr(t, "type") == "aborted" { // Ginkgo counts it as an error: the case was not at fault
			return j.outcome(c, t, result.Error)
		}
		return j.outcome(c, t, result.Fail)
	case "error":
		if attr(t, "type") == NotRunType {
			return j.outcome(c, t, result.NotRun)
		}
		return j.outcome(c, t, result.Error)
	case "skipped":
		return j.outcome(c, t, result.Skip)
	case "flakyFailure", "flakyError":
		c.Flaky = true
		return j.skip(0)
	case "system-out":
		text, err := j.text()
		c.Log = text
		return err
	case "rerunFailure", "rerunError", "system-err", "properties":
		return j.skip(0)
	default:
		// A reader that ignores what it does not know reads <failurf> as a pass.
		return fmt.Errorf("unknown element %q", t.Name.Local)
	}
}

// outcome takes the worst of what a testcase says of itself.
func (j *junitReader) outcome(c *JUnitCase, t xml.StartElement, o result.Outcome) error {
	text, err := j.text()
	if err != nil {
		return err
	}
	if c.Outcome == result.Pass || badness(o) > badness(c.Outcome) {
		c.Outcome = o
		c.Message = text
		if strings.TrimSpace(text) == "" {
			c.Message = bound(attr(t, "message"))
		}
	}
	return nil
}

// statusOutcome reads the status that some writers give instead of elements.
func statusOutcome(t xml.StartElement) result.Outcome {
	for _, name := range []string{"status", "result"} {
		switch strings.ToLower(attr(t, name)) {
		case "", "passed", "pass", "ok", "success", "successful", "completed", "run":
		case "skipped", "pending", "disabled", "ignored":
			return result.Skip
		case "notrun", "suppressed":
			return result.NotRun
		case "failed", "fail", "failure":
			return result.Fail
		default:
			return result.Error
		}
	}
	return result.Pass
}

// text reads the character data up to the end of the element, bounded.
func (j *junitReader) text() (string, error) {
	var b strings.Builder
	for {
		tok, err := j.dec.Token()
		if err != nil {
			return b.String(), cutOff(err)
		}
		switch t := tok.(type) {
		case xml.EndElement:
			return b.String(), nil
		case xml.StartElement:
			if err := j.skip(1); err != nil {
				return b.String(), err
			}
		case xml.CharData:
			b.Write(t[:min(len(t), readText-b.Len())])
		}
	}
}

// skip reads up to the end of the open element. It does not recurse: the
// depth of the file is not ours to trust.
func (j *junitReader) skip(depth int) error {
	for open := 1; open > 0; {
		tok, err := j.dec.Token()
		if err != nil {
			return cutOff(err)
		}
		switch tok.(type) {
		case xml.StartElement:
			if open++; open+depth > readDepth {
				return fmt.Errorf("more than %d elements in one another", readDepth)
			}
		case xml.EndElement:
			open--
		}
	}
	return nil
}

func cutOff(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

func attr(t xml.StartElement, name string) string {
	text, _ := lookup(t, name)
	return text
}

func lookup(t xml.StartElement, name string) (string, bool) {
	for _, a := range t.Attr {
		if a.Name.Local == name {
			return a.Value, true
		}
	}
	return "", false
}

func bound(s string) string { return cutEnd(s, readText) }
