package main

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/qualify-dev/qualify/internal/planning"
	"github.com/qualify-dev/qualify/internal/release"
	"github.com/qualify-dev/qualify/internal/result"
	"github.com/qualify-dev/qualify/internal/run"
)

// since takes the cells out of a plan that nothing reaches which has changed
// since a release, where a run proved them. What cannot be compared is run.
func (o *planOptions) since(ctx context.Context, w workshop, plan run.Plan, warn func(string)) (run.Plan, error) {
	base, err := w.manifest(ctx, o.changedSince)
	if err != nil {
		return plan, err
	}
	if base == nil {
		return plan, usagef("--changed-since %s: only a release with a manifest can be compared with; build it first: qualify release build", o.changedSince)
	}
	impacts := map[string]*planning.Impact{} // by reference; nil is one that cannot be compared
	for _, cell := range plan.Cells {
		if _, again := impacts[cell.Source]; again {
			continue
		}
		rel, err := w.manifest(ctx, cell.Source)
		if err != nil {
			return plan, err
		}
		impacts[cell.Source] = nil
		switch {
		case rel == nil:
			warn(fmt.Sprintf("%s is not built yet, so that nothing can be said of what changed: its cells are all run", cell.Source))
		case rel.Channel != base.Channel:
			warn(fmt.Sprintf("%s is of another channel than %s: its cells are all run", cell.Source, o.changedSince))
		default:
			impact := planning.NewImpact(base, rel)
			impacts[cell.Source] = &impact
		}
	}
	shorter := planning.Since(plan, func(c run.PlanCell) (planning.Impact, bool) {
		if impact := impacts[c.Source]; impact != nil {
			return *impact, true
		}
		return planning.Impact{}, false
	}, proofs(o.results, warn))
	if len(shorter.Cells) == 0 {
		return plan, usagef("nothing is left to run: %s", shorter.Excluded[len(shorter.Excluded)-1].Reason)
	}
	return shorter, nil
}

// manifest reads the release that a reference names; nil where it would have
// to be built first.
func (w workshop) manifest(ctx context.Context, text string) (*release.Release, error) {
	ref, err := release.ParseRef(text)
	if err != nil {
		return nil, &usageError{err}
	}
	if ref.Kind == release.SourceRef {
		return nil, nil
	}
	return w.load(ctx, ref, release.Options{})
}

// proofs are what the runs below a directory found qualified.
func proofs(results string, warn func(string)) planning.Proofs {
	p := planning.Proofs{}
	found, _ := filepath.Glob(filepath.Join(results, "*", "verdict.json")) // sorted, and run ids begin with the time
	for _, file := range found {
		dir := filepath.Dir(file)
		if filepath.Base(dir) == "latest" || strings.HasPrefix(filepath.Base(dir), ".") {
			continue
		}
		var plan run.Plan
		var doc result.Document
		err := readJSON(filepath.Join(dir, "plan.json"), &plan)
		if err == nil {
			err = readJSON(file, &doc)
		}
		if err != nil {
			warn("a run proves nothing: " + err.Error())
			continue
		}
		p.Learn(filepath.Base(dir), plan, doc)
	}
	return p
}
