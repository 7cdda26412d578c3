// Command conformancelist writes the list of conformance tests that comes with
// the program (internal/cncf/data/tests.tsv) from the Kubernetes releases that
// are named, as Go modules:
//
//	go run ./hack/conformancelist v1.28.2 v1.34.4 > internal/cncf/data/tests.tsv
//
// One release stands for its minor: patch releases do not change the list.
package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/qualify-dev/qualify/internal/cncf"
)

func main() {
	if err := run(context.Background(), os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "conformancelist:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, versions []string, out io.Writer) error {
	if len(versions) == 0 {
		return errors.New("name the releases, for example v1.34.4")
	}
	lists := map[string][]cncf.Test{}
	for _, version := range versions {
		dir, err := download(ctx, version)
		if err != nil {
			return err
		}
		if lists[version], err = readList(dir); err != nil {
			return fmt.Errorf("%s: %w", version, err)
		}
	}
	return write(out, lists)
}

// download returns the directory of a release's module.
func download(ctx context.Context, version string) (string, error) {
	cmd := exec.CommandContext(ctx, "go", "mod", "download", "-json", "k8s.io/kubernetes@"+version)
	text, err := cmd.Output()
	var module struct{ Dir, Error string }
	if err := errors.Join(err, json.Unmarshal(text, &module)); err != nil || module.Dir == "" {
		return "", fmt.Errorf("downloading Kubernetes %s: %w: %s", version, err, module.Error)
	}
	return module.Dir, nil
}

func readList(dir string) ([]cncf.Test, error) {
	f, err := os.Open(filepath.Join(dir, "test", "conformance", "testdata", "conformance.yaml"))
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return cncf.ParseTests(f)
}

// write merges the lists: a test that several minors have in the same words is
// one line.
func write(out io.Writer, lists map[string][]cncf.Test) error {
	minors := map[string][]int{} // by the rest of the line
	var text bytes.Buffer
	text.WriteString("# Written by hack/conformancelist. Minors, releases in which the test was promoted or changed, name.\n")
	for _, version := range slices.SortedFunc(maps.Keys(lists), byMinor) {
		minor := minorOf(version)
		if minor == 0 {
			return fmt.Errorf("%q is no release", version)
		}
		fmt.Fprintf(&text, "# v1.%d from k8s.io/kubernetes %s, %d tests\n", minor, version, len(lists[version]))
		for _, t := range lists[version] {
			line := strings.Join(t.Releases, ",") + "\t" + t.Name
			if strings.Count(line, "\t") != 1 || strings.Contains(line, "\n") {
				return fmt.Errorf("%s: %q does not fit a line", version, t.Name)
			}
			if !slices.Contains(minors[line], minor) {
				minors[line] = append(minors[line], minor)
			}
		}
	}
	for _, line := range slices.SortedFunc(maps.Keys(minors), byName) {
		fmt.Fprintf(&text, "%s\t%s\n", cncf.FormatMinors(minors[line]), line)
	}
	_, err := out.Write(text.Bytes())
	return err
}

func minorOf(version string) int {
	parts := strings.Split(version, ".")
	if len(parts) != 3 || parts[0] != "v1" {
		return 0
	}
	minor, err := strconv.Atoi(parts[1])
	if err != nil {
		return 0
	}
	return minor
}

func byMinor(a, b string) int { return minorOf(a) - minorOf(b) }

func byName(a, b string) int {
	_, nameA, _ := strings.Cut(a, "\t")
	_, nameB, _ := strings.Cut(b, "\t")
	if nameA != nameB {
		return strings.Compare(nameA, nameB)
	}
	return strings.Compare(a, b)
}
