package release

import (
	"fmt"
	"regexp"
	"strings"

	"golang.org/x/mod/semver"
)

// eksSuffix is what EKS Distro appends to the version it builds from: channel
// and release number, a commit, or the build of a CSI image.
var eksSuffix = regexp.MustCompile(`-eks(-|build\.).*$`)

var fullVersion = regexp.MustCompile(`^v[0-9]+\.[0-9]+\.[0-9]+(-[0-9A-Za-z.-]+)?(\+[0-9A-Za-z.-]+)?$`)

// BaseVersion returns the upstream version: v1.36.2 for v1.36.2-eks-1-36-7,
// v1.36.2-eks-1f2e3d4 and 1.36.2. To semver the EKS forms are pre-releases, and
// so older than the version that they are.
func BaseVersion(version string) string {
	base := eksSuffix.ReplaceAllString(version, "")
	if with := "v" + base; fullVersion.MatchString(with) {
		return with
	}
	return base
}

// CompareVersions compares the upstream versions of two: -1, 0 or 1.
func CompareVersions(a, b string) (int, error) {
	for _, v := range []string{a, b} {
		if !isVersion(BaseVersion(v)) {
			return 0, fmt.Errorf("comparing versions: %s is not one like v1.36.2", quote(v))
		}
	}
	return semver.Compare(BaseVersion(a), BaseVersion(b)), nil
}

// ChannelOf returns the release channel of a version: "1-36" for v1.36.2.
func ChannelOf(version string) (string, error) {
	base := BaseVersion(version)
	if !isVersion(base) {
		return "", fmt.Errorf("finding channel: %s is not a version like v1.36.2", quote(version))
	}
	return strings.Replace(strings.TrimPrefix(semver.MajorMinor(base), "v"), ".", "-", 1), nil
}

// isVersion wants all three numbers, which semver alone does not.
func isVersion(v string) bool { return fullVersion.MatchString(v) && semver.IsValid(v) }
