package run

import (
	"context"
	"strings"
	"testing"

	"github.com/qualify-dev/qualify/internal/cluster"
	"github.com/qualify-dev/qualify/internal/provision"
	"github.com/qualify-dev/qualify/internal/provision/fake"
	"github.com/qualify-dev/qualify/internal/release"
	"github.com/qualify-dev/qualify/internal/result"
	"github.com/qualify-dev/qualify/matrix"
	"github.com/qualify-dev/qualify/suites"
)

func withRuntime(version string) matrix.Cell {
	return matrix.NewCell(map[string]string{matrix.OS: "debian-11", matrix.Containerd: version, matrix.K8s: "v1.34.4", matrix.Provisioner: fake.Name})
}

func runtimeOf(version string) *release.Release {
	return &release.Release{Name: "containerd-" + version, Components: []release.Component{{Name: "containerd", GitTag: version, Assets: []release.Asset{{
		Component: "containerd", Name: "bin/linux/amd64/containerd", Type: release.Archive, SHA256: strings.Repeat("ab", 32),
	}}}}}
}

// What is built beside the release is part of the plan by its digest; the
// system's own is not.
func TestComponentsAreBound(t *testing.T) {
	w := newWorld(t)
	c := w.compilation()
	c.Cells = []matrix.Cell{withRuntime("v1.7.32"), withRuntime(matrix.OfOS)}
	if _, err := Compile(c); err == nil || !strings.Contains(err.Error(), "no build of containerd v1.7.32") {
		t.Errorf("without a build: %v", err)
	}
	built := runtimeOf("v1.7.32")
	c.Components = map[result.ComponentRef]*release.Release{{Name: "containerd", Version: "v1.7.32"}: built}
	plan, err := Compile(c)
	if err != nil {
		t.Fatal(err)
	}
	want := result.ComponentRef{Name: "containerd", Version: "v1.7.32", Digest: built.Digest()}
	if got := plan.Cells[0].Components; len(got) != 1 || got[0] != want {
		t.Errorf("components %+v, want %+v", got, want)
	}
	if got := plan.Cells[1].Components; got != nil {
		t.Errorf("of the system's own runtime there is %+v", got)
	}
	hash := plan.Hash
	built.Components[0].Assets[0].SHA256 = strings.Repeat("cd", 32)
	if again, err := Compile(c); err != nil || again.Hash == hash {
		t.Errorf("another build has the same plan hash, %v", err)
	}
}

// The provisioner is given the build, and a cluster that does not run it is not
// tested. A plan whose build is not at hand says so, and makes nothing.
func TestComponentsReachTheNodes(t *testing.T) {
	built := runtimeOf("v1.7.32")
	prepare := func() (*world, *noting) {
		w := newWorld(t)
		w.cells = []matrix.Cell{withRuntime("v1.7.32")}
		w.parts = map[result.ComponentRef]*release.Release{{Name: "containerd", Version: "v1.7.32"}: built}
		p, err := fake.Entry(w.options).New(provision.Config{Log: t.Logf, Sink: w.deps.Sink})
		if err != nil {
			t.Fatal(err)
		}
		n := &noting{Provisioner: p}
		w.deps.Provisioners = map[string]provision.Provisioner{fake.Name: n}
		return w, n
	}
	w, n := prepare()
	w.deps.Releases[built.Digest()] = built
	o := w.execute(context.Background())
	if len(n.asked) == 0 || len(n.asked[0].Components) != 1 || n.asked[0].Components[0] != built {
		t.Errorf("the provisioner was asked for %+v", n.asked)
	}
	// The nodes of the fake have no such program.
	if o.doc.Verdict != result.Inconclusive || len(of(w.events, result.SuiteStarted)) > 0 {
		t.Errorf("%s, %v", o.doc.Verdict, story(w.events))
	}

	w, n = prepare()
	o = w.execute(context.Background())
	o.want(t, result.Inconclusive, 3, result.ReasonInfrastructure, result.ReasonIdentityMissing, result.ReasonSuiteMissing)
	wantText(t, w.events, result.InfraFault, "containerd of the plan", "is not at hand")
	if len(n.asked) > 0 {
		t.Errorf("the provisioner was asked for %+v", n.asked)
	}
}

// noting keeps what a provisioner is asked for.
type noting struct {
	provision.Provisioner
	asked []provision.Spec
}

// Up makes the cluster.
func (n *noting) Up(ctx context.Context, l provision.Lease, s provision.Spec) (*cluster.Cluster, error) {
	n.asked = append(n.asked, s)
	return n.Provisioner.Up(ctx, l, s)
}

// Made images are for suites that run some, on nodes that can be given them,
// where they are wanted; and a plan that has them is gone on with as it is.
func TestMadeImages(t *testing.T) {
	made := &release.Release{Name: "test-images", Components: []release.Component{{Name: "test-images", GitTag: "v1.34.4", Assets: []release.Asset{{
		Component: "test-images", Name: "httpd-image", Type: release.Image, URI: "registry.example/httpd:1", Digest: "sha256:" + strings.Repeat("ab", 32),
	}}}}}
	for _, c := range []struct {
		name                    string
		wanted, preloads, needs bool
		want                    int
	}{
		{"wanted, possible, needed", true, true, true, 1},
		{"pulled", false, true, true, 0},
		{"nodes that take none", true, false, true, 0},
		{"a mode that runs none", true, true, false, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t)
			w.suites[0].Modes = []suites.Mode{{Name: "all", Expect: w.suites[0].Expect, Images: c.needs}}
			compilation := w.compilation()
			compilation.MadeImages = c.wanted
			entry := compilation.Entries[fake.Name]
			entry.Preloads = c.preloads
			compilation.Entries = map[string]provision.Entry{fake.Name: entry}
			if got := compilation.CouldPreload(); got != (c.preloads && c.needs) {
				t.Errorf("could preload: %v", got)
			}
			compilation.Components = map[result.ComponentRef]*release.Release{{Name: result.TestImages, Version: "v1.34.4"}: made}
			plan, err := Compile(compilation)
			if err != nil {
				t.Fatal(err)
			}
			got := plan.Cells[0].Components
			if len(got) != c.want || c.want == 1 && got[0] != (result.ComponentRef{Name: result.TestImages, Version: "v1.34.4", Digest: made.Digest()}) {
				t.Fatalf("components %+v", got)
			}
			compilation.MadeImages = !c.wanted
			again, err := Adopt(plan, compilation)
			if err != nil || len(again.Cells[0].Components) != c.want {
				t.Errorf("the saved plan: %+v, %v", again.Cells, err)
			}
		})
	}
}
