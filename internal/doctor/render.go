package doctor

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"text/tabwriter"

	"sigs.k8s.io/yaml"
)

// formats are the names that Write understands; the first is the default.
var formats = []string{"table", "json", "yaml"}

// Formats lists the names that Write understands, the default first.
func Formats() []string { return slices.Clone(formats) }

// report is the checks as data. It is an object, so that it can grow.
type report struct {
	Fit    bool    `json:"fit"`
	Checks []Check `json:"checks"`
}

// Write writes the checks to w in one of Formats.
func Write(w io.Writer, format string, checks []Check) error {
	data := report{Fit: Unfit(checks) == nil, Checks: checks}
	var raw []byte
	var err error
	switch format {
	case "table":
		return writeTable(w, data)
	case "json":
		raw, err = json.MarshalIndent(data, "", "  ")
		raw = append(raw, '\n')
	case "yaml":
		raw, err = yaml.Marshal(data)
	default:
		return fmt.Errorf("writing the checks: no format %q", format)
	}
	if err == nil {
		_, err = w.Write(raw)
	}
	if err != nil {
		return fmt.Errorf("writing the checks: %w", err)
	}
	return nil
}

// writeTable writes a line for each check, and its remedy below it: in a
// column of its own it would make every line too long for a terminal.
func writeTable(w io.Writer, data report) error {
	t := tabwriter.NewWriter(w, 0, 8, 2, ' ', 0)
	fmt.Fprintln(t, "CHECK\tSTATUS\tDETAIL")
	count := map[Status]int{}
	for _, c := range data.Checks {
		count[c.Status]++
		fmt.Fprintf(t, "%s\t%s\t%s\n", c.Name, c.Status, c.Detail)
		if c.Remedy != "" {
			fmt.Fprintf(t, "\t\tremedy: %s\n", c.Remedy)
		}
	}
	if err := t.Flush(); err != nil {
		return fmt.Errorf("writing the checks: %w", err)
	}
	verdict := "fit"
	if !data.Fit {
		verdict = "not fit"
	}
	_, err := fmt.Fprintf(w, "\n%s: %d ok, %d to watch, %d failed\n", verdict, count[OK], count[Warn], count[Fail])
	if err != nil {
		return fmt.Errorf("writing the checks: %w", err)
	}
	return nil
}
