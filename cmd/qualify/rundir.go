package main

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/qualify-dev/qualify/internal/result"
	"github.com/qualify-dev/qualify/internal/run"
	"github.com/qualify-dev/qualify/internal/sink"
	"github.com/qualify-dev/qualify/matrix"
)

// owner names this process, for people and for gc.
func owner() string {
	host, err := os.Hostname()
	if err != nil {
		host = "unknown-host"
	}
	return fmt.Sprintf("%s/%d", host, os.Getpid())
}

// runDirectory is where everything of one run is.
type runDirectory struct{ id, path string }

func (d runDirectory) file(name string) string { return filepath.Join(d.path, name) }

// runInfo is what a run knows of itself beyond plan and journal.
type runInfo struct {
	ID      string   `json:"id"`
	Tool    string   `json:"tool"`
	Command string   `json:"command"`
	Host    []string `json:"host"` // "name: value"
	How     manner   `json:"how,omitzero"`
}

// info is how the run was asked for, so that it can be asked for again, and on
// what machine.
func (o *runOptions) info(ctx context.Context, variables []string, plan run.Plan) runInfo {
	words := append(quoted(variables), "qualify")
	host := hostFacts(ctx, o.w.sink)
	provisioners := map[string]bool{}
	for _, cell := range plan.Cells {
		provisioners[cell.Values[matrix.Provisioner]] = true
	}
	for _, name := range slices.Sorted(maps.Keys(provisioners)) {
		if entry, err := o.w.entry(name); err == nil && entry.Caveat != "" {
			host = append(host, "provisioner "+name+": "+entry.Caveat)
		}
	}
	return runInfo{
		Tool: "qualify " + version, Host: host, How: o.how,
		Command: o.w.sink.Text(strings.Join(append(words, quoted(o.w.args)...), " ")),
	}
}

// scratchPrefix begins the names of run directories that are being made.
const scratchPrefix = ".new-"

// newRunDirectory makes results/<run-id> with the plan and an empty journal in
// it, and points results/latest there. The directory appears whole or not at
// all, so that every run that can be seen can be resumed.
func (w wiring) newRunDirectory(results string, plan run.Plan, info runInfo) (runDirectory, error) {
	if err := w.plain(plan); err != nil {
		return runDirectory{}, err
	}
	random := make([]byte, 4)
	if _, err := rand.Read(random); err != nil {
		return runDirectory{}, err
	}
	info.ID = run.NewID(now(), hex.EncodeToString(random))
	results, err := filepath.Abs(results)
	if err != nil {
		return runDirectory{}, err
	}
	if err := os.MkdirAll(results, 0o755); err != nil {
		return runDirectory{}, usagef("making the results directory: %w", err)
	}
	scratch := runDirectory{id: info.ID, path: filepath.Join(results, scratchPrefix+info.ID)}
	made := runDirectory{id: info.ID, path: filepath.Join(results, info.ID)}
	if err := scratch.fill(w.sink, plan, info); err != nil {
		return runDirectory{}, errors.Join(usagef("making the run's directory: %w", err), os.RemoveAll(scratch.path))
	}
	if err := os.Rename(scratch.path, made.path); err != nil {
		return runDirectory{}, errors.Join(usagef("making the run's directory: %w", err), os.RemoveAll(scratch.path))
	}
	return made, errors.Join(syncDir(results), pointLatest(results, info.ID))
}

// fill makes the directory with all that a run begins with.
func (d runDirectory) fill(s *sink.Sink, plan run.Plan, info runInfo) error {
	if err := os.Mkdir(d.path, 0o700); err != nil {
		return err
	}
	if err := errors.Join(writeJSON(s, d.file("plan.json"), plan), writeJSON(s, d.file("run.json"), info)); err != nil {
		return err
	}
	if _, err := setAside(d.file(".reserve")); err != nil {
		return err
	}
	journal, err := result.Create(d.file("journal.jsonl"), now)
	if err != nil {
		return err
	}
	return journal.Close()
}

// unfinishedRuns are the directories of runs that a process was about to make
// an hour ago or longer: it takes a moment, so it was killed.
func unfinishedRuns(results string) ([]string, error) {
	found, err := filepath.Glob(filepath.Join(results, scratchPrefix+"*"))
	if err != nil {
		return nil, fmt.Errorf("looking for unfinished run directories: %w", err)
	}
	return slices.DeleteFunc(found, func(dir string) bool {
		info, err := os.Lstat(dir)
		return err != nil || !info.IsDir() || now().Sub(info.ModTime()) < time.Hour
	}), nil
}

// syncDir makes names in a directory durable.
func syncDir(path string) error {
	d, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// pointLatest replaces the link in one step, so that it always leads somewhere.
func pointLatest(results, id string) error {
	scratch := filepath.Join(results, ".latest-"+id)
	if err := os.Symlink(id, scratch); err != nil {
		return fmt.Errorf("pointing results/latest to the run: %w", err)
	}
	if err := os.Rename(scratch, filepath.Join(results, "latest")); err != nil {
		return fmt.Errorf("pointing results/latest to the run: %w", err)
	}
	return nil
}

// plain refuses a plan with a secret in it. It could not be redacted, since a
// plan is what its hash says; and it is shown in every report.
func (w wiring) plain(plan run.Plan) error {
	plan.Excluded = telling(plan.Excluded)
	data, err := json.MarshalIndent(plan, "", "  ")
	if err != nil {
		return err
	}
	lines := strings.Split(string(data), "\n")
	for i, line := range strings.Split(w.sink.Text(string(data)), "\n") {
		if i >= len(lines) || line != lines[i] {
			return usagef("the plan would hold what looks like a secret: %s; a plan is kept and shown, so take it out of the matrix or the flags", strings.TrimSpace(line))
		}
	}
	return nil
}

// telling leaves out what says nothing that one before it has not said: of
// tens of thousands of excluded cells a few hundred stay.
func telling(excluded []run.Excluded) []run.Excluded {
	said := map[[2]string]bool{}
	var list []run.Excluded
	for _, e := range excluded {
		news := false
		say := func(what, text string) {
			if at := [2]string{what, text}; !said[at] {
				said[at], news = true, true
			}
		}
		for axis, value := range e.Values {
			say("axis "+axis, value)
		}
		say("rule", e.Rule)
		say("reason", e.Reason)
		say("owner", e.Owner)
		say("expires", e.Expires)
		if news {
			list = append(list, e)
		}
	}
	return list
}

func writeJSON(s *sink.Sink, path string, value any) error {
	data, err := json.MarshalIndent(value, "", "  ")
	if err != nil {
		return err
	}
	return s.WriteFile(path, append(data, '\n'))
}
