package matrix

import (
	"fmt"
	"slices"
	"strings"

	"github.com/qualify-dev/qualify/internal/strict"
)

// UnknownValueError says that nothing on an axis goes by a wanted name. It is
// the user's slip, and is found before anything is created.
type UnknownValueError struct {
	Axis    string
	Value   string
	Known   []string // names of the axis' values, in natural order
	Aliases []string // what else selects values: aliases and families
	Nearest string   // what may have been meant, or ""

	given bool
	minor string // the minor that n-1 stands for, e.g. "1.36"
}

// unknown makes the error for a text that names nothing on the axis.
func (a Axis) unknown(want string) *UnknownValueError {
	e := &UnknownValueError{Axis: a.Name, Value: want, Known: a.names(), Aliases: a.otherNames(), given: a.given}
	lower := strings.ToLower(want)
	if a.Name != K8s {
		e.Nearest = strict.Nearest(lower, slices.Concat(e.Known, e.Aliases))
		return e
	}
	versions := newFinder(a).versions
	if v, ok := parseVersion(lower); ok {
		// Between versions a small distance means nothing: 1.17 is not a slip
		// for 1.37. A release of the same minor may well serve.
		if at := newest(versions, v.sameMinor); at >= 0 {
			e.Nearest = a.Values[at].Name
		}
		return e
	}
	if _, v := symbolic(versions, lower); v != (version{}) {
		e.minor = strings.TrimPrefix(v.String(), "v")
		return e
	}
	e.Nearest = strict.Nearest(lower, slices.Concat(e.Known, e.Aliases, []string{"latest", "n-1"}))
	return e
}

// Error lists what is known and what would serve the wish.
func (e *UnknownValueError) Error() string {
	if e.Value == "" {
		return fmt.Sprintf("an empty name for %s; known: %s", e.Axis, e.known())
	}
	hint := ""
	if e.Nearest != "" {
		hint = fmt.Sprintf("; did you mean %s?", e.Nearest)
	}
	if e.Axis != K8s {
		return fmt.Sprintf("unknown %s %s; known: %s%s", e.Axis, strict.Bare(e.Value), e.known(), hint)
	}
	wish := strict.Bare(e.Value)
	if e.minor != "" {
		wish += " (" + e.minor + ")"
	}
	if e.given {
		return fmt.Sprintf("the release given does not serve Kubernetes %s: it is %s; leave the version out or name another release manifest with --release",
			wish, e.known())
	}
	return fmt.Sprintf("no release serves Kubernetes %s; the catalog knows %s; name a release manifest with --release to qualify another one%s",
		wish, e.known(), hint)
}

func (e *UnknownValueError) known() string {
	text := strings.Join(e.Known, ", ")
	if len(e.Aliases) > 0 {
		text += " (also by " + strings.Join(e.Aliases, ", ") + ")"
	}
	return text
}
