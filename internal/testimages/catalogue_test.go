package testimages

import (
	"regexp"
	"slices"
	"strings"
	"testing"
)

// Every entry says how it is made or why it is not, and what it stands on.
func TestEveryEntryIsComplete(t *testing.T) {
	debian := regexp.MustCompile(`^[a-z0-9][a-z0-9.+-]+$`)
	seen := map[string]bool{}
	for _, e := range catalogue() {
		if e.image == "" || seen[e.image] {
			t.Errorf("%q is named twice, or not at all", e.image)
		}
		seen[e.image] = true
		if (e.how == "") == (e.why == "") {
			t.Errorf("%s says %q of how and %q of why not: one of them is wanted", e.image, e.how, e.why)
		}
		if e.why != "" {
			continue
		}
		if strings.HasSuffix(e.image, "/") {
			t.Errorf("%s is a folder, and is made", e.image)
		}
		if len(e.entrypoint)+len(e.command) == 0 {
			t.Errorf("%s runs nothing", e.image)
		}
		if len(e.debian)+len(e.programs) == 0 && !e.busybox {
			t.Errorf("%s is made of nothing", e.image)
		}
		if (e.module == "") != (e.version == nil) {
			t.Errorf("%s: a module has a version for a tag, and Kubernetes none", e.image)
		}
		for _, p := range e.debian {
			if !debian.MatchString(p) {
				t.Errorf("%s stands on %q, which is no name of a package", e.image, p)
			}
		}
	}
	if all := packages(); !slices.IsSorted(all) || len(slices.Compact(slices.Clone(all))) != len(all) || !slices.Contains(all, "nginx") {
		t.Errorf("packages are %q", all)
	}
}

func TestFind(t *testing.T) {
	for _, c := range []struct{ ref, image string }{
		{"registry.k8s.io/e2e-test-images/httpd:2.4.38-4", "e2e-test-images/httpd"},
		{"mirror.example:5000/moon/e2e-test-images/httpd:2.4.39-4", "e2e-test-images/httpd"},
		{"registry.k8s.io/etcd:3.6.4-0", "etcd"},
		{"registry.k8s.io/sig-storage/csi-attacher:v4.8.0", "sig-storage/"},
		{"registry.k8s.io/e2e-test-images/volume/nfs:1.4", "e2e-test-images/volume/"},
		{"gcr.io/k8s-authenticated-test/agnhost:2.6", "k8s-authenticated-test/"},
		{"invalid.registry.k8s.io/invalid/alpine:3.1", "invalid/"},
		{"registry.k8s.io/e2e-test-images/agnhost:2.56", "e2e-test-images/agnhost"},
		{"registry.k8s.io/not-etcd:1", ""},
		{"registry.k8s.io/e2e-test-images/moon:1", ""},
		{"etcd:1", "etcd"},
		{"", ""},
	} {
		if got, _ := find(c.ref); got.image != c.image {
			t.Errorf("%s is %q, want %q", c.ref, got.image, c.image)
		}
	}
}

func TestList(t *testing.T) {
	const httpd, moon, csi = "registry.k8s.io/e2e-test-images/httpd:2.4.38-4", "registry.k8s.io/moon:1", "registry.k8s.io/sig-storage/csi-attacher:v4.8.0"
	const pause, other = "registry.k8s.io/pause:3.10.1", "registry.k8s.io/pause:3.9"
	for _, l := range List([]string{pause, other}, []string{pause, "registry.k8s.io/etcd:1"}) {
		if want := map[string]string{pause: ofRelease, other: otherTag}[l.Ref]; l.Made || l.How != want {
			t.Errorf("%+v, want %q", l, want)
		}
	}
	got := List([]string{csi, moon, httpd, csi}, nil)
	want := []string{httpd, moon, csi}
	if len(got) != 3 {
		t.Fatalf("listed %v", got)
	}
	for i, l := range got {
		if l.Ref != want[i] || l.Made != (l.Ref == httpd) || l.How == "" {
			t.Errorf("%d is %+v", i, l)
		}
	}
	if got[1].How != unknown {
		t.Errorf("an image that nobody knows: %+v", got[1])
	}
}

func TestEtcdVersion(t *testing.T) {
	if got := etcdVersion("3.6.4-0"); got != "v3.6.4" {
		t.Error(got)
	}
}

// What runs first is in the image.
func TestWhatRunsIsThere(t *testing.T) {
	for _, e := range catalogue() {
		if e.files == nil || e.busybox {
			continue
		}
		files, err := e.files(parts{programs: "programs", kubernetes: "kubernetes"})
		if err != nil {
			t.Fatal(err)
		}
		first := append(slices.Clone(e.entrypoint), e.command...)[0]
		if !strings.HasPrefix(first, "/") {
			continue // found by PATH
		}
		there := false
		for _, f := range files {
			there = there || "/"+f.Path == first
			if strings.HasPrefix(f.Path, "/") {
				t.Errorf("%s has %s: paths in an image begin with no slash", e.image, f.Path)
			}
		}
		if !there {
			t.Errorf("%s runs %s, which it does not have", e.image, first)
		}
	}
}

func TestSetuid(t *testing.T) {
	e, _ := find("registry.k8s.io/e2e-test-images/nonewprivs:1.3")
	files, err := e.files(parts{})
	if err != nil || files[0].Mode&0o4000 == 0 {
		t.Errorf("nonewprivs is not setuid, so that it proves nothing: %+v, %v", files, err)
	}
}
