package report

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"strings"
	"unicode/utf16"

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
	if err := EncodeJSON(w, withLists(d)); err != nil {
		return fmt.Errorf("writing verdict: %w", err)
	}
	return nil
}

// EncodeJSON writes a value as indented JSON that may be shown to people and
// stand in the log of a CI job: what Console would change is escaped, so that
// it is still the same value.
func EncodeJSON(w io.Writer, value any) error {
	var text strings.Builder
	enc := json.NewEncoder(&text)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	if err := enc.Encode(value); err != nil {
		return err
	}
	_, err := io.WriteString(w, escapeUnclean(text.String()))
	return err
}

// escapeUnclean escapes in JSON what Console would change. Such characters
// stand within strings only.
func escapeUnclean(text string) string {
	if Console(text) == text {
		return text
	}
	var b strings.Builder
	for i, r := range text {
		switch {
		case isUnclean(r) && r > 0xffff:
			high, low := utf16.EncodeRune(r)
			fmt.Fprintf(&b, `\u%04x\u%04x`, high, low)
		case isUnclean(r), r == '#' && startsCommand(text[i:]):
			fmt.Fprintf(&b, `\u%04x`, r)
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
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
