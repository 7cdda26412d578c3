// Package bootstrap makes a cluster of nodes with kubeadm, over the nodes'
// transport. It knows no provisioner.
package bootstrap

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"github.com/qualify-dev/qualify/internal/cluster"
)

// Kubeadm makes a cluster of nodes that are prepared: container runtime,
// kubelet and kubeadm are there, and kubeadm's configuration is too.
type Kubeadm struct {
	ControlPlane cluster.Node
	// More are further control planes. They join by the certificates that the
	// first has uploaded, under the key in the configuration.
	More    []cluster.Node
	Workers []cluster.Node
	Config  string // path of kubeadm's configuration, on every node
	// Access returns a client of the API server with the rights of its
	// administrator, or an error as long as there is none.
	Access func(ctx context.Context) (kubernetes.Interface, error)
	// Log hears what kubeadm printed; never nil.
	Log func(node, text string)
	// Patience is how long the API server may take, after kubeadm has said that
	// the control plane is up, to show what the next step needs. 0 stands for a
	// minute.
	Patience time.Duration
}

// StepError is a step that failed. What kubeadm printed is in Output; it is
// empty where kubeadm was not the one who failed.
type StepError struct {
	Step   string // "init", "addons" or "join"
	Node   string
	Output string
	Err    error
}

// Error names the step and the node.
func (e *StepError) Error() string {
	return fmt.Sprintf("kubeadm %s on node %s: %v", e.Step, e.Node, e.Err)
}

// Unwrap returns the cause.
func (e *StepError) Unwrap() error { return e.Err }

// ErrNotReady marks a step that was never begun, because the API server did
// not show what it needs.
var ErrNotReady = errors.New("the API server is not ready for it")

// Up initialises the control plane and joins the workers, and returns when
// kubeadm has on all of them. It does not wait until they are Ready.
//
// kubeadm does one thing after the other, and on a small machine most of them
// are waiting. Here a step begins when what it needs is there: the addons when
// the API server obeys the administrator, the joins when the information for joining is signed.
// A kubeadm that asks for that too early asks again only after five seconds
// (DiscoveryRetryInterval in its constants).
func (k Kubeadm) Up(ctx context.Context) error {
	work, ctx := errgroup.WithContext(ctx)
	up := make(chan struct{})
	work.Go(func() error {
		defer close(up)
		argv := []string{"kubeadm", "init", "--config=" + k.Config, "--skip-token-print", "--skip-phases=preflight,addon", "--v=5"}
		if len(k.More) > 0 {
			argv = append(argv, "--upload-certs", "--skip-certificate-key-print")
		}
		return k.run(ctx, k.ControlPlane, "init", argv...)
	})
	work.Go(func() error {
		if err := k.await(ctx, up, administrable); err != nil {
			return &StepError{Step: "addons", Node: k.ControlPlane.Name, Err: err}
		}
		return k.run(ctx, k.ControlPlane, "addons", "kubeadm", "init", "phase", "addon", "all", "--config="+k.Config, "--v=5")
	})
	if len(k.Workers)+len(k.More) > 0 {
		work.Go(func() error { return k.join(ctx, up) })
	}
	return work.Wait()
}

func (k Kubeadm) join(ctx context.Context, up <-chan struct{}) error {
	if err := k.await(ctx, up, joinable); err != nil {
		return &StepError{Step: "join", Node: slices.Concat(k.Workers, k.More)[0].Name, Err: err}
	}
	work, ctx := errgroup.WithContext(ctx)
	for _, n := range k.Workers {
		work.Go(func() error { return k.joinNode(ctx, n) })
	}
	work.Go(func() error { // etcd takes one member after the other
		for _, n := range k.More {
			if err := k.joinNode(ctx, n); err != nil {
				return err
			}
		}
		return nil
	})
	return work.Wait()
}

func (k Kubeadm) joinNode(ctx context.Context, n cluster.Node) error {
	return k.run(ctx, n, "join", "kubeadm", "join", "--config="+k.Config, "--skip-phases=preflight", "--v=5")
}

// run runs kubeadm on a node.
func (k Kubeadm) run(ctx context.Context, n cluster.Node, step string, argv ...string) error {
	out, err := n.Exec(ctx, cluster.Command(argv...))
	said := strings.TrimSpace(string(out.Stdout) + "\n" + string(out.Stderr))
	k.Log(n.Name, said)
	if err == nil {
		return nil
	}
	return &StepError{Step: step, Node: n.Name, Output: said, Err: err}
}

// pace is how often the API server is looked at, and accessPace how often it
// is looked for: that takes a process on the node.
const (
	pace       = 200 * time.Millisecond
	accessPace = time.Second
)

// await repeats a check of the API server until it holds. Before kubeadm says
// that the control plane is up there is no hurry; after that there is.
func (k Kubeadm) await(ctx context.Context, up <-chan struct{}, check func(context.Context, kubernetes.Interface) error) error {
	patience := k.Patience
	if patience == 0 {
		patience = time.Minute
	}
	var late <-chan time.Time
	for {
		wait := pace
		client, err := k.Access(ctx)
		if err != nil {
			wait = accessPace
		} else if err = check(ctx, client); err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-up:
			up, late = nil, time.After(patience)
		case <-late:
			return fmt.Errorf("%w after %s: %w", ErrNotReady, patience, err)
		case <-time.After(wait):
		}
	}
}

// administrable holds when the API server has ended its own start and lets
// the administrator in. The rights come from a binding that kubeadm init makes
// after that, and the API server learns of it a moment later than it stores it;
// on a busy machine, a second. kubeadm's addon phase begins with the list of
// deployments that is asked for here, and does not ask a second time.
func administrable(ctx context.Context, client kubernetes.Interface) error {
	if err := client.Discovery().RESTClient().Get().AbsPath("/readyz").Do(ctx).Error(); err != nil {
		return err
	}
	_, err := client.AppsV1().Deployments(metav1.NamespaceSystem).List(ctx, metav1.ListOptions{Limit: 1})
	return err
}

// joinable holds when a node can learn whom it joins: the information is
// signed, which the controller manager does, and everybody may read it, which
// is the last that kubeadm sets up for joins.
func joinable(ctx context.Context, client kubernetes.Interface) error {
	info, err := client.CoreV1().ConfigMaps("kube-public").Get(ctx, "cluster-info", metav1.GetOptions{})
	if err != nil {
		return err
	}
	signed := false
	for key := range info.Data {
		signed = signed || strings.HasPrefix(key, "jws-kubeconfig-")
	}
	if !signed {
		return errors.New("the information for joining is not signed")
	}
	_, err = client.RbacV1().RoleBindings("kube-public").Get(ctx, "kubeadm:bootstrap-signer-clusterinfo", metav1.GetOptions{})
	return err
}
