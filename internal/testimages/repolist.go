package testimages

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// repositories are the keys of the file that KUBE_TEST_REPO_LIST names
// (test/utils/image/manifest.go of Kubernetes), with what they stand for. The
// registries that tests want to be refused by are none of them.
var repositories = []struct{ key, place string }{
	{"buildImageRegistry", "registry.k8s.io/build-image"},
	{"cloudProviderGcpRegistry", "registry.k8s.io/cloud-provider-gcp"},
	{"gcEtcdRegistry", "registry.k8s.io"},
	{"gcRegistry", "registry.k8s.io"},
	{"promoterE2eRegistry", "registry.k8s.io/e2e-test-images"},
	{"sigStorageRegistry", "registry.k8s.io/sig-storage"},
}

// RepoList is the file for KUBE_TEST_REPO_LIST by which test binaries find
// images where mirrored puts them. Repositories of which nothing was mirrored
// are left as they are.
func RepoList(refs []string, mirrored func(ref string) string) ([]byte, error) {
	var text strings.Builder
	for _, r := range repositories {
		if slices.ContainsFunc(refs, func(ref string) bool { return within(ref, r.place) }) {
			fmt.Fprintf(&text, "%s: %s\n", r.key, strings.TrimSuffix(mirrored(r.place+"/"), "/"))
		}
	}
	if text.Len() == 0 {
		return nil, errors.New("none of the mirrored images is of a repository that tests can be told of")
	}
	return []byte(text.String()), nil
}

// within tells whether the image lies in a repository, in the sense of the
// tests: etcd is in registry.k8s.io, httpd is in one below.
func within(ref, place string) bool {
	for _, r := range repositories {
		if len(r.place) > len(place) && strings.HasPrefix(ref, r.place+"/") {
			return false
		}
	}
	return strings.HasPrefix(ref, place+"/")
}

// Mirrorable are the references that a registry can hand out. The others are
// there to be refused.
func Mirrorable(refs []string) []string {
	return slices.DeleteFunc(slices.Sorted(slices.Values(refs)), func(ref string) bool {
		return !slices.ContainsFunc(repositories, func(r struct{ key, place string }) bool { return within(ref, r.place) })
	})
}
