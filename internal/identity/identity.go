// Package identity proves what a cluster runs: the binaries and images on its
// nodes are compared, byte for byte by digest, with those of the release.
// Tests on a cluster that is not the release say nothing about it.
package identity

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"path"
	"slices"
	"sort"
	"strings"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/qualify-dev/qualify/internal/cluster"
	"github.com/qualify-dev/qualify/internal/release"
)

// Comparison is what was compared and what differed, one line each.
type Comparison struct {
	Checked    []string
	Mismatched []string
	Unproven   []string // what nobody could look at
}

func (c *Comparison) add(what, got, want string) {
	line := fmt.Sprintf("%s: %s", what, got)
	if got != want || got == "" {
		c.Mismatched = append(c.Mismatched, fmt.Sprintf("%s: has %s, the release has %s", what, orNothing(got), orNothing(want)))
		line += " (differs)"
	}
	c.Checked = append(c.Checked, line)
}

func orNothing(digest string) string {
	if digest == "" {
		return "no such thing"
	}
	return digest
}

// Prover compares clusters with releases.
type Prover struct {
	// Image returns the path of a verified OCI archive with an image of the
	// release. Where it is nil, images are known by their manifests alone.
	Image func(ctx context.Context, rel *release.Release, asset, arch string) (string, error)
	// Program returns the path and the SHA-256 of a program of the release. It is
	// asked for those that the manifest gives no digest of.
	Program func(ctx context.Context, rel *release.Release, arch, name string) (file, sum string, err error)
	// Arch is the architecture of the nodes.
	Arch string
	// Settle is how long the pods of a new cluster have to start; 0 is a minute.
	Settle time.Duration
}

// Compare looks at every node and at every pod of the control plane. Images
// that the release has no digest of are not compared: whoever plans has either
// refused them or names them in the verdict. parts are
// what the nodes were given beside the release: programs, found by their names.
// The error means that it could not look; what differs is no error.
func (p Prover) Compare(ctx context.Context, c *cluster.Cluster, rel *release.Release, parts ...*release.Release) (Comparison, error) {
	var result Comparison
	var err error
	if c.Foreign {
		result, err = p.foreign(ctx, c, rel)
	} else {
		result, err = p.own(ctx, c, rel, parts)
	}
	if err != nil {
		return result, err
	}
	sort.Strings(result.Checked)
	sort.Strings(result.Mismatched)
	sort.Strings(result.Unproven)
	if len(result.Checked) == 0 {
		return result, errors.New("nothing was compared with the release")
	}
	return result, nil
}

// own compares a cluster whose nodes can be reached.
func (p Prover) own(ctx context.Context, c *cluster.Cluster, rel *release.Release, parts []*release.Release) (Comparison, error) {
	result, err := p.nodes(ctx, c.Nodes, rel, parts)
	if err != nil {
		return result, err
	}
	if err := p.pods(ctx, c, rel, &result); err != nil {
		return result, fmt.Errorf("comparing the running pods with the release: %w", err)
	}
	return result, nil
}

// nodes looks at all nodes at the same time: mostly they wait for their disks.
func (p Prover) nodes(ctx context.Context, nodes []cluster.Node, rel *release.Release, parts []*release.Release) (Comparison, error) {
	found, errs := make([]Comparison, len(nodes)), make([]error, len(nodes))
	var wg sync.WaitGroup
	for i, n := range nodes {
		wg.Go(func() {
			err := p.node(ctx, n, rel, &found[i])
			for _, part := range parts {
				err = errors.Join(err, p.part(ctx, n, part, &found[i]))
			}
			if err != nil {
				errs[i] = fmt.Errorf("comparing node %s with the release: %w", n.Name, err)
			}
		})
	}
	wg.Wait()
	var all Comparison
	for _, part := range found {
		all.Checked, all.Mismatched = append(all.Checked, part.Checked...), append(all.Mismatched, part.Mismatched...)
	}
	return all, errors.Join(errs...)
}

// node compares the binaries of a node, the kubelet that runs on it (which
// need not be the one on disk any more), and the images that it holds.
func (p Prover) node(ctx context.Context, n cluster.Node, rel *release.Release, into *Comparison) error {
	for _, name := range []string{"kubelet", "kubeadm"} {
		asset, err := p.program(ctx, rel, name)
		if err != nil {
			return err
		}
		if err := compareProgram(ctx, n, asset, name == "kubelet", into); err != nil {
			return err
		}
	}
	found, err := compareImages(ctx, n, rel, into)
	if err == nil && found == 0 {
		err = errors.New("its containerd lists no image of the release")
	}
	return err
}

// compareImages compares those images of a release that a node holds, and
// returns how many there are.
func compareImages(ctx context.Context, n cluster.Node, rel *release.Release, into *Comparison) (found int, err error) {
	held, err := cluster.Images(ctx, n)
	if err != nil {
		return 0, err
	}
	for _, image := range rel.Images() {
		digest, ok := held[image.URI]
		if ok {
			found++
		}
		if ok && image.Digest != "" {
			into.add("node "+n.Name+" image "+image.URI, digest, image.Digest)
		}
	}
	return found, nil
}

// part compares what a node was given beside the release: programs, images or
// both.
func (p Prover) part(ctx context.Context, n cluster.Node, part *release.Release, into *Comparison) error {
	found := p.programsOf(part)
	for _, asset := range found {
		if err := compareProgram(ctx, n, asset, path.Base(asset.Name) == asset.Component, into); err != nil {
			return err
		}
	}
	images := 0
	if len(part.Images()) > 0 {
		var err error
		if images, err = compareImages(ctx, n, part, into); err != nil {
			return err
		}
	}
	if len(found) == 0 && images == 0 {
		return fmt.Errorf("%s has no program for linux/%s, and the node holds no image of it", part.Name, p.Arch)
	}
	return nil
}

// program is the asset of a program of the release, with the SHA-256 that it has.
func (p Prover) program(ctx context.Context, rel *release.Release, name string) (release.Asset, error) {
	asset, err := rel.Asset("bin/linux/" + p.Arch + "/" + name)
	if err == nil && asset.SHA256 != "" {
		return asset, nil
	}
	if p.Program == nil {
		return asset, cmp.Or(err, fmt.Errorf("release %s has no sha256 of %s", rel.Name, asset.Name))
	}
	asset.Name = name
	_, asset.SHA256, err = p.Program(ctx, rel, p.Arch, name)
	return asset, err
}

// programsOf are the programs of what a node was given beside the release. The
// one that has the component's name is a service, and runs. Archives of images
// are no programs.
func (p Prover) programsOf(part *release.Release) []release.Asset {
	var programs []release.Asset
	for _, asset := range part.Assets() {
		name, is := strings.CutPrefix(asset.Name, "bin/linux/"+p.Arch+"/")
		if is && asset.Type == release.Archive && !strings.HasSuffix(name, ".tar") {
			programs = append(programs, asset)
		}
	}
	return programs
}

// compareProgram compares the file of a program that a node finds by its name
// and, of a service, the file that runs.
func compareProgram(ctx context.Context, n cluster.Node, asset release.Asset, service bool, into *Comparison) error {
	name := path.Base(asset.Name)
	got, err := hashOf(ctx, n, `f=$(command -v "$1"); sha256sum < "$f"`, name)
	if err != nil {
		return err
	}
	into.add("node "+n.Name+" file "+name, got, asset.SHA256)
	if !service {
		return nil
	}
	running, err := hashOf(ctx, n, `p=$(systemctl show -p MainPID --value "$1"); sha256sum < "/proc/$p/exe"`, name)
	if err != nil {
		return err
	}
	into.add("node "+n.Name+" process "+name, running, asset.SHA256)
	return nil
}

func hashOf(ctx context.Context, n cluster.Node, script, name string) (string, error) {
	out, err := n.Exec(ctx, cluster.Command("sh", "-euc", script, "sh", name))
	if err != nil {
		return "", err
	}
	hash, _, _ := strings.Cut(strings.TrimSpace(string(out.Stdout)), " ")
	if len(hash) != 64 {
		return "", fmt.Errorf("hashing %s: the node answered %q", name, out.Stdout)
	}
	return hash, nil
}

// pods compares every container of kube-system, static pods included. Its
// image has to be one of the release, and what runs has to be its content.
func (p Prover) pods(ctx context.Context, c *cluster.Cluster, rel *release.Release, into *Comparison) error {
	client, err := newClient(c.Kubeconfig)
	if err != nil {
		return err
	}
	pods, err := p.running(ctx, client)
	if err != nil {
		return err
	}
	expected := p.expectation(rel)
	for _, pod := range pods {
		if err := expected.comparePod(ctx, pod, into); err != nil {
			return err
		}
	}
	return nil
}

// settle is how long the pods of a new cluster have to start. What has not
// started by then is compared as it is: as nothing.
const settle = time.Minute

// running lists the pods of kube-system, once each of their containers says
// what it runs or the time for that is over.
func (p Prover) running(ctx context.Context, client kubernetes.Interface) ([]corev1.Pod, error) {
	patience := p.Settle
	if patience == 0 {
		patience = settle
	}
	deadline := time.After(patience)
	for {
		pods, err := client.CoreV1().Pods("kube-system").List(ctx, metav1.ListOptions{})
		if err != nil {
			return nil, err
		}
		if len(pods.Items) == 0 {
			return nil, errors.New("kube-system has no pods")
		}
		if !slices.ContainsFunc(pods.Items, silent) {
			return pods.Items, nil
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-deadline:
			return pods.Items, nil
		case <-time.After(500 * time.Millisecond):
		}
	}
}

// silent tells a pod with a container that does not say what it runs.
func silent(pod corev1.Pod) bool {
	said := statements(pod)
	return slices.ContainsFunc(containers(pod), func(c wanted) bool { return said[c.name] == "" })
}

// statements are what a pod's containers say they run, by container name.
func statements(pod corev1.Pod) map[string]string {
	said := map[string]string{}
	for _, statuses := range [][]corev1.ContainerStatus{pod.Status.InitContainerStatuses, pod.Status.ContainerStatuses, pod.Status.EphemeralContainerStatuses} {
		for _, status := range statuses {
			said[status.Name] = status.ImageID
		}
	}
	return said
}

// expectation is what the pods of a release may run.
type expectation struct {
	prover Prover
	rel    *release.Release
	images map[string]image // by reference
}

// image is what a running container of an image may report as its image ID:
// the digest of the manifest, or of the configuration, which holds the digests
// of all layers.
type image struct{ asset, manifest, config string }

func (p Prover) expectation(rel *release.Release) *expectation {
	e := &expectation{prover: p, rel: rel, images: map[string]image{}}
	for _, a := range rel.Images() {
		e.images[a.URI] = image{asset: a.Name, manifest: a.Digest}
	}
	return e
}

// comparePod compares each container of a pod. One that says nothing of what
// it runs has not been compared, and that counts as a difference.
func (e *expectation) comparePod(ctx context.Context, pod corev1.Pod, into *Comparison) error {
	said := statements(pod)
	for _, c := range containers(pod) {
		if err := e.compareContainer(ctx, "pod "+pod.Name+" image "+c.image, c.image, said[c.name], into); err != nil {
			return err
		}
		delete(said, c.name)
	}
	for name, id := range said {
		if err := e.compareContainer(ctx, "pod "+pod.Name+" container "+name+", which it does not have", "", id, into); err != nil {
			return err
		}
	}
	return nil
}

// wanted is a container of a pod, of whatever kind.
type wanted struct{ name, image string }

func containers(pod corev1.Pod) []wanted {
	var all []wanted
	for _, c := range append(append([]corev1.Container(nil), pod.Spec.InitContainers...), pod.Spec.Containers...) {
		all = append(all, wanted{c.Name, c.Image})
	}
	for _, c := range pod.Spec.EphemeralContainers {
		all = append(all, wanted{c.Name, c.Image})
	}
	return all
}

func (e *expectation) compareContainer(ctx context.Context, what, ref, id string, into *Comparison) error {
	want, ours := e.images[ref]
	got := id[strings.LastIndex(id, "@")+1:]
	if !ours {
		into.Checked = append(into.Checked, what+": "+id)
		into.Mismatched = append(into.Mismatched, what+": is no image of the release")
		return nil
	}
	if want.manifest == "" && got != "" {
		return nil // there is nothing to compare with: it was allowed, and the verdict names it
	}
	if got != want.manifest && got != "" && want.config == "" && e.prover.Image != nil {
		var err error
		if want.config, err = e.config(ctx, want); err != nil {
			return fmt.Errorf("image %s: %w", ref, err)
		}
		e.images[ref] = want
	}
	if got == want.manifest || want.config == "" {
		into.add(what, got, want.manifest)
	} else {
		into.add(what, got, want.config)
	}
	return nil
}

// config reads the digest of an image's configuration out of its verified
// archive. That can mean to fetch it, so it is done where somebody reports
// another digest than the manifest's.
func (e *expectation) config(ctx context.Context, want image) (string, error) {
	file, err := e.prover.Image(ctx, e.rel, want.asset, e.prover.Arch)
	if err != nil {
		return "", err
	}
	return release.ImageConfig(file, want.manifest, e.prover.Arch)
}

func newClient(kubeconfig string) (kubernetes.Interface, error) {
	config, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	if err != nil {
		return nil, err
	}
	config.Timeout = 30 * time.Second
	return kubernetes.NewForConfig(config)
}
