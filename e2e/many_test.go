package e2e

import (
	"bytes"
	"os"
	"strings"
	"testing"

	"github.com/qualify-dev/qualify/internal/result"
)

// Two operating systems, each with the container runtime that lets it serve two
// releases: four clusters, as many at a time as the machine takes, one verdict
// and one page.
func TestFourCellsOnOnePage(t *testing.T) {
	if os.Getenv("QUALIFY_E2E_MANY") == "" {
		t.Skip("needs a second release, which takes ten minutes to build, and four clusters: set QUALIFY_E2E_MANY=1")
	}
	p := start(t, "--os", "debian-12,debian-11", "--k8s", "1.33,1.34", "--suite", "smoke")
	if code := p.wait(); code != 0 {
		t.Fatalf("exit code %d, want 0", code)
	}
	p.nothingLeft()
	doc := p.verdict()
	if doc.Verdict != result.Qualified || len(doc.Cells) != 4 {
		t.Fatalf("verdict %s of %d cells", doc.Verdict, len(doc.Cells))
	}
	page, err := os.ReadFile(p.file("report.html"))
	if err != nil {
		t.Fatal(err)
	}
	runtimes := map[string]string{"debian-12": "os", "debian-11": "v1.7.32"}
	for _, cell := range doc.Cells {
		if got := cell.Values["containerd"]; got != runtimes[cell.Values["os"]] {
			t.Errorf("%s runs containerd %s", cell.ID, got)
		}
		if !bytes.Contains(page, []byte(cell.ID)) || cell.Suites[0].Passed != cell.Suites[0].Expected {
			t.Errorf("%s: %+v, on the page: %v", cell.ID, cell.Suites, bytes.Contains(page, []byte(cell.ID)))
		}
	}
	if !bytes.Contains(page, []byte("the kernel is this host")) {
		t.Error("the page does not say whose kernel it was")
	}
	// Which runtime ran was compared, where it was not the system's own.
	compared := map[string]bool{}
	for _, e := range p.events() {
		for _, line := range e.Checked {
			if strings.Contains(line, " process containerd: ") {
				compared[e.Cell] = true
			}
		}
	}
	for _, cell := range doc.Cells {
		if compared[cell.ID] != (cell.Values["containerd"] != "os") {
			t.Errorf("%s: its runtime was compared: %v", cell.ID, compared[cell.ID])
		}
	}
	judgedAgain(t, p)
}

// A system whose own runtime cannot serve the release is refused for that
// reason, and fails for that reason where it is run all the same.
func TestWhatCannotBe(t *testing.T) {
	p := start(t, "--os", "debian-11", "--k8s", k8s, "--containerd", "os", "--suite", "smoke")
	if code := p.wait(); code != 2 || !strings.Contains(p.stderr.String(), "containerd 1.4 of debian-11 has no CRI v1") {
		t.Fatalf("exit code %d, want 2, and the reason", code)
	}
	if _, err := os.Stat(p.file("plan.json")); err == nil {
		t.Error("a run was made of what cannot be")
	}
	p.again("--os", "debian-11", "--k8s", k8s, "--containerd", "os", "--suite", "smoke", "--force-invalid")
	if code := p.wait(); code != 1 {
		t.Fatalf("forced: exit code %d, want 1", code)
	}
	p.nothingLeft()
	doc := p.verdict()
	if doc.Verdict != result.NotQualified || !hasReason(doc, result.ReasonProductFault, "kubelet") ||
		!hasReason(doc, result.ReasonProductFault, "unknown service runtime.v1.RuntimeService") {
		t.Errorf("the reason is not that CRI v1 is not served: %+v", doc.Reasons)
	}
	if len(doc.Notes) == 0 || doc.Notes[0].Code != result.NoteForced {
		t.Errorf("nobody says that it was forced: %+v", doc.Notes)
	}
}
