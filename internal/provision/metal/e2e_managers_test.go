package metal

import (
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/qualify-dev/qualify/internal/nodeos"
)

// Real package managers of RPM systems say what we read of them: what is
// missing, what installing would do, what it would replace; and what was
// installed goes again, with nothing else.
func TestRealPackageManagers(t *testing.T) {
	_, c := candidate(t)
	name := newFleet(t, c, 1).names[0]
	setup, err := os.ReadFile("testdata/rpm-machine.sh")
	if err != nil {
		t.Fatal(err)
	}
	run := func(script string, args ...string) (string, error) {
		out, err := exec.Command("docker", append([]string{"exec", name, "timeout", "300", "sh", "-euc", script, "sh"}, args...)...).CombinedOutput()
		return string(out), err
	}
	if out, err := run(string(setup)); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	const library = "a-library-with-a-name-that-is-longer-than-the-column-for-it"
	for _, id := range []string{"rocky-9", "sles-15"} {
		system, err := nodeos.Find(id)
		if err != nil {
			t.Fatal(err)
		}
		m := system.Host.Manager
		step := func(what, script string, args ...string) string {
			out, err := run(script, args...)
			if err != nil {
				t.Fatalf("%s: %s: %v: %s", m.Name, what, err, out)
			}
			return out
		}
		if got := step("missing", m.Missing, "base", "tool"); got != "tool\n" {
			t.Errorf("%s: missing is %q", m.Name, got)
		}
		step("refresh", m.Refresh)
		plan := step("plan", "( "+m.Plan+" ) 2>/dev/null", "tool")
		if words := strings.Fields(plan); len(words) != 2 || !strings.Contains(plan, "tool\n") || !strings.Contains(plan, library+"\n") {
			t.Errorf("%s: the plan is %q", m.Name, plan)
		}
		if out, err := run(m.Plan, "needs-new"); err == nil || !strings.Contains(out, "would replace installed packages (old ), which cannot be undone") {
			t.Errorf("%s: a plan that replaces: %v, %s", m.Name, err, out)
		}
		if out, err := run(m.Plan, "nowhere"); err == nil || !strings.Contains(out, "nowhere") {
			t.Errorf("%s: a plan of what is not there: %v, %s", m.Name, err, out)
		}
		before := step("list", m.List)
		step("install", m.Install, "tool")
		if after := step("list", m.List); !strings.Contains(after, "\ntool 1.0-1 noarch\n") && !strings.HasPrefix(after, "tool 1.0-1 noarch\n") || len(strings.Fields(after)) != len(strings.Fields(before))+6 {
			t.Errorf("%s: after installing there are\n%s", m.Name, after)
		}
		step("remove", m.Remove, "tool", library)
		if again := step("list", m.List); again != before {
			t.Errorf("%s: after removing there are\n%swant\n%s", m.Name, again, before)
		}
	}
}
