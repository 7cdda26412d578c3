package intake

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/random"
	pushes "github.com/google/go-containerregistry/pkg/v1/remote"

	"github.com/qualify-dev/qualify/internal/release"
	"github.com/qualify-dev/qualify/internal/release/remote"
)

// world is a bucket and a registry with a release in the layout of EKS Distro.
type world struct {
	rel      *release.Release
	files    map[string]string // of the bucket, by path
	host     string            // of both
	requests atomic.Int32
	in       Intake
}

const dir = "/kubernetes-1-34/releases/21/artifacts/kubernetes/v1.34.4/"

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{files: map[string]string{}}
	images := registry.New(registry.Logger(log.New(io.Discard, "", 0)))
	server := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		w.requests.Add(1)
		if strings.HasPrefix(r.URL.Path, "/v2/") {
			images.ServeHTTP(rw, r)
		} else if text, ok := w.files[r.URL.Path]; ok {
			_, _ = io.WriteString(rw, text)
		} else {
			http.NotFound(rw, r)
		}
	}))
	t.Cleanup(server.Close)
	w.host = strings.TrimPrefix(server.URL, "http://")
	c := release.Component{Name: "kubernetes", GitTag: "v1.34.4"}
	for _, name := range []string{"bin/linux/amd64/kubelet", "bin/linux/arm64/kubelet", "kubernetes-server-linux-amd64.tar.gz"} {
		text := "the bytes of " + name
		if strings.HasSuffix(name, ".tar.gz") {
			text = tarball(t, tar.TypeReg)
		}
		h256, h512 := sha256.Sum256([]byte(text)), sha512.Sum512([]byte(text))
		a := release.Asset{
			Component: c.Name, Name: name, Type: release.Archive, OS: "linux", Arch: []string{"amd64"}, URI: server.URL + dir + name,
			SHA256: hex.EncodeToString(h256[:]), SHA512: hex.EncodeToString(h512[:]),
		}
		c.Assets = append(c.Assets, a)
		w.files[dir+name] = text
		w.files[dir+name+".sha256"] = a.SHA256 + "  " + name + "\n"
		w.files[dir+name+".sha512"] = a.SHA512 + "  " + name + "\n"
	}
	list := ""
	for _, a := range c.Assets {
		list += a.SHA256 + "  ./" + a.Name + "\n"
	}
	w.files[dir+"SHA256SUM"] = list
	for _, image := range []string{"pause", "kube-proxy"} {
		uri := w.host + "/eks-distro/kubernetes/" + image + ":v1.34.4-eks-1-34-21"
		c.Assets = append(c.Assets, release.Asset{
			Component: c.Name, Name: image + "-image", Type: release.Image, OS: "linux", Arch: []string{"amd64"}, URI: uri, Digest: push(t, uri),
		})
	}
	w.rel = &release.Release{
		Name: "kubernetes-1-34-eks-21", Channel: "1-34", Number: 21, Date: "2026-07-27T00:00:00Z", Components: []release.Component{c},
	}
	data, err := release.Marshal(w.rel)
	if err != nil {
		t.Fatal(err)
	}
	w.files["/kubernetes-1-34/kubernetes-1-34-eks-21.yaml"] = string(data)
	client, err := remote.New(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	if w.rel, err = client.Load(context.Background(), release.Ref{Kind: release.NumberRef, Value: "1-34-21"}, release.Options{Strict: true}); err != nil {
		t.Fatal(err)
	}
	w.in = Intake{Store: &release.Store{Dir: t.TempDir(), Open: client.Open}, Client: client, Parallel: 4}
	return w
}

// tarball is an archive of one entry.
func tarball(t *testing.T, kind byte) string {
	t.Helper()
	var out bytes.Buffer
	zip := gzip.NewWriter(&out)
	w := tar.NewWriter(zip)
	err := errors.Join(w.WriteHeader(&tar.Header{Typeflag: kind, Name: "kubernetes/LICENSES", Mode: 0o644}), w.Close(), zip.Close())
	if err != nil {
		t.Fatal(err)
	}
	return out.String()
}

func push(t *testing.T, uri string) string {
	t.Helper()
	image, err := random.Image(1000, 1)
	if err == nil {
		image, err = mutate.ConfigFile(image, &v1.ConfigFile{OS: "linux", Architecture: "amd64"})
	}
	if err != nil {
		t.Fatal(err)
	}
	ref, err := name.NewTag(uri)
	if err == nil {
		err = pushes.Write(ref, image)
	}
	if err != nil {
		t.Fatal(err)
	}
	digest, err := image.Digest()
	if err != nil {
		t.Fatal(err)
	}
	return digest.String()
}

// bad is another digest of the same length.
func bad(digest string) string { return strings.Repeat("0", len(digest)) }

func TestVerify(t *testing.T) {
	w := newWorld(t)
	report, err := w.in.Verify(context.Background(), w.rel)
	if err != nil {
		t.Fatal(err)
	}
	if report.Count(Verified) != 5 || report.Digest != w.rel.Digest() || len(report.Failures()) != 0 {
		t.Errorf("%+v", report)
	}
	for _, row := range report.Rows {
		want := 0
		if row.Type == release.Archive {
			want = 2
		}
		if strings.HasPrefix(row.Asset, "kubernetes-") {
			want = 3 // in the list of its directory too
		}
		if row.Siblings != want || row.Bytes == 0 || row.Digest == "" {
			t.Errorf("%s: %d files of checksums agree, want %d; %+v", row.Asset, row.Siblings, want, row)
		}
	}
}

// TestVerifyFinds: what is wrong anywhere, blamed on whom it is the fault of,
// with all others verified.
func TestVerifyFinds(t *testing.T) {
	const kubelet = "bin/linux/amd64/kubelet"
	for name, tc := range map[string]struct {
		edit   func(w *world)
		want   string
		blamed bool
	}{
		"a wrong archive":     {func(w *world) { w.files[dir+kubelet] += "x" }, "wrong bytes", true},
		"no archive":          {func(w *world) { delete(w.files, dir+kubelet) }, "is not there", false},
		"another sha256 file": {func(w *world) { w.files[dir+kubelet+".sha256"] = bad(w.rel.Assets()[0].SHA256) + "  x\n" }, ".sha256 says sha256:0000", true},
		"another sha512 file": {func(w *world) { w.files[dir+kubelet+".sha512"] = bad(w.rel.Assets()[0].SHA512) + "  x\n" }, ".sha512 says sha512:0000", true},
		"sha512 as sha256":    {func(w *world) { w.files[dir+kubelet+".sha256"] = w.files[dir+kubelet+".sha512"] }, "a digest of another kind", true},
		"two digests":         {func(w *world) { w.files[dir+kubelet+".sha256"] += w.files[dir+kubelet+".sha256"] }, "2 digests, not one", true},
		"a page as checksum":  {func(w *world) { w.files[dir+kubelet+".sha256"] = "<html>" }, "want a digest", false},
		"an empty checksum":   {func(w *world) { w.files[dir+kubelet+".sha256"] = "" }, "it is empty", false},
		"another list of a folder": {func(w *world) {
			a, _ := w.rel.Asset("kubernetes-server-linux-amd64.tar.gz")
			w.files[dir+"SHA256SUM"] = bad(a.SHA256) + "  " + a.Name + "\n"
		}, "SHA256SUM says", true},
		"a link in an archive": {func(w *world) {
			for i := range w.rel.Components[0].Assets {
				if a := &w.rel.Components[0].Assets[i]; strings.HasSuffix(a.Name, ".tar.gz") {
					w.files[dir+a.Name] = tarball(t, tar.TypeSymlink)
					h256, h512 := sha256.Sum256([]byte(w.files[dir+a.Name])), sha512.Sum512([]byte(w.files[dir+a.Name]))
					a.SHA256, a.SHA512 = hex.EncodeToString(h256[:]), hex.EncodeToString(h512[:])
					w.files[dir+a.Name+".sha256"], w.files[dir+a.Name+".sha512"], w.files[dir+"SHA256SUM"] = a.SHA256+"  x\n", a.SHA512+"  x\n", a.SHA256+"  x\n"
				}
			}
		}, "only files and folders are unpacked", true},
		"no such image": {func(w *world) {
			for i := range w.rel.Components[0].Assets {
				if a := &w.rel.Components[0].Assets[i]; a.Name == "pause-image" {
					a.Digest = "sha256:" + bad(a.SHA256+strings.Repeat("x", 64))
				}
			}
		}, "is not there", false},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			tc.edit(w)
			report, err := w.in.Verify(context.Background(), w.rel)
			if err == nil || !strings.Contains(err.Error(), tc.want) || Fault(err) != tc.blamed {
				t.Errorf("got %v, blamed %v; want %q, %v", err, Fault(err), tc.want, tc.blamed)
			}
			if report.Count(Failed) != 1 || report.Count(Verified) != 4 {
				t.Errorf("%d failed, %d verified: %+v", report.Count(Failed), report.Count(Verified), report.Failures())
			}
		})
	}
}

func TestVerifyWithoutChecksums(t *testing.T) {
	w := newWorld(t)
	for name := range w.files {
		if strings.Contains(name, ".sha") || strings.Contains(name, "SUM") {
			delete(w.files, name)
		}
	}
	report, err := w.in.Verify(context.Background(), w.rel)
	if err != nil || report.Count(Verified) != 5 || report.Rows[0].Siblings != 0 {
		t.Errorf("%+v, %v", report, err)
	}
}

func TestVerifyCancelled(t *testing.T) {
	w := newWorld(t)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	report, err := w.in.Verify(ctx, w.rel)
	if !errors.Is(err, context.Canceled) || report.Count(Verified) != 0 || w.requests.Load() > 20 {
		t.Errorf("%v, %+v", err, report)
	}
}

func TestChecksumNames(t *testing.T) {
	for _, tc := range []struct {
		path, uri string
		want      bool
	}{
		{"kubelet", "https://h/a/bin/linux/amd64/kubelet", true},
		{"./amd64/kubelet", "https://h/a/bin/linux/amd64/kubelet", true},
		{"arm64/kubelet", "https://h/a/bin/linux/amd64/kubelet", false},
		{"let", "https://h/a/kubelet", false},
		{"", "https://h/a/kubelet", false},
	} {
		if got := (release.Checksum{Path: tc.path}).Names(tc.uri); got != tc.want {
			t.Errorf("%q names %s: %v", tc.path, tc.uri, got)
		}
	}
}

// FuzzChecksums: lines, or an error that names one.
func FuzzChecksums(f *testing.F) {
	f.Add([]byte(strings.Repeat("0", 64) + "  x\n"))
	f.Add([]byte(strings.Repeat("0", 128) + " *x\r\n\n"))
	f.Add([]byte("<html>"))
	f.Fuzz(func(t *testing.T, data []byte) {
		sums, err := release.ParseChecksums("x", data)
		if (err == nil) != (len(sums) > 0) {
			t.Errorf("%d sums, %v", len(sums), err)
		}
		for _, c := range sums {
			if (len(c.Digest) != 64 && len(c.Digest) != 128) || c.Path == "" || strings.ContainsRune(c.Path, '\n') {
				t.Errorf("%s", fmt.Sprint(c))
			}
		}
	})
}
