package suites

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/qualify-dev/qualify/internal/release"
)

func releaseOf(version string) *release.Release {
	return &release.Release{Name: "x", Components: []release.Component{{Name: "etcd", GitTag: "v3.6.5"}, {Name: "kubernetes", GitTag: version}}}
}

func TestAll(t *testing.T) {
	form := regexp.MustCompile(`^[a-z][a-z0-9-]*$`)
	names, docs := map[string]bool{}, map[string]bool{}
	for _, s := range All() {
		if !form.MatchString(s.Name) || names[s.Name] || s.Doc == "" || docs[s.Doc] || s.Expect == nil || s.Run == nil {
			t.Errorf("suite %+v", s)
		}
		names[s.Name], docs[s.Doc] = true, true
		found, err := Find(s.Name)
		if err != nil || found.Name != s.Name {
			t.Errorf("%s: found %q, %v", s.Name, found.Name, err)
		}
	}
	if len(names) < 2 {
		t.Errorf("%d suites", len(names))
	}
	for _, name := range []string{"", "Smoke", "smoke ", "conform"} {
		if _, err := Find(name); err == nil || !strings.Contains(err.Error(), "known are smoke, conformance") {
			t.Errorf("%q: %v", name, err)
		}
	}
}

// Every suite expects the same of a release each time, and no case twice.
func TestExpected(t *testing.T) {
	least := map[string]int{"smoke": 8, "conformance": 40, "reboot": 6}
	for _, s := range All() {
		for _, version := range []string{"v1.33.13", "v1.34.4", "v1.35.4", "v1.36.3", "v1.37.2"} {
			list, err := s.Expect(releaseOf(version))
			if err != nil || len(list) < least[s.Name] || least[s.Name] == 0 {
				t.Errorf("%s of %s: %d cases, %v", s.Name, version, len(list), err)
			}
			sorted := slices.Sorted(slices.Values(list))
			if n := len(slices.Compact(sorted)); n != len(list) {
				t.Errorf("%s of %s: %d cases, %d names", s.Name, version, len(list), n)
			}
			if again, err := s.Expect(releaseOf(version)); err != nil || !slices.Equal(again, list) {
				t.Errorf("%s of %s: other cases the second time, %v", s.Name, version, err)
			}
		}
	}
}

// sigs are the groups that have conformance specs.
var sigs = []string{"api-machinery", "apps", "architecture", "auth", "cli", "instrumentation", "network", "node", "scheduling", "storage"}

func TestExpectQuick(t *testing.T) {
	const (
		older = "[sig-storage] Secrets should be consumable from pods in volume [NodeConformance] [Conformance]"
		newer = "[sig-storage] Secrets should be consumable from pods in volume [Conformance] [NodeConformance]"
		same  = "[sig-apps] CronJob should support CronJob API operations [Conformance]"
	)
	form := regexp.MustCompile(`^\[sig-([a-z-]+)\] .*\[Conformance\]( \[NodeConformance\])?$`)
	for minor := 33; minor <= 40; minor++ {
		list, err := expectQuick(releaseOf(fmt.Sprintf("v1.%d.2", minor)))
		if err != nil {
			t.Fatal(err)
		}
		want, other := older, newer
		if minor >= 37 {
			want, other = newer, older
		}
		if !slices.Contains(list, want) || slices.Contains(list, other) || !slices.Contains(list, same) {
			t.Errorf("1.%d names its specs otherwise", minor)
		}
		seen := map[string]bool{}
		for _, name := range list {
			parts := form.FindStringSubmatch(name)
			if parts == nil || strings.Count(name, "[Conformance]") != 1 {
				t.Errorf("1.%d: %q is no conformance spec's text", minor, name)
				continue
			}
			seen[parts[1]] = true
		}
		for _, sig := range sigs {
			if !seen[sig] {
				t.Errorf("1.%d: none of %s", minor, sig)
			}
		}
		if len(seen) != len(sigs) {
			t.Errorf("1.%d: groups %v", minor, seen)
		}
	}
	for _, version := range []string{"", "v1", "v1.34", "v1.x.4", "v1..4", "latest"} {
		if list, err := expectQuick(releaseOf(version)); err == nil || !strings.Contains(err.Error(), "is no Kubernetes version") {
			t.Errorf("%q: %d cases, %v", version, len(list), err)
		}
	}
}

// The whole suite is what Kubernetes' own list says, and the slice is of it.
func TestConformanceModes(t *testing.T) {
	suite := conformance()
	for version, want := range map[string]int{"v1.33.13": 419, "v1.34.4": 424, "v1.35.4": 441, "v1.36.3": 446, "v1.37.2": 462} {
		rel := releaseOf(version)
		part, err := suite.Expect(rel)
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range []string{full, certified} {
			mode, err := suite.In(name)
			if err != nil {
				t.Fatal(err)
			}
			all, err := mode.Expect(rel)
			if err != nil || len(all) != want {
				t.Errorf("%s of %s: %d tests, %v; want %d", name, version, len(all), err, want)
			}
			if missing := without(part, all); len(missing) > 0 {
				t.Errorf("%s: the slice has %q, which the list lacks", version, missing)
			}
		}
		mode, err := suite.In("")
		if err != nil || mode.Name != quick {
			t.Errorf("by default it is run as %q, %v", mode.Name, err)
		}
	}
	all, err := suite.In(full)
	if err != nil {
		t.Fatal(err)
	}
	for version, want := range map[string]string{"v1.30.1": "no list of the conformance tests of v1.30", "latest": "is no Kubernetes version"} {
		if list, err := all.Expect(releaseOf(version)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %d tests, %v", version, len(list), err)
		}
	}
}

// Specs start longest first, and those that run alone at the end.
func TestLongestFirst(t *testing.T) {
	rel := releaseOf("v1.34.4")
	all, err := expectAll(rel)
	if err != nil {
		t.Fatal(err)
	}
	got, err := longestFirst(rel, all)
	if err != nil || len(without(all, got)) > 0 || len(got) != len(all) {
		t.Fatalf("%d of %d, %v", len(got), len(all), err)
	}
	serial := slices.IndexFunc(got, func(name string) bool { return strings.Contains(name, "[Serial]") })
	if serial < 0 || len(got)-serial != 29 || slices.ContainsFunc(got[serial:], func(name string) bool { return !strings.Contains(name, "[Serial]") }) {
		t.Errorf("the first that runs alone is number %d of %d", serial, len(got))
	}
	if !strings.Contains(got[0], "[sig-") || slices.Index(got, "[sig-api-machinery] server version should find the server version [Conformance]") < 300 {
		t.Errorf("the first is %q", got[0])
	}
	if _, err := longestFirst(releaseOf("latest"), all); err == nil {
		t.Error("the order of no release")
	}
}

func TestIn(t *testing.T) {
	none, some := Suite{Name: "tiny"}, Suite{Name: "big", Modes: []Mode{{Name: "a"}, {Name: "b"}}}
	for _, c := range []struct {
		suite     Suite
		ask, want string
	}{
		{none, "", ""},
		{none, "a", "!tiny has no modes"},
		{some, "", "a"},
		{some, "b", "b"},
		{some, "c", "!known are a, b"},
		{some, "A", "!known are a, b"},
	} {
		mode, err := c.suite.In(c.ask)
		refusal, refused := strings.CutPrefix(c.want, "!")
		if refused != (err != nil) || err != nil && !strings.Contains(err.Error(), refusal) || err == nil && mode.Name != c.want {
			t.Errorf("%s in %q: %q, %v", c.suite.Name, c.ask, mode.Name, err)
		}
	}
}

// Every conformance spec is on one of the clusters, and none of them has much
// more to do than another.
func TestDivide(t *testing.T) {
	rel := releaseOf("v1.34.4")
	all, err := expectAll(rel)
	if err != nil {
		t.Fatal(err)
	}
	for clusters := 1; clusters <= 4; clusters++ {
		parts, err := divide(rel, all, clusters)
		if err != nil || len(parts) != clusters {
			t.Fatalf("%d clusters: %d parts, %v", clusters, len(parts), err)
		}
		whole, err := order(rel, all)
		if err != nil {
			t.Fatal(err)
		}
		for i, part := range parts {
			queue, err := order(rel, part)
			if err != nil {
				t.Fatal(err)
			}
			if took, ideal := queue.Bound(sharedProcs), whole.ShardBound(clusters, sharedProcs); took > 1.1*ideal {
				t.Errorf("%d clusters: part %d needs %.0f s, and %.0f s could do", clusters, i, took, ideal)
			}
		}
		if got, want := slices.Sorted(slices.Values(slices.Concat(parts...))), slices.Sorted(slices.Values(all)); !slices.Equal(got, want) {
			t.Errorf("%d clusters: %d specs of %d", clusters, len(got), len(want))
		}
	}
	if _, err := divide(releaseOf("latest"), all, 2); err == nil {
		t.Error("a release without a version was divided")
	}
}
