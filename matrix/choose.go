package matrix

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/qualify-dev/qualify/internal/strict"
)

// Selection is what is wanted on each axis: names, aliases, families and, for
// k8s, versions, latest and n-1; each possibly several with commas between.
// An axis that is absent or has an empty list is not restricted.
type Selection map[string][]string

// choose returns the selected values of every axis, in file order, or what is
// wrong with all of the request.
func (m *Matrix) choose(r Request) ([][]Value, error) {
	var errs []error
	if r.Tier != "" && tierRank(r.Tier) < 0 {
		errs = append(errs, fmt.Errorf("there is no tier %s; the tiers are %s", strict.Bare(r.Tier), strings.Join(Tiers(), ", ")))
	}
	for _, sel := range []Selection{r.Want, r.Without} {
		for _, axis := range unknownAxes(m, sel) {
			errs = append(errs, fmt.Errorf("selecting by %s: %s has no such axis; it has %s", strict.Bare(axis), m.File, m.axisNames()))
		}
	}
	chosen := make([][]Value, len(m.Axes))
	for i, axis := range m.Axes {
		values, err := axis.pick(r.Want[axis.Name])
		if err == nil {
			values, err = axis.drop(values, r.Without[axis.Name])
		}
		if err == nil {
			all := values
			if values = axis.inTier(values, r.Tier); len(values) == 0 {
				err = fmt.Errorf("no selected value of %s is in the tier %s: %s is in a larger one", axis.Name, r.Tier, all[0].Name)
			}
		}
		if err != nil {
			errs = append(errs, err)
		}
		chosen[i] = values
	}
	return chosen, errors.Join(errs...)
}

// drop leaves out what is not wanted. A minor stands for all of its releases,
// as it does in an exclusion.
func (a Axis) drop(values []Value, unwanted []string) ([]Value, error) {
	if len(unwanted) == 0 {
		return values, nil
	}
	find := newFinder(a)
	var errs []error
	for _, want := range unwanted {
		if len(find.every(want)) == 0 {
			errs = append(errs, a.unknown(want))
		}
	}
	names := find.all(unwanted)
	kept := slices.DeleteFunc(slices.Clone(values), func(v Value) bool { return names[v.Name] })
	if len(kept) == 0 && len(errs) == 0 {
		errs = append(errs, fmt.Errorf("nothing of %s is left: each selected value is one that is not wanted", a.Name))
	}
	return kept, errors.Join(errs...)
}

func unknownAxes(m *Matrix, sel Selection) []string {
	var unknown []string
	for name, wanted := range sel {
		if _, ok := m.Axis(name); !ok && len(wanted) > 0 {
			unknown = append(unknown, name)
		}
	}
	slices.Sort(unknown)
	return unknown
}

func (m *Matrix) axisNames() string {
	names := make([]string, len(m.Axes))
	for i, axis := range m.Axes {
		names[i] = axis.Name
	}
	return strings.Join(names, ", ")
}

// pick returns the wanted values in file order, each once.
func (a Axis) pick(wanted []string) ([]Value, error) {
	if len(wanted) == 0 {
		return a.Values, nil
	}
	var errs []error
	find := newFinder(a)
	picked := make([]bool, len(a.Values))
	for _, want := range strings.Split(strings.Join(wanted, ","), ",") {
		want = strings.TrimSpace(want)
		found := find.one(want)
		if len(found) == 0 {
			errs = append(errs, a.unknown(want))
		}
		for _, i := range found {
			picked[i] = true
		}
	}
	var values []Value
	for i, value := range a.Values {
		if picked[i] {
			values = append(values, value)
		}
	}
	return values, errors.Join(errs...)
}

// finder finds the values that a text names. Case is ignored.
type finder struct {
	axis     Axis
	places   map[string][]int // by name, alias and family, in lower case
	versions []version        // of the values; zero where a name is none
}

func newFinder(axis Axis) finder {
	f := finder{axis: axis, places: map[string][]int{}, versions: make([]version, len(axis.Values))}
	for i, value := range axis.Values {
		for _, name := range append([]string{value.Name, value.Family}, value.Aliases...) {
			if name != "" {
				name = strings.ToLower(name)
				f.places[name] = append(f.places[name], i)
			}
		}
		f.versions[i], _ = parseVersion(value.Name)
	}
	return f
}

// channelForm is how EKS Distro writes a minor.
var channelForm = regexp.MustCompile(`^v?[0-9]+-[0-9]+$`)

// one finds what is selected by a text. A minor such as 1.34, or 1-34, selects
// its newest release, as it does for kind and the go command.
func (f finder) one(want string) []int {
	want = f.word(want)
	if found := f.places[want]; len(found) > 0 || f.axis.Name != K8s {
		return found
	}
	v, ok := parseVersion(want)
	var at int
	switch {
	case ok && v.full:
		return f.where(func(has version) bool { return has == v })
	case ok:
		at = newest(f.versions, v.sameMinor)
	default:
		at, _ = symbolic(f.versions, want)
	}
	if at < 0 {
		return nil
	}
	return []int{at}
}

// word is a text as names are kept: in lower case, a channel as its minor.
func (f finder) word(text string) string {
	text = strings.ToLower(text)
	if f.axis.Name == K8s && channelForm.MatchString(text) {
		return strings.Replace(text, "-", ".", 1)
	}
	return text
}

// every finds what a rule is about: as one does, except that a minor stands
// for all of its releases. Who excludes 1.34 does not mean to let an older
// patch of it through.
func (f finder) every(want string) []int {
	want = f.word(want)
	found := f.places[want]
	v, ok := parseVersion(want)
	if len(found) == 0 && f.axis.Name == K8s && ok && !v.full {
		return f.where(v.sameMinor)
	}
	return f.one(want)
}

// all finds, by their names, what a rule with several texts is about.
func (f finder) all(wanted []string) map[string]bool {
	names := map[string]bool{}
	for _, want := range wanted {
		for _, at := range f.every(want) {
			names[f.axis.Values[at].Name] = true
		}
	}
	return names
}

// missing is the first text that names nothing, or "".
func (f finder) missing(wanted []string) string {
	for _, want := range wanted {
		if len(f.every(want)) == 0 {
			return want
		}
	}
	return ""
}

// where returns the places of the versions that satisfy keep.
func (f finder) where(keep func(version) bool) []int {
	var found []int
	for i, v := range f.versions {
		if v.full && keep(v) {
			found = append(found, i)
		}
	}
	return found
}
