package planning

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/qualify-dev/qualify/internal/result"
	"github.com/qualify-dev/qualify/internal/run"
	"github.com/qualify-dev/qualify/matrix"
)

func cell(os, k8s, provisioner string) run.PlanCell {
	made := matrix.NewCell(map[string]string{matrix.OS: os, matrix.K8s: k8s, matrix.Provisioner: provisioner})
	return run.PlanCell{ID: made.ID, Values: made.Values, Suites: []result.PlanSuite{{Name: "smoke"}}}
}

// verdict is of a run with one cell that took so long.
func verdict(c run.PlanCell, v result.Verdict, cluster, smoke float64) result.Document {
	return result.Document{Cells: []result.CellVerdict{{
		ID: c.ID, Values: c.Values, Verdict: v, Suites: []result.SuiteCount{{Name: "smoke"}},
		Phases: []result.Phase{{Name: "create", Seconds: cluster}, {Name: "smoke", Seconds: smoke}, {Name: "down", Seconds: 1}},
	}}}
}

func TestEstimateSources(t *testing.T) {
	known, like, other := cell("debian-12", "v1.34.4", "kind"), cell("debian-12", "v1.35.4", "kind"), cell("debian-11", "v1.34.4", "kind")
	cloud := cell("ubuntu-22.04", "v1.34.4", "ec2")
	strange := cell("debian-12", "v1.34.4", "moon")
	strange.Suites = []result.PlanSuite{{Name: "soak"}}
	var h History
	for _, seconds := range []float64{10, 30, 20} {
		h.Learn(verdict(known, result.Qualified, seconds, 2*seconds))
	}
	h.Learn(verdict(known, result.Inconclusive, 9000, 9000)) // ended too soon, or too late
	plan := NewEstimator(h).Estimate(run.Plan{Workers: 2, Cells: []run.PlanCell{known, like, other, cloud, strange}})
	want := []string{
		"61 0 history: median of 3 of this cell",
		"61 0 history: median of 3 of cells of this system",
		"84 0 shipped medians: measured 2026-11-25",
		"660 0.0259 shipped medians: assumed; t3.medium on demand in us-east-1, prices of 2025-01-01",
		"4740 0 shipped medians: the budget",
	}
	for i, c := range plan.Cells {
		if got := fmt.Sprint(c.Estimate.Seconds, c.Estimate.USD, " ", c.Estimate.Source); strings.ReplaceAll(got, "  ", " ") != want[i] {
			t.Errorf("cell %d: %s, want %s", i, got, want[i])
		}
	}
	if known.Estimate != nil {
		t.Error("the plan that was given has changed")
	}
}

// A suite that was never run there tells nothing of the cell.
func TestHistoryNeedsEverySuite(t *testing.T) {
	c := cell("debian-12", "v1.34.4", "kind")
	var h History
	h.Learn(verdict(c, result.Qualified, 10, 10))
	c.Suites = append(c.Suites, result.PlanSuite{Name: "conformance"})
	plan := NewEstimator(h).Estimate(run.Plan{Cells: []run.PlanCell{c}})
	if source := plan.Cells[0].Estimate.Source; !strings.HasPrefix(source, "shipped medians") {
		t.Error(source)
	}
}

func TestShippedFigures(t *testing.T) {
	e := NewEstimator(History{})
	for key, f := range e.medians {
		if f.value <= 0 || f.source == "" || !strings.HasPrefix(f.source, "measured 20") && f.source != "assumed" {
			t.Errorf("%v: %+v", key, f)
		}
	}
	for _, what := range []string{typeAMD64, typeARM64, "gp3"} {
		if e.prices[[2]string{region, what}].value <= 0 {
			t.Errorf("no price of %s", what)
		}
	}
}

// plan has cells that take 1, 2, 3, … seconds and cost as many dollars.
func plan(n int) run.Plan {
	var p run.Plan
	for i := range n {
		c := cell(fmt.Sprint("os-", i), "v1.34.4", "kind")
		c.Estimate = &run.Estimate{Seconds: i + 1, USD: float64(i + 1)}
		p.Cells = append(p.Cells, c)
	}
	return p
}

func ids(p run.Plan) string {
	var all []string
	for _, c := range p.Cells {
		all = append(all, strings.TrimPrefix(c.Values[matrix.OS], "os-"))
	}
	return strings.Join(all, " ")
}

func TestOrder(t *testing.T) {
	p := plan(4)
	var h History
	for i, v := range []result.Verdict{result.Qualified, result.NotQualified, result.Inconclusive} {
		h.Learn(verdict(p.Cells[i], v, 1, 1))
	}
	e := NewEstimator(h)
	for how, want := range map[string]string{ByRisk: "1 2 3 0", ByMatrix: "0 1 2 3", ByShortest: "0 1 2 3", ByLongest: "3 2 1 0"} {
		got, err := e.Order(p, how)
		if err != nil || ids(got) != want {
			t.Errorf("%s: %s, %v, want %s", how, ids(got), err, want)
		}
	}
	if _, err := e.Order(p, "luck"); err == nil || !strings.Contains(err.Error(), "the orders are risk, matrix, shortest, longest") {
		t.Errorf("error %v", err)
	}
	if ids(p) != "0 1 2 3" {
		t.Error("the plan that was given has changed")
	}
}

func TestLimit(t *testing.T) {
	tests := []struct {
		most      Limits
		required  int // cell, or -1
		kept, err string
	}{
		{Limits{}, -1, "0 1 2 3", ""},
		{Limits{Seconds: 6}, -1, "0 1 2", ""},
		{Limits{Seconds: 5}, -1, "0 1", ""},
		{Limits{USD: 10}, -1, "0 1 2 3", ""},
		{Limits{USD: 9.5}, -1, "0 1 2", ""},
		{Limits{Seconds: 5}, 3, "0 3", ""},
		{Limits{Seconds: 3}, 3, "", "the cells that the matrix requires do not keep to --max-time"},
	}
	for _, tt := range tests {
		p := plan(4)
		if tt.required >= 0 {
			p.Cells[tt.required].Required = true
		}
		got, err := Limit(p, tt.most)
		if tt.err != "" {
			if err == nil || !strings.Contains(err.Error(), tt.err) {
				t.Errorf("%+v: error %v", tt.most, err)
			}
			continue
		}
		if err != nil || ids(got) != tt.kept || len(got.Cells)+len(got.Excluded) != 4 {
			t.Errorf("%+v: kept %s, %d excluded, %v; want %s", tt.most, ids(got), len(got.Excluded), err, tt.kept)
		}
	}
	p := plan(1)
	p.Cells[0].Estimate.Seconds = 90
	if _, err := Limit(p, Limits{Seconds: 60}); err == nil || !strings.Contains(err.Error(), "the cheapest in time takes 1m30s") {
		t.Errorf("error %v", err)
	}
}

func TestShardRefuses(t *testing.T) {
	for _, bad := range []string{"", "0/2", "3/2", "1", "1/0", "1/2/3", "-1/2", "a/b", "1/99999"} {
		if got, err := Shard(plan(3), bad); err == nil {
			t.Errorf("%q: %s", bad, ids(got))
		}
	}
	if _, err := Shard(plan(2), "3/3"); err == nil || !strings.Contains(err.Error(), "is empty") {
		t.Errorf("error %v", err)
	}
}

// All parts together are the plan, each cell once, whatever its order; no two
// differ by more than the longest cell.
func TestPropertyShards(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		p := plan(rapid.IntRange(1, 40).Draw(rt, "cells"))
		longest := 0
		for i := range p.Cells {
			p.Cells[i].Estimate.Seconds = rapid.IntRange(1, 1000).Draw(rt, "seconds")
			longest = max(longest, p.Cells[i].Estimate.Seconds)
		}
		parts := rapid.IntRange(1, len(p.Cells)).Draw(rt, "parts")
		shuffled := p
		shuffled.Cells = rapid.Permutation(p.Cells).Draw(rt, "order")
		var all []string
		least, most := 1<<30, 0
		for i := range parts {
			part, err := Shard(p, fmt.Sprintf("%d/%d", i+1, parts))
			again, err2 := Shard(shuffled, fmt.Sprintf("%d/%d", i+1, parts))
			if err != nil || err2 != nil {
				rt.Fatal(err, err2)
			}
			one, two := strings.Fields(ids(part)), strings.Fields(ids(again))
			slices.Sort(one)
			slices.Sort(two)
			if !slices.Equal(one, two) {
				rt.Errorf("part %d is %v, and %v of another order", i+1, one, two)
			}
			all = append(all, one...)
			least, most = min(least, Total(part).Seconds), max(most, Total(part).Seconds)
		}
		slices.Sort(all)
		if len(all) != len(p.Cells) || len(slices.Compact(all)) != len(p.Cells) || most-least > longest {
			rt.Errorf("%d cells in parts of %d, from %d to %d s; the longest takes %d", len(all), len(p.Cells), least, most, longest)
		}
	})
}

func TestGitHub(t *testing.T) {
	p := plan(3)
	jobs := GitHub(p).Include
	if len(jobs) != 3 || jobs[0].Name != "os-0 v1.34.4 kind" || jobs[2].Cells != p.Cells[2].ID {
		t.Errorf("jobs %+v", jobs)
	}
	p = plan(1000)
	jobs = GitHub(p).Include
	seen := map[string]bool{}
	for _, job := range jobs {
		for _, id := range strings.Split(job.Cells, ",") {
			seen[id] = true
		}
	}
	if len(jobs) != MaxJobs || len(seen) != 1000 {
		t.Errorf("%d jobs with %d cells", len(jobs), len(seen))
	}
	if !strings.HasSuffix(jobs[0].Name, "4 cells") && !strings.HasSuffix(jobs[0].Name, "3 cells") {
		t.Errorf("name %q", jobs[0].Name)
	}
}
