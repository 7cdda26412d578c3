package planning

import (
	_ "embed"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/qualify-dev/qualify/internal/result"
	"github.com/qualify-dev/qualify/internal/run"
	"github.com/qualify-dev/qualify/matrix"
)

//go:embed data/medians.tsv
var mediansTSV string

//go:embed data/prices.tsv
var pricesTSV string

// figure is a number and where it comes from.
type figure struct {
	value  float64
	source string
}

// table reads a shipped list: two keys, a number, its source in the last column.
func table(text string) map[[2]string]figure {
	figures := map[[2]string]figure{}
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' {
			continue
		}
		cells := strings.Split(line, "\t")
		value, err := strconv.ParseFloat(cells[2], 64)
		if err != nil {
			panic(fmt.Sprintf("the shipped figures have the line %q", line)) // impossible: a test reads them
		}
		figures[[2]string{cells[0], cells[1]}] = figure{value, cells[len(cells)-1]}
	}
	return figures
}

// clusterPhase is all that a cell costs beside its suites.
const clusterPhase = "cluster"

// The machines that a cell on EC2 is estimated with.
const (
	region    = "us-east-1"
	diskGiB   = 50
	monthHrs  = 730
	leastHrs  = 1. / 60 // a machine is paid for a minute at least
	provEC2   = "ec2"
	archARM   = "arm64"
	typeAMD64 = "t3.medium"
	typeARM64 = "t4g.medium"
)

// Estimator tells what cells will cost.
type Estimator struct {
	history History
	medians map[[2]string]figure
	prices  map[[2]string]figure
}

// NewEstimator makes one of the shipped figures and of what earlier runs show.
func NewEstimator(h History) Estimator {
	return Estimator{history: h, medians: table(mediansTSV), prices: table(pricesTSV)}
}

// Estimate gives every cell of the plan its estimate: from runs of the same
// cell, else from runs of the same system by the same provisioner, else from
// the shipped medians.
func (e Estimator) Estimate(plan run.Plan) run.Plan {
	plan.Cells = slices.Clone(plan.Cells)
	for i, cell := range plan.Cells {
		seconds, source := e.seconds(cell)
		usd := e.dollars(cell, plan.Workers, seconds)
		if usd > 0 {
			source += fmt.Sprintf("; %s on demand in %s, prices of %s", e.machine(cell), region, e.prices[[2]string{region, e.machine(cell)}].source)
		}
		plan.Cells[i].Estimate = &run.Estimate{Seconds: int(math.Ceil(seconds)), USD: usd, Source: source}
	}
	return plan
}

func (e Estimator) seconds(cell run.PlanCell) (float64, string) {
	for _, key := range []string{cellKey(cell.ID), systemKey(cell.Values)} {
		if seconds, runs, ok := e.history.seconds(key, cell.Suites); ok {
			of := "this cell"
			if key != cellKey(cell.ID) {
				of = "cells of this system"
			}
			return seconds, fmt.Sprintf("history: median of %d of %s", runs, of)
		}
	}
	provisioner := cell.Values[matrix.Provisioner]
	total, sources := 0., []string{}
	for _, phase := range append([]string{clusterPhase}, names(cell.Suites)...) {
		f, ok := e.medians[[2]string{provisioner, phase}]
		if !ok {
			f, ok = e.medians[[2]string{"*", phase}]
		}
		if !ok { // nobody knows; what is allowed is the safe side
			f = figure{float64(run.DefaultBudgets().Suite), "the budget"}
			if phase == clusterPhase {
				f.value = float64(run.DefaultBudgets().Up + run.DefaultBudgets().Down)
			}
		}
		total += f.value
		if !slices.Contains(sources, f.source) {
			sources = append(sources, f.source)
		}
	}
	return total, "shipped medians: " + strings.Join(sources, ", ")
}

// names are the phases of suites.
func names(suites []result.PlanSuite) []string {
	var all []string
	for _, s := range suites {
		name := s.Name
		if s.Mode != "" && s.Mode != usualMode {
			name += "/" + s.Mode // verdicts do not tell modes apart: no history knows this name
		}
		all = append(all, name)
	}
	return all
}

// usualMode is how a suite with modes is run where nobody says otherwise.
const usualMode = "quick"

// machine is the type of instance that a cell is priced with, "" where it
// costs nothing that can be named.
func (e Estimator) machine(cell run.PlanCell) string {
	switch {
	case cell.Values[matrix.Provisioner] != provEC2:
		return ""
	case cell.Values["arch"] == archARM:
		return typeARM64
	}
	return typeAMD64
}

func (e Estimator) dollars(cell run.PlanCell, workers int, seconds float64) float64 {
	machine := e.machine(cell)
	if machine == "" {
		return 0
	}
	hour := e.prices[[2]string{region, machine}].value + diskGiB*e.prices[[2]string{region, "gp3"}].value/monthHrs
	usd := float64(1+workers) * hour * max(seconds/3600, leastHrs)
	return math.Round(usd*10000) / 10000
}
