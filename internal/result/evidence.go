package result

import (
	"slices"
	"strings"
	"time"
)

// Evidence is what the events of one run say, sorted out but not yet judged.
// Fold makes it. Nothing bad is left out of it: a failed attempt stays beside
// the attempt that passed, and what contradicts itself is an Anomaly.
type Evidence struct {
	Starts    []RunStart     // one for each process that worked on the run
	Ended     bool           // the last of them said how it ended
	End       string         // its words; RunComplete if all was done
	Torn      string         // Tail.Why of the journal, for who read it to fill in: the events do not tell
	Faults    []Fault        // infrastructure faults that belong to no cell
	Phases    []Phase        // phases that belong to no cell
	Leftovers []string       // resources left over that belong to no cell
	Notes     []string       // warnings that belong to no cell
	Anomalies []Anomaly      // sorted by code, cell and text
	Cells     []CellEvidence // sorted by ID
}

// RunStart is the start of one process that worked on the run: the first, or
// a resume. It binds the evidence that follows to a plan and a release.
type RunStart struct {
	Run     string // run id
	Plan    string // hash of the plan
	Release string // digest of the release
	Time    time.Time
}

// Anomaly is something that no honest undamaged journal says.
type Anomaly struct {
	Code string // the Reason code that it leads to
	Cell string // empty if it concerns the whole run
	Text string
}

// CellEvidence is all that is known of one cell. A cell can have more than one
// lease, as infrastructure faults are retried with new resources: a new lease
// begins where one is opened after the former was closed, or under another
// name. Only evidence from the last lease speaks for the release; from the
// earlier ones what speaks against it stays.
type CellEvidence struct {
	ID        string
	Leases    []LeaseState
	Identity  []Comparison
	Suites    []SuiteEvidence // sorted by name
	Faults    []Fault
	Phases    []Phase  // in order of their start; entered twice, listed twice
	Leftovers []string // recorded before any lease
	Notes     []string
}

// LeaseState is what became of a lease and its resources.
type LeaseState struct {
	Name      string
	Claim     Lease    // as it was last opened; a resume opens it again
	State     Kind     // LeaseOpened, LeaseClosed or LeaseKept
	Leftovers []string // resources not removed; none once the lease is closed
}

// Comparison is one comparison of what runs with what the release holds.
type Comparison struct {
	Lease      int    // the cell's lease, counted from 1; 0 before the first
	At         int    // position among the cell's events, to order it against suites
	Stage      string // StageBefore, StageAfter or another
	Release    string // digest of the release compared with, if recorded
	Checked    []string
	Mismatched []string
	Unproven   []string // what nobody could look at
}

// SuiteEvidence is all that is known of one suite of a cell.
type SuiteEvidence struct {
	Name     string
	Sessions []Session      // one for each time it was started
	Cases    []CaseEvidence // sorted by name
	Stray    int            // ends and results outside any session
}

// Session is one execution of a suite, from its start to its end.
type Session struct {
	Lease   int
	Process int // the process of the run that started it, counted from 1
	First   int // positions among the cell's events
	Last    int
	Ended   bool
	Text    string // why it did not run to its end
	Seconds float64
}

// CaseEvidence holds every attempt at one case, ordered by lease, session and
// number: reruns are extra samples and none replaces another.
type CaseEvidence struct {
	Name     string
	Attempts []Attempt
}

// Attempt is one attempt at a case and where it was made.
type Attempt struct {
	Lease   int
	Session int // index into Sessions counted from 1; 0 before the first
	Case    Case
}

// Fault is something that broke outside of any case.
type Fault struct {
	Lease   int  // the cell's lease; for a fault of the run, the number of its start
	Product bool // the release is to blame; else nobody knows
	// Suite is the one in which a failure may come of this and not of the release.
	Suite string
	Text  string
	Log   string
}

// Cell finds the evidence of a cell by its ID.
func (e Evidence) Cell(id string) (CellEvidence, bool) {
	return find(e.Cells, id, func(c CellEvidence) string { return c.ID })
}

// Suite finds the evidence of a suite by its name.
func (c CellEvidence) Suite(name string) (SuiteEvidence, bool) {
	return find(c.Suites, name, func(s SuiteEvidence) string { return s.Name })
}

// LastLease is the number of the lease that the cell's evidence must come
// from; 0 if none was recorded.
func (c CellEvidence) LastLease() int { return len(c.Leases) }

// Case finds the attempts at a case by its name.
func (s SuiteEvidence) Case(name string) (CaseEvidence, bool) {
	return find(s.Cases, name, func(c CaseEvidence) string { return c.Name })
}

// Unreleased lists the resources of the cell that are not proven gone: those
// that a teardown named, and whole leases that nobody closed. What the user
// wished to keep is no leftover.
func (c CellEvidence) Unreleased() []string {
	left := append([]string{}, c.Leftovers...)
	for _, l := range c.Leases {
		left = append(left, l.Leftovers...)
		if l.State == LeaseOpened && len(l.Leftovers) == 0 {
			left = append(left, "everything of lease "+l.Name+", which was never closed")
		}
	}
	return left
}

// find looks a name up in a slice sorted by name.
func find[T any](sorted []T, name string, nameOf func(T) string) (T, bool) {
	i, found := slices.BinarySearchFunc(sorted, name, func(item T, name string) int {
		return strings.Compare(nameOf(item), name)
	})
	if !found {
		var none T
		return none, false
	}
	return sorted[i], true
}
