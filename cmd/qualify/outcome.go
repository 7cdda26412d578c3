package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/qualify-dev/qualify/internal/report"
	"github.com/qualify-dev/qualify/internal/result"
	"github.com/qualify-dev/qualify/internal/run"
	"github.com/qualify-dev/qualify/internal/sink"
)

// record is what a run directory holds, read back from disk: verdict and
// reports are made from nothing else, so they can be made again.
type record struct {
	dir    runDirectory
	plan   run.Plan
	policy result.Policy // that the run is measured by
	info   runInfo
	events []result.Event
	torn   string // what is wrong with the journal's end, if anything
}

// openRun reads a run by its directory, its id below results, or "latest".
func openRun(results, name string) (record, error) {
	path := name
	if info, err := os.Stat(path); err != nil || !info.IsDir() {
		path = filepath.Join(results, name)
	}
	resolved, err := filepath.EvalSymlinks(path)
	if err != nil {
		return record{}, usagef("no run %q: give a run directory, or the name of one below %s", name, results)
	}
	absolute, err := filepath.Abs(resolved)
	if err != nil {
		return record{}, err
	}
	r := record{dir: runDirectory{id: filepath.Base(absolute), path: absolute}}
	if !r.any("plan.json", "journal.jsonl") {
		return record{}, usagef("%s is no run directory: it holds neither a plan nor a journal", absolute)
	}
	if err := errors.Join(readJSON(r.dir.file("plan.json"), &r.plan), readJSON(r.dir.file("run.json"), &r.info)); err != nil {
		return record{}, err
	}
	if err := r.plan.Check(); err != nil {
		return record{}, fmt.Errorf("reading the run %s: %w", r.dir.id, err)
	}
	r.policy = r.plan.Measure()
	events, tail, err := result.ReadFile(r.dir.file("journal.jsonl"))
	if err != nil {
		return record{}, fmt.Errorf("reading the run %s: %w", r.dir.id, err)
	}
	r.events, r.torn = events, tail.Why
	return r, r.ownJournal()
}

// ownJournal is an error where the journal is that of another run: plans of
// the same cells are the same, so that an old journal would fit them too.
func (r record) ownJournal() error {
	i := slices.IndexFunc(r.events, func(e result.Event) bool { return e.Kind == result.RunStarted })
	if i < 0 {
		return nil // the judge has words for that, and for a second start that differs
	}
	if id := r.events[i].Text; id != r.info.ID || id == "" {
		return fmt.Errorf("reading the run %s: its journal is that of run %q, and run.json is of %q", r.dir.id, id, r.info.ID)
	}
	return nil
}

// any tells whether the run's directory has one of the files. A directory with
// some of them is a run whose evidence is incomplete, and no mistake of the
// user's.
func (r record) any(names ...string) bool {
	for _, name := range names {
		if _, err := os.Lstat(r.dir.file(name)); err == nil {
			return true
		}
	}
	return false
}

func readJSON(path string, into any) error {
	data, err := os.ReadFile(path)
	if err != nil {
		return fmt.Errorf("reading a run: %w", err)
	}
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(into); err != nil {
		return fmt.Errorf("reading %s: %w", path, err)
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return fmt.Errorf("reading %s: something follows the document", path)
	}
	return nil
}

// judge measures the run against its plan. The policy's day is that of the
// run, so that judging again gives the same answer.
func (r record) judge() result.Document {
	policy := r.policy
	evidence := result.Fold(r.events)
	evidence.Torn = r.torn
	if len(evidence.Starts) > 0 {
		policy.AsOf = evidence.Starts[0].Time
	}
	return result.Judge(r.plan.Judged(), evidence, policy)
}

// report builds everything that a writer may show.
func (r record) report() report.Report {
	info := report.RunInfo{ID: r.info.ID, Tool: r.info.Tool, Command: r.info.Command}
	for _, fact := range r.info.Host {
		name, value, _ := strings.Cut(fact, ": ")
		info.Host = append(info.Host, report.Pair{Name: name, Value: value})
	}
	if n := len(r.events); n > 0 {
		info.Started, info.Ended = r.events[0].Time, r.events[n-1].Time
	}
	return report.Build(report.Input{Document: r.judge(), Plan: r.plan.Judged(), Events: r.events, Run: info})
}

// writeReports writes every format into the run's directory.
func (r record) writeReports(s *sink.Sink) (report.Report, error) {
	built := r.report()
	var problems error
	for _, format := range report.Formats() {
		for _, file := range format.Files(built) {
			var text bytes.Buffer
			err := file.Write(&text)
			if err == nil {
				err = s.WriteFile(r.dir.file(filepath.FromSlash(file.Path)), text.Bytes())
			}
			if err != nil {
				problems = errors.Join(problems, fmt.Errorf("writing %s: %w", file.Path, err))
			}
		}
	}
	return built, problems
}

// conclude judges a run that has ended, writes its reports, prints the answer
// and turns it into the exit code. It reads the run back from disk: what is
// not in the journal did not happen.
func conclude(cmd *cobra.Command, w wiring, dir runDirectory) error {
	r, err := openRun(filepath.Dir(dir.path), dir.path)
	if err != nil {
		return err
	}
	built, err := r.writeReports(w.sink)
	if err != nil {
		return err
	}
	newAnswer(cmd.OutOrStdout(), w).print(r, built)
	return verdictOf(built.Document.ExitCode)
}
