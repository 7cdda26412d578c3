package release

import (
	"fmt"
	"testing"

	"golang.org/x/mod/semver"
	"pgregory.net/rapid"
)

func TestBaseVersion(t *testing.T) {
	for in, want := range map[string]string{
		"v1.36.2-eks-1-36-7":             "v1.36.2",
		"v1.36.2-eks-1-36-8.pre":         "v1.36.2",
		"v1.36.2-eks-1f2e3d4":            "v1.36.2",
		"v1.36.2":                        "v1.36.2",
		"1.36.2":                         "v1.36.2",
		"1.36.2-eks-1-36-7":              "v1.36.2",
		"v1.37.0-rc.1":                   "v1.37.0-rc.1",
		"v1.37.0-rc.1-eks-1-37-1":        "v1.37.0-rc.1",
		"v4.9.0-eksbuild.3":              "v4.9.0",
		"v0.7.18-cvefix-eks-1-36-7":      "v0.7.18-cvefix",
		"v1.36.2-eksotic":                "v1.36.2-eksotic",
		"":                               "",
		"latest":                         "latest",
		"public.ecr.aws/eks-distro/etcd": "public.ecr.aws/eks-distro/etcd",
	} {
		if got := BaseVersion(in); got != want {
			t.Errorf("BaseVersion(%q) = %q, want %q", in, got, want)
		}
	}
}

func TestCompareVersions(t *testing.T) {
	for _, tc := range []struct {
		a, b string
		want int
	}{
		{"v1.36.2-eks-1-36-7", "v1.36.2", 0},
		{"v1.36.2-eks-1-36-7", "v1.36.2-eks-1-36-1", 0},
		{"v1.36.0-eks-1-36-1", "1.36.0", 0},
		{"v1.36.2-eks-1-36-7", "v1.36.3", -1},
		{"v1.36.10", "v1.36.9-eks-1-36-9", 1},
		{"v1.36.0-rc.1", "v1.36.0-eks-1-36-1", -1},
		{"v1.36.0-rc.10", "v1.36.0-rc.9", 1},
		{"v1.9.0", "v1.10.0", -1},
	} {
		got, err := CompareVersions(tc.a, tc.b)
		if err != nil || got != tc.want {
			t.Errorf("CompareVersions(%s, %s) = %d, %v; want %d", tc.a, tc.b, got, err, tc.want)
		}
		if got, _ := CompareVersions(tc.b, tc.a); got != -tc.want {
			t.Errorf("CompareVersions(%s, %s) = %d, want %d", tc.b, tc.a, got, -tc.want)
		}
	}
	for _, bad := range []string{"", "latest", "v1.36", "1.36", "v1.36.x", "v01.2.3", "vv1.2.3"} {
		if _, err := CompareVersions("v1.36.2", bad); err == nil {
			t.Errorf("%q passes for a version", bad)
		}
	}
}

// TestEKSSuffixNeverCounts: what EKS appends changes no comparison, though
// semver would call each of these a pre-release.
func TestEKSSuffixNeverCounts(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		version := func(label string) string {
			n := rapid.IntRange(0, 40)
			return fmt.Sprintf("v%d.%d.%d", n.Draw(t, label), n.Draw(t, label), n.Draw(t, label))
		}
		a, b := version("a"), version("b")
		suffix := rapid.StringMatching(`-eks-([0-9a-f]{7}|1-[0-9]{2}-[0-9]{1,2}(\.pre)?)`).Draw(t, "suffix")
		got, err := CompareVersions(a+suffix, b)
		if want := semver.Compare(a, b); err != nil || got != want {
			t.Fatalf("CompareVersions(%s, %s) = %d, %v; want %d", a+suffix, b, got, err, want)
		}
		if channel, err := ChannelOf(a + suffix); err != nil || !channelForm.MatchString(channel) {
			t.Fatalf("ChannelOf(%s) = %q, %v", a+suffix, channel, err)
		}
	})
}

func TestChannelOf(t *testing.T) {
	if got, err := ChannelOf("v1.36.2-eks-1-36-7"); err != nil || got != "1-36" {
		t.Errorf("got %q, %v", got, err)
	}
	if _, err := ChannelOf("1-36"); err == nil {
		t.Error("a channel passes for a version")
	}
}

func TestMinorOf(t *testing.T) {
	for version, want := range map[string]int{"v1.34.4": 34, "1.35": 35, "v1.36.0-rc.1": 36, "v1": 0, "": 0, "v1.x": 0} {
		if got := minorOf(version); got != want {
			t.Errorf("%q: %d", version, got)
		}
	}
}
