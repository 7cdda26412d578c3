package identity

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"

	"github.com/qualify-dev/qualify/internal/release"
)

func TestACandidatesOwnClusterIsTheCandidate(t *testing.T) {
	c := newCandidate(t)
	got, err := c.prover().Compare(context.Background(), serve(t, c.pods(), c.machine(), c.machine()), c.rel)
	must(t, err)
	if len(got.Mismatched) > 0 {
		t.Errorf("differs: %q", got.Mismatched)
	}
	want := []string{
		"node node-1 file kubeadm: " + sumOf("kubeadm"),
		"node node-1 file kubelet: " + sumOf("kubelet"),
		"node node-1 image " + coreDNS + ": " + c.manifest["coredns"],
		"node node-1 image " + apiServer + ": " + c.manifest["kube-apiserver"],
		"node node-1 process kubelet: " + sumOf("kubelet"),
		"node node-2 file kubeadm: " + sumOf("kubeadm"),
		"node node-2 file kubelet: " + sumOf("kubelet"),
		"node node-2 image " + coreDNS + ": " + c.manifest["coredns"],
		"node node-2 image " + apiServer + ": " + c.manifest["kube-apiserver"],
		"node node-2 process kubelet: " + sumOf("kubelet"),
		"pod coredns-1 image " + coreDNS + ": " + c.manifest["coredns"],
		"pod kube-apiserver-cp image " + apiServer + ": " + c.config["kube-apiserver"],
	}
	if !slices.Equal(got.Checked, want) {
		t.Errorf("checked:\n%s\nwant:\n%s", strings.Join(got.Checked, "\n"), strings.Join(want, "\n"))
	}
}

// Each way in which a cluster is not the release gives one mismatch, which
// names the place, what is there and what should be.
func TestWhatDiffersIsNamed(t *testing.T) {
	other := "sha256:" + sumOf("other")
	tests := []struct {
		name   string
		change func(c *candidate, m *machine, pods *[]corev1.Pod)
		want   []string // all in the one mismatch
	}{
		{"kubelet on disk", func(_ *candidate, m *machine, _ *[]corev1.Pod) { m.file["kubelet"] = sumOf("swapped") }, []string{"node node-1 file kubelet", sumOf("swapped"), sumOf("kubelet")}},
		{"kubeadm on disk", func(_ *candidate, m *machine, _ *[]corev1.Pod) { m.file["kubeadm"] = sumOf("swapped") }, []string{"node node-1 file kubeadm", sumOf("swapped"), sumOf("kubeadm")}},
		{"the kubelet that runs is not the one on disk", func(_ *candidate, m *machine, _ *[]corev1.Pod) { m.process["kubelet"] = sumOf("deleted") }, []string{"node node-1 process kubelet", sumOf("deleted"), sumOf("kubelet")}},
		{"an image on the node was given another content", func(c *candidate, m *machine, _ *[]corev1.Pod) {
			m.images = strings.Replace(m.images, c.manifest["coredns"], other, 1)
		}, []string{"node node-1 image " + coreDNS, other}},
		{"a pod runs another content under the release's name", func(_ *candidate, _ *machine, pods *[]corev1.Pod) {
			(*pods)[0].Status.ContainerStatuses[0].ImageID = other
		}, []string{"pod kube-apiserver-cp image " + apiServer, other}},
		{"a pod reports another manifest under the release's name", func(_ *candidate, _ *machine, pods *[]corev1.Pod) {
			(*pods)[0].Status.ContainerStatuses[0].ImageID = "registry.example/kube-apiserver@" + other
		}, []string{"pod kube-apiserver-cp", "has " + other}},
		{"a pod runs one image's content under another's name", func(c *candidate, _ *machine, pods *[]corev1.Pod) {
			(*pods)[0].Status.ContainerStatuses[0].ImageID = c.config["coredns"]
		}, []string{"pod kube-apiserver-cp"}},
		{"a pod of a foreign image", func(_ *candidate, _ *machine, pods *[]corev1.Pod) {
			*pods = append(*pods, pod("guest", container{name: "guest", image: "registry.example/guest:1", id: other}))
		}, []string{"pod guest image registry.example/guest:1", "no image of the release"}},
		{"a foreign image in an init container", func(_ *candidate, _ *machine, pods *[]corev1.Pod) {
			*pods = append(*pods, pod("guest", container{name: "setup", image: "registry.example/guest:1", id: other, init: true}))
		}, []string{"pod guest image registry.example/guest:1", "no image of the release"}},
		{"the release's image under another tag", func(c *candidate, _ *machine, pods *[]corev1.Pod) {
			*pods = append(*pods, pod("old", container{name: "coredns", image: "registry.example/coredns/coredns:v1", id: c.config["coredns"]}))
		}, []string{"pod old", "no image of the release"}},
		{"a container that has not begun", func(_ *candidate, _ *machine, pods *[]corev1.Pod) {
			(*pods)[0].Status.ContainerStatuses[0].ImageID = ""
		}, []string{"pod kube-apiserver-cp", "has no such thing"}},
		{"a container that the pod does not have", func(c *candidate, _ *machine, pods *[]corev1.Pod) {
			ghost := (*pods)[0].Status.ContainerStatuses[0]
			ghost.Name = "ghost"
			(*pods)[0].Status.ContainerStatuses = append((*pods)[0].Status.ContainerStatuses, ghost)
		}, []string{"pod kube-apiserver-cp", "no image of the release"}},
		{"a container of which nothing is said", func(_ *candidate, _ *machine, pods *[]corev1.Pod) {
			(*pods)[0].Status.ContainerStatuses = nil
		}, []string{"pod kube-apiserver-cp", "has no such thing"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			c := newCandidate(t)
			bad, good, pods := c.machine(), c.machine(), c.pods()
			test.change(c, bad, &pods)
			got, err := c.prover().Compare(context.Background(), serve(t, pods, bad, good), c.rel)
			must(t, err)
			if len(got.Mismatched) != 1 {
				t.Fatalf("mismatched: %q, want one", got.Mismatched)
			}
			for _, want := range test.want {
				if !strings.Contains(got.Mismatched[0], want) {
					t.Errorf("%q does not say %q", got.Mismatched[0], want)
				}
			}
			place, _, _ := strings.Cut(test.want[0], " image ")
			if !slices.ContainsFunc(got.Checked, func(line string) bool { return strings.HasPrefix(line, place) }) {
				t.Errorf("what differs is not among what was checked: %q", got.Checked)
			}
		})
	}
}

// containerd reports the configuration, other runtimes the manifest, and each
// in several spellings.
func TestAnImageIsKnownByItsManifestAndByItsConfiguration(t *testing.T) {
	c := newCandidate(t)
	manifest, config := c.manifest["coredns"], c.config["coredns"]
	for _, id := range []string{
		config, manifest, "docker-pullable://registry.example/coredns/coredns@" + manifest,
		"registry.example/coredns/coredns@" + manifest, "registry.example/mirror/coredns@" + config,
	} {
		pods := []corev1.Pod{pod("coredns-1", container{name: "coredns", image: coreDNS, id: id})}
		got, err := c.prover().Compare(context.Background(), serve(t, pods, c.machine()), c.rel)
		must(t, err)
		if len(got.Mismatched) > 0 {
			t.Errorf("image ID %s: %q", id, got.Mismatched)
		}
	}
}

// Without a way to the image the configuration's digest is unknown, so only
// the manifest's proves anything.
func TestAnImageThatCannotBeHadIsKnownByItsManifestAlone(t *testing.T) {
	c := newCandidate(t)
	p := c.prover()
	p.Image = nil
	for id, same := range map[string]bool{c.manifest["coredns"]: true, c.config["coredns"]: false} {
		pods := []corev1.Pod{pod("coredns-1", container{name: "coredns", image: coreDNS, id: id})}
		got, err := p.Compare(context.Background(), serve(t, pods, c.machine()), c.rel)
		must(t, err)
		if (len(got.Mismatched) == 0) != same {
			t.Errorf("image ID %s: mismatched %q", id, got.Mismatched)
		}
	}
}

// What a node does not hold cannot be compared there, and is no difference:
// workers need no etcd.
func TestAnImageThatANodeDoesNotHoldIsNoDifference(t *testing.T) {
	c := newCandidate(t)
	m := c.machine()
	m.images = strings.ReplaceAll(m.images, apiServer, "registry.example/something/else:1")
	got, err := c.prover().Compare(context.Background(), serve(t, c.pods(), m), c.rel)
	must(t, err)
	if len(got.Mismatched) > 0 || slices.ContainsFunc(got.Checked, func(l string) bool { return strings.HasPrefix(l, "node node-1 image "+apiServer) }) {
		t.Errorf("got %+v", got)
	}
}

// An error means "could not look", and must never pass for "nothing differs".
func TestWhatCannotBeComparedIsAnError(t *testing.T) {
	tests := []struct {
		name   string
		change func(c *candidate, m *machine, pods *[]corev1.Pod)
		want   string
	}{
		{"kube-system is empty", func(_ *candidate, _ *machine, pods *[]corev1.Pod) { *pods = nil }, "kube-system has no pods"},
		{"a short hash", func(_ *candidate, m *machine, _ *[]corev1.Pod) { m.file["kubelet"] = "abc" }, `hashing kubelet: the node answered "abc`},
		{"no hash", func(_ *candidate, m *machine, _ *[]corev1.Pod) { m.file["kubeadm"] = "" }, "hashing kubeadm: the node answered"},
		{"no hash of the process", func(_ *candidate, m *machine, _ *[]corev1.Pod) { m.process["kubelet"] = "" }, "hashing kubelet: the node answered"},
		{"a complaint in the place of a hash", func(_ *candidate, m *machine, _ *[]corev1.Pod) { m.file["kubelet"] = "sha256sum: not found" }, "the node answered"},
		{"the node does not answer", func(_ *candidate, m *machine, _ *[]corev1.Pod) { m.fail = "sha256sum" }, "comparing node node-1 with the release: the node is gone"},
		{"the process cannot be asked for", func(_ *candidate, m *machine, _ *[]corev1.Pod) { m.fail = "/proc/" }, "comparing node node-1"},
		{"the image store does not answer", func(_ *candidate, m *machine, _ *[]corev1.Pod) { m.fail = "ctr" }, "comparing node node-1"},
		{"the release has no kubelet", func(c *candidate, _ *machine, _ *[]corev1.Pod) { c.without("bin/linux/amd64/kubelet") }, `no asset "bin/linux/amd64/kubelet"`},
		{"the release has no kubeadm", func(c *candidate, _ *machine, _ *[]corev1.Pod) { c.without("bin/linux/amd64/kubeadm") }, `no asset "bin/linux/amd64/kubeadm"`},
		{"an archive that cannot be fetched", func(c *candidate, _ *machine, _ *[]corev1.Pod) { delete(c.files, "bin/linux/amd64/kube-apiserver.tar") }, `no asset "bin/linux/amd64/kube-apiserver.tar"`},
		{"an archive that is gone", func(c *candidate, _ *machine, _ *[]corev1.Pod) {
			c.files["bin/linux/amd64/kube-apiserver.tar"] += ".gone"
		}, "no such file"},
		{"an archive of another image", func(c *candidate, _ *machine, _ *[]corev1.Pod) {
			c.files["bin/linux/amd64/kube-apiserver.tar"] = c.files["bin/linux/amd64/coredns.tar"]
		}, "its archive has no such image"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			c := newCandidate(t)
			m, pods := c.machine(), c.pods()
			test.change(c, m, &pods)
			_, err := c.prover().Compare(context.Background(), serve(t, pods, m), c.rel)
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("error %v, want %q", err, test.want)
			}
		})
	}
}

func TestAnAPIServerThatDoesNotTellIsAnError(t *testing.T) {
	c := newCandidate(t)
	for name, handler := range map[string]http.HandlerFunc{
		"forbidden": func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "no", http.StatusForbidden) },
		"garbage":   func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("<html>")) },
	} {
		_, err := c.prover().Compare(context.Background(), serveWith(t, handler, c.machine()), c.rel)
		if err == nil || !strings.Contains(err.Error(), "comparing the running pods with the release") {
			t.Errorf("%s: error %v", name, err)
		}
	}
	cluster := serve(t, c.pods(), c.machine())
	cluster.Kubeconfig += ".gone"
	if _, err := c.prover().Compare(context.Background(), cluster, c.rel); err == nil {
		t.Error("no kubeconfig: no error")
	}
}

func TestComparingEndsWithItsContext(t *testing.T) {
	c := newCandidate(t)
	asked := make(chan struct{})
	ctx, cancel := context.WithCancel(context.Background())
	cluster := serveWith(t, func(_ http.ResponseWriter, r *http.Request) {
		close(asked)
		<-r.Context().Done()
	}, c.machine())
	go func() {
		<-asked
		cancel()
	}()
	if _, err := c.prover().Compare(ctx, cluster, c.rel); err == nil {
		t.Error("no error")
	}
}

// A cluster of nothing does not differ in anything, and proves as much.
func TestComparingNothingIsAnError(t *testing.T) {
	c := newCandidate(t)
	silent := []corev1.Pod{pod("kube-apiserver-cp")}
	_, err := c.prover().Compare(context.Background(), serve(t, silent), c.rel)
	if err == nil || !strings.Contains(err.Error(), "nothing was compared") {
		t.Errorf("error %v", err)
	}
}

// The user's own cluster must never be asked, whatever the environment says.
func TestOnlyTheGivenKubeconfigIsRead(t *testing.T) {
	c := newCandidate(t)
	foreign := serveWith(t, func(http.ResponseWriter, *http.Request) { t.Error("the user's own cluster was asked") })
	t.Setenv("KUBECONFIG", foreign.Kubeconfig)
	cluster := serve(t, c.pods(), c.machine())
	_, err := c.prover().Compare(context.Background(), cluster, c.rel)
	must(t, err)
}

// The archive is looked for under the prover's architecture.
func TestTheArchitectureIsTheNodes(t *testing.T) {
	c := newCandidate(t)
	p := c.prover()
	p.Arch = "arm64"
	if _, err := p.Compare(context.Background(), serve(t, c.pods(), c.machine()), c.rel); err == nil || !strings.Contains(err.Error(), "bin/linux/arm64/kubelet") {
		t.Errorf("error %v", err)
	}
}

// Images are asked for once, and only where what runs is not known by the
// manifest already: they may have to be fetched.
func TestImagesAreAskedForOfTheRelease(t *testing.T) {
	c := newCandidate(t)
	p := c.prover()
	inner := p.Image
	var asked []string
	p.Image = func(ctx context.Context, rel *release.Release, asset, arch string) (string, error) {
		asked = append(asked, asset)
		if rel != c.rel {
			t.Errorf("%s was asked of another release", asset)
		}
		return inner(ctx, rel, asset, arch)
	}
	_, err := p.Compare(context.Background(), serve(t, c.pods(), c.machine()), c.rel)
	must(t, err)
	if !slices.Equal(asked, []string{"kube-apiserver-image"}) {
		t.Errorf("asked for %q", asked)
	}
}

// The first releases have kubeadm in an archive only.
func TestAProgramThatIsInAnArchiveOnly(t *testing.T) {
	c := newCandidate(t)
	c.without("bin/linux/amd64/kubeadm")
	for sum, same := range map[string]bool{sumOf("kubeadm"): true, sumOf("other"): false} {
		p := c.prover()
		p.Program = func(_ context.Context, rel *release.Release, arch, name string) (string, string, error) {
			if rel != c.rel || arch != "amd64" || name != "kubeadm" {
				t.Errorf("asked for %s of %s", name, arch)
			}
			return "", sum, nil
		}
		got, err := p.Compare(context.Background(), serve(t, c.pods(), c.machine()), c.rel)
		must(t, err)
		if (len(got.Mismatched) == 0) != same {
			t.Errorf("sum %s: mismatched %q", sum, got.Mismatched)
		}
	}
}

// A runtime that nodes were given beside the release is compared like the
// release: its files, and the process of the one that serves.
func TestWhatIsGivenBesideTheRelease(t *testing.T) {
	runtime := &release.Release{Name: "containerd-v1.7.32-source", Components: []release.Component{{Name: "containerd", GitTag: "v1.7.32"}}}
	for _, name := range []string{"containerd", "ctr"} {
		runtime.Components[0].Assets = append(runtime.Components[0].Assets, release.Asset{
			Component: "containerd", Name: "bin/linux/amd64/" + name, Type: release.Archive, SHA256: sumOf(name),
		})
	}
	for name, test := range map[string]struct {
		change func(m *machine)
		want   string // the one mismatch
	}{
		"as built":                       {func(*machine) {}, ""},
		"the system's own file":          {func(m *machine) { m.file["ctr"] = sumOf("own") }, "node node-1 file ctr: has " + sumOf("own")},
		"the system's own still running": {func(m *machine) { m.process["containerd"] = sumOf("own") }, "node node-1 process containerd: has " + sumOf("own")},
	} {
		t.Run(name, func(t *testing.T) {
			c := newCandidate(t)
			m := c.machine()
			m.file["containerd"], m.file["ctr"], m.process["containerd"] = sumOf("containerd"), sumOf("ctr"), sumOf("containerd")
			test.change(m)
			got, err := c.prover().Compare(context.Background(), serve(t, c.pods(), m), c.rel, runtime)
			must(t, err)
			if test.want == "" && len(got.Mismatched) > 0 || test.want != "" && (len(got.Mismatched) != 1 || !strings.Contains(got.Mismatched[0], test.want)) {
				t.Errorf("differs: %q, want %q", got.Mismatched, test.want)
			}
			for _, what := range []string{"file containerd", "file ctr", "process containerd"} {
				if !slices.ContainsFunc(got.Checked, func(line string) bool { return strings.HasPrefix(line, "node node-1 "+what+": ") }) {
					t.Errorf("%s was not compared: %q", what, got.Checked)
				}
			}
		})
	}
	c := newCandidate(t)
	if _, err := c.prover().Compare(context.Background(), serve(t, c.pods(), c.machine()), c.rel, &release.Release{Name: "nothing"}); err == nil || !strings.Contains(err.Error(), "nothing has no program") {
		t.Errorf("a part without programs: %v", err)
	}
}

// So are images, which have archives beside them that are no programs.
func TestImagesGivenBesideTheRelease(t *testing.T) {
	const ref = "registry.example/e2e-test-images/httpd:2.4.38-4"
	part := &release.Release{Name: "test-images-v1.34.4", Components: []release.Component{{Name: "test-images", GitTag: "v1.34.4", Assets: []release.Asset{
		{Component: "test-images", Name: "bin/linux/amd64/httpd-2.4.38-4.tar", Type: release.Archive, SHA256: sumOf("archive")},
		{Component: "test-images", Name: "httpd-2.4.38-4-image", Type: release.Image, URI: ref, Digest: "sha256:" + sumOf("httpd")},
	}}}}
	for held, want := range map[string]string{"httpd": "", "other": "node node-1 image " + ref + ": has sha256:" + sumOf("other")} {
		c := newCandidate(t)
		m := c.machine()
		m.images += ref + " application/vnd.oci.image.manifest.v1+json sha256:" + sumOf(held) + " 32.6 MiB linux/amd64 -\n"
		got, err := c.prover().Compare(context.Background(), serve(t, c.pods(), m), c.rel, part)
		must(t, err)
		if want == "" && len(got.Mismatched) > 0 || want != "" && (len(got.Mismatched) != 1 || !strings.Contains(got.Mismatched[0], want)) {
			t.Errorf("%s: differs %q, want %q", held, got.Mismatched, want)
		}
		if !slices.ContainsFunc(got.Checked, func(line string) bool { return strings.Contains(line, "image "+ref) }) {
			t.Errorf("%s: compared %q", held, got.Checked)
		}
	}
	c := newCandidate(t)
	if _, err := c.prover().Compare(context.Background(), serve(t, c.pods(), c.machine()), c.rel, part); err == nil || !strings.Contains(err.Error(), "the node holds no image of it") {
		t.Errorf("a node without the images: %v", err)
	}
}

// What the release has no digest of cannot be compared, and is not counted. It
// must be an image of the release all the same, and something that runs.
func TestImagesWithoutDigest(t *testing.T) {
	c := newCandidate(t)
	for i, a := range c.rel.Components[0].Assets {
		if a.Name == "coredns-image" {
			c.rel.Components[0].Assets[i].Digest = ""
		}
	}
	got, err := c.prover().Compare(context.Background(), serve(t, c.pods(), c.machine()), c.rel)
	must(t, err)
	if len(got.Mismatched) > 0 || slices.ContainsFunc(got.Checked, func(l string) bool { return strings.Contains(l, coreDNS) }) {
		t.Errorf("got %+v", got)
	}
	pods := c.pods()
	pods[1].Status.ContainerStatuses[0].ImageID = ""
	got, err = c.prover().Compare(context.Background(), serve(t, pods, c.machine()), c.rel)
	must(t, err)
	if len(got.Mismatched) != 1 || !strings.Contains(got.Mismatched[0], "pod coredns-1") {
		t.Errorf("one that does not run: %+v", got)
	}
}
