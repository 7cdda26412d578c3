package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"

	"github.com/spf13/cobra"

	"github.com/qualify-dev/qualify/internal/cncf"
	"github.com/qualify-dev/qualify/internal/provision"
	"github.com/qualify-dev/qualify/internal/release"
	"github.com/qualify-dev/qualify/internal/result"
	"github.com/qualify-dev/qualify/internal/run"
	"github.com/qualify-dev/qualify/internal/sink"
	"github.com/qualify-dev/qualify/matrix"
	"github.com/qualify-dev/qualify/suites"
)

// imported stands where a provisioner would: no cluster was made here. There
// is no provisioner of that name, so such a run cannot be resumed.
const imported = "imported"

// importOptions are the flags of import.
type importOptions struct {
	w                                wiring
	junit, log, release, os, results string
}

func newImportCommand(w wiring) *cobra.Command {
	o := importOptions{w: w}
	cmd := &cobra.Command{
		Use:   "import --junit FILE --log FILE --release REF",
		Short: "Take conformance results that somebody else has into a run, as evidence",
		Long: `Makes a run of the junit_01.xml and the e2e.log of a conformance run, so that
reports and history can hold it. Nothing shows that what ran was the release, so
its verdict is never better than inconclusive; failed and missing tests are
listed, and so is what the two files contradict each other in.

` + exitTable,
		Example: `  qualify import --junit junit_01.xml --log e2e.log --release ./kubernetes-v1.34.4-source.yaml --os debian-12`,
		Args:    noArgs,
		RunE:    func(cmd *cobra.Command, _ []string) error { return o.run(cmd) },
	}
	f := cmd.Flags()
	f.StringVar(&o.junit, "junit", "", "the run's junit_01.xml")
	f.StringVar(&o.log, "log", "", "the run's e2e.log")
	f.StringVar(&o.release, "release", "", "what was tested: a manifest, the directory that holds it, or source:v1.34.4")
	f.StringVar(&o.os, "os", "unknown", "the nodes' operating system")
	resultsFlag(cmd, &o.results)
	return cmd
}

func (o *importOptions) run(cmd *cobra.Command) error {
	used, err := o.w.fromEnvironment(cmd, "results")
	if err != nil {
		return err
	}
	files, err := o.files()
	if err != nil {
		return err
	}
	w, err := o.w.workshop()
	if err != nil {
		return err
	}
	ui := o.w.newConsole(cmd.ErrOrStderr(), true)
	defer ui.close()
	rel, err := w.resolve(cmd.Context(), o.release, ui.step)
	if err != nil {
		return err
	}
	read, err := cncf.ReadResults(bytes.NewReader(files[cncf.JUnitFile]), bytes.NewReader(files[cncf.LogFile]), rel.Kubernetes())
	if err != nil {
		return usagef("%w", err)
	}
	plan, err := o.plan(cmd.Context(), w, rel, read.Expected)
	if err != nil {
		return err
	}
	info := (&runOptions{w: o.w}).info(cmd.Context(), used, plan)
	dir, err := o.w.newRunDirectory(o.results, plan, info)
	if err != nil {
		return err
	}
	if err := recordImport(cmd.Context(), o.w.sink, dir, plan, files, read); err != nil {
		return err
	}
	return conclude(cmd, o.w, dir)
}

// files reads what is imported, whole: it is copied into the run.
func (o *importOptions) files() (map[string][]byte, error) {
	files := map[string][]byte{}
	var problems error
	for _, f := range []struct{ flag, path, name string }{{"junit", o.junit, cncf.JUnitFile}, {"log", o.log, cncf.LogFile}} {
		data, err := readBounded(f.path)
		if err != nil {
			problems = errors.Join(problems, usagef("--%s: %w", f.flag, err))
		}
		files[f.name] = data
	}
	if o.release == "" {
		problems = errors.Join(problems, usagef("--release: which release was tested? give its manifest"))
	}
	if !osName.MatchString(o.os) {
		problems = errors.Join(problems, usagef("--os %q is no name: use lower-case letters, digits, dots and dashes", o.os))
	}
	return files, problems
}

var osName = regexp.MustCompile(`^[a-z0-9][a-z0-9.-]{0,62}$`)

func readBounded(path string) ([]byte, error) {
	const most = 100 << 20
	if path == "" {
		return nil, errors.New("which file?")
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, most+1))
	if err == nil && len(data) > most {
		err = fmt.Errorf("%s is larger than %d bytes", path, most)
	}
	return data, err
}

// plan says what the files have to show. It is made like any other, of a cell
// that no provisioner serves.
func (o *importOptions) plan(ctx context.Context, w workshop, rel *release.Release, expected []string) (run.Plan, error) {
	version := rel.Kubernetes()
	cell := matrix.NewCell(map[string]string{matrix.OS: o.os, matrix.K8s: version, matrix.Provisioner: imported})
	from, err := w.lasting(ctx, o.release)
	if err != nil {
		return run.Plan{}, err
	}
	plan, err := run.Compile(run.Compilation{
		Cells: []matrix.Cell{cell}, Suites: []string{conformanceSuite},
		Releases: map[string]*release.Release{version: rel}, Sources: map[string]string{rel.Digest(): from},
		Entries: map[string]provision.Entry{imported: {Name: imported, Can: func(matrix.Cell) error { return nil }}},
		Suite: func(name string) (suites.Suite, error) {
			return suites.Suite{Name: name, Expect: func(*release.Release) ([]string, error) { return expected, nil }}, nil
		},
	})
	if err != nil {
		return run.Plan{}, &usageError{err}
	}
	return plan, nil
}

// recordImport writes the journal of an imported run. There is no lease in it and no
// comparison with the release, and so no proof of what ran.
func recordImport(ctx context.Context, s *sink.Sink, dir runDirectory, plan run.Plan, files map[string][]byte, read cncf.Results) (err error) {
	hold, err := holdOn(dir)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, hold.end()) }()
	cell := plan.Cells[0].ID
	events := []result.Event{{Kind: result.RunStarted, Text: dir.id, Plan: plan.Hash, Release: plan.Judged().Release.Digest}}
	for _, name := range []string{cncf.JUnitFile, cncf.LogFile} {
		if err := s.WriteFile(dir.file(filepath.Join("cells", cell, "suites", conformanceSuite, name)), files[name]); err != nil {
			return fmt.Errorf("copying %s: %w", name, err)
		}
		sum := sha256.Sum256(files[name])
		events = append(events, result.Event{
			Kind: result.Note, Cell: cell, Text: fmt.Sprintf("imported from a run of somebody else's: %s, sha256:%s", name, hex.EncodeToString(sum[:])),
		})
	}
	for _, text := range read.Notes {
		events = append(events, result.Event{Kind: result.Note, Cell: cell, Text: text})
	}
	events = append(events, result.Event{Kind: result.SuiteStarted, Cell: cell, Suite: conformanceSuite})
	seconds := 0.0
	for _, c := range read.Cases {
		seconds += c.Seconds
		events = append(events, result.Event{Kind: result.CaseEnded, Cell: cell, Suite: conformanceSuite, Case: &c})
	}
	events = append(events,
		result.Event{Kind: result.SuiteEnded, Cell: cell, Suite: conformanceSuite, Seconds: seconds, Text: read.Broken},
		result.Event{Kind: result.RunEnded, Text: result.RunComplete})
	for _, e := range events {
		if err := context.Cause(ctx); err != nil {
			return err
		}
		if _, err := hold.journal.Append(e.WithText(s.Text)); err != nil {
			return fmt.Errorf("writing the journal: %w", err)
		}
	}
	return nil
}
