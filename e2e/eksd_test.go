package e2e

import (
	"errors"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/remote"

	"github.com/qualify-dev/qualify/internal/release"
	"github.com/qualify-dev/qualify/internal/result"
)

// server is a server on loopback that remembers what it was asked for.
type server struct {
	*httptest.Server
	mu    sync.Mutex
	asked []string
}

func serve(t *testing.T, handler http.Handler) *server {
	t.Helper()
	s := &server{}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodGet {
			s.mu.Lock()
			s.asked = append(s.asked, r.URL.Path)
			s.mu.Unlock()
		}
		handler.ServeHTTP(w, r)
	}))
	t.Cleanup(s.Close)
	return s
}

func (s *server) host() string { return strings.TrimPrefix(s.URL, "http://") }

// forget returns what was asked for so far, and begins anew.
func (s *server) forget() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	asked := s.asked
	s.asked = nil
	return asked
}

// TestEKSDistroRelease qualifies a release as EKS Distro publishes them: its
// files are on a file server, its images in a registry, and nothing of it is
// where the program looks but the manifest.
func TestEKSDistroRelease(t *testing.T) {
	ownCache(t)
	dir := t.TempDir()
	files := serve(t, http.FileServer(http.Dir(dir)))
	images := serve(t, registry.New(registry.Logger(log.New(io.Discard, "", 0))))
	out, err := exec.Command(program(t), "release", "build", "--k8s", k8s, "--layout", "eks-d", "--out", dir,
		"--base-url", files.URL, "--registry", images.host()+"/eks-distro").Output()
	if err != nil {
		t.Fatal(err)
	}
	built := strings.TrimSpace(string(out))
	publish(t, filepath.Join(filepath.Dir(built), "images"))
	manifest := filepath.Join(t.TempDir(), filepath.Base(built))
	if err := os.Rename(built, manifest); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(manifest)
	if err != nil {
		t.Fatal(err)
	}
	rel, err := release.Parse(manifest, data, release.Options{Strict: true})
	if err != nil {
		t.Fatal(err)
	}
	images.forget()

	p := start(t, "--os", "debian-12", "--release", manifest, "--suite", "smoke")
	e := p.await(result.SuiteStarted, runLimit)
	controlPlane := docker(t, "ps", "--filter", "label=dev.qualify.cell="+e.Cell, "--filter", "name=control-plane", "--format", "{{.Names}}")
	removesNodeImage(t, controlPlane)
	nodes := docker(t, "exec", controlPlane, "kubectl", "--kubeconfig=/etc/kubernetes/admin.conf", "get", "nodes", "--no-headers")
	t.Logf("kubectl get nodes:\n%s", nodes)
	for _, line := range strings.Split(nodes, "\n") {
		if !strings.HasSuffix(strings.TrimSpace(line), k8s+"-eks-1-34-1") {
			t.Errorf("a node of another version: %s", line)
		}
	}
	tags := docker(t, "exec", controlPlane, "ctr", "-n", "k8s.io", "images", "ls", "-q")
	for _, tag := range []string{"/kubernetes/pause:" + k8s + "-eks-1-34-1", "/kubernetes/pause:3.10.1"} {
		if !strings.Contains(tags, images.host()+"/eks-distro"+tag) {
			t.Errorf("the node has no %s: %s", tag, tags)
		}
	}
	if code := p.wait(); code != 0 {
		t.Fatalf("exit code %d, want 0", code)
	}
	p.nothingLeft()
	doc := p.verdict()
	if doc.Verdict != result.Qualified || doc.Cells[0].Identity.Checked < 20 || len(doc.Cells[0].Identity.Mismatched) != 0 {
		t.Errorf("verdict: %+v", doc)
	}
	if s := doc.Cells[0].Suites[0]; s.Passed != s.Expected || s.Expected == 0 {
		t.Errorf("suite %+v", s)
	}
	t.Logf("identity: %d compared; smoke: %d passed", doc.Cells[0].Identity.Checked, doc.Cells[0].Suites[0].Passed)
	fetchedByDigest(t, rel, files.forget(), images.forget())
}

// publish fills the registry from the OCI layout, which is then taken away.
func publish(t *testing.T, dir string) {
	t.Helper()
	all, err := layout.ImageIndexFromPath(dir)
	if err != nil {
		t.Fatal(err)
	}
	list, err := all.IndexManifest()
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range list.Manifests {
		ref, err := name.NewTag(d.Annotations["org.opencontainers.image.ref.name"])
		if err != nil {
			t.Fatal(err)
		}
		index, err := all.ImageIndex(d.Digest)
		if err != nil {
			t.Fatal(err)
		}
		if err := remote.WriteIndex(ref, index); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
}

// ownCache gives the program a cache of its own, which has of the machine's what
// took long to compile and to install. The files of releases it has to fetch;
// and a release that is served on a port of today is of no use to anybody else.
func ownCache(t *testing.T) {
	t.Helper()
	out, err := exec.Command("go", "env", "GOCACHE").Output()
	if err != nil {
		t.Fatal(err)
	}
	base, err := os.UserCacheDir()
	if err != nil {
		t.Fatal(err)
	}
	own := t.TempDir()
	for _, name := range []string{"compiled", "rootfs"} {
		shared := filepath.Join(base, "qualify", name)
		link := filepath.Join(own, "qualify", name)
		if err := errors.Join(os.MkdirAll(shared, 0o755), os.MkdirAll(filepath.Dir(link), 0o755), os.Symlink(shared, link)); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("GOCACHE", strings.TrimSpace(string(out)))
	t.Setenv("XDG_CACHE_HOME", own)
}

// removesNodeImage removes the image that a cell's nodes are of, when the test
// ends: nobody asks for that release again, since its registry's port is gone.
// A cell's own image differs from it by labels, and is gone with the cell.
func removesNodeImage(t *testing.T, node string) {
	t.Helper()
	image := docker(t, "image", "inspect", "--format", "{{.Parent}}", docker(t, "inspect", "--format", "{{.Image}}", node))
	t.Cleanup(func() { docker(t, "rmi", image) })
}

var blobPath = regexp.MustCompile(`/(manifests|blobs)/sha256:[0-9a-f]{64}$`)

// fetchedByDigest looks at what was fetched: the programs and the plugins from
// the file server, every image that runs from the registry, and never by a tag.
func fetchedByDigest(t *testing.T, rel *release.Release, files, images []string) {
	t.Helper()
	for _, asset := range []string{"bin/linux/amd64/kubelet", "bin/linux/amd64/kubeadm", "bin/linux/amd64/kubectl"} {
		if !slices.ContainsFunc(files, func(path string) bool { return strings.HasSuffix(path, "/"+asset) }) {
			t.Errorf("%s was not fetched: %q", asset, files)
		}
	}
	for _, path := range images {
		if path != "/v2/" && !blobPath.MatchString(path) {
			t.Errorf("the registry was asked for %s, which is no digest", path)
		}
	}
	pulled := 0
	for _, a := range rel.Images() {
		if a.Component == "kubernetes-test" {
			continue
		}
		pulled++
		if !slices.ContainsFunc(images, func(path string) bool { return strings.HasSuffix(path, "/manifests/"+a.Digest) }) {
			t.Errorf("%s was not pulled by its digest: %q", a.URI, images)
		}
	}
	if pulled != 7 {
		t.Errorf("%d images, want 7", pulled)
	}
	t.Logf("%d requests to the file server, %d to the registry", len(files), len(images))
}
