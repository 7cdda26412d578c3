// Package matrix reads, checks and expands the axes that a release is
// qualified on. It is pure: bytes and values in, values out. It knows neither
// clusters, clocks, the environment nor the network.
package matrix

import (
	_ "embed"
	"fmt"
	"slices"
	"strings"

	"github.com/qualify-dev/qualify/internal/strict"
)

//go:embed default.yaml
var defaultYAML string

// Default returns the shipped matrix and the name to report problems under.
func Default() (data []byte, name string) {
	return []byte(defaultYAML), "matrix/default.yaml"
}

//go:embed eks-distro.yaml
var eksDistroYAML string

// Shipped lists the shipped matrices by their names.
func Shipped() []string { return []string{"default", "eks-distro"} }

// ShippedFile returns a shipped matrix by its name, and the name to report
// problems under.
func ShippedFile(name string) (data []byte, file string, ok bool) {
	switch name {
	case "default":
		data, file = Default()
		return data, file, true
	case "eks-distro":
		return []byte(eksDistroYAML), "matrix/eks-distro.yaml", true
	}
	return nil, "", false
}

// Serves says whether a text selects anything on an axis.
func (m *Matrix) Serves(axis, want string) bool {
	a, ok := m.Axis(axis)
	return ok && len(newFinder(a).one(want)) > 0
}

// Matrix is a loaded and checked matrix. It is not to be changed.
type Matrix struct {
	File    string
	Axes    []Axis
	Suites  []string
	Workers int // beside the control plane, in every cluster
	// Support is how well supported the values of a cell have to be: Standard,
	// Extended or AnySupport.
	Support string
	Tiers   map[string]TierRule // by tier; one that is not there changes nothing
	Exclude []Exclusion
	Include []Pick // cells that no exclusion removes
	Require []Pick // cells that are in every reduction
	// Warnings are about the file as it was loaded, e.g. a rule that matches
	// nothing. They are to be shown wherever the cells are.
	Warnings []strict.Problem
}

// Axis is one dimension of the matrix.
type Axis struct {
	Name   string
	Values []Value // at least one
	// First says that the axis does not multiply: unless something is selected
	// on it, a cell has the first of its values that is valid; see Picked.
	First bool

	given bool // its value came from the caller, not from the catalog
}

// Value is one point on an axis.
type Value struct {
	Name    string
	Aliases []string // other names of this value alone
	Family  string   // a name that selects every value which has it, or ""
	Release string   // k8s only: where the release comes from, e.g. "source:v1.34.4"

	Support Window // when somebody stands behind it; the zero value is always
	Tier    string // the smallest tier that has it, or "" for all of them
	Weight  int    // how much a reduction prefers it, 1 to MaxWeight; 0 stands for 1
	// Only holds what the value goes together with, names by axis: an OS that
	// has images for one architecture, a provisioner that can make some systems.
	Only map[string][]string
	// Containerd is the version that an operating system brings, NoContainerd
	// where it brings none, "" where nobody has said.
	Containerd string
	// Kubelet says of which minors an operating system brings its own kubelet,
	// so that none can be put in. The zero value is of none.
	Kubelet Minors

	line, column int
}

// Window is the time for which a value is supported; "" is no bound. All are
// yyyy-mm-dd.
type Window struct {
	From     string // the first day
	Until    string // the last day of ordinary support
	Extended string // the last day of support at all; "" is Until
}

// Minors is a range of minors of Kubernetes, e.g. 1.24 to 1.34, both included.
type Minors struct{ From, Until string }

// TierRule is what a tier changes in a run.
type TierRule struct {
	Suites   []string // instead of the matrix's; empty changes nothing
	Strength int      // of the reduction; 0 is none
}

// The tiers, from the smallest. A tier has the values of those before it.
const (
	Quick = "quick"
	Gate  = "gate"
	Full  = "full"
)

// Tiers lists the tiers, the smallest first.
func Tiers() []string { return []string{Quick, Gate, Full} }

// How well supported the values of a cell have to be.
const (
	Standard   = "standard" // on its vendor's ordinary terms
	Extended   = "extended" // on any terms, also those that cost extra
	AnySupport = "any"      // not at all
)

// NoContainerd says that an operating system brings no containerd.
const NoContainerd = "none"

// MaxWeight bounds the weight of a value.
const MaxWeight = 100

// Pick is a rule that keeps cells.
type Pick struct {
	When   map[string][]string // as in Exclusion
	Reason string

	File   string
	Line   int
	Column int
}

// At is the place of the rule, file:line.
func (p Pick) At() string { return fmt.Sprintf("%s:%d", p.File, p.Line) }

// Exclusion is a rule that removes cells, and who stands behind it.
type Exclusion struct {
	// When holds wanted values by axis. A cell that has one of them on each
	// of these axes is removed.
	When    map[string][]string
	Reason  string
	Owner   string
	Issue   string
	Expires string // yyyy-mm-dd, the last day on which it holds

	File   string
	Line   int
	Column int
}

// At is the place of the rule, file:line.
func (e Exclusion) At() string { return fmt.Sprintf("%s:%d", e.File, e.Line) }

// Axis finds an axis by its name.
func (m *Matrix) Axis(name string) (Axis, bool) {
	for _, axis := range m.Axes {
		if axis.Name == name {
			return axis, true
		}
	}
	return Axis{}, false
}

// Value finds a value by its axis and its exact name, as cells have it.
func (m *Matrix) Value(axis, name string) (Value, bool) {
	a, _ := m.Axis(axis)
	for _, value := range a.Values {
		if value.Name == name {
			return value, true
		}
	}
	return Value{}, false
}

// WithProvisioner returns a copy in which one provisioner serves every cell.
func (m *Matrix) WithProvisioner(name string) *Matrix {
	return m.with(Axis{Name: Provisioner, Values: []Value{{Name: name}}})
}

// WithRelease returns a copy that qualifies one release which the catalog
// does not know: its k8s axis has this value alone. The version is that of
// the release's Kubernetes; ref is handed through as the value's Release.
//
// Warnings stay those of the file: that a rule does not concern this release
// is nothing to warn of.
func (m *Matrix) WithRelease(version, ref string) *Matrix {
	if v, ok := parseVersion(version); ok && v.full {
		version = v.String()
	}
	return m.with(Axis{Name: K8s, Values: []Value{{Name: version, Release: ref}}, given: true})
}

// with returns a copy with this axis instead of the one of its name.
func (m *Matrix) with(axis Axis) *Matrix {
	derived := *m
	derived.Axes = slices.Clone(m.Axes)
	at := slices.IndexFunc(derived.Axes, func(a Axis) bool { return a.Name == axis.Name })
	if at < 0 {
		derived.Axes = append(derived.Axes, axis)
	} else {
		derived.Axes[at] = axis
	}
	return &derived
}

// names lists the values of the axis, in the order people expect.
func (a Axis) names() []string {
	names := make([]string, len(a.Values))
	for i, value := range a.Values {
		names[i] = value.Name
	}
	slices.SortFunc(names, naturalCompare)
	return names
}

// otherNames lists the aliases and families of the axis.
func (a Axis) otherNames() []string {
	var others []string
	for _, value := range a.Values {
		others = append(others, value.Aliases...)
		if value.Family != "" {
			others = append(others, value.Family)
		}
	}
	slices.SortFunc(others, naturalCompare)
	return slices.Compact(others)
}

// naturalCompare orders v1.9 before v1.10: runs of digits by their number.
func naturalCompare(a, b string) int {
	x, y := a, b
	for x != "" && y != "" {
		p, q := chunk(x), chunk(y)
		x, y = x[len(p):], y[len(q):]
		if isDigit(p[0]) && isDigit(q[0]) {
			p, q = strings.TrimLeft(p, "0"), strings.TrimLeft(q, "0")
			if len(p) != len(q) {
				return len(p) - len(q)
			}
		}
		if c := strings.Compare(p, q); c != 0 {
			return c
		}
	}
	if len(x) != len(y) {
		return len(x) - len(y)
	}
	return strings.Compare(a, b) // "01" and "1" are not the same text
}

// chunk is the leading run of digits, or of anything else.
func chunk(s string) string {
	for i := 1; i < len(s); i++ {
		if isDigit(s[i]) != isDigit(s[0]) {
			return s[:i]
		}
	}
	return s
}

func isDigit(c byte) bool { return '0' <= c && c <= '9' }
