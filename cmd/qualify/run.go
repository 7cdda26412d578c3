package main

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/spf13/cobra"

	"github.com/qualify-dev/qualify/internal/identity"
	"github.com/qualify-dev/qualify/internal/provision"
	"github.com/qualify-dev/qualify/internal/provision/all"
	"github.com/qualify-dev/qualify/internal/release"
	"github.com/qualify-dev/qualify/internal/result"
	"github.com/qualify-dev/qualify/internal/run"
	"github.com/qualify-dev/qualify/matrix"
	"github.com/qualify-dev/qualify/suites"
)

// runOptions are the flags of run.
type runOptions struct {
	os, k8s, provisioner, suites []string
	file, release, results       string
	workers, procs               int
	keep, collect                bool
}

func newRunCommand() *cobra.Command {
	var o runOptions
	cmd := &cobra.Command{
		Use:   "run",
		Short: "Qualify the selected cells of the matrix (also what happens without a verb)",
		Example: `  qualify --os debian-12 --k8s 1.34
  qualify --os debian --k8s 1.33,1.34 --keep
  qualify --os debian-12 --release ./candidate/kubernetes-v1.34.4-source.yaml`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return o.run(cmd) },
	}
	f := cmd.Flags()
	f.StringSliceVar(&o.os, "os", nil, "operating systems, by name or family (repeatable, comma-separated)")
	f.StringSliceVar(&o.k8s, "k8s", nil, "Kubernetes versions: 1.34, v1.34.4, latest, n-1 (repeatable, comma-separated)")
	f.StringSliceVar(&o.provisioner, "provisioner", nil, "provisioners (repeatable, comma-separated)")
	f.StringSliceVar(&o.suites, "suite", nil, "suites to run instead of the matrix's (repeatable, comma-separated)")
	f.StringVarP(&o.file, "file", "f", "", "matrix file (default: the shipped matrix/default.yaml)")
	f.StringVar(&o.release, "release", "", "qualify this release: a manifest, the directory that holds it, or source:v1.34.4")
	f.StringVar(&o.results, "results", "results", "directory for results")
	f.IntVar(&o.workers, "workers", 0, "worker nodes beside the control plane (default: the matrix's)")
	f.IntVar(&o.procs, "procs", 6, "processes of a suite; specs mostly wait, so more than cores is right")
	f.BoolVar(&o.keep, "keep", false, "keep the clusters, and say how to reach and how to remove them")
	f.BoolVar(&o.collect, "collect", false, "collect the nodes' logs of passing cells too")
	return cmd
}

// selected is what the flags select of a matrix.
type selected struct {
	matrix   *matrix.Matrix
	cells    []matrix.Cell
	excluded []matrix.Excluded
	entries  map[string]provision.Entry
}

// selectCells reads the matrix and applies the flags. Nothing is created, and
// every name is checked before anything costs time.
func (o *runOptions) selectCells() (selected, error) {
	data, name := matrix.Default()
	if o.file != "" {
		read, err := os.ReadFile(o.file)
		if err != nil {
			return selected{}, usagef("reading the matrix: %w", err)
		}
		data, name = read, o.file
	}
	m, err := matrix.Load(name, data)
	if err != nil {
		return selected{}, &usageError{err}
	}
	if o.release != "" {
		if m, err = o.withRelease(m); err != nil {
			return selected{}, err
		}
	}
	selection := matrix.Selection{}
	for axis, wanted := range map[string][]string{matrix.OS: o.os, matrix.K8s: o.k8s, matrix.Provisioner: o.provisioner} {
		if len(wanted) > 0 {
			selection[axis] = wanted
		}
	}
	cells, excluded, err := m.Expand(selection, now().UTC().Format("2006-01-02"))
	if err != nil {
		return selected{}, &usageError{err}
	}
	s := selected{matrix: m, cells: cells, excluded: excluded, entries: map[string]provision.Entry{}}
	return s, s.check(o.suiteNames(m))
}

// withRelease reads the version of a release that the catalog does not know.
func (o *runOptions) withRelease(m *matrix.Matrix) (*matrix.Matrix, error) {
	ref, err := release.ParseRef(o.release)
	if err != nil {
		return nil, &usageError{err}
	}
	if ref.Kind == release.SourceRef {
		return m.WithRelease(ref.Value, o.release), nil
	}
	rel, err := release.Load(ref, release.Options{})
	if err != nil {
		return nil, &usageError{err}
	}
	return m.WithRelease(rel.Kubernetes(), o.release), nil
}

func (o *runOptions) suiteNames(m *matrix.Matrix) []string {
	if len(o.suites) > 0 {
		return o.suites
	}
	return m.Suites
}

// check refuses what cannot be run, everything at once.
func (s selected) check(suiteNames []string) error {
	var problems []error
	for _, name := range suiteNames {
		if _, err := suites.Find(name); err != nil {
			problems = append(problems, err)
		}
	}
	for _, cell := range s.cells {
		entry, err := all.Find(cell.Value(matrix.Provisioner))
		if err == nil {
			s.entries[entry.Name] = entry
			err = entry.Can(cell)
		}
		if err != nil {
			problems = append(problems, fmt.Errorf("cell %s: %w", cell.ID, err))
		}
	}
	if len(problems) > 0 {
		return &usageError{errors.Join(problems...)}
	}
	return nil
}

func (o *runOptions) run(cmd *cobra.Command) error {
	ctx := cmd.Context()
	chosen, err := o.selectCells()
	if err != nil {
		return err
	}
	if o.workers < 0 || o.procs < 1 {
		return usagef("--workers and --procs cannot be negative, --procs not zero")
	}
	ui := newConsole(cmd.ErrOrStderr())
	defer ui.close()
	for _, warning := range chosen.matrix.Warnings {
		ui.line("warning: " + warning.String())
	}
	w, err := newWorkshop()
	if err != nil {
		return err
	}
	plan, releases, err := o.compile(ctx, w, chosen, ui)
	if err != nil {
		return err
	}
	dir, err := newRunDirectory(o.results, plan, cmd)
	if err != nil {
		return err
	}
	if err := o.execute(ctx, w, plan, releases, dir, ui); err != nil {
		return err
	}
	ui.close()
	return conclude(cmd, dir)
}

// compile resolves the releases, which may mean building them, and compiles
// the plan.
func (o *runOptions) compile(ctx context.Context, w workshop, s selected, ui *console) (run.Plan, map[string]*release.Release, error) {
	byVersion, byDigest := map[string]*release.Release{}, map[string]*release.Release{}
	for _, cell := range s.cells {
		version := cell.Value(matrix.K8s)
		if byVersion[version] != nil {
			continue
		}
		value, ok := s.matrix.Value(matrix.K8s, version)
		if !ok || value.Release == "" {
			return run.Plan{}, nil, usagef("the matrix does not say where the release of Kubernetes %s comes from", version)
		}
		rel, err := w.resolve(ctx, value.Release, ui.step)
		if err != nil {
			return run.Plan{}, nil, err
		}
		byVersion[version], byDigest[rel.Digest()] = rel, rel
	}
	workers := o.workers
	if workers == 0 {
		workers = s.matrix.Workers
	}
	plan, err := run.Compile(run.Compilation{
		Cells: s.cells, Excluded: s.excluded, Workers: workers, Suites: o.suiteNames(s.matrix), Releases: byVersion, Entries: s.entries, Suite: suites.Find,
	})
	if err != nil {
		return run.Plan{}, nil, &usageError{err}
	}
	return plan, byDigest, nil
}

func (o *runOptions) execute(ctx context.Context, w workshop, plan run.Plan, releases map[string]*release.Release, dir runDirectory, ui *console) error {
	var names []string
	for _, c := range plan.Cells {
		names = append(names, c.Values[matrix.Provisioner])
	}
	provisioners, err := w.provisioners(names, func(format string, args ...any) { ui.line(fmt.Sprintf(format, args...)) })
	if err != nil {
		return err
	}
	journal, err := result.Create(dir.file("journal.jsonl"), now)
	if err != nil {
		return err
	}
	ui.begin(dir.id, plan)
	err = run.Execute(ctx, plan, run.Deps{
		Run: dir.id, Dir: dir.path, Owner: owner(), Journal: journal, Provisioners: provisioners, Releases: releases, Suite: suites.Find,
		Prover: identity.Prover{Artifact: w.artifact, Arch: runtime.GOARCH}, Artifact: w.artifact, Tool: tool,
		Procs: o.procs, Keep: o.keep, Collect: o.collect, Now: now, Observe: ui.event,
	})
	return errors.Join(err, journal.Close())
}

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
}

// newRunDirectory makes results/<run-id>, saves the plan there and points
// results/latest to it.
func newRunDirectory(results string, plan run.Plan, cmd *cobra.Command) (runDirectory, error) {
	random := make([]byte, 4)
	if _, err := rand.Read(random); err != nil {
		return runDirectory{}, err
	}
	id := run.NewID(now(), hex.EncodeToString(random))
	path, err := filepath.Abs(filepath.Join(results, id))
	if err != nil {
		return runDirectory{}, err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return runDirectory{}, usagef("making the results directory: %w", err)
	}
	if err := os.Mkdir(path, 0o700); err != nil {
		return runDirectory{}, usagef("making the run's directory: %w", err)
	}
	d := runDirectory{id: id, path: path}
	info := runInfo{ID: id, Tool: "qualify " + version, Command: "qualify " + strings.Join(quoted(os.Args[1:]), " "), Host: hostFacts(cmd.Context())}
	if err := errors.Join(writeJSON(d.file("plan.json"), plan), writeJSON(d.file("run.json"), info)); err != nil {
		return runDirectory{}, err
	}
	return d, pointLatest(filepath.Dir(path), id)
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

func writeJSON(path string, value any) error {
	data, err := json.MarshalIndent(value, "", "  ")
	if err != nil {
		return err
	}
	return writeFile(path, append(data, '\n'))
}
