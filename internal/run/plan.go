// Package run compiles a plan (pure) and executes it: the loop that brings a
// cell's cluster up, proves what it runs, runs the suites and tears it down,
// with every step journalled before it is shown or acted on. It knows no
// flags, no terminal, no file format of a report and no concrete provisioner.
package run

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"time"

	"github.com/qualify-dev/qualify/internal/provision"
	"github.com/qualify-dev/qualify/internal/release"
	"github.com/qualify-dev/qualify/internal/result"
	"github.com/qualify-dev/qualify/matrix"
	"github.com/qualify-dev/qualify/suites"
)

// Plan is what will be run, as plain data: saved before anything is created.
type Plan struct {
	APIVersion string  `json:"apiVersion"` // "qualify/v1"
	Kind       string  `json:"kind"`       // "Plan"
	Hash       string  `json:"hash"`       // of everything below
	Workers    int     `json:"workers"`    // beside the control plane, in every cluster
	Budgets    Budgets `json:"budgets"`
	// Retries is how often a cell is tried again, with new resources, after a
	// fault of the infrastructure.
	Retries int `json:"retries,omitempty"`
	// Reruns is how often a case that did not pass is tried again.
	Reruns int `json:"reruns,omitempty"`
	// Sources says where each release was taken from, by its digest, so that a
	// resumed run can take it from there again.
	Sources map[string]string `json:"sources,omitempty"`
	// Policy is what the run is judged by, so that the hash covers it too. Plans
	// from before there were policy files have none.
	Policy result.Policy `json:"policy,omitzero"`
	// Unbound are the assets of the releases for which they have no digest.
	Unbound []string `json:"unbound,omitempty"`
	// From is the hash of the saved plan that this one executes, "" of others.
	From string `json:"from,omitempty"`
	// AsOf is the day (yyyy-mm-dd) for which the cells were chosen, and Matrix
	// the file. Plans from before this was kept have neither.
	AsOf   string `json:"asOf,omitempty"`
	Matrix string `json:"matrix,omitempty"`
	// Clusters is over how many clusters each cell is spread, or is still to
	// be; 0 and 1 are the same.
	Clusters int `json:"clusters,omitempty"`
	// Shard is which part of a larger plan this is, e.g. "2/5", or "".
	Shard string `json:"shard,omitempty"`
	// Guarantee says what the cells stand for. Plans from before this was kept
	// have none.
	Guarantee *Guarantee `json:"guarantee,omitempty"`
	Cells     []PlanCell `json:"cells"`
	Excluded  []Excluded `json:"excluded"`
}

// PlanCell is one cell of a plan.
type PlanCell struct {
	ID      string             `json:"id"`
	Values  map[string]string  `json:"values"`
	Release result.ReleaseRef  `json:"release,omitzero"` // absent where it has still to be built or fetched
	Suites  []result.PlanSuite `json:"suites"`           // without expected cases where the release is absent
	// Components are what the nodes are given beside the release.
	Components []result.ComponentRef `json:"components,omitempty"`
	// Forced is why the cell cannot be, where it is run all the same.
	Forced string `json:"forced,omitempty"`
	Source string `json:"source,omitempty"` // where the release is to be taken from
	// Required says that a rule of the matrix wants the cell in every plan.
	Required bool      `json:"required,omitempty"`
	Blocked  string    `json:"blocked,omitempty"` // why the program that made the plan could not run it there
	Estimate *Estimate `json:"estimate,omitempty"`
}

// Estimate is what a cell is expected to cost, and how that is known.
type Estimate struct {
	Seconds int     `json:"seconds"`
	USD     float64 `json:"usd"`
	Source  string  `json:"source"`
}

// Guarantee says what the cells of a plan stand for: of the combinations of so
// many values that can be at all, how many are in one of its cells, and which
// are not. With a strength of the number of axes a combination is a cell.
type Guarantee struct {
	Strength  int                 `json:"strength"`
	Covered   int                 `json:"covered"`
	Total     int                 `json:"total"`
	Uncovered []map[string]string `json:"uncovered"`
}

// Excluded is a cell that a rule removed.
type Excluded struct {
	Values  map[string]string `json:"values"`
	Rule    string            `json:"rule"` // file:line, RuleHost, or validity/<rule> where the cell cannot be
	Reason  string            `json:"reason"`
	Owner   string            `json:"owner"`
	Expires string            `json:"expires"`
}

// Absent is a selected cell that cannot be made on this machine, and why.
type Absent struct {
	Cell   matrix.Cell
	Reason string
}

// RuleHost is what takes such cells out of a plan.
const RuleHost = "host"

// Budgets bounds the phases of a cell, in seconds. A phase that needs longer
// is ended, and what it had not shown by then is missing.
type Budgets struct {
	Up       int `json:"up"` // node image included
	Identify int `json:"identify"`
	Suite    int `json:"suite"` // each
	Collect  int `json:"collect"`
	Down     int `json:"down"`
}

// DefaultBudgets are several times what the phases take on two slow cores.
func DefaultBudgets() Budgets {
	return Budgets{Up: 30 * 60, Identify: 3 * 60, Suite: 45 * 60, Collect: 3 * 60, Down: 4 * 60}
}

func seconds(n int) time.Duration { return time.Duration(n) * time.Second }

// Compilation is what a plan is compiled from.
type Compilation struct {
	Cells    []matrix.Cell
	Excluded []matrix.Excluded
	// Forced says of cells, by their ids, why they cannot be.
	Forced  map[string]matrix.Reason
	Absent  []Absent // selected cells that cannot be made on this machine
	Workers int
	Suites  []string
	// Modes says for some suites how they are run; Budget is not asked.
	Modes    map[string]result.SuiteMode
	Releases map[string]*release.Release // by the cells' k8s value
	Sources  map[string]string           // where the releases come from, by digest
	// Components are built beside the releases, as ComponentsOf names them.
	Components map[result.ComponentRef]*release.Release
	// MadeImages has nodes given images that were made here, where a suite wants
	// more than the release has; else the nodes pull them.
	MadeImages bool
	Retries    int // after faults of the infrastructure
	Reruns     int // of cases that did not pass
	// AllowUnbound accepts releases without the digests that would tie a verdict
	// to them.
	AllowUnbound bool
	Policy       result.Policy              // the zero value stands for the default
	Entries      map[string]provision.Entry // by the cells' provisioner value
	Suite        func(name string) (suites.Suite, error)
}

// Compile makes the plan, or says everything that stands against it.
func Compile(c Compilation) (Plan, error) {
	plan := Plan{APIVersion: "qualify/v1", Kind: "Plan", Workers: c.Workers, Budgets: DefaultBudgets(), Retries: c.Retries, Reruns: c.Reruns, Sources: c.Sources, Cells: []PlanCell{}, Excluded: []Excluded{}}
	plan.Policy = Plan{Policy: c.Policy}.Measure()
	if len(c.Cells) == 0 {
		return plan, errors.New("the plan is empty: no cell is selected")
	}
	if len(c.Suites) == 0 {
		return plan, errors.New("the plan is empty: no suite is selected")
	}
	problems := errors.Join(c.named(), c.bound())
	plan.Unbound = c.unboundNames()
	for _, cell := range c.Cells {
		planned, err := c.cell(cell)
		if err != nil {
			problems = errors.Join(problems, fmt.Errorf("cell %s: %w", cell.ID, err))
			continue
		}
		plan.Cells = append(plan.Cells, planned)
	}
	plan.Excluded = c.excluded()
	if problems != nil {
		return plan, problems
	}
	return plan.Sealed()
}

func (c Compilation) excluded() []Excluded {
	list := make([]Excluded, 0, len(c.Excluded)+len(c.Absent))
	for _, e := range c.Excluded {
		list = append(list, Excluded{Values: e.Values, Rule: e.By(), Reason: e.Reason(), Owner: e.Rule.Owner, Expires: e.Rule.Expires})
	}
	for _, a := range c.Absent {
		list = append(list, Excluded{Values: a.Cell.Values, Rule: RuleHost, Reason: a.Reason})
	}
	return list
}

// Sealed returns the plan with the hash over its content.
func (p Plan) Sealed() (Plan, error) {
	var err error
	p.Hash, err = p.hash()
	return p, err
}

// named refuses what is named twice: evidence for one of two would do for
// both, so the judge refuses such a plan too, after it has cost an hour. It also
// refuses words about a suite that is not run.
func (c Compilation) named() error {
	var problems error
	for _, name := range slices.Sorted(maps.Keys(c.Modes)) {
		if !slices.Contains(c.Suites, name) {
			problems = errors.Join(problems, fmt.Errorf("how suite %s is run is said, but it is not run", name))
		}
	}
	for _, name := range twice(c.Suites) {
		problems = errors.Join(problems, fmt.Errorf("suite %s is named twice", name))
	}
	var ids []string
	for _, cell := range c.Cells {
		ids = append(ids, cell.ID)
	}
	for _, id := range twice(ids) {
		problems = errors.Join(problems, fmt.Errorf("cell %q is in the plan twice", id))
	}
	return problems
}

// twice returns the names that are not the first of their kind.
func twice(names []string) []string {
	var again []string
	seen := map[string]bool{}
	for _, name := range names {
		if seen[name] {
			again = append(again, name)
		}
		seen[name] = true
	}
	return again
}

func (c Compilation) cell(cell matrix.Cell) (PlanCell, error) {
	rel, ok := c.Releases[cell.Value("k8s")]
	if !ok {
		return PlanCell{}, fmt.Errorf("no release for Kubernetes %s", cell.Value("k8s"))
	}
	entry, ok := c.Entries[cell.Value("provisioner")]
	if !ok {
		return PlanCell{}, fmt.Errorf("unknown provisioner %q", cell.Value("provisioner"))
	}
	if err := entry.Can(cell); err != nil {
		return PlanCell{}, fmt.Errorf("provisioner %s: %w", entry.Name, err)
	}
	planned := PlanCell{ID: cell.ID, Values: cell.Values, Release: result.ReleaseRef{Name: rel.Name, Kubernetes: rel.Kubernetes(), Digest: rel.Digest()}}
	planned.Forced = c.Forced[cell.ID].Text
	for _, part := range c.ComponentsOf(cell) {
		built := c.Components[part]
		if built == nil {
			return PlanCell{}, fmt.Errorf("no build of %s %s", part.Name, part.Version)
		}
		part.Digest = built.Digest()
		planned.Components = append(planned.Components, part)
	}
	for _, name := range c.Suites {
		suite, err := c.Suite(name)
		if err != nil {
			return PlanCell{}, err
		}
		wanted, err := planSuite(suite, rel, c.Modes[name])
		if err != nil {
			return PlanCell{}, fmt.Errorf("suite %s %w", name, err)
		}
		planned.Suites = append(planned.Suites, wanted)
	}
	return planned, nil
}

// planSuite says what a suite has to show of a release. The error goes on from
// the suite's name.
func planSuite(suite suites.Suite, rel *release.Release, asked result.SuiteMode) (result.PlanSuite, error) {
	if suite.Plugin != (asked.Plugin != "") {
		return result.PlanSuite{}, errors.New("cannot be planned: a plugin, and nothing else, has a definition")
	}
	mode, err := suite.In(asked.Mode)
	if err != nil {
		return result.PlanSuite{}, fmt.Errorf("cannot be planned: %w", err)
	}
	expected, err := mode.Expect(rel)
	if err != nil {
		return result.PlanSuite{}, fmt.Errorf("cannot be planned: %w", err)
	}
	if len(expected) == 0 {
		return result.PlanSuite{}, errors.New("expects nothing")
	}
	if again := twice(expected); len(again) > 0 {
		return result.PlanSuite{}, fmt.Errorf("expects %q twice", again[0])
	}
	selected, err := asked.Selected(expected)
	switch {
	case err != nil:
		return result.PlanSuite{}, fmt.Errorf("cannot be cut down: %w", err)
	case len(selected) == 0:
		return result.PlanSuite{}, fmt.Errorf("has nothing left: focus %q and skip %q select none of its %d cases", asked.Focus, asked.Skip, len(expected))
	}
	backend, err := suite.By(asked.Backend)
	if err != nil {
		return result.PlanSuite{}, fmt.Errorf("cannot be planned: %w", err)
	}
	asked.Mode, asked.Budget, asked.Backend = mode.Name, int(mode.Budget.Seconds()), backend.Name
	return result.PlanSuite{Name: suite.Name, Expected: expected, SuiteMode: asked}, nil
}

// budget is how long a suite may take.
func (p Plan) budget(s result.PlanSuite) time.Duration {
	if s.Budget > 0 {
		return seconds(s.Budget)
	}
	return seconds(p.Budgets.Suite)
}

// Bound refuses releases, by the cells' k8s value, of which nothing tells whether
// what runs is them.
func Bound(releases map[string]*release.Release) error {
	var problems error
	for _, version := range slices.Sorted(maps.Keys(releases)) {
		rel := releases[version]
		missing := rel.UnboundEssentials()
		if len(missing) > 0 {
			problems = errors.Join(problems, fmt.Errorf("release %s is unbound: it has no digest for %d assets that every cluster is made of, %s among them, "+
				"so nothing would tie a verdict to it; --allow-unbound accepts that, and the verdict says so", rel.Name, len(missing), missing[0].Name))
		}
	}
	return problems
}

func (c Compilation) bound() error {
	if c.AllowUnbound {
		return nil
	}
	return Bound(c.Releases)
}

// unboundNames are the unbound assets of all releases, each name once.
func (c Compilation) unboundNames() []string {
	var names []string
	for _, rel := range c.Releases {
		for _, a := range rel.Unbound() {
			names = append(names, a.Name)
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// hash is the SHA-256 of the plan's JSON without the hash itself.
func (p Plan) hash() (string, error) {
	p.Hash = ""
	data, err := json.Marshal(p)
	if err != nil {
		return "", fmt.Errorf("hashing the plan: %w", err)
	}
	sum := sha256.Sum256(data)
	return "sha256:" + hex.EncodeToString(sum[:]), nil
}

// Check is an error where the plan is not the one that its hash stands for.
func (p Plan) Check() error {
	hash, err := p.hash()
	if err != nil {
		return err
	}
	if hash != p.Hash {
		return fmt.Errorf("the plan was changed after it was made: its content has hash %s, it says %s", hash, p.Hash)
	}
	return nil
}

// Measure is the policy that the run is judged by.
func (p Plan) Measure() result.Policy {
	if reflect.ValueOf(p.Policy).IsZero() {
		return result.DefaultPolicy()
	}
	return p.Policy
}

// Judged is the part of the plan that the judge needs. A plan of cells with
// one release is about that release; one of several names none.
func (p Plan) Judged() result.Plan {
	judged := result.Plan{Hash: p.Hash, From: p.From, Unbound: p.Unbound, LeftOut: p.leftOut()}
	for i, c := range p.Cells {
		judged.Cells = append(judged.Cells, result.PlanCell{
			ID: c.ID, Values: c.Values, Release: c.Release, Suites: c.Suites, Components: c.Components, Forced: c.Forced,
		})
		if i == 0 {
			judged.Release = c.Release
		} else if c.Release != judged.Release {
			judged.Release = result.ReleaseRef{Name: "several", Kubernetes: "several", Digest: p.releases()}
		}
	}
	return judged
}

// leftOut counts the excluded combinations by what excluded them.
func (p Plan) leftOut() []result.LeftOut {
	var list []result.LeftOut
	at := map[[2]string]int{}
	for _, e := range p.Excluded {
		key := [2]string{e.Rule, e.Reason}
		i, known := at[key]
		if !known {
			i = len(list)
			at[key] = i
			list = append(list, result.LeftOut{Rule: e.Rule, Reason: e.Reason})
		}
		list[i].Combinations++
	}
	return list
}

// releases is one digest for all releases of the plan.
func (p Plan) releases() string {
	h := sha256.New()
	for _, c := range p.Cells {
		fmt.Fprintln(h, c.Release.Digest)
	}
	return "sha256:" + hex.EncodeToString(h.Sum(nil))
}
