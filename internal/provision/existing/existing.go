// Package existing serves a cluster that somebody else made: it is adopted by
// its kubeconfig, tested as it is, and left as it was. What a run makes in it is
// one namespace that says whose the cluster is meanwhile; the tests make
// namespaces of their own. Nothing that is not ours is changed or removed.
package existing

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/client-go/tools/clientcmd/api"

	"github.com/qualify-dev/qualify/internal/cluster"
	"github.com/qualify-dev/qualify/internal/provision"
	"github.com/qualify-dev/qualify/matrix"
)

// Name is the provisioner's value on the matrix's axis.
const Name = "existing"

// The namespace that says whose the cluster is.
const (
	marker      = "qualify-run"
	leaseLabel  = "qualify.dev/lease"
	homeNote    = "qualify.dev/home"
	expiresNote = "qualify.dev/expires"
	// testLabel is on each namespace that the Kubernetes test framework makes.
	testLabel = "e2e-framework"
)

// Entry is what the planner needs to know.
func Entry() provision.Entry {
	return provision.Entry{
		Name: Name, Doc: "a cluster that you made, named by --kubeconfig; it is tested and left as it was",
		Capacity: 1, // cells would disturb each other
		Can:      func(matrix.Cell) error { return nil },
		New:      func(cfg provision.Config) (provision.Provisioner, error) { return &provisioner{cfg}, nil },
		// Which clusters there are is not known to this machine: who holds one is
		// told by the cluster itself, and resume or Down with the lease removes it.
		List: func(context.Context, provision.Config) ([]provision.Resource, error) { return nil, nil },
	}
}

type provisioner struct{ cfg provision.Config }

// Up looks at the cluster and takes hold of it. None of its errors blames the
// release: nobody knows who brought the cluster to where it is.
func (p *provisioner) Up(ctx context.Context, lease provision.Lease, spec provision.Spec) (*cluster.Cluster, error) {
	spec.Phase("connect")
	file := filepath.Join(spec.Dir, "kubeconfig")
	config, err := p.read()
	if err != nil {
		return nil, err
	}
	if err := p.cfg.Sink.WriteKubeconfig(file, config); err != nil {
		return nil, err
	}
	client, err := connect(file)
	if err != nil {
		return nil, err
	}
	version, err := client.Discovery().ServerVersion()
	if err != nil {
		return nil, fmt.Errorf("asking the cluster for its version: %w", err)
	}
	if err := ready(ctx, client); err != nil {
		return nil, err
	}
	spec.Phase("hold")
	if err := hold(ctx, client, lease, spec.Adopt); err != nil {
		return nil, err
	}
	return &cluster.Cluster{Name: lease.Name, Kubeconfig: file, Version: version.GitVersion, Foreign: true}, nil
}

// read returns the user's kubeconfig with nothing in it but the context that
// is meant, and with the files that it names taken in.
func (p *provisioner) read() ([]byte, error) {
	if p.cfg.Kubeconfig == "" {
		return nil, errors.New("which cluster? name its kubeconfig with --kubeconfig")
	}
	info, err := os.Stat(p.cfg.Kubeconfig)
	if err != nil {
		return nil, fmt.Errorf("reading the kubeconfig: %w", err)
	}
	const most = 4 << 20
	if !info.Mode().IsRegular() || info.Size() > most {
		return nil, fmt.Errorf("reading the kubeconfig: %s is no file of at most %d bytes", p.cfg.Kubeconfig, most)
	}
	config, err := clientcmd.LoadFromFile(p.cfg.Kubeconfig)
	if err != nil {
		return nil, fmt.Errorf("reading the kubeconfig: %w", err)
	}
	if p.cfg.Context != "" {
		config.CurrentContext = p.cfg.Context
	}
	if _, there := config.Contexts[config.CurrentContext]; !there {
		return nil, fmt.Errorf("%s has no context %q: it has %s; choose one with --context", p.cfg.Kubeconfig, config.CurrentContext, strings.Join(contexts(config), ", "))
	}
	if err := portable(config); err != nil {
		return nil, fmt.Errorf("reading the kubeconfig: %w", err)
	}
	return clientcmd.Write(*config)
}

func contexts(config *api.Config) []string {
	names := []string{}
	for name := range config.Contexts {
		names = append(names, fmt.Sprintf("%q", name))
	}
	slices.Sort(names)
	return names
}

// portable cuts a configuration down to its current context, which can
// be moved to another directory then.
func portable(config *api.Config) error {
	return errors.Join(api.MinifyConfig(config), api.FlattenConfig(config))
}

func connect(kubeconfig string) (kubernetes.Interface, error) {
	config, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	if err != nil {
		return nil, fmt.Errorf("reading the kubeconfig: %w", err)
	}
	config.Timeout = 30 * time.Second
	config.ContentType = "application/json" // what every API server speaks
	return kubernetes.NewForConfig(config)
}

// ready is an error unless every node is: a suite on half a cluster tells
// nothing of the release.
func ready(ctx context.Context, client kubernetes.Interface) error {
	nodes, err := client.CoreV1().Nodes().List(ctx, metav1.ListOptions{})
	if err != nil {
		return fmt.Errorf("listing the cluster's nodes: %w", err)
	}
	var not []string
	for _, n := range nodes.Items {
		if !slices.ContainsFunc(n.Status.Conditions, func(c corev1.NodeCondition) bool {
			return c.Type == corev1.NodeReady && c.Status == corev1.ConditionTrue
		}) {
			not = append(not, n.Name)
		}
	}
	if len(nodes.Items) == 0 || len(not) > 0 {
		return fmt.Errorf("%d of the cluster's %d nodes are not ready: %s", len(not), len(nodes.Items), strings.Join(not, ", "))
	}
	return nil
}

// hold makes the namespace that says whose the cluster is, or finds that it
// says so already.
func hold(ctx context.Context, client kubernetes.Interface, lease provision.Lease, adopt bool) error {
	namespaces := client.CoreV1().Namespaces()
	held, err := namespaces.Get(ctx, marker, metav1.GetOptions{})
	switch {
	case err == nil && held.Labels[leaseLabel] == lease.Name && held.DeletionTimestamp == nil:
		return nil
	case err == nil:
		return fmt.Errorf("the cluster is held by lease %q of the run in %q: the namespace %s says so. If nobody works on that run any more, delete the namespace",
			held.Labels[leaseLabel], held.Annotations[homeNote], marker)
	case !apierrors.IsNotFound(err):
		return fmt.Errorf("asking whose the cluster is: %w", err)
	case adopt:
		return fmt.Errorf("the cluster is not held by lease %s any more: the namespace %s is gone", lease.Name, marker)
	}
	_, err = namespaces.Create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{
		Name: marker, Labels: map[string]string{leaseLabel: lease.Name},
		Annotations: map[string]string{homeNote: lease.Home, expiresNote: lease.Expires.UTC().Format(time.RFC3339)},
	}}, metav1.CreateOptions{})
	if err != nil {
		return fmt.Errorf("taking hold of the cluster: %w", err)
	}
	return nil
}
