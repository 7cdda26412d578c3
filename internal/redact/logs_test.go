package redact_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/qualify-dev/qualify/internal/redact"
)

// What tests name, and what a recorded run holds, has no secret in it. A false
// hit in a case's name would make that case one that nobody expects.
func TestOurOwnTextsStay(t *testing.T) {
	files, err := filepath.Glob("../../suites/data/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("no lists of cases: %v", err)
	}
	recorded, err := filepath.Glob("../selftest/recorded/*")
	if err != nil || len(recorded) == 0 {
		t.Fatalf("no recorded run: %v", err)
	}
	for _, file := range append(files, recorded...) {
		if hits, _ := hitsIn(t, file); len(hits) > 0 {
			t.Errorf("%s: taken for secrets: %q", file, hits)
		}
	}
}

// Logs and reports of real conformance runs have less than one false hit in
// ten megabytes.
func TestRealLogsStay(t *testing.T) {
	files, err := filepath.Glob("../../../shared/data/eksd/conformance/*/eks-d/*")
	if err != nil {
		t.Fatal(err)
	}
	if len(files) == 0 {
		t.Skip("no recorded conformance runs beside this checkout: ../shared/data/eksd/conformance is absent")
	}
	var hits []string
	total := 0
	for _, file := range files {
		of, size := hitsIn(t, file)
		hits, total = append(hits, of...), total+size
	}
	if total < 10<<20 {
		t.Errorf("only %d bytes of logs, which show little", total)
	}
	if len(hits)*10<<20 >= total {
		t.Errorf("%d false hits in %d bytes: %q", len(hits), total, hits)
	}
}

// hitsIn returns the lines of a file that redacting changes, and its size.
func hitsIn(t *testing.T, file string) (hits []string, size int) {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	text := string(data)
	redacted := strings.Split(redact.New().String(text), "\n")
	for i, line := range strings.Split(text, "\n") {
		if redacted[i] != line {
			hits = append(hits, redacted[i])
		}
	}
	return hits, len(data)
}

// benchmarkText is what kubelets and test runners log, with no secret in it.
func benchmarkText() string {
	var b strings.Builder
	lines := []string{
		`I1125 10:00:01.123456     333 kubelet.go:2412] "SyncLoop ADD" source="api" pods=["kube-system/coredns-674b8bbfcf-x2k4z"]`,
		`E1125 10:00:02.654321     333 pod_workers.go:1301] "Error syncing pod, skipping" err="failed to \"StartContainer\" for \"web\" with CrashLoopBackOff: \"back-off 10s\"" podUID="31ada4fd-adec-460c-809a-9e56ceb75269"`,
		`    <testcase name="[sig-network] DNS should provide DNS for the cluster [Conformance]" classname="Kubernetes e2e suite" time="6.1232"></testcase>`,
		`  STEP: Creating secret with name projected-secret-test-map-5a1f @ 11/25/26 10:00:03.001`,
		`{"level":"info","ts":"2026-11-25T10:00:04Z","msg":"reconciled","url":"https://10.96.0.1:443/api/v1/namespaces/default/pods?limit=500"}`,
		`registry.k8s.io/etcd:3.6.4-0 application/vnd.oci.image.manifest.v1+json sha256:6fcba1700148c2df305e134747e3f3975f4557f8dfe695855dfa9d3084dd147a 59.1 MiB`,
	}
	for b.Len() < 8<<20 {
		for _, line := range lines {
			b.WriteString(line + "\n")
		}
	}
	return b.String()
}

func BenchmarkWithoutSecrets(b *testing.B) {
	benchmark(b, redact.New())
}

func BenchmarkWithRegisteredSecrets(b *testing.B) {
	r := redact.New()
	for range 3 {
		if err := r.Add("fish", knownValue); err != nil {
			b.Fatal(err)
		}
	}
	benchmark(b, r)
}

func benchmark(b *testing.B, r *redact.Redactor) {
	text := []byte(benchmarkText())
	b.SetBytes(int64(len(text)))
	for b.Loop() {
		w := r.Writer(discard{})
		for at := 0; at < len(text); at += 32 << 10 {
			if _, err := w.Write(text[at:min(at+32<<10, len(text))]); err != nil {
				b.Fatal(err)
			}
		}
		if err := w.Close(); err != nil {
			b.Fatal(err)
		}
	}
}

type discard struct{}

func (discard) Write(p []byte) (int, error) { return len(p), nil }
