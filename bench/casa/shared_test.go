package main

import (
	"bytes"
	"encoding/csv"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// sharedData is where the published models lie beside a checkout of the
// project. They are not part of it.
const sharedData = "../../../shared/data/perf/casa"

// TestPublishedModels holds the figures of bench/README.md: at most 0.80 of
// the rows that PICT needs. Each array is verified on the way.
func TestPublishedModels(t *testing.T) {
	if testing.Short() {
		t.Skip("searches for some seconds")
	}
	f, err := os.Open(filepath.Join(sharedData, "best_known_sizes.csv"))
	if err != nil {
		t.Skipf("no published models beside this checkout: %v", err)
	}
	defer f.Close()
	table, err := csv.NewReader(f).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	pict := map[string]float64{} // by model
	for _, row := range table[1:] {
		if n, err := strconv.ParseFloat(row[len(row)-1], 64); err == nil && row[1] == "2way" {
			pict["benchmark_"+row[2]+"_2way"] = n
		}
	}
	var out bytes.Buffer
	if err := run([]string{sharedData}, &out); err != nil {
		t.Fatal(err)
	}
	rows, theirs := 0.0, 0.0
	for _, line := range regexp.MustCompile(`(?m)^(benchmark_\S+) (\d+) `).FindAllStringSubmatch(out.String(), -1) {
		n, _ := strconv.ParseFloat(line[2], 64)
		if pict[line[1]] == 0 {
			t.Errorf("%s is not in the table", line[1])
		}
		rows, theirs = rows+n, theirs+pict[line[1]]
	}
	if strings.Count(out.String(), "\n") < 10 || rows > 0.8*theirs {
		t.Errorf("%v rows, PICT needs %v:\n%s", rows, theirs, &out)
	}
	t.Logf("%v rows, PICT needs %v", rows, theirs)
}
