package bootstrap

import (
	"context"
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"
	storagev1 "k8s.io/api/storage/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"
)

// Finish adds what kind's clusters have beside what kubeadm makes: a default
// StorageClass and, where the control plane is the only node, room for
// workloads on it.
func Finish(ctx context.Context, way *Access, alone bool) error {
	client, err := way.Client(ctx)
	if err != nil {
		return err
	}
	class := &storagev1.StorageClass{
		ObjectMeta:  metav1.ObjectMeta{Name: "standard", Annotations: map[string]string{"storageclass.kubernetes.io/is-default-class": "true"}},
		Provisioner: "kubernetes.io/host-path",
	}
	if _, err := client.StorageV1().StorageClasses().Create(ctx, class, metav1.CreateOptions{}); err != nil && !apierrors.IsAlreadyExists(err) {
		return fmt.Errorf("%w: making the default StorageClass: %w", ErrUnready, err)
	}
	if !alone {
		return nil
	}
	nodes, err := client.CoreV1().Nodes().List(ctx, metav1.ListOptions{})
	if err != nil {
		return fmt.Errorf("%w: listing nodes: %w", ErrUnready, err)
	}
	for _, n := range nodes.Items {
		if err := admitWorkloads(ctx, client, n); err != nil {
			return fmt.Errorf("%w: admitting workloads to node %s: %w", ErrUnready, n.Name, err)
		}
	}
	return nil
}

// admitWorkloads takes the marks of a control plane from a node that keep
// workloads and their load balancers away.
func admitWorkloads(ctx context.Context, client kubernetes.Interface, n corev1.Node) error {
	if _, marked := n.Labels["node.kubernetes.io/exclude-from-external-load-balancers"]; marked {
		patch := `{"metadata":{"labels":{"node.kubernetes.io/exclude-from-external-load-balancers":null}}}`
		if _, err := client.CoreV1().Nodes().Patch(ctx, n.Name, types.MergePatchType, []byte(patch), metav1.PatchOptions{}); err != nil {
			return err
		}
	}
	var taints []string
	for i, t := range n.Spec.Taints {
		if t.Key == "node-role.kubernetes.io/control-plane" {
			at := fmt.Sprintf("/spec/taints/%d", i)
			taints = append(taints, fmt.Sprintf(`{"op":"test","path":"%s/key","value":%q},{"op":"remove","path":"%s"}`, at, t.Key, at))
		}
	}
	if len(taints) == 0 {
		return nil
	}
	_, err := client.CoreV1().Nodes().Patch(ctx, n.Name, types.JSONPatchType, []byte("["+strings.Join(taints, ",")+"]"), metav1.PatchOptions{})
	return err
}
