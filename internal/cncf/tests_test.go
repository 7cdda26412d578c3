package cncf

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// How many tests the releases require. Real submissions ran as many, and two
// more of v1.33, whose list says of them that they are of v1.34.
func TestShippedTests(t *testing.T) {
	for minor, want := range map[int]int{18: 277, 19: 305, 24: 356, 25: 362, 27: 378, 28: 380, 32: 411, 33: 417, 34: 424, 35: 441, 36: 446, 37: 462} {
		e := expect(minor, nil)
		if minor == 33 && len(e.known) != want+2 || minor != 33 && len(e.known) != want {
			t.Errorf("v1.%d: %d tests are known", minor, len(e.known))
		}
		if e.lacking != "" || len(e.names) != want || !slices.IsSorted(e.names) {
			t.Errorf("v1.%d: %d tests, %q", minor, len(e.names), e.lacking)
		}
		for _, name := range e.names {
			if !strings.Contains(name, "[Conformance]") || name != plainName(name) {
				t.Errorf("v1.%d: %q", minor, name)
			}
		}
	}
}

func TestExpectBetweenLists(t *testing.T) {
	for minor, atLeast := range map[int]int{20: 220, 26: 340, 29: 330, 30: 330, 31: 330} {
		e := expect(minor, nil)
		before, after := neighbours(mustList(t), minor)
		sides := [][]string{expect(before, nil).known, expect(after, nil).known}
		if e.lacking == "" || len(e.names) < atLeast {
			t.Errorf("v1.%d: %d tests, %q", minor, len(e.names), e.lacking)
		}
		for _, name := range e.names {
			for _, side := range sides {
				if _, there := slices.BinarySearch(side, name); !there {
					t.Errorf("v1.%d is said to require %q, which a list beside it does not have", minor, name)
				}
			}
		}
	}
	for _, minor := range []int{0, 10, 38, 99} {
		if e := expect(minor, nil); e.lacking == "" || len(e.names) > 0 {
			t.Errorf("v1.%d: %d tests, %q", minor, len(e.names), e.lacking)
		}
	}
}

func mustList(t *testing.T) []ListedTest {
	t.Helper()
	listed, err := ShippedTests()
	if err != nil {
		t.Fatal(err)
	}
	return listed
}

func TestSince(t *testing.T) {
	for _, c := range []struct {
		releases string
		minor    int
		want     bool
	}{
		{"v1.9", 34, true}, {"v1.34", 34, true}, {"v1.35", 34, false}, {"v1.9, v1.18", 10, true}, {"v1.35, v1.40", 34, false},
		{"1.25", 25, true}, {"1.25", 24, false}, {"", 1, true}, {"soon", 1, true}, {"v1.17, v1.21, v1.27", 16, false},
	} {
		if got := (Test{Releases: splitReleases(c.releases)}).since(c.minor); got != c.want {
			t.Errorf("%q at v1.%d: %v", c.releases, c.minor, got)
		}
	}
}

func TestParseTests(t *testing.T) {
	got, err := ParseTests(strings.NewReader("- testname: A\n  codename: '[sig-a] should work\n    [Conformance]'\n  release: v1.9, v1.18\n- codename: b\n"))
	if err != nil || len(got) != 2 || got[0].Name != "[sig-a] should work [Conformance]" || !slices.Equal(got[0].Releases, []string{"v1.9", "v1.18"}) || got[1].Releases != nil {
		t.Errorf("%+v, %v", got, err)
	}
	for name, text := range map[string]string{"nothing": "", "no list": "a: b", "no name": "- release: v1.9", "no YAML": "[", "empty": "[]"} {
		if got, err := ParseTests(strings.NewReader(text)); err == nil {
			t.Errorf("%s: %+v", name, got)
		}
	}
}

func FuzzParseTests(f *testing.F) {
	f.Add("- codename: a\n  release: v1.9\n")
	f.Add("- &a {codename: x}\n- *a\n")
	f.Fuzz(func(t *testing.T, text string) {
		tests, err := ParseTests(strings.NewReader(text))
		if err == nil && (len(tests) == 0 || slices.ContainsFunc(tests, func(t Test) bool { return t.Name == "" })) {
			t.Errorf("%+v", tests)
		}
	})
}

func TestParseListedRefuses(t *testing.T) {
	for _, text := range []string{"34\tv1.9", "x\tv1.9\tname", "34-33\tv1.9\tname", "0\t\tname", "1-100\t\tname", "1,\t\tname", "34\tv1.9\tname\tmore"} {
		if got, err := parseListed(text); err == nil {
			t.Errorf("%q: %+v", text, got)
		}
	}
}

func TestMinorsAreReadAsTheyAreWritten(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := rapid.SliceOfNDistinct(rapid.IntRange(1, 99), 1, 30, rapid.ID).Draw(t, "minors")
		slices.Sort(want)
		got, err := parseMinors(FormatMinors(want))
		if err != nil || !slices.Equal(got, want) {
			t.Errorf("%v becomes %q, %v, %v", want, FormatMinors(want), got, err)
		}
	})
}

func TestOpenMinors(t *testing.T) {
	for asOf, want := range map[string]string{
		"2020-03-24": "", "2020-03-25": "18", "2023-09-01": "26-28", "2023-12-12": "26-28", "2023-12-13": "27-29", "2026-11-25": "35-37",
	} {
		open, stale := openMinors(day(t, asOf))
		if FormatMinors(open) != want || stale {
			t.Errorf("%s: %v, %v", asOf, open, stale)
		}
	}
	if open, stale := openMinors(day(t, "2027-03-01")); !stale || FormatMinors(open) != "35-37" {
		t.Errorf("long after the last known release: %v, %v", open, stale)
	}
	known := minorReleases()
	for i := 1; i < len(known); i++ {
		if known[i].minor != known[i-1].minor+1 || known[i].day <= known[i-1].day || day(t, known[i].day).IsZero() {
			t.Errorf("%+v follows %+v", known[i], known[i-1])
		}
	}
}

// The log tells the same whatever its shape.
func TestReadLog(t *testing.T) {
	names := []string{"[sig-a] one [Conformance]", "[sig-a] two  spaces [Conformance]", "[sig-b] three [Slow] [Conformance]"}
	for _, s := range []shape{terse, verbose, first} {
		got := readLog(strings.NewReader(sampleLog(names, 34, s)))
		listed := map[shape]int{terse: 0, verbose: 3, first: 3}[s]
		if len(got.ran) != listed || got.seed != "1756716000" || got.willRun != 3 || len(got.ends) != 1 || !got.passed || got.broke ||
			got.ends[0] != (suiteEnd{ran: 3, total: 4, success: true, passed: 3}) || !slices.Equal(got.versions, []string{"v1.34.2", "v1.34.2-eks-abc"}) {
			t.Errorf("shape %d: %+v", s, got)
		}
		facts := &junitFacts{ran: map[string]int{}}
		for _, name := range names {
			facts.ran[plainName(name)] = 1
		}
		if a, b := (&submission{log: got, junit: facts}).differing(); listed > 0 && len(a)+len(b) > 0 {
			t.Errorf("shape %d: %q, %q", s, a, b)
		}
	}
	parallel := "Will run 2 of 9 specs\nRunning in parallel across 2 processes\n" + strings.Repeat("-", 30) + "\n• [1.000 seconds]\n[sig-a] one [Conformance] [sig-a]\nx.go:1\n" +
		strings.Repeat("-", 30) + "\n• [FAILED] [2.000 seconds]\n[sig-a] two [Conformance]\nx.go:2\n  Timeline >>\n" + strings.Repeat("-", 30) + "\nP [PENDING]\n[sig-a] three [Conformance]\nx.go:3\n"
	parallel += strings.Repeat("-", 30) + "\n• [1.000 seconds]\n[sig-a] two [Conformance]\nx.go:2\n" + strings.Repeat("-", 30) + "\n" // a second time
	want := map[string]bool{"[sig-a] one [Conformance] [sig-a]": true, "[sig-a] two [Conformance]": false}
	if got := readLog(strings.NewReader(parallel)); !maps.Equal(got.ran, want) {
		t.Errorf("parallel: %+v", got.ran)
	}
}

func TestProse(t *testing.T) {
	got := readProse("# A heading\n\nTwo words [and a link](https://x) https://y <https://z>\n\n```sh\nmake\n\nmake test\n```\n~~~\n```\n~~~\n    indented\n$ prompt\n- a step\n2. another step\n")
	if got != (prose{words: 11, commands: 5, steps: 2}) {
		t.Errorf("%+v", got)
	}
}
