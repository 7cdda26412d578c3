package main

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/qualify-dev/qualify/internal/result"
	"github.com/qualify-dev/qualify/internal/run"
)

// unknown are specs that no list of durations has: all are thought to take the same.
func unknown(n int) []string {
	var names []string
	for i := range n {
		names = append(names, fmt.Sprintf("nobody knows this one, number %d", i))
	}
	return names
}

// What is left is told from the pace so far, and from how many ran side by side.
func TestForecast(t *testing.T) {
	names := unknown(20)
	for _, c := range []struct {
		name    string
		ran     int
		each    float64 // seconds
		elapsed time.Duration
		want    time.Duration
		known   bool
	}{
		{"too few to tell", 4, 10, 40 * time.Second, 0, false},
		{"one at a time", 10, 10, 100 * time.Second, 100 * time.Second, true},
		{"five at a time", 10, 10, 20 * time.Second, 20 * time.Second, true},
		{"twice as slow", 10, 20, 40 * time.Second, 40 * time.Second, true},
		{"nothing is left", 20, 10, 200 * time.Second, 0, true},
		{"no time has passed", 10, 10, 0, 0, false},
		{"they took no time", 10, 0, time.Second, 0, false},
	} {
		f := newForecast("v1.34.4", result.PlanSuite{Expected: names})
		shown := map[string]bool{}
		for _, name := range names[:c.ran] {
			shown[name] = true
			f.take(result.Case{Name: name, Seconds: c.each})
		}
		got, known := f.left(func(name string) bool { return shown[name] }, c.elapsed)
		if known != c.known || (got-c.want).Abs() > time.Millisecond {
			t.Errorf("%s: %s, %v; want %s, %v", c.name, got, known, c.want, c.known)
		}
		f.begin()
		if _, known := f.left(func(string) bool { return false }, time.Minute); known {
			t.Errorf("%s: another process's pace is believed", c.name)
		}
	}
	// Those that run alone come on top, and what the user cut away does not.
	suite := result.PlanSuite{Expected: append(unknown(10), "alone, one [Serial]", "alone, two [Serial]"), SuiteMode: result.SuiteMode{Skip: "two"}}
	f := newForecast("v1.34.4", suite)
	for _, name := range suite.Expected[:10] {
		f.take(result.Case{Name: name, Seconds: 10})
	}
	got, _ := f.left(func(name string) bool { return !strings.HasPrefix(name, "alone") }, 10*time.Second)
	if (got - 10*time.Second).Abs() > time.Millisecond {
		t.Errorf("of the serial one %s are left", got)
	}
	for _, version := range []string{"", "latest", "v1.x.3"} {
		if newForecast(version, suite) != nil {
			t.Errorf("there is a forecast for %q", version)
		}
	}
}

// The console says it.
func TestForecastIsShown(t *testing.T) {
	start := time.Date(2026, 11, 27, 10, 0, 0, 0, time.UTC)
	plan := run.Plan{Cells: []run.PlanCell{{
		ID: "a", Release: result.ReleaseRef{Kubernetes: "v1.34.4"}, Suites: []result.PlanSuite{{Name: "conformance", Expected: unknown(20)}},
	}}}
	p := progress{started: start}
	p.take(start, begun{plan: plan})
	p.take(start, result.Event{Kind: result.PhaseStarted, Cell: "a", Phase: "conformance"})
	for i, name := range unknown(10) {
		p.take(start.Add(time.Duration(i+1)*time.Second), result.Event{
			Kind: result.CaseEnded, Cell: "a", Suite: "conformance", Case: &result.Case{Name: name, Outcome: result.Pass, Attempt: 1, Seconds: 10},
		})
	}
	at := start.Add(20 * time.Second)
	if doing, _ := p.doing(at); doing != "a: conformance: spec 10 of 20, about 20s left" {
		t.Errorf("doing %q", doing)
	}
	if view := (frame{now: at, width: 120, height: 20}).view(&p); !strings.Contains(view, "10 passed, about 20s left") {
		t.Errorf("the view is\n%s", view)
	}
	var out bytes.Buffer
	lines := plain{out: &out, progress: p}
	lines.alive(start.Add(40 * time.Second))
	if !strings.Contains(out.String(), "spec 10 of 20, about 40s left, for 40s") {
		t.Errorf("it says %s", out.String())
	}
}
