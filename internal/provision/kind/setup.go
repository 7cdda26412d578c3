package kind

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	storagev1 "k8s.io/api/storage/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"
	"sigs.k8s.io/kind/pkg/log"

	"github.com/qualify-dev/qualify/internal/bootstrap"
	"github.com/qualify-dev/qualify/internal/cluster"
	"github.com/qualify-dev/qualify/internal/provision"
	"github.com/qualify-dev/qualify/internal/sink"
)

// kubeadmConfig is where kind's library puts kubeadm's configuration.
const kubeadmConfig = "/kind/kubeadm.conf"

// setUp makes a cluster of nodes that kind's library has made and configured,
// and does what that does around kubeadm. The pod network is wired beside it,
// and may be unfinished when setUp returns: wiring tells.
func setUp(ctx context.Context, lease provision.Lease, c *cluster.Cluster, way *access, logger log.Logger) (wiring, error) {
	network := &podNetwork{client: way.client, forwards: proxyForwards}
	wires := network.start(ctx, len(c.Nodes))
	watchCtx, stopWatch := context.WithCancel(ctx)
	defer stopWatch()
	go watchKubelets(watchCtx, lease, 15*time.Second)
	kubeadm := bootstrap.Kubeadm{
		ControlPlane: c.Nodes[0], Workers: c.Nodes[1:], Config: kubeadmConfig, Access: way.client,
		Log: func(node, text string) { logger.V(0).Infof("kubeadm on %s:\n%s", node, text) },
	}
	err := kubeadm.Up(ctx)
	if err == nil {
		err = finish(ctx, way, len(c.Nodes) == 1)
	}
	if err != nil {
		wires.stop()
		return wiring{}, err
	}
	return wires, nil
}

// finish adds what kind's clusters have beside what kubeadm makes: a default
// StorageClass and, where the control plane is the only node, room for
// workloads on it.
func finish(ctx context.Context, way *access, alone bool) error {
	client, err := way.client(ctx)
	if err != nil {
		return err
	}
	class := &storagev1.StorageClass{
		ObjectMeta:  metav1.ObjectMeta{Name: "standard", Annotations: map[string]string{"storageclass.kubernetes.io/is-default-class": "true"}},
		Provisioner: "kubernetes.io/host-path",
	}
	if _, err := client.StorageV1().StorageClasses().Create(ctx, class, metav1.CreateOptions{}); err != nil && !apierrors.IsAlreadyExists(err) {
		return fmt.Errorf("%w: making the default StorageClass: %w", errNotReady, err)
	}
	if !alone {
		return nil
	}
	nodes, err := client.CoreV1().Nodes().List(ctx, metav1.ListOptions{})
	if err != nil {
		return fmt.Errorf("%w: listing nodes: %w", errNotReady, err)
	}
	for _, n := range nodes.Items {
		if err := admitWorkloads(ctx, client, n); err != nil {
			return fmt.Errorf("%w: admitting workloads to node %s: %w", errNotReady, n.Name, err)
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

// access is the way to a cluster's API server, once there is one. It writes
// the kubeconfig when it first has it.
type access struct {
	kubeconfig func() (string, error) // as the control plane has it
	sink       *sink.Sink
	file       string

	mu   sync.Mutex
	last time.Time
	made kubernetes.Interface
	err  error
}

// accessPace is how often the control plane is asked for its kubeconfig. Each
// time takes a process in the node, while the machine has better things to do.
const accessPace = time.Second

// client returns the client, or why there is none yet.
func (a *access) client(context.Context) (kubernetes.Interface, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.made != nil || time.Since(a.last) < accessPace {
		return a.made, a.err
	}
	a.made, a.err = a.look()
	a.last = time.Now()
	return a.made, a.err
}

func (a *access) look() (kubernetes.Interface, error) {
	text, err := a.kubeconfig()
	if err != nil {
		return nil, err
	}
	client, err := newClient([]byte(text))
	if err != nil {
		return nil, err
	}
	if err := a.sink.WriteKubeconfig(a.file, []byte(text)); err != nil {
		return nil, fmt.Errorf("writing the kubeconfig: %w", err)
	}
	return client, nil
}
