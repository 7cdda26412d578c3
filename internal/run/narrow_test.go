package run

import (
	"context"
	"slices"
	"testing"

	"github.com/qualify-dev/qualify/internal/result"
	"github.com/qualify-dev/qualify/suites"
)

// What the user cut away is not run, neither now nor when the run is gone on
// with, and the suite is never complete.
func TestExecuteRunsWhatIsSelected(t *testing.T) {
	w := newWorld(t)
	w.modes = map[string]result.SuiteMode{"tiny": {Mode: "all", Skip: "^exec$", Backend: "pod"}}
	var asked [][]string
	run := func(ctx context.Context, env suites.Env, emit func(result.Case)) error {
		asked = append(asked, env.Expected)
		if env.Mode != "all" || env.Backend != "pod" {
			t.Errorf("it is run as %q, by %q", env.Mode, env.Backend)
		}
		return pass(ctx, env, emit)
	}
	tiny := suiteOf("tiny", run)
	tiny.Modes = []suites.Mode{{Name: "all", Expect: tiny.Expect}}
	tiny.Backends = []suites.Backend{{Name: "direct"}, {Name: "pod"}}
	w.suites = []suites.Suite{tiny}
	w.execute(context.Background()).want(t, result.Inconclusive, 3, result.ReasonSuiteIncomplete)
	if len(asked) != 1 || !slices.Equal(asked[0], []string{"dns", "job"}) {
		t.Errorf("asked for %q", asked)
	}
	// Killed after the first case: the rest is the rest of what was selected.
	planned := w.plan().Cells[0].Suites[0]
	if left := (begun{shown: []string{"dns"}}).left(planned); !slices.Equal(left.Expected, []string{"job"}) || left.SuiteMode != planned.SuiteMode {
		t.Errorf("left is %+v", left)
	}
	if left := (begun{shown: []string{"dns", "job"}}).left(planned); !slices.Equal(left.Expected, []string{"job"}) {
		t.Errorf("all was shown but the end: left is %+v", left)
	}
}
