package release

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"math/rand"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func blobDigest(text string) string {
	sum := sha256.Sum256([]byte(text))
	return "sha256:" + hex.EncodeToString(sum[:])
}

// ociImage is an image of two architectures, as the blobs of its archive.
type ociImage struct {
	blobs            map[string]string // by digest
	index            string            // its digest, and those of the manifest and the configuration for amd64
	manifest, config string
}

func sampleOCI() ociImage {
	i := ociImage{blobs: map[string]string{}}
	put := func(text string) string {
		i.blobs[blobDigest(text)] = text
		return blobDigest(text)
	}
	var entries []string
	for _, arch := range []string{"arm64", "amd64"} {
		layer := put("layer for " + arch)
		i.config = put(`{"architecture":"` + arch + `"}`)
		i.manifest = put(fmt.Sprintf(`{"schemaVersion":2,"config":{"digest":%q},"layers":[{"digest":%q},{"digest":%q}]}`, i.config, layer, layer))
		entries = append(entries, fmt.Sprintf(`{"digest":%q,"platform":{"os":"linux","architecture":%q}}`, i.manifest, arch))
	}
	i.index = put(`{"schemaVersion":2,"manifests":[` + strings.Join(entries, ",") + `]}`)
	return i
}

func (i ociImage) archive(t testing.TB, change func(digest string, text *string) bool) []byte {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for digest, text := range i.blobs {
		if change != nil && !change(digest, &text) {
			continue
		}
		addEntry(t, w, tar.Header{Typeflag: tar.TypeReg, Name: "blobs/sha256/" + strings.TrimPrefix(digest, "sha256:")}, text)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func addEntry(t testing.TB, w *tar.Writer, h tar.Header, text string) {
	t.Helper()
	h.Size, h.Mode = int64(len(text)), 0o644
	if err := w.WriteHeader(&h); err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(w, text); err != nil {
		t.Fatal(err)
	}
}

func withImage(i ociImage) *Release {
	return &Release{Name: "r", Channel: "1-34", Number: 1, Components: []Component{{Name: "kubernetes", GitTag: "v1.34.4", Assets: []Asset{
		{Component: "kubernetes", Name: "pause-image", Type: Image, Arch: []string{"amd64"}, URI: "registry.example/pause:1", Digest: i.index},
	}}}}
}

func fileOf(t testing.TB, data []byte) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, data, 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

func TestImageConfig(t *testing.T) {
	i := sampleOCI()
	file := fileOf(t, i.archive(t, nil))
	for _, digest := range []string{i.index, i.manifest} {
		if got, err := ImageConfig(file, digest, "amd64"); err != nil || got != i.config {
			t.Errorf("%s: configuration %s, %v; want %s", digest, got, err, i.config)
		}
	}
	if got, err := ImageConfig(file, i.index, "arm64"); err != nil || got == i.config {
		t.Errorf("for arm64: %s, %v", got, err)
	}
	for want, digest := range map[string]string{
		"its archive has no such image": blobDigest("something else"),
		"is not the manifest":           i.config,
	} {
		if _, err := ImageConfig(file, digest, "amd64"); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", digest, err, want)
		}
	}
	if _, err := ImageConfig(file, i.index, "s390x"); err == nil || !strings.Contains(err.Error(), "linux/s390x") {
		t.Errorf("no such architecture: %v", err)
	}
}

// Only some blobs matter for an architecture, and each of those does.
func TestImagesOfWrongBytes(t *testing.T) {
	i := sampleOCI()
	for digest, text := range i.blobs {
		needed := digest == i.index || digest == i.manifest || digest == i.config || text == "layer for amd64"
		for name, change := range map[string]func(string, *string) bool{
			"changed": func(d string, text *string) bool {
				if d == digest {
					*text += " " // still JSON, and another digest
				}
				return true
			},
			"left out": func(d string, _ *string) bool { return d != digest },
		} {
			_, err := readImage(fileOf(t, i.archive(t, change)), i.index, "amd64", true)
			if (err != nil) != needed {
				t.Errorf("%s %s: %v, needed %v", text, name, err, needed)
			}
		}
	}
}

// Whatever a bit in an archive is turned to, what is read of it is right, or nothing.
func TestPropertyImagesWithAFlippedBit(t *testing.T) {
	i := sampleOCI()
	whole := i.archive(t, nil)
	for seed := range int64(2000) {
		r := rand.New(rand.NewSource(seed))
		data := bytes.Clone(whole)
		data[r.Intn(len(data))] ^= 1 << r.Intn(8)
		if got, err := imageIn(bytes.NewReader(data), i.index, "amd64", true); err == nil && got != i.config {
			t.Fatalf("seed %d: configuration %s, want %s", seed, got, i.config)
		}
	}
}

func FuzzReadImage(f *testing.F) {
	i := sampleOCI()
	f.Add(i.archive(f, nil))
	f.Add([]byte(nil))
	f.Fuzz(func(t *testing.T, data []byte) {
		got, err := imageIn(bytes.NewReader(data), i.index, "amd64", true)
		if err == nil && got != i.config {
			t.Errorf("configuration %s, want %s", got, i.config)
		}
	})
}

func TestImageIsPulledOnceAndVerified(t *testing.T) {
	i := sampleOCI()
	pulled := 0
	s := &Store{Dir: t.TempDir(), Pull: func(_ context.Context, _ *Release, a Asset, arch, file string) error {
		pulled++
		if a.Digest != i.index || arch != "amd64" {
			t.Errorf("asked for %s for %s", a.Digest, arch)
		}
		return os.WriteFile(file, i.archive(t, nil), 0o600)
	}}
	first, err := s.Image(t.Context(), withImage(i), "pause-image", "amd64")
	if err != nil {
		t.Fatal(err)
	}
	again, err := s.Image(t.Context(), withImage(i), "pause-image", "amd64")
	if err != nil || again != first || pulled != 1 {
		t.Errorf("the second time: %s and %s, pulled %d times, %v", first, again, pulled, err)
	}
	// What somebody changed in the store is not trusted.
	if err := os.WriteFile(first, i.archive(t, func(d string, text *string) bool {
		if d == i.config {
			*text = "{}"
		}
		return true
	}), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Image(t.Context(), withImage(i), "pause-image", "amd64"); err != nil || pulled != 2 {
		t.Errorf("after a change: pulled %d times, %v", pulled, err)
	}
	if left, err := filepath.Glob(filepath.Join(s.Dir, "images", ".partial*")); err != nil || len(left) > 0 {
		t.Errorf("left %q, %v", left, err)
	}
}

func TestImagesThatAreNotTaken(t *testing.T) {
	i := sampleOCI()
	swapped := func(d string, text *string) bool {
		if *text == "layer for amd64" {
			*text = "layer for nobody"
		}
		return true
	}
	var digest *DigestError
	var unbound *UnboundError
	for name, test := range map[string]struct {
		pull   Puller
		change func(*Release)
		want   any
		says   string
	}{
		"wrong bytes": {pull: func(_ context.Context, _ *Release, _ Asset, _, file string) error {
			return os.WriteFile(file, i.archive(t, swapped), 0o600)
		}, want: &digest, says: blobDigest("layer for nobody")},
		"half an image": {pull: func(_ context.Context, _ *Release, _ Asset, _, file string) error {
			return os.WriteFile(file, i.archive(t, func(d string, _ *string) bool { return d != i.config }), 0o600)
		}, says: "lacks " + i.config},
		"no file":          {pull: func(context.Context, *Release, Asset, string, string) error { return nil }, says: "no such file"},
		"no registry":      {pull: func(context.Context, *Release, Asset, string, string) error { return errors.New("refused") }, says: "pulling image registry.example/pause:1@" + i.index + ": refused"},
		"nothing to pull":  {says: "is in a registry"},
		"without a digest": {change: func(r *Release) { r.Components[0].Assets[0].Digest = "" }, want: &unbound, says: "has no digest"},
		"a file": {change: func(r *Release) {
			r.Components[0].Assets[0] = Asset{Component: "kubernetes", Name: "pause-image", Type: Archive, SHA256: strings.Repeat("0", 64)}
		}, says: "it is a file"},
		"absent": {change: func(r *Release) { r.Components[0].Assets = nil }, says: "no asset"},
	} {
		t.Run(name, func(t *testing.T) {
			s, r := &Store{Dir: t.TempDir(), Pull: test.pull}, withImage(i)
			if test.change != nil {
				test.change(r)
			}
			_, err := s.Image(t.Context(), r, "pause-image", "amd64")
			if err == nil || !strings.Contains(err.Error(), test.says) || test.want != nil && !errors.As(err, test.want) {
				t.Errorf("error %v, want %q", err, test.says)
			}
			if left, err := filepath.Glob(filepath.Join(s.Dir, "images", "*")); err != nil || len(left) > 0 {
				t.Errorf("left %q, %v", left, err)
			}
		})
	}
}

// An archive of the release is used where it holds what the digest names; that
// it holds one architecture of an index only is no error, but wrong bytes are.
func TestImageFromAnArchiveOfTheRelease(t *testing.T) {
	i := sampleOCI()
	for name, test := range map[string]struct {
		archive []byte
		pulls   bool
		says    string
	}{
		"the image":        {archive: i.archive(t, nil)},
		"one architecture": {archive: i.archive(t, func(d string, _ *string) bool { return d != i.index }), pulls: true},
		"no tar":           {archive: []byte(strings.Repeat("no tar ", 200)), says: "reading its archive"},
	} {
		t.Run(name, func(t *testing.T) {
			pulled := false
			s := &Store{Dir: t.TempDir(), Pull: func(_ context.Context, _ *Release, _ Asset, _, file string) error {
				pulled = true
				return os.WriteFile(file, i.archive(t, nil), 0o600)
			}}
			r := withImage(i)
			r.Components[0].Assets = append(r.Components[0].Assets, Asset{
				Component: "kubernetes", Name: "bin/linux/amd64/pause.tar", Type: Archive, URI: fileOf(t, test.archive),
				SHA256: strings.TrimPrefix(blobDigest(string(test.archive)), "sha256:"),
			})
			_, err := s.Image(t.Context(), r, "pause-image", "amd64")
			if pulled != test.pulls || (err == nil) != (test.says == "") || err != nil && !strings.Contains(err.Error(), test.says) {
				t.Errorf("pulled %v, %v", pulled, err)
			}
		})
	}
}

func programArchive(t *testing.T, entries ...tar.Header) []byte {
	t.Helper()
	var b bytes.Buffer
	zipped := gzip.NewWriter(&b)
	w := tar.NewWriter(zipped)
	for _, h := range entries {
		text := ""
		if h.Typeflag == tar.TypeReg {
			text = "program " + h.Name
		}
		addEntry(t, w, h, text)
	}
	if err := errors.Join(w.Close(), zipped.Close()); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func withArchive(t *testing.T, name string, data []byte) *Release {
	t.Helper()
	return &Release{Name: "r", Channel: "1-18", Number: 1, Components: []Component{{Name: "kubernetes", GitTag: "v1.18.9", Assets: []Asset{
		{Component: "kubernetes", Name: name, Type: Archive, URI: fileOf(t, data), SHA256: strings.TrimPrefix(blobDigest(string(data)), "sha256:")},
	}}}}
}

func TestProgram(t *testing.T) {
	const text = "program kubernetes/node/bin/kubeadm"
	data := programArchive(t,
		tar.Header{Typeflag: tar.TypeDir, Name: "kubernetes/"},
		tar.Header{Typeflag: tar.TypeReg, Name: "./kubernetes/LICENSES"},
		tar.Header{Typeflag: tar.TypeReg, Name: "kubernetes/node/bin/kubeadm"},
	)
	s := &Store{Dir: t.TempDir()}
	r := withArchive(t, "kubernetes-node-linux-amd64.tar.gz", data)
	for range 2 {
		file, sum, err := s.Program(t.Context(), r, "amd64", "kubeadm")
		if err != nil {
			t.Fatal(err)
		}
		got, err := os.ReadFile(file)
		info, statErr := os.Stat(file)
		if err != nil || statErr != nil || string(got) != text || "sha256:"+sum != blobDigest(text) || info.Mode().Perm() != 0o555 {
			t.Errorf("%s holds %q of sum %s, %v, %v", file, got, sum, info, err)
		}
		// The second time it has been tampered with, and is unpacked again.
		if err := errors.Join(os.Chmod(file, 0o755), os.WriteFile(file, []byte("tampered"), 0o755)); err != nil {
			t.Fatal(err)
		}
	}

	single := withArchive(t, "bin/linux/amd64/kubeadm", []byte(text))
	file, sum, err := s.Program(t.Context(), single, "amd64", "kubeadm")
	if err != nil || "sha256:"+sum != blobDigest(text) || filepath.Base(file) != sum {
		t.Errorf("a file of its own: %s of sum %s, %v", file, sum, err)
	}
}

func TestProgramsThatAreNotTaken(t *testing.T) {
	const entry = "kubernetes/node/bin/kubeadm"
	good := programArchive(t, tar.Header{Typeflag: tar.TypeReg, Name: entry})
	for says, data := range map[string][]byte{
		"it has no " + entry:               programArchive(t, tar.Header{Typeflag: tar.TypeReg, Name: "kubeadm"}),
		"its " + entry + " is not a plain": programArchive(t, tar.Header{Typeflag: tar.TypeSymlink, Name: entry, Linkname: "/etc/passwd"}),
		"gzip: invalid header":             []byte("plain text that is no archive"),
		"unexpected EOF":                   good[:len(good)/2],
	} {
		_, _, err := (&Store{Dir: t.TempDir()}).Program(t.Context(), withArchive(t, "kubernetes-node-linux-amd64.tar.gz", data), "amd64", "kubeadm")
		if err == nil || !strings.Contains(err.Error(), says) || !strings.Contains(err.Error(), "program kubeadm of release r: kubernetes-node-linux-amd64.tar.gz") {
			t.Errorf("error %v, want %q", err, says)
		}
	}
	r := withArchive(t, "kubernetes-node-linux-amd64.tar.gz", good)
	if _, _, err := (&Store{Dir: t.TempDir(), Limit: 520}).Program(t.Context(), r, "amd64", "kubeadm"); err == nil {
		t.Error("an archive that grows beyond the limit is taken")
	}
	if _, _, err := (&Store{Dir: t.TempDir()}).Program(t.Context(), r, "arm64", "kubeadm"); err == nil || !strings.Contains(err.Error(), "has no kubeadm for linux/arm64") {
		t.Errorf("of another architecture: %v", err)
	}
	r.Components[0].Assets[0].SHA256 = strings.Repeat("0", 64)
	var digest *DigestError
	if _, _, err := (&Store{Dir: t.TempDir()}).Program(t.Context(), r, "amd64", "kubeadm"); !errors.As(err, &digest) {
		t.Errorf("wrong bytes: %v", err)
	}
}

// An image without a digest is what its tag stands for, asked for every time,
// and still a whole image.
func TestImagesWithoutDigest(t *testing.T) {
	i := sampleOCI()
	r := withImage(i)
	r.Components[0].Assets[0].Digest = ""
	index := `{"manifests":[{"digest":"` + i.index + `"}]}`
	pulls := 0
	var changed func(string, *string) bool
	s := &Store{Dir: t.TempDir(), AllowUnbound: true, Pull: func(_ context.Context, _ *Release, _ Asset, _, file string) error {
		pulls++
		var b bytes.Buffer
		w := tar.NewWriter(&b)
		addEntry(t, w, tar.Header{Typeflag: tar.TypeReg, Name: "index.json"}, index)
		if err := w.Flush(); err != nil {
			return err
		}
		return os.WriteFile(file, append(b.Bytes(), i.archive(t, changed)...), 0o600)
	}}
	for range 2 {
		file, err := s.Image(t.Context(), r, "pause-image", "amd64")
		if err != nil {
			t.Fatal(err)
		}
		if got, err := ImageConfig(file, i.index, "amd64"); err != nil || got != i.config {
			t.Errorf("configuration %s, %v", got, err)
		}
	}
	if pulls != 2 {
		t.Errorf("pulled %d times", pulls)
	}
	for want, bad := range map[string]string{
		"2 images": `{"manifests":[{"digest":"a"},{"digest":"b"}]}`, "reading the index": "garbage", "no such image": `{"manifests":[{"digest":"a"}]}`,
	} {
		index = bad
		if _, err := s.Image(t.Context(), r, "pause-image", "amd64"); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", bad, err, want)
		}
	}
	index = `{"manifests":[{"digest":"` + i.index + `"}]}`
	changed = func(d string, _ *string) bool { return d != i.config }
	if _, err := s.Image(t.Context(), r, "pause-image", "amd64"); err == nil || !strings.Contains(err.Error(), "lacks") {
		t.Errorf("half an image: %v", err)
	}
}
