package metal

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/qualify-dev/qualify/internal/release"
)

// lacking is the sham release with a change of the asset of one name.
func (f *fleetOfShams) lacking(change func(*release.Asset) bool) {
	other := *f.rel
	c := f.rel.Components[0]
	c.Assets = slices.Clone(c.Assets)
	for i := range c.Assets {
		if change(&c.Assets[i]) {
			c.Assets[i].Digest = ""
		}
	}
	other.Components = []release.Component{c}
	f.rel = &other
}

func (f *fleetOfShams) images(t *testing.T, i int) string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(f.hosts[i].root, home, "containerd/images"))
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// An image that is in a registry, and of which the release has no file, is
// pulled and comes to the hosts; so does one that nothing binds, where that is
// allowed, and not where it is not.
func TestImagesFromRegistries(t *testing.T) {
	for _, allowed := range []bool{true, false} {
		f := newShams(t, 2)
		archive, _ := ociArchive(t, "registry.example/coredns:v1")
		pulled := 0
		f.cfg.Store.AllowUnbound = allowed
		f.cfg.Store.Pull = func(_ context.Context, _ *release.Release, a release.Asset, _, file string) error {
			pulled++
			if a.Name != "coredns-image" {
				t.Errorf("pulled %s", a.Name)
			}
			return os.WriteFile(file, archive, 0o644)
		}
		f.lacking(func(a *release.Asset) bool { return a.Name == "coredns-image" })
		before := f.files(t)
		lease := testLease("q-images")
		_, err := f.instance(t).Up(soon(t), lease, f.spec(t.TempDir()))
		var unbound *release.UnboundError
		if allowed && (err != nil || pulled == 0) || !allowed && (!errors.As(err, &unbound) || pulled > 0) {
			t.Errorf("allowed %v: %v, pulled %d times", allowed, err, pulled)
		}
		if allowed && !strings.Contains(f.images(t, 1), "registry.example/coredns:v1 type sha256:") {
			t.Errorf("host h1 has the images\n%s", f.images(t, 1))
		}
		if err := f.instance(t).Down(soon(t), lease); err != nil {
			t.Errorf("down: %v", err)
		}
		f.unchanged(t, before)
	}
}

// Of a release's images a host gets those that it runs, and what is beside the
// release goes to all.
func TestNeededImages(t *testing.T) {
	rel := shamRelease(t)
	rel.Components = append(rel.Components, release.Component{Name: "external-provisioner", Assets: []release.Asset{{Component: "external-provisioner", Name: "external-provisioner-image", Type: release.Image, URI: "x/y:v1"}}})
	beside := &release.Release{Name: "tests", Components: []release.Component{{Name: "kubernetes-test", Assets: []release.Asset{{Component: "kubernetes-test", Name: "agnhost-image", Type: release.Image, URI: "x/agnhost:v1"}}}}}
	p := preparer{rel: rel, parts: []*release.Release{beside}}
	names := func(role string) string {
		var all []string
		for _, image := range p.needed(role) {
			all = append(all, strings.TrimSuffix(image.Name, "-image"))
		}
		slices.Sort(all)
		return strings.Join(all, " ")
	}
	if got := names("worker"); got != "agnhost coredns kube-proxy pause" {
		t.Errorf("a worker needs %s", got)
	}
	if got := names("control-plane"); got != "agnhost coredns etcd kube-apiserver kube-controller-manager kube-proxy kube-scheduler pause" {
		t.Errorf("a control plane needs %s", got)
	}
}

// A file is named by its digest, or its digest is found out, once.
func TestDigests(t *testing.T) {
	d := &digests{}
	named := strings.Repeat("a", 64)
	if got, err := d.of("/store/sha256/" + named); err != nil || got != named {
		t.Errorf("%s, %v", got, err)
	}
	file := filepath.Join(t.TempDir(), named+".tar")
	write(t, file, "")
	for range 2 {
		if got, err := d.of(file); err != nil || got != "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855" {
			t.Errorf("%s, %v", got, err)
		}
		write(t, file, "changed, and nobody looks")
	}
	if _, err := d.of(filepath.Join(t.TempDir(), "none")); err == nil {
		t.Error("a file that is not there")
	}
}
