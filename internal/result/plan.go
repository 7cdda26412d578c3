package result

// Plan is what the judge needs to know of a plan: which cells had to be run,
// with which suites, and which cases each suite had to show. It is fixed and
// saved before anything is created, so absence can be told from success.
type Plan struct {
	Hash    string     `json:"hash"`
	Release ReleaseRef `json:"release"`
	Cells   []PlanCell `json:"cells"`
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
	// Components are what the nodes are given beside the release, in place of
	// what their operating system brings.
	Components []ComponentRef `json:"components,omitempty"`
}

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
	Expected []string `json:"expected"`
}
