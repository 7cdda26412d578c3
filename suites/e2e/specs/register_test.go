package specs

import (
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/onsi/ginkgo/v2"
	"github.com/onsi/ginkgo/v2/types"
	"k8s.io/kubernetes/test/e2e/framework"
	admission "k8s.io/pod-security-admission/api"
)

// TestListIsComplete compares the specs that Ginkgo would run with the list by
// which the runner judges a run complete.
func TestListIsComplete(t *testing.T) {
	Register(&Options{})
	var have []string
	for _, r := range ginkgo.PreviewSpecs("list").SpecReports {
		if r.LeafNodeType != types.NodeTypeIt {
			continue
		}
		have = append(have, r.FullText())
		if !strings.HasPrefix(r.FullText(), "[qualify] ") || strings.Contains(r.FullText(), "  ") {
			t.Errorf("%q: want one space after [qualify] and between words", r.FullText())
		}
		if labels := r.Labels(); len(labels) < 2 || labels[0] != "smoke" {
			t.Errorf("%q: labels %q, want smoke and one of its own", r.FullText(), labels)
		}
		if r.IsSerial {
			t.Errorf("%q is serial: all specs here run side by side", r.FullText())
		}
	}
	if err := framework.FormatBugs(); err != nil {
		t.Errorf("the framework finds the specs faulty: %v", err)
	}
	if err := differ(readList(t), have, nil); err != nil {
		t.Errorf("smoke.txt and the specs differ: %v", err)
	}
	if sorted := slices.Sorted(slices.Values(have)); len(slices.Compact(sorted)) != len(have) {
		t.Errorf("two specs have the same text: %q", have)
	}
}

func readList(t *testing.T) []string {
	t.Helper()
	raw, err := os.ReadFile("../../data/smoke.txt")
	if err != nil {
		t.Fatal(err)
	}
	var lines []string
	for line := range strings.Lines(string(raw)) {
		if line = strings.TrimSuffix(line, "\n"); line != "" && !strings.HasPrefix(line, "#") {
			lines = append(lines, line)
		}
	}
	return lines
}

func TestPodSecurity(t *testing.T) {
	if got := podSecurity([]string{"smoke", "dns"}); got != admission.LevelBaseline {
		t.Errorf("an ordinary spec's namespace is %s", got)
	}
	if got := podSecurity([]string{"smoke", hostNetwork}); got != admission.LevelPrivileged {
		t.Errorf("a host network spec's namespace is %s", got)
	}
}
