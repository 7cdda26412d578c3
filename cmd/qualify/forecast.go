package main

import (
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/qualify-dev/qualify/internal/result"
	"github.com/qualify-dev/qualify/internal/schedule"
)

// forecast tells how long a suite will still take, from the medians of others'
// durations and from the pace of its own specs so far.
type forecast struct {
	estimates schedule.Estimates
	names     []string // of the specs that will run
	ran       int      // in this process
	spent     float64  // seconds that they took, one after the other
	guessed   float64  // seconds that they were expected to take
}

// leastSpecs is from how many specs on a pace can be told.
const leastSpecs = 5

// newForecast is nil where nothing is known of the release.
func newForecast(kubernetes string, suite result.PlanSuite) *forecast {
	parts := strings.Split(kubernetes, ".")
	if len(parts) < 2 {
		return nil
	}
	minor, err := strconv.Atoi(parts[1])
	if err != nil {
		return nil
	}
	medians, err := schedule.Medians(minor)
	if err != nil {
		return nil
	}
	names, err := suite.Selected(suite.Expected)
	if err != nil {
		return nil
	}
	return &forecast{estimates: schedule.NewEstimates(medians), names: names}
}

// take takes note of a spec that ended.
func (f *forecast) take(c result.Case) {
	if f == nil {
		return
	}
	f.ran++
	f.spent += c.Seconds
	f.guessed += f.estimates.Of(c.Name)
}

// begin forgets the pace: another process goes on.
func (f *forecast) begin() {
	if f != nil {
		f.ran, f.spent, f.guessed = 0, 0, 0
	}
}

// left is how long the specs that are not shown yet will take, after so much
// time in which those ran that did; false where nobody can tell.
func (f *forecast) left(shown func(name string) bool, elapsed time.Duration) (time.Duration, bool) {
	if f == nil || f.ran < leastSpecs || f.spent <= 0 || f.guessed <= 0 || elapsed <= 0 {
		return 0, false
	}
	var rest []string
	for _, name := range f.names {
		if !shown(name) {
			rest = append(rest, name)
		}
	}
	pace := f.spent / f.guessed
	sideBySide := max(1, int(math.Round(f.spent/elapsed.Seconds())))
	queue := schedule.Order(rest, f.estimates)
	seconds := queue.Makespan(sideBySide, func(name string) float64 { return pace * f.estimates.Of(name) })
	return time.Duration(seconds * float64(time.Second)), true
}

// aboutLeft says how long a suite will still take, with what parts it from the
// text before; empty where nobody can tell.
func (s *suiteProgress) aboutLeft(elapsed time.Duration) string {
	left, known := s.left(func(name string) bool { _, shown := s.last[name]; return shown }, elapsed)
	if !known || left < time.Second {
		return ""
	}
	return ", about " + clock(left) + " left"
}
