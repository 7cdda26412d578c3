// Command walk visits the valid rows of models of 2,000,000 rows under 30
// constraints, and prints how many there are and what it took:
//
//	go run ./bench/walk
package main

import (
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"syscall"
	"time"

	"github.com/qualify-dev/qualify/matrix/cover"
)

func main() {
	if err := run(os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "walk:", err)
		os.Exit(1)
	}
}

// shares is which part of an axis' values a term holds for, one in so many: from
// constraints that remove nearly everything to some that remove little.
var shares = []int{3, 4, 20}

func run(out io.Writer) error {
	for _, share := range shares {
		m := model(30, share)
		valid, removed := 0, 0
		begin := time.Now()
		err := cover.Walk(m, cover.Visitor{
			Valid:    func(cover.Row) bool { valid++; return true },
			Excluded: func(_ cover.Row, _, rows int) bool { removed += rows; return true },
		})
		spent := time.Since(begin)
		if err != nil {
			return err
		}
		var usage syscall.Rusage
		if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
			return err
		}
		fmt.Fprintf(out, "%7d valid of %d rows, %.3f s, at most %d MB\n", valid, valid+removed, spent.Seconds(), usage.Maxrss/1024)
	}
	return nil
}

// model has eight axes, as a large matrix of releases would, and constraints
// on any two or three of them that were drawn by lot, always the same ones.
func model(constraints, share int) cover.Model {
	var m cover.Model
	for a, values := range []int{20, 10, 10, 10, 5, 5, 2, 2} { // 2,000,000
		axis := cover.Axis{Name: fmt.Sprintf("axis%d", a)}
		for v := range values {
			axis.Values = append(axis.Values, fmt.Sprintf("v%d", v))
		}
		m.Axes = append(m.Axes, axis)
	}
	random := rand.New(rand.NewPCG(1, 2)) //nolint:gosec // not a secret: the same figures each time
	for i := range constraints {
		c := cover.Constraint{Name: fmt.Sprintf("constraint %d", i+1)}
		for _, a := range random.Perm(len(m.Axes))[:2+random.IntN(2)] {
			axis := m.Axes[a]
			term := cover.Term{Axis: axis.Name}
			for _, v := range random.Perm(len(axis.Values))[:(len(axis.Values)+share-1)/share] {
				term.Values = append(term.Values, axis.Values[v])
			}
			c.Forbid = append(c.Forbid, term)
		}
		m.Constraints = append(m.Constraints, c)
	}
	return m
}
