package release

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

var update = flag.Bool("update", false, "write the golden files anew")

func candidate() *Release {
	hex := func(c string, n int) string { return strings.Repeat(c, n) }
	return &Release{
		Name: "kubernetes-1-34-eks-9", Channel: "1-34", Number: 9, Date: "2026-02-03T04:05:06Z",
		Components: []Component{
			{Name: "kubernetes", GitTag: "v1.34.4", GitCommit: hex("ab", 20), Assets: []Asset{
				{Component: "kubernetes", Name: "pause-image", Description: "pause container image", Type: Image, OS: "linux", Arch: []string{"amd64"},
					URI: "public.ecr.aws/eks-distro/kubernetes/pause:v1.34.4-eks-1-34-9", Digest: "sha256:" + hex("1", 64)},
				{Component: "kubernetes", Name: "bin/linux/amd64/kubelet", Description: "kubelet: the node's agent", Type: Archive, OS: "linux", Arch: []string{"amd64"},
					URI: FileURI("/srv/a #1/50%/kubelet"), SHA256: hex("0123456789", 6) + "0123", SHA512: hex("e", 128)},
				{Component: "kubernetes", Name: "kubernetes-src.tar.gz", Type: Archive, URI: "artifacts/kubernetes-src.tar.gz", SHA256: hex("c", 64)},
			}},
			{Name: "etcd", GitTag: "v3.6.4", Assets: []Asset{
				{Component: "etcd", Name: "etcd-image", Type: Image, OS: "linux", Arch: []string{"amd64", "arm64"},
					URI: "public.ecr.aws/eks-distro/etcd-io/etcd:v3.6.4-eks-1-34-9"},
			}},
		},
	}
}

func TestMarshalGolden(t *testing.T) {
	got, err := Marshal(candidate())
	if err != nil {
		t.Fatal(err)
	}
	golden := filepath.Join("testdata", "marshal.golden.yaml")
	if *update {
		if err := os.WriteFile(golden, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if want := fixture(t, "marshal.golden.yaml"); !bytes.Equal(got, want) {
		t.Errorf("got:\n%s\nwant:\n%s", got, want)
	}
}

func TestMarshalRefusesWhatParseWould(t *testing.T) {
	for name, change := range map[string]func(*Release){
		"no date":              func(r *Release) { r.Date = "" },
		"digest cut":           func(r *Release) { r.Components[0].Assets[1].SHA256 = "abc" },
		"no registry":          func(r *Release) { r.Components[0].Assets[0].URI = "pause:3.10" },
		"asset twice":          func(r *Release) { r.Components[1].Assets[0].Name = "pause-image" },
		"no assets":            func(r *Release) { r.Components[1].Assets = nil },
		"type":                 func(r *Release) { r.Components[1].Assets[0].Type = "" },
		"component of another": func(r *Release) { r.Components[1].Assets[0].Component = "kubernetes" },
		"digest of an image":   func(r *Release) { r.Components[0].Assets[1].Digest = "sha256:" + strings.Repeat("1", 64) },
		"digest of an archive": func(r *Release) { r.Components[0].Assets[0].SHA256 = strings.Repeat("1", 64) },
	} {
		r := candidate()
		change(r)
		out, err := Marshal(r)
		if err == nil || out != nil || !strings.HasPrefix(err.Error(), "writing manifest of kubernetes-1-34-eks-9: ") {
			t.Errorf("%s: written, with error %v", name, err)
		}
	}
}

// releases draws any release that the format can hold.
func releases(t *rapid.T) *Release {
	channel := fmt.Sprintf("1-%d", rapid.IntRange(18, 99).Draw(t, "minor"))
	r := &Release{
		Channel: channel, Number: rapid.IntRange(1, 999).Draw(t, "number"), Date: "2026-01-02T03:04:05Z",
		BuildRepoCommit: rapid.StringMatching(`([0-9a-f]{40})?`).Draw(t, "commit"),
	}
	r.Name = fmt.Sprintf("kubernetes-%s-eks-%d", channel, r.Number)
	used := 0
	for i := range rapid.IntRange(1, 4).Draw(t, "components") {
		c := Component{Name: fmt.Sprintf("part-%d", i), GitTag: rapid.StringMatching(`(v[0-9]{1,2}\.[0-9]{1,3}(\.[0-9e]{1,3})?)?`).Draw(t, "tag")}
		if i == 0 {
			c.Name, c.GitTag = "kubernetes", "v"+strings.Replace(channel, "-", ".", 1)+".3"
		}
		for range rapid.IntRange(1, 4).Draw(t, "assets") {
			used++
			c.Assets = append(c.Assets, asset(t, c.Name, used))
		}
		r.Components = append(r.Components, c)
	}
	return r
}

func asset(t *rapid.T, component string, n int) Asset {
	a := Asset{
		Component: component, Name: rapid.StringMatching(`[a-z0-9]{1,9}(/[a-z0-9_]{1,5}){0,2}`).Draw(t, "name") + fmt.Sprint("-", n),
		Description: rapid.StringMatching(`[ -~äß°€]{0,20}`).Draw(t, "description"),
		OS:          rapid.SampledFrom([]string{"linux", "darwin", "windows"}).Draw(t, "os"),
		Arch:        rapid.SampledFrom([][]string{{"amd64"}, {"arm64"}, {"amd64", "arm64"}}).Draw(t, "arch"),
	}
	digest := func(n int, label string) string {
		return rapid.StringMatching(fmt.Sprintf(`([0-9a-f]{%d}|[0-9]{%d}|[0-9]{9}e[0-9]{%d})?`, n, n, n-10)).Draw(t, label)
	}
	if rapid.Bool().Draw(t, "image") {
		a.Type, a.URI = Image, rapid.StringMatching(`public\.ecr\.aws/[a-z]{1,5}/[a-z]{1,9}:v[0-9]\.[0-9]`).Draw(t, "image uri")
		if d := digest(64, "digest"); d != "" {
			a.Digest = "sha256:" + d
		}
		return a
	}
	a.Type, a.SHA256, a.SHA512 = Archive, digest(64, "sha256"), digest(128, "sha512")
	a.URI = FileURI("/" + rapid.StringMatching(`[ -~ä€]{1,20}`).Draw(t, "path"))
	return a
}

func TestRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := releases(t)
		out, err := Marshal(r)
		if err != nil {
			t.Fatal(err)
		}
		back, err := Parse("", out, Options{Strict: true})
		if err != nil {
			t.Fatal(err)
		}
		if back.Digest() != r.Digest() {
			t.Fatal("the digest is another one")
		}
		for i := range r.Components {
			slices.SortFunc(r.Components[i].Assets, func(a, b Asset) int { return strings.Compare(a.Name, b.Name) })
		}
		slices.SortFunc(r.Components, func(a, b Component) int { return strings.Compare(a.Name, b.Name) })
		if !reflect.DeepEqual(back, r) {
			t.Fatalf("got  %+v\nwant %+v", back, r)
		}
		slices.Reverse(r.Components)
		for i := range r.Components {
			slices.Reverse(r.Components[i].Assets)
		}
		if again, err := Marshal(r); err != nil || !bytes.Equal(again, out) {
			t.Fatalf("another order gives other bytes, %v", err)
		}
	})
}
