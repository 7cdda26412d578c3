package selftest

import (
	"bytes"
	"fmt"
	"testing"

	"github.com/qualify-dev/qualify/internal/result"
)

// spare are events without which a run shows as much as with them.
func spare(e result.Event) bool {
	return e.Kind == result.PhaseStarted || e.Kind == result.PhaseEnded || e.Kind == result.Note
}

// No event that is evidence can be left out of a whole journal, be read twice,
// or lose what it is about.
func TestEveryEventCounts(t *testing.T) {
	r := shipped(t)
	whole, err := open(r)
	if err != nil {
		t.Fatal(err)
	}
	blank := map[string]func(*result.Event){
		"kind":    func(e *result.Event) { e.Kind = result.Note },
		"cell":    func(e *result.Event) { e.Cell = "" },
		"suite":   func(e *result.Event) { e.Suite = "" },
		"stage":   func(e *result.Event) { e.Stage = "" },
		"plan":    func(e *result.Event) { e.Plan = "" },
		"release": func(e *result.Event) { e.Release = "" },
		"checked": func(e *result.Event) { e.Checked = nil },
		"case":    func(e *result.Event) { e.Case = nil },
		"outcome": func(e *result.Event) {
			if e.Case != nil {
				e.Case.Outcome = 0
			}
		},
		"lease": func(e *result.Event) { e.Lease = nil },
	}
	for i, e := range whole.events {
		if spare(e) {
			continue
		}
		refused(t, r, fmt.Sprintf("without event %d, %s", i+1, e.Kind), func(d *draft) bool {
			d.events = append(d.events[:i:i], d.events[i+1:]...)
			return true
		})
		for field, how := range blank {
			refused(t, r, fmt.Sprintf("event %d, %s, without its %s", i+1, e.Kind, field), func(d *draft) bool {
				how(&d.events[i])
				return true
			})
		}
		if e.Kind == result.CaseEnded || e.Kind == result.SuiteStarted || e.Kind == result.SuiteEnded {
			refused(t, r, fmt.Sprintf("event %d, %s, twice", i+1, e.Kind), func(d *draft) bool { return d.insert(i+1, d.events[i]) })
			refused(t, r, fmt.Sprintf("event %d, %s, at the end", i+1, e.Kind), func(d *draft) bool {
				d.events = append(d.events[:i:i], d.events[i+1:]...)
				return d.insert(len(d.events), e)
			})
		}
	}
}

// refused demands it of a change, unless that changed nothing.
func refused(t *testing.T, r Run, what string, spoil func(*draft) bool) {
	t.Helper()
	got, done, err := events(spoil)(r)
	if err != nil || !done {
		t.Fatalf("%s: %v", what, err)
	}
	if got.equal(r) {
		return
	}
	if answer, _ := gate(got); answer.Exit == 0 {
		t.Errorf("%s: %s", what, answer.Verdict)
	}
}

// No journal with one wrong bit is accepted, and none that was cut, wherever.
func TestEveryBitAndEveryCut(t *testing.T) {
	r, step := shipped(t), 41
	if testing.Short() {
		step = 397
	}
	for i := 0; i < len(r.Journal); i += step {
		wrong := bytes.Clone(r.Journal)
		wrong[i] ^= 1 << (i % 8)
		for what, journal := range map[string][]byte{"a wrong bit at": wrong, "cut at": r.Journal[:i]} {
			if answer, _ := gate(Run{Plan: r.Plan, Journal: journal, Info: r.Info}); answer.Exit == 0 {
				t.Errorf("%s byte %d: %s", what, i, answer.Verdict)
			}
		}
	}
}

// The end is where a wrong byte is forgiven: it may be the trace of a crash.
func TestEveryBitOfTheEnd(t *testing.T) {
	r := shipped(t)
	last := bytes.LastIndexByte(r.Journal[:len(r.Journal)-1], '\n')
	for i := last; i < len(r.Journal); i++ {
		for bit := range 8 {
			wrong := bytes.Clone(r.Journal)
			wrong[i] ^= 1 << bit
			if answer, _ := gate(Run{Plan: r.Plan, Journal: wrong, Info: r.Info}); answer.Exit == 0 {
				t.Errorf("bit %d of byte %d: %s", bit, i, answer.Verdict)
			}
		}
	}
	for _, more := range []string{"\n", " ", "\x00", "{", "{}\n", "\n\n\n"} {
		if answer, _ := gate(Run{Plan: r.Plan, Journal: append(bytes.Clone(r.Journal), more...), Info: r.Info}); answer.Exit == 0 {
			t.Errorf("with %q at the end: %s", more, answer.Verdict)
		}
	}
}
