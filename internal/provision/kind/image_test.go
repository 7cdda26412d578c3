package kind

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
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/mod/modfile"

	"github.com/qualify-dev/qualify/internal/release"
)

// The library and the node files have to be of one version.
func TestKindModuleIsTheLibrarys(t *testing.T) {
	name := filepath.Join("..", "..", "..", "go.mod")
	data, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	mod, err := modfile.Parse(name, data, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range mod.Require {
		if r.Mod.Path == kindModulePath {
			if r.Mod.Version != kindModuleVersion {
				t.Errorf("go.mod requires %s, the node files are of %s", r.Mod.Version, kindModuleVersion)
			}
			return
		}
	}
	t.Errorf("go.mod does not require %s", kindModulePath)
}

func TestWithSandboxImage(t *testing.T) {
	const key = "  sandbox_image = "
	got, err := withSandboxImage("a\n"+key+`"old"`+"\nb\n", "registry.example/pause:3.10")
	if err != nil || got != "a\n"+key+`"registry.example/pause:3.10"`+"\nb\n" {
		t.Errorf("%q, %v", got, err)
	}
	for _, config := range []string{"", "a\nb\n", key + "1\n" + key + "2\n", "sandbox_image = 1\n"} {
		if _, err := withSandboxImage(config, "image"); err == nil {
			t.Errorf("%q was taken", config)
		}
	}
}

// kind's own files have what is changed in them.
func TestKindsFilesTakeTheChanges(t *testing.T) {
	dir, err := kindModule(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	l := &nodeLayout{rel: testRelease("v1.34.4"), kindFiles: dir}
	got := map[string]string{}
	mode := map[string]int64{}
	for h, text := range layoutFiles(t, l) {
		got[h.Name], mode[h.Name] = text, h.Mode
	}
	if text := got["etc/containerd/config.toml"]; !strings.Contains(text, `sandbox_image = "registry.example/kubernetes/pause:3.10"`) {
		t.Errorf("the node's pause image is not the release's:\n%s", text)
	}
	if text := got["etc/systemd/system/containerd.service"]; !strings.Contains(text, "ExecStart=/usr/bin/containerd") {
		t.Errorf("containerd is not started from where Debian has it:\n%s", text)
	}
	for _, program := range []string{"usr/local/bin/entrypoint", "kind/bin/mount-product-files.sh"} {
		if mode[program] != 0o755 {
			t.Errorf("%s has mode %o", program, mode[program])
		}
	}
}

func layoutFiles(t *testing.T, l *nodeLayout) map[*tar.Header]string {
	t.Helper()
	var b bytes.Buffer
	out := tar.NewWriter(&b)
	if err := filepath.WalkDir(l.kindFiles, l.addKindFile(out)); err != nil {
		t.Fatal(err)
	}
	if err := out.Close(); err != nil {
		t.Fatal(err)
	}
	return untar(t, &b)
}

func untar(t *testing.T, r io.Reader) map[*tar.Header]string {
	t.Helper()
	files := map[*tar.Header]string{}
	for in := tar.NewReader(r); ; {
		h, err := in.Next()
		if errors.Is(err, io.EOF) {
			return files
		}
		if err != nil {
			t.Fatal(err)
		}
		data, err := io.ReadAll(in)
		if err != nil {
			t.Fatal(err)
		}
		files[h] = string(data)
	}
}

func TestCopyTarLeavesOutWhatIsReplaced(t *testing.T) {
	file := filepath.Join(t.TempDir(), "rootfs.tar")
	write(t, file, tarOf(t,
		tar.Header{Typeflag: tar.TypeDir, Name: "etc/", Mode: 0o755},
		tar.Header{Typeflag: tar.TypeReg, Name: "etc/replaced", Mode: 0o644, Size: 3},
		tar.Header{Typeflag: tar.TypeReg, Name: "etc/kept", Mode: 0o600, Size: 3},
		tar.Header{Typeflag: tar.TypeSymlink, Name: "etc/link", Linkname: "kept"},
	))
	var b bytes.Buffer
	out := tar.NewWriter(&b)
	if err := copyTar(out, file, func(name string) bool { return name == "etc/replaced" || name == "etc/" }); err != nil {
		t.Fatal(err)
	}
	if err := out.Close(); err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for h, text := range untar(t, &b) {
		got[h.Name] = fmt.Sprintf("%o %s%s", h.Mode, text, h.Linkname)
	}
	if want := map[string]string{"etc/": "755 ", "etc/kept": "600 xxx", "etc/link": "0 kept"}; !maps.Equal(got, want) {
		t.Errorf("copied %q, want %q", got, want)
	}
	write(t, file, []byte("no tar, but something that is long enough to be looked at"+strings.Repeat("x", 600)))
	if err := copyTar(tar.NewWriter(io.Discard), file, func(string) bool { return false }); err == nil {
		t.Error("what is no tar was copied")
	}
}

func write(t *testing.T, file string, data []byte) {
	t.Helper()
	if err := os.WriteFile(file, data, 0o644); err != nil {
		t.Fatal(err)
	}
}

// tarOf is a tar of entries whose content is as many x as they have bytes.
func tarOf(t *testing.T, entries ...tar.Header) []byte {
	t.Helper()
	var b bytes.Buffer
	out := tar.NewWriter(&b)
	for _, h := range entries {
		if err := out.WriteHeader(&h); err != nil {
			t.Fatal(err)
		}
		if _, err := io.CopyN(out, repeat('x'), h.Size); err != nil {
			t.Fatal(err)
		}
	}
	if err := out.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

type repeat byte

// Read is part of io.Reader.
func (r repeat) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = byte(r)
	}
	return len(p), nil
}

// withCNI is the layout of a release whose plugins are these bytes.
func withCNI(t *testing.T, data []byte) *nodeLayout {
	t.Helper()
	file := filepath.Join(t.TempDir(), "cni.tar.gz")
	write(t, file, data)
	sum := sha256.Sum256(data)
	rel := testRelease("v1.34.4")
	rel.Components = append(rel.Components, release.Component{Name: "cni-plugins", Assets: []release.Asset{{
		Component: "cni-plugins", Name: "cni-plugins-linux-amd64-v1.8.0.tar.gz", Type: release.Archive, URI: file, SHA256: hex.EncodeToString(sum[:]),
	}}})
	return &nodeLayout{rel: rel, store: &release.Store{Dir: t.TempDir()}}
}

func gzipped(t *testing.T, data []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	if _, err := w.Write(data); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestCNIPluginsAreUnpacked(t *testing.T) {
	l := withCNI(t, gzipped(t, tarOf(t,
		tar.Header{Typeflag: tar.TypeDir, Name: "./", Mode: 0o755},
		tar.Header{Typeflag: tar.TypeReg, Name: "./ptp", Mode: 0o4755, Uid: 1000, Size: 4},
		tar.Header{Typeflag: tar.TypeReg, Name: "host-local", Mode: 0o644, Size: 2},
	)))
	var b bytes.Buffer
	out := tar.NewWriter(&b)
	if err := errors.Join(l.addCNI(context.Background(), out), out.Close()); err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for h, text := range untar(t, &b) {
		got[h.Name] = fmt.Sprintf("%o %d %s", h.Mode, h.Uid, text)
	}
	if want := map[string]string{"opt/cni/bin/ptp": "755 0 xxxx", "opt/cni/bin/host-local": "755 0 xx"}; !maps.Equal(got, want) {
		t.Errorf("plugins %q, want %q", got, want)
	}
}

func TestHostileCNIPluginsAreRefused(t *testing.T) {
	file := func(name string) tar.Header {
		return tar.Header{Typeflag: tar.TypeReg, Name: name, Mode: 0o755, Size: 1}
	}
	tests := map[string]tar.Header{
		"upwards":      file("../evil"),
		"further up":   file("../../../etc/cron.d/evil"),
		"absolute":     file("/etc/evil"),
		"in a folder":  file("bin/ptp"),
		"the folder":   file(".."),
		"itself":       file("."),
		"nameless":     file(""),
		"symbolic":     {Typeflag: tar.TypeSymlink, Name: "ptp", Linkname: "/etc/passwd"},
		"hard":         {Typeflag: tar.TypeLink, Name: "ptp", Linkname: "host-local"},
		"device":       {Typeflag: tar.TypeChar, Name: "ptp"},
		"pipe":         {Typeflag: tar.TypeFifo, Name: "ptp"},
		"beyond bound": {Typeflag: tar.TypeReg, Name: "ptp", Size: 64<<20 + 1},
	}
	for name, entry := range tests {
		t.Run(name, func(t *testing.T) {
			l := withCNI(t, gzipped(t, tarOf(t, entry)))
			var b bytes.Buffer
			if err := l.addCNI(context.Background(), tar.NewWriter(&b)); err == nil {
				t.Errorf("%q was taken", entry.Name)
			}
			if b.Len() > 0 {
				t.Errorf("%d bytes of it were written", b.Len())
			}
		})
	}
}

func TestDamagedCNIPluginsAreRefused(t *testing.T) {
	whole := gzipped(t, tarOf(t, tar.Header{Typeflag: tar.TypeReg, Name: "ptp", Size: 100_000}))
	for name, data := range map[string][]byte{
		"no gzip": []byte("plain text"), "no tar": gzipped(t, []byte(strings.Repeat("y", 2000))), "cut off": whole[:len(whole)/2], "empty": nil,
	} {
		t.Run(name, func(t *testing.T) {
			l := withCNI(t, data)
			if err := l.addCNI(context.Background(), tar.NewWriter(io.Discard)); err == nil {
				t.Error("it was taken")
			}
		})
	}
	l := withCNI(t, whole)
	l.rel.Components[1].Assets[0].SHA256 = strings.Repeat("0", 64)
	var digest *release.DigestError
	if err := l.addCNI(context.Background(), tar.NewWriter(io.Discard)); !errors.As(err, &digest) {
		t.Errorf("other bytes: %v", err)
	}
	if err := (&nodeLayout{rel: testRelease("v1.34.4")}).addCNI(context.Background(), tar.NewWriter(io.Discard)); err == nil || !strings.Contains(err.Error(), "no CNI plugins") {
		t.Errorf("without plugins: %v", err)
	}
}

// The programs of a part are put where the system has its own, and those are
// left out.
func TestPartsReplaceTheSystemsPrograms(t *testing.T) {
	text := "another containerd"
	file := filepath.Join(t.TempDir(), "containerd")
	write(t, file, []byte(text))
	sum := sha256.Sum256([]byte(text))
	part := &release.Release{Name: "containerd-v1.7.32-source", Components: []release.Component{{Name: "containerd", Assets: []release.Asset{
		{Component: "containerd", Name: "bin/linux/amd64/containerd", Type: release.Archive, URI: file, SHA256: hex.EncodeToString(sum[:])},
		{Component: "containerd", Name: "bin/linux/amd64/httpd.tar", Type: release.Archive, URI: file, SHA256: hex.EncodeToString(sum[:])},
		{Component: "containerd", Name: "bin/linux/arm64/ctr", Type: release.Archive, URI: file, SHA256: hex.EncodeToString(sum[:])},
		{Component: "containerd", Name: "bin/linux/amd64/../../../etc/passwd", Type: release.Archive, URI: file, SHA256: hex.EncodeToString(sum[:])},
	}}}}
	l := &nodeLayout{store: &release.Store{Dir: t.TempDir()}}
	got := map[string]string{}
	if err := l.programs(context.Background(), part, got); err != nil {
		t.Fatal(err)
	}
	if len(got) != 1 || got["usr/bin/containerd"] == "" {
		t.Fatalf("places %v", got)
	}
	if data, err := os.ReadFile(got["usr/bin/containerd"]); err != nil || string(data) != text {
		t.Errorf("%q, %v", data, err)
	}
	part.Components[0].Assets[0].SHA256 = strings.Repeat("0", 64)
	var digest *release.DigestError
	if err := l.programs(context.Background(), part, map[string]string{}); !errors.As(err, &digest) {
		t.Errorf("other bytes: %v", err)
	}
}
