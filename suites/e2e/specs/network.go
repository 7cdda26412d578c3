package specs

import (
	"context"
	"fmt"
	"net"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/kubernetes/test/e2e/framework"
)

// networkCrossesNodes checks the pod network's promise between two worker
// nodes, in both directions and over TCP and UDP: a pod reaches another one by
// its address, and is seen under its own. Then the control plane's side: each
// control-plane node reaches the pods, and the pods reach the API server.
func networkCrossesNodes(ctx context.Context, e *env) {
	nodes := e.workers(ctx)
	pods := e.start(ctx,
		on(nodes[0], named("left", server(e.image, nil))),
		on(nodes[1], named("right", server(e.image, nil))))
	left, right := pods[0], pods[1]
	for _, pair := range [][2]*corev1.Pod{{left, right}, {right, left}} {
		e.reachesOverTCP(ctx, pair[0], pair[1])
		e.reachesOverUDP(ctx, pair[0], pair[1])
	}

	heads := controlPlanes(e.nodes(ctx))
	if len(heads) == 0 {
		framework.Logf("no control-plane node in the API: the host network is checked from a worker node alone")
		heads = nodes[:1]
	}
	for i, node := range heads {
		host := on(node, named(fmt.Sprintf("host-%d", i), agnhost(e.image, nil, "pause")))
		host.Spec.HostNetwork = true
		e.start(ctx, host)
		for _, p := range pods {
			e.hostReaches(ctx, host, p)
		}
	}
	for _, p := range pods {
		e.reachesAPI(ctx, p)
	}
}

func (e *env) reachesOverTCP(ctx context.Context, from, to *corev1.Pod) {
	e.until(ctx, converge, fmt.Sprintf("pod %s reaches pod %s over TCP", from.Name, to.Name), func(ctx context.Context) error {
		name, err := e.get(ctx, from.Name, endpoint(to.Status.PodIP, httpPort, "/hostname"))
		if err := differ([]string{to.Name}, []string{name}, err); err != nil {
			return err
		}
		seen, err := e.get(ctx, from.Name, endpoint(to.Status.PodIP, httpPort, "/clientip"))
		if err != nil {
			return err
		}
		return sameAddress(from.Status.PodIP, seen)
	})
}

func (e *env) reachesOverUDP(ctx context.Context, from, to *corev1.Pod) {
	ask := func(ctx context.Context, request string) (string, error) {
		answer, err := e.get(ctx, from.Name, dialUDP(to.Status.PodIP, request))
		if err != nil {
			return "", err
		}
		return dialled(answer)
	}
	e.until(ctx, converge, fmt.Sprintf("pod %s reaches pod %s over UDP", from.Name, to.Name), func(ctx context.Context) error {
		name, err := ask(ctx, "hostname")
		if err := differ([]string{to.Name}, []string{name}, err); err != nil {
			return err
		}
		seen, err := ask(ctx, "clientip")
		if err != nil {
			return err
		}
		return sameAddress(from.Status.PodIP, seen)
	})
}

// hostReaches asks for the name only: which address a node is seen under is
// the pod network's own affair.
func (e *env) hostReaches(ctx context.Context, host, to *corev1.Pod) {
	e.until(ctx, converge, fmt.Sprintf("node %s reaches pod %s over TCP", host.Spec.NodeName, to.Name), func(ctx context.Context) error {
		name, err := e.get(ctx, host.Name, endpoint(to.Status.PodIP, httpPort, "/hostname"))
		return differ([]string{to.Name}, []string{name}, err)
	})
	e.until(ctx, converge, fmt.Sprintf("node %s reaches pod %s over UDP", host.Spec.NodeName, to.Name), func(ctx context.Context) error {
		name, err := e.sh(ctx, host.Name, fmt.Sprintf("echo hostname | nc -u -w 1 %s %d", to.Status.PodIP, udpPort))
		return differ([]string{to.Name}, []string{name}, err)
	})
}

// reachesAPI opens a connection only: whether anonymous requests are answered
// differs between distributions.
func (e *env) reachesAPI(ctx context.Context, from *corev1.Pod) {
	api, err := e.client().CoreV1().Services(metav1.NamespaceDefault).Get(ctx, "kubernetes", metav1.GetOptions{})
	e.ok(err, "reading the API server's service")
	address := net.JoinHostPort(api.Spec.ClusterIP, fmt.Sprint(api.Spec.Ports[0].Port))
	e.until(ctx, converge, fmt.Sprintf("pod %s reaches the API server at %s", from.Name, address), func(ctx context.Context) error {
		_, err := e.sh(ctx, from.Name, "/agnhost connect --timeout=3s "+address)
		return err
	})
}

// sameAddress is nil when a seen address with port is the wanted one.
func sameAddress(want, seen string) error {
	host, _, err := net.SplitHostPort(seen)
	if err != nil {
		return fmt.Errorf("reading the address that the server saw: %w", err)
	}
	if !net.ParseIP(want).Equal(net.ParseIP(host)) {
		return fmt.Errorf("the server saw the address %s and not the pod's own, %s", host, want)
	}
	return nil
}
