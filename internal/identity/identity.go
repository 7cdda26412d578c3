// Package identity proves what a cluster runs: the binaries and images on its
// nodes are compared, byte for byte by digest, with those of the release.
// Tests on a cluster that is not the release say nothing about it.
package identity

import (
	"archive/tar"
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
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
	// Artifact returns the path of a verified asset of the release.
	Artifact func(ctx context.Context, rel *release.Release, asset string) (string, error)
	// Arch is the architecture of the nodes.
	Arch string
	// Settle is how long the pods of a new cluster have to start; 0 is a minute.
	Settle time.Duration
}

// Compare looks at every node and at every pod of the control plane. parts are
// what the nodes were given beside the release: programs, found by their names.
// The error means that it could not look; what differs is no error.
func (p Prover) Compare(ctx context.Context, c *cluster.Cluster, rel *release.Release, parts ...*release.Release) (Comparison, error) {
	result, err := p.nodes(ctx, c.Nodes, rel, parts)
	if err != nil {
		return result, err
	}
	if err := p.pods(ctx, c, rel, &result); err != nil {
		return result, fmt.Errorf("comparing the running pods with the release: %w", err)
	}
	sort.Strings(result.Checked)
	sort.Strings(result.Mismatched)
	if len(result.Checked) == 0 {
		return result, errors.New("nothing was compared with the release")
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
				err = errors.Join(err, p.programs(ctx, n, part, &found[i]))
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
		asset, err := rel.Asset("bin/linux/" + p.Arch + "/" + name)
		if err != nil {
			return err
		}
		if err := compareProgram(ctx, n, asset, name == "kubelet", into); err != nil {
			return err
		}
	}
	held, err := imagesOn(ctx, n)
	if err != nil {
		return err
	}
	found := 0
	for _, image := range rel.Images() {
		if digest, ok := held[image.URI]; ok {
			into.add("node "+n.Name+" image "+image.URI, digest, image.Digest)
			found++
		}
	}
	if found == 0 {
		return errors.New("its containerd lists no image of the release")
	}
	return nil
}

// programs compares the programs of what a node was given beside the release.
// The one that has the component's name is a service, and runs.
func (p Prover) programs(ctx context.Context, n cluster.Node, part *release.Release, into *Comparison) error {
	found := 0
	for _, asset := range part.Assets() {
		name, is := strings.CutPrefix(asset.Name, "bin/linux/"+p.Arch+"/")
		if !is || asset.Type != release.Archive {
			continue
		}
		if err := compareProgram(ctx, n, asset, name == asset.Component, into); err != nil {
			return err
		}
		found++
	}
	if found == 0 {
		return fmt.Errorf("%s has no program for linux/%s", part.Name, p.Arch)
	}
	return nil
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

// imagesOn lists the images that a node's containerd holds: digest by name.
func imagesOn(ctx context.Context, n cluster.Node) (map[string]string, error) {
	out, err := n.Exec(ctx, cluster.Command("ctr", "-n", "k8s.io", "images", "ls"))
	if err != nil {
		return nil, err
	}
	held := map[string]string{}
	for _, line := range strings.Split(string(out.Stdout), "\n") {
		if fields := strings.Fields(line); len(fields) >= 3 && strings.HasPrefix(fields[2], "sha256:") {
			held[fields[0]] = fields[2]
		}
	}
	return held, nil
}

// pods compares every container of kube-system, static pods included. Its
// image has to be one of the release, and what runs has to be its content.
func (p Prover) pods(ctx context.Context, c *cluster.Cluster, rel *release.Release, into *Comparison) error {
	expected, err := p.expected(ctx, rel)
	if err != nil {
		return err
	}
	client, err := newClient(c.Kubeconfig)
	if err != nil {
		return err
	}
	pods, err := p.running(ctx, client)
	if err != nil {
		return err
	}
	for _, pod := range pods {
		comparePod(pod, expected, into)
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

// comparePod compares each container of a pod. One that says nothing of what
// it runs has not been compared, and that counts as a difference.
func comparePod(pod corev1.Pod, expected map[string]image, into *Comparison) {
	said := statements(pod)
	for _, c := range containers(pod) {
		compareContainer("pod "+pod.Name+" image "+c.image, c.image, said[c.name], expected, into)
		delete(said, c.name)
	}
	for name, id := range said {
		compareContainer("pod "+pod.Name+" container "+name+", which it does not have", "", id, expected, into)
	}
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

// image is what a running container of an image may report as its image ID:
// the digest of the manifest, or of the configuration, which holds the digests
// of all layers.
type image struct{ manifest, config string }

func compareContainer(what, ref, id string, expected map[string]image, into *Comparison) {
	want, ours := expected[ref]
	got := id[strings.LastIndex(id, "@")+1:]
	switch {
	case !ours:
		into.Checked = append(into.Checked, what+": "+id)
		into.Mismatched = append(into.Mismatched, what+": is no image of the release")
	case got == want.manifest || want.config == "":
		into.add(what, got, want.manifest)
	default:
		into.add(what, got, want.config)
	}
}

// expected maps each image of the release to its digests. The configuration's
// digest comes out of the verified image archive.
func (p Prover) expected(ctx context.Context, rel *release.Release) (map[string]image, error) {
	all := map[string]image{}
	for _, a := range rel.Images() {
		entry := image{manifest: a.Digest}
		archive := "bin/linux/" + p.Arch + "/" + strings.TrimSuffix(a.Name, "-image") + ".tar"
		if _, err := rel.Asset(archive); err == nil {
			file, err := p.Artifact(ctx, rel, archive)
			if err != nil {
				return nil, err
			}
			if entry.config, err = configDigest(file, a.Digest); err != nil {
				return nil, fmt.Errorf("image %s: %w", a.URI, err)
			}
		}
		all[a.URI] = entry
	}
	return all, nil
}

// configDigest reads the digest of an image's configuration out of its
// manifest in an OCI archive.
func configDigest(file, manifest string) (string, error) {
	f, err := os.Open(file)
	if err != nil {
		return "", err
	}
	defer f.Close()
	blob := "blobs/" + strings.Replace(manifest, ":", "/", 1)
	in := tar.NewReader(bufio.NewReader(f))
	for {
		h, err := in.Next()
		if errors.Is(err, io.EOF) {
			return "", fmt.Errorf("its archive has no manifest %s", manifest)
		}
		if err != nil {
			return "", fmt.Errorf("reading its archive: %w", err)
		}
		if h.Name != blob {
			continue
		}
		var m struct{ Config struct{ Digest string } }
		if err := json.NewDecoder(io.LimitReader(in, 4<<20)).Decode(&m); err != nil {
			return "", fmt.Errorf("reading its manifest: %w", err)
		}
		return m.Config.Digest, nil
	}
}

func newClient(kubeconfig string) (kubernetes.Interface, error) {
	config, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	if err != nil {
		return nil, err
	}
	config.Timeout = 30 * time.Second
	return kubernetes.NewForConfig(config)
}
