package report

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"

	"github.com/qualify-dev/qualify/internal/result"
)

// The version and kind of the documents that WriteVerdict writes.
const (
	verdictAPIVersion = "qualify/v1"
	verdictKind       = "Verdict"
)

// WriteVerdict writes verdict.json: indented, without HTML escapes, with lists
// where the contract has lists, even empty ones. It refuses a document that
// breaks the contract in a way that could read as success.
func WriteVerdict(w io.Writer, d result.Document) error {
	if d.APIVersion != verdictAPIVersion || d.Kind != verdictKind {
		return fmt.Errorf("writing verdict: it is a %q of %q, not a %q of %q", d.Kind, d.APIVersion, verdictKind, verdictAPIVersion)
	}
	if d.ExitCode == 0 && (d.Verdict != result.Qualified || len(d.Reasons) > 0) {
		return errors.New("writing verdict: exit code 0 with a verdict that is not Qualified, or with a reason against it")
	}
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	if err := enc.Encode(withLists(d)); err != nil {
		return fmt.Errorf("writing verdict: %w", err)
	}
	return nil
}

// withLists copies the document with an empty list wherever it has none.
func withLists(d result.Document) result.Document {
	d.Reasons, d.Notes = list(d.Reasons), list(d.Notes)
	d.Cells = append([]result.CellVerdict{}, d.Cells...)
	for i := range d.Cells {
		c := &d.Cells[i]
		c.Reasons, c.Phases, c.Suites = list(c.Reasons), list(c.Phases), list(c.Suites)
		c.Identity.Mismatched = list(c.Identity.Mismatched)
		if c.Values = maps.Clone(c.Values); c.Values == nil {
			c.Values = map[string]string{}
		}
	}
	return d
}

func list[T any](s []T) []T { return append([]T{}, s...) }
