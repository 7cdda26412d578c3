package cncf

import (
	"bufio"
	_ "embed"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// Test is one entry of Kubernetes' list of conformance tests.
type Test struct {
	Name string // as Ginkgo has it
	// Releases are those in which the test was promoted or changed.
	Releases []string
}

// since reports whether the test is required of a minor. A release that is not
// understood makes it required: to demand too much is seen.
func (t Test) since(minor int) bool {
	return len(t.Releases) == 0 || slices.ContainsFunc(t.Releases, func(release string) bool {
		n, err := minorOf(release)
		return err != nil || n <= minor
	})
}

var releaseForm = regexp.MustCompile(`^v?1\.([0-9]{1,2})(\.[0-9]+)?`)

// minorOf reads the minor of a version: v1.34.4, v1.34 or 1.34.
func minorOf(version string) (int, error) {
	m := releaseForm.FindStringSubmatch(strings.TrimSpace(version))
	if m == nil {
		return 0, fmt.Errorf("%q is no Kubernetes version", short(version))
	}
	return strconv.Atoi(m[1])
}

// mostTests bounds lists: e2e.test has some 7,500 specs.
const mostTests = 50_000

// ParseTests reads a conformance.yaml as Kubernetes has it below
// test/conformance/testdata.
func ParseTests(r io.Reader) ([]Test, error) {
	var entries []struct {
		Codename string `yaml:"codename"`
		Release  string `yaml:"release"`
	}
	data, err := io.ReadAll(io.LimitReader(r, mostProse*8))
	if err == nil {
		err = yaml.Unmarshal(data, &entries)
	}
	if err != nil {
		return nil, fmt.Errorf("reading list of conformance tests: %w", err)
	}
	var tests []Test
	for i, e := range entries {
		name := strings.TrimSpace(e.Codename)
		if name == "" {
			return nil, fmt.Errorf("reading list of conformance tests: entry %d has no codename", i+1)
		}
		tests = append(tests, Test{Name: name, Releases: splitReleases(e.Release)})
	}
	if len(tests) == 0 {
		return nil, errors.New("reading list of conformance tests: it is empty")
	}
	return tests, nil
}

func splitReleases(text string) []string {
	var releases []string
	for release := range strings.SplitSeq(text, ",") {
		if release = strings.TrimSpace(release); release != "" {
			releases = append(releases, release)
		}
	}
	return releases
}

// ListedTest is a test of the shipped list, with the minors in whose
// conformance.yaml it stands.
type ListedTest struct {
	Test
	Minors []int
}

//go:embed data/tests.tsv
var shippedTests string

// ShippedTests reads the list that comes with the program.
func ShippedTests() ([]ListedTest, error) { return parseListed(shippedTests) }

// parseListed reads lines of minors, releases and name, in columns with a tab
// between them. A line that begins with # is a comment.
func parseListed(text string) ([]ListedTest, error) {
	var tests []ListedTest
	lines := bufio.NewScanner(strings.NewReader(text))
	for n := 1; lines.Scan(); n++ {
		if strings.HasPrefix(lines.Text(), "#") {
			continue
		}
		columns := strings.Split(lines.Text(), "\t")
		if len(columns) != 3 {
			return nil, fmt.Errorf("reading the shipped list of conformance tests: line %d has %d columns", n, len(columns))
		}
		minors, err := parseMinors(columns[0])
		if err != nil {
			return nil, fmt.Errorf("reading the shipped list of conformance tests: line %d: %w", n, err)
		}
		tests = append(tests, ListedTest{Test{columns[2], splitReleases(columns[1])}, minors})
	}
	return tests, lines.Err()
}

// FormatMinors writes minors as parseMinors reads them: 18-19,24.
func FormatMinors(minors []int) string {
	var text []string
	for i := 0; i < len(minors); {
		j := i
		for j+1 < len(minors) && minors[j+1] == minors[j]+1 {
			j++
		}
		if j > i {
			text = append(text, fmt.Sprintf("%d-%d", minors[i], minors[j]))
		} else {
			text = append(text, strconv.Itoa(minors[i]))
		}
		i = j + 1
	}
	return strings.Join(text, ",")
}

func parseMinors(text string) ([]int, error) {
	var minors []int
	for part := range strings.SplitSeq(text, ",") {
		from, to, ranged := strings.Cut(part, "-")
		first, err := strconv.Atoi(from)
		last := first
		if err == nil && ranged {
			last, err = strconv.Atoi(to)
		}
		if err != nil || first < 1 || last < first || last > 99 {
			return nil, fmt.Errorf("%q is no list of minors", part)
		}
		for ; first <= last; first++ {
			minors = append(minors, first)
		}
	}
	return minors, nil
}

// TestsOf are the names of all tests in the conformance.yaml of a version, as
// Ginkgo has them, sorted. An error says that the program has no list of the minor.
func TestsOf(version string) ([]string, error) {
	minor, err := minorOf(version)
	if err != nil {
		return nil, err
	}
	listed, err := ShippedTests()
	if err != nil {
		return nil, err
	}
	var names []string
	for _, t := range of(listed, minor) {
		names = append(names, t.Name)
	}
	if len(names) == 0 {
		return nil, fmt.Errorf("the program has no list of the conformance tests of %s: hack/conformancelist writes it", minorName(minor))
	}
	slices.Sort(names)
	return names, nil
}

// expectation is what a submission of a minor has to show.
type expectation struct {
	names []string // sorted
	// known are all of the minor's tests: the list of v1.33 has two that are
	// said to be of v1.34, so they may be there and need not.
	known []string
	// spelled are the names with all their blanks, as Ginkgo has them.
	spelled map[string]string
	// lacking says why more may be required than is named; empty if names is
	// the whole list.
	lacking string
}

// expect finds the tests that are required of a minor: from the list that the
// user gave, from the shipped list, or, where that has no list of the minor,
// what the lists on both sides of it have in common. A test of both that is as
// old as the minor was there in between; a test of one side may have got its
// name later, or lost it.
func expect(minor int, given []Test) expectation {
	if minor == 0 {
		return expectation{lacking: "the minor is not known"}
	}
	if len(given) > 0 {
		return whole(given, minor)
	}
	listed, err := ShippedTests()
	if err != nil {
		return expectation{lacking: err.Error()}
	}
	before, after := neighbours(listed, minor)
	if before == minor {
		return whole(of(listed, minor), minor)
	}
	e := expectation{lacking: fmt.Sprintf("the program has no list of v1.%d", minor)}
	var both []Test
	for _, t := range listed {
		if slices.Contains(t.Minors, before) && slices.Contains(t.Minors, after) {
			both = append(both, t.Test)
		}
	}
	e.names, e.spelled = required(both, minor), spelled(both)
	return e
}

// whole is what a list that is complete expects.
func whole(tests []Test, minor int) expectation {
	const never = 100 // every test is older than that minor
	return expectation{names: required(tests, minor), known: required(tests, never), spelled: spelled(tests)}
}

func spelled(tests []Test) map[string]string {
	names := map[string]string{}
	for _, t := range tests {
		names[plainName(t.Name)] = t.Name
	}
	return names
}

// neighbours are the nearest listed minors that are not above, and above; 0
// where there is none.
func neighbours(listed []ListedTest, minor int) (before, after int) {
	for _, t := range listed {
		for _, m := range t.Minors {
			if m <= minor {
				before = max(before, m)
			} else if after == 0 || m < after {
				after = m
			}
		}
	}
	return before, after
}

func of(listed []ListedTest, minor int) []Test {
	var tests []Test
	for _, t := range listed {
		if slices.Contains(t.Minors, minor) {
			tests = append(tests, t.Test)
		}
	}
	return tests
}

// required are the names of tests that are as old as the minor, sorted.
func required(tests []Test, minor int) []string {
	var names []string
	for _, t := range tests {
		if t.since(minor) {
			names = append(names, plainName(t.Name))
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// plainName is the name of a test as lists have it: JUnit files name the kind
// of Ginkgo node too, and blanks at the ends got lost here and there.
func plainName(name string) string {
	return strings.Join(strings.Fields(strings.TrimPrefix(strings.TrimSpace(name), "[It] ")), " ")
}
