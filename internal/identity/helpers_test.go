package identity

import (
	"archive/tar"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/qualify-dev/qualify/internal/cluster"
	"github.com/qualify-dev/qualify/internal/release"
)

// candidate is a small release with its files: two binaries and two images,
// each image with its archive.
type candidate struct {
	rel   *release.Release
	files map[string]string // path by asset name
	// digests by the image's name
	manifest, config map[string]string
}

const (
	apiServer = "registry.example/kube-apiserver:v1.34.4"
	coreDNS   = "registry.example/coredns/coredns:v1.12.1"
)

func sumOf(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:])
}

func newCandidate(t *testing.T) *candidate {
	t.Helper()
	c := &candidate{files: map[string]string{}, manifest: map[string]string{}, config: map[string]string{}}
	kubernetes := release.Component{Name: "kubernetes", GitTag: "v1.34.4"}
	for _, name := range []string{"kubelet", "kubeadm"} {
		kubernetes.Assets = append(kubernetes.Assets, release.Asset{
			Component: "kubernetes", Name: "bin/linux/amd64/" + name, Type: release.Archive, SHA256: sumOf(name),
		})
	}
	for name, ref := range map[string]string{"kube-apiserver": apiServer, "coredns": coreDNS} {
		archive := "bin/linux/amd64/" + name + ".tar"
		c.files[archive] = filepath.Join(t.TempDir(), name+".tar")
		c.config[name] = "sha256:" + sumOf("configuration of "+name)
		c.manifest[name] = writeArchive(t, c.files[archive], c.config[name])
		kubernetes.Assets = append(kubernetes.Assets,
			release.Asset{Component: "kubernetes", Name: archive, Type: release.Archive, SHA256: sumOf(archive)},
			release.Asset{Component: "kubernetes", Name: name + "-image", Type: release.Image, URI: ref, Digest: c.manifest[name]},
		)
	}
	c.rel = &release.Release{Name: "candidate", Channel: "1-34", Number: 1, Components: []release.Component{kubernetes}}
	return c
}

// writeArchive writes an OCI archive of one image and returns the digest of
// its manifest. The manifest is not the archive's first entry.
func writeArchive(t *testing.T, file, config string) (manifest string) {
	t.Helper()
	text := fmt.Sprintf(`{"schemaVersion":2,"config":{"digest":%q},"layers":[]}`, config)
	manifest = "sha256:" + sumOf(text)
	var out bytes.Buffer
	w := tar.NewWriter(&out)
	for _, entry := range [][2]string{
		{"oci-layout", `{"imageLayoutVersion":"1.0.0"}`},
		{"index.json", "{}"},
		{"blobs/sha256/" + strings.TrimPrefix(config, "sha256:"), "{}"},
		{"blobs/sha256/" + strings.TrimPrefix(manifest, "sha256:"), text},
	} {
		must(t, w.WriteHeader(&tar.Header{Name: entry[0], Mode: 0o644, Size: int64(len(entry[1]))}))
		_, err := io.WriteString(w, entry[1])
		must(t, err)
	}
	must(t, w.Close())
	must(t, os.WriteFile(file, out.Bytes(), 0o600))
	return manifest
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// without removes an asset from the release.
func (c *candidate) without(asset string) {
	k := &c.rel.Components[0]
	for i, a := range k.Assets {
		if a.Name == asset {
			k.Assets = append(k.Assets[:i:i], k.Assets[i+1:]...)
			return
		}
	}
}

func (c *candidate) prover() Prover {
	return Prover{Arch: "amd64", Settle: time.Millisecond, Image: func(_ context.Context, _ *release.Release, asset, arch string) (string, error) {
		archive := "bin/linux/" + arch + "/" + strings.TrimSuffix(asset, "-image") + ".tar"
		file, ok := c.files[archive]
		if !ok {
			return "", fmt.Errorf("no asset %q", archive)
		}
		return file, nil
	}}
}

// machine is a node that answers the three questions of the prover. What a
// test does not change is as in the release.
type machine struct {
	file    map[string]string // sha256 by program
	process map[string]string
	images  string // the table of ctr
	fail    string // a command that holds this text cannot be run
}

func (c *candidate) machine() *machine {
	m := &machine{
		file:    map[string]string{"kubelet": sumOf("kubelet"), "kubeadm": sumOf("kubeadm")},
		process: map[string]string{"kubelet": sumOf("kubelet")},
		images:  "REF TYPE DIGEST SIZE PLATFORMS LABELS\n",
	}
	for _, a := range c.rel.Images() {
		m.images += a.URI + " application/vnd.oci.image.manifest.v1+json " + a.Digest + " 32.6 MiB linux/amd64 io.cri-containerd.image=managed\n"
	}
	return m
}

func (m *machine) Exec(_ context.Context, cmd cluster.Cmd) (cluster.Output, error) {
	line := strings.Join(cmd.Argv, " ")
	if m.fail != "" && strings.Contains(line, m.fail) {
		return cluster.Output{}, errors.New("the node is gone")
	}
	last := cmd.Argv[len(cmd.Argv)-1]
	switch {
	case strings.HasPrefix(line, "ctr -n k8s.io images ls"):
		return cluster.Output{Stdout: []byte(m.images)}, nil
	case strings.Contains(line, "/proc/"):
		return cluster.Output{Stdout: []byte(m.process[last] + "  -\n")}, nil
	case strings.Contains(line, "sha256sum"):
		return cluster.Output{Stdout: []byte(m.file[last] + "  -\n")}, nil
	}
	return cluster.Output{}, fmt.Errorf("unknown command %s", line)
}

func (m *machine) Put(context.Context, string, fs.FileMode, io.Reader) error {
	return errors.New("comparing changes nothing on a node")
}

func (m *machine) Get(context.Context, string, io.Writer) error {
	return errors.New("comparing fetches nothing from a node")
}

// container is one container of a pod, as its status tells it.
type container struct {
	name, image, id string
	init            bool
}

func pod(name string, containers ...container) corev1.Pod {
	p := corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: "kube-system"}}
	for _, c := range containers {
		spec, status := corev1.Container{Name: c.name, Image: c.image}, corev1.ContainerStatus{Name: c.name, Image: c.image, ImageID: c.id}
		if c.init {
			p.Spec.InitContainers = append(p.Spec.InitContainers, spec)
			p.Status.InitContainerStatuses = append(p.Status.InitContainerStatuses, status)
			continue
		}
		p.Spec.Containers = append(p.Spec.Containers, spec)
		p.Status.ContainerStatuses = append(p.Status.ContainerStatuses, status)
	}
	return p
}

// pods are what a sound cluster of the candidate runs: one image reported by
// its configuration, as containerd does, the other by its manifest.
func (c *candidate) pods() []corev1.Pod {
	return []corev1.Pod{
		pod("kube-apiserver-cp", container{name: "kube-apiserver", image: apiServer, id: c.config["kube-apiserver"]}),
		pod("coredns-1", container{name: "coredns", image: coreDNS, id: "registry.example/coredns/coredns@" + c.manifest["coredns"]}),
	}
}

// serve starts an API server that knows these pods and returns a cluster of
// the machines behind it.
func serve(t *testing.T, pods []corev1.Pod, machines ...*machine) *cluster.Cluster {
	t.Helper()
	return serveWith(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/api/v1/namespaces/kube-system/pods" {
			t.Errorf("the API server was asked for %s", r.URL.Path)
			http.NotFound(w, r)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		list := corev1.PodList{TypeMeta: metav1.TypeMeta{Kind: "PodList", APIVersion: "v1"}, Items: pods}
		if err := json.NewEncoder(w).Encode(list); err != nil {
			t.Error(err)
		}
	}, machines...)
}

func serveWith(t *testing.T, handler http.HandlerFunc, machines ...*machine) *cluster.Cluster {
	t.Helper()
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	c := &cluster.Cluster{Name: "q-1", Kubeconfig: filepath.Join(t.TempDir(), "kubeconfig")}
	must(t, os.WriteFile(c.Kubeconfig, []byte(`apiVersion: v1
kind: Config
clusters: [{name: q, cluster: {server: "`+server.URL+`"}}]
users: [{name: q, user: {}}]
contexts: [{name: q, context: {cluster: q, user: q}}]
current-context: q
`), 0o600))
	for i, m := range machines {
		c.Nodes = append(c.Nodes, cluster.Node{Name: fmt.Sprintf("node-%d", i+1), Role: cluster.Worker, Transport: m})
	}
	return c
}
