package testimages

import (
	"context"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/qualify-dev/qualify/internal/cache"
)

// binary is a test binary that answers with a text.
func binary(t *testing.T, script string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "e2e.test")
	if err := os.WriteFile(file, []byte("#!/bin/sh\n"+script+"\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	return file
}

func TestAsk(t *testing.T) {
	for _, c := range []struct{ name, script, want string }{
		{"two images", `test "$*" = --list-images && echo registry.example/a:1 && echo registry.example:5000/b:2`, ""},
		{"one that fails", "echo registry.example/a:1; exit 1", "exit status 1"},
		{"one that names none", "true", "names none"},
		{"chatter", "echo hello", "is no reference"},
		{"a port and no tag", "echo registry.example:5000/b", "is no reference"},
		{"a flood", "head -c 9999 /dev/zero | tr '\\0' a; echo :1", "is no reference"},
		{"the user's own registries", `test -z "$KUBE_TEST_REPO_LIST$KUBE_TEST_REPO" && echo registry.example/a:1 && echo registry.example:5000/b:2`, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Setenv("KUBE_TEST_REPO_LIST", "mine.yaml")
			got, err := Ask(context.Background(), binary(t, c.script))
			if c.want != "" {
				if err == nil || !strings.Contains(err.Error(), c.want) {
					t.Errorf("%v, want %q", err, c.want)
				}
			} else if err != nil || !slices.Equal(got, []string{"registry.example/a:1", "registry.example:5000/b:2"}) {
				t.Errorf("%q, %v", got, err)
			}
		})
	}
}

// What the binary leaves where temporary files go is removed.
func TestAskLeavesNoTemporaryFile(t *testing.T) {
	own := t.TempDir()
	t.Setenv("TMPDIR", own)
	if got, err := Ask(context.Background(), binary(t, `echo > $TMPDIR/left && test -f $TMPDIR/left && echo registry.example/a:1`)); err != nil || len(got) != 1 {
		t.Errorf("%q, %v", got, err)
	}
	if left, err := os.ReadDir(own); err != nil || len(left) > 0 {
		t.Errorf("left: %v, %v", left, err)
	}
}

func TestBuildRefusesASetOfNothing(t *testing.T) {
	_, err := Build(context.Background(), Options{
		Kubernetes: "v1.34.4", Refs: []string{"registry.k8s.io/pause:3.10.1"}, Cache: cache.Cache{Dir: t.TempDir()},
	})
	if err == nil || !strings.Contains(err.Error(), "none that is made") {
		t.Error(err)
	}
}

func TestAnswers(t *testing.T) {
	for status, want := range map[int]bool{200: true, 401: true, 403: false, 404: false, 502: false} {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(status) }))
		if got := answers(context.Background(), server.URL); got != want {
			t.Errorf("%d: %v", status, got)
		}
		server.Close()
		if answers(context.Background(), server.URL) {
			t.Error("nobody answers")
		}
	}
}

func TestRepoList(t *testing.T) {
	refs := []string{"registry.k8s.io/e2e-test-images/httpd:2.4.38-4", "registry.k8s.io/etcd:3.6.4-0"}
	mirrored := func(ref string) string { return strings.Replace(ref, "registry.k8s.io", "moon.example:5000/tests", 1) }
	got, err := RepoList(refs, mirrored)
	const want = `gcEtcdRegistry: moon.example:5000/tests
gcRegistry: moon.example:5000/tests
promoterE2eRegistry: moon.example:5000/tests/e2e-test-images
`
	if err != nil || string(got) != want {
		t.Errorf("%v\n%s", err, got)
	}
	if got, err := RepoList([]string{"docker.io/library/moon:1"}, mirrored); err == nil {
		t.Errorf("a list of nothing: %s", got)
	}
	all := append(refs, "gcr.io/k8s-authenticated-test/agnhost:2.6", "invalid.registry.k8s.io/invalid/alpine:3.1")
	if got := Mirrorable(all); !slices.Equal(got, refs) {
		t.Errorf("mirrored %q", got)
	}
}
