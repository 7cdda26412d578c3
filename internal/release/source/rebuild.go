package source

import (
	"debug/buildinfo"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/qualify-dev/qualify/internal/release"
)

// Agreement is what a rebuild says of one asset.
type Agreement string

// The agreements.
const (
	Equal      Agreement = "equal"           // all digests that the release names came out again
	Different  Agreement = "different"       // one did not
	NotRebuilt Agreement = "not-rebuildable" // nobody could tell, and the reason says why
)

// Rebuilt is one asset of a release beside what a rebuild made of it.
type Rebuilt struct {
	Component string
	Asset     string
	Agreement Agreement
	Want      string `json:",omitempty"` // digest in the release, with its algorithm
	Got       string `json:",omitempty"` // of the rebuild
	Reason    string `json:",omitempty"` // why it differs or was not rebuilt, where that is known
}

// builtHere tells a release that this program made: EKS Distro's own have no
// component with the suite that qualifies them.
func builtHere(r *release.Release) bool {
	return slices.ContainsFunc(r.Components, func(c release.Component) bool { return c.Name == testComponent })
}

// internallyBuilt is when EKS Distro's Kubernetes began to be built from
// sources that are not public; see the README of aws/eks-distro.
var internallyBuilt = time.Date(2025, time.October, 7, 0, 0, 0, 0, time.UTC)

// Unbuildable says why a release cannot be built again; "" where it can.
func Unbuildable(r *release.Release) string {
	if builtHere(r) {
		return ""
	}
	if date, err := time.Parse(time.RFC3339, r.Date); err != nil || date.Before(internallyBuilt) {
		return "EKS Distro builds it with patches, and with a commit of its own in the version, that are in no Go module"
	}
	return "built internally since October 2025, from sources that are not public"
}

var eksRelease = regexp.MustCompile(`^kubernetes-[0-9]+-[0-9]+-eks-[0-9]+$`)

// OptionsOf are the options with which a release of this program is built
// again: they are all in its names.
func OptionsOf(r *release.Release) (Options, error) {
	o := Options{Version: r.Kubernetes()}
	if eksRelease.MatchString(r.Name) {
		image, err := r.Asset("kube-apiserver-image")
		if err != nil {
			return o, fmt.Errorf("release %s: its registry is not known: %w", r.Name, err)
		}
		registry, _, ok := strings.Cut(image.URI, "/kubernetes/kube-apiserver:")
		if !ok {
			return o, fmt.Errorf("release %s: its registry is not known: image %s", r.Name, image.URI)
		}
		o.Layout = Layout{Name: EKSDistroLayout, Number: r.Number, Registry: registry}
	}
	return o, o.Check()
}

// Compare puts a release beside a rebuild of it, in the release's order by
// component and name. What the rebuild has and the release has not is a
// difference too.
func Compare(r, again *release.Release) []Rebuilt {
	var all []Rebuilt
	for _, a := range r.Assets() {
		one := Rebuilt{Component: a.Component, Asset: a.Name}
		b, err := again.Asset(a.Name)
		switch {
		case err != nil:
			one.Agreement, one.Reason = NotRebuilt, "no such asset is built from Go modules"
		case !a.Bound():
			one.Agreement, one.Reason = NotRebuilt, "the release has no digest of it"
		default:
			one.compare(a, b)
		}
		all = append(all, one)
	}
	for _, b := range again.Assets() {
		if _, err := r.Asset(b.Name); err != nil {
			all = append(all, Rebuilt{Component: b.Component, Asset: b.Name, Agreement: Different, Got: digestOf(b), Reason: "the release does not have it"})
		}
	}
	sortRebuilt(all)
	return all
}

func sortRebuilt(all []Rebuilt) {
	slices.SortStableFunc(all, func(a, b Rebuilt) int {
		return strings.Compare(a.Component+"\x00"+a.Asset, b.Component+"\x00"+b.Asset)
	})
}

func digestOf(a release.Asset) string {
	if a.Type == release.Image {
		return a.Digest
	}
	return "sha256:" + a.SHA256
}

// compare compares all digests that the release names.
func (r *Rebuilt) compare(a, b release.Asset) {
	r.Agreement = Equal
	for _, d := range [][3]string{{"sha512:", a.SHA512, b.SHA512}, {"sha256:", a.SHA256, b.SHA256}, {"", a.Digest, b.Digest}} {
		if d[1] == "" {
			continue
		}
		r.Want, r.Got = d[0]+d[1], ""
		if d[2] != "" {
			r.Got = d[0] + d[2]
		}
		if d[1] != d[2] {
			r.Agreement = Different
			return
		}
	}
	if a.Type != b.Type {
		r.Agreement, r.Reason = Different, "it is an "+strings.ToLower(string(b.Type))+" in the rebuild"
	}
}

// NotRebuildable is what is said of all assets of a release that cannot be
// built again.
func NotRebuildable(r *release.Release, reason string) []Rebuilt {
	var all []Rebuilt
	for _, a := range r.Assets() {
		one := Rebuilt{Component: a.Component, Asset: a.Name, Agreement: NotRebuilt, Reason: reason}
		if a.Bound() {
			one.Want = digestOf(a)
		}
		all = append(all, one)
	}
	sortRebuilt(all)
	return all
}

// ExplainProgram says what a program was built with, where that is not what
// one of the rebuild was: another compiler is the first thing to look for.
func ExplainProgram(file, again string) string {
	a, err := buildinfo.ReadFile(file)
	if err != nil {
		return "it is no Go program"
	}
	b, err := buildinfo.ReadFile(again)
	if err != nil || a.GoVersion == b.GoVersion {
		return ""
	}
	return fmt.Sprintf("built with %s, rebuilt with %s", a.GoVersion, b.GoVersion)
}

// A line of EKS Distro's CHECKSUMS is a digest and where the build leaves a
// program: the programs of Kubernetes by channel, under the names of the assets.
var (
	checksumLine  = regexp.MustCompile(`^([0-9a-f]{64}) [ *](_output/[A-Za-z0-9._/-]+)$`)
	checksumPlace = regexp.MustCompile(`^_output/([0-9]+-[0-9]+)/(bin/(?:linux|windows|darwin)/[a-z0-9]+/[A-Za-z0-9._-]+)$`)
)

// Checksums are the digests that the builders of a release committed beside its
// recipe, by the name of the asset.
type Checksums map[string]string

// mostChecksums bounds a list; real ones have two dozen lines.
const mostChecksums = 10_000

// ParseChecksums reads a CHECKSUMS file for a channel. Lines of programs that
// no release has are passed over, but a list that says nothing of the channel
// is refused.
func ParseChecksums(name, text, channel string) (Checksums, error) {
	sums := Checksums{}
	others := map[string]bool{}
	lines := strings.Split(text, "\n")
	if len(lines) > mostChecksums {
		return nil, fmt.Errorf("%s: more than %d lines", name, mostChecksums)
	}
	for i, line := range lines {
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		m := checksumLine.FindStringSubmatch(line)
		if m == nil {
			return nil, fmt.Errorf("%s:%d: %s is not a line like <sha256>  _output/%s/bin/linux/amd64/kubelet", name, i+1, strconv.Quote(cut(line)), channel)
		}
		switch place := checksumPlace.FindStringSubmatch(m[2]); {
		case place == nil: // a program of a component that publishes no programs
		case place[1] != channel:
			others[place[1]] = true
		case sums[place[2]] != "" && sums[place[2]] != m[1]:
			return nil, fmt.Errorf("%s:%d: %s is listed twice, with two digests", name, i+1, place[2])
		default:
			sums[place[2]] = m[1]
		}
	}
	if len(sums) == 0 {
		for other := range others {
			return nil, fmt.Errorf("%s: it is of channel %s, not %s", name, other, channel)
		}
		return nil, fmt.Errorf("%s: it lists no program of channel %s", name, channel)
	}
	return sums, nil
}

func cut(line string) string {
	if len(line) > 120 {
		return line[:120] + "…"
	}
	return line
}

// Hold compares the release with the checksums. That a digest is the one that
// was committed does not mean that it can be built again, so what agrees stays
// as it was and says so.
func (c Checksums) Hold(all []Rebuilt) {
	for i, r := range all {
		sum, listed := c[r.Asset]
		want, isSHA256 := strings.CutPrefix(r.Want, "sha256:")
		switch {
		case !listed || !isSHA256:
		case sum == want:
			all[i].Reason = strings.TrimPrefix(r.Reason+"; its CHECKSUMS have the same digest", "; ")
		default:
			all[i].Agreement, all[i].Got, all[i].Reason = Different, "sha256:"+sum, "its CHECKSUMS have another digest"
		}
	}
}
