// Command schedule simulates the order in which conformance specs start, and
// their division among clusters, over the durations that real products had:
//
//	go run ./bench/schedule
//
// The order is made from the medians of the minor before, as it would be in
// practice; random order, as Ginkgo has it, stands beside it.
package main

import (
	"encoding/csv"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"

	"github.com/qualify-dev/qualify/internal/schedule"
)

func main() {
	if err := run(os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "schedule:", err)
		os.Exit(1)
	}
}

func run(args []string, out io.Writer) error {
	flags := flag.NewFlagSet("schedule", flag.ContinueOnError)
	table := flags.String("durations", "../shared/data/perf/conformance/v1.33_durations_matrix.csv", "table with a row for each spec and a column for each product")
	before := flags.Int("before", 32, "minor whose medians make the order")
	if err := flags.Parse(args); err != nil {
		return err
	}
	f, err := os.Open(*table)
	if err != nil {
		return err
	}
	defer f.Close()
	products, err := read(f)
	if err != nil {
		return err
	}
	medians, err := schedule.Medians(*before)
	if err != nil {
		return err
	}
	s := simulation{products: products, queue: schedule.Order(products[0].names(), schedule.NewEstimates(medians))}
	return errors.Join(s.orders(out), s.shards(out))
}

// product is what one product's run took.
type product struct {
	name    string
	seconds schedule.Durations
}

func (p product) names() []string {
	var names []string
	for name := range p.seconds {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

func (p product) of(name string) float64 { return p.seconds[name] }

// read takes the table apart; set-up and tear-down of the suite are no specs.
func read(in io.Reader) ([]product, error) {
	rows, err := csv.NewReader(in).ReadAll()
	if err != nil {
		return nil, fmt.Errorf("reading durations: %w", err)
	}
	if len(rows) < 2 || len(rows[0]) < 2 {
		return nil, errors.New("reading durations: there are none")
	}
	var products []product
	for _, name := range rows[0][1:] {
		products = append(products, product{name: name, seconds: schedule.Durations{}})
	}
	for i, row := range rows[1:] {
		name, isSpec := strings.CutPrefix(row[0], "[It] ")
		if !isSpec {
			continue
		}
		for column, text := range row[1:] {
			seconds, err := strconv.ParseFloat(text, 64)
			if err != nil {
				return nil, fmt.Errorf("reading durations: row %d: %w", i+2, err)
			}
			products[column].seconds[name] = seconds
		}
	}
	return products, nil
}

// simulation is an order and what it is measured with.
type simulation struct {
	products []product
	queue    schedule.Queue
}

// measured is a queue with the durations that a product had.
func measured(q schedule.Queue, p product) schedule.Queue {
	with := func(specs []schedule.Spec) []schedule.Spec {
		var known []schedule.Spec
		for _, s := range specs {
			known = append(known, schedule.Spec{Name: s.Name, Seconds: p.of(s.Name)})
		}
		return known
	}
	return schedule.Queue{Parallel: with(q.Parallel), Serial: with(q.Serial)}
}

// orders compares orders on one cluster, of the specs that may run side by side.
func (s simulation) orders(out io.Writer) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintf(w, "%d products, %d specs, %d of them serial\n\n", len(s.products), len(s.queue.Names()), len(s.queue.Serial))
	fmt.Fprintln(w, "workers\tlongest first: mean\tmax\trandom: mean\tmax\t")
	random := rand.New(rand.NewPCG(1, 2)) //nolint:gosec // not a secret: the same figures each time
	for _, workers := range []int{4, 8, 16} {
		var ordered, shuffled []float64
		for _, p := range s.products {
			q := schedule.Queue{Parallel: slices.Clone(s.queue.Parallel)}
			bound := measured(q, p).Bound(workers)
			ordered = append(ordered, q.Makespan(workers, p.of)/bound)
			for range 20 {
				random.Shuffle(len(q.Parallel), func(i, j int) { q.Parallel[i], q.Parallel[j] = q.Parallel[j], q.Parallel[i] })
				shuffled = append(shuffled, q.Makespan(workers, p.of)/bound)
			}
		}
		fmt.Fprintf(w, "%d\t%.4f\t%.3f\t%.4f\t%.3f\t\n", workers, mean(ordered), slices.Max(ordered), mean(shuffled), slices.Max(shuffled))
	}
	return w.Flush()
}

// shards divides the specs among clusters of eight workers: as the medians
// have it, and as each product had it, against what is ideal for it.
func (s simulation) shards(out io.Writer) error {
	const workers = 8
	median := s.median()
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(w, "\nclusters\tideal s\tmedians s\tratio\tproducts: mean ratio\tmax\t")
	for _, clusters := range []int{1, 2, 3, 4} {
		parts := s.queue.Shard(clusters, workers)
		var ratios []float64
		for _, p := range s.products {
			ratios = append(ratios, wall(parts, workers, p)/measured(s.queue, p).ShardBound(clusters, workers))
		}
		ideal, took := measured(s.queue, median).ShardBound(clusters, workers), wall(parts, workers, median)
		fmt.Fprintf(w, "%d\t%.0f\t%.0f\t%.3f\t%.3f\t%.3f\t\n", clusters, ideal, took, took/ideal, mean(ratios), slices.Max(ratios))
	}
	return w.Flush()
}

// median is a product that is like the middle one in each spec.
func (s simulation) median() product {
	m := product{name: "median", seconds: schedule.Durations{}}
	for _, name := range s.queue.Names() {
		var all []float64
		for _, p := range s.products {
			all = append(all, p.of(name))
		}
		slices.Sort(all)
		m.seconds[name] = (all[(len(all)-1)/2] + all[len(all)/2]) / 2
	}
	return m
}

// wall is when the last cluster is done.
func wall(parts []schedule.Queue, workers int, p product) float64 {
	last := 0.0
	for _, q := range parts {
		last = max(last, q.Makespan(workers, p.of))
	}
	return last
}

func mean(values []float64) float64 {
	sum := 0.0
	for _, v := range values {
		sum += v
	}
	return sum / float64(len(values))
}
