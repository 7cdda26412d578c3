package hack_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// fuzzed runs hack/fuzz on a module of the given files.
func fuzzed(t *testing.T, files map[string]string) (out string, ok bool) {
	t.Helper()
	if testing.Short() {
		t.Skip("compiles a module")
	}
	dir := t.TempDir()
	files["go.mod"] = "module example\n\ngo 1.26\n"
	for name, text := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.CommandContext(t.Context(), "./fuzz", dir)
	cmd.Env = append(os.Environ(), "FUZZTIME=50x", "GOFLAGS=", "GOWORK=off")
	said, err := cmd.CombinedOutput()
	return string(said), err == nil
}

// In one line, so that nobody takes it for a target of this package.
const goodTarget = "\n\nimport \"testing\"\n\nfunc FuzzGood(f *testing.F) {\n\tf.Add(\"x\")\n\tf.Fuzz(func(t *testing.T, s string) {})\n}\n"

func TestFuzzRunsEachTarget(t *testing.T) {
	out, ok := fuzzed(t, map[string]string{
		"a/a.go": "package a", "a/a_test.go": "package a" + goodTarget, "b/b.go": "package b",
		"b/b_test.go": "package b_test" + strings.ReplaceAll(goodTarget, "FuzzGood", "FuzzOuter"),
	})
	for _, want := range []string{`(?m)^ok      example/a FuzzGood: 50x, [0-9]+ inputs$`, `(?m)^ok      example/b FuzzOuter: 50x, `, `(?m)^2 targets, 0 broken$`} {
		if !regexp.MustCompile(want).MatchString(out) {
			t.Errorf("%s is not in\n%s", want, out)
		}
	}
	if !ok || strings.Count(out, "\n") != 3 {
		t.Errorf("success %v:\n%s", ok, out)
	}
}

func TestFuzzFailsWhereATargetDoes(t *testing.T) {
	out, ok := fuzzed(t, map[string]string{
		"a/a.go": "package a", "a/a_test.go": "package a" + goodTarget + "\nfunc FuzzBad(f *testing.F) {\n\tf.Add(\"x\")\n\tf.Fuzz(func(t *testing.T, s string) { t.Error(\"no good\") })\n}\n",
	})
	if ok || !strings.Contains(out, "BROKEN  example/a FuzzBad\n") || !strings.Contains(out, "no good") || !strings.Contains(out, "ok      example/a FuzzGood") || !strings.Contains(out, "2 targets, 1 broken") {
		t.Errorf("success %v:\n%s", ok, out)
	}
}

func TestFuzzFailsWhereThereIsNothing(t *testing.T) {
	if out, ok := fuzzed(t, map[string]string{"a/a.go": "package a"}); ok || !strings.Contains(out, "no fuzz targets") {
		t.Errorf("success %v:\n%s", ok, out)
	}
}

// What is chosen and what is left out are together all there is.
func TestFuzzChooses(t *testing.T) {
	files := map[string]string{
		"a/a.go": "package a", "a/a_test.go": "package a" + goodTarget,
		"b/b.go": "package b", "b/b_test.go": "package b" + strings.ReplaceAll(goodTarget, "FuzzGood", "FuzzOther"),
	}
	for choice, want := range map[string]string{"a FuzzGood$": "FuzzGood", "!a FuzzGood$": "FuzzOther"} {
		t.Setenv("FUZZ", choice)
		if out, ok := fuzzed(t, files); !ok || !strings.Contains(out, want+":") || !strings.Contains(out, "1 targets, 0 broken") {
			t.Errorf("%s: success %v:\n%s", choice, ok, out)
		}
	}
	t.Setenv("FUZZ", "FuzzNobody")
	if out, ok := fuzzed(t, files); ok || !strings.Contains(out, "no fuzz targets") {
		t.Errorf("nothing chosen: success %v:\n%s", ok, out)
	}
}
