package sonobuoy

import (
	"strings"
	"testing"

	"github.com/vmware-tanzu/sonobuoy/pkg/client/results"
)

// What an archive leads to stays in memory, and what is damaged is none.
func TestReadArchives(t *testing.T) {
	good := packed(t, "plugins/tiny/sonobuoy_results.yaml", twoPassed)
	p, err := Parse(tiny(t))
	if err != nil || !p.suites() {
		t.Fatalf("%+v, %v", p, err)
	}
	for name, c := range map[string]struct {
		archive []byte
		want    string
	}{
		"a good one":       {good, ""},
		"with a link":      {packed(t, "plugins/tiny/results->", "/etc", "plugins/tiny/results/passwd", "x", "plugins/tiny/sonobuoy_results.yaml", twoPassed), ""},
		"a way out":        {packed(t, "../../plugins/tiny/sonobuoy_results.yaml", twoPassed), "no results of plugin tiny"},
		"no results":       {packed(t, "plugins/tiny/results/global/x", ""), "no results of plugin tiny"},
		"another's":        {packed(t, "plugins/tiny2/sonobuoy_results.yaml", twoPassed), "no results of plugin tiny"},
		"twice":            {packed(t, "plugins/tiny/sonobuoy_results.yaml", twoPassed, "plugins/tiny/sonobuoy_results.yaml", twoPassed), "twice"},
		"no YAML":          {packed(t, "plugins/tiny/sonobuoy_results.yaml", "a: ["), "results of plugin tiny"},
		"cut off":          {good[:len(good)-6], "unexpected EOF"},
		"not an archive":   {[]byte("404"), "reading Sonobuoy's archive"},
		"a wrong checksum": {append(append([]byte(nil), good[:len(good)-8]...), 1, 2, 3, 4, 5, 6, 7, 8), "checksum"},
	} {
		r, err := read(c.archive, p)
		if c.want == "" && (err != nil || r.Item.Status != Passed) || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%s: %+v, %v; want %q", name, r, err, c.want)
		}
		if _, there := r.Files["results"]; there {
			t.Errorf("%s: a link is taken for a file", name)
		}
	}
}

// Trap (c): Sonobuoy calls passed what has no tests, or none that ran.
func TestLeaves(t *testing.T) {
	kind := func(k string) map[string]string { return map[string]string{results.MetadataTypeKey: k} }
	leaf := func(name, status string) Item { return Item{Name: name, Status: status} }
	for name, c := range map[string]struct {
		item Item
		want string // names and statuses, or an error after !
	}{
		"some":              {Item{Items: []Item{leaf("b", "failed"), leaf("a", "passed")}}, "a=passed b=failed"},
		"in files":          {Item{Items: []Item{{Name: "x.xml", Metadata: kind("file"), Items: []Item{leaf("a", "passed")}}}}, "a=passed"},
		"of nodes":          {Item{Items: []Item{{Name: "q-1-w1", Metadata: kind("node"), Items: []Item{leaf("a", "passed")}}, {Name: "q-1-w2", Metadata: kind("node"), Items: []Item{leaf("a", "failed")}}}}, "w1: a=passed w2: a=failed"},
		"nothing":           {Item{Name: "tiny", Status: "passed"}, "!no results"},
		"an empty file":     {Item{Items: []Item{{Name: "x.xml", Status: "passed", Metadata: kind("file")}}}, "x.xml=empty"},
		"an empty node":     {Item{Items: []Item{{Name: "w1", Status: "passed", Metadata: kind("node")}}}, "w1: w1=empty"},
		"two of a name":     {Item{Items: []Item{leaf("a", "passed"), leaf("a", "failed")}}, "!two results"},
		"without a name":    {Item{Items: []Item{leaf("", "passed")}}, "!two results"},
		"of their own kind": {Item{Items: []Item{leaf("a", "complete: 3")}}, "a=complete: 3"},
		"too deep":          {deep(40), "!too deep"},
	} {
		leaves, err := Results{Item: c.item}.Leaves("q-1")
		var got []string
		for _, l := range leaves {
			got = append(got, l.Name+"="+l.Status)
		}
		refusal, refused := strings.CutPrefix(c.want, "!")
		if refused != (err != nil) || err != nil && !strings.Contains(err.Error(), refusal) || err == nil && strings.Join(got, " ") != c.want {
			t.Errorf("%s: %q, %v; want %q", name, got, err, c.want)
		}
	}
	failed := Item{Items: []Item{{Name: "a", Status: "failed", Details: map[string]any{"failure": " it broke\n", "system-out": "log"}}}}
	leaves, err := Results{Item: failed}.Leaves("q-1")
	if err != nil || leaves[0].Message != "it broke" || leaves[0].Output != "log" {
		t.Errorf("%+v, %v", leaves, err)
	}
}

func deep(n int) Item {
	if n == 0 {
		return Item{Name: "a", Status: "passed"}
	}
	return Item{Name: "x", Items: []Item{deep(n - 1)}}
}

func FuzzRead(f *testing.F) {
	f.Add([]byte("x"))
	f.Fuzz(func(t *testing.T, archive []byte) {
		r, err := read(archive, Plugin{Name: "tiny"})
		if err != nil {
			return
		}
		leaves, err := r.Leaves("q-1")
		if err == nil && len(leaves) == 0 {
			t.Error("no leaf, and no error")
		}
	})
}
