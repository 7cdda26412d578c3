package matrix

import (
	"cmp"
	"fmt"
	"regexp"
	"strconv"
)

// versionForm takes what people type: 1.34, v1.34, 1.34.4, v1.34.4-rc.1.
// Numbers are bounded so that they fit an int, without leading zeros so that
// two texts are never one version.
var versionForm = regexp.MustCompile(`^v?(0|[1-9][0-9]{0,5})\.(0|[1-9][0-9]{0,5})(?:\.(0|[1-9][0-9]{0,5})(?:-([0-9a-z][0-9a-z.-]*))?)?$`)

// version is a version of Kubernetes; a minor where full is false.
type version struct {
	major, minor, patch int
	pre                 string // "rc.1" of v1.34.0-rc.1
	full                bool   // has a patch
}

// parseVersion reads a minor or a full version.
func parseVersion(text string) (version, bool) {
	m := versionForm.FindStringSubmatch(text)
	if m == nil {
		return version{}, false
	}
	number := func(s string) int {
		n, _ := strconv.Atoi(s) // "" or at most six digits
		return n
	}
	return version{number(m[1]), number(m[2]), number(m[3]), m[4], m[3] != ""}, true
}

// String is the version with its leading v.
func (v version) String() string {
	text := fmt.Sprintf("v%d.%d", v.major, v.minor)
	if v.full {
		text += fmt.Sprintf(".%d", v.patch)
	}
	if v.pre != "" {
		text += "-" + v.pre
	}
	return text
}

// sameMinor says that both belong to one minor, e.g. 1.34.
func (v version) sameMinor(w version) bool { return v.major == w.major && v.minor == w.minor }

// compare orders versions that are both releases or both pre-releases.
func (v version) compare(w version) int {
	return cmp.Or(cmp.Compare(v.major, w.major), cmp.Compare(v.minor, w.minor),
		cmp.Compare(v.patch, w.patch), naturalCompare(v.pre, w.pre))
}

// before says that v is of an earlier minor than w.
func (v version) before(w version) bool {
	return cmp.Or(cmp.Compare(v.major, w.major), cmp.Compare(v.minor, w.minor)) < 0
}

// newest is the place of the newest version that satisfies keep, or -1.
// Pre-releases count only where there is nothing else: nobody who asks for
// "latest" means a release candidate of the next minor.
func newest(versions []version, keep func(version) bool) int {
	best := -1
	for i, v := range versions {
		if !v.full || !keep(v) {
			continue
		}
		if best < 0 {
			best = i
			continue
		}
		stable, other := v.pre == "", versions[best].pre == ""
		if stable && !other || stable == other && v.compare(versions[best]) > 0 {
			best = i
		}
	}
	return best
}

// symbolForm takes latest and n-1, n-2, …
var symbolForm = regexp.MustCompile(`^(?:latest|n-([1-9]))$`)

// symbolic is the place of latest or n-1, or -1, and the minor that was
// meant. n-1 counts from latest, present or not: that is the minor which the
// version skew policy speaks of.
func symbolic(versions []version, want string) (at int, minor version) {
	m := symbolForm.FindStringSubmatch(want)
	at = newest(versions, func(version) bool { return true })
	if m == nil || at < 0 {
		return -1, version{}
	}
	if m[1] == "" {
		return at, versions[at]
	}
	minor = version{major: versions[at].major, minor: versions[at].minor - int(m[1][0]-'0')}
	if minor.minor < 0 {
		return -1, version{}
	}
	return newest(versions, minor.sameMinor), minor
}
