package result

import "time"

// Kind names what an Event records.
type Kind string

// The kinds of event, in the order in which a cell meets them.
const (
	RunStarted    Kind = "run-started"    // Text: run id
	RunEnded      Kind = "run-ended"      // Text: how it ended ("complete", "interrupted: …")
	LeaseOpened   Kind = "lease-opened"   // intent: resources of this cell may exist from here on
	LeaseClosed   Kind = "lease-closed"   // resources of this cell are proven gone
	LeaseKept     Kind = "lease-kept"     // resources stay by the user's wish (--keep)
	Leftover      Kind = "leftover"       // Text: a resource that teardown could not remove
	PhaseStarted  Kind = "phase-started"  // Phase
	PhaseEnded    Kind = "phase-ended"    // Phase, Seconds
	IdentityMatch Kind = "identity"       // Checked, Mismatched; one before the suites and one after
	SuiteStarted  Kind = "suite-started"  // Suite
	CaseEnded     Kind = "case"           // Suite, Case
	SuiteEnded    Kind = "suite-ended"    // Suite; Text empty when the suite ran to its end, else why not
	ProductFault  Kind = "product-fault"  // Text, Log: the release failed to boot, join or become ready
	InfraFault    Kind = "infra-fault"    // Text, Log: we could not tell; never the release's blame
	Note          Kind = "note"           // Text: a warning that travels with the answer
)

// Event is one line of the journal. Seq, Time and Sum are set by the journal.
// Fields that a kind does not use are empty.
type Event struct {
	Seq        int       `json:"seq"`
	Time       time.Time `json:"time"`
	Kind       Kind      `json:"kind"`
	Cell       string    `json:"cell,omitempty"`
	Phase      string    `json:"phase,omitempty"`
	Suite      string    `json:"suite,omitempty"`
	Seconds    float64   `json:"seconds,omitempty"`
	Text       string    `json:"text,omitempty"`
	Log        string    `json:"log,omitempty"`
	Stage      string    `json:"stage,omitempty"` // identity: "before" or "after" the suites
	Checked    []string  `json:"checked,omitempty"`
	Mismatched []string  `json:"mismatched,omitempty"`
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
}
