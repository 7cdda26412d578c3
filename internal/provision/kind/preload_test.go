package kind

import (
	"archive/tar"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/qualify-dev/qualify/internal/cluster"
	"github.com/qualify-dev/qualify/internal/release"
)

// containerd is a node whose containerd takes images, as far as preload asks.
type containerd struct {
	pause    string            // what its kubeadm lists; "" is a kubeadm that is broken
	held     map[string]string // digest by reference
	takes    map[string]string // digest by the content of an archive
	imported []string
}

func (n *containerd) Exec(_ context.Context, cmd cluster.Cmd) (cluster.Output, error) {
	line := strings.Join(cmd.Argv, " ")
	var out strings.Builder
	switch {
	case strings.HasPrefix(line, "sh "):
	case strings.HasPrefix(line, "ctr -n k8s.io images import"):
		data, err := io.ReadAll(cmd.Stdin)
		if err != nil {
			return cluster.Output{}, err
		}
		ref, digest, _ := strings.Cut(n.takes[string(data)], "@")
		n.held[ref] = digest
		n.imported = append(n.imported, ref)
	case strings.HasPrefix(line, "ctr -n k8s.io images tag --force "):
		n.held[cmd.Argv[7]] = n.held[cmd.Argv[6]]
	case strings.HasPrefix(line, "ctr -n k8s.io images ls"):
		for ref, digest := range n.held {
			fmt.Fprintf(&out, "%s application/vnd.oci.image.index.v1+json %s 1 MiB linux/amd64 -\n", ref, digest)
		}
	case line == "kubeadm config images list --image-repository registry.example/kubernetes --kubernetes-version v1.34.4-eks-1-34-7":
		if n.pause == "" {
			return cluster.Output{}, &cluster.ExitError{Code: 1}
		}
		fmt.Fprintf(&out, "registry.example/kubernetes/kube-apiserver:x\n%s\n", n.pause)
	default:
		return cluster.Output{}, fmt.Errorf("unknown command %s", line)
	}
	return cluster.Output{Stdout: []byte(out.String())}, nil
}

func (*containerd) Put(context.Context, string, fs.FileMode, io.Reader) error {
	return errors.New("preloading puts no files")
}

func (*containerd) Get(context.Context, string, io.Writer) error {
	return errors.New("preloading fetches no files")
}

// eksLayout is the layout of a release whose images are in a registry, and a
// node that takes them.
func eksLayout(t *testing.T) (*nodeLayout, *containerd) {
	t.Helper()
	const tag = ":v1.34.4-eks-1-34-7"
	rel := &release.Release{Name: "kubernetes-1-34-eks-7", Channel: "1-34", Number: 7, Components: []release.Component{
		{Name: "kubernetes", GitTag: "v1.34.4", Assets: []release.Asset{
			eksImage("kubernetes", "kube-apiserver", "registry.example/kubernetes/kube-apiserver"+tag),
			eksImage("kubernetes", "pause", "registry.example/kubernetes/pause"+tag),
		}},
		{Name: "livenessprobe", GitTag: "v2.16.0", Assets: []release.Asset{eksImage("livenessprobe", "livenessprobe", "registry.example/csi/livenessprobe:v2")}},
	}}
	n := &containerd{pause: "registry.example/kubernetes/pause:3.10.1", held: map[string]string{}, takes: map[string]string{}}
	store := &release.Store{Dir: t.TempDir(), Pull: func(_ context.Context, _ *release.Release, a release.Asset, _, file string) error {
		data := archiveOf(t, a.Name)
		n.takes[string(data)] = a.URI + "@" + a.Digest
		return os.WriteFile(file, data, 0o600)
	}}
	return &nodeLayout{rel: rel, store: store}, n
}

func eksImage(component, name, ref string) release.Asset {
	_, digest := manifestOf(name + "-image")
	return release.Asset{Component: component, Name: name + "-image", Type: release.Image, URI: ref, Digest: digest}
}

func TestPreload(t *testing.T) {
	l, n := eksLayout(t)
	if err := l.preload(t.Context(), n); err != nil {
		t.Fatal(err)
	}
	slices.Sort(n.imported)
	if want := []string{"registry.example/kubernetes/kube-apiserver:v1.34.4-eks-1-34-7", "registry.example/kubernetes/pause:v1.34.4-eks-1-34-7"}; !slices.Equal(n.imported, want) {
		t.Errorf("imported %q, want %q", n.imported, want)
	}
	pause, err := l.rel.Asset("pause-image")
	if err != nil {
		t.Fatal(err)
	}
	if got := n.held["registry.example/kubernetes/pause:3.10.1"]; got != pause.Digest {
		t.Errorf("pause under upstream's tag: %q, want %q", got, pause.Digest)
	}
}

// Images of what is given beside the release are on the node too, and proven.
func TestPreloadOfParts(t *testing.T) {
	const ref = "registry.example/e2e-test-images/httpd:2.4.38-4"
	l, n := eksLayout(t)
	l.parts = []*release.Release{{Name: "test-images-v1.34.4", Components: []release.Component{
		{Name: "test-images", GitTag: "v1.34.4", Assets: []release.Asset{eksImage("test-images", "httpd-2.4.38-4", ref)}},
	}}}
	if err := l.preload(t.Context(), n); err != nil {
		t.Fatal(err)
	}
	if len(n.imported) != 3 || n.held[ref] != l.parts[0].Images()[0].Digest {
		t.Errorf("imported %q, holds %v", n.imported, n.held)
	}
	l, n = eksLayout(t)
	l.parts = []*release.Release{{Components: []release.Component{{Assets: []release.Asset{eksImage("test-images", "httpd-2.4.38-4", ref)}}}}}
	inner := l.store.Pull
	l.store.Pull = func(ctx context.Context, r *release.Release, a release.Asset, arch, file string) error {
		err := inner(ctx, r, a, arch, file)
		if a.URI == ref { // the node keeps another under its name
			data, _ := os.ReadFile(file)
			n.takes[string(data)] = ref + "@sha256:" + strings.Repeat("0", 64)
		}
		return err
	}
	if err := l.preload(t.Context(), n); err == nil || !strings.Contains(err.Error(), ref+" on the node has digest") {
		t.Errorf("error %v", err)
	}
}

func TestPreloadOfOtherImages(t *testing.T) {
	l, n := eksLayout(t)
	n.held["registry.example/kubernetes/pause:v1.34.4-eks-1-34-7"] = "sha256:" + strings.Repeat("0", 64)
	inner := l.store.Pull
	l.store.Pull = func(ctx context.Context, r *release.Release, a release.Asset, arch, file string) error {
		err := inner(ctx, r, a, arch, file)
		if a.Name == "pause-image" { // it holds the image, and calls it something else
			data, _ := os.ReadFile(file)
			n.takes[string(data)] = "registry.example/other:1@" + a.Digest
		}
		return err
	}
	if err := l.preload(t.Context(), n); err == nil || !strings.Contains(err.Error(), "pause:v1.34.4-eks-1-34-7 on the node has digest") {
		t.Errorf("error %v", err)
	}
}

// An image without a digest is on the node, or the node is not the release.
func TestPreloadWithoutDigests(t *testing.T) {
	for _, lost := range []bool{false, true} {
		l, n := eksLayout(t)
		l.store.AllowUnbound = true
		inner := l.store.Pull
		l.store.Pull = func(ctx context.Context, r *release.Release, a release.Asset, arch, file string) error {
			if a.Digest != "" {
				return inner(ctx, r, a, arch, file)
			}
			_, digest := manifestOf(a.Name)
			var b bytes.Buffer
			w := tar.NewWriter(&b)
			index := fmt.Sprintf(`{"manifests":[{"digest":%q}]}`, digest)
			err := errors.Join(w.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: "index.json", Size: int64(len(index)), Mode: 0o644}))
			_, writeErr := io.WriteString(w, index)
			data := append(b.Bytes(), make([]byte, 512-len(index))...)
			data = append(data, archiveOf(t, a.Name)...)
			if !lost {
				n.takes[string(data)] = a.URI + "@" + digest
			}
			return errors.Join(err, writeErr, os.WriteFile(file, data, 0o600))
		}
		for i := range l.rel.Components[0].Assets {
			l.rel.Components[0].Assets[i].Digest = ""
		}
		err := l.preload(t.Context(), n)
		if (err != nil) != lost || err != nil && !strings.Contains(err.Error(), "on the node has digest") {
			t.Errorf("lost %v: %v", lost, err)
		}
	}
}

// A kubeadm that does not work is for the cluster's making to find out: there
// the release is blamed for it.
func TestPreloadWithABrokenKubeadm(t *testing.T) {
	l, n := eksLayout(t)
	n.pause = ""
	if err := l.preload(t.Context(), n); err != nil {
		t.Error(err)
	}
}

func TestPreloadWithoutImages(t *testing.T) {
	l, n := eksLayout(t)
	l.store.Pull = func(context.Context, *release.Release, release.Asset, string, string) error {
		return errors.New("the registry is gone")
	}
	if err := l.preload(t.Context(), n); err == nil || !strings.Contains(err.Error(), "the registry is gone") {
		t.Errorf("error %v", err)
	}
}

// Texts of licences are in all archives of EKS Distro.
func TestLicencesAreNoPlugins(t *testing.T) {
	for name, want := range map[string]bool{
		"ATTRIBUTION.txt": true, "LICENSES/github.com/x/LICENSE": true, "LICENSES": false, "ptp": false, "../LICENSES/x": false, filepath.Join("a", "ATTRIBUTION.txt"): false,
	} {
		if legal(name) != want {
			t.Errorf("%s: %v", name, !want)
		}
	}
}

// manifestOf is the manifest of an image of nothing, and its digest.
func manifestOf(name string) (text, digest string) {
	text = fmt.Sprintf(`{"schemaVersion":2,"config":{"digest":%q},"layers":[],"annotations":{"name":%q}}`, digestOf("{}"), name)
	return text, digestOf(text)
}

func digestOf(text string) string {
	sum := sha256.Sum256([]byte(text))
	return "sha256:" + hex.EncodeToString(sum[:])
}

func archiveOf(t *testing.T, name string) []byte {
	t.Helper()
	text, digest := manifestOf(name)
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for hash, content := range map[string]string{digest: text, digestOf("{}"): "{}"} {
		err := w.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: "blobs/" + strings.Replace(hash, ":", "/", 1), Size: int64(len(content)), Mode: 0o644})
		if _, writeErr := io.WriteString(w, content); err != nil || writeErr != nil {
			t.Fatal(err, writeErr)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}
