package cncf

import (
	"io"
	"io/fs"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/qualify-dev/qualify/internal/result"
)

// certified is a run of the certified mode in which all went well.
func certified(t *testing.T) Run {
	t.Helper()
	b := newSample(t, 34, verbose)
	outcomes := map[string]result.Outcome{}
	for _, name := range expect(34, nil).names {
		outcomes[name] = result.Pass
	}
	return Run{
		ID: "20261122-100000-0000000a", Tool: "qualify v0.1.0", Command: "QUALIFY_RESULTS=/srv/r qualify --os debian-12 --k8s 1.34",
		Host: []string{"cpus: 2", "kernel: 6.1.0-28-amd64"}, Workers: 2, Verdict: result.Qualified, Outcomes: outcomes,
		Cell: result.PlanCell{
			ID: "cell", Values: map[string]string{"os": "debian-12", "provisioner": "kind"},
			Release: result.ReleaseRef{Name: "kubernetes-v1.34.4-source", Kubernetes: "v1.34.4", Digest: "sha256:00"},
		},
		Suite: fstest.MapFS{LogFile: b.files[LogFile], JUnitFile: b.files[JUnitFile], "specs.jsonl": {Data: []byte("{}")}},
	}
}

// assemble puts a bundle's parts together, as they would be on disk.
func assemble(t *testing.T, b Bundle) *sample {
	t.Helper()
	s := &sample{place: b.Place, files: fstest.MapFS{}, Options: Options{AsOf: day(t, "2025-10-01"), Strict: true}}
	for _, part := range b.Parts {
		in, err := part.Open()
		if err != nil {
			t.Fatal(err)
		}
		data, err := io.ReadAll(in)
		if err != nil {
			t.Fatal(err)
		}
		s.put(part.Name, string(data))
	}
	return s
}

func TestBundleOfACertifiedRunIsAccepted(t *testing.T) {
	b, err := NewBundle(certified(t), []byte(sampleProduct), "")
	if err != nil || len(b.Findings) > 0 || b.Place != "v1.34/turbo-encabulator" || len(b.Parts) != 4 {
		t.Fatalf("%+v, %v", b, err)
	}
	s := assemble(t, b)
	if r := s.lint(t); !r.Accepted {
		t.Errorf("%+v", r.Findings)
	}
	if s.text(ProductFile) != sampleProduct || !strings.Contains(s.text(ReadmeFile), "\n       QUALIFY_RESULTS=/srv/r qualify --os debian-12 --k8s 1.34\n") {
		t.Errorf("%s\n%s", s.text(ProductFile), s.text(ReadmeFile))
	}
	for _, want := range []string{"Kubernetes v1.34.4", "| os | debian-12 |", "`sha256:00`", "424 passed", "- cpus: 2\n- kernel", "1 control plane, 2 workers"} {
		if !strings.Contains(s.text(ReadmeFile), want) {
			t.Errorf("README.md does not say %q:\n%s", want, s.text(ReadmeFile))
		}
	}
}

func TestBundleFindings(t *testing.T) {
	one := expect(34, nil).names[0]
	for name, c := range map[string]struct {
		spoil func(*Run)
		want  string
		tests []string
	}{
		"inconclusive": {func(r *Run) {
			r.Verdict = result.Inconclusive
			r.Reasons = slices.Repeat([]result.Reason{{Code: result.ReasonLeftovers, Text: "x"}}, 9)
		}, "run-not-qualified", nil},
		"not qualified":          {func(r *Run) { r.Verdict = result.NotQualified }, "run-not-qualified", nil},
		"failed in the journal":  {func(r *Run) { r.Outcomes[one] = result.Fail }, "run-and-files-differ", []string{one}},
		"not in the journal":     {func(r *Run) { delete(r.Outcomes, one) }, "run-and-files-differ", []string{one}},
		"skipped in the journal": {func(r *Run) { r.Outcomes[one] = result.Skip }, "run-and-files-differ", []string{one}},
		"only in the journal": {func(r *Run) {
			r.Outcomes["[sig-x] other"] = result.Pass
		}, "run-and-files-differ", []string{"[sig-x] other"}},
		"a skip that JUnit has as well": {func(r *Run) { r.Outcomes["[sig-x] not chosen"] = result.Skip }, "", nil},
		"blanks in a name": {func(r *Run) {
			delete(r.Outcomes, one)
			r.Outcomes["[It]  "+one+" "] = result.Pass
		}, "", nil},
		"nothing in the journal": {func(r *Run) { r.Outcomes = nil }, "run-and-files-differ", expect(34, nil).names},
	} {
		t.Run(name, func(t *testing.T) {
			run := certified(t)
			c.spoil(&run)
			b, err := NewBundle(run, []byte(sampleProduct), "x")
			if err != nil || ids(b.Findings) != c.want {
				t.Fatalf("%+v, %v", b.Findings, err)
			}
			if len(c.tests) > 0 && !slices.Equal(b.Findings[0].Tests, c.tests) {
				t.Errorf("it is about %q", b.Findings[0].Tests)
			}
		})
	}
}

func TestBundleRefuses(t *testing.T) {
	for name, c := range map[string]struct {
		spoil   func(*Run)
		product string
		folder  string
		want    string
	}{
		"no log":             {func(r *Run) { delete(r.Suite.(fstest.MapFS), LogFile) }, sampleProduct, "", "has no e2e.log: only the certified mode"},
		"no JUnit file":      {func(r *Run) { delete(r.Suite.(fstest.MapFS), JUnitFile) }, sampleProduct, "", "has no junit_01.xml"},
		"an empty log":       {func(r *Run) { r.Suite.(fstest.MapFS)[LogFile] = &fstest.MapFile{} }, sampleProduct, "", "0 bytes"},
		"a linked log":       {func(r *Run) { r.Suite.(fstest.MapFS)[LogFile] = &fstest.MapFile{Mode: fs.ModeSymlink} }, sampleProduct, "", "a symbolic link"},
		"no version":         {func(r *Run) { r.Cell.Release.Kubernetes = "several" }, sampleProduct, "", `"several" is no Kubernetes version`},
		"a broken product":   {func(*Run) {}, "[", "", "reading product"},
		"a nameless product": {func(*Run) {}, "vendor: x\n", "", "does for no folder"},
		"a path as folder":   {func(*Run) {}, sampleProduct, "../x", "does for no folder"},
		"dots as folder":     {func(*Run) {}, sampleProduct, "..", "does for no folder"},
	} {
		t.Run(name, func(t *testing.T) {
			run := certified(t)
			c.spoil(&run)
			if b, err := NewBundle(run, []byte(c.product), c.folder); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%+v, %v", b, err)
			}
		})
	}
}

// What a run says cannot leave its place in the page.
func TestReadmeKeepsHostileTextInItsPlace(t *testing.T) {
	run := certified(t)
	run.Command = "qualify\n# Not a heading\n"
	text, err := run.readme("Turbo\n# Nor this")
	if err != nil || strings.Contains(string(text), "\n# No") {
		t.Errorf("%s, %v", text, err)
	}
}
