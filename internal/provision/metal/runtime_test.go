package metal

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/qualify-dev/qualify/internal/provision"
	"github.com/qualify-dev/qualify/internal/release"
	"github.com/qualify-dev/qualify/matrix"
)

// shamRuntime is a containerd of its own, by itself.
func shamRuntime(t *testing.T) *release.Release {
	t.Helper()
	dir := t.TempDir()
	c := release.Component{Name: matrix.Containerd, GitTag: "v1.7.32"}
	for _, name := range runtimePrograms {
		text := "#!/bin/sh\n# " + name + "\n"
		if name == "ctr" { // the one that the sham hosts have
			own, err := os.ReadFile("testdata/sham/ctr")
			if err != nil {
				t.Fatal(err)
			}
			text = string(own)
		}
		write(t, filepath.Join(dir, name), text)
		sum := sha256.Sum256([]byte(text))
		c.Assets = append(c.Assets, release.Asset{
			Component: c.Name, Name: "bin/linux/amd64/" + name, Type: release.Archive, OS: "linux", Arch: []string{"amd64"},
			URI: release.FileURI(filepath.Join(dir, name)), SHA256: hex.EncodeToString(sum[:]),
		})
	}
	return &release.Release{Name: "containerd-v1.7.32-sham", Components: []release.Component{c}}
}

func (f *fleetOfShams) specWithRuntime(t *testing.T) provision.Spec {
	spec := f.spec(t.TempDir())
	spec.Cell = matrix.NewCell(map[string]string{matrix.OS: "debian-12", matrix.K8s: "v1.34.4", matrix.Containerd: "v1.7.32", matrix.Provisioner: Name})
	spec.Components = []*release.Release{shamRuntime(t)}
	return spec
}

// A cell may bring the runtime of its nodes: then that one runs, the system's
// is not installed, and all of it goes with the rest.
func TestARuntimeIsBrought(t *testing.T) {
	f := newShams(t, 2)
	write(t, filepath.Join(f.hosts[1].root, "usr/local/bin/ctr"), "theirs")
	before := f.files(t)
	lease := testLease("q-runtime")
	if _, err := f.instance(t).Up(soon(t), lease, f.specWithRuntime(t)); err != nil {
		t.Fatal(err)
	}
	for _, s := range f.hosts {
		if !s.has("usr/local/bin/containerd") || !s.has("etc/systemd/system/containerd.service") {
			t.Errorf("host %s has no containerd, or no unit of it", s.name)
		}
		packages, err := os.ReadFile(filepath.Join(s.root, "state/packages"))
		if err != nil {
			t.Fatal(err)
		}
		if text := "\n" + string(packages); strings.Contains(text, "\ncontainerd\n") || !strings.Contains(text, "\nrunc\n") {
			t.Errorf("host %s has the packages %q", s.name, text)
		}
	}
	if err := f.instance(t).Down(soon(t), lease); err != nil {
		t.Fatal(err)
	}
	f.unchanged(t, before)
}

// A containerd that runs and is another than the one that was brought makes no
// cluster: it would be tested under the wrong name.
func TestAnotherContainerdRuns(t *testing.T) {
	f := newShams(t, 1)
	f.hosts[0].at("MainPID", func() {
		write(t, filepath.Join(f.hosts[0].root, "var/lib/qualify/running/exe"), "the system's")
	})
	lease := testLease("q-other")
	_, err := f.instance(t).Up(soon(t), lease, f.specWithRuntime(t))
	if err == nil || !strings.Contains(err.Error(), "the containerd that runs has the digest") {
		t.Errorf("up: %v", err)
	}
	if err := f.instance(t).Down(context.WithoutCancel(soon(t)), lease); err != nil {
		t.Errorf("down: %v", err)
	}
	spec := f.specWithRuntime(t)
	spec.Components = nil
	if _, err := f.instance(t).Up(soon(t), lease, spec); err == nil || !strings.Contains(err.Error(), "none was made for it") {
		t.Errorf("up without the component: %v", err)
	}
}
