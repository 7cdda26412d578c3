package ginkgo

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/onsi/ginkgo/v2/types"

	"github.com/qualify-dev/qualify/internal/redact"
	"github.com/qualify-dev/qualify/internal/sink"
)

func TestMain(m *testing.M) {
	status := m.Run()
	_ = os.RemoveAll(buildDir)
	os.Exit(status)
}

// buildDir stays where it is when a test has a TMPDIR of its own.
var buildDir = filepath.Join(os.TempDir(), fmt.Sprintf("qualify-sample-%d", os.Getpid()))

// sample returns the compiled suite of testdata/sample.
func sample(t *testing.T) string {
	t.Helper()
	file, err := buildSample()
	if err != nil {
		t.Fatal(err)
	}
	return file
}

// buildSample compiles with copies of the module files: the sample imports
// more of Ginkgo than the module itself does.
var buildSample = sync.OnceValues(func() (string, error) {
	if err := os.MkdirAll(buildDir, 0o700); err != nil {
		return "", err
	}
	for _, name := range []string{"go.mod", "go.sum"} {
		data, err := os.ReadFile(filepath.Join("..", "..", name))
		if err != nil {
			return "", err
		}
		if err := os.WriteFile(filepath.Join(buildDir, name), data, 0o600); err != nil {
			return "", err
		}
	}
	file := filepath.Join(buildDir, "sample")
	out, err := exec.Command("go", "test", "-c", "-mod=mod", "-modfile="+filepath.Join(buildDir, "go.mod"), "-o", file, "./testdata/sample").CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("compiling the sample suite: %w: %s", err, out)
	}
	return file, nil
})

// suiteName is the description of the sample suite.
const suiteName = "Sample (v1.0) suite"

// sampleRun is a run of the sample suite in some mode; traces are left in its
// directory.
func sampleRun(t *testing.T, mode string, specs ...string) Run {
	t.Helper()
	dir := t.TempDir()
	return Run{
		Binary: sample(t), Args: []string{"-sample.mode=" + mode, "-sample.dir=" + dir},
		Listing: Listing{Suite: suiteName}, Specs: specs, Procs: 2, Dir: dir, Sink: sink.New(redact.New()), Grace: time.Second,
	}
}

// knowing is the run with all that the binary has.
func knowing(t *testing.T, run Run) Run {
	t.Helper()
	var err error
	if run.Listing, err = run.List(t.Context(), Focus(suiteName, run.Specs)); err != nil {
		t.Fatal(err)
	}
	return run
}

// lister is a run that is only asked for its specs.
func lister(binary string, args ...string) Run {
	return Run{Binary: binary, Args: args, Sink: sink.New(redact.New())}
}

// execute runs to the end and returns the reports by name.
func execute(t *testing.T, ctx context.Context, run Run) (map[string][]types.SpecReport, error) {
	t.Helper()
	ctx, cancel := context.WithTimeoutCause(ctx, 2*time.Minute, errors.New("the test waited too long"))
	defer cancel()
	reports := map[string][]types.SpecReport{}
	err := run.Execute(ctx, func(report types.SpecReport) {
		reports[report.FullText()] = append(reports[report.FullText()], report)
	})
	return reports, err
}

func read(t *testing.T, dir, name string) string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(dir, name))
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}
