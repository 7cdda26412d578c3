package ginkgo

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"

	"github.com/onsi/ginkgo/v2/types"
)

// collector sorts the reports of a run as they arrive: those of specs go on,
// failures of set-up and clean-up nodes are kept, and both are recorded.
type collector struct {
	record *recorder
	onSpec func(types.SpecReport)
	specs  []string

	mu       sync.Mutex
	wanted   map[string]bool
	reported map[string]bool
	around   error // failures of set-up and clean-up nodes
	over     bool
}

func newCollector(specs []string, record *recorder, onSpec func(types.SpecReport)) *collector {
	c := &collector{record: record, onSpec: onSpec, specs: specs, reported: map[string]bool{}}
	c.begin(specs)
	return c
}

// begin says what the processes select from here on: what an earlier pass has
// run is skipped by a later one, and that it says so is no result.
func (c *collector) begin(specs []string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.wanted = map[string]bool{}
	for _, s := range specs {
		c.wanted[s] = true
	}
}

// take receives one report. Specs that were not selected, thousands in a large
// suite, are reported too; those go no further. One that ran nevertheless does.
func (c *collector) take(report types.SpecReport) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.over {
		return // the last words of a killed process
	}
	spec, name := report.LeafNodeType.Is(types.NodeTypeIt), report.FullText()
	if spec && !c.wanted[name] && report.State.Is(types.SpecStateSkipped|types.SpecStatePending) {
		return
	}
	c.record.write(report)
	if !spec {
		if report.Failed() {
			c.around = errors.Join(c.around, fmt.Errorf("%s failed: %s", report.LeafNodeType, cause(report.Failure)))
		}
		return
	}
	c.reported[name] = true
	c.onSpec(report)
}

// end ends the collection; nothing is passed on after it. The error holds the
// failures of set-up and clean-up.
func (c *collector) end() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.over = true
	return c.around
}

// left are the specs that were not reported, in the order in which they are
// wanted.
func (c *collector) left() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(c.specs), func(name string) bool { return c.reported[name] })
}

// missing is an error where a wanted spec was never reported.
func (c *collector) missing() error {
	n, first := 0, ""
	for _, s := range c.specs {
		if !c.reported[s] {
			n++
			if first == "" {
				first = s
			}
		}
	}
	if n > 0 {
		return fmt.Errorf("%d of %d specs were never reported: %q", n, len(c.specs), first)
	}
	return nil
}

func cause(failure types.Failure) string {
	if failure.ForwardedPanic != "" {
		return failure.Message + ": " + failure.ForwardedPanic
	}
	return failure.Message
}

// recorder keeps every report as it came, one JSON line each.
type recorder struct {
	file io.WriteCloser
	err  error
}

func (r *recorder) write(report types.SpecReport) {
	r.err = errors.Join(r.err, json.NewEncoder(r.file).Encode(report)) // in one write
}

func (r *recorder) close() error { return errors.Join(r.err, r.file.Close()) }
