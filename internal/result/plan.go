package result

import (
	"fmt"
	"regexp"
	"slices"
)

// Plan is what the judge needs to know of a plan: which cells had to be run,
// with which suites, and which cases each suite had to show. It is fixed and
// saved before anything is created, so absence can be told from success.
type Plan struct {
	Hash    string     `json:"hash"`
	From    string     `json:"from,omitempty"` // hash of the saved plan that this one executes
	Release ReleaseRef `json:"release"`
	Cells   []PlanCell `json:"cells"`
	// Unbound are the release's assets without any digest.
	Unbound []string `json:"unbound,omitempty"`
	// LeftOut are the combinations that were selected and are no cells.
	LeftOut []LeftOut `json:"leftOut,omitempty"`
}

// LeftOut counts combinations that one rule, for one reason, kept out of a
// plan.
type LeftOut struct {
	Rule         string `json:"rule"` // file:line, or validity/<rule>
	Reason       string `json:"reason"`
	Combinations int    `json:"combinations"`
}

// ReleaseRef binds a verdict to a release by digest.
type ReleaseRef struct {
	Name       string `json:"name"`
	Kubernetes string `json:"kubernetes"`
	Digest     string `json:"digest"`
}

// PlanCell is one required cell.
type PlanCell struct {
	ID      string            `json:"id"`
	Values  map[string]string `json:"values"`
	Release ReleaseRef        `json:"release"`
	Suites  []PlanSuite       `json:"suites"`
	// Components are what the nodes are given beside the release: programs in
	// place of what their operating system brings, and images for tests.
	Components []ComponentRef `json:"components,omitempty"`
	// Forced is why the cell cannot be, where it is run all the same.
	Forced string `json:"forced,omitempty"`
}

// TestImages is the name of the component with images that tests run and that
// are no part of a release, where they were made and not pulled.
const TestImages = "test-images"

// ComponentRef binds a verdict to what was built beside a release, by digest.
type ComponentRef struct {
	Name    string `json:"name"`    // "containerd"
	Version string `json:"version"` // "v1.7.32"
	Digest  string `json:"digest"`
}

// PlanSuite is one required suite of a cell with its expected cases, known
// before it runs.
type PlanSuite struct {
	Name     string   `json:"name"`
	Expected []string `json:"expected,omitempty"`
	SuiteMode
}

// SuiteMode is how a suite is run. The zero value is the way in which a suite
// without modes is.
type SuiteMode struct {
	Mode string `json:"mode,omitempty"` // empty for a suite that has none
	// Focus and Skip are regular expressions by which the user has cut the suite
	// down. Expected stays whole, so what was cut away is missing.
	Focus string `json:"focus,omitempty"`
	Skip  string `json:"skip,omitempty"`
	// Backend is the way in which the specs are run; empty for the suite's own.
	Backend string `json:"backend,omitempty"`
	// Plugin is the definition of the Sonobuoy plugin that the suite is; empty for
	// a suite of another kind.
	Plugin string `json:"plugin,omitempty"`
	// Budget is how long the mode may take, in seconds; 0 leaves that to the plan.
	Budget int `json:"budget,omitempty"`
}

// Wanted are the cases that a suite is judged by, of those that were seen: what the plan
// expects. What a plugin tests is known to nobody before it has run, so all that it
// shows counts beside its expected end.
func (s PlanSuite) Wanted(seen []string) []string {
	if s.Plugin == "" || len(s.Expected) == 0 { // without a planned end, what is missing could not be seen
		return s.Expected
	}
	wanted := slices.Clone(s.Expected)
	for _, name := range seen {
		if !slices.Contains(s.Expected, name) {
			wanted = append(wanted, name)
		}
	}
	return wanted
}

// Narrowed reports whether the user has cut the suite down.
func (m SuiteMode) Narrowed() bool { return m.Focus != "" || m.Skip != "" }

// Selected are the names that are left of a list.
func (m SuiteMode) Selected(names []string) ([]string, error) {
	focus, err := regexp.Compile(m.Focus)
	if err != nil {
		return nil, fmt.Errorf("the focus is no regular expression: %w", err)
	}
	skip, err := regexp.Compile(m.Skip)
	if err != nil {
		return nil, fmt.Errorf("the skip is no regular expression: %w", err)
	}
	var left []string
	for _, name := range names {
		if focus.MatchString(name) && (m.Skip == "" || !skip.MatchString(name)) {
			left = append(left, name)
		}
	}
	return left, nil
}
