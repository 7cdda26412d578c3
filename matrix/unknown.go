package matrix

import (
	"fmt"
	"slices"
	"strings"
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
		e.Nearest = nearest(lower, slices.Concat(e.Known, e.Aliases))
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
	e.Nearest = nearest(lower, slices.Concat(e.Known, e.Aliases, []string{"latest", "n-1"}))
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
		return fmt.Sprintf("unknown %s %s; known: %s%s", e.Axis, bare(e.Value), e.known(), hint)
	}
	wish := bare(e.Value)
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

// nearest is the name that a slip of the fingers away from want, or "".
func nearest(want string, names []string) string {
	if len(want) > maxName {
		return ""
	}
	best, least := "", max(1, len(want)/4)+1
	for _, name := range names {
		if d := distance(want, name); d < least {
			best, least = name, d
		}
	}
	return best
}

// distance counts the insertions, deletions, replacements and swaps of
// neighbours that turn a into b.
func distance(a, b string) int {
	rows := [3][]int{make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)}
	for j := range rows[1] {
		rows[1][j] = j
	}
	for i := range len(a) {
		before, above, row := rows[0], rows[1], rows[2]
		row[0] = i + 1
		for j := range len(b) {
			cost := 1
			if a[i] == b[j] {
				cost = 0
			}
			row[j+1] = min(above[j]+cost, above[j+1]+1, row[j]+1)
			if i > 0 && j > 0 && a[i] == b[j-1] && a[i-1] == b[j] {
				row[j+1] = min(row[j+1], before[j-1]+1)
			}
		}
		rows = [3][]int{above, row, before}
	}
	return rows[1][len(b)]
}
