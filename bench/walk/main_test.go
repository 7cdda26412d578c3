package main

import (
	"bytes"
	"strings"
	"testing"

	"github.com/qualify-dev/qualify/matrix/cover"
)

func TestRun(t *testing.T) {
	var out bytes.Buffer
	if err := run(&out); err != nil {
		t.Fatal(err)
	}
	if strings.Count(out.String(), " valid of 2000000 rows, ") != len(shares) {
		t.Errorf("printed\n%s", &out)
	}
}

// TestWalkKeepsNothing holds what is claimed of memory: it does not grow with
// the number of rows.
func TestWalkKeepsNothing(t *testing.T) {
	m := model(0, 1)
	rows := 0
	allocated := testing.AllocsPerRun(1, func() {
		err := cover.Walk(m, cover.Visitor{Valid: func(cover.Row) bool { rows++; return true }})
		if err != nil {
			t.Error(err)
		}
	})
	if rows != 2*2_000_000 || allocated > 1000 {
		t.Errorf("%d rows in two walks, %v allocations for each", rows, allocated)
	}
}
