package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io"
	"log"
	"net/http/httptest"
	"os"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/crane"
	"github.com/google/go-containerregistry/pkg/registry"

	"github.com/qualify-dev/qualify/internal/cache"
	"github.com/qualify-dev/qualify/internal/provision"
	"github.com/qualify-dev/qualify/internal/release"
	"github.com/qualify-dev/qualify/internal/release/source"
	"github.com/qualify-dev/qualify/internal/result"
	"github.com/qualify-dev/qualify/internal/run"
	"github.com/qualify-dev/qualify/matrix"
	"github.com/qualify-dev/qualify/suites"
)

// withTests adds a test binary to the world's release that names some images.
func (w *world) withTests(t *testing.T, script string) {
	t.Helper()
	file := w.file("e2e.test")
	if err := os.WriteFile(file, []byte("#!/bin/sh\n"+script+"\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256([]byte("#!/bin/sh\n" + script + "\n"))
	rel := *w.rel
	rel.Components = append(append([]release.Component{}, rel.Components...), release.Component{Name: "kubernetes-test", GitTag: "v1.34.4", Assets: []release.Asset{{
		Component: "kubernetes-test", Name: "bin/linux/amd64/e2e.test", Type: release.Archive, OS: "linux", Arch: []string{"amd64"},
		URI: "file://" + file, SHA256: hex.EncodeToString(sum[:]),
	}}})
	manifest, err := release.Marshal(&rel)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(w.file("release.yaml"), manifest, 0o600); err != nil {
		t.Fatal(err)
	}
}

// The list is what the release's own binary names, and says of each image
// whether it is made.
func TestConformanceImages(t *testing.T) {
	w := newWorld(t)
	w.withTests(t, "echo registry.k8s.io/pause:3.10.1; echo registry.k8s.io/e2e-test-images/httpd:2.4.38-4")
	args := []string{"conformance", "images", "--release", w.file("release.yaml")}
	said := w.call(context.Background(), append(args, "-o", "json")...)
	var answer imagesAnswer
	if err := json.Unmarshal([]byte(said.stdout), &answer); err != nil || said.code != 0 {
		t.Fatalf("code %d, %v: %s%s", said.code, err, said.stdout, said.stderr)
	}
	if answer.Kubernetes != "v1.34.4" || len(answer.Images) != 2 || !answer.Images[0].Made || answer.Images[1].Made || answer.Images[1].How == "" {
		t.Errorf("answered %+v", answer)
	}
	if said = w.call(context.Background(), args...); said.code != 0 || !strings.Contains(strings.Join(strings.Fields(said.stdout), " "), "httpd:2.4.38-4 yes ") || !strings.Contains(said.stdout, "no    the release has it with another tag") {
		t.Errorf("code %d: %s%s", said.code, said.stdout, said.stderr)
	}
	w.withTests(t, "exit 3")
	if said = w.call(context.Background(), args...); said.code == 0 || !strings.Contains(said.stderr, "for its images") {
		t.Errorf("a binary that fails: code %d: %s", said.code, said.stderr)
	}
}

// Images are made where somebody asks for it, or nobody answers for the others.
func TestDecideImages(t *testing.T) {
	cell := matrix.NewCell(map[string]string{matrix.Provisioner: "some"})
	for _, c := range []struct {
		flag               string
		possible, answered bool
		want               bool
	}{
		{autoImages, true, false, true},
		{autoImages, true, true, false},
		{autoImages, false, false, false},
		{madeImages, true, true, true},
		{pulledImages, true, false, false},
	} {
		asked := 0
		o := runOptions{w: wiring{published: func(context.Context) bool { asked++; return c.answered }}}
		o.testImages = c.flag
		got := o.decideImages(context.Background(), run.Compilation{
			Cells: []matrix.Cell{cell}, Suites: []string{"big"},
			Entries: map[string]provision.Entry{"some": {Name: "some", Preloads: c.possible}},
			Suite: func(string) (suites.Suite, error) {
				return suites.Suite{Name: "big", Modes: []suites.Mode{{Name: "all", Images: true}}}, nil
			},
		})
		if got != c.want {
			t.Errorf("%+v: %v", c, got)
		}
		if (asked > 0) != (c.flag == autoImages && c.possible) {
			t.Errorf("%+v: the registry was asked %d times", c, asked)
		}
	}
}

func TestPlanTellsOfMadeImages(t *testing.T) {
	made := run.PlanCell{Components: []result.ComponentRef{{Name: result.TestImages, Version: "v1.34.4"}}, Required: true}
	if got := cellNote(made); got != "required; tests run images that are made here" {
		t.Error(got)
	}
}

// What a release has of the listed images goes with those that are made.
func TestListedOf(t *testing.T) {
	rel := candidate()
	some := listedOf(rel, []string{rel.Images()[0].URI, "registry.k8s.io/moon:1"})
	if len(some.Images()) != 1 || some.Images()[0].URI != rel.Images()[0].URI || len(rel.Images()) < 2 {
		t.Errorf("left %v of %v", some.Images(), rel.Images())
	}
	if some.Kubernetes() != rel.Kubernetes() {
		t.Error("another release")
	}
}

func TestPublishedHaveNoDigest(t *testing.T) {
	all := published([]string{"registry.k8s.io/pause:3.10.1", "invalid.registry.k8s.io/invalid/alpine:3.1"})[0].Images()
	if len(all) != 1 || all[0].URI != "registry.k8s.io/pause:3.10.1" || all[0].Digest != "" || all[0].Component != result.TestImages {
		t.Errorf("%+v", all)
	}
}

// Mirrored images are in the registry by the digests that they have, and the
// file for test binaries leads there.
func TestMirrorImages(t *testing.T) {
	server := httptest.NewServer(registry.New(registry.Logger(log.New(io.Discard, "", 0))))
	defer server.Close()
	place := strings.TrimPrefix(server.URL, "http://") + "/tests"
	bench, err := source.NewWorkbench(t.Context(), cache.Cache{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	set, err := bench.Images(t.Context(), result.TestImages, "v1.34.4", "key", []source.Image{
		{Ref: "registry.k8s.io/e2e-test-images/moon:1", Files: []source.File{{Path: "moon", Content: "light", Mode: 0o644}}},
	})
	if err != nil {
		t.Fatal(err)
	}
	w := newWorld(t)
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	shop, err := w.wiring().workshop()
	if err != nil {
		t.Fatal(err)
	}
	o := imagesOptions{mirror: place, list: w.file("repos.yaml")}
	var answer imagesAnswer
	if err := o.push(t.Context(), shop, &answer, []*release.Release{set}); err != nil {
		t.Fatal(err)
	}
	held, err := crane.Digest(place+"/e2e-test-images/moon:1", crane.Insecure)
	if err != nil || held != set.Images()[0].Digest {
		t.Errorf("the registry has %s, %v", held, err)
	}
	text, err := os.ReadFile(answer.RepoList)
	if err != nil || string(text) != "promoterE2eRegistry: "+place+"/e2e-test-images\n" {
		t.Errorf("%q, %v", text, err)
	}
	if len(answer.Mirrors) != 1 || answer.Mirrors[0].Mirror != place {
		t.Errorf("%+v", answer.Mirrors)
	}
}
