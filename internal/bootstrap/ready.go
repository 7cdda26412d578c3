package bootstrap

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"golang.org/x/net/dns/dnsmessage"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"github.com/qualify-dev/qualify/internal/cluster"
)

// readyTime is how long a cluster may take from kubeadm's success to Ready.
const readyTime = 3 * time.Minute

// ErrUnready marks a cluster that kubeadm has set up, and that does not become
// what was asked for.
var ErrUnready = errors.New("the cluster did not become ready")

// Unready tells whether an error says that a cluster did not become ready on
// machines that have all that it needs.
func Unready(err error) bool {
	return (errors.Is(err, ErrUnready) || errors.Is(err, ErrNotReady)) && !errors.Is(err, ErrPressure)
}

// Ready returns when everything that "ready" means was seen: pod network
// on every node, the API server's version, the node count, every node Ready, short
// of nothing and at the release's version, cluster DNS answering every node.
func Ready(ctx context.Context, client kubernetes.Interface, c *cluster.Cluster, version string, network Wiring) error {
	ctx, cancel := context.WithTimeout(ctx, readyTime)
	defer cancel()
	if err := networkReady(ctx, network); err != nil {
		return err
	}
	server, err := client.Discovery().ServerVersion()
	if err != nil {
		return fmt.Errorf("asking the API server for its version: %w", err)
	}
	c.Version = server.GitVersion
	if !sameVersion(c.Version, version) {
		return fmt.Errorf("%w: the API server says it is %s, the release is %s", ErrUnready, c.Version, version)
	}
	if err := until(ctx, func() error { return nodesReady(ctx, client, c, version) }); err != nil {
		return err
	}
	return until(ctx, func() error { return dnsAnswers(ctx, client, c) })
}

// networkReady waits for the pod network.
func networkReady(ctx context.Context, network Wiring) error {
	var err error
	select {
	case err = <-network.done:
	case <-ctx.Done():
		network.stop()
		err = <-network.done
	}
	var script *cluster.ExitError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &script):
		return fmt.Errorf("pod network: %w", err) // ours, on tools of the node OS
	default:
		return fmt.Errorf("%w: pod network: %w", ErrUnready, err)
	}
}

// until repeats a check until it holds, and returns its last complaint when
// the time is up.
func until(ctx context.Context, check func() error) error {
	var last error
	for {
		err := check()
		if err == nil {
			return nil
		}
		if last == nil || ctx.Err() == nil {
			last = err // what the end of the time broke off tells nothing
		}
		select {
		case <-ctx.Done():
			if errors.Is(ctx.Err(), context.Canceled) {
				return ctx.Err()
			}
			return fmt.Errorf("%w: %w", ErrUnready, last)
		case <-time.After(poll / 2):
		}
	}
}

// sameVersion compares what a binary reports with a release's version: EKS
// Distro's binaries append "-eks-<commit>" to it.
func sameVersion(reported, want string) bool {
	base, _, _ := strings.Cut(want, "-eks-")
	return reported == want || reported == base || strings.HasPrefix(reported, base+"-eks-")
}

func nodesReady(ctx context.Context, client kubernetes.Interface, c *cluster.Cluster, version string) error {
	list, err := client.CoreV1().Nodes().List(ctx, metav1.ListOptions{})
	if err != nil {
		return fmt.Errorf("listing nodes: %w", err)
	}
	if len(list.Items) != len(c.Nodes) {
		return fmt.Errorf("%d of %d nodes have joined", len(list.Items), len(c.Nodes))
	}
	for _, n := range list.Items {
		if v := n.Status.NodeInfo.KubeletVersion; !sameVersion(v, version) {
			return fmt.Errorf("node %s runs kubelet %s, the release is %s", n.Name, v, version)
		}
		if ready := condition(n, corev1.NodeReady); ready.Status != corev1.ConditionTrue {
			return fmt.Errorf("node %s is not Ready: %s", n.Name, ready.Message)
		}
		if text := pressed(n); text != "" {
			return fmt.Errorf("%w: %s", ErrPressure, text)
		}
	}
	return nil
}

func condition(n corev1.Node, kind corev1.NodeConditionType) corev1.NodeCondition {
	for _, c := range n.Status.Conditions {
		if c.Type == kind {
			return c
		}
	}
	return corev1.NodeCondition{Message: "no such condition yet"}
}

// dnsAnswers asks cluster DNS for the API server's own name: from the first
// node, since asking costs a process there and the machine is busy, and once it
// has an answer from the others.
func dnsAnswers(ctx context.Context, client kubernetes.Interface, c *cluster.Cluster) error {
	server, err := dnsServer(ctx, client)
	if err != nil {
		return err
	}
	api, err := client.CoreV1().Services("default").Get(ctx, "kubernetes", metav1.GetOptions{})
	if err != nil {
		return fmt.Errorf("finding the API service: %w", err)
	}
	ask := func(n cluster.Node) error {
		got, err := resolve(ctx, n, server, "kubernetes.default.svc.cluster.local.")
		switch {
		case err != nil:
			return fmt.Errorf("cluster DNS, asked from node %s: %w", n.Name, err)
		case got != api.Spec.ClusterIP:
			return fmt.Errorf("cluster DNS, asked from node %s, says %q, the service has %s", n.Name, got, api.Spec.ClusterIP)
		}
		return nil
	}
	if err := ask(c.Nodes[0]); err != nil {
		return err
	}
	errs := make([]error, len(c.Nodes))
	var wg sync.WaitGroup
	for i, n := range c.Nodes[1:] {
		wg.Go(func() { errs[i] = ask(n) })
	}
	wg.Wait()
	return errors.Join(errs...)
}

// dnsServer is the address at which cluster DNS is asked: a running pod of it
// or, where none has an address, its Service. A pod answers up to ten seconds
// before the Service has it, since that waits for the pod's readiness probe;
// the way through the Service is for the suites to test.
func dnsServer(ctx context.Context, client kubernetes.Interface) (string, error) {
	pods, err := client.CoreV1().Pods("kube-system").List(ctx, metav1.ListOptions{LabelSelector: "k8s-app=kube-dns"})
	if err != nil {
		return "", fmt.Errorf("finding the DNS pods: %w", err)
	}
	for _, p := range pods.Items {
		if p.Status.Phase == corev1.PodRunning && p.Status.PodIP != "" {
			return p.Status.PodIP, nil
		}
	}
	dns, err := client.CoreV1().Services("kube-system").Get(ctx, "kube-dns", metav1.GetOptions{})
	if err != nil {
		return "", fmt.Errorf("finding the DNS service: %w", err)
	}
	return dns.Spec.ClusterIP, nil
}

// resolve sends one DNS question over UDP from a node. Nodes carry no DNS
// tools, but every one has bash, which opens UDP sockets by file name.
func resolve(ctx context.Context, n cluster.Node, server, name string) (string, error) {
	question, err := dnsQuestion(name)
	if err != nil {
		return "", err
	}
	script := `exec 3<>"/dev/udp/$1/53"; head -c 512 >&3; timeout 2 dd bs=4096 count=1 <&3 2>/dev/null`
	out, err := n.Exec(ctx, cluster.Cmd{Argv: []string{"bash", "-c", script, "resolve", server}, Stdin: strings.NewReader(question)})
	if err != nil {
		return "", errors.New("no answer within 2 s")
	}
	return dnsAnswer(out.Stdout)
}

func dnsQuestion(name string) (string, error) {
	host, err := dnsmessage.NewName(name)
	if err != nil {
		return "", err
	}
	m := dnsmessage.Message{
		Header:    dnsmessage.Header{ID: 0x7175, RecursionDesired: true},
		Questions: []dnsmessage.Question{{Name: host, Type: dnsmessage.TypeA, Class: dnsmessage.ClassINET}},
	}
	packed, err := m.Pack()
	return string(packed), err
}

func dnsAnswer(packet []byte) (string, error) {
	var m dnsmessage.Message
	if err := m.Unpack(packet); err != nil {
		return "", fmt.Errorf("the answer is not understood: %w", err)
	}
	for _, a := range m.Answers {
		if r, ok := a.Body.(*dnsmessage.AResource); ok {
			return fmt.Sprintf("%d.%d.%d.%d", r.A[0], r.A[1], r.A[2], r.A[3]), nil
		}
	}
	return "", fmt.Errorf("the answer has no address: %v", m.RCode)
}
