package main

import (
	"errors"
	"fmt"
	"os"

	"github.com/qualify-dev/qualify/internal/provision"
	"github.com/qualify-dev/qualify/internal/release"
	"github.com/qualify-dev/qualify/matrix"
	"github.com/qualify-dev/qualify/matrix/policy"
)

// selected is what the flags select of a matrix.
type selected struct {
	matrix   *matrix.Matrix
	cells    []matrix.Cell
	excluded []matrix.Excluded
	entries  map[string]provision.Entry
	policy   *policy.File // nil is the default
}

// selectCells reads the matrix and applies the flags. Nothing is created, and
// every name is checked before anything costs time.
func (o *runOptions) selectCells() (selected, error) {
	if o.workers < 0 || o.retries < 0 {
		return selected{}, usagef("--workers and --retries cannot be negative")
	}
	if err := o.how.settle(); err != nil {
		return selected{}, err
	}
	m, err := o.loadMatrix()
	if err != nil {
		return selected{}, err
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
	if err := o.check(s); err != nil {
		return s, err
	}
	return s, o.selectPolicy(&s)
}

func (o *runOptions) loadMatrix() (*matrix.Matrix, error) {
	data, name := matrix.Default()
	if o.file != "" {
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
func (o *runOptions) check(s selected) error {
	var problems []error
	for _, name := range o.suiteNames(s.matrix) {
		if _, err := o.w.suite(name); err != nil {
			problems = append(problems, err)
		}
	}
	for _, cell := range s.cells {
		entry, err := o.w.entry(cell.Value(matrix.Provisioner))
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
