package specs

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/utils/ptr"
)

const (
	container = "agnhost"
	httpPort  = 8080
	udpPort   = 8081
)

// agnhost is a pod template that runs a subcommand of agnhost. It asks for no
// service account token and no service variables: the specs need neither, and
// without them a pod starts the same in every cluster.
func agnhost(image string, labels map[string]string, args ...string) corev1.PodTemplateSpec {
	return corev1.PodTemplateSpec{
		ObjectMeta: metav1.ObjectMeta{Labels: labels},
		Spec: corev1.PodSpec{
			Containers: []corev1.Container{{
				Name:            container,
				Image:           image,
				ImagePullPolicy: corev1.PullIfNotPresent,
				Args:            args,
			}},
			TerminationGracePeriodSeconds: ptr.To(int64(1)),
			AutomountServiceAccountToken:  ptr.To(false),
			EnableServiceLinks:            ptr.To(false),
		},
	}
}

// shell is the same with a script of the image's shell instead.
func shell(image string, labels map[string]string, script string) corev1.PodTemplateSpec {
	t := agnhost(image, labels)
	t.Spec.Containers[0].Command = []string{"/bin/sh", "-c", script}
	return t
}

// server answers HTTP and UDP with its name, and is ready only when it does.
func server(image string, labels map[string]string) corev1.PodTemplateSpec {
	t := agnhost(image, labels, "netexec", fmt.Sprintf("--http-port=%d", httpPort), fmt.Sprintf("--udp-port=%d", udpPort))
	t.Spec.Containers[0].ReadinessProbe = probe(corev1.ProbeHandler{
		HTTPGet: &corev1.HTTPGetAction{Path: "/healthz", Port: intstr.FromInt32(httpPort)},
	})
	return t
}

// probe is a readiness probe that reacts within about a second; the time-out
// is longer, since a busy node is no failure.
func probe(handler corev1.ProbeHandler) *corev1.Probe {
	return &corev1.Probe{ProbeHandler: handler, PeriodSeconds: 1, FailureThreshold: 1, TimeoutSeconds: 5}
}

// named makes a single pod of a template.
func named(name string, t corev1.PodTemplateSpec) *corev1.Pod {
	return &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: t.Labels}, Spec: t.Spec}
}

// on pins a pod to a node past the scheduler, and past taints: the specs say
// where a pod runs when that is what they test.
func on(node string, p *corev1.Pod) *corev1.Pod {
	p.Spec.NodeName = node
	p.Spec.Tolerations = []corev1.Toleration{{Operator: corev1.TolerationOpExists}}
	return p
}

// start creates pods, waits until all are ready and returns them as they are
// then, in the same order.
func (e *env) start(ctx context.Context, pods ...*corev1.Pod) []*corev1.Pod {
	started := make([]*corev1.Pod, 0, len(pods))
	for _, p := range pods {
		created, err := e.client().CoreV1().Pods(e.namespace()).Create(ctx, p, metav1.CreateOptions{})
		e.ok(err, "creating pod %s", p.Name)
		started = append(started, created)
	}
	for i, p := range started {
		started[i] = e.ready(ctx, p.Name)
	}
	return started
}

// ready waits until a pod is ready and returns it.
func (e *env) ready(ctx context.Context, name string) *corev1.Pod {
	var latest *corev1.Pod
	e.until(ctx, startup, fmt.Sprintf("pod %s is ready", name), func(ctx context.Context) error {
		p, err := e.pod(ctx, name)
		if err != nil {
			return err
		}
		if !podReady(p) || p.Status.PodIP == "" {
			return fmt.Errorf("pod %s is %s and not ready", name, phase(p))
		}
		latest = p
		return nil
	})
	return latest
}

func (e *env) pod(ctx context.Context, name string) (*corev1.Pod, error) {
	p, err := e.client().CoreV1().Pods(e.namespace()).Get(ctx, name, metav1.GetOptions{})
	if err != nil {
		return nil, fmt.Errorf("reading pod %s: %w", name, err)
	}
	return p, nil
}

// remove deletes a pod without waiting for its end.
func (e *env) remove(ctx context.Context, name string) {
	err := e.client().CoreV1().Pods(e.namespace()).Delete(ctx, name, metav1.DeleteOptions{})
	e.ok(err, "deleting pod %s", name)
}

// list returns the pods with a label, leaving out those being deleted.
func (e *env) list(ctx context.Context, labels map[string]string) ([]corev1.Pod, error) {
	selector := metav1.FormatLabelSelector(&metav1.LabelSelector{MatchLabels: labels})
	pods, err := e.client().CoreV1().Pods(e.namespace()).List(ctx, metav1.ListOptions{LabelSelector: selector})
	if err != nil {
		return nil, fmt.Errorf("listing pods %s: %w", selector, err)
	}
	kept := pods.Items[:0]
	for _, p := range pods.Items {
		if p.DeletionTimestamp == nil {
			kept = append(kept, p)
		}
	}
	return kept, nil
}

func podReady(p *corev1.Pod) bool {
	for _, c := range p.Status.Conditions {
		if c.Type == corev1.PodReady {
			return c.Status == corev1.ConditionTrue && p.DeletionTimestamp == nil
		}
	}
	return false
}

// service is a ClusterIP Service for pods with the labels; a mutation of the
// result makes it headless or a NodePort.
func service(name string, labels map[string]string) *corev1.Service {
	return &corev1.Service{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Spec: corev1.ServiceSpec{
			Selector: labels,
			Ports:    []corev1.ServicePort{{Name: "http", Port: 80, TargetPort: intstr.FromInt32(httpPort)}},
		},
	}
}

func (e *env) createService(ctx context.Context, s *corev1.Service) *corev1.Service {
	created, err := e.client().CoreV1().Services(e.namespace()).Create(ctx, s, metav1.CreateOptions{})
	e.ok(err, "creating service %s", s.Name)
	return created
}
