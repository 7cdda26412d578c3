package result

// Document is verdict.json: the published contract between qualify and the
// release gates that read it. Its schema is schema/verdict.schema.json.
type Document struct {
	APIVersion string        `json:"apiVersion"` // "qualify/v1"
	Kind       string        `json:"kind"`       // "Verdict"
	Verdict    Verdict       `json:"verdict"`
	ExitCode   int           `json:"exitCode"`
	Reasons    []Reason      `json:"reasons"`
	Release    ReleaseRef    `json:"release"`
	Plan       PlanRef       `json:"plan"`
	Cells      []CellVerdict `json:"cells"`
}

// PlanRef names the plan that a verdict is measured against.
type PlanRef struct {
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
// Flaky cases passed after a failed attempt and are counted in Passed too.
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
	ReasonSuiteIncomplete  = "suite-incomplete"
	ReasonSuiteMissing     = "suite-missing"
	ReasonNothingExpected  = "nothing-expected"
	ReasonIdentityMismatch = "identity-mismatch"
	ReasonIdentityMissing  = "identity-missing"
	ReasonProductFault     = "product-fault"
	ReasonInfrastructure   = "infrastructure"
	ReasonCellMissing      = "cell-missing"
	ReasonPlanEmpty        = "plan-empty"
	ReasonPlanMismatch     = "plan-mismatch"
	ReasonInterrupted      = "interrupted"
	ReasonLeftovers        = "leftovers"
)
