package source

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/qualify-dev/qualify/internal/release"
)

// Two builds of a candidate, in either layout, are equal in every asset, and a
// replaced program is different wherever it went.
func TestCompareBuilds(t *testing.T) {
	fakeCandidate(t)
	userland := fakeUserland(t)
	own := write(t, filepath.Join(t.TempDir(), "my-kubectl"), "a developer's own", 0o700)
	for _, name := range Layouts() {
		build := func(l Layout, replaced bool) *release.Release {
			b := newBuilder(t, fakeVersion)
			b.userland, b.filters = userland, userland
			fakePrograms(t, b)
			if replaced {
				b.replace["bin/linux/amd64/kubectl"] = own
			}
			var err error
			b.layout, err = l.of(fakeVersion)
			must(t, err)
			manifest, _, err := b.release(t.Context(), "")
			must(t, err)
			return parseRelease(t, manifest)
		}
		layout := Layout{Name: name}
		if name == EKSDistroLayout {
			layout.Number, layout.Registry, layout.BaseURL = 4, "127.0.0.1:5000/eks-distro", "http://127.0.0.1:8080"
		}
		rel := build(layout, false)
		if reason := Unbuildable(rel); reason != "" {
			t.Errorf("%s: not to be built again: %s", name, reason)
		}
		options, err := OptionsOf(rel)
		must(t, err)
		if name == EKSDistroLayout && options.Layout != (Layout{Name: name, Number: 4, Registry: "127.0.0.1:5000/eks-distro"}) || options.Version != fakeVersion {
			t.Errorf("options %+v", options)
		}
		again := Compare(rel, build(options.Layout, false))
		if len(again) != len(rel.Assets()) || slices.ContainsFunc(again, func(r Rebuilt) bool { return r.Agreement != Equal || r.Want == "" || r.Want != r.Got }) {
			t.Errorf("%s: built again: %+v", name, again)
		}
		var different []string
		for _, r := range Compare(rel, build(options.Layout, true)) {
			if r.Agreement != Equal {
				different = append(different, r.Asset)
			}
		}
		want := []string{"bin/linux/amd64/kubectl", "kubernetes-client-linux-amd64.tar.gz", "kubernetes-node-linux-amd64.tar.gz", "kubernetes-server-linux-amd64.tar.gz"}
		if !slices.Equal(different, want) {
			t.Errorf("%s: with another kubectl: %q differ", name, different)
		}
	}
}

func rebuiltOf(assets ...release.Asset) *release.Release {
	r := &release.Release{Name: "r", Channel: "1-34", Number: 1, Components: []release.Component{{Name: "kubernetes", GitTag: "v1.34.4"}}}
	for _, a := range assets {
		a.Component = "kubernetes"
		r.Components[0].Assets = append(r.Components[0].Assets, a)
	}
	return r
}

func TestCompareDigests(t *testing.T) {
	one, two := strings.Repeat("1", 64), strings.Repeat("2", 64)
	long, other := strings.Repeat("1", 128), strings.Repeat("2", 128)
	for name, test := range map[string]struct {
		a, b *release.Asset
		want Agreement
	}{
		"both equal":          {&release.Asset{SHA256: one, SHA512: long}, &release.Asset{SHA256: one, SHA512: long}, Equal},
		"one is enough":       {&release.Asset{SHA256: one}, &release.Asset{SHA256: one, SHA512: long}, Equal},
		"sha256 differs":      {&release.Asset{SHA256: one, SHA512: long}, &release.Asset{SHA256: two, SHA512: long}, Different},
		"sha512 differs":      {&release.Asset{SHA256: one, SHA512: long}, &release.Asset{SHA256: one, SHA512: other}, Different},
		"image":               {&release.Asset{Type: release.Image, Digest: "sha256:" + one}, &release.Asset{Type: release.Image, Digest: "sha256:" + one}, Equal},
		"image differs":       {&release.Asset{Type: release.Image, Digest: "sha256:" + one}, &release.Asset{Type: release.Image, Digest: "sha256:" + two}, Different},
		"a file for an image": {&release.Asset{Type: release.Image, Digest: "sha256:" + one}, &release.Asset{SHA256: one}, Different},
		"no digest":           {&release.Asset{}, &release.Asset{SHA256: one}, NotRebuilt},
		"not built":           {&release.Asset{SHA256: one}, nil, NotRebuilt},
		"not in the release":  {nil, &release.Asset{SHA256: one}, Different},
	} {
		build := func(a *release.Asset) *release.Release {
			if a == nil {
				return rebuiltOf()
			}
			named := *a
			named.Name = "kubelet"
			if named.Type == "" {
				named.Type = release.Archive
			}
			return rebuiltOf(named)
		}
		got := Compare(build(test.a), build(test.b))
		if len(got) != 1 || got[0].Agreement != test.want || got[0].Asset != "kubelet" {
			t.Errorf("%s: %+v, want %s", name, got, test.want)
		}
	}
}

func TestUnbuildable(t *testing.T) {
	for date, want := range map[string]string{
		"2026-06-02T00:00:00Z": "internally since October 2025", "2025-10-07T00:00:00Z": "internally",
		"2025-10-06T23:59:59Z": "patches", "": "patches",
	} {
		r := rebuiltOf(release.Asset{Name: "kubelet", Type: release.Archive, SHA256: strings.Repeat("1", 64)}, release.Asset{Name: "x", Type: release.Archive})
		r.Date = date
		reason := Unbuildable(r)
		if !strings.Contains(reason, want) {
			t.Errorf("%s: %q, want %q", date, reason, want)
		}
		all := NotRebuildable(r, reason)
		if len(all) != 2 || all[0].Agreement != NotRebuilt || all[0].Reason != reason || all[0].Want != "sha256:"+strings.Repeat("1", 64) || all[1].Want != "" {
			t.Errorf("%+v", all)
		}
	}
	odd := rebuiltOf(release.Asset{Name: "kube-apiserver-image", Type: release.Image, URI: "x.example/kube-apiserver:v1"})
	odd.Name = "kubernetes-1-34-eks-1"
	for range 2 {
		if _, err := OptionsOf(odd); err == nil || !strings.Contains(err.Error(), "registry is not known") {
			t.Errorf("error %v", err)
		}
		odd.Components[0].Assets = nil
	}
}

func TestChecksums(t *testing.T) {
	one, two := strings.Repeat("1", 64), strings.Repeat("2", 64)
	sums, err := ParseChecksums("CHECKSUMS", one+"  _output/1-31/bin/linux/amd64/kubelet\n\n# a remark\n"+two+" *_output/1-31/bin/windows/amd64/kubelet.exe\n"+
		two+"  _output/1-30/bin/linux/amd64/kubelet\n"+one+"  _output/bin/etcd/linux-amd64/etcd\n", "1-31")
	must(t, err)
	if len(sums) != 2 || sums["bin/linux/amd64/kubelet"] != one || sums["bin/windows/amd64/kubelet.exe"] != two {
		t.Errorf("%v", sums)
	}
	all := []Rebuilt{
		{Asset: "bin/linux/amd64/kubelet", Agreement: NotRebuilt, Want: "sha256:" + one, Reason: "patches"},
		{Asset: "bin/windows/amd64/kubelet.exe", Agreement: NotRebuilt, Want: "sha256:" + one, Reason: "patches"},
		{Asset: "bin/linux/amd64/kubectl", Agreement: NotRebuilt, Want: "sha256:" + one, Reason: "patches"},
	}
	sums.Hold(all)
	if all[0].Agreement != NotRebuilt || all[0].Reason != "patches; its CHECKSUMS have the same digest" ||
		all[1].Agreement != Different || all[1].Got != "sha256:"+two || all[2].Reason != "patches" {
		t.Errorf("%+v", all)
	}
	for want, text := range map[string]string{
		"CHECKSUMS:2: \"what\" is not a line":   one + "  _output/1-31/bin/linux/amd64/kubelet\nwhat\n",
		"listed twice":                          one + "  _output/1-31/bin/linux/amd64/kubelet\n" + two + "  _output/1-31/bin/linux/amd64/kubelet\n",
		"it is of channel 1-30, not 1-31":       one + "  _output/1-30/bin/linux/amd64/kubelet\n",
		"it lists no program of channel 1-31":   "",
		"is not a line like":                    strings.ToUpper(strings.Repeat("a", 64)) + "  _output/1-31/bin/linux/amd64/kubelet\n",
		"more than 10000":                       strings.Repeat("\n", 10_001),
		strings.Repeat("x", 120) + "…\" is not": strings.Repeat("x", 5000),
	} {
		if _, err := ParseChecksums("CHECKSUMS", text, "1-31"); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
}

// FuzzParseChecksums: whatever is read gives digests of assets, or an error.
func FuzzParseChecksums(f *testing.F) {
	f.Add(strings.Repeat("1", 64) + "  _output/1-31/bin/linux/amd64/kubelet\n")
	f.Fuzz(func(t *testing.T, text string) {
		sums, err := ParseChecksums("CHECKSUMS", text, "1-31")
		for name, sum := range sums {
			if err != nil || len(sum) != 64 || !strings.HasPrefix(name, "bin/") || strings.Contains(name, "..") && !strings.Contains(filepath.Base(name), "..") {
				t.Errorf("%q %q, %v", name, sum, err)
			}
		}
	})
}

func TestExplainProgram(t *testing.T) {
	self, err := os.Executable()
	must(t, err)
	script := write(t, filepath.Join(t.TempDir(), "kubelet"), "#!/bin/sh\n", 0o700)
	if got := ExplainProgram(script, self); got != "it is no Go program" {
		t.Errorf("a script: %q", got)
	}
	if got := ExplainProgram(self, self) + ExplainProgram(self, script); got != "" {
		t.Errorf("of one compiler: %q", got)
	}
}
