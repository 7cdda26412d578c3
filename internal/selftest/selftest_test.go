package selftest

import (
	"bytes"
	"encoding/json"
	"errors"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/qualify-dev/qualify/internal/result"
)

// Gates that are blind in one way each, as gates of this field are. A catalogue
// that they pass would show nothing.
func TestBlindGatesLetMutationsEscape(t *testing.T) {
	green := func(yes bool) result.Document {
		if yes {
			return result.Document{Verdict: result.Qualified}
		}
		return result.Document{ExitCode: 3, Reasons: []result.Reason{{Code: "no", Text: "no"}}}
	}
	count := func(ev result.Evidence, is func(result.Outcome) bool) int {
		n := 0
		for _, c := range ev.Cells {
			for _, s := range c.Suites {
				for _, k := range s.Cases {
					if is(k.Attempts[len(k.Attempts)-1].Case.Outcome) {
						n++
					}
				}
			}
		}
		return n
	}
	passes := func(ev result.Evidence) int {
		return count(ev, func(o result.Outcome) bool { return o == result.Pass })
	}
	failures := func(ev result.Evidence) int {
		return count(ev, func(o result.Outcome) bool { return o == result.Fail })
	}
	for name, tc := range map[string]struct {
		judge judge
		least int
		ids   []string
	}{
		"no failure is a success": {
			func(_ result.Plan, ev result.Evidence, _ result.Policy) result.Document {
				return green(failures(ev) == 0)
			},
			100, []string{"known-only-skips", "known-exit-code-alone", "known-timeout-as-focus", "known-182-of-204", "journal-empty"},
		},
		"any pass is a success": {
			func(_ result.Plan, ev result.Evidence, _ result.Policy) result.Document { return green(passes(ev) > 0) },
			100, []string{"known-failed-but-complete", "known-stream-ended", "cases-serial-dropped", "identity-missing"},
		},
		"as many passes as planned": {
			func(p result.Plan, ev result.Evidence, _ result.Policy) result.Document {
				want := 0
				for _, c := range p.Cells {
					for _, s := range c.Suites {
						want += len(s.Expected)
					}
				}
				return green(passes(ev) >= want)
			},
			60, []string{"known-rerun-until-green", "known-runner-failed", "case-renamed", "identity-after-differs"},
		},
		"the end was reached": {
			func(_ result.Plan, ev result.Evidence, _ result.Policy) result.Document {
				return green(ev.End == result.RunComplete)
			},
			100, []string{"known-failed-but-complete", "known-return-code-0", "known-pod-finished", "lease-never-closed"},
		},
		"the judge, without what it says of leftovers": {
			func(p result.Plan, ev result.Evidence, policy result.Policy) result.Document {
				doc := result.Judge(p, ev, policy)
				return green(doc.Verdict == result.Qualified)
			},
			4, []string{"lease-never-closed", "teardown-left-something"},
		},
	} {
		results, err := Check(shipped(t), gateOf(tc.judge), Catalogue())
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		s := Summarize(results, true)
		if len(s.Escaped) < tc.least || s.Passed() || s.Refused+len(s.Escaped) != s.Mutations {
			t.Errorf("%s: only %d of %d escaped", name, len(s.Escaped), s.Mutations)
		}
		for _, id := range tc.ids {
			if !slices.ContainsFunc(s.Escaped, func(e Escape) bool { return e.Name == id }) {
				t.Errorf("%s: %s did not escape", name, id)
			}
		}
	}
}

func TestControl(t *testing.T) {
	r := shipped(t)
	broken := errors.New("no space left on device")
	failed, _, err := events(func(d *draft) bool { return d.edit(kind(result.CaseEnded), outcome(result.Fail)) })(r)
	if err != nil {
		t.Fatal(err)
	}
	for name, tc := range map[string]struct {
		run     Run
		gate    Gate
		control bool
	}{
		"refuses everything":           {r, func(Run) (Answer, error) { return Answer{Exit: 3, Verdict: "Inconclusive"}, nil }, true},
		"0 without a verdict":          {r, func(Run) (Answer, error) { return Answer{}, nil }, true},
		"cannot be asked":              {r, func(Run) (Answer, error) { return Answer{}, broken }, false},
		"refuses what we write":        {r, refusing(r), true},
		"breaks after the control":     {r, breaking(2, broken), false},
		"a run that failed":            {failed, gate, true},
		"a plan that cannot be read":   {Run{Plan: []byte("{"), Journal: r.Journal, Info: r.Info}, gate, true},
		"a journal that is not whole":  {Run{Plan: r.Plan, Journal: r.Journal[100:], Info: r.Info}, gate, true},
		"a journal with a torn end":    {Run{Plan: r.Plan, Journal: r.Journal[:len(r.Journal)-1], Info: r.Info}, gate, true},
		"nothing at all":               {Run{}, gate, true},
		"the description is another's": {Run{Plan: r.Plan, Journal: r.Journal, Info: []byte(`{"id":"x"}`)}, gate, true},
	} {
		results, err := Check(tc.run, tc.gate, Catalogue())
		if err == nil || errors.Is(err, ErrControl) != tc.control || results != nil {
			t.Errorf("%s: error %v, %d results", name, err, len(results))
		}
	}
}

// refusing says yes to these very bytes and to nothing else.
func refusing(r Run) Gate {
	return func(asked Run) (Answer, error) {
		if bytes.Equal(asked.Journal, r.Journal) && &asked.Journal[0] == &r.Journal[0] {
			return Answer{Verdict: qualified}, nil
		}
		return Answer{Exit: 3}, nil
	}
}

// breaking says yes so many times and then cannot be asked any more.
func breaking(after int, err error) Gate {
	return func(Run) (Answer, error) {
		if after--; after < 0 {
			return Answer{}, err
		}
		return Answer{Verdict: qualified}, nil
	}
}

func TestSummarize(t *testing.T) {
	made := func(spoil func(*Run) bool) Mutation { return Mutation{ID: "m", change: files(spoil)} }
	all := []Mutation{
		made(func(r *Run) bool { r.Journal = r.Journal[:10]; return true }), // refused
		made(func(r *Run) bool { r.Info = append(r.Info, ' '); return true }),
		made(func(*Run) bool { return false }),
		made(func(*Run) bool { return true }), // which it did not do
	}
	results, err := Check(shipped(t), gate, all)
	if err != nil {
		t.Fatal(err)
	}
	var statuses []Status
	for _, r := range results {
		statuses = append(statuses, r.Status)
	}
	if want := []Status{Refused, Escaped, NotApplicable, NotApplicable}; !slices.Equal(statuses, want) {
		t.Fatalf("%v", statuses)
	}
	for _, tc := range []struct {
		results []Result
		all     bool
		passed  bool
		want    string
	}{
		{results, true, false, `{"mutations":4,"refused":1,"escaped":[{"name":"m","got":"Qualified, exit code 0"},{"name":"m","got":"not applicable"},{"name":"m","got":"not applicable"}]}`},
		{results, false, false, `{"mutations":2,"refused":1,"escaped":[{"name":"m","got":"Qualified, exit code 0"}]}`},
		{results[:1], true, true, `{"mutations":1,"refused":1,"escaped":[]}`},
		{results[2:], false, false, `{"mutations":0,"refused":0,"escaped":[]}`},
		{nil, true, false, `{"mutations":0,"refused":0,"escaped":[]}`},
	} {
		s := Summarize(tc.results, tc.all)
		text, err := json.Marshal(s)
		if err != nil || string(text) != tc.want || s.Passed() != tc.passed {
			t.Errorf("%v %s, passed %v", err, text, s.Passed())
		}
	}
}

// The encoders of the mutations write what the program writes, to the byte.
func TestRewritingChangesNothing(t *testing.T) {
	r := shipped(t)
	for _, b := range []binding{asItWas, rehashed, bound} {
		again, done, err := plans(b, func(*draft) bool { return true })(r)
		if err != nil || !done || !again.equal(r) {
			t.Errorf("binding %d: %v, or the bytes differ", b, err)
		}
	}
}

func TestMutationOfAnUnreadableRun(t *testing.T) {
	r := shipped(t)
	for _, m := range Catalogue() {
		for _, bad := range []Run{{}, {Plan: r.Plan}, {Plan: r.Plan, Journal: []byte("{}\n{}\n")}, {Plan: []byte("{}"), Journal: r.Journal[:500]}} {
			if got, done, err := m.change(bad); err != nil && done {
				t.Errorf("%s: error %v with a run of %d bytes", m.ID, err, len(got.Journal))
			}
		}
	}
}

// What is shipped is about no machine and no person.
func TestRecordedRunTellsNothingElse(t *testing.T) {
	r := shipped(t)
	private := regexp.MustCompile(`/(root|home|work|tmp|var|usr|mnt|data)/|PRIVATE KEY|BEGIN |[A-Za-z0-9_-]{20,}\.[A-Za-z0-9_-]{20,}\.|[a-z0-9]{6}\.[a-z0-9]{16}|\b\d+\.\d+\.\d+\.\d+\b|@`)
	for name, data := range map[string][]byte{"plan.json": r.Plan, "journal.jsonl": r.Journal, "run.json": r.Info} {
		if found := private.Find(data); found != nil {
			t.Errorf("%s tells %q", name, found)
		}
		if len(data) > 60_000 {
			t.Errorf("%s has %d bytes", name, len(data))
		}
	}
	if !strings.Contains(string(r.Info), `"command": "qualify --os debian-12 --k8s 1.34"`) {
		t.Errorf("%s", r.Info)
	}
}
