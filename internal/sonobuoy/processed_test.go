package sonobuoy

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/vmware-tanzu/sonobuoy/pkg/client/results"
	"github.com/vmware-tanzu/sonobuoy/pkg/plugin/driver/job"
)

// processed is what Sonobuoy's own processing makes of the files of a plugin.
func processed(t *testing.T, files map[string]string) Item {
	t.Helper()
	p, err := Parse(tiny(t))
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for name, text := range files {
		file := filepath.Join(dir, "plugins", "tiny", name)
		if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	quiet()
	item, errs := results.PostProcessPlugin(job.NewPlugin(p.def, "q-1-sonobuoy", "x", "", "", nil), dir)
	if len(errs) > 0 {
		t.Log(errs)
	}
	return item
}

// Trap (c) once more, with what Sonobuoy itself says: what it calls passed is
// held against what is in it.
func TestWhatSonobuoyCallsPassed(t *testing.T) {
	const file = "results/global/junit.xml"
	suite := func(cases string) string {
		return `<testsuites><testsuite name="tiny" tests="1" failures="0">` + cases + `</testsuite></testsuites>`
	}
	for name, c := range map[string]struct {
		files  map[string]string
		says   string
		leaves string // names and statuses
	}{
		"two tests": {map[string]string{file: suite(`<testcase name="a" time="1"></testcase><testcase name="b" time="1"><skipped message="no"></skipped></testcase>`)},
			Passed, "a=passed b=skipped"},
		"one failed": {map[string]string{file: suite(`<testcase name="a" time="1"></testcase><testcase name="b" time="1"><failure message="m">why</failure></testcase>`)},
			Failed, "a=passed b=failed"},
		"none":      {map[string]string{file: suite("")}, Passed, "tiny=empty"},
		"no suite":  {map[string]string{file: "<testsuites></testsuites>"}, Passed, "junit.xml=empty"},
		"no file":   {map[string]string{}, "unknown", "!no results"},
		"an error":  {map[string]string{"errors/global/error.json": `{"error":"the pod died"}`}, Failed, "the pod died=failed"},
		"a timeout": {map[string]string{"errors/global/error.json": `{"error":"timeout waiting for results"}`}, Failed, "timeout waiting for results=timeout"},
		"no XML":    {map[string]string{file: "<testsuites"}, "unknown", "junit.xml=unknown"},
	} {
		item := processed(t, c.files)
		leaves, err := Results{Item: item, suites: true}.Leaves("q-1")
		var got []string
		for _, l := range leaves {
			got = append(got, l.Name+"="+l.Status)
		}
		refusal, refused := strings.CutPrefix(c.leaves, "!")
		if item.Status != c.says || refused != (err != nil) || err != nil && !strings.Contains(err.Error(), refusal) || err == nil && strings.Join(got, " ") != c.leaves {
			t.Errorf("%s: it says %q and has %q, %v: %+v", name, item.Status, got, err, item)
		}
	}
}
