package specs

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/onsi/ginkgo/v2/types"
)

// build compiles qualify-e2e as the README says.
func build(t *testing.T) string {
	t.Helper()
	if testing.Short() {
		t.Skip("-short: the binary is not built")
	}
	binary := filepath.Join(t.TempDir(), "qualify-e2e")
	cmd := exec.Command("go", "test", "-c", "-trimpath", "-tags=selinux,notest,grpcnotrace",
		"-ldflags=-s -w", "-buildvcs=false", "-o", binary, ".")
	cmd.Dir = ".."
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOWORK=off")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("building: %v\n%s", err, out)
	}
	return binary
}

// call runs the binary as somebody would who has a cluster of his own at hand:
// in $KUBECONFIG and in the home directory.
func call(t *testing.T, binary string, args ...string) (stdout, stderr string, code int) {
	t.Helper()
	home := t.TempDir()
	if err := os.Mkdir(filepath.Join(home, ".kube"), 0o700); err != nil {
		t.Fatal(err)
	}
	own := filepath.Join(home, ".kube", "config")
	if err := os.WriteFile(own, []byte(goodConfig), 0o600); err != nil {
		t.Fatal(err)
	}
	var out, errs strings.Builder
	// None of the calls here talks to a cluster; one that does would try long.
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, binary, args...)
	cmd.Dir, cmd.Stdout, cmd.Stderr = home, &out, &errs
	cmd.Env = []string{"HOME=" + home, "KUBECONFIG=" + own, "PATH=" + os.Getenv("PATH")}
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return out.String(), errs.String(), cmd.ProcessState.ExitCode()
}

func TestBinary(t *testing.T) {
	binary := build(t)
	dir := t.TempDir()
	config, report := filepath.Join(dir, "config"), filepath.Join(dir, "report.json")
	if err := os.WriteFile(config, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	image := "--agnhost-image=" + goodImage

	for name, args := range map[string][]string{
		"no kubeconfig":      {image},
		"no such kubeconfig": {image, "--kubeconfig=" + filepath.Join(dir, "none")},
		"empty kubeconfig":   {image, "--kubeconfig=" + config},
		"no image":           {"--kubeconfig=" + config, "--ginkgo.dry-run"},
		"go's own selection": {image, "--kubeconfig=" + config, "--ginkgo.dry-run", "--test.run=None"},
	} {
		stdout, stderr, code := call(t, binary, args...)
		if code != 2 || stdout != "" || strings.Count(stderr, "\n") != 1 || !strings.HasPrefix(stderr, "qualify-e2e: ") {
			t.Errorf("%s: exit code %d, stdout %q, stderr %q", name, code, stdout, stderr)
		}
	}

	dry := []string{image, "--kubeconfig=" + config, "--provider=skeleton", "--ginkgo.dry-run", "--ginkgo.json-report=" + report, "--report-dir=" + dir}
	if stdout, stderr, code := call(t, binary, dry...); code != 0 {
		t.Fatalf("dry run: exit code %d\n%s%s", code, stdout, stderr)
	}
	if err := differ(readList(t), reported(t, report), nil); err != nil {
		t.Errorf("specs of the dry run: %v", err)
	}
	if _, err := os.Stat(filepath.Join(dir, "junit_01.xml")); err != nil {
		t.Errorf("--report-dir got no JUnit file: %v", err)
	}
	if _, _, code := call(t, binary, append(dry, "--ginkgo.focus=no such spec")...); code == 0 {
		t.Error("a focus that matches no spec passed")
	}
	if stdout, _, code := call(t, binary, image, "--kubeconfig="+config, "--ginkgo.dry-run", "--list-images"); code != 0 || stdout != goodImage+"\n" {
		t.Errorf("--list-images: exit code %d, printed %q", code, stdout)
	}
}

// reported returns the specs of a Ginkgo JSON report.
func reported(t *testing.T, path string) []string {
	t.Helper()
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var suites []types.Report
	if err := json.Unmarshal(raw, &suites); err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, s := range suites {
		for _, r := range s.SpecReports {
			if r.LeafNodeType == types.NodeTypeIt {
				names = append(names, r.FullText())
			}
		}
	}
	return names
}
