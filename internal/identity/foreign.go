package identity

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/qualify-dev/qualify/internal/cluster"
	"github.com/qualify-dev/qualify/internal/release"
)

// foreign compares a cluster whose nodes cannot be reached: the versions that
// it names, and the digests of the images that it says it runs. That a kubelet
// calls itself v1.34.4 does not prove that it is the release's, so what nobody
// could look at is said too.
func (p Prover) foreign(ctx context.Context, c *cluster.Cluster, rel *release.Release) (Comparison, error) {
	var result Comparison
	client, err := newClient(c.Kubeconfig)
	if err != nil {
		return result, err
	}
	version, err := client.Discovery().ServerVersion()
	if err != nil {
		return result, fmt.Errorf("asking the cluster for its version: %w", err)
	}
	result.add("API server version", plainVersion(version.GitVersion), rel.Kubernetes())
	nodes, err := client.CoreV1().Nodes().List(ctx, metav1.ListOptions{})
	if err != nil {
		return result, fmt.Errorf("listing the cluster's nodes: %w", err)
	}
	if len(nodes.Items) == 0 {
		return result, errors.New("the cluster has no nodes")
	}
	for _, n := range nodes.Items {
		info := n.Status.NodeInfo
		result.add("node "+n.Name+" version kubelet", plainVersion(info.KubeletVersion), rel.Kubernetes())
		result.Unproven = append(result.Unproven, fmt.Sprintf("the binaries on node %s (%s, %s): the node cannot be reached", n.Name, info.OSImage, info.ContainerRuntimeVersion))
	}
	expected := p.expectation(rel)
	pods, err := p.running(ctx, client)
	if err != nil {
		return result, fmt.Errorf("comparing the running pods with the release: %w", err)
	}
	seen := map[string]bool{}
	for _, pod := range pods {
		if err := expected.compareForeign(ctx, pod, seen, &result); err != nil {
			return result, fmt.Errorf("comparing the running pods with the release: %w", err)
		}
	}
	for uri := range expected.images {
		if name := baseName(uri); required(name) && !seen[name] {
			result.Unproven = append(result.Unproven, name+": no pod of kube-system runs it")
		}
	}
	return result, nil
}

// plainVersion is a version without what vendors add: v1.34.4-eks-1-34-7.
func plainVersion(version string) string {
	if at := strings.IndexAny(version, "-+"); at > 0 {
		return version[:at]
	}
	return version
}

// required are the images of a release that every cluster runs in one way or
// another; where no pod does, nobody has seen which.
func required(name string) bool {
	switch name {
	case "kube-apiserver", "kube-controller-manager", "kube-scheduler", "etcd", "coredns", "kube-proxy":
		return true
	}
	return false
}

// baseName is an image's name without registry, folders, tag and digest. Vendors
// serve the same image from registries of their own.
func baseName(ref string) string {
	ref, _, _ = strings.Cut(ref, "@")
	name, _, _ := strings.Cut(path.Base(ref), ":")
	return name
}

// compareForeign compares the containers of a pod whose images go by a name of
// the release. Others are the vendor's own, and nothing of the release's.
func (e *expectation) compareForeign(ctx context.Context, pod corev1.Pod, seen map[string]bool, into *Comparison) error {
	said := statements(pod)
	for _, c := range containers(pod) {
		name := baseName(c.image)
		what := "pod " + pod.Name + " image " + c.image
		var best *Comparison
		for _, ref := range slices.Sorted(maps.Keys(e.images)) {
			if baseName(ref) != name {
				continue
			}
			var one Comparison
			if err := e.compareContainer(ctx, what, ref, said[c.name], &one); err != nil {
				return err
			}
			if best == nil || len(one.Mismatched) < len(best.Mismatched) {
				best = &one
			}
		}
		if best == nil {
			into.Unproven = append(into.Unproven, what+": the release has none of that name")
			continue
		}
		seen[name] = true
		into.Checked, into.Mismatched = append(into.Checked, best.Checked...), append(into.Mismatched, best.Mismatched...)
	}
	return nil
}
