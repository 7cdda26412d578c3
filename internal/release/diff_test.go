package release

import (
	"fmt"
	"os"
	"runtime"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// pair is a release and a copy of it, to be changed.
func pair() (*Release, *Release) {
	of := func() *Release {
		sum := func(c string) string { return strings.Repeat(c, 64) }
		return &Release{Name: "kubernetes-1-35-eks-12", Channel: "1-35", Number: 12, Components: []Component{
			{Name: "kubernetes", GitTag: "v1.35.6", Assets: []Asset{
				{Component: "kubernetes", Name: kubelet, Type: Archive, SHA256: sum("1"), URI: "a"},
				{Component: "kubernetes", Name: "pause-image", Type: Image, Digest: "sha256:" + sum("2"), URI: "r.io/pause:v1.35.6-eks-1-35-12"},
				{Component: "kubernetes", Name: "kube-proxy-image", Type: Image, Digest: "sha256:" + sum("3"), URI: "r.io/kube-proxy:v1.35.6-eks-1-35-12"},
			}},
			{Name: "etcd", GitTag: "v3.5.21", Assets: []Asset{
				{Component: "etcd", Name: "etcd-linux-amd64-v3.5.21.tar.gz", Type: Archive, SHA256: sum("4"), SHA512: sum("4") + sum("4"), URI: "b"},
			}},
			{Name: "coredns", GitTag: "v1.12.0", Assets: []Asset{
				{Component: "coredns", Name: "coredns-image", Type: Image, Digest: "sha256:" + sum("5"), URI: "r.io/coredns:v1.12.0-eks-1-35-12"},
			}},
		}}
	}
	return of(), of()
}

func impacted(d Difference) string {
	var names []string
	for _, i := range d.Impacted {
		names = append(names, i.Component)
	}
	return strings.Join(names, " ")
}

func TestDiff(t *testing.T) {
	for name, tc := range map[string]struct {
		edit     func(r *Release)
		changes  string // of components and assets
		impacted string
		warning  string
	}{
		"nothing": {func(*Release) {}, "", "", "both are the same release"},
		"only retagged": {func(r *Release) {
			r.Number = 13
			r.Components[2].Assets[0].URI = "r.io/coredns:v1.12.0-eks-1-35-13"
		}, "", "", ""},
		"a patch": {func(r *Release) {
			r.Components[0].GitTag = "v1.35.7"
			r.Components[0].Assets[0].SHA256 = strings.Repeat("9", 64)
		}, "kubernetes changed patch; " + kubelet + " changed", "kubernetes", ""},
		"a minor of etcd": {func(r *Release) {
			r.Components[1].GitTag = "v3.6.1"
			r.Components[1].Assets[0].Name = "etcd-linux-amd64-v3.6.1.tar.gz"
			r.Components[1].Assets[0].SHA256 = strings.Repeat("9", 64)
		}, "etcd changed minor; etcd-linux-amd64-v3.6.1.tar.gz changed", "etcd kubernetes", "etcd makes a minor step, from v3.5.21 to v3.6.1"},
		"a minor of Kubernetes": {func(r *Release) { r.Components[0].GitTag = "v1.36.0" },
			"kubernetes changed minor", "coredns etcd kubernetes", "Kubernetes makes a minor step"},
		"back": {func(r *Release) { r.Components[2].GitTag = "v1.11.4" },
			"coredns changed minor", "coredns", "coredns goes back, from v1.12.0 to v1.11.4"},
		"a bump that versions do not show": {func(r *Release) { r.Components[2].Assets[0].Digest = "sha256:" + strings.Repeat("9", 64) },
			"coredns-image changed", "coredns", ""},
		"a component gone": {func(r *Release) { r.Components = r.Components[:2] },
			"coredns removed other; coredns-image removed", "", "coredns is gone"},
		"an asset moved": {func(r *Release) {
			moved := r.Components[0].Assets[2]
			moved.Component = "kube-proxy"
			r.Components[0].Assets = r.Components[0].Assets[:2]
			r.Components = append(r.Components, Component{Name: "kube-proxy", GitTag: "v1.35.6", Assets: []Asset{moved}})
		}, "kube-proxy added other", "kube-proxy", ""},
		"a digest gone": {func(r *Release) { r.Components[2].Assets[0].Digest = "" },
			"coredns-image unproven", "coredns", "1 assets have no digest"},
		"another digest contradicts": {func(r *Release) { r.Components[1].Assets[0].SHA512 = strings.Repeat("9", 128) },
			"etcd-linux-amd64-v3.5.21.tar.gz changed", "etcd", ""},
	} {
		a, b := pair()
		tc.edit(b)
		d := Diff(a, b)
		var changes []string
		for _, c := range d.Components {
			changes = append(changes, fmt.Sprintf("%s %s %s", c.Name, c.Change, c.Step))
		}
		for _, c := range d.Assets {
			changes = append(changes, fmt.Sprintf("%s %s", c.Name, c.Change))
		}
		if got := strings.Join(changes, "; "); got != tc.changes || impacted(d) != tc.impacted {
			t.Errorf("%s: got %q, impacted %q; want %q and %q", name, got, impacted(d), tc.changes, tc.impacted)
		}
		if got := strings.Join(d.Warnings, "\n"); !strings.Contains(got, tc.warning) || tc.warning == "" && got != "" {
			t.Errorf("%s: warned %q, want %q", name, got, tc.warning)
		}
		if d.Same != (name == "nothing") {
			t.Errorf("%s: the same: %v", name, d.Same)
		}
	}
}

// TestDiffMissesNothing: whatever byte of an asset is another one, its
// component is to be tested again; and both directions say the same.
func TestDiffMissesNothing(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, b := pair()
		c := rapid.IntRange(0, len(b.Components)-1).Draw(t, "component")
		asset := &b.Components[c].Assets[rapid.IntRange(0, len(b.Components[c].Assets)-1).Draw(t, "asset")]
		digest := &asset.SHA256
		if asset.Type == Image {
			digest = &asset.Digest
		}
		at := rapid.IntRange(len(*digest)-64, len(*digest)-1).Draw(t, "digit")
		*digest = (*digest)[:at] + "f" + (*digest)[at+1:]
		there, back := Diff(a, b), Diff(b, a)
		if there.Same || !slices.ContainsFunc(there.Impacted, func(i Impact) bool { return i.Component == asset.Component }) {
			t.Fatalf("%s differs, impacted: %+v", asset.Name, there.Impacted)
		}
		if len(there.Assets) != 1 || len(back.Assets) != 1 || there.Assets[0].From != back.Assets[0].To {
			t.Fatalf("there %+v, back %+v", there.Assets, back.Assets)
		}
	})
}

// TestDiffOfPublished compares neighbours, as whoever tests the next release does.
func TestDiffOfPublished(t *testing.T) {
	for _, tc := range []struct{ from, to, step, etcd string }{
		{"reconstructed/kubernetes-1-34-eks-20.yaml", "reconstructed/kubernetes-1-34-eks-21.yaml", "none", "none"},
		{"reconstructed/kubernetes-1-34-eks-5.yaml", "reconstructed/kubernetes-1-34-eks-21.yaml", "patch", "none"},
		{"reconstructed/kubernetes-1-35-eks-12.yaml", "reconstructed/kubernetes-1-36-eks-6.yaml", "minor", "minor"},
		{"releases/kubernetes-1-18-eks-3.yaml", "releases/kubernetes-1-18-eks-4.yaml", "patch", "none"},
	} {
		var two [2]*Release
		for i, name := range []string{tc.from, tc.to} {
			file := shared(t, name)[0]
			data, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if two[i], err = Parse(file, data, Options{}); err != nil {
				t.Fatal(err)
			}
		}
		d := Diff(two[0], two[1])
		if string(d.Kubernetes.Step) != tc.step || string(d.Etcd.Step) != tc.etcd || len(d.Impacted) == 0 || d.Same {
			t.Errorf("%s to %s: kubernetes %+v, etcd %+v, impacted %v", tc.from, tc.to, d.Kubernetes, d.Etcd, impacted(d))
		}
	}
}

// TestToolchain reads it of a program that the store holds, and fetches none.
func TestToolchain(t *testing.T) {
	self, err := os.Executable()
	mustDo(t, err)
	src, s := newSource(t, map[string][]byte{kubelet: content(t, self)}), &Store{Dir: t.TempDir() + "/store"}
	if got := s.Toolchain(t.Context(), src.release); got != "" {
		t.Errorf("before it is fetched: %q", got)
	}
	if _, err := os.Stat(s.Dir); err == nil {
		t.Error("a look made a store")
	}
	fetch(t, s, src, kubelet)
	if got := s.Toolchain(t.Context(), src.release); got != runtime.Version() {
		t.Errorf("got %q, want %q", got, runtime.Version())
	}
	for _, tc := range []struct {
		from, to string
		step     Step
	}{
		{"go1.26.3", "go1.26.8", PatchStep}, {"go1.25.1", "go1.26", MinorStep}, {"go1.26.3", "go1.26.3", NoStep},
		{"", "go1.26.3", OtherStep}, {"", "", NoStep}, {"go1.26.3", "devel", OtherStep}, {"go1.26.3 X:x", "go1.26.3", NoStep},
	} {
		if got := (Difference{}).WithToolchains(tc.from, tc.to).Go; got.Step != tc.step || got.From != tc.from {
			t.Errorf("%s to %s: %+v", tc.from, tc.to, got)
		}
	}
}
