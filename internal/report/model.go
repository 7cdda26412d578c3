// Package report turns what a run recorded into what people and CI systems
// read. Build makes one Report out of the journal; every format is one file
// with one pure function of that Report, listed in Formats.
//
// It runs nothing, reads no clock, environment or network, and never changes
// its input: yesterday's run renders to the same bytes again today.
package report

import (
	"time"

	"github.com/qualify-dev/qualify/internal/result"
)

// Input is all that a report is built from.
type Input struct {
	Document result.Document
	Plan     result.Plan
	Events   []result.Event // in journal order
	Run      RunInfo
}

// RunInfo is what a run knows of itself beyond its journal.
type RunInfo struct {
	ID      string
	Started time.Time
	Ended   time.Time
	Tool    string // name and version of this program
	Host    []Pair // facts of the host, in the order to show them
	Command string // as it can be pasted into a shell
}

// Pair is a named value.
type Pair struct {
	Name  string
	Value string
}

// Report is everything that a writer may show. All its text has been through
// Clean, except Document's, which stays as it was judged.
type Report struct {
	Document  result.Document
	Run       RunInfo
	Verdict   result.Verdict
	ExitCode  int
	Headline  string // one sentence: why this verdict
	Release   result.ReleaseRef
	PlanHash  string
	Policy    result.PolicyRef
	Reasons   []result.Reason // what the release did first
	Alerts    []string        // where verdict and evidence contradict each other
	Notes     []result.Reason // what is about no single cell and did not decide
	Faults    []Fault         // faults that are about no single cell
	Phases    []Phase         // phases that are about no single cell
	Leftovers []string        // of all cells
	Ending    string          // how the run ended; empty: no evidence that it did
	Counts    Counts          // over all cells
	Cells     []Cell          // not qualified first, then inconclusive, then qualified
}

// Counts counts cases. Passed, failed, errored, skipped and not run add up to
// Expected; flaky cases are among the passed; unexpected ones are in no other
// count.
type Counts struct {
	Expected   int
	Passed     int
	Failed     int
	Errored    int
	Skipped    int
	NotRun     int
	Flaky      int
	Unexpected int
}

// Cell is one combination of the matrix and all that was seen in it.
type Cell struct {
	ID         string
	Values     []Pair // os and k8s first
	Verdict    result.Verdict
	Reasons    []result.Reason
	Release    result.ReleaseRef
	Identity   []Comparison
	Phases     []Phase
	Faults     []Fault
	Notes      []result.Reason // what did not decide the verdict
	Leases     []Lease
	Leftovers  []string // what is not proven gone and nobody asked to keep
	Suites     []Suite  // in plan order
	Steps      []Case   // the runner's own steps, as JUnit shows them
	Counts     Counts
	Seconds    float64 // from the first to the last event
	HasTime    bool    // whether Seconds is known
	Unplanned  bool    // the plan does not hold this cell
	hasVerdict bool    // the document holds this cell
}

// Comparison is one check of what ran against what the release holds.
type Comparison struct {
	Lease      int    // the cell's lease, counted from 1
	Stage      string // "before" or "after" the suites
	Checked    []string
	Mismatched []string
}

// Phase is one timed step of a cell.
type Phase struct {
	Name    string
	Start   float64 // seconds after the cell's first event
	Seconds float64
	Ended   bool
}

// Fault is why a cell could not go on.
type Fault struct {
	Product bool // the release's; else the infrastructure's or ours
	Early   bool // before there was a cluster to test
	Retried bool // another lease was opened afterwards
	Phase   string
	Suite   string
	Text    string
	Log     string
}

// Lease is what became of a cell's resources. A cell has more than one if an
// infrastructure fault was answered by another try; only the last one's
// evidence can show that the release holds.
type Lease struct {
	Name      string
	Closed    bool // proven gone
	Kept      bool // kept by the user's wish
	Leftovers []string
}

// Suite is one suite of a cell.
type Suite struct {
	Name      string
	Counts    Counts
	Started   bool   // on the last lease
	Ended     bool   // likewise
	EndText   string // why it did not run to its end
	Unplanned bool   // the plan does not hold this suite
	Cases     []Case // expected ones in plan order, then unexpected ones
}

// Case is one case with every attempt at it.
type Case struct {
	Name       string
	Outcome    result.Outcome
	Flaky      bool   // passed after an attempt that did not
	Unexpected bool   // the plan does not hold this case
	Duplicate  bool   // one attempt was recorded twice
	Excused    string // by what of the policy it does not decide; empty where it does
	Attempts   []Attempt
}

// Attempt is one attempt at a case.
type Attempt struct {
	Lease   int // the cell's lease, counted from 1
	Session int // how often the suite had been started by then
	Number  int // within the session
	Outcome result.Outcome
	Seconds float64
	Message string
	Log     string
}

// noEvidence is said wherever something should have been recorded and was not.
const noEvidence = "no evidence"

// notRunMessage is why a case without an attempt did not pass.
const notRunMessage = "not run: " + noEvidence

// Message says why the case did not pass; it is empty for a pass.
func (c Case) Message() string {
	if len(c.Attempts) == 0 {
		return notRunMessage
	}
	d := c.Deciding()
	switch {
	case c.Outcome == result.Pass:
		return ""
	case d.Message != "":
		return d.Message
	case c.Outcome == result.NotRun:
		return notRunMessage
	case c.Duplicate:
		return "one attempt was recorded with different outcomes"
	default:
		return noEvidence + " of why"
	}
}

// Deciding returns the attempt that gave the case its outcome: the last one
// with that outcome.
func (c Case) Deciding() Attempt {
	if i := c.deciding(); i >= 0 {
		return c.Attempts[i]
	}
	return Attempt{Outcome: c.Outcome}
}

func (c Case) deciding() int {
	for i := len(c.Attempts) - 1; i >= 0; i-- {
		if c.Attempts[i].Outcome == c.Outcome {
			return i
		}
	}
	return -1
}

// Seconds is the time of all attempts together.
func (c Case) Seconds() float64 {
	var sum float64
	for _, a := range c.Attempts {
		sum += a.Seconds
	}
	return sum
}

// Cell returns the cell with that id.
func (r Report) Cell(id string) (Cell, bool) {
	id = Clean(id)
	for _, c := range r.Cells {
		if c.ID == id {
			return c, true
		}
	}
	return Cell{}, false
}

// plus adds two counts.
func (n Counts) plus(o Counts) Counts {
	return Counts{
		Expected: n.Expected + o.Expected, Passed: n.Passed + o.Passed, Failed: n.Failed + o.Failed,
		Errored: n.Errored + o.Errored, Skipped: n.Skipped + o.Skipped, NotRun: n.NotRun + o.NotRun,
		Flaky: n.Flaky + o.Flaky, Unexpected: n.Unexpected + o.Unexpected,
	}
}

// count adds one case.
func (n *Counts) count(c Case) {
	if c.Unexpected {
		n.Unexpected++
		return
	}
	n.Expected++
	switch c.Outcome {
	case result.Pass:
		n.Passed++
	case result.Fail:
		n.Failed++
	case result.Error:
		n.Errored++
	case result.Skip:
		n.Skipped++
	default:
		n.NotRun++
	}
	if c.Flaky {
		n.Flaky++
	}
}
