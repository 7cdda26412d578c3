package matrix

import (
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strconv"
	"strings"
)

// The axes that the rest of the program knows by name. A matrix may have
// others; they take part in expansion and identity all the same.
const (
	OS          = "os"
	K8s         = "k8s"
	Provisioner = "provisioner"
	// Part is no axis of a matrix: it tells the clusters apart over which a
	// cell was spread, e.g. "1of2".
	Part = "part"
)

// Cell is one combination of axis values: one cluster to qualify on.
type Cell struct {
	// ID is derived from the values: stable across runs, safe and unique as a
	// file name and as a DNS label, also when lower-cased.
	ID     string
	Values map[string]string // by axis, e.g. {"os":"debian-12","k8s":"v1.34.4","provisioner":"kind"}
}

// NewCell makes the cell of the values, by axis. It keeps the map.
func NewCell(values map[string]string) Cell {
	return Cell{ID: cellID(values), Values: values}
}

// Value returns the cell's value on an axis, or "".
func (c Cell) Value(axis string) string { return c.Values[axis] }

// An ID is at most maxID bytes, so that a DNS label of 63 has room for what
// others put before and after it.
const (
	maxID     = 50
	shortHash = 8
	longHash  = 16
)

// cellID is a readable slug of the values, cut where it is too long, and a
// hash of the axis=value list, so that what the slug loses is not lost.
//
// Eight digits tell apart the few names that share a whole slug ("v1.34" and
// "v1-34"). Where the slug drops more than a dot, by cutting or by folding
// case, very many values can share it and 32 bits would collide; such cells
// get sixteen digits and a shorter slug.
func cellID(values map[string]string) string {
	axes := AxisOrder(values)
	parts := make([]string, 0, len(axes))
	faithful := true
	for _, axis := range axes {
		part, plain := slug(values[axis])
		faithful = faithful && plain
		if part != "" {
			parts = append(parts, part)
		}
	}
	text := strings.Join(parts, "-")
	digits := shortHash
	if !faithful || len(text) > maxID-1-shortHash {
		digits = longHash
		text = text[:min(len(text), maxID-1-longHash)]
	}
	text = strings.TrimRight(text, "-")
	if text == "" {
		text = "cell"
	}
	return text + "-" + digest(values)[:digits]
}

// AxisOrder lists the axes of a cell's values: those people ask for first, then
// the others by name. It is the order of the ID's slug, so it must not depend on the order in a file, or a moved
// line would rename every cell.
func AxisOrder(values map[string]string) []string {
	axes := make([]string, 0, len(values))
	for _, axis := range []string{OS, K8s, Provisioner} {
		if _, ok := values[axis]; ok {
			axes = append(axes, axis)
		}
	}
	known := len(axes)
	for axis := range values {
		if axis != OS && axis != K8s && axis != Provisioner {
			axes = append(axes, axis)
		}
	}
	slices.Sort(axes[known:])
	return axes
}

// slug keeps [a-z0-9] and turns runs of anything else into one dash. plain
// says that nothing but single dots became dashes.
func slug(value string) (text string, plain bool) {
	var b strings.Builder
	plain = true
	dash := true // no dash in front
	for i := 0; i < len(value); i++ {
		c := value[i]
		switch {
		case 'a' <= c && c <= 'z' || '0' <= c && c <= '9':
			b.WriteByte(c)
			dash = false
		case 'A' <= c && c <= 'Z':
			b.WriteByte(c - 'A' + 'a')
			dash, plain = false, false
		default:
			plain = plain && !dash && (c == '.' || c == '-')
			if !dash {
				b.WriteByte('-')
			}
			dash = true
		}
	}
	return strings.TrimRight(b.String(), "-"), plain && !dash
}

// digest hashes the axis=value list. Quoting keeps it injective whatever
// bytes the values hold.
func digest(values map[string]string) string {
	lines := make([]string, 0, len(values))
	line, all := make([]byte, 0, 100), make([]byte, 0, 300)
	for axis, value := range values {
		line = append(strconv.AppendQuote(line[:0], axis), '=')
		line = append(strconv.AppendQuote(line, value), '\n')
		lines = append(lines, string(line))
	}
	slices.Sort(lines)
	for _, text := range lines {
		all = append(all, text...)
	}
	sum := sha256.Sum256(all)
	return hex.EncodeToString(sum[:])
}
