package source

import (
	"errors"
	"io/fs"
	"net/url"
	"path/filepath"
	"strings"
	"testing"

	"github.com/qualify-dev/qualify/internal/release"
)

func TestFileURI(t *testing.T) {
	for file, want := range map[string]string{
		"/a/b":          "file:///a/b",
		"/a b/c":        "file:///a%20b/c",
		"/100%/x":       "file:///100%25/x",
		"/a?b#c":        "file:///a%3Fb%23c",
		"/ünïcode/x":    "file:///%C3%BCn%C3%AFcode/x",
		"/v1.2.3+k3s/x": "file:///v1.2.3+k3s/x",
	} {
		got := release.FileURI(file)
		back, err := url.Parse(got)
		if err != nil || got != want || back.Path != file {
			t.Errorf("%s: got %s, %v; want %s", file, got, err, want)
		}
	}
}

func TestChannelOf(t *testing.T) {
	for version, want := range map[string]string{"v1.34.4": "1-34", "v1.9.10": "1-9"} {
		if got := channelOf(version); got != want {
			t.Errorf("%s: got %s, want %s", version, got, want)
		}
	}
}

func TestDigests(t *testing.T) {
	got, err := digests(write(t, filepath.Join(t.TempDir(), "x"), "abc", 0o644))
	want := sums{
		"ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
		"ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f",
	}
	if err != nil || got != want {
		t.Errorf("got %v, %v", got, err)
	}
	if _, err := digests(filepath.Join(t.TempDir(), "absent")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("absent: %v", err)
	}
	if _, err := digests(t.TempDir()); err == nil {
		t.Error("a directory has digests")
	}
}

// packed is a release of one file and one image in dir, at some URI.
func packed(t *testing.T, dir, uri string) {
	t.Helper()
	sum, err := digests(write(t, filepath.Join(dir, "artifacts", "kubelet"), "kubelet", 0o600))
	must(t, err)
	must(t, writeManifest(filepath.Join(dir, "x.yaml"), &release.Release{
		Name: "kubernetes-x", Channel: "1-34", Number: 1, Date: fakeTime,
		Components: []release.Component{{Name: "kubernetes", GitTag: "v1.34.4", Assets: []release.Asset{
			{Component: "kubernetes", Name: "kubelet", Type: release.Archive, OS: "linux", Arch: []string{"amd64"}, URI: uri, SHA256: sum.sha256, SHA512: sum.sha512},
			{Component: "kubernetes", Name: "x-image", Type: release.Image, OS: "linux", Arch: []string{"amd64"}, URI: "registry.example/x:v1", Digest: "sha256:" + sum.sha256},
		}}},
	}))
}

func TestCopyRelease(t *testing.T) {
	from, to := filepath.Join(t.TempDir(), "from here"), filepath.Join(t.TempDir(), "to there")
	packed(t, from, release.FileURI(filepath.Join(from, "artifacts", "kubelet")))
	must(t, copyRelease(from, to, "x.yaml", ""))
	rel := parseRelease(t, filepath.Join(to, "x.yaml"))
	kubelet, err := rel.Asset("kubelet")
	must(t, err)
	if want := release.FileURI(filepath.Join(to, "artifacts", "kubelet")); kubelet.URI != want {
		t.Errorf("moved to %s, want %s", kubelet.URI, want)
	}
	if got := read(t, filepath.Join(to, "artifacts", "kubelet")); got != "kubelet" {
		t.Errorf("copied %q", got)
	}
	image, err := rel.Asset("x-image")
	must(t, err)
	if image.URI != "registry.example/x:v1" || rel.Digest() != parseRelease(t, filepath.Join(from, "x.yaml")).Digest() {
		t.Errorf("the copy is another release, its image at %s", image.URI)
	}
}

// What lies outside of the release is neither read nor written.
func TestCopyReleaseRefuses(t *testing.T) {
	for _, place := range []string{"../outside", "/../../outside", "artifacts/../../outside", "", "%2e%2e/outside"} {
		base := t.TempDir()
		from, to := filepath.Join(base, "a", "from"), filepath.Join(base, "b", "to")
		write(t, filepath.Join(base, "a", "outside"), "secret", 0o600)
		packed(t, from, "file://"+from+"/"+place)
		if err := copyRelease(from, to, "x.yaml", ""); err == nil || !strings.Contains(err.Error(), "not below its release") {
			t.Errorf("%q: %v", place, err)
		}
		if left, err := filepath.Glob(filepath.Join(base, "b", "*", "*")); err != nil || len(left) > 0 {
			t.Errorf("%q: left %q, %v", place, left, err)
		}
	}
	from, to := t.TempDir(), t.TempDir()
	for _, uri := range []string{"file://" + from + "-2/kubelet", "https://host.example" + from + "/artifacts/kubelet", "file:///etc/hostname"} {
		packed(t, from, uri)
		if err := copyRelease(from, to, "x.yaml", ""); err == nil || !strings.Contains(err.Error(), "not below its release") {
			t.Errorf("%s: %v", uri, err)
		}
	}
	packed(t, from, release.FileURI(filepath.Join(from, "artifacts", "absent")))
	if err := copyRelease(from, to, "x.yaml", ""); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("an absent file: %v", err)
	}
	if err := copyRelease(from, to, "absent.yaml", ""); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("an absent manifest: %v", err)
	}
	write(t, filepath.Join(from, "y.yaml"), "garbage: [", 0o644)
	if err := copyRelease(from, to, "y.yaml", ""); err == nil {
		t.Error("a manifest of garbage is no error")
	}
}

func TestBelow(t *testing.T) {
	for uri, want := range map[string]string{
		"file:///a%20b/c/d": "c/d", "file:///a%20b/c%2525": "c%25", "file:/a%20b/c": "c", "file:///a%20b/c/../d": "c/../d",
		"https:///a%20b/c": "", "/a%20b/c": "", "file://host/a%20b/c": "", "file:///a%20b": "", "file:///a%20b/": "", "file:///a%20bc/d": "",
		"file:///a%20b//c": "", "file:///a%20b/../c": "", "file:///a%20b/%2e%2e/c": "", "file:///a%zz": "", "": "",
	} {
		got, err := below("/a b", release.Asset{Name: "x", URI: uri})
		if got != want || (err == nil) != (want != "") {
			t.Errorf("%s: got %q and %v, want %q", uri, got, err, want)
		}
	}
}

func TestCopyFile(t *testing.T) {
	dir := t.TempDir()
	from, to := write(t, filepath.Join(dir, "from"), "new", 0o600), write(t, filepath.Join(dir, "to"), "longer than new", 0o644)
	must(t, copyFile(from, to, 0o755))
	if got := read(t, to); got != "new" {
		t.Errorf("copied %q", got)
	}
	if err := copyFile(filepath.Join(dir, "absent"), to, 0o755); !errors.Is(err, fs.ErrNotExist) || read(t, to) != "new" {
		t.Errorf("absent: %v, left %q", err, read(t, to))
	}
	if err := copyFile(from, dir, 0o755); err == nil {
		t.Error("copied over a directory")
	}
}
