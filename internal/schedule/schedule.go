// Package schedule decides in which order specs run, and on which of several
// clusters. It is pure: names and expected durations in, an order out, with
// the time below which no order comes. Who runs the specs hands them out in
// this order; see internal/ginkgo for how Ginkgo's processes ask for them.
package schedule

import (
	"cmp"
	"container/heap"
	"fmt"
	"slices"
	"strings"
)

// Spec is a spec with the time that it is expected to take.
type Spec struct {
	Name    string
	Seconds float64
}

// Queue is what one cluster has to run: first what may run side by side, in
// this order, then what may not, one after the other.
type Queue struct {
	Parallel []Spec
	Serial   []Spec
}

// Serial reports whether a spec must have its cluster to itself.
func Serial(name string) bool { return strings.Contains(name, "[Serial]") }

// Order puts specs in the order in which they should start: the longest first,
// so that what is left at the end is short and fills the gaps, and the serial
// ones at the end, since nothing runs beside them. Names of equal length in
// time keep the order of the alphabet: the same input gives the same order.
func Order(names []string, e Estimates) Queue {
	var q Queue
	for _, name := range names {
		spec := Spec{Name: name, Seconds: e.Of(name)}
		if Serial(name) {
			q.Serial = append(q.Serial, spec)
		} else {
			q.Parallel = append(q.Parallel, spec)
		}
	}
	slices.SortFunc(q.Parallel, longestFirst)
	slices.SortFunc(q.Serial, longestFirst)
	return q
}

func longestFirst(a, b Spec) int {
	return cmp.Or(cmp.Compare(b.Seconds, a.Seconds), strings.Compare(a.Name, b.Name))
}

// Names lists the specs in the order of the queue.
func (q Queue) Names() []string {
	names := make([]string, 0, len(q.Parallel)+len(q.Serial))
	for _, s := range slices.Concat(q.Parallel, q.Serial) {
		names = append(names, s.Name)
	}
	return names
}

// Bound is the time below which no order of the queue comes with so many
// workers: they share the work evenly, or wait for the longest spec; the
// serial ones come on top.
func (q Queue) Bound(workers int) float64 {
	return max(total(q.Parallel)/float64(max(workers, 1)), longest(q.Parallel)) + total(q.Serial)
}

// Makespan is how long the queue takes if specs take what actual says: each
// worker takes the next spec when it is done with one. It is also what an
// estimate of the remaining time is made with.
func (q Queue) Makespan(workers int, actual func(name string) float64) float64 {
	free := make(times, max(workers, 1)) // when each worker has nothing to do
	for _, s := range q.Parallel {
		free[0] += actual(s.Name)
		heap.Fix(&free, 0)
	}
	end := slices.Max(free)
	for _, s := range q.Serial {
		end += actual(s.Name)
	}
	return end
}

func total(specs []Spec) float64 {
	sum := 0.0
	for _, s := range specs {
		sum += s.Seconds
	}
	return sum
}

func longest(specs []Spec) float64 {
	most := 0.0
	for _, s := range specs {
		most = max(most, s.Seconds)
	}
	return most
}

// times is a heap of points in time.
type times []float64

func (t times) Len() int           { return len(t) }
func (t times) Less(i, j int) bool { return t[i] < t[j] }
func (t times) Swap(i, j int)      { t[i], t[j] = t[j], t[i] }

// Push implements heap.Interface; the number of workers stays the same.
func (t *times) Push(x any) { *t = append(*t, x.(float64)) }

// Pop implements heap.Interface.
func (t *times) Pop() any {
	old := *t
	last := old[len(old)-1]
	*t = old[:len(old)-1]
	return last
}

// Indices finds the specs of an order in a list that has them in another, as
// a test binary lists them: who hands out indices gives them out like this.
func Indices(order, listed []string) ([]int, error) {
	at := make(map[string]int, len(listed))
	for i, name := range listed {
		if _, twice := at[name]; twice {
			return nil, fmt.Errorf("ordering specs: %q is listed twice", name)
		}
		at[name] = i
	}
	indices := make([]int, len(order))
	for i, name := range order {
		index, there := at[name]
		if !there {
			return nil, fmt.Errorf("ordering specs: %q is not listed, or ordered twice", name)
		}
		delete(at, name)
		indices[i] = index
	}
	return indices, nil
}
