package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

const table = `test,one,two
[It] [sig-a] long,9,12
[It] [sig-a] short,1,2
[It] [sig-a] alone [Serial],4,4
[SynchronizedBeforeSuite],100,100
`

func TestSimulation(t *testing.T) {
	file := filepath.Join(t.TempDir(), "durations.csv")
	if err := os.WriteFile(file, []byte(table), 0o600); err != nil {
		t.Fatal(err)
	}
	var out, again bytes.Buffer
	if err := run([]string{"-durations", file}, &out); err != nil {
		t.Fatal(err)
	}
	if err := run([]string{"-durations", file}, &again); err != nil || again.String() != out.String() {
		t.Errorf("a second time it says %s, %v", again.String(), err)
	}
	for _, want := range []string{"2 products, 3 specs, 1 of them serial", "8               1.0000", "1       14         14  1.000"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("it does not say %q:\n%s", want, out.String())
		}
	}
}

func TestReadRefuses(t *testing.T) {
	for name, in := range map[string]string{"nothing": "", "only a head": "test,one\n", "no product": "test\n[It] a\n", "no number": "test,one\n[It] a,soon\n"} {
		if got, err := read(strings.NewReader(in)); err == nil {
			t.Errorf("%s: %v", name, got)
		}
	}
}

// What bench/README.md says of the published durations, where they lie beside
// the checkout. Nothing is timed: the figures are the same everywhere.
func TestGoals(t *testing.T) {
	file := filepath.Join("..", "..", "..", "shared", "data", "perf", "conformance", "v1.33_durations_matrix.csv")
	if _, err := os.Stat(file); err != nil {
		t.Skipf("no published durations beside this checkout: %v", err)
	}
	var out bytes.Buffer
	if err := run([]string{"-durations", file}, &out); err != nil {
		t.Fatal(err)
	}
	limits := []struct {
		first  string // column
		column int
		least  float64
		most   float64
	}{
		{"4", 1, 1, 1.02}, {"8", 1, 1, 1.02}, {"16", 1, 1, 1.02}, // mean makespan by its bound
		{"4", 3, 1.05, 2}, {"8", 3, 1.2, 2}, {"16", 3, 1.2, 2}, // random order beside it
		{"1", 1, 1683, 1683}, {"2", 1, 841, 841}, {"3", 1, 561, 561}, // ideal
		{"1", 3, 1, 1.05}, {"2", 3, 1, 1.05}, {"3", 3, 1, 1.05}, // of it
	}
	orders, shards, _ := strings.Cut(out.String(), "clusters")
	for _, l := range limits {
		part := orders
		if l.first == "1" || l.first == "2" || l.first == "3" {
			part = shards
		}
		value := cell(t, part, l.first, l.column)
		if value < l.least || value > l.most {
			t.Errorf("row %s, column %d: %v is not within %v and %v\n%s", l.first, l.column, value, l.least, l.most, out.String())
		}
	}
}

// cell finds a number in a printed table by the first word of its line.
func cell(t *testing.T, table, first string, column int) float64 {
	t.Helper()
	for line := range strings.Lines(table) {
		words := strings.Fields(line)
		if len(words) > column && words[0] == first {
			value, err := strconv.ParseFloat(words[column], 64)
			if err != nil {
				t.Fatal(err)
			}
			return value
		}
	}
	t.Fatalf("no line begins with %s:\n%s", first, table)
	return 0
}
