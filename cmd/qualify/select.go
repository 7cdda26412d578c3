package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/qualify-dev/qualify/internal/provision"
	"github.com/qualify-dev/qualify/internal/provision/existing"
	"github.com/qualify-dev/qualify/internal/release"
	"github.com/qualify-dev/qualify/internal/result"
	"github.com/qualify-dev/qualify/internal/run"
	"github.com/qualify-dev/qualify/internal/strict"
	"github.com/qualify-dev/qualify/matrix"
	"github.com/qualify-dev/qualify/matrix/policy"
	"github.com/qualify-dev/qualify/suites"
)

// choice is what the flags say of which cells are meant, and how they are to be
// qualified. It means the same to every verb that takes it.
type choice struct {
	os, k8s, provisioner, suites []string
	containerd                   []string
	selectors, only              []string
	file, release, tier, asOf    string
	policy, baseURL              string
	conformance, focus, skip     string
	testImages                   string
	backend                      string
	plugins                      []string          // files
	definitions                  map[string]string // of plugins, by the names of their suites
	workers, retries, reruns     int
	clusters                     int
	allowUnbound, forceInvalid   bool
	imageRegistry                string
	strength                     int
	seed                         uint64
	optimize                     time.Duration
}

func (c *choice) flags(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringSliceVar(&c.os, "os", nil, "operating systems, by name or family (repeatable, comma-separated)")
	f.StringSliceVar(&c.k8s, "k8s", nil, "Kubernetes versions: 1.34, v1.34.4, latest, n-1 (repeatable, comma-separated)")
	f.StringSliceVar(&c.containerd, "containerd", nil, "container runtimes: os (the operating system's own), or a version (repeatable, comma-separated)")
	f.StringSliceVar(&c.provisioner, "provisioner", nil, "provisioners (repeatable, comma-separated)")
	f.BoolVar(&c.forceInvalid, "force-invalid", false, "also run cells that cannot be, to see them fail for their reason")
	f.StringArrayVarP(&c.selectors, "selector", "l", nil, "values of any axis: arch=amd64, os!=debian-11 (repeatable, comma-separated)")
	f.StringSliceVar(&c.only, "only", nil, "cells, by their ids in qualify plan, or beginnings of them (repeatable, comma-separated)")
	f.StringVar(&c.tier, "tier", "", "only values of this tier and smaller ones: quick, gate or full")
	f.StringVar(&c.asOf, "as-of", "", "the day to choose for, yyyy-mm-dd: what is supported, which exclusions hold (default: today)")
	f.IntVar(&c.strength, "strength", 0, "reduce to few cells that have all pairs (2) or triples (3) of values (default: the tier's, else every cell)")
	f.DurationVar(&c.optimize, "optimize", 0, "with --strength, go on looking for fewer cells for so long")
	f.Uint64Var(&c.seed, "seed", 1, "with --strength, where the search begins: the same seed gives the same cells")
	f.StringSliceVar(&c.suites, "suite", nil, "suites to run instead of the matrix's (repeatable, comma-separated)")
	f.StringVar(&c.conformance, "conformance", "", "how the conformance suite is run: quick (a fixed slice, the default), full (all of it), certified (all of it, one after the other, with the files of a submission)")
	f.StringVar(&c.focus, "focus", "", "of the conformance suite, run only the tests that match this regular expression; it is not complete then")
	f.StringVar(&c.skip, "skip", "", "of the conformance suite, leave out the tests that match this regular expression; it is not complete then")
	testImagesFlag(cmd, &c.testImages)
	f.StringVar(&c.backend, "backend", "", "where the specs of the conformance suite are run from: direct (this machine, the default), pod (the release's conformance image in the cluster), sonobuoy (the same, as a plugin of Sonobuoy's)")
	f.StringArrayVar(&c.plugins, "plugin", nil, "also run the Sonobuoy plugin that is defined in this file, as a suite of its own (repeatable)")
	f.StringVarP(&c.file, "file", "f", "", "matrix file, or the name of a shipped one: "+strings.Join(matrix.Shipped(), ", ")+" (default: default)")
	f.StringVar(&c.release, "release", "", "qualify this release: a manifest, the directory that holds it, an https URL, eks-d:1-34-21, eks-d:1-34 or source:v1.34.4")
	baseURLFlag(cmd, &c.baseURL)
	imageRegistryFlag(cmd, &c.imageRegistry)
	allowUnboundFlag(cmd, &c.allowUnbound)
	policyFlag(cmd, &c.policy, "policy file: what is tolerated (default: nothing, matrix/policy/default.yaml)")
	f.IntVar(&c.workers, "workers", 0, "worker nodes beside the control plane (default: the matrix's)")
	f.IntVar(&c.clusters, "clusters", 1, "with --conformance full, spread the tests of each cell over so many clusters")
	f.IntVar(&c.retries, "retries", 1, "how often a cell is tried again, with new resources, after a fault of the infrastructure")
	f.IntVar(&c.reruns, "reruns", 1, "how often a test that did not pass is tried again, unless more than 10 did not; that it passed only then is counted")
}

// request is the choice in the matrix's words.
func (c *choice) request() (matrix.Request, error) {
	r := matrix.Request{Tier: c.tier, Only: c.only, AsOf: c.asOf, Force: c.forceInvalid}
	if r.AsOf == "" {
		r.AsOf = now().UTC().Format("2006-01-02")
	}
	for axis, wanted := range map[string][]string{matrix.OS: c.os, matrix.K8s: c.k8s, matrix.Provisioner: c.provisioner, matrix.Containerd: c.containerd} {
		for _, value := range wanted {
			r.Add(matrix.Label{Axis: axis, Value: value})
		}
	}
	for _, text := range c.selectors {
		labels, err := matrix.ParseLabels(text)
		if err != nil {
			return r, &usageError{err}
		}
		for _, label := range labels {
			r.Add(label)
		}
	}
	return r, nil
}

// mostClusters bounds what a slip of the finger can ask for.
const mostClusters = 64

// selected is what the flags select of a matrix.
type selected struct {
	matrix *matrix.Matrix
	matrix.Expansion
	whole     matrix.Expansion // before a reduction, and before what cannot be made here was set aside
	chosen    int              // cells that are meant to be run, here or elsewhere
	guarantee *run.Guarantee
	request   matrix.Request
	suites    []string
	entries   map[string]provision.Entry
	absent    []run.Absent // selected, and not possible on this machine
	policy    *policy.File // nil is the default
	unknown   []error      // suites, and ways to run them, that there are not
	// blocked says of cells, by their ids, why this program cannot run them on
	// this machine.
	blocked map[string]error
}

func (s selected) warnings() []strict.Problem {
	return slices.Concat(s.matrix.Warnings, s.Warnings)
}

// selectCells reads the matrix and applies the flags. Nothing is created, and
// every name is checked before anything costs time.
func (o *runOptions) selectCells(ctx context.Context, w workshop) (selected, error) {
	if err := o.how.settle(); err != nil {
		return selected{}, err
	}
	s, err := o.chooseCells(ctx, w)
	if err != nil {
		return s, err
	}
	if err := s.setAside(); err != nil {
		return s, err
	}
	return s, o.selectPolicy(&s)
}

// setAside refuses what cannot be run, everything at once. What another machine
// could run is left out of the plan and named in it, as long as anything is left
// to run here.
func (s *selected) setAside() error {
	problems := slices.Clone(s.unknown)
	var possible []matrix.Cell
	for _, cell := range s.Cells {
		err := s.blocked[cell.ID]
		var here *provision.UnsupportedError
		switch {
		case errors.As(err, &here):
			s.absent = append(s.absent, run.Absent{Cell: cell, Reason: here.Error()})
		case err != nil:
			problems = append(problems, fmt.Errorf("cell %s: %w", cell.ID, err))
		default:
			possible = append(possible, cell)
		}
	}
	if s.Cells = possible; len(possible) == 0 {
		for _, a := range s.absent {
			problems = append(problems, fmt.Errorf("cell %s: %s", a.Cell.ID, a.Reason))
		}
	}
	return usage(errors.Join(problems...))
}

// leftOut says which of the selected cells will not be run, and which ones
// should not be, a line each.
func (s selected) leftOut() []string {
	var lines []string
	for _, cell := range s.Cells {
		if why, forced := s.Forced[cell.ID]; forced {
			lines = append(lines, fmt.Sprintf("forced: %s: %s (validity/%s)", cell.ID, why.Text, why.Rule))
		}
	}
	for _, e := range s.Excluded {
		lines = append(lines, fmt.Sprintf("left out: %s: %s (%s)", e.ID(), e.Reason(), e.By()))
	}
	for _, a := range s.absent {
		lines = append(lines, fmt.Sprintf("left out: %s: %s", a.Cell.ID, a.Reason))
	}
	return lines
}

// chooseCells is selectCells without what concerns this machine.
func (o *runOptions) chooseCells(ctx context.Context, w workshop) (selected, error) {
	if o.workers < 0 || o.retries < 0 || o.reruns < 0 {
		return selected{}, usagef("--workers, --retries and --reruns cannot be negative")
	}
	if o.clusters < 1 || o.clusters > mostClusters {
		return selected{}, usagef("--clusters is %d, and is 1 to %d", o.clusters, mostClusters)
	}
	if o.clusters > 1 && o.conformance != "full" {
		return selected{}, usagef("--clusters goes with --conformance full: the other ways to run it belong on one cluster")
	}
	if err := o.readPlugins(); err != nil {
		return selected{}, err
	}
	m, err := o.loadMatrix()
	if err != nil {
		return selected{}, err
	}
	if o.release != "" {
		if m, err = o.withRelease(ctx, w, m); err != nil {
			return selected{}, err
		}
	}
	if m, err = o.withCluster(m); err != nil {
		return selected{}, err
	}
	r, err := o.request()
	if err != nil {
		return selected{}, err
	}
	expansion, err := m.Select(r)
	if err != nil {
		return selected{}, &usageError{elsewhere(err, m)}
	}
	s := selected{matrix: m, Expansion: expansion, whole: expansion, request: r, suites: o.suiteNames(m), entries: map[string]provision.Entry{}}
	if err := o.reduce(ctx, &s); err != nil {
		return selected{}, err
	}
	s.chosen = len(s.Cells)
	o.check(&s)
	return s, nil
}

// elsewhere adds, to an error about a value that a matrix does not have, which
// shipped matrix has it.
func elsewhere(err error, m *matrix.Matrix) error {
	for _, unknown := range unknownValues(err) {
		for _, name := range matrix.Shipped() {
			data, file, _ := matrix.ShippedFile(name)
			other, loadErr := matrix.Load(file, data)
			if loadErr == nil && file != m.File && other.Serves(unknown.Axis, unknown.Value) {
				err = fmt.Errorf("%w\n%s has %s %s: add -f %s", err, file, unknown.Axis, unknown.Value, name)
			}
		}
	}
	return err
}

// unknownValues are all that an error is about, joined or not.
func unknownValues(err error) []*matrix.UnknownValueError {
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		var all []*matrix.UnknownValueError
		for _, one := range joined.Unwrap() {
			all = append(all, unknownValues(one)...)
		}
		return all
	}
	var unknown *matrix.UnknownValueError
	if errors.As(err, &unknown) {
		return []*matrix.UnknownValueError{unknown}
	}
	return nil
}

func (o *runOptions) loadMatrix() (*matrix.Matrix, error) {
	data, name := matrix.Default()
	if shipped, file, ok := matrix.ShippedFile(o.file); ok {
		data, name = shipped, file
	} else if o.file != "" {
		read, err := os.ReadFile(o.file)
		if err != nil {
			return nil, usagef("reading the matrix: %w", err)
		}
		data, name = read, o.file
	}
	m, err := matrix.Load(name, data)
	if err != nil {
		return nil, &usageError{err}
	}
	return m, nil
}

// withRelease reads the version of a release that the catalog does not know.
// What it refers to from then on is fixed: the latest of a channel is another
// one tomorrow.
func (o *runOptions) withRelease(ctx context.Context, w workshop, m *matrix.Matrix) (*matrix.Matrix, error) {
	ref, err := release.ParseRef(o.release)
	if err != nil {
		return nil, &usageError{err}
	}
	if ref.Kind == release.SourceRef {
		return m.WithRelease(ref.Value, o.release), nil
	}
	rel, err := w.load(ctx, ref, release.Options{})
	if err != nil {
		return nil, err
	}
	if ref.Kind == release.ChannelRef {
		o.release = fmt.Sprintf("%s-%d", o.release, rel.Number)
	}
	return m.WithRelease(rel.Kubernetes(), o.release), nil
}

// withCluster makes the cells those of the user's own cluster, where one is
// named. No matrix has it: it is nobody's default.
func (o *runOptions) withCluster(m *matrix.Matrix) (*matrix.Matrix, error) {
	asked := slices.Contains(o.provisioner, existing.Name)
	switch {
	case asked && o.how.Kubeconfig == "":
		return nil, usagef("which cluster? --provisioner %s needs --kubeconfig FILE; no variable and no other file is looked at", existing.Name)
	case !asked && o.how.Kubeconfig != "":
		return nil, usagef("--kubeconfig names a cluster of yours: say so with --provisioner %s", existing.Name)
	case !asked:
		return m, nil
	case len(o.provisioner) > 1:
		return nil, usagef("--provisioner %s serves a cluster of yours, and goes with no other", existing.Name)
	}
	path, err := filepath.Abs(o.how.Kubeconfig)
	if err == nil {
		_, err = os.Stat(path)
	}
	if err != nil {
		return nil, usagef("--kubeconfig: %w", err)
	}
	o.how.Kubeconfig = path
	return m.WithProvisioner(existing.Name), nil
}

// suiteNames are those of the command line, else the tier's, else the matrix's.
func (o *runOptions) suiteNames(m *matrix.Matrix) []string {
	names := m.Suites
	if own := m.Tiers[o.tier].Suites; len(own) > 0 {
		names = own
	}
	if len(o.suites) > 0 {
		names = o.suites
	}
	for _, plugin := range slices.Sorted(maps.Keys(o.definitions)) {
		if !slices.Contains(names, plugin) {
			names = append(slices.Clone(names), plugin)
		}
	}
	return names
}

// readPlugins reads the definitions of plugins. A plan has them whole, so that it means
// the same when the files are others.
func (c *choice) readPlugins() error {
	c.definitions = map[string]string{}
	var problems []error
	for _, file := range c.plugins {
		text, err := os.ReadFile(file)
		name := ""
		if err == nil {
			name, err = suites.PluginName(text)
		}
		if err == nil && c.definitions[name] != "" {
			err = fmt.Errorf("another file defines %s too", name)
		}
		if err != nil {
			problems = append(problems, fmt.Errorf("--plugin %s: %w", file, err))
			continue
		}
		c.definitions[name] = string(text)
	}
	return usage(errors.Join(problems...))
}

// modes says how suites are run, where the flags say so.
func (c *choice) modes() map[string]result.SuiteMode {
	mode := result.SuiteMode{Mode: c.conformance, Focus: c.focus, Skip: c.skip, Backend: c.backend}
	modes := map[string]result.SuiteMode{}
	if mode != (result.SuiteMode{}) {
		modes[conformanceSuite] = mode
	}
	for name, text := range c.definitions {
		modes[name] = result.SuiteMode{Plugin: text}
	}
	return modes
}

// checkModes finds out what is wrong with how suites are to be run.
func (o *runOptions) checkModes(s *selected) {
	if err := o.checkImages(); err != nil {
		s.unknown = append(s.unknown, err)
	}
	for _, name := range s.suites {
		if suites.IsPlugin(name) && o.definitions[name] == "" {
			s.unknown = append(s.unknown, fmt.Errorf("suite %s is a plugin: which? give its definition with --plugin FILE", name))
		}
	}
	modes := o.modes()
	if _, asked := modes[conformanceSuite]; !asked {
		return
	}
	if !slices.Contains(s.suites, conformanceSuite) {
		s.unknown = append(s.unknown, fmt.Errorf("--conformance, --focus, --skip and --backend say how the suite %s is run, but it is not selected", conformanceSuite))
		return
	}
	suite, err := o.w.suite(conformanceSuite)
	if err != nil {
		return // it was said of the suite
	}
	if _, err := suite.In(o.conformance); err != nil {
		s.unknown = append(s.unknown, fmt.Errorf("--conformance: %w", err))
	}
	if _, err := suite.By(o.backend); err != nil {
		s.unknown = append(s.unknown, fmt.Errorf("--backend: %w", err))
	}
	if _, err := modes[conformanceSuite].Selected(nil); err != nil {
		s.unknown = append(s.unknown, err)
	}
}

// check finds out which suites there are not, and which cells cannot be run
// here.
func (o *runOptions) check(s *selected) {
	for _, name := range s.suites {
		if _, err := o.w.suite(name); err != nil {
			s.unknown = append(s.unknown, err)
		}
	}
	o.checkModes(s)
	s.blocked = map[string]error{}
	unknown := map[string]error{}
	for _, cell := range s.Cells {
		// Looking a provisioner up measures the machine: once is enough.
		name := cell.Value(matrix.Provisioner)
		entry, found := s.entries[name]
		err := unknown[name]
		if !found && err == nil {
			if entry, err = o.w.entry(name); err == nil {
				s.entries[name] = entry
			}
			unknown[name] = err
		}
		if err == nil {
			err = entry.Can(cell)
		}
		if err != nil {
			s.blocked[cell.ID] = err
		}
	}
}
