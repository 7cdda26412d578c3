package selftest

import "fmt"

// Summary is the answer of a self-test, as programs read it.
type Summary struct {
	Mutations int      `json:"mutations"`
	Refused   int      `json:"refused"`
	Escaped   []Escape `json:"escaped"`
}

// Escape is a mutation that the gate did not refuse, and its answer.
type Escape struct {
	Name string `json:"name"`
	Got  string `json:"got"`
}

// Summarize counts the results. A mutation that was not applicable shows
// nothing: it is left out, unless all of them must apply, as they do to the
// recorded run; then one that did not apply is not refused either.
func Summarize(results []Result, all bool) Summary {
	s := Summary{Escaped: []Escape{}}
	for _, r := range results {
		switch {
		case r.Status == Refused:
			s.Refused++
		case r.Status == Escaped:
			s.Escaped = append(s.Escaped, Escape{r.Mutation.ID, fmt.Sprintf("%s, exit code %d", r.Answer.Verdict, r.Answer.Exit)})
		case all:
			s.Escaped = append(s.Escaped, Escape{r.Mutation.ID, string(NotApplicable)})
		default:
			continue
		}
		s.Mutations++
	}
	return s
}

// Passed tells whether the gate was asked, and refused every time.
func (s Summary) Passed() bool {
	return s.Mutations > 0 && s.Refused == s.Mutations && len(s.Escaped) == 0
}
