package source

import (
	"errors"
	"slices"
	"testing"
)

// A release does without etcdctl where the module proxy does not serve its
// version, says so, and lists none.
func TestWithoutEtcdctl(t *testing.T) {
	serve(t, fakeEtcd)
	b := newBuilder(t, fakeVersion)
	b.wanted = imageRefs{byName: map[string]string{"etcd": "registry.example/etcd:3.6.5-0"}}
	if err := buildEtcd(t.Context(), b); err != nil {
		t.Fatal(err)
	}
	if b.programs["etcd"] == "" || b.programs["etcdctl"] != "" || b.step.without == "" {
		t.Errorf("programs %v, without %q", b.programs, b.step.without)
	}
	b.userland, b.filters = fakeUserland(t), fakeUserland(t)
	parts, err := b.components(t.TempDir())
	must(t, err)
	for _, part := range parts {
		if part.name != "etcd" {
			continue
		}
		if got := part.tarballs[0].programs; !slices.Equal(got, []string{"etcd"}) {
			t.Errorf("the archive has %v", got)
		}
		if got := part.images[0].files; len(got) != 1 {
			t.Errorf("the image has %v", got)
		}
	}
}

// A proxy that cannot be reached has not said that it has no etcdctl.
func TestEtcdctlUnknown(t *testing.T) {
	serve(t, fakeEtcd)
	b := newBuilder(t, fakeVersion)
	b.wanted = imageRefs{byName: map[string]string{"etcd": "registry.example/etcd:3.6.5-0"}}
	must(t, buildEtcd(t.Context(), b))
	t.Setenv("GOPROXY", "http://127.0.0.1:1")
	if err := buildEtcd(t.Context(), b); err == nil || errors.Is(err, errNotServed) {
		t.Errorf("error %v", err)
	}
}

func TestRefusal(t *testing.T) {
	for text, want := range map[string]bool{
		"reading https://proxy.example/m/@v/v1.0.0.info: 403 Forbidden\n\tserver response: This module version is not available.": true,
		"reading https://proxy.example/m/@v/v1.0.0.info: 404 Not Found":                                                           true,
		"reading https://proxy.example/m/@v/v1.0.0.zip: 410 Gone":                                                                 true,
		"reading https://proxy.example/m/@v/v1.0.0.info: 502 Bad Gateway":                                                         false,
		"dial tcp: lookup proxy.example: no such host":                                                                            false,
		"context deadline exceeded":                                                                                               false,
		"checksum mismatch, want 404":                                                                                             false,
	} {
		if got := errors.Is(fetchError("m", "v1.0.0", errors.New(text)), errNotServed); got != want {
			t.Errorf("%q: refused %v", text, got)
		}
	}
}
