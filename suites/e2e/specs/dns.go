package specs

import (
	"context"
	"fmt"
	"net/netip"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/kubernetes/test/e2e/framework"
)

// dnsAnswers asks cluster DNS from a pod on each worker node: a Service by its
// three kinds of name over UDP and by one over TCP, a headless Service for the
// addresses of its pods, and a name that does not exist.
func dnsAnswers(ctx context.Context, e *env) {
	labels := map[string]string{"app": "web"}
	nodes := e.workers(ctx)
	web := e.start(ctx, named("web-0", server(e.image, labels)), named("web-1", server(e.image, labels)))
	plain := e.createService(ctx, service("web", labels))
	headless := service("web-headless", labels)
	headless.Spec.ClusterIP = corev1.ClusterIPNone
	e.createService(ctx, headless)

	zone := fmt.Sprintf("%s.svc.%s.", e.namespace(), framework.TestContext.ClusterDNSDomain)
	asked := []query{
		{"web", "", []string{plain.Spec.ClusterIP}},
		{"web." + e.namespace(), "", []string{plain.Spec.ClusterIP}},
		{"web." + zone, "", []string{plain.Spec.ClusterIP}},
		{"web." + zone, "+tcp", []string{plain.Spec.ClusterIP}},
		{"web-headless." + zone, "", []string{web[0].Status.PodIP, web[1].Status.PodIP}},
		{"no-such-service." + zone, "", nil},
	}
	clients := make([]*corev1.Pod, len(nodes))
	for i, node := range nodes {
		clients[i] = on(node, named(fmt.Sprintf("client-%d", i), agnhost(e.image, nil, "pause")))
	}
	for _, client := range e.start(ctx, clients...) {
		for _, q := range asked {
			e.resolves(ctx, client.Name, q)
		}
	}
}

// query is a name to ask for, with an option of dig, and its addresses; none
// means that the name must not exist.
type query struct {
	name, option string
	addresses    []string
}

// resolves waits until a pod gets a query's answer. It waits because a name
// may have been asked for too early and be cached as missing.
func (e *env) resolves(ctx context.Context, pod string, q query) {
	want := fmt.Sprintf("in pod %s, DNS answers %s %s with %q", pod, q.name, q.option, q.addresses)
	e.until(ctx, converge, want, func(ctx context.Context) error {
		out, err := e.sh(ctx, pod, dig(q))
		if err != nil {
			return err
		}
		return q.judge(out)
	})
}

// dig is the command for a query. +search makes dig resolve as programs do,
// with the pod's search list.
func dig(q query) string {
	record := "A"
	for _, a := range q.addresses {
		if ip, err := netip.ParseAddr(a); err == nil && ip.Is6() {
			record = "AAAA"
		}
	}
	return strings.Join(strings.Fields(
		fmt.Sprintf("dig +search +time=2 +tries=1 %s +noall +comments +answer %s %s", q.option, q.name, record)), " ")
}

// judge compares dig's output with the query's answer. An unknown name must
// get NXDOMAIN: a time-out or a server failure has no addresses either.
func (q query) judge(output string) error {
	status, addresses := readDig(output)
	want := "NOERROR"
	if len(q.addresses) == 0 {
		want = "NXDOMAIN"
	}
	if status != want {
		return fmt.Errorf("want status %s, got %q in: %s", want, status, output)
	}
	return differ(q.addresses, addresses, nil)
}

// readDig takes the status of the last answer and the addresses out of dig's
// comments and answer section.
func readDig(output string) (status string, addresses []string) {
	for line := range strings.Lines(output) {
		if _, rest, found := strings.Cut(line, "status: "); found && strings.HasPrefix(line, ";;") {
			status, _, _ = strings.Cut(rest, ",")
			continue
		}
		fields := strings.Fields(line)
		if len(fields) == 5 && !strings.HasPrefix(line, ";") && (fields[3] == "A" || fields[3] == "AAAA") {
			addresses = append(addresses, fields[4])
		}
	}
	return status, addresses
}
