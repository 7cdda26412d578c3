package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const table = `version,test,n,p10,median,p90,max
v1.32,[It] [sig-a] one,115,0.1,0.174,0.4,1.5
v1.32,[SynchronizedBeforeSuite],115,0,1,2,3
v1.33,[It] [sig-a] one,62,0.1,2,0.4,1.5
v1.33,"[It] [sig-a] two, with a comma",62,0.1,60.06,0.4,1.5
v1.34,[It] [sig-a] three,8,0.1,9,0.4,1.5
`

func TestConvert(t *testing.T) {
	var out bytes.Buffer
	err := convert(strings.NewReader(table), []string{"v1.32", "v1.33"}, &out)
	want := `# Written by hack/specdurations: medians in seconds over the products that submitted results of a minor.
minors	32	33
0.2	2.0	[sig-a] one
-	60.1	[sig-a] two, with a comma
`
	if err != nil || out.String() != want {
		t.Errorf("%v\n%s", err, out.String())
	}
}

func TestConvertRefuses(t *testing.T) {
	for name, in := range map[string]string{
		"nothing":           "",
		"only a head":       "version,test,median\n",
		"other columns":     "version,name,median\nv1.32,[It] a,1\n",
		"no number":         "version,test,median\nv1.32,[It] a,soon\n",
		"a negative number": "version,test,median\nv1.32,[It] a,-1\n",
		"a tab in a name":   "version,test,median\nv1.32,[It] a\tb,1\n",
		"a short row":       "version,test,median\nv1.32\n",
	} {
		if err := convert(strings.NewReader(in), []string{"v1.32"}, &bytes.Buffer{}); err == nil {
			t.Errorf("%s: converted", name)
		}
	}
	if err := convert(strings.NewReader(table), []string{"1.32"}, &bytes.Buffer{}); err == nil {
		t.Error("1.32 does for a version")
	}
	for _, args := range [][]string{nil, {"none.csv"}, {"-x"}} {
		if err := run(args, &bytes.Buffer{}); err == nil {
			t.Errorf("%q: run", args)
		}
	}
}

// The shipped medians are what this program makes of the published durations,
// where they lie beside the checkout.
func TestShippedMediansAreThoseOfTheSource(t *testing.T) {
	source := filepath.Join("..", "..", "..", "shared", "data", "perf", "conformance", "test_durations_summary.csv")
	if _, err := os.Stat(source); err != nil {
		t.Skipf("no published durations beside this checkout, so the shipped medians are not compared with them: %v", err)
	}
	shipped, err := os.ReadFile("../../internal/schedule/data/medians.tsv")
	if err != nil {
		t.Fatal(err)
	}
	var made bytes.Buffer
	if err := run([]string{source}, &made); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(made.Bytes(), shipped) {
		t.Error("internal/schedule/data/medians.tsv is not what specdurations writes")
	}
}
