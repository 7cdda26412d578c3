package planning

import (
	"slices"

	"github.com/qualify-dev/qualify/internal/result"
	"github.com/qualify-dev/qualify/matrix"
)

// History is what the verdicts of earlier runs tell of cells. The zero value
// knows nothing.
type History struct {
	phases map[string]map[string][]float64 // by cell or system, then by phase
	runs   map[string]int
	last   map[string]result.Verdict // by cell
}

func cellKey(id string) string { return "cell " + id }

func systemKey(values map[string]string) string {
	return "system " + values[matrix.OS] + " " + values[matrix.Provisioner]
}

// Learn takes a verdict in; the newest comes last. A cell that was not brought
// to an end tells nothing of how long it takes.
func (h *History) Learn(doc result.Document) {
	if h.phases == nil {
		*h = History{phases: map[string]map[string][]float64{}, runs: map[string]int{}, last: map[string]result.Verdict{}}
	}
	for _, cell := range doc.Cells {
		h.last[cell.ID] = cell.Verdict
		if cell.Verdict == result.Inconclusive || len(cell.Phases) == 0 {
			continue
		}
		suites := map[string]bool{}
		for _, s := range cell.Suites {
			suites[s.Name] = true
		}
		took := map[string]float64{}
		for _, phase := range cell.Phases {
			name := clusterPhase
			if suites[phase.Name] {
				name = phase.Name
			}
			took[name] += max(phase.Seconds, 0)
		}
		for _, key := range []string{cellKey(cell.ID), systemKey(cell.Values)} {
			if h.phases[key] == nil {
				h.phases[key] = map[string][]float64{}
			}
			h.runs[key]++
			for name, seconds := range took {
				h.phases[key][name] = append(h.phases[key][name], seconds)
			}
		}
	}
}

// seconds is the median of what the phases took, and of how many runs. It is
// not ok where one of the suites was never run.
func (h History) seconds(key string, suites []result.PlanSuite) (seconds float64, runs int, ok bool) {
	for _, phase := range append([]string{clusterPhase}, names(suites)...) {
		samples := h.phases[key][phase]
		if len(samples) == 0 {
			return 0, 0, false
		}
		seconds += median(samples)
	}
	return seconds, h.runs[key], true
}

func median(samples []float64) float64 {
	sorted := slices.Sorted(slices.Values(samples))
	middle := len(sorted) / 2
	if len(sorted)%2 == 1 {
		return sorted[middle]
	}
	return (sorted[middle-1] + sorted[middle]) / 2
}

// risk puts cells that failed last before those that nobody has run, and both
// before those that passed.
func (h History) risk(id string) int {
	last, known := h.last[id]
	switch {
	case known && last == result.NotQualified:
		return 3
	case known && last == result.Inconclusive:
		return 2
	case known:
		return 0
	}
	return 1
}
