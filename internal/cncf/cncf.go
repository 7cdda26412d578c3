// Package cncf knows what the CNCF's Certified Kubernetes programme asks of a
// submission: it checks one that anybody made (Lint) and makes one from a
// recorded run (Bundle). It reads the directory that it is given and nothing
// else: no network, no clock, no environment. Where a rule needs the network,
// its form is checked, and a note says what was not.
package cncf

import (
	"cmp"
	"io/fs"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// The files of a submission: these and no others.
const (
	ProductFile = "PRODUCT.yaml"
	ReadmeFile  = "README.md"
	LogFile     = "e2e.log"
	JUnitFile   = "junit_01.xml"
)

// Files lists the files of a submission.
func Files() []string { return []string{ProductFile, ReadmeFile, LogFile, JUnitFile} }

// Options are what a submission is measured with.
type Options struct {
	// AsOf is the day of the submission. It decides which releases of
	// Kubernetes can be submitted.
	AsOf time.Time
	// Strict refuses by doubts too.
	Strict bool
	// Title is that of the pull request; empty if it is not known.
	Title string
	// Tests replaces the list of required tests that comes with the program.
	Tests []Test
}

// Report is what was found in a submission. It is accepted if there are no
// findings.
type Report struct {
	Accepted  bool      `json:"accepted"`
	Directory string    `json:"directory"` // vX.Y/<product>
	AsOf      string    `json:"asOf"`
	Findings  []Finding `json:"findings"` // each refuses
	Doubts    []Finding `json:"doubts"`   // no written rule is provably broken; a reviewer may ask
	Notes     []Finding `json:"notes"`    // what was not checked, and what does not matter
}

// Finding is one rule that does not hold.
type Finding struct {
	Rule string `json:"rule"`
	Want string `json:"want"`
	Got  string `json:"got"`
	Text string `json:"text"`
	// Tests are those that the finding is about: all of them, where Got names
	// the first few.
	Tests []string `json:"tests,omitempty"`
}

// weight is what a breach does to the report. The zero value refuses, so that
// a breach whose weight was forgotten is not overlooked.
type weight uint8

const (
	refuses weight = iota
	doubts
	notes
)

// breach is a rule that does not hold, before the rule's own words are added.
type breach struct {
	weight weight
	want   string
	got    string
	tests  []string
}

// Lint measures a submission against every rule. The tree is the submission's
// own directory; place is the path by which it is known, of which the last
// two elements have to be vX.Y/<product>. An error means that the directory
// could not be read, and says nothing of the submission.
func Lint(tree fs.FS, place string, o Options) (Report, error) {
	s, err := read(tree, place, o)
	if err != nil {
		return Report{}, err
	}
	report := Report{
		Directory: s.place(), AsOf: o.AsOf.Format(time.DateOnly),
		Findings: []Finding{}, Doubts: []Finding{}, Notes: []Finding{},
	}
	for _, r := range rules() {
		for _, b := range r.check(s) {
			f := Finding{Rule: r.id, Want: cmp.Or(b.want, r.want), Got: b.got, Text: r.text, Tests: b.tests}
			switch {
			case b.weight == notes:
				report.Notes = append(report.Notes, f)
			case b.weight == doubts && !o.Strict:
				report.Doubts = append(report.Doubts, f)
			default:
				report.Findings = append(report.Findings, f)
			}
		}
	}
	report.Accepted = len(report.Findings) == 0
	return report, nil
}

// submission is a directory that has been read, before it is judged.
type submission struct {
	Options
	release  string // the element of the path that should be vX.Y
	name     string // the element that should be the product's
	minor    int    // of the release; 0 if it is none
	files    []file
	product  *product    // nil if the file cannot be read
	readme   string      // empty if it cannot be read
	log      *logFacts   // nil if it cannot be read
	junit    *junitFacts // nil if it cannot be read
	junitErr error       // what is wrong with it, where that is why
	tests    expectation
}

// place is where the submission lies, as CNCF's repository has it.
func (s *submission) place() string { return s.release + "/" + s.name }

var releaseFolder = regexp.MustCompile(`^v1\.([0-9]{2})$`)

// located takes the path of a submission apart.
func (s *submission) located(place string) {
	place = path.Clean(strings.ReplaceAll(place, `\`, "/"))
	s.name, s.release = path.Base(place), path.Base(path.Dir(place))
	if m := releaseFolder.FindStringSubmatch(s.release); m != nil {
		s.minor, _ = strconv.Atoi(m[1])
	}
}

func (s *submission) file(name string) file {
	if i := slices.IndexFunc(s.files, func(f file) bool { return f.name == name }); i >= 0 {
		return s.files[i]
	}
	return file{name: name, missing: true}
}

// few joins the first of many names.
func few(names []string) string {
	const most = 3
	text := strings.Join(names[:min(len(names), most)], "; ")
	if more := len(names) - most; more > 0 {
		text += "; and " + strconv.Itoa(more) + " more"
	}
	return text
}

// short keeps a value from outside to a length that can be shown.
func short(value string) string {
	const most = 160
	if runes := []rune(value); len(runes) > most {
		return string(runes[:most]) + "…"
	}
	return value
}
