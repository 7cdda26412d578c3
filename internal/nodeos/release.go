package nodeos

import (
	"errors"
	"fmt"
	"strings"
)

// Release is what a machine's /etc/os-release says that it runs.
type Release struct{ ID, Version string }

// mostRelease bounds an os-release, in bytes; real ones have 500.
const mostRelease = 64 << 10

// ParseRelease reads an /etc/os-release. It is outside text: it is read as data
// and never given to a shell, although it has a shell's form. The last
// assignment of a name counts, as in a shell.
func ParseRelease(text string) (Release, error) {
	if len(text) > mostRelease {
		return Release{}, fmt.Errorf("the os-release has %d bytes", len(text))
	}
	var r Release
	for _, line := range strings.Split(text, "\n") {
		name, value, ok := strings.Cut(strings.TrimSpace(line), "=")
		if !ok || name != "ID" && name != "VERSION_ID" {
			continue
		}
		value, err := unquoted(value)
		if err != nil {
			return Release{}, fmt.Errorf("reading the os-release: %s: %w", name, err)
		}
		if name == "ID" {
			r.ID = value
		} else {
			r.Version = value
		}
	}
	if r.ID == "" {
		return Release{}, errors.New("the os-release names no system (ID)")
	}
	return r, nil
}

// unquoted is the value of an assignment. IDs and versions are plain words
// (os-release(5)), so what a shell would expand or escape is refused.
func unquoted(value string) (string, error) {
	for _, quote := range []string{`"`, `'`} {
		if strings.HasPrefix(value, quote) {
			if len(value) < 2 || !strings.HasSuffix(value, quote) {
				return "", errors.New("it begins with a quote and does not end with it")
			}
			value = value[1 : len(value)-1]
			break
		}
	}
	for _, c := range value {
		plain := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.ContainsRune("._-~+", c)
		if !plain {
			return "", fmt.Errorf("it has the character %q, and only letters, digits and ._-~+ are plain", c)
		}
	}
	return value, nil
}

// ByRelease returns the operating system that an os-release tells.
func ByRelease(r Release) (OS, error) {
	for _, os := range All() {
		if os.ReleaseID == r.ID && matches(os.ReleaseVersion, r.Version) {
			return os, nil
		}
	}
	return OS{}, fmt.Errorf("operating system %q %q is not known", r.ID, r.Version)
}

// matches tells whether a version is one of those that a pattern means: "9" is
// itself, "9.*" also each of its minor versions, "*" any.
func matches(pattern, version string) bool {
	if pattern == "*" {
		return true
	}
	if major, ok := strings.CutSuffix(pattern, ".*"); ok {
		return version == major || strings.HasPrefix(version, major+".")
	}
	return version == pattern
}
