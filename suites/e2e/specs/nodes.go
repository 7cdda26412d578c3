package specs

import (
	"context"
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

const controlPlaneLabel = "node-role.kubernetes.io/control-plane"

// nodes returns the cluster's nodes by name.
func (e *env) nodes(ctx context.Context) []corev1.Node {
	list, err := e.client().CoreV1().Nodes().List(ctx, metav1.ListOptions{})
	e.ok(err, "listing nodes")
	slices.SortFunc(list.Items, func(x, y corev1.Node) int { return strings.Compare(x.Name, y.Name) })
	return list.Items
}

// workers returns the names of at least two worker nodes, or fails the spec: a
// skip would make a cluster without a pod network across nodes look good.
func (e *env) workers(ctx context.Context) []string {
	found := workers(e.nodes(ctx))
	if len(found) < 2 {
		e.fail(fmt.Sprintf("this spec needs 2 ready, untainted worker nodes, found %d: %v", len(found), found))
	}
	return found
}

// workers are the nodes an ordinary pod may be scheduled on.
func workers(nodes []corev1.Node) []string {
	var names []string
	for i := range nodes {
		n := &nodes[i]
		if nodeReady(n) && !n.Spec.Unschedulable && !slices.ContainsFunc(n.Spec.Taints, keepsPodsOff) {
			names = append(names, n.Name)
		}
	}
	return names
}

func keepsPodsOff(t corev1.Taint) bool {
	return t.Effect == corev1.TaintEffectNoSchedule || t.Effect == corev1.TaintEffectNoExecute
}

// controlPlanes are the control-plane nodes that are in the API; a managed
// cluster has none.
func controlPlanes(nodes []corev1.Node) []string {
	var names []string
	for i := range nodes {
		if _, is := nodes[i].Labels[controlPlaneLabel]; is && nodeReady(&nodes[i]) {
			names = append(names, nodes[i].Name)
		}
	}
	return names
}

func nodeReady(n *corev1.Node) bool {
	for _, c := range n.Status.Conditions {
		if c.Type == corev1.NodeReady {
			return c.Status == corev1.ConditionTrue
		}
	}
	return false
}

// internalIP is a node's first internal address, or "".
func internalIP(n *corev1.Node) string {
	for _, a := range n.Status.Addresses {
		if a.Type == corev1.NodeInternalIP {
			return a.Address
		}
	}
	return ""
}
