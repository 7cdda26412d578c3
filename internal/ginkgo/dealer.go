package ginkgo

import (
	"slices"
	"sync"

	"github.com/onsi/ginkgo/v2/types"
)

// dealer hands out groups of specs by their index, and knows from then on
// which process works on which specs.
//
// It can do so where the order is known in which the processes have the specs.
// If it is not, or if a process runs something else than it was given, the
// dealer counts, as Ginkgo's own server does: every spec is run then too, but in
// Ginkgo's order, and nobody can tell which spec ended a process.
type dealer struct {
	mu     sync.Mutex
	groups [][]string
	queue  []int           // indices of the wanted groups, the next one first
	serial []string        // wanted specs that process 1 still has to run alone
	wanted map[string]bool // specs
	alone  bool            // process 1 runs everything
	given  map[int]bool
	work   map[int][]string // what a process was given and has not reported yet
	last   bool             // process 1 has the cluster to itself
	plain  bool             // count
	next   int
}

// nothing is an index behind the last group: whoever is given it has nothing
// more to do.
const nothing = 1 << 30

// newDealer deals specs in the order in which they are wanted.
func newDealer(l Listing, specs []string, alone bool) *dealer {
	d := &dealer{groups: l.groups, wanted: map[string]bool{}, alone: alone, given: map[int]bool{}, work: map[int][]string{}}
	at := map[string][]int{}
	for i, group := range l.groups {
		for _, name := range group {
			at[name] = append(at[name], i)
		}
	}
	queued := map[int]bool{}
	for _, name := range specs {
		d.wanted[name] = true
		for _, i := range at[name] {
			if !queued[i] {
				queued[i] = true
				d.queue = append(d.queue, i)
			}
		}
	}
	for _, name := range l.serial {
		if d.wanted[name] {
			d.serial = append(d.serial, name)
		}
	}
	for _, name := range specs {
		d.plain = d.plain || len(at[name]) == 0 && !slices.Contains(d.serial, name)
	}
	return d
}

// deal gives a process its next group.
func (d *dealer) deal(process int) int {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.plain = d.plain || len(d.work[process]) > 0
	delete(d.work, process)
	switch {
	case d.alone && process != 1:
		return nothing
	case d.plain:
		for d.given[d.next] {
			d.next++
		}
		d.given[d.next] = true
		return d.next
	case len(d.queue) == 0:
		return nothing
	}
	index := d.queue[0]
	d.queue = d.queue[1:]
	d.given[index] = true
	d.work[process] = slices.Clone(d.groups[index])
	return index
}

// reported takes note of what a process has run.
func (d *dealer) reported(process int, report types.SpecReport) {
	if !report.LeafNodeType.Is(types.NodeTypeIt) {
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	name := report.FullText()
	if process == 1 && d.last {
		if i := slices.Index(d.serial, name); i >= 0 {
			d.serial = slices.Delete(d.serial, i, i+1)
		}
		return
	}
	i := slices.Index(d.work[process], name)
	if i < 0 {
		d.plain = true
		return
	}
	d.work[process] = slices.Delete(d.work[process], i, i+1)
}

// clear says that process 1 has the cluster to itself.
func (d *dealer) clear() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.last = true
}

// victims are the wanted specs that a process was given and did not come to
// the end of. Only where nothing was run that was not given is that known.
func (d *dealer) victims(process int) []string {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.plain {
		return nil
	}
	if process == 1 && d.last {
		return slices.Clone(d.serial[:min(1, len(d.serial))])
	}
	return slices.DeleteFunc(slices.Clone(d.work[process]), func(name string) bool { return !d.wanted[name] })
}

// counts reports whether the order is not known, or not any more.
func (d *dealer) counts() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.plain
}
