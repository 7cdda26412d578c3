package matrix

import (
	"slices"
	"testing"

	"pgregory.net/rapid"
)

func TestParseVersion(t *testing.T) {
	tests := []struct {
		text, want string
		ok         bool
	}{
		{"1.34", "v1.34", true},
		{"v1.34", "v1.34", true},
		{"1.34.4", "v1.34.4", true},
		{"v1.34.4", "v1.34.4", true},
		{"v1.35.0-rc.1", "v1.35.0-rc.1", true},
		{"v1.36.0-eks-1-36-1", "v1.36.0-eks-1-36-1", true},
		{"v0.0.0", "v0.0.0", true},
		{"v1", "", false},
		{"1.34.", "", false},
		{"1.034", "", false},
		{"1.34-rc.1", "", false},
		{"1.34.4+x", "", false},
		{"1.9999999", "", false},
		{"vv1.34", "", false},
		{"", "", false},
	}
	for _, tt := range tests {
		v, ok := parseVersion(tt.text)
		if ok != tt.ok || ok && v.String() != tt.want {
			t.Errorf("parseVersion(%q) = %v, %v", tt.text, v, ok)
		}
	}
}

func versions(texts ...string) []version {
	var all []version
	for _, text := range texts {
		v, _ := parseVersion(text)
		all = append(all, v)
	}
	return all
}

func TestSymbolic(t *testing.T) {
	tests := []struct {
		name, want string
		versions   []version
		at         int
	}{
		{"latest", "latest", versions("v1.9.0", "v1.10.0", "v1.2.0"), 1},
		{"latest is no pre-release", "latest", versions("v1.36.0", "v1.37.0-rc.1"), 0},
		{"unless there is nothing else", "latest", versions("v1.36.0-rc.0", "v1.36.0-rc.1"), 1},
		{"whatever comes first", "latest", versions("v1.37.0-rc.1", "v1.36.0"), 1},
		{"by patch", "latest", versions("v1.36.2", "v1.36.10", "v1.36.9"), 1},
		{"n-1", "n-1", versions("v1.36.1", "v1.36.3", "v1.36.2", "v1.37.0"), 1},
		{"n-1 is a hole", "n-1", versions("v1.35.0", "v1.37.0"), -1},
		{"n-2", "n-2", versions("v1.35.0", "v1.37.0"), 0},
		{"below zero", "n-2", versions("v1.1.0", "v1.0.0"), -1},
		{"n-0", "n-0", versions("v1.1.0"), -1},
		{"no versions", "latest", versions("custom"), -1},
		{"another word", "newest", versions("v1.1.0"), -1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			at, minor := symbolic(tt.versions, tt.want)
			if at != tt.at {
				t.Errorf("place %d, want %d", at, tt.at)
			}
			if minor.minor < 0 {
				t.Errorf("the minor meant is %v", minor)
			}
		})
	}
}

func TestNaturalOrder(t *testing.T) {
	want := []string{"", "10", "debian-9", "debian-12", "v1.9", "v1.9.1", "v1.10", "v1.010"}
	got := slices.Clone(want)
	slices.Reverse(got)
	slices.SortFunc(got, naturalCompare)
	// 1.010 and 1.10 are the same numbers: any fixed order will do.
	if got[6] == "v1.010" {
		got[6], got[7] = got[7], got[6]
	}
	if !slices.Equal(got, want) {
		t.Errorf("order %q, want %q", got, want)
	}
}

// An order that is not one makes sorting, and so every list, a matter of luck.
func TestNaturalCompareIsAnOrder(t *testing.T) {
	text := rapid.StringMatching(`[a01.-]{0,6}`)
	rapid.Check(t, func(rt *rapid.T) {
		a, b, c := text.Draw(rt, "a"), text.Draw(rt, "b"), text.Draw(rt, "c")
		ab, ba := naturalCompare(a, b), naturalCompare(b, a)
		if (ab < 0) != (ba > 0) || (ab == 0) != (a == b) {
			rt.Errorf("%q %q: %d and %d", a, b, ab, ba)
		}
		if ab <= 0 && naturalCompare(b, c) <= 0 && naturalCompare(a, c) > 0 {
			rt.Errorf("%q <= %q <= %q, but not transitive", a, b, c)
		}
	})
}
