package specs

import (
	"context"
	"fmt"
	"maps"
	"slices"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

const (
	// readyFile is there while a gated server is ready.
	readyFile = "/tmp/ready"
	// requests is how many a Service gets in one go. With three endpoints and
	// an even choice, one that is still in rotation stays unseen once in 10^7.
	requests = 40
)

// serviceFollowsReadiness watches from a client pod which backends answer
// behind a ClusterIP while one backend turns unready, comes back, and another
// one is deleted.
func serviceFollowsReadiness(ctx context.Context, e *env) {
	labels := map[string]string{"app": "backend"}
	e.start(ctx, named("backend-0", gated(e.image, labels)), named("backend-1", gated(e.image, labels)),
		named("backend-2", gated(e.image, labels)), named("client", agnhost(e.image, nil, "pause")))
	svc := e.createService(ctx, service("backend", labels))

	expect := func(when string, backends ...string) {
		e.until(ctx, converge, "the endpoints in the API are those ready "+when, func(ctx context.Context) error {
			ready, err := e.readyEndpoints(ctx, svc.Name)
			return differ(backends, ready, err)
		})
		e.until(ctx, converge, "exactly the ready backends answer "+when, func(ctx context.Context) error {
			out, err := e.sh(ctx, "client", getMany(endpoint(svc.Spec.ClusterIP, 80, "/hostname"), requests))
			return differ(backends, slices.Sorted(maps.Keys(tally(out))), err)
		})
	}
	expect("at first", "backend-0", "backend-1", "backend-2")

	_, err := e.sh(ctx, "backend-0", "rm "+readyFile)
	e.ok(err, "making a backend unready")
	expect("with one unready", "backend-1", "backend-2")

	_, err = e.sh(ctx, "backend-0", "touch "+readyFile)
	e.ok(err, "making a backend ready again")
	expect("when it is ready again", "backend-0", "backend-1", "backend-2")

	e.remove(ctx, "backend-1")
	expect("after one was deleted", "backend-0", "backend-2")
}

// gated is a server whose readiness is a file in it, so that it can turn
// unready while it would still answer: only the Service must stop asking it.
func gated(image string, labels map[string]string) corev1.PodTemplateSpec {
	t := shell(image, labels, fmt.Sprintf("touch %s; exec /agnhost netexec --http-port=%d", readyFile, httpPort))
	t.Spec.Containers[0].ReadinessProbe = probe(corev1.ProbeHandler{
		Exec: &corev1.ExecAction{Command: []string{"/bin/sh", "-c", "test -f " + readyFile}},
	})
	return t
}

// readyEndpoints returns the names of the pods a Service may send to, sorted.
func (e *env) readyEndpoints(ctx context.Context, svc string) ([]string, error) {
	list, err := e.client().DiscoveryV1().EndpointSlices(e.namespace()).List(ctx,
		metav1.ListOptions{LabelSelector: discoveryv1.LabelServiceName + "=" + svc})
	if err != nil {
		return nil, fmt.Errorf("listing endpoint slices: %w", err)
	}
	return readyTargets(list.Items), nil
}

func readyTargets(list []discoveryv1.EndpointSlice) []string {
	names := map[string]bool{}
	for _, s := range list {
		for _, ep := range s.Endpoints {
			// The API says that an unset condition is to be read as ready.
			ready := ep.Conditions.Ready == nil || *ep.Conditions.Ready
			if ready && ep.TargetRef != nil {
				names[ep.TargetRef.Name] = true
			}
		}
	}
	return slices.Sorted(maps.Keys(names))
}

// differ is nil when got holds exactly what is wanted, in any order. An error
// of the reading that led to got goes before the comparison.
func differ(want, got []string, err error) error {
	if err != nil {
		return err
	}
	want, got = slices.Clone(want), slices.Clone(got)
	slices.Sort(want)
	slices.Sort(got)
	if !slices.Equal(want, got) {
		return fmt.Errorf("want %q, got %q", want, got)
	}
	return nil
}
