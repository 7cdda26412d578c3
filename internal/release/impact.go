package release

import (
	"cmp"
	"fmt"
	"slices"
)

// impact lists the components that have to be tested again: those with other
// bytes, and those that work with one whose version made a step that may break
// them. A component that is gone has nothing left to test.
func (d *Difference) impact(a, b *Release) {
	why := map[string]string{}
	add := func(component, reason string) {
		if why[component] == "" && b.component(component) != nil {
			why[component] = reason
		}
	}
	for _, c := range d.Components {
		if c.Change == Added {
			add(c.Name, "it is new")
		} else {
			add(c.Name, fmt.Sprintf("%s became %s", orNone(c.From), orNone(c.To)))
		}
	}
	count := map[string]int{}
	for _, c := range d.Assets {
		count[c.Component]++
	}
	for component, n := range count {
		add(component, fmt.Sprintf("%d of its assets differ or are not proven to be the same", n))
	}
	if d.Etcd.Step != NoStep && d.Etcd.Step != PatchStep {
		add("kubernetes", "it keeps its state in etcd, which made a step from "+orNone(d.Etcd.From)+" to "+orNone(d.Etcd.To))
	}
	if d.Kubernetes.Step != NoStep && d.Kubernetes.Step != PatchStep {
		for _, c := range b.Components {
			add(c.Name, "it works with Kubernetes, which made a step from "+orNone(d.Kubernetes.From)+" to "+orNone(d.Kubernetes.To))
		}
	}
	for component, reason := range why {
		d.Impacted = append(d.Impacted, Impact{component, reason})
	}
	slices.SortFunc(d.Impacted, func(x, y Impact) int { return cmp.Compare(x.Component, y.Component) })
}

// warn says what whoever reads a difference should not overlook.
func (d *Difference) warn() {
	add := func(format string, args ...any) { d.Warnings = append(d.Warnings, fmt.Sprintf(format, args...)) }
	if d.Same && d.From.Name == d.To.Name {
		add("both are the same release: nothing was compared with anything")
	}
	if s := d.Etcd.Step; s == MinorStep || s == MajorStep {
		add("etcd makes a %s step, from %s to %s: its data cannot be taken back, test the upgrade", s, d.Etcd.From, d.Etcd.To)
	}
	if d.Kubernetes.Step == MajorStep || d.Kubernetes.Step == MinorStep {
		add("Kubernetes makes a %s step, from %s to %s", d.Kubernetes.Step, d.Kubernetes.From, d.Kubernetes.To)
	}
	for _, c := range d.Components {
		if c.Back {
			add("%s goes back, from %s to %s", c.Name, c.From, c.To)
		}
		if c.Change == Removed {
			add("%s is gone", c.Name)
		}
	}
	unproven := 0
	for _, a := range d.Assets {
		if a.Change == Unproven {
			unproven++
		}
	}
	if unproven > 0 {
		add("%d assets have no digest in one of the releases: whether they differ is not known", unproven)
	}
}

func orNone(version string) string {
	if version == "" {
		return "nothing"
	}
	return version
}
