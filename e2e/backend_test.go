package e2e

import (
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/qualify-dev/qualify/internal/result"
)

// inCluster runs kubectl on the control plane of the only cluster that was made
// since the process was started.
func (p *process) inCluster(args ...string) string {
	p.t.Helper()
	for _, resource := range resources(p.t) {
		name, _, _ := strings.Cut(strings.TrimPrefix(resource, "ps "), " ")
		if !p.before[resource] && strings.HasSuffix(name, "-control-plane") {
			out, _ := exec.Command("docker", append([]string{"exec", name, "kubectl", "--kubeconfig=/etc/kubernetes/admin.conf"}, args...)...).CombinedOutput()
			return string(out)
		}
	}
	return ""
}

// conformancePod waits until the conformance pod has run for a while, and says in
// which namespace and on which node.
func (p *process) conformancePod(ended int) (namespace, node string) {
	p.t.Helper()
	const wait = 10 * time.Minute
	for end := time.Now().Add(wait); time.Now().Before(end); time.Sleep(time.Second) {
		select {
		case err := <-p.ended:
			p.t.Fatalf("the program ended (%v) before its conformance pod had %d specs", err, ended)
		default:
		}
		fields := strings.Fields(p.inCluster("get", "pods", "-A", "-l", "qualify.dev/lease", "-o", "jsonpath={.items[0].metadata.namespace} {.items[0].spec.nodeName}"))
		if len(fields) != 2 {
			continue
		}
		if log := p.inCluster("logs", "-n", fields[0], "conformance-1", "-c", "conformance"); strings.Count(log, "\n• ") >= ended {
			return fields[0], fields[1]
		}
	}
	p.t.Fatalf("no conformance pod with %d specs within %s", ended, wait)
	return "", ""
}

// The pod goes on when who started it is killed, and who resumes takes it over.
func TestConformancePodIsTakenOver(t *testing.T) {
	p := start(t, "--os", "debian-12", "--k8s", k8s, "--suite", "conformance", "--backend", "pod")
	namespace, _ := p.conformancePod(5)
	born := p.inCluster("get", "pod", "-n", namespace, "conformance-1", "-o", "jsonpath={.metadata.uid}")
	if err := p.cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	<-p.ended //nolint:errcheck // how it ended is told elsewhere
	p.again("resume", "latest")
	// As long as the pod is there, it is the same one.
	for over := false; !over; {
		now := p.inCluster("get", "pod", "-n", namespace, "conformance-1", "-o", "jsonpath={.metadata.uid}")
		if len(now) == len(born) && now != born {
			t.Errorf("the pod is %q, was %q", now, born)
		}
		select {
		case err := <-p.ended:
			if over = true; err != nil {
				t.Fatal(err)
			}
		case <-time.After(2 * time.Second):
		}
	}
	if s := p.verdict().Cells[0].Suites[0]; s.Expected != 46 || s.Passed != 46 {
		t.Errorf("%+v", s)
	}
	p.nothingLeft()
}

// Whatever happens to the pod, the run comes to its end, and is green only with
// all of the evidence.
func TestFaultsOfTheConformancePod(t *testing.T) {
	if os.Getenv("QUALIFY_E2E_MANY") == "" {
		t.Skip("takes eleven minutes, most of them waiting for a node that is gone: set QUALIFY_E2E_MANY=1")
	}
	for name, fault := range map[string]func(t *testing.T, p *process, node string){
		"evicted": func(_ *testing.T, p *process, node string) {
			p.inCluster("drain", node, "--ignore-daemonsets", "--delete-emptydir-data", "--force", "--pod-selector=qualify.dev/lease")
		},
		"its node stops": func(t *testing.T, _ *process, node string) { docker(t, "stop", "-t", "1", node) },
		"the API server starts again": func(t *testing.T, _ *process, node string) {
			docker(t, "exec", node[:strings.LastIndex(node, "-worker")]+"-control-plane", "pkill", "-9", "kube-apiserver")
		},
	} {
		t.Run(name, func(t *testing.T) {
			p := start(t, "--os", "debian-12", "--k8s", k8s, "--suite", "conformance", "--backend", "pod", "--retries", "0")
			_, node := p.conformancePod(5)
			fault(t, p, node)
			code, doc := p.wait(), p.verdict()
			s := doc.Cells[0].Suites[0]
			t.Logf("exit code %d, %+v, %v", code, s, doc.Reasons)
			if code == 0 && s.Passed != 46 || name != "the API server starts again" && (code != 3 || doc.Verdict != result.Inconclusive) {
				t.Errorf("exit code %d, %+v", code, s)
			}
			p.nothingLeft()
		})
	}
}

// Sonobuoy runs the specs, and a plugin that is a file: its results are cases.
func TestSonobuoy(t *testing.T) {
	p := start(t, "--os", "debian-12", "--k8s", k8s, "--suite", "conformance", "--backend", "sonobuoy", "--plugin", "../internal/sonobuoy/testdata/tiny.yaml")
	if code := p.wait(); code != 0 {
		t.Fatalf("exit code %d", code)
	}
	for _, s := range p.verdict().Cells[0].Suites {
		want := map[string]int{"conformance": 46, "plugin-tiny": 3}[s.Name]
		if want == 0 || s.Expected != want || s.Passed != want {
			t.Errorf("%+v, want %d", s, want)
		}
	}
	p.nothingLeft()
}
