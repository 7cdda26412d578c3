package schedule

import (
	"bufio"
	_ "embed"
	"fmt"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// Durations are the seconds that specs took, by name.
type Durations map[string]float64

// Estimates tell how long specs will take.
type Estimates struct {
	known  Durations
	bare   Durations // by the name without its tags
	unseen float64
}

// NewEstimates makes estimates from what is known, the best source first: the
// product's own history, then the medians of others. A spec that no source
// knows by its name is looked for by its name without tags, as these come and
// go between releases; one that is new altogether is given the median of all.
// The median of its SIG was tried and is no better (see bench/schedule).
func NewEstimates(sources ...Durations) Estimates {
	e := Estimates{known: Durations{}, bare: Durations{}}
	for _, source := range sources {
		for name, seconds := range source {
			put(e.known, name, seconds)
		}
	}
	for _, source := range sources {
		for _, name := range names(source) {
			put(e.bare, bareName(name), source[name])
		}
	}
	e.unseen = median(e.known)
	return e
}

// put adds what is a duration and is not known yet.
func put(into Durations, name string, seconds float64) {
	if _, better := into[name]; !better && seconds >= 0 && !math.IsInf(seconds, 1) {
		into[name] = seconds
	}
}

func names(d Durations) []string {
	all := make([]string, 0, len(d))
	for name := range d {
		all = append(all, name)
	}
	slices.Sort(all)
	return all
}

// Of is how long a spec is expected to take.
func (e Estimates) Of(name string) float64 {
	if seconds, ok := e.known[name]; ok {
		return seconds
	}
	if seconds, ok := e.bare[bareName(name)]; ok {
		return seconds
	}
	return e.unseen
}

var tag = regexp.MustCompile(`\[[^\]]*\]`)

func bareName(name string) string {
	return strings.Join(strings.Fields(tag.ReplaceAllString(name, " ")), " ")
}

func median(d Durations) float64 {
	values := make([]float64, 0, len(d))
	for _, seconds := range d {
		values = append(values, seconds)
	}
	slices.Sort(values)
	switch n := len(values); {
	case n == 0:
		return 1 // all are the same then, so any value does
	case n%2 == 0:
		return (values[n/2-1] + values[n/2]) / 2
	default:
		return values[n/2]
	}
}

//go:embed data/medians.tsv
var shipped string

// Medians are the medians of the durations of conformance specs over the
// products that submitted results of a Kubernetes minor: of the newest minor
// that comes with the program and is not above the given one, or of the oldest.
func Medians(minor int) (Durations, error) { return parseMedians(shipped, minor) }

// parseMedians reads a table: a line that begins with "minors" names the
// columns, each other line has a value for each of them, or "-", and a name.
func parseMedians(text string, minor int) (Durations, error) {
	medians := Durations{}
	column := -1
	columns := 0
	lines := bufio.NewScanner(strings.NewReader(text))
	for n := 1; lines.Scan(); n++ {
		fields := strings.Split(lines.Text(), "\t")
		switch {
		case strings.HasPrefix(lines.Text(), "#"):
		case fields[0] == "minors":
			column, columns = newest(fields[1:], minor), len(fields)-1
		case column < 0 || len(fields) != columns+1:
			return nil, fmt.Errorf("reading medians: line %d has %d columns, want %d", n, len(fields), columns+1)
		case fields[column] != "-":
			seconds, err := strconv.ParseFloat(fields[column], 64)
			if err != nil || seconds < 0 {
				return nil, fmt.Errorf("reading medians: line %d: %q is no duration", n, fields[column])
			}
			medians[fields[columns]] = seconds
		}
	}
	if len(medians) == 0 {
		return nil, fmt.Errorf("reading medians: there are none")
	}
	return medians, lines.Err()
}

// newest finds the column of the highest minor that is not above one; they
// are in order. The first does for all below it.
func newest(minors []string, minor int) int {
	column := 0
	for i, text := range minors {
		if m, err := strconv.Atoi(text); err == nil && m <= minor {
			column = i
		}
	}
	return column
}
