package matrix

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// The rules of validity beside those of the skew policy. They are names in
// plans, so they do not change.
const (
	RuleOnly       = "only"
	RuleContainerd = "containerd"
	RuleOwnKubelet = "own-kubelet"
	RuleSupport    = "support"
)

// validity answers whether a cell can be, on a day. It is a pure function of
// the matrix, made once and asked for each cell, by one goroutine.
type validity struct {
	axes    []string                     // in file order
	values  map[string]map[string]*Value // by axis and name
	only    map[*Value][]companion
	support string
	asOf    string
	// known keeps what the versions of components come to: a matrix has far
	// fewer of their combinations than it has cells.
	known     map[string][]Reason
	versioned []string               // axes that known goes by
	runtimes  map[[3]string][]Reason // by system, release and containerd
}

// companion is what a value goes together with on one axis.
type companion struct {
	axis  string
	names map[string]bool
	text  string // as it was written
}

func (m *Matrix) validity(asOf string) *validity {
	v := &validity{values: map[string]map[string]*Value{}, only: map[*Value][]companion{}, support: m.Support, asOf: asOf, known: map[string][]Reason{}, runtimes: map[[3]string][]Reason{}, versioned: append([]string{OS, K8s}, componentNames()...)}
	finders := m.finders()
	for i := range m.Axes {
		axis := &m.Axes[i]
		v.axes = append(v.axes, axis.Name)
		v.values[axis.Name] = map[string]*Value{}
		for j := range axis.Values {
			value := &axis.Values[j]
			v.values[axis.Name][value.Name] = value
			for _, other := range slices.Sorted(maps.Keys(value.Only)) {
				wanted := value.Only[other]
				v.only[value] = append(v.only[value], companion{other, finders[other].all(wanted), strings.Join(wanted, ", ")})
			}
		}
	}
	return v
}

// Invalid says why a cell of these values cannot be, or may not be on the day
// (yyyy-mm-dd): every reason there is, the same ones each time. nil is a cell
// that can be.
func (m *Matrix) Invalid(values map[string]string, asOf string) []Reason {
	return m.validity(asOf).reasons(values)
}

func (v *validity) reasons(values map[string]string) []Reason {
	var reasons []Reason
	for _, check := range v.checks() {
		reasons = append(reasons, check(values)...)
	}
	return reasons
}

// first is the first of the reasons, the zero Reason where there is none.
func (v *validity) first(values map[string]string) Reason {
	for _, check := range v.checks() {
		if reasons := check(values); len(reasons) > 0 {
			return reasons[0]
		}
	}
	return Reason{}
}

func (v *validity) checks() [4]func(map[string]string) []Reason {
	return [...]func(map[string]string) []Reason{v.companions, v.runtime, v.versions, v.supported}
}

// versions says whether the components of Kubernetes go together.
func (v *validity) versions(values map[string]string) []Reason {
	key := make([]byte, 0, 100)
	for _, axis := range v.versioned {
		if value, ok := values[axis]; ok {
			key = strconv.AppendInt(key, int64(len(value)), 10)
			key = append(append(key, ':'), value...)
		}
		key = append(key, ';')
	}
	reasons, ok := v.known[string(key)]
	if !ok {
		reasons = v.compared(values)
		v.known[string(key)] = reasons
	}
	return reasons
}

func (v *validity) compared(values map[string]string) []Reason {
	own, reasons := v.kubelet(values)
	if k8s, ok := values[K8s]; ok && len(reasons) == 0 {
		return v.skew(k8s, own, values)
	}
	return reasons
}

// companions are the capabilities: what goes together with what.
func (v *validity) companions(values map[string]string) []Reason {
	var reasons []Reason
	for _, axis := range v.axes {
		for _, with := range v.only[v.values[axis][values[axis]]] {
			if other, ok := values[with.axis]; ok && !with.names[other] {
				reasons = append(reasons, Reason{RuleOnly, fmt.Sprintf("%s goes only with %s %s, not with %s", values[axis], with.axis, with.text, other)})
			}
		}
	}
	return reasons
}

// criV1 is the first containerd that serves CRI v1, and the first Kubernetes
// whose kubelet asks for it and nothing else.
func criV1() (containerd, k8s version) {
	return version{major: 1, minor: 6}, version{major: 1, minor: 26}
}

// noAlpha is the first containerd that no longer serves CRI v1alpha2, and the
// first Kubernetes whose kubelet can do without.
func noAlpha() (containerd, k8s version) {
	return version{major: 2, minor: 0}, version{major: 1, minor: 23}
}

// runtime says whether the container runtime and the kubelet have a common
// language.
func (v *validity) runtime(values map[string]string) []Reason {
	key := [3]string{values[OS], values[K8s], values[Containerd]}
	reasons, ok := v.runtimes[key]
	if !ok {
		reasons = v.language(values)
		v.runtimes[key] = reasons
	}
	return reasons
}

func (v *validity) language(values map[string]string) []Reason {
	os, k8s := v.values[OS][values[OS]], values[K8s]
	release, ok := parseVersion(k8s)
	text, whose := values[Containerd], ""
	if text == "" || text == OfOS {
		if os == nil || os.Containerd == "" {
			return nil
		}
		text, whose = os.Containerd, " of "+os.Name
	}
	if text == NoContainerd {
		return []Reason{{RuleContainerd, values[OS] + " brings no containerd of its own"}}
	}
	runtime, is := parseVersion(text)
	if !ok || !is {
		return nil
	}
	text = strings.TrimPrefix(text, "v")
	first, from := criV1()
	if runtime.before(first) && !release.before(from) {
		return []Reason{{RuleContainerd, fmt.Sprintf("containerd %s%s has no CRI v1, which comes with %s; the kubelet of Kubernetes %s asks for it, as all do from %s on",
			text, whose, minorOf(first), k8s, minorOf(from))}}
	}
	last, until := noAlpha()
	if !runtime.before(last) && release.before(until) {
		return []Reason{{RuleContainerd, fmt.Sprintf("containerd %s%s no longer has CRI v1alpha2, which went with %s; the kubelet of Kubernetes %s has nothing else, as all before %s",
			text, whose, minorOf(last), k8s, minorOf(until))}}
	}
	return nil
}

// kubelet says whether the cell's kubelet can be there. own is the version
// that the operating system brings, "" where it is the release's or another
// that is put in.
func (v *validity) kubelet(values map[string]string) (own string, reasons []Reason) {
	os := v.values[OS][values[OS]]
	wanted := values[Kubelet]
	fails := func(format string, args ...any) (string, []Reason) {
		return "", []Reason{{RuleOwnKubelet, fmt.Sprintf(format, args...)}}
	}
	if os == nil || os.Kubelet == (Minors{}) {
		if wanted == OfOS {
			return fails("%s brings no kubelet of its own", values[OS])
		}
		return "", nil
	}
	if wanted != "" && wanted != OfOS {
		return fails("%s brings its own kubelet, and no other can be put in", os.Name)
	}
	release, ok := parseVersion(values[K8s])
	from, _ := parseVersion(os.Kubelet.From)
	until, _ := parseVersion(os.Kubelet.Until)
	switch {
	case !ok:
		return "", nil
	case release.before(from):
		return fails("%s brings kubelets of %s to %s, all newer than Kubernetes %s", os.Name, os.Kubelet.From, os.Kubelet.Until, values[K8s])
	case until.before(version{major: release.major, minor: release.minor}):
		return os.Kubelet.Until, nil
	}
	return minorOf(release), nil
}

func (v *validity) skew(k8s, own string, values map[string]string) []Reason {
	components := values
	if own != "" {
		components = maps.Clone(values)
		components[Kubelet] = own
	}
	if !slices.ContainsFunc(v.axes, func(axis string) bool { return axis != Containerd && isComponent(axis) }) && own == "" {
		return nil // one version is within any policy, also one that nobody can read
	}
	return Skew(k8s, components)
}

// supported says whether somebody stands behind every value on the day.
func (v *validity) supported(values map[string]string) []Reason {
	if v.support == AnySupport {
		return nil
	}
	var reasons []Reason
	for _, axis := range v.axes {
		value := v.values[axis][values[axis]]
		if value == nil {
			continue
		}
		w := value.Support
		until, kind := w.Until, ""
		if v.support != Standard && w.Extended != "" {
			until = w.Extended
		} else if w.Extended != "" {
			kind = "ordinary "
		}
		switch { // text order is date order in this form
		case w.From != "" && v.asOf < w.From:
			reasons = append(reasons, Reason{RuleSupport, fmt.Sprintf("%s is there from %s on, and it is %s", value.Name, w.From, v.asOf)})
		case until != "" && v.asOf > until:
			reasons = append(reasons, Reason{RuleSupport, fmt.Sprintf("the %ssupport of %s ended on %s, and it is %s", kind, value.Name, until, v.asOf)})
		}
	}
	return reasons
}
