package cncf

import (
	"bytes"
	"cmp"
	_ "embed"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"regexp"
	"slices"
	"strings"
	"text/template"

	"github.com/qualify-dev/qualify/internal/result"
)

// Run is what a submission is made from: a recorded run's conformance suite.
// It is the seam to the mode of that suite which leaves an e2e.log and a
// junit_01.xml in its directory, the certified one; no other mode does. That
// mode has to run the tests with -v and the focus \[Conformance\], so that the
// log names the release and each test.
type Run struct {
	ID, Tool, Command string
	Host              []string // "name: value"
	Cell              result.PlanCell
	Workers           int
	Verdict           result.Verdict
	Reasons           []result.Reason
	// Outcomes are those of the suite's cases, as the journal has them.
	Outcomes map[string]result.Outcome
	Suite    fs.FS // the suite's directory
}

// Bundle is a submission that has not been written yet.
type Bundle struct {
	Place string // vX.Y/<product>
	// Findings are what speaks against the run itself: the rules cannot see it
	// in the files.
	Findings []Finding
	Parts    []Part
}

// Part is one file of a bundle.
type Part struct {
	Name string
	Open func() (io.ReadCloser, error)
}

// NewBundle makes the submission of a run. The folder names the product; empty
// stands for the product's name. An error means that nothing can be made.
func NewBundle(run Run, productYAML []byte, folder string) (Bundle, error) {
	minor, err := minorOf(run.Cell.Release.Kubernetes)
	if err != nil {
		return Bundle{}, fmt.Errorf("making submission: %w", err)
	}
	p := readProduct(productYAML)
	if p.broken != "" {
		return Bundle{}, fmt.Errorf("making submission: reading product: %s", p.broken)
	}
	if folder == "" {
		folder = slug(p.value("name"))
	}
	if folder == "" || folder != slug(folder) {
		return Bundle{}, fmt.Errorf("making submission: %q does for no folder; give a name of lower-case letters, digits and dashes", folder)
	}
	if err := run.evidence(); err != nil {
		return Bundle{}, err
	}
	readme, err := run.readme(p.value("name"))
	if err != nil {
		return Bundle{}, err
	}
	return Bundle{
		Place:    minorName(minor) + "/" + folder,
		Findings: append(run.unqualified(), run.disagreement()...),
		Parts: []Part{
			{ProductFile, inMemory(productYAML)}, {ReadmeFile, inMemory(readme)}, run.part(LogFile), run.part(JUnitFile),
		},
	}, nil
}

var notInFolder = regexp.MustCompile(`[^a-z0-9]+`)

// slug is a name as a folder can have it.
func slug(name string) string {
	return strings.Trim(notInFolder.ReplaceAllString(strings.ToLower(name), "-"), "-")
}

// evidence is an error where the suite did not leave the two files.
func (r Run) evidence() error {
	entries, err := fs.ReadDir(r.Suite, ".")
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("reading the suite's directory: %w", err)
	}
	for _, name := range []string{LogFile, JUnitFile} {
		i := slices.IndexFunc(entries, func(e fs.DirEntry) bool { return e.Name() == name })
		if i < 0 {
			return fmt.Errorf("the run %s has no %s: only the certified mode of the conformance suite writes one, and no other run can be submitted", r.ID, name)
		}
		f, err := examine(entries[i])
		if err != nil {
			return err
		}
		if !f.readable() {
			return fmt.Errorf("the run %s: %s cannot be submitted: %s", r.ID, name, cmp.Or(f.kind, fmt.Sprintf("%d bytes", f.size)))
		}
	}
	return nil
}

func inMemory(data []byte) func() (io.ReadCloser, error) {
	return func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(data)), nil }
}

func (r Run) part(name string) Part {
	return Part{name, func() (io.ReadCloser, error) { return r.Suite.Open(name) }}
}

// unqualified finds a run that is no proof of the release.
func (r Run) unqualified() []Finding {
	if r.Verdict == result.Qualified {
		return nil
	}
	got := r.Verdict.String()
	for i, reason := range r.Reasons {
		if i == 3 {
			got += fmt.Sprintf("; and %d more reasons", len(r.Reasons)-i)
			break
		}
		got += "; " + reason.Code + ": " + short(reason.Text)
	}
	return []Finding{{
		Rule: "run-not-qualified", Want: result.Qualified.String(), Got: got,
		Text: "The run did not qualify the release, so its results are no proof of conformance.",
	}}
}

// disagreement finds files that tell something else than the journal.
func (r Run) disagreement() []Finding {
	in, err := r.Suite.Open(JUnitFile)
	if err != nil {
		return nil // it is opened again when it is copied
	}
	defer func() { _ = in.Close() }() // opened for reading: nothing to lose
	junit, err := readJUnit(in)
	if err != nil {
		return nil // the rules say so, with the line
	}
	outcomes := map[string]result.Outcome{}
	for name, outcome := range r.Outcomes {
		outcomes[plainName(name)] = outcome
	}
	var differ []string
	for name := range junit.ran {
		_, failed := slices.BinarySearch(junit.failed, name)
		if (outcomes[name] == result.Pass) == failed {
			differ = append(differ, name)
		}
	}
	for name, outcome := range outcomes {
		if junit.ran[name] == 0 && outcome != result.Skip {
			differ = append(differ, name)
		}
	}
	if len(differ) == 0 {
		return nil
	}
	slices.Sort(differ)
	return []Finding{{
		Rule: "run-and-files-differ", Want: fmt.Sprintf("the %d results of the journal", len(outcomes)),
		Got: fmt.Sprintf("%d others: %s", len(differ), few(differ)), Tests: differ,
		Text: "junit_01.xml is not what the journal recorded while the tests ran.",
	}}
}

//go:embed data/readme.tmpl
var readmeTemplate string

// readme says how the results can be had again.
func (r Run) readme(product string) ([]byte, error) {
	t, err := template.New("readme").Parse(readmeTemplate)
	if err != nil {
		return nil, fmt.Errorf("making README.md: %w", err)
	}
	var text bytes.Buffer
	err = t.Execute(&text, map[string]any{"Run": r, "Product": line(product), "Command": line(r.Command), "Passed": r.passed()})
	if err != nil {
		return nil, fmt.Errorf("making README.md: %w", err)
	}
	return text.Bytes(), nil
}

func (r Run) passed() int {
	n := 0
	for _, outcome := range r.Outcomes {
		if outcome == result.Pass {
			n++
		}
	}
	return n
}

// line makes text fit one line, so that it stays in its block.
func line(text string) string { return strings.Join(strings.Fields(text), " ") }
