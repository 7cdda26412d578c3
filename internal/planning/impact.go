package planning

import (
	"fmt"
	"slices"
	"strings"

	"github.com/qualify-dev/qualify/internal/release"
	"github.com/qualify-dev/qualify/internal/result"
	"github.com/qualify-dev/qualify/internal/run"
)

// RuleUnchanged is the name under which a plan lists cells that have nothing of
// what changed.
const RuleUnchanged = "unchanged-since"

// besides are the components of EKS Distro that are no part of the clusters
// that are made of it: add-ons that a user installs. Everything else is in
// every cell, also what nobody has heard of yet.
func besides(component string) bool {
	return slices.Contains([]string{
		"aws-iam-authenticator", "external-attacher", "external-provisioner", "external-resizer", "external-snapshotter",
		"livenessprobe", "metrics-server", "node-driver-registrar",
	}, component)
}

// Impact is what changed between two releases, for cells.
type Impact struct {
	since, to *release.Release
	diff      release.Difference
}

// NewImpact compares a release with an earlier one.
func NewImpact(since, to *release.Release) Impact {
	return Impact{since: since, to: to, diff: release.Diff(since, to)}
}

// Reaches says which of the changes are in a cell of these values: the
// components, in order. None of them can change what the cell shows where the
// list is empty.
func (i Impact) Reaches(values map[string]string) []string {
	var reached []string
	for _, impacted := range i.diff.Impacted {
		if !besides(impacted.Component) && i.concerns(impacted.Component, values["arch"]) {
			reached = append(reached, impacted.Component)
		}
	}
	for _, c := range i.diff.Components {
		if c.Change == release.Removed && !besides(c.Name) {
			reached = append(reached, c.Name)
		}
	}
	slices.Sort(reached)
	return slices.Compact(reached)
}

// concerns says whether what changed of a component is on an architecture, ""
// being any. A component with another version is another one everywhere.
func (i Impact) concerns(component, arch string) bool {
	if slices.ContainsFunc(i.diff.Components, func(c release.ComponentChange) bool { return c.Name == component }) {
		return true
	}
	own := 0
	for _, change := range i.diff.Assets {
		if change.Component != component {
			continue
		}
		own++
		if i.on(change.Name, arch) {
			return true
		}
	}
	return own == 0 // impacted by what others did
}

// on says whether an asset is for Linux on an architecture, as far as its
// releases say what it is for.
func (i Impact) on(name, arch string) bool {
	known := false
	for _, r := range []*release.Release{i.since, i.to} {
		a, err := r.Asset(name)
		if err != nil {
			continue
		}
		known = true
		system := a.OS == "" || a.OS == "linux"
		machine := arch == "" || len(a.Arch) == 0 || slices.Contains(a.Arch, arch)
		if system && machine {
			return true
		}
	}
	return !known
}

// Changed lists what did change, for people: the names of all components.
func (i Impact) Changed() []string {
	var names []string
	for _, c := range i.diff.Components {
		names = append(names, c.Name)
	}
	for _, a := range i.diff.Assets {
		names = append(names, a.Component)
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// Proofs are what earlier runs found qualified: the last run of each.
type Proofs map[proof]string

// proof is a suite in a cell, with all that it was measured by.
type proof struct {
	cell, digest, suite string // digest of the release
	workers             int
	policy              string // its hash
}

// Learn takes a run in: its plan, and what it came to. A verdict on another
// plan proves nothing, and neither does a suite that was cut down.
func (p Proofs) Learn(runID string, plan run.Plan, doc result.Document) {
	if plan.Check() != nil || doc.Plan.Hash != plan.Hash {
		return
	}
	qualified := map[string]bool{}
	for _, cell := range doc.Cells {
		qualified[cell.ID] = cell.Verdict == result.Qualified
	}
	for _, cell := range plan.Cells {
		for _, s := range cell.Suites {
			if qualified[cell.ID] && !s.Narrowed() {
				p[proof{cell.ID, cell.Release.Digest, suiteKey(s), plan.Workers, doc.Policy.Hash}] = runID
			}
		}
	}
}

// suiteKey is a suite with its mode: a slice of conformance is no proof of all of it.
func suiteKey(s result.PlanSuite) string { return names([]result.PlanSuite{s})[0] }

// of is the run that found a cell of a plan qualified with a release, in every
// suite that is planned for it now, with as many workers and by the same policy.
func (p Proofs) of(plan run.Plan, cell run.PlanCell, digest string) (runID string, ok bool) {
	for _, s := range cell.Suites {
		runID, ok = p[proof{cell.ID, digest, suiteKey(s), plan.Workers, plan.Measure().Hash()}]
		if !ok || s.Narrowed() {
			return "", false
		}
	}
	return runID, len(cell.Suites) > 0
}

// Unchanged says of a cell of a plan why it need not be run: nothing of it has
// changed, and an earlier run proved it. "" is a cell that has to be run.
func (i Impact) Unchanged(plan run.Plan, cell run.PlanCell, p Proofs) string {
	if cell.Required || len(i.Reaches(cell.Values)) > 0 {
		return ""
	}
	runID, ok := p.of(plan, cell, i.since.Digest())
	if !ok {
		return ""
	}
	what := "nothing at all has"
	if changed := i.Changed(); len(changed) > 0 {
		what = "only " + strings.Join(changed, ", ") + " did"
	}
	return fmt.Sprintf("nothing of this cell has changed since %s, %s; run %s found it qualified", i.since.Name, what, runID)
}

// Since takes the cells out of a plan that an impact does not reach, and lists
// them as excluded, with the runs that proved them. of gives the impact on a
// cell; without one the cell is run.
func Since(plan run.Plan, of func(run.PlanCell) (Impact, bool), p Proofs) run.Plan {
	cells := plan.Cells
	plan.Cells, plan.Excluded = nil, slices.Clone(plan.Excluded)
	for _, cell := range cells {
		why := ""
		if impact, ok := of(cell); ok {
			why = impact.Unchanged(plan, cell, p)
		}
		if why == "" {
			plan.Cells = append(plan.Cells, cell)
			continue
		}
		plan.Excluded = append(plan.Excluded, run.Excluded{Values: cell.Values, Rule: RuleUnchanged, Reason: why})
	}
	return plan
}
