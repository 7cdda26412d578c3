package e2e

import (
	"testing"

	"github.com/qualify-dev/qualify/internal/result"
)

// onMadeImages are tests that need what is easily wrong with a made image: a
// shell that keeps odd environment variables and words its complaints as
// upstream's does, programs in /bin, a setuid program, servers, an aggregated
// API server with its etcd, and DNS tools. The last one needs nodes that send
// nothing out that is addressed to a Service.
const onMadeImages = `environment variable names with various prefixes|` +
	`should not write to root filesystem|should support sysctls|privilege escalation when false|` +
	`Update Demo should create and stop|Sample API Server|DNS should provide DNS for the cluster|` +
	`RollingUpdateDeployment should delete old pods|serve endpoints on same port and different protocols`

// Tests that run images of no release pass on images that are made here, and
// the verdict tells on what they ran.
func TestMadeImages(t *testing.T) {
	p := start(t, "--os", "debian-12", "--k8s", k8s, "--suite", "conformance", "--conformance", "full", "--focus", onMadeImages,
		"--test-images", "made", "--workers", "2", "--procs", "8")
	if code := p.wait(); code != 3 { // a focus is never complete
		t.Fatalf("exit code %d, want 3", code)
	}
	p.nothingLeft()
	doc := p.verdict()
	if doc.Verdict != result.Inconclusive || len(doc.Cells) != 1 {
		t.Fatalf("verdict %s of %d cells", doc.Verdict, len(doc.Cells))
	}
	passed := 0
	for _, e := range p.events() {
		if e.Kind != result.CaseEnded {
			continue
		}
		if e.Case.Outcome != result.Pass {
			t.Errorf("%s: %s: %s", e.Case.Name, e.Case.Outcome, e.Case.Message)
			continue
		}
		passed++
	}
	if passed < 9 {
		t.Errorf("%d cases passed, want one of each kind at least", passed)
	}
	if told := hasNote(doc, result.NoteSubstitutes); !told {
		t.Errorf("nobody says that the images were made: %+v", doc.Notes)
	}
}

func hasNote(doc result.Document, code string) bool {
	for _, n := range doc.Notes {
		if n.Code == code {
			return true
		}
	}
	return false
}
