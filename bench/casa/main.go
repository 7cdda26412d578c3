// Command casa reduces the models of a directory, in the format of the tool
// CASA, to rows that hold every valid pair (or whatever strength they ask for):
//
//	go run ./bench/casa [-optimize 60s] [-seed 1] [-rows OUT] DIR
//
// It prints "<model> <rows> <seconds>" for each NAME.model, and the total. OUT
// gets a line for each row: the model, and the numbers of its values as the
// format counts them. Every array is verified, outside of the time.
package main

import (
	"bufio"
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/qualify-dev/qualify/matrix/cover"
	"github.com/qualify-dev/qualify/matrix/cover/check"
)

func main() {
	if err := run(os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "casa:", err)
		os.Exit(1)
	}
}

type settings struct {
	optimize time.Duration
	seed     uint64
}

func run(args []string, out io.Writer) error {
	flags := flag.NewFlagSet("casa", flag.ContinueOnError)
	var s settings
	flags.DurationVar(&s.optimize, "optimize", 0, "search for fewer rows for so long, for each model; 0 is a fixed number of steps")
	flags.Uint64Var(&s.seed, "seed", 1, "where the search begins")
	rowsFile := flags.String("rows", "", "file to write the rows to")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if flags.NArg() != 1 {
		return fmt.Errorf("give one directory with .model files, not %d", flags.NArg())
	}
	files, err := filepath.Glob(filepath.Join(flags.Arg(0), "*.model"))
	if err != nil || len(files) == 0 {
		return fmt.Errorf("no .model files are in %s", flags.Arg(0))
	}
	rows := bufio.NewWriter(io.Discard)
	if *rowsFile != "" {
		f, err := os.Create(*rowsFile)
		if err != nil {
			return err
		}
		defer f.Close()
		rows = bufio.NewWriter(f)
	}
	if err := s.reduceAll(files, out, rows); err != nil {
		return err
	}
	return rows.Flush()
}

func (s settings) reduceAll(files []string, out, rows io.Writer) error {
	total, took := 0, time.Duration(0)
	for _, file := range files {
		p, err := load(file)
		if err != nil {
			return err
		}
		begin := time.Now()
		r, err := s.reduce(p)
		spent := time.Since(begin)
		if err != nil {
			return fmt.Errorf("%s: %w", p.name, err)
		}
		if err := verify(p, r.Rows); err != nil {
			return fmt.Errorf("%s: %w", p.name, err)
		}
		p.write(rows, r.Rows)
		fmt.Fprintf(out, "%s %d %.2f\n", p.name, len(r.Rows), spent.Seconds())
		total, took = total+len(r.Rows), took+spent
	}
	fmt.Fprintf(out, "total %d %.2f\n", total, took.Seconds())
	return nil
}

func (s settings) reduce(p problem) (*cover.Result, error) {
	o := cover.Options{Strength: p.strength, Seed: s.seed}
	if s.optimize > 0 {
		limit, stop := context.WithTimeout(context.Background(), s.optimize)
		defer stop()
		o.Until = limit.Done()
	}
	return cover.Generate(context.Background(), p.model, o)
}

func verify(p problem, rows []cover.Row) error {
	report, err := check.Verify(context.Background(), p.model, rows, p.strength)
	switch {
	case err != nil:
		return err
	case !report.OK():
		return fmt.Errorf("%d rows are refused by the checker: %d problems, first of %v; %d combinations are uncovered",
			len(rows), len(report.Problems), append(report.Problems, "none")[0], len(report.Uncovered))
	}
	return nil
}
