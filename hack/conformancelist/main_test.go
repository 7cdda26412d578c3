package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/qualify-dev/qualify/internal/cncf"
)

func TestWrite(t *testing.T) {
	var out bytes.Buffer
	err := write(&out, map[string][]cncf.Test{
		"v1.34.4": {{Name: "[sig-b] stays", Releases: []string{"v1.9", "v1.18"}}, {Name: "[sig-a] is new", Releases: []string{"v1.34"}}},
		"v1.9.3":  {{Name: "[sig-b] stays", Releases: []string{"v1.9", "v1.18"}}, {Name: "[sig-b] goes"}},
		"v1.33.1": {{Name: "[sig-b] stays", Releases: []string{"v1.9", "v1.18"}}, {Name: "[sig-b] stays", Releases: []string{"v1.9", "v1.18"}}},
	})
	want := `# Written by hack/conformancelist. Minors, releases in which the test was promoted or changed, name.
# v1.9 from k8s.io/kubernetes v1.9.3, 2 tests
# v1.33 from k8s.io/kubernetes v1.33.1, 2 tests
# v1.34 from k8s.io/kubernetes v1.34.4, 2 tests
34	v1.34	[sig-a] is new
9		[sig-b] goes
9,33-34	v1.9,v1.18	[sig-b] stays
`
	if err != nil || out.String() != want {
		t.Errorf("%v\n%s", err, out.String())
	}
}

func TestWriteRefuses(t *testing.T) {
	for name, lists := range map[string]map[string][]cncf.Test{
		"no release":   {"v1.34": {{Name: "a"}}},
		"no number":    {"v1.x.4": {{Name: "a"}}},
		"tab in name":  {"v1.34.4": {{Name: "a\tb"}}},
		"line in name": {"v1.34.4": {{Name: "a\nb"}}},
	} {
		if err := write(&bytes.Buffer{}, lists); err == nil {
			t.Errorf("%s: written", name)
		}
	}
	if err := run(t.Context(), nil, &bytes.Buffer{}); err == nil {
		t.Error("written without any release")
	}
}

// The shipped list is what this program makes of the releases that it names,
// of those that this machine has as modules.
func TestShippedListIsThatOfTheModules(t *testing.T) {
	shipped, err := os.ReadFile("../../internal/cncf/data/tests.tsv")
	if err != nil {
		t.Fatal(err)
	}
	cache, err := exec.CommandContext(t.Context(), "go", "env", "GOMODCACHE").Output()
	if err != nil {
		t.Fatal(err)
	}
	lists := map[string][]cncf.Test{}
	for _, m := range regexp.MustCompile(`k8s\.io/kubernetes (\S+),`).FindAllSubmatch(shipped, -1) {
		version := string(m[1])
		dir := filepath.Join(strings.TrimSpace(string(cache)), "k8s.io", "kubernetes@"+version)
		if lists[version], err = readList(dir); err != nil {
			t.Skipf("Kubernetes %s is not in the module cache, so the shipped list is not compared with it: %v", version, err)
		}
	}
	var made bytes.Buffer
	if err := write(&made, lists); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(made.Bytes(), shipped) {
		t.Error("internal/cncf/data/tests.tsv is not what conformancelist writes")
	}
}
