package source

import (
	"compress/gzip"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	ocilayout "github.com/google/go-containerregistry/pkg/v1/layout"

	"github.com/qualify-dev/qualify/internal/release"
)

func TestLayoutOf(t *testing.T) {
	got, err := Layout{Name: EKSDistroLayout, Number: 7, BaseURL: "https://bucket.example/dev/", Registry: "127.0.0.1:5000/eks-distro"}.of("v1.34.4")
	must(t, err)
	if got.release != "kubernetes-1-34-eks-7" || got.gitVersion != "v1.34.4-eks-1-34-7" || got.manifest != "kubernetes-1-34/kubernetes-1-34-eks-7.yaml" ||
		got.artifacts != "kubernetes-1-34/releases/7/artifacts" || got.base != "https://bucket.example/dev" {
		t.Errorf("%+v", got)
	}
	if least, err := (Layout{Name: EKSDistroLayout}).of("v1.34.4"); err != nil || least.number != 1 || least.eksd.registry != DefaultRegistry || least.base != "" {
		t.Errorf("%+v, %v", least, err)
	}
	for want, bad := range map[string]Layout{
		"unknown layout":          {Name: "eksd"},
		"for the layout eks-d":    {Number: 2},
		"alone":                   {Name: SourceLayout, Registry: "x.example"},
		"at least 1":              {Name: EKSDistroLayout, Number: -1},
		"not a host and a prefix": {Name: EKSDistroLayout, Registry: "https://x.example"},
		"and a prefix, like":      {Name: EKSDistroLayout, Registry: "x.example/a:tag"},
		"not http or https":       {Name: EKSDistroLayout, BaseURL: "ftp://x.example"},
		"with a host":             {Name: EKSDistroLayout, BaseURL: "http:///x"},
		"neither user":            {Name: EKSDistroLayout, BaseURL: "http://me:word@x.example/"},
		"query nor fragment":      {Name: EKSDistroLayout, BaseURL: "http://x.example/?a=b"},
	} {
		if _, err := bad.of("v1.34.4"); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: %v, want %q", bad, err, want)
		}
	}
}

// TestEKSDistroLayout packs a fake candidate as EKS Distro would publish it.
func TestEKSDistroLayout(t *testing.T) {
	fakeCandidate(t)
	const base = "http://127.0.0.1:8080/dev"
	build := func(base string) (*builder, string) {
		b := newBuilder(t, fakeVersion)
		b.userland, b.filters = fakeUserland(t), fakeUserland(t)
		fakePrograms(t, b)
		var err error
		b.layout, err = Layout{Name: EKSDistroLayout, Number: 3, BaseURL: base, Registry: "127.0.0.1:5000/eks-distro"}.of(fakeVersion)
		must(t, err)
		out := filepath.Join(t.TempDir(), "out")
		manifest, _, err := b.release(t.Context(), out)
		must(t, err)
		if want := filepath.Join(out, "kubernetes-1-99", "kubernetes-1-99-eks-3.yaml"); manifest != want {
			t.Errorf("manifest %s, want %s", manifest, want)
		}
		return b, out
	}
	_, out := build(base)
	manifest := filepath.Join(out, "kubernetes-1-99", "kubernetes-1-99-eks-3.yaml")
	rel := parseRelease(t, manifest)
	if rel.Name != "kubernetes-1-99-eks-3" || rel.Number != 3 || rel.Channel != "1-99" || rel.Kubernetes() != fakeVersion || len(rel.Unbound()) > 0 {
		t.Errorf("release %+v", rel)
	}
	golden(t, filepath.Join("testdata", "eks-d.golden"), eksdText(t, out, rel))
	sumsAreTrue(t, out, base, rel)
	imagesAreThere(t, filepath.Join(out, "kubernetes-1-99", "images"), rel)
	serverArchive(t, out)

	channel, err := release.ParseChannel("1-99.yaml", []byte(read(t, filepath.Join(out, "releasechannels", "1-99.yaml"))), release.Options{Strict: true})
	if err != nil || channel.Name != "1-99" || channel.LatestRelease != 3 || !channel.Active {
		t.Errorf("channel %+v, %v", channel, err)
	}

	// Served elsewhere, or nowhere, it is the same release.
	_, lies := build("")
	local := parseRelease(t, filepath.Join(lies, "kubernetes-1-99", "kubernetes-1-99-eks-3.yaml"))
	if local.Digest() != rel.Digest() {
		t.Error("the release depends on where it is served")
	}
	for _, a := range local.Assets() {
		if a.Type == release.Archive {
			if _, err := os.Stat(pathOf(t, a)); err != nil || !strings.HasPrefix(pathOf(t, a), lies) {
				t.Errorf("%s is at %s: %v", a.Name, a.URI, err)
			}
		}
	}
}

func eksdText(t *testing.T, out string, rel *release.Release) string {
	t.Helper()
	var text strings.Builder
	for _, a := range rel.Assets() {
		fmt.Fprintf(&text, "%s %s %s\n", a.Component, a.Name, a.URI)
	}
	must(t, filepath.WalkDir(out, func(file string, entry os.DirEntry, err error) error {
		rest, _ := filepath.Rel(out, file)
		if err == nil && entry.Type().IsRegular() && !strings.Contains(rest, "/blobs/") && !strings.HasPrefix(filepath.Ext(rest), ".sha") {
			fmt.Fprintln(&text, rest)
		}
		return err
	}))
	return text.String()
}

// sumsAreTrue compares the files beside each artifact, and the lists, with
// the manifest and the bytes.
func sumsAreTrue(t *testing.T, out, base string, rel *release.Release) {
	t.Helper()
	lists := map[string]string{}
	for _, a := range rel.Assets() {
		if a.Type != release.Archive {
			continue
		}
		place, ok := strings.CutPrefix(a.URI, base+"/")
		if !ok {
			t.Fatalf("%s is at %s", a.Name, a.URI)
		}
		file := filepath.Join(out, filepath.FromSlash(place))
		got, err := digests(file)
		must(t, err)
		if got.sha256 != a.SHA256 || got.sha512 != a.SHA512 {
			t.Errorf("%s has other bytes than its manifest says", a.Name)
		}
		for ext, digest := range map[string]string{".sha256": a.SHA256, ".sha512": a.SHA512} {
			if line := read(t, file+ext); line != digest+"  "+a.Name+"\n" {
				t.Errorf("%s%s says %q", a.Name, ext, line)
			}
			root := strings.TrimSuffix(file, filepath.FromSlash(a.Name))
			list := filepath.Join(root, map[string]string{".sha256": "SHA256SUM", ".sha512": "SHA512SUM"}[ext])
			lists[list] = read(t, list)
			if !strings.Contains(lists[list], digest+"  "+a.Name+"\n") {
				t.Errorf("%s does not have %s", list, a.Name)
			}
		}
	}
	for list := range lists {
		got, err := digests(list)
		must(t, err)
		if read(t, list+".sha256") != got.sha256+"  "+filepath.Base(list)+"\n" || read(t, list+".sha512") != got.sha512+"  "+filepath.Base(list)+"\n" {
			t.Errorf("%s has no digests beside it that are its own", list)
		}
	}
}

// imagesAreThere finds each image by its digest, whole, and pause by both
// its tags.
func imagesAreThere(t *testing.T, dir string, rel *release.Release) {
	t.Helper()
	index, err := ocilayout.ImageIndexFromPath(dir)
	must(t, err)
	manifest, err := index.IndexManifest()
	must(t, err)
	held := map[string]string{}
	for _, d := range manifest.Manifests {
		held[d.Annotations["org.opencontainers.image.ref.name"]] = d.Digest.String()
		one, err := index.ImageIndex(d.Digest)
		must(t, err)
		of, err := one.IndexManifest()
		must(t, err)
		if len(of.Manifests) != 1 || of.Manifests[0].Platform.Architecture != hostArch || of.Manifests[0].Platform.OS != "linux" {
			t.Errorf("%v: %+v", d.Annotations, of.Manifests)
			continue
		}
		image, err := one.Image(of.Manifests[0].Digest)
		must(t, err)
		layers, err := image.Layers()
		must(t, err)
		for _, l := range layers {
			want, err := l.Digest()
			must(t, err)
			sums, err := digests(filepath.Join(dir, "blobs", "sha256", want.Hex))
			if err != nil || sums.sha256 != want.Hex {
				t.Errorf("%v: layer %s is %s, %v", d.Annotations, want, sums.sha256, err)
			}
		}
	}
	var published []string
	for _, a := range rel.Images() {
		if a.Component == testComponent {
			continue
		}
		published = append(published, a.Name)
		if held[a.URI] != a.Digest {
			t.Errorf("%s: the layout has %q, the manifest %q", a.URI, held[a.URI], a.Digest)
		}
	}
	if want := []string{
		"coredns-image", "etcd-image", "kube-apiserver-image", "kube-controller-manager-image",
		"kube-proxy-image", "kube-scheduler-image", "pause-image",
	}; !slices.Equal(published, want) {
		t.Errorf("published %q", published)
	}
	pause, err := rel.Asset("pause-image")
	must(t, err)
	if upstream := held["127.0.0.1:5000/eks-distro/kubernetes/pause:3.10.1"]; upstream != pause.Digest {
		t.Errorf("pause under upstream's tag: %q, want %q", upstream, pause.Digest)
	}
}

func serverArchive(t *testing.T, out string) {
	t.Helper()
	file := filepath.Join(out, "kubernetes-1-99", "releases", "3", "artifacts", "kubernetes", fakeVersion, "kubernetes-server-linux-amd64.tar.gz")
	f, err := os.Open(file)
	must(t, err)
	defer f.Close()
	plain, err := gzip.NewReader(f)
	must(t, err)
	var names []string
	for _, e := range untar(t, plain) {
		if strings.HasSuffix(e.Name, "/") {
			continue
		}
		names = append(names, strings.TrimPrefix(e.Name, "kubernetes/server/bin/"))
		if strings.HasSuffix(e.Name, "kube-proxy.docker_tag") && e.content != fakeVersion+"-eks-1-99-3\n" {
			t.Errorf("tag of kube-proxy: %q", e.content)
		}
	}
	want := slices.Clone(kubernetesPrograms)
	for _, image := range []string{"kube-apiserver", "kube-controller-manager", "kube-proxy", "kube-scheduler"} {
		want = append(want, image+".tar", image+".docker_tag")
	}
	slices.Sort(want)
	slices.Sort(names)
	if !slices.Equal(names, want) {
		t.Errorf("the server archive holds %q", names)
	}
}
