package release

import (
	"cmp"
	"maps"
	"slices"
	"strings"

	"golang.org/x/mod/semver"
)

// Change tells how something differs between two releases.
type Change string

// The changes.
const (
	Added   Change = "added"
	Removed Change = "removed"
	Changed Change = "changed"
	// Unproven is what has no digest in one of the two: nothing shows that it is
	// the same, so it counts as changed.
	Unproven Change = "unproven"
)

// Step is how far apart two versions are.
type Step string

// The steps. "other" is one between what are not both versions.
const (
	NoStep    Step = "none"
	PatchStep Step = "patch" // pre-releases too
	MinorStep Step = "minor"
	MajorStep Step = "major"
	OtherStep Step = "other"
)

// Versions is the step of one component.
type Versions struct {
	From string `json:"from"` // "" where it is absent
	To   string `json:"to"`
	Step Step   `json:"step"`
	Back bool   `json:"back"` // to an older version
}

// Difference is what changed between two releases. Lists are in order of names.
type Difference struct {
	From       Side              `json:"from"`
	To         Side              `json:"to"`
	Same       bool              `json:"same"` // in every digest and name
	Kubernetes Versions          `json:"kubernetes"`
	Etcd       Versions          `json:"etcd"`
	Go         Versions          `json:"go"` // toolchain of Kubernetes; manifests do not have it, see Toolchain
	Components []ComponentChange `json:"components"`
	Assets     []AssetChange     `json:"assets"`
	Impacted   []Impact          `json:"impacted"`
	Warnings   []string          `json:"warnings"`
}

// Side names one of the two releases.
type Side struct {
	Name    string `json:"name"`
	Channel string `json:"channel"`
	Number  int    `json:"number"`
	Digest  string `json:"digest"`
}

// ComponentChange is a component that is new, gone or of another version.
type ComponentChange struct {
	Name   string `json:"name"`
	Change Change `json:"change"`
	Versions
}

// AssetChange is an asset that is new, gone or of other bytes. A new tag of the
// same image is none.
type AssetChange struct {
	Component string `json:"component"`
	Name      string `json:"name"`
	Change    Change `json:"change"`
	From      string `json:"from"` // digest, "" where there is none
	To        string `json:"to"`
}

// Impact is a component that has to be tested again, and why.
type Impact struct {
	Component string `json:"component"`
	Why       string `json:"why"`
}

// Diff compares two releases by names and digests. No asset is read.
func Diff(a, b *Release) Difference {
	d := Difference{
		From: side(a), To: side(b),
		Kubernetes: versions(a.tag("kubernetes"), b.tag("kubernetes")),
		Etcd:       versions(a.tag("etcd"), b.tag("etcd")),
		Components: []ComponentChange{}, Assets: []AssetChange{}, Impacted: []Impact{}, Warnings: []string{},
	}
	for _, name := range componentNames(a, b) {
		from, to := a.component(name), b.component(name)
		change := ComponentChange{Name: name, Change: presence(from != nil, to != nil), Versions: versions(a.tag(name), b.tag(name))}
		if change.Change != Changed || change.Step != NoStep {
			d.Components = append(d.Components, change)
		}
	}
	before, after := byStableName(a), byStableName(b)
	for _, name := range slices.Sorted(maps.Keys(joined(before, after))) {
		if change, differs := assetChange(before[name], after[name]); differs {
			d.Assets = append(d.Assets, change)
		}
	}
	slices.SortFunc(d.Assets, func(x, y AssetChange) int {
		return cmp.Or(cmp.Compare(x.Component, y.Component), cmp.Compare(x.Name, y.Name))
	})
	// Tags of other components are no part of the digest.
	d.Same = a.Digest() == b.Digest() && len(d.Components)+len(d.Assets) == 0
	d.impact(a, b)
	d.warn()
	return d
}

func side(r *Release) Side { return Side{r.Name, r.Channel, r.Number, r.Digest()} }

func (r *Release) component(name string) *Component {
	for i := range r.Components {
		if r.Components[i].Name == name {
			return &r.Components[i]
		}
	}
	return nil
}

func (r *Release) tag(component string) string {
	if c := r.component(component); c != nil {
		return c.GitTag
	}
	return ""
}

// versions compares upstream versions: what a distribution appends to them
// changes with every release and says nothing.
func versions(from, to string) Versions {
	v := Versions{From: from, To: to, Step: OtherStep}
	a, b := BaseVersion(from), BaseVersion(to)
	switch {
	case from == to:
		v.Step = NoStep
	case from == "" || to == "" || !isVersion(a) || !isVersion(b):
	case semver.Major(a) != semver.Major(b):
		v.Step, v.Back = MajorStep, semver.Compare(a, b) > 0
	case semver.MajorMinor(a) != semver.MajorMinor(b):
		v.Step, v.Back = MinorStep, semver.Compare(a, b) > 0
	case semver.Compare(a, b) != 0:
		v.Step, v.Back = PatchStep, semver.Compare(a, b) > 0
	}
	return v
}

func presence(before, after bool) Change {
	switch {
	case !before:
		return Added
	case !after:
		return Removed
	}
	return Changed
}

func componentNames(a, b *Release) []string {
	var all []string
	for _, c := range slices.Concat(a.Components, b.Components) {
		all = append(all, c.Name)
	}
	slices.Sort(all)
	return slices.Compact(all)
}

func joined(a, b map[string]*Asset) map[string]*Asset {
	all := maps.Clone(a)
	maps.Copy(all, b)
	return all
}

// byStableName indexes assets by their names without the versions that some
// archives have in theirs. It does not look at components: an asset may move
// to another one, as kube-proxy's did.
func byStableName(r *Release) map[string]*Asset {
	all := map[string]*Asset{}
	for _, a := range r.Assets() {
		name := a.Name
		if tag := r.tag(a.Component); tag != "" { // etcd-linux-amd64-v3.5.21.tar.gz
			name = strings.Replace(name, "-"+tag+".", "-VERSION.", 1)
		}
		all[name] = &a
	}
	return all
}

func assetChange(from, to *Asset) (AssetChange, bool) {
	c := AssetChange{Change: presence(from != nil, to != nil)}
	if from != nil {
		c.Component, c.Name, c.From = from.Component, from.Name, from.BoundBy()
	}
	if to != nil {
		c.Component, c.Name, c.To = to.Component, to.Name, to.BoundBy()
	}
	if from != nil && to != nil {
		if c.From == "" || c.To == "" {
			c.Change = Unproven
		} else if sameBytes(*from, *to) {
			return c, false
		}
	}
	return c, true
}

// sameBytes wants at least one kind of digest that both have, and no kind in
// which they differ.
func sameBytes(a, b Asset) bool {
	shared := false
	for _, pair := range [][2]string{{a.SHA256, b.SHA256}, {a.SHA512, b.SHA512}, {a.Digest, b.Digest}} {
		if pair[0] == "" || pair[1] == "" {
			continue
		}
		if pair[0] != pair[1] {
			return false
		}
		shared = true
	}
	return shared
}

// BoundBy is the digest that the asset is known by, with its algorithm; "" where
// the manifest has none.
func (a Asset) BoundBy() string {
	switch {
	case a.Digest != "":
		return a.Digest
	case a.SHA256 != "":
		return "sha256:" + a.SHA256
	case a.SHA512 != "":
		return "sha512:" + a.SHA512
	}
	return ""
}
