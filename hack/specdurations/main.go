// Command specdurations writes the medians that specs are ordered by
// (internal/schedule/data/medians.tsv) from a table of durations, with the
// columns version, test and median among its own:
//
//	go run ./hack/specdurations -versions v1.32,v1.33 summary.csv > internal/schedule/data/medians.tsv
package main

import (
	"encoding/csv"
	"errors"
	"flag"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"
)

func main() {
	if err := run(os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "specdurations:", err)
		os.Exit(1)
	}
}

func run(args []string, out io.Writer) error {
	flags := flag.NewFlagSet("specdurations", flag.ContinueOnError)
	versions := flags.String("versions", "v1.32,v1.33", "Kubernetes minors to take, oldest first")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if flags.NArg() != 1 {
		return errors.New("name the table of durations")
	}
	f, err := os.Open(flags.Arg(0))
	if err != nil {
		return err
	}
	defer f.Close()
	return convert(f, strings.Split(*versions, ","), out)
}

// convert writes a line for each spec of the versions: its medians in tenths
// of a second, which is more than the order needs, and its name.
func convert(in io.Reader, versions []string, out io.Writer) error {
	rows, err := csv.NewReader(in).ReadAll()
	if err != nil {
		return fmt.Errorf("reading durations: %w", err)
	}
	if len(rows) < 2 {
		return errors.New("reading durations: there are none")
	}
	version, test, median := slices.Index(rows[0], "version"), slices.Index(rows[0], "test"), slices.Index(rows[0], "median")
	if min(version, test, median) < 0 {
		return fmt.Errorf("reading durations: the columns are %q", rows[0])
	}
	medians := map[string][]string{}
	for i, row := range rows[1:] {
		column := slices.Index(versions, row[version])
		name, isSpec := strings.CutPrefix(row[test], "[It] ") // the rest is set-up
		if column < 0 || !isSpec {
			continue
		}
		seconds, err := strconv.ParseFloat(row[median], 64)
		if err != nil || seconds < 0 || strings.ContainsAny(name, "\t\n") {
			return fmt.Errorf("reading durations: row %d does not do", i+2)
		}
		if medians[name] == nil {
			medians[name] = slices.Repeat([]string{"-"}, len(versions))
		}
		medians[name][column] = strconv.FormatFloat(seconds, 'f', 1, 64)
	}
	return write(out, versions, medians)
}

func write(out io.Writer, versions []string, medians map[string][]string) error {
	var text strings.Builder
	text.WriteString("# Written by hack/specdurations: medians in seconds over the products that submitted results of a minor.\nminors")
	for _, v := range versions {
		minor, ok := strings.CutPrefix(v, "v1.")
		if !ok {
			return fmt.Errorf("%q is no minor", v)
		}
		text.WriteString("\t" + minor)
	}
	text.WriteString("\n")
	for _, name := range slices.Sorted(maps.Keys(medians)) {
		text.WriteString(strings.Join(medians[name], "\t") + "\t" + name + "\n")
	}
	_, err := io.WriteString(out, text.String())
	return err
}
