package remote

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/qualify-dev/qualify/internal/release"
)

// manifest is a small release that is published as 1-34-21.
const manifest = `apiVersion: distro.eks.amazonaws.com/v1alpha1
kind: Release
metadata:
  name: kubernetes-1-34-eks-21
spec:
  channel: 1-34
  number: 21
status:
  components:
  - assets:
    - arch: [amd64]
      archive:
        sha256: 2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae
        uri: https://example.org/kubelet
      name: bin/linux/amd64/kubelet
      os: linux
      type: Archive
    gitTag: v1.34.4
    name: kubernetes
  date: "2026-07-27T00:00:00Z"
`

const channel = `apiVersion: distro.eks.amazonaws.com/v1alpha1
kind: ReleaseChannel
metadata:
  name: 1-34
spec:
  snsTopicARN: arn:aws:sns:us-east-1:000000000000:x
status:
  active: true
  latestRelease: 21
`

// quick is a client that waits as little as tests want to.
func quick(t *testing.T, base string) *Client {
	t.Helper()
	c, err := New(base)
	if err != nil {
		t.Fatal(err)
	}
	c.pause = time.Millisecond
	return c
}

func serve(t *testing.T, h http.HandlerFunc) string {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return s.URL
}

func published(t *testing.T, files map[string]string) *Client {
	t.Helper()
	return quick(t, serve(t, func(w http.ResponseWriter, r *http.Request) {
		text, ok := files[r.URL.Path]
		if !ok {
			http.NotFound(w, r)
			return
		}
		_, _ = io.WriteString(w, text)
	}))
}

func ref(t *testing.T, text string) release.Ref {
	t.Helper()
	got, err := release.ParseRef(text)
	if err != nil {
		t.Fatal(err)
	}
	return got
}

func TestLoad(t *testing.T) {
	c := published(t, map[string]string{
		"/releasechannels/1-34.yaml": channel, "/kubernetes-1-34/kubernetes-1-34-eks-21.yaml": manifest,
	})
	at := c.base + "/kubernetes-1-34/kubernetes-1-34-eks-21.yaml"
	for _, text := range []string{"eks-d:1-34", "eks-d:1-34-21", at} {
		rel, err := c.Load(context.Background(), ref(t, text), release.Options{Strict: true})
		if err != nil || rel.Name != "kubernetes-1-34-eks-21" || rel.Path != at {
			t.Errorf("%s: %+v, %v", text, rel, err)
		}
	}
	pinned, err := c.Pin(context.Background(), ref(t, "eks-d:1-34"), release.Options{})
	if err != nil || pinned.String() != "eks-d:1-34-21" || c.URL(pinned) != at {
		t.Errorf("the latest is %s, %v", pinned, err)
	}
	file := t.TempDir() + "/release.yaml"
	if err := os.WriteFile(file, []byte(manifest), 0o600); err != nil {
		t.Fatal(err)
	}
	if rel, err := c.Load(context.Background(), ref(t, file), release.Options{}); err != nil || rel.Path != file {
		t.Errorf("a local one: %+v, %v", rel, err)
	}
}

func TestLoadRefuses(t *testing.T) {
	of := func(number, text string) map[string]string {
		return map[string]string{"/releasechannels/1-34.yaml": channel, "/kubernetes-1-34/kubernetes-1-34-eks-" + number + ".yaml": text}
	}
	for name, tc := range map[string]struct {
		files     map[string]string
		ref, want string
	}{
		"absent":            {nil, "eks-d:1-34-21", "kubernetes-1-34-eks-21.yaml is not there (HTTP status 404)"},
		"channel absent":    {nil, "eks-d:1-35", "reading channel 1-35"},
		"number of another": {of("20", manifest), "eks-d:1-34-20", "is release 1-34-21, not 1-34-20"},
		"latest absent":     {of("20", manifest), "eks-d:1-34", "is not there"},
		"other channel":     {map[string]string{"/releasechannels/1-35.yaml": channel}, "eks-d:1-35", "is release 1-34, not 1-35"},
		"a page":            {of("21", "<html>maintenance</html>"), "eks-d:1-34-21", "is not a Release manifest"},
		"empty":             {of("21", ""), "eks-d:1-34-21", "is empty"},
		"cut off":           {of("21", manifest[:300]), "eks-d:1-34-21", "kubernetes-1-34-eks-21.yaml:"},
		"of 100 MB":         {of("21", strings.Repeat("# \n", 35_000_000)), "eks-d:1-34-21", "has more than 8 MiB"},
		"local file":        {of("21", strings.Replace(manifest, "https://example.org/kubelet", "file:///etc/shadow", 1)), "eks-d:1-34-21", "names a local file"},
		"local path":        {of("21", strings.Replace(manifest, "https://example.org/kubelet", "../shadow", 1)), "eks-d:1-34-21", "names a local file"},
	} {
		c := published(t, tc.files)
		rel, err := c.Load(context.Background(), ref(t, tc.ref), release.Options{})
		if err == nil || rel != nil || !strings.Contains(err.Error(), tc.want) || !Fault(err) {
			t.Errorf("%s: got %v, %v; want %q", name, rel, err, tc.want)
		}
	}
}

func TestBaseURL(t *testing.T) {
	for _, bad := range []string{"http://example.org", "ftp://example.org", "example.org", "https://u:p@example.org", "https://example.org/?x=1"} {
		if _, err := New(bad); err == nil || !strings.Contains(err.Error(), "base URL") || strings.Contains(err.Error(), "u:p") {
			t.Errorf("%s: %v", bad, err)
		}
	}
	c, err := New("")
	if err != nil {
		t.Fatal(err)
	}
	if got, want := c.URL(ref(t, "eks-d:1-34-21")), "https://distro.eks.amazonaws.com/kubernetes-1-34/kubernetes-1-34-eks-21.yaml"; got != want {
		t.Errorf("published at %s, want %s", got, want)
	}
	if c, err := New("https://bucket.example.org/dir/"); err != nil || c.URL(ref(t, "eks-d:1-36-1")) != "https://bucket.example.org/dir/kubernetes-1-36/kubernetes-1-36-eks-1.yaml" {
		t.Error(err)
	}
}

// TestServerThatIsNotThere: nothing is known of the release then.
func TestServerThatIsNotThere(t *testing.T) {
	s := httptest.NewServer(http.NotFoundHandler())
	c := quick(t, s.URL)
	s.Close()
	_, err := c.Load(context.Background(), ref(t, "eks-d:1-34-21"), release.Options{})
	if err == nil || Fault(err) || !strings.Contains(err.Error(), "gave up after 5 failures") {
		t.Errorf("got %v", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := c.Load(ctx, ref(t, "eks-d:1-34-21"), release.Options{}); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}
