package specs

import (
	"context"
	"fmt"

	"github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
)

// nodePortReachesPod puts the only backend on one worker node and a client on
// another: the port must answer at the address of every node, also of those
// that run neither.
func nodePortReachesPod(ctx context.Context, e *env) {
	labels := map[string]string{"app": "exposed"}
	workers := e.workers(ctx)
	e.start(ctx,
		on(workers[0], named("exposed", server(e.image, labels))),
		on(workers[1], named("client", agnhost(e.image, nil, "pause"))))
	svc := service("exposed", labels)
	svc.Spec.Type = corev1.ServiceTypeNodePort
	svc = e.createService(ctx, svc)
	port := int(svc.Spec.Ports[0].NodePort)
	e.Expect(port).NotTo(gomega.BeZero(), "node port that the API server chose")

	nodes := e.nodes(ctx)
	for i := range nodes {
		ip := internalIP(&nodes[i])
		e.Expect(ip).NotTo(gomega.BeEmpty(), "internal address of node "+nodes[i].Name)
		want := fmt.Sprintf("port %d of node %s leads to the pod on %s", port, nodes[i].Name, workers[0])
		e.until(ctx, converge, want, func(ctx context.Context) error {
			name, err := e.get(ctx, "client", endpoint(ip, port, "/hostname"))
			return differ([]string{"exposed"}, []string{name}, err)
		})
	}
}
