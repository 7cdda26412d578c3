// Package selftest shows that the gate refuses what it must refuse. It takes
// the files of a run that qualified a release, spoils them in every way of a
// catalogue, and asks the gate about each: one that still says "qualified" is
// a false green that nobody has met yet.
//
// It judges nothing itself: the gate is given to it, so that what is tested is
// the path that a release takes and not a copy of it.
package selftest

import (
	"bytes"
	"embed"
	"errors"
	"fmt"
)

// Run is what a gate reads of a finished run, byte for byte. A nil file is one
// that does not exist.
type Run struct {
	Plan    []byte // plan.json
	Journal []byte // journal.jsonl
	Info    []byte // run.json
}

// Answer is what a gate said about a run.
type Answer struct {
	Exit    int      // its exit code; 0 lets the release pass
	Verdict string   // empty where the run could not be read
	Codes   []string // of the reasons; Unreadable where the run could not be read
	Text    string   // the first reason, or why the run could not be read
}

// Unreadable is the code of a run that the gate could not read at all.
const Unreadable = "unreadable"

// Gate answers whether the release of a run may pass. An error means that it
// could not be asked, which is neither a yes nor a no.
type Gate func(Run) (Answer, error)

// Mutation is one way in which a run can be spoilt.
type Mutation struct {
	ID       string
	Imitates string   // what goes wrong in life to give such a run
	Project  string   // whose known false green it is; empty if it is nobody's
	Wants    []string // codes, of which a refusal names one at least

	change change
}

// Status is what became of a mutation.
type Status string

// The statuses. Escaped is the one that must not occur.
const (
	Refused       Status = "refused"
	Escaped       Status = "escaped"
	NotApplicable Status = "not applicable" // the run has nothing that it could spoil
)

// Result is a mutation and what the gate said to it.
type Result struct {
	Mutation Mutation
	Status   Status
	Answer   Answer
}

// ErrControl is wrapped by the error of a check whose unspoilt run does not
// pass: a gate that refuses everything would pass any check.
var ErrControl = errors.New("the control does not pass, so a refusal shows nothing")

// Check asks the gate about every mutation of the run, in their order.
func Check(r Run, gate Gate, all []Mutation) ([]Result, error) {
	if err := control(r, gate); err != nil {
		return nil, err
	}
	results := make([]Result, 0, len(all))
	for _, m := range all {
		result, err := m.check(r, gate)
		if err != nil {
			return nil, fmt.Errorf("mutation %s: %w", m.ID, err)
		}
		results = append(results, result)
	}
	return results, nil
}

// control demands a yes for the run as it is, and for the same run after it
// went through every encoder that the mutations use: else they might be
// refused for our mistakes in writing them down.
func control(r Run, gate Gate) error {
	rewritten, _, err := plans(bound, func(*draft) bool { return true })(r)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrControl, err)
	}
	for _, c := range []struct {
		name string
		run  Run
	}{{"as it is", r}, {"written again", rewritten}} {
		answer, err := gate(c.run)
		if err != nil {
			return fmt.Errorf("asking about the run %s: %w", c.name, err)
		}
		if answer.Exit != 0 || answer.Verdict != qualified {
			return fmt.Errorf("%w: asked about the run %s, the gate answers with exit code %d: %s", ErrControl, c.name, answer.Exit, answer.Text)
		}
	}
	return nil
}

const qualified = "Qualified"

func (m Mutation) check(r Run, gate Gate) (Result, error) {
	spoilt, done, err := m.change(r)
	if err != nil {
		return Result{}, err
	}
	if !done || spoilt.equal(r) {
		return Result{Mutation: m, Status: NotApplicable}, nil
	}
	answer, err := gate(spoilt)
	if err != nil {
		return Result{}, err
	}
	result := Result{Mutation: m, Status: Refused, Answer: answer}
	if answer.Exit == 0 {
		result.Status = Escaped
	}
	return result, nil
}

func (r Run) equal(other Run) bool {
	return bytes.Equal(r.Plan, other.Plan) && bytes.Equal(r.Journal, other.Journal) && bytes.Equal(r.Info, other.Info)
}

//go:embed recorded
var recorded embed.FS

// Recorded is a run of a real release on a real cluster that was qualified.
// Every mutation can be applied to it.
func Recorded() (Run, error) {
	read := func(name string) ([]byte, error) { return recorded.ReadFile("recorded/" + name) }
	plan, err1 := read("plan.json")
	journal, err2 := read("journal.jsonl")
	info, err3 := read("run.json")
	return Run{Plan: plan, Journal: journal, Info: info}, errors.Join(err1, err2, err3)
}
