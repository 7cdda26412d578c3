package selftest

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// mutantsEnv asks for the mutation test, which takes minutes.
const mutantsEnv = "QUALIFY_MUTANTS"

// mutant is one change to the judge: a function that gives a fixed answer
// instead of looking at anything, or a condition that is always or never true.
type mutant struct {
	name  string
	guard bool // a function that returned findings, and now none
}

// TestEveryGuardIsNeeded takes each guard of the judge away in turn and demands
// that the self-test or the judge's own tests notice it. All mutants are in one
// build, switched by a variable, since building is what takes long.
func TestEveryGuardIsNeeded(t *testing.T) {
	if testing.Short() || os.Getenv(mutantsEnv) == "" {
		t.Skipf("takes minutes: set %s to run it", mutantsEnv)
	}
	dir, err := filepath.Abs(filepath.Join("..", "result"))
	if err != nil {
		t.Fatal(err)
	}
	scratch, began := t.TempDir(), time.Now()
	mutants, overlay := writeMutants(t, dir, scratch)
	if len(mutants) < 100 {
		t.Fatalf("only %d mutants", len(mutants))
	}
	court := court{dir: dir, judge: filepath.Join(scratch, "result.test"), self: filepath.Join(scratch, "selftest.test")}
	build(t, overlay, dir, court.judge)
	build(t, overlay, ".", court.self)
	if n := court.notices(mutant{name: "none", guard: true}); n.any() {
		t.Fatalf("what is not mutated fails: %+v", n)
	}
	var unnoticed, missed []string
	for i, n := range court.all(t, mutants) {
		m := mutants[i]
		t.Logf("%-44s self-test: %-28s tests: %s", m.name, cmp.Or(n.self, "-"), cmp.Or(n.judge, "-"))
		why, known := harmless()[m.name]
		switch {
		case known && n.any():
			t.Errorf("%s is noticed, though it was said that it cannot be: %s", m.name, why)
		case !known && !n.any():
			unnoticed = append(unnoticed, m.name)
		}
		if m.guard && n.self == "" {
			missed = append(missed, m.name)
		}
	}
	t.Logf("%d mutants in %s", len(mutants), time.Since(began).Round(time.Second))
	if len(unnoticed) > 0 {
		t.Errorf("nothing notices these:\n%s", strings.Join(unnoticed, "\n"))
	}
	// Notes decide nothing, and the policy of the self-test is the empty one.
	if want := []string{"requiredCells", "unbound", "leftOut", "runNotes", "cellForced", "cellSubstitutes", "cellNotes", "excuses.unneeded"}; !slices.Equal(missed, want) {
		t.Errorf("the self-test misses the guards %q, and not just %q", missed, want)
	}
}

// harmless are the mutants that change no answer, and why.
func harmless() map[string]string {
	const lease = "results of two leases never stand in one session, unless they are stray, which blocks by itself"
	return map[string]string{
		"runVerdict: own == NotQualified = false":     "nothing that is found of the run as a whole blames the release",
		"identityAfter: c.Lease == lease = true":      "what an earlier lease saw comes before the suites of the last",
		"suiteCourt.flaky: r.failed = true #2":        "no lease is blamed for an attempt that did not fail",
		"repeats: a.Lease == b.Lease = true":          lease,
		"gaps: a.Lease == attempts[i-1].Lease = true": lease,
	}
}

// writeMutants rewrites the judge's files into scratch and returns the mutants
// and the overlay that builds them.
func writeMutants(t *testing.T, dir, scratch string) ([]mutant, string) {
	t.Helper()
	replace := map[string]string{}
	var all []mutant
	for _, name := range []string{"judge.go", "judge_cell.go", "judge_suite.go", "finding.go", "fold.go", "evidence.go", "policy.go"} {
		path := filepath.Join(dir, name)
		source, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		mutated, of := mutate(t, name, source, name == "fold.go" || strings.HasPrefix(name, "judge"))
		all = append(all, of...)
		replace[path] = filepath.Join(scratch, name)
		write(t, replace[path], mutated)
	}
	// A file of the judge that is not listed above would go untested.
	for _, path := range glob(t, filepath.Join(dir, "judge*.go")) {
		if replace[path] == "" && !strings.HasSuffix(path, "_test.go") {
			t.Errorf("%s has no mutants", filepath.Base(path))
		}
	}
	control := filepath.Join(dir, "mutants.go")
	replace[control] = filepath.Join(scratch, "mutants.go")
	write(t, replace[control], []byte("package result\n\nimport \"os\"\n\nvar mutant = os.Getenv(\"QUALIFY_MUTANT\")\n"))
	text, err := json.Marshal(map[string]any{"Replace": replace})
	if err != nil {
		t.Fatal(err)
	}
	overlay := filepath.Join(scratch, "overlay.json")
	write(t, overlay, text)
	return all, overlay
}

func glob(t *testing.T, pattern string) []string {
	t.Helper()
	paths, err := filepath.Glob(pattern)
	if err != nil || len(paths) == 0 {
		t.Fatalf("%s: %v", pattern, err)
	}
	return paths
}

func write(t *testing.T, path string, data []byte) {
	t.Helper()
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
}

func build(t *testing.T, overlay, pkg, binary string) {
	t.Helper()
	cmd := exec.Command("go", "test", "-c", "-overlay", overlay, "-o", binary, ".")
	cmd.Dir = pkg
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("building the mutants: %v\n%s", err, out)
	}
}

// court runs the two test programs with one mutant switched on.
type court struct{ dir, judge, self string }

// notice is how a mutant was noticed; an empty text means that it was not.
type notice struct{ self, judge string }

func (n notice) any() bool { return n.self != "" || n.judge != "" }

// all tries the mutants, as many at a time as there are processors.
func (c court) all(t *testing.T, mutants []mutant) []notice {
	t.Helper()
	notices := make([]notice, len(mutants))
	next := make(chan int)
	var workers sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		workers.Go(func() {
			for i := range next {
				notices[i] = c.notices(mutants[i])
			}
		})
	}
	for i := range mutants {
		next <- i
	}
	close(next)
	workers.Wait()
	return notices
}

// notices asks the judge's own tests, which are the faster, and the self-test
// where that is a guard or they said nothing.
func (c court) notices(m mutant) notice {
	var n notice
	out := c.run(m, c.judge, c.dir, "-test.failfast", "-rapid.nofailfile", "-rapid.checks=20")
	for line := range strings.Lines(out) {
		if failed, ok := strings.CutPrefix(strings.TrimSpace(line), "--- FAIL: "); ok {
			n.judge, _, _ = strings.Cut(failed, " (")
		}
	}
	if out != "" {
		n.judge = cmp.Or(n.judge, "fails")
	}
	if n.judge != "" && !m.guard {
		return n
	}
	out = c.run(m, c.self, ".", "-test.run", "^TestCatalogueIsRefused$")
	escaped, otherwise := strings.Count(out, ": escaped: "), strings.Count(out, ": refused for ")+strings.Count(out, ": refused without ")
	switch {
	case escaped > 0:
		n.self = fmt.Sprintf("%d escape", escaped)
	case otherwise > 0:
		n.self = fmt.Sprintf("%d refused for another reason", otherwise)
	case out != "":
		n.self = "no control"
	}
	return n
}

// run returns what a test program printed if it failed.
func (c court) run(m mutant, binary, dir string, args ...string) string {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, binary, append(args, "-test.short")...)
	cmd.Dir, cmd.Env = dir, append(os.Environ(), "QUALIFY_MUTANT="+m.name)
	out, err := cmd.CombinedOutput()
	if err != nil {
		return string(out) + err.Error()
	}
	return ""
}
