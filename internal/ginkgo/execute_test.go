package ginkgo

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/onsi/ginkgo/v2/types"
)

// ordinary are specs that end in each way that is not the end of a process.
var ordinary = map[string]types.SpecState{
	"[sample] passes":                                        types.SpecStatePassed,
	"[sample] passes too":                                    types.SpecStatePassed,
	"[sample] tells":                                         types.SpecStatePassed,
	"[sample] fails":                                         types.SpecStateFailed,
	"[sample] panics":                                        types.SpecStatePanicked,
	"[sample] skips itself":                                  types.SpecStateSkipped,
	"[sample] is pending":                                    types.SpecStatePending,
	"[sample] runs alone":                                    types.SpecStatePassed,
	"[sample] is slow":                                       types.SpecStatePassed,
	"[sample] passes at its second attempt":                  types.SpecStatePassed,
	"[sample] ordered goes first and fails":                  types.SpecStateFailed,
	"[sample] ordered goes second":                           types.SpecStateSkipped,
	"[sample] names is short":                                types.SpecStatePassed,
	"[sample] names stands in a container without a text":    types.SpecStatePassed,
	"[sample] names finds [it] by a.b (c|d)* $1 ^ \\d+? {2}": types.SpecStatePassed,
}

func names(states map[string]types.SpecState) []string {
	var list []string
	for name := range states {
		list = append(list, name)
	}
	slices.Sort(list)
	return list
}

// Each wanted spec is reported once, none else, and failed ones are no error.
func TestExecuteReportsEachSpecOnce(t *testing.T) {
	t.Parallel()
	for _, procs := range []int{0, 2, 4} {
		run := sampleRun(t, "", names(ordinary)...)
		run.Procs = procs
		reports, err := execute(t, t.Context(), run)
		if err != nil {
			t.Errorf("%d processes: %v", procs, err)
		}
		for name, got := range reports {
			if state, wanted := ordinary[name]; !wanted || len(got) != 1 || got[0].State != state {
				t.Errorf("%d processes: %q reported %d times, first as %s; wanted %v as %s", procs, name, len(got), got[0].State, wanted, state)
			}
		}
		if len(reports) != len(ordinary) {
			t.Errorf("%d processes: %d specs reported, want %d", procs, len(reports), len(ordinary))
		}
		checkContents(t, reports)
		checkFiles(t, run)
	}
}

func checkContents(t *testing.T, reports map[string][]types.SpecReport) {
	t.Helper()
	one := func(name string) types.SpecReport {
		if len(reports[name]) == 0 {
			return types.SpecReport{}
		}
		return reports[name][0]
	}
	for _, c := range []struct{ what, got, want string }{
		{"message", one("[sample] fails").Failure.Message, "the answer was 41"},
		{"log", one("[sample] fails").CapturedGinkgoWriterOutput, "asked for the answer"},
		{"writer", one("[sample] tells").CapturedGinkgoWriterOutput, "told the writer"},
		{"output", one("[sample] tells").CapturedStdOutErr, "told standard output"},
		{"panic", one("[sample] panics").Failure.ForwardedPanic, "out of towels"},
		{"skip", one("[sample] skips itself").Failure.Message, "not on this planet"},
		{"ordered", one("[sample] ordered goes second").Failure.Message, "an earlier spec in an ordered container failed"},
	} {
		if !strings.Contains(c.got, c.want) {
			t.Errorf("%s: got %q, want %q in it", c.what, c.got, c.want)
		}
	}
	if n := one("[sample] passes at its second attempt").NumAttempts; n != 2 {
		t.Errorf("a spec that passed at its second attempt has %d", n)
	}
}

// checkFiles looks at what a run leaves behind: logs for nobody else's eyes,
// and a record of each spec. What the suite was told about the other processes
// must add up too, since its own reports stand on it.
func checkFiles(t *testing.T, run Run) {
	t.Helper()
	logs := []string{"specs.jsonl", "output.log", "process-1.log", "process-2.log"}
	for _, name := range logs {
		info, err := os.Stat(filepath.Join(run.Dir, name))
		if err != nil {
			t.Fatal(err)
		}
		if info.Mode() != 0o600 {
			t.Errorf("%s has mode %v", name, info.Mode())
		}
	}
	if log := read(t, run.Dir, "output.log"); !strings.Contains(log, "set-up speaks") {
		t.Errorf("the suite's log lacks the output of its set-up: %q", log)
	}
	recorded := map[string]int{}
	lines := bufio.NewScanner(strings.NewReader(read(t, run.Dir, "specs.jsonl")))
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var report types.SpecReport
		if err := json.Unmarshal(lines.Bytes(), &report); err != nil {
			t.Fatal(err)
		}
		recorded[report.FullText()]++
	}
	for name := range ordinary {
		if recorded[name] != 1 {
			t.Errorf("%q is recorded %d times", name, recorded[name])
		}
	}
	var sum map[string][]string
	if err := json.Unmarshal([]byte(read(t, run.Dir, "sum")), &sum); err != nil {
		t.Fatal(err)
	}
	for name, state := range ordinary {
		if n := len(slices.DeleteFunc(slices.Clone(sum[state.String()]), func(s string) bool { return s != name })); n != 1 {
			t.Errorf("the suite's own sum has %q as %s %d times", name, state, n)
		}
	}
}

// Specs are selected by their exact texts, whatever these mean as regular
// expressions and whichever others contain them. The decoys fail.
func TestExecuteSelectsByExactText(t *testing.T) {
	t.Parallel()
	wanted := []string{"[sample] names is short", "[sample] names finds [it] by a.b (c|d)* $1 ^ \\d+? {2}"}
	reports, err := execute(t, t.Context(), sampleRun(t, "", wanted...))
	if err != nil || len(reports) != 2 {
		t.Errorf("error %v, reports %v", err, reports)
	}
	// Without the suite's description the text that ends alike runs too, and
	// is reported.
	run := sampleRun(t, "", wanted...)
	run.Listing = Listing{}
	reports, err = execute(t, t.Context(), run)
	if err != nil || len(reports) != 3 || len(reports["[sample] names begins with [sample] names is short"]) != 1 {
		t.Errorf("error %v, reports %v", err, reports)
	}
}

// Two specs of one name are two reports: it is not for the runner to choose.
func TestExecuteReportsTwins(t *testing.T) {
	t.Parallel()
	reports, err := execute(t, t.Context(), sampleRun(t, "", "[sample] twin"))
	if err != nil || len(reports["[sample] twin"]) != 2 {
		t.Errorf("error %v, %d reports", err, len(reports["[sample] twin"]))
	}
}

// Whatever keeps a run from its end is an error, and its text says what.
func TestExecuteThatDoesNotReachItsEnd(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		mode  string
		specs []string
		want  []string
	}{
		{"", []string{"[sample] dying exits with 7"}, []string{"exit status 7"}},
		{"", []string{"[sample] dying exits with 1"}, []string{"exited with status 1 without reporting its end"}},
		{"", []string{"[sample] dying exits with 0"}, []string{"exited with status 0 without reporting its end"}},
		{"", []string{"[sample] dying exits with 7", "[sample] passes", "[sample] is slow", "[sample] runs alone"}, []string{"exit status 7"}},
		{"", []string{"[sample] dying aborts the suite", "[sample] runs alone"}, []string{"Interrupted by Other Ginkgo Process"}},
		{"", []string{"[sample] no such spec", "[sample] passes"}, []string{`1 of 2 specs were never reported: "[sample] no such spec"`}},
		{"", []string{"[sample] Passes"}, []string{"never reported"}},
		{"", []string{"[sample] dying sends garbage", "[sample] passes"}, []string{"message /did-run of a test process refused: unexpected end"}},
		{"usage", []string{"[sample] passes"}, []string{"exited with status 1", "flag provided but not defined: -kubeconfig"}},
		{"silent", []string{"[sample] passes"}, []string{"test process 1 exited with status 0", "test process 2 exited with status 0"}},
		{"focused", []string{"[sample] passes"}, []string{"exit status 197"}},
		{"late", []string{"[sample] passes"}, []string{"exited with status 1, but its suite's success is true", "something leaked"}},
		{"status", []string{"[sample] fails"}, []string{"exited with status 0, but its suite's success is false"}},
		{"before-fails", []string{"[sample] passes"}, []string{"SynchronizedBeforeSuite failed: no cluster to be found"}},
		{"before-panics", []string{"[sample] passes"}, []string{"SynchronizedBeforeSuite failed: Test Panicked: no cluster at all"}},
		{"before-exits", []string{"[sample] passes"}, []string{"SynchronizedBeforeSuite failed"}},
		{"before-skips", []string{"[sample] passes"}, []string{"Suite skipped in BeforeSuite"}},
		{"second-fails", []string{"[sample] passes"}, []string{"SynchronizedBeforeSuite failed: process 2 has no luck"}},
		{"report-before-fails", []string{"[sample] passes"}, []string{"ReportBeforeSuite failed: cannot announce it"}},
		{"after-fails", []string{"[sample] passes"}, []string{"AfterSuite failed: left a mess"}},
	} {
		t.Run(c.mode+"/"+c.specs[0], func(t *testing.T) {
			t.Parallel()
			reports, err := execute(t, t.Context(), sampleRun(t, c.mode, c.specs...))
			if err == nil {
				t.Fatalf("complete, with %v", reports)
			}
			for _, want := range c.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("got %q, want %q in it", err, want)
				}
			}
			for name := range reports {
				if !slices.Contains(c.specs, name) && c.mode != "focused" {
					t.Errorf("%q is reported", name)
				}
			}
		})
	}
}

// A run that cannot start is an error before anything is written.
func TestExecuteThatCannotStart(t *testing.T) {
	t.Parallel()
	noSpecs := sampleRun(t, "")
	noDir := sampleRun(t, "", "[sample] passes")
	noDir.Dir = filepath.Join(noDir.Dir, "absent")
	noBinary := sampleRun(t, "", "[sample] passes")
	noBinary.Binary = filepath.Join(noBinary.Dir, "absent")
	for _, run := range []Run{noSpecs, noDir, noBinary} {
		if reports, err := execute(t, t.Context(), run); err == nil || len(reports) > 0 {
			t.Errorf("error %v, reports %v", err, reports)
		}
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(errors.New("no more"))
	if _, err := execute(t, ctx, sampleRun(t, "", "[sample] passes")); err == nil || !strings.Contains(err.Error(), "interrupted: no more") {
		t.Errorf("cancelled before the start: %v", err)
	}
}
