// Makespan tells how well the specs of a run were spread over its processes:
// the time from the first start to the last end, by the least that it could
// have been. That is the work shared evenly, or the longest spec.
//
//	go run ./bench/makespan -procs 8 results/latest/cells/CELL/suites/conformance/specs.jsonl
package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/onsi/ginkgo/v2/types"
)

func main() {
	procs := flag.Int("procs", 8, "processes that the run had")
	flag.Parse()
	if err := run(flag.Arg(0), *procs, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "makespan:", err)
		os.Exit(1)
	}
}

func run(file string, procs int, out io.Writer) error {
	if procs < 1 {
		return fmt.Errorf("-procs is %d, and is at least 1", procs)
	}
	f, err := os.Open(file)
	if err != nil {
		return err
	}
	defer f.Close()
	all, err := read(f)
	if err != nil {
		return fmt.Errorf("reading %s: %w", file, err)
	}
	for _, kind := range []struct {
		name   string
		serial bool
		procs  int
	}{{"side by side", false, procs}, {"one by one", true, 1}} {
		if s := measure(all, kind.serial); s.specs > 0 {
			bound := max(s.work/time.Duration(kind.procs), s.longest)
			fmt.Fprintf(out, "%s: %d specs, work %.0f s, longest %.0f s, makespan %.0f s, bound %.0f s, ratio %.3f\n",
				kind.name, s.specs, s.work.Seconds(), s.longest.Seconds(), s.makespan.Seconds(), bound.Seconds(), s.makespan.Seconds()/bound.Seconds())
		}
	}
	return nil
}

// read returns the first report of each spec that ran: a spec that was tried
// again was so after all others.
func read(r io.Reader) ([]types.SpecReport, error) {
	var all []types.SpecReport
	seen := map[string]bool{}
	lines := bufio.NewReader(r)
	for {
		line, err := lines.ReadBytes('\n')
		if len(line) > 1 {
			var report types.SpecReport
			if err := json.Unmarshal(line, &report); err != nil {
				return nil, err
			}
			if report.LeafNodeType == types.NodeTypeIt && report.RunTime > 0 && !seen[report.FullText()] {
				seen[report.FullText()] = true
				all = append(all, report)
			}
		}
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, err
		}
	}
	if len(all) == 0 {
		return nil, errors.New("no spec of it ran")
	}
	return all, nil
}

// isSerial knows the specs of Kubernetes by what their names say: not all are
// marked otherwise.
func isSerial(r types.SpecReport) bool {
	return r.IsSerial || strings.Contains(r.FullText(), "[Serial]")
}

type span struct {
	specs                   int
	work, longest, makespan time.Duration
}

func measure(all []types.SpecReport, serial bool) span {
	var s span
	var first, last time.Time
	for _, r := range all {
		if isSerial(r) != serial {
			continue
		}
		s.specs++
		s.work += r.RunTime
		s.longest = max(s.longest, r.RunTime)
		if first.IsZero() || r.StartTime.Before(first) {
			first = r.StartTime
		}
		if r.EndTime.After(last) {
			last = r.EndTime
		}
	}
	s.makespan = last.Sub(first)
	return s
}
