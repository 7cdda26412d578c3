package ginkgo

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/onsi/ginkgo/v2/reporters"
	"github.com/onsi/ginkgo/v2/types"

	"github.com/qualify-dev/qualify/internal/scratch"
)

// The files of a transcript, by the names that submissions have them under.
const (
	transcriptLog   = "e2e.log"
	transcriptJUnit = "junit_01.xml"
)

// transcribe writes the log and the JUnit file of the pass, as Ginkgo's own
// command does of several processes: from their reports, with its reporters.
func (r *pass) transcribe(s *server) (err error) {
	s.mu.Lock()
	report := s.ended[1]
	for process := 2; process <= s.total; process++ {
		report = report.Add(s.ended[process])
	}
	begins := s.begins
	s.mu.Unlock()
	log, err := r.Sink.Create(filepath.Join(r.Dir, transcriptLog))
	if err != nil {
		return fmt.Errorf("opening the transcript: %w", err)
	}
	defer func() { err = errors.Join(err, log.Close()) }()
	reporter := reporters.NewDefaultReporter(types.ReporterConfig{NoColor: true, Verbose: true}, log)
	reporter.SuiteWillBegin(begins)
	for _, spec := range report.SpecReports {
		// Before 2.27 Ginkgo does not write it down. Without it the reporter thinks
		// that it has told already what the spec said.
		spec.RunningInParallel = true
		reporter.DidRun(spec)
	}
	reporter.SuiteDidEnd(report)
	words := map[bool]string{true: "Passed", false: "Failed"}
	if _, err := fmt.Fprintf(log, "\nGinkgo ran 1 suite in %s\nTest Suite %s\n", report.RunTime, words[report.SuiteSucceeded]); err != nil {
		return fmt.Errorf("writing the transcript: %w", err)
	}
	return r.junit(report)
}

// junit lets Ginkgo write the file where nobody else reads it, and copies it
// from there through the redactor.
func (r *pass) junit(report types.Report) (err error) {
	dir, remove, err := scratch.Dir("junit")
	if err != nil {
		return err
	}
	defer func() { _ = remove() }()
	file := filepath.Join(dir, transcriptJUnit)
	config := reporters.JunitReportConfig{
		OmitTimelinesForSpecState: types.SpecStatePassed | types.SpecStateSkipped, OmitFailureMessageAttr: true, OmitCapturedStdOutErr: true,
		// The names of tests are full texts; labels stand in these already.
		OmitSpecLabels: true, OmitSpecSemVerConstraints: true, OmitSpecComponentSemVerConstraints: true,
	}
	if err := reporters.GenerateJUnitReportWithConfig(report, file, config); err != nil {
		return fmt.Errorf("writing the transcript: %w", err)
	}
	in, err := os.Open(file)
	if err != nil {
		return fmt.Errorf("writing the transcript: %w", err)
	}
	defer func() { err = errors.Join(err, in.Close()) }()
	out, err := r.Sink.Create(filepath.Join(r.Dir, transcriptJUnit))
	if err != nil {
		return fmt.Errorf("writing the transcript: %w", err)
	}
	_, err = io.Copy(out, in)
	return errors.Join(err, out.Close())
}
