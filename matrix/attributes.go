package matrix

import (
	"fmt"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/qualify-dev/qualify/internal/strict"
)

// attributes reads what a value has beside its names.
func (l *loader) attributes(f map[string]*yaml.Node, path string, v *Value) {
	if n := f["support"]; n != nil {
		v.Support = l.window(n, path+".support")
	}
	if n := f["tier"]; n != nil {
		v.Tier = l.oneOf(n, path+".tier", Tiers())
	}
	if n := f["weight"]; n != nil {
		v.Weight = l.Whole(n, path+".weight", 1, MaxWeight)
	}
	if n := f["only"]; n != nil {
		v.Only = l.conditions(n, path+".only")
	}
	if n := f["containerd"]; n != nil {
		v.Containerd = l.containerd(n, path+".containerd")
	}
	if n := f["kubelet"]; n != nil {
		v.Kubelet = l.minors(n, path+".kubelet")
	}
}

// oneOf reads a word out of a list.
func (l *loader) oneOf(n *yaml.Node, path string, words []string) string {
	text, ok := l.Text(n, path)
	if ok && !slices.Contains(words, text) {
		l.Problem(n, path+" is "+strict.Quoted(text), "write one of "+strings.Join(words, ", "))
	}
	return text
}

// window reads when a value is supported.
func (l *loader) window(n *yaml.Node, path string) Window {
	var w Window
	f := l.Fields(n, path, []string{"from", "until", "extended"}, nil)
	for key, day := range map[string]*string{"from": &w.From, "until": &w.Until, "extended": &w.Extended} {
		if n := f[key]; n != nil {
			*day = l.Day(n, path+"."+key)
		}
	}
	switch {
	case f["extended"] != nil && f["until"] == nil:
		l.Problem(n, path+" has an extended end, and no other", "add `until:`, or call the day that")
	case w.From != "" && w.Until != "" && w.Until < w.From, w.Extended != "" && w.Extended < w.Until:
		l.Problem(n, path+" ends before it begins", "put the days in order: from, until, extended")
	}
	return w
}

// containerd reads the version that an operating system brings.
func (l *loader) containerd(n *yaml.Node, path string) string {
	text, ok := l.Text(n, path)
	if _, is := parseVersion(text); ok && !is && text != NoContainerd {
		l.Problem(n, path+" is "+strict.Quoted(text)+", not a version", `write e.g. "1.6.20", or none`)
	}
	return text
}

// minors reads a range of minors of Kubernetes.
func (l *loader) minors(n *yaml.Node, path string) Minors {
	var m Minors
	var bounds [2]version
	f := l.Fields(n, path, []string{"from", "until"}, []string{"from", "until"})
	whole := true
	for i, key := range []string{"from", "until"} {
		if f[key] == nil {
			whole = false
			continue
		}
		text, ok := l.Text(f[key], path+"."+key)
		v, is := parseVersion(text)
		if ok && (!is || v.full) {
			l.Problem(f[key], path+"."+key+" is "+strict.Quoted(text)+", not a minor", `write e.g. "1.30", in quotes`)
		}
		whole = whole && ok && is
		bounds[i] = v
		*[]*string{&m.From, &m.Until}[i] = text
	}
	if whole && bounds[1].compare(bounds[0]) < 0 {
		l.Problem(n, path+" ends before it begins", "put from before until")
	}
	return m
}

// tiers reads what the tiers change.
func (l *loader) tiers(n *yaml.Node) map[string]TierRule {
	rules := map[string]TierRule{}
	for name, n := range l.Fields(n, "tiers", Tiers(), nil) {
		path := "tiers." + name
		var rule TierRule
		f := l.Fields(n, path, []string{"suites", "strength"}, nil)
		if n := f["suites"]; n != nil {
			rule.Suites = strict.Texts(l.Names(n, path+".suites", 1))
		}
		if n := f["strength"]; n != nil {
			rule.Strength = l.Whole(n, path+".strength", minStrength, maxStrength)
		}
		rules[name] = rule
	}
	return rules
}

// What reductions there are: of pairs and of triples.
const (
	minStrength = 2
	maxStrength = 3
)

// picks reads rules that keep cells.
func (l *loader) picks(n *yaml.Node, key string, m *Matrix, named bool) []Pick {
	var picks []Pick
	for i, item := range l.List(n, key, 0) {
		path := fmt.Sprintf("%s[%d]", key, i)
		pick := Pick{When: map[string][]string{}, File: l.file, Line: item.Line, Column: item.Column}
		keys := []string{"when", "reason"}
		f := l.Fields(item, path, keys, keys)
		if n := f["when"]; n != nil {
			pick.When = l.conditions(n, path+".when")
		}
		if n := f["reason"]; n != nil {
			pick.Reason = l.Prose(n, path+".reason")
		}
		if named {
			l.checkAxes(m, pick.When, item)
		}
		picks = append(picks, pick)
	}
	return picks
}

// componentRemedy says how a value of a component's axis is written.
func componentRemedy(axis string) string {
	switch axis {
	case Containerd:
		return "write os or a version, e.g. v1.7.32"
	case Kubelet:
		return "write release, os, n-1 or a version, e.g. v1.33.13"
	}
	return "write release, n-1 or a version, e.g. v1.33.13"
}
