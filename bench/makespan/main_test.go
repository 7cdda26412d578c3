package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/onsi/ginkgo/v2/types"
)

func TestMakespan(t *testing.T) {
	start := time.Date(2026, 11, 27, 23, 0, 0, 0, time.UTC)
	spec := func(name string, serial bool, from, seconds int) types.SpecReport {
		at := start.Add(time.Duration(from) * time.Second)
		took := time.Duration(seconds) * time.Second
		return types.SpecReport{LeafNodeType: types.NodeTypeIt, LeafNodeText: name, IsSerial: serial, StartTime: at, EndTime: at.Add(took), RunTime: took}
	}
	var lines []byte
	for _, r := range []types.SpecReport{
		spec("a", false, 0, 100), spec("b", false, 0, 60), spec("c", false, 60, 50),
		spec("alone", true, 110, 20), spec("alone too [Serial]", false, 130, 10), spec("skipped", false, 0, 0), spec("a", false, 900, 100), // again
		{LeafNodeType: types.NodeTypeReportBeforeSuite, RunTime: time.Hour},
	} {
		line, err := json.Marshal(r)
		if err != nil {
			t.Fatal(err)
		}
		lines = append(append(lines, line...), '\n')
	}
	file := filepath.Join(t.TempDir(), "specs.jsonl")
	if err := os.WriteFile(file, lines, 0o600); err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	if err := run(file, 2, &out); err != nil {
		t.Fatal(err)
	}
	const want = `side by side: 3 specs, work 210 s, longest 100 s, makespan 110 s, bound 105 s, ratio 1.048
one by one: 2 specs, work 30 s, longest 20 s, makespan 30 s, bound 30 s, ratio 1.000
`
	if out.String() != want {
		t.Errorf("%s", out.String())
	}
	for name, text := range map[string]string{"nothing": "", "no report": "x\n", "nothing that ran": "{}\n"} {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := run(file, 2, &out); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	if err := run(file, 0, &out); err == nil {
		t.Error("no processes, and no error")
	}
}
