package result

// Document is verdict.json: the published contract between qualify and the
// release gates that read it. Its schema is schema/verdict.schema.json.
type Document struct {
	APIVersion string        `json:"apiVersion"` // "qualify/v1"
	Kind       string        `json:"kind"`       // "Verdict"
	Verdict    Verdict       `json:"verdict"`
	ExitCode   int           `json:"exitCode"`
	Reasons    []Reason      `json:"reasons"` // what keeps the exit code from 0; empty if it is 0
	Notes      []Reason      `json:"notes"`   // what travels with the verdict and did not decide it
	Release    ReleaseRef    `json:"release"`
	Plan       PlanRef       `json:"plan"`
	Policy     PolicyRef     `json:"policy"`
	Cells      []CellVerdict `json:"cells"`
}

// PlanRef names the plan that a verdict is measured against.
type PlanRef struct {
	Hash string `json:"hash"`
	From string `json:"from,omitempty"` // hash of the saved plan that it executes, if it does
}

// PolicyRef names the policy that a verdict is measured by. The same run may be
// judged by several.
type PolicyRef struct {
	Name string `json:"name"`
	Hash string `json:"hash"`
}

// Reason is one cause of a verdict. Code is stable and machine-readable.
type Reason struct {
	Code  string `json:"code"`
	Cell  string `json:"cell"`
	Suite string `json:"suite"`
	Text  string `json:"text"`
}

// CellVerdict is the verdict of one cell with everything it rests on.
type CellVerdict struct {
	ID       string            `json:"id"`
	Values   map[string]string `json:"values"`
	Verdict  Verdict           `json:"verdict"`
	Reasons  []Reason          `json:"reasons"`
	Identity Identity          `json:"identity"`
	Phases   []Phase           `json:"phases"`
	Suites   []SuiteCount      `json:"suites"`
}

// Identity is the comparison of what ran with what the release holds.
// Checked counts the compared binaries and images of the last comparison.
type Identity struct {
	Checked    int      `json:"checked"`
	Mismatched []string `json:"mismatched"`
}

// Phase is one timed step of a cell; a phase that was entered twice (resume)
// appears twice.
type Phase struct {
	Name    string  `json:"name"`
	Seconds float64 `json:"seconds"`
}

// SuiteCount counts a suite's cases. Expected is the size of the set that was
// fixed before the run; passed+failed+errored+skipped+notRun add up to it.
// A case is counted by its last attempt, except that a failure stands until a
// later attempt passes. Flaky cases passed after an attempt that did not, and
// are counted in Passed too. Waivers do not change the counts.
type SuiteCount struct {
	Name     string `json:"name"`
	Expected int    `json:"expected"`
	Passed   int    `json:"passed"`
	Failed   int    `json:"failed"`
	Errored  int    `json:"errored"`
	Skipped  int    `json:"skipped"`
	NotRun   int    `json:"notRun"`
	Flaky    int    `json:"flaky"`
}

// The reason codes. They are part of the verdict.json contract.
const (
	ReasonCaseFailed       = "case-failed"
	ReasonCaseErrored      = "case-errored"
	ReasonCaseNotRun       = "case-not-run"
	ReasonCaseSkipped      = "case-skipped"
	ReasonCaseUnexpected   = "case-unexpected"
	ReasonCaseFlaky        = "case-flaky"
	ReasonCaseDuplicate    = "case-duplicate"
	ReasonCaseAttemptLost  = "case-attempt-lost"
	ReasonSuiteIncomplete  = "suite-incomplete"
	ReasonSuiteMissing     = "suite-missing"
	ReasonNothingExpected  = "nothing-expected"
	ReasonIdentityMismatch = "identity-mismatch"
	ReasonIdentityMissing  = "identity-missing"
	ReasonProductFault     = "product-fault"
	ReasonInfrastructure   = "infrastructure"
	ReasonCellMissing      = "cell-missing"
	ReasonCellUnexpected   = "cell-unexpected"
	ReasonPlanEmpty        = "plan-empty"
	ReasonPlanInvalid      = "plan-invalid"
	ReasonPlanMismatch     = "plan-mismatch"
	ReasonRunMismatch      = "run-mismatch"
	ReasonJournalDamaged   = "journal-damaged"
	ReasonClockJumped      = "clock-jumped"
	ReasonInterrupted      = "interrupted"
	ReasonLeftovers        = "leftovers"
)

// The codes that stand in notes only. A note can also carry one of the codes
// above, when a policy or a later attempt took its weight from it.
const (
	NoteWarning       = "note"
	NoteUnbound       = "release-unbound"
	NoteLeftOut       = "left-out"
	NoteForced        = "forced-invalid"
	NoteSubstitutes   = "substitute-images"
	NoteWaiverUnused  = "waiver-unused"
	NoteWaiverPassing = "waiver-passing"
	NoteWaiverExpired = "waiver-expired"
	NoteWaiverInvalid = "waiver-invalid"
)
