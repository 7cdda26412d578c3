package result

import (
	"fmt"
	"time"
)

// Kind names what an Event records.
type Kind string

// The kinds of event, in the order in which a cell meets them.
const (
	RunStarted    Kind = "run-started"   // Text: run id; Plan, Release: digests; once per process, so again on resume
	RunEnded      Kind = "run-ended"     // Text: RunComplete, RunInterrupted(signal), or what else ended it
	LeaseOpened   Kind = "lease-opened"  // intent: resources of this cell may exist from here on
	LeaseClosed   Kind = "lease-closed"  // resources of this cell are proven gone
	LeaseKept     Kind = "lease-kept"    // resources stay by the user's wish (--keep)
	Leftover      Kind = "leftover"      // Text: a resource that teardown could not remove
	PhaseStarted  Kind = "phase-started" // Phase
	PhaseEnded    Kind = "phase-ended"   // Phase, Seconds
	IdentityMatch Kind = "identity"      // Stage, Checked, Mismatched, Release; one before the suites and one after
	SuiteStarted  Kind = "suite-started" // Suite
	CaseEnded     Kind = "case"          // Suite, Case; a case that never ran needs no event, its absence says so
	SuiteEnded    Kind = "suite-ended"   // Suite; Text empty when the suite ran to its end, else why not
	ProductFault  Kind = "product-fault" // Text, Log: the release failed to boot, join or become ready
	InfraFault    Kind = "infra-fault"   // Text, Log: we could not tell; never the release's blame; Suite: what failed in it tells nothing
	Note          Kind = "note"          // Text: a warning that travels with the answer
)

// The stages at which a cell's identity must be compared.
const (
	StageBefore = "before" // after the cluster came up, before its first suite
	StageAfter  = "after"  // after its last suite
)

// RunComplete is the text of a RunEnded event of a run that did all it planned.
const RunComplete = "complete"

const interruptedPrefix = "interrupted"

// RunInterrupted is the text of a RunEnded event of a run that a signal
// stopped; signal is its name, as in "SIGINT".
func RunInterrupted(signal string) string { return interruptedPrefix + ": " + signal }

// Event is one record of the journal. Seq and Time are set by the journal;
// the line's checksum is no part of the event. Fields that a kind does not use
// are empty.
type Event struct {
	Seq        int       `json:"seq"`
	Time       time.Time `json:"time"`
	Kind       Kind      `json:"kind"`
	Cell       string    `json:"cell,omitempty"`
	Plan       string    `json:"plan,omitempty"`    // run-started: hash of the plan
	Release    string    `json:"release,omitempty"` // run-started, identity: digest of the release
	Phase      string    `json:"phase,omitempty"`
	Suite      string    `json:"suite,omitempty"`
	Seconds    float64   `json:"seconds,omitempty"`
	Text       string    `json:"text,omitempty"`
	Log        string    `json:"log,omitempty"`
	Stage      string    `json:"stage,omitempty"` // identity: StageBefore or StageAfter
	Checked    []string  `json:"checked,omitempty"`
	Mismatched []string  `json:"mismatched,omitempty"`
	Unproven   []string  `json:"unproven,omitempty"` // identity: what nobody could look at
	Case       *Case     `json:"case,omitempty"`
	Lease      *Lease    `json:"lease,omitempty"`
}

// Case is the end of one attempt at one case: one JUnit testcase.
type Case struct {
	Name    string  `json:"name"`
	Outcome Outcome `json:"outcome"`
	Attempt int     `json:"attempt"` // counted from 1
	Seconds float64 `json:"seconds"`
	Message string  `json:"message,omitempty"` // why it did not pass, one paragraph
	Log     string  `json:"log,omitempty"`     // excerpt, bounded by the emitter
}

// Lease is the claim of a run on a cell's resources, written before the first
// create call and stamped on every resource.
type Lease struct {
	Name    string    `json:"name"` // deterministic resource name prefix
	Run     string    `json:"run"`
	Cell    string    `json:"cell"`
	Owner   string    `json:"owner"` // host and process that renews it
	Expires time.Time `json:"expires"`
	Home    string    `json:"home,omitempty"` // the run's directory on the owner's host
}

// WithText returns the event with each of its texts changed. What it is found
// again by stays: kind, plan, release and lease. They are ours, and hold names
// and digests.
func (e Event) WithText(change func(string) string) Event {
	for _, text := range []*string{&e.Cell, &e.Phase, &e.Suite, &e.Text, &e.Log, &e.Stage} {
		*text = change(*text)
	}
	e.Checked, e.Mismatched, e.Unproven = eachText(e.Checked, change), eachText(e.Mismatched, change), eachText(e.Unproven, change)
	if e.Case != nil {
		c := *e.Case
		c.Name, c.Message, c.Log = change(c.Name), change(c.Message), change(c.Log)
		e.Case = &c
	}
	return e
}

func eachText(texts []string, change func(string) string) []string {
	if texts == nil {
		return nil
	}
	changed := make([]string, len(texts))
	for i, text := range texts {
		changed[i] = change(text)
	}
	return changed
}

// wellFormed reports what an event lacks of the fields that its kind needs.
// The journal refuses such an event, so that the caller's mistake shows where
// it is made and not when the run is judged.
func wellFormed(e Event) error {
	needs, known := kindNeeds[e.Kind]
	if !known {
		return fmt.Errorf("unknown event kind %q", e.Kind)
	}
	switch {
	case needs.cell && e.Cell == "":
		return fmt.Errorf("event %q names no cell", e.Kind)
	case needs.noCell && e.Cell != "":
		return fmt.Errorf("event %q belongs to the run but names cell %q", e.Kind, e.Cell)
	case needs.suite && e.Suite == "":
		return fmt.Errorf("event %q names no suite", e.Kind)
	case needs.phase && e.Phase == "":
		return fmt.Errorf("event %q names no phase", e.Kind)
	case needs.stage && e.Stage == "":
		return fmt.Errorf("event %q names no stage", e.Kind)
	case needs.result && (e.Case == nil || e.Case.Name == ""):
		return fmt.Errorf("event %q names no case", e.Kind)
	case needs.lease && (e.Lease == nil || e.Lease.Name == ""):
		return fmt.Errorf("event %q names no lease", e.Kind)
	}
	return nil
}

// needs are the fields without which an event of a kind says nothing.
type needs struct{ cell, noCell, suite, phase, stage, result, lease bool }

// kindNeeds is also the list of the known kinds.
var kindNeeds = map[Kind]needs{
	RunStarted:    {noCell: true},
	RunEnded:      {noCell: true},
	LeaseOpened:   {cell: true, lease: true},
	LeaseClosed:   {cell: true},
	LeaseKept:     {cell: true},
	Leftover:      {},
	PhaseStarted:  {phase: true},
	PhaseEnded:    {phase: true},
	IdentityMatch: {cell: true, stage: true},
	SuiteStarted:  {cell: true, suite: true},
	CaseEnded:     {cell: true, suite: true, result: true},
	SuiteEnded:    {cell: true, suite: true},
	ProductFault:  {cell: true},
	InfraFault:    {},
	Note:          {},
}
