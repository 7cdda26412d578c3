package selftest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"testing"

	"github.com/qualify-dev/qualify/internal/result"
	"github.com/qualify-dev/qualify/internal/run"
)

// gate is the path of "qualify judge" without its files and streams. The
// program's own test asks the program; this one is for judges that differ.
func gate(r Run) (Answer, error) { return gateOf(result.Judge)(r) }

type judge func(result.Plan, result.Evidence, result.Policy) result.Document

func gateOf(judge judge) Gate {
	return func(r Run) (Answer, error) {
		plan, evidence, err := read(r)
		if err != nil {
			return Answer{Exit: 3, Codes: []string{Unreadable}, Text: err.Error()}, nil
		}
		doc := judge(plan.Judged(), evidence, plan.Measure())
		answer := Answer{Exit: doc.ExitCode, Verdict: doc.Verdict.String()}
		for _, reason := range doc.Reasons {
			answer.Codes = append(answer.Codes, reason.Code)
		}
		if len(doc.Reasons) > 0 {
			answer.Text = doc.Reasons[0].Text
		}
		return answer, nil
	}
}

func read(r Run) (run.Plan, result.Evidence, error) {
	var plan run.Plan
	var info struct {
		ID, Tool, Command string
		Host              []string
	}
	if r.Plan == nil || r.Journal == nil || r.Info == nil {
		return plan, result.Evidence{}, errors.New("a file is missing")
	}
	if err := errors.Join(decode(r.Plan, &plan), decode(r.Info, &info)); err != nil {
		return plan, result.Evidence{}, err
	}
	if err := plan.Check(); err != nil {
		return plan, result.Evidence{}, err
	}
	events, tail, err := result.ReadAll(bytes.NewReader(r.Journal))
	if err != nil {
		return plan, result.Evidence{}, err
	}
	evidence := result.Fold(events)
	evidence.Torn = tail.Why
	if len(evidence.Starts) > 0 && evidence.Starts[0].Run != info.ID {
		return plan, result.Evidence{}, fmt.Errorf("the journal is of run %q", evidence.Starts[0].Run)
	}
	return plan, evidence, nil
}

func decode(data []byte, into any) error {
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	if err := d.Decode(into); err != nil {
		return err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return errors.New("something follows the document")
	}
	return nil
}

func shipped(t testing.TB) Run {
	t.Helper()
	r, err := Recorded()
	if err != nil {
		t.Fatal(err)
	}
	return r
}
