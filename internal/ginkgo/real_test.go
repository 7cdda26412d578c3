package ginkgo

import (
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/onsi/ginkgo/v2/types"

	"github.com/qualify-dev/qualify/internal/redact"
	"github.com/qualify-dev/qualify/internal/sink"
)

// binaryEnv names an e2e.test of Kubernetes.
const binaryEnv = "QUALIFY_TEST_BINARY"

// Processes of a real test binary have its specs in the order in which the dry
// run lists them. It needs no cluster: everything is skipped, and what is skipped
// is reported too.
func TestOrderOfARealBinary(t *testing.T) {
	binary := os.Getenv(binaryEnv)
	if binary == "" {
		t.Skip("set " + binaryEnv + " to the path of an e2e.test")
	}
	dir := t.TempDir()
	kubeconfig := filepath.Join(dir, "kubeconfig")
	text := "apiVersion: v1\nkind: Config\nclusters: [{name: q, cluster: {server: \"http://127.0.0.1:1\"}}]\nusers: [{name: q, user: {}}]\n" +
		"contexts: [{name: q, context: {cluster: q, user: q}}]\ncurrent-context: q\n"
	if err := os.WriteFile(kubeconfig, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	run := Run{
		Binary: binary, Args: []string{"--provider=skeleton", "--kubeconfig=" + kubeconfig}, Sink: sink.New(redact.New()), Dir: dir, Procs: 2, Grace: time.Second,
	}
	var err error
	if run.Listing, err = run.List(t.Context(), `\[Conformance\]`); err != nil {
		t.Fatal(err)
	}
	run.Specs = slices.DeleteFunc(slices.Clone(run.Listing.Specs), func(name string) bool { return strings.Contains(name, "[Serial]") })
	slices.Reverse(run.Specs)
	run.Args = append(run.Args, "--ginkgo.skip=.")
	var got []string
	reports := newCollector(run.Specs, &recorder{file: discard{io.Discard}}, func(r types.SpecReport) { got = append(got, r.FullText()) })
	p := pass{Run: run, number: 1, specs: run.Specs, reports: reports}
	if dead, err := p.run(t.Context(), io.Discard); err != nil || dead > 0 {
		t.Fatalf("%d died, %v", dead, err)
	}
	if p.disordered() || len(got) != len(run.Specs) || len(got) < 300 {
		t.Errorf("%d of %d specs reported, in another order: %v", len(got), len(run.Specs), p.disordered())
	}
	t.Logf("%d specs side by side, of %d groups and %d that run alone", len(got), len(run.Listing.groups), len(run.Listing.serial))
}

type discard struct{ io.Writer }

func (discard) Close() error { return nil }
