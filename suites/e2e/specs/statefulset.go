package specs

import (
	"context"
	"fmt"

	"github.com/onsi/gomega"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/tools/cache"
	watchtools "k8s.io/client-go/tools/watch"
	"k8s.io/kubernetes/test/e2e/framework"
	"k8s.io/utils/ptr"
)

const setReplicas = 3

var setLabels = map[string]string{"app": "set"}

// statefulSetKeepsIdentity follows the start of a StatefulSet pod by pod,
// resolves each pod's own name, then deletes one: a new pod takes its name,
// and DNS follows it to its address.
func statefulSetKeepsIdentity(ctx context.Context, e *env) {
	headless := service("set", setLabels)
	headless.Spec.ClusterIP = corev1.ClusterIPNone
	e.createService(ctx, headless)
	watcher := e.watchPods(ctx, setLabels)
	defer watcher.Stop()
	_, err := e.client().AppsV1().StatefulSets(e.namespace()).Create(ctx, ordered(e.image), metav1.CreateOptions{})
	e.ok(err, "creating stateful set")

	e.startsInOrder(ctx, watcher)
	for i := range setReplicas {
		pod := e.ready(ctx, member(i))
		e.resolves(ctx, member(0), e.memberQuery(pod))
		name, err := e.sh(ctx, pod.Name, "hostname")
		e.ok(err, "asking a pod for its name")
		e.Expect(name).To(gomega.Equal(pod.Name), "host name of the pod")
	}

	before := e.ready(ctx, member(1))
	e.remove(ctx, before.Name)
	var after *corev1.Pod
	e.until(ctx, startup, "another pod has the name of the deleted one and is ready", func(ctx context.Context) error {
		p, err := e.pod(ctx, before.Name)
		if err != nil {
			return err
		}
		if p.UID == before.UID || !podReady(p) {
			return fmt.Errorf("pod %s is %s, the old one: %t", p.Name, phase(p), p.UID == before.UID)
		}
		after = p
		return nil
	})
	e.resolves(ctx, member(0), e.memberQuery(after))
	pods, err := e.list(ctx, setLabels)
	e.ok(err, "finding the pods")
	e.Expect(pods).To(gomega.HaveLen(setReplicas), "pods at the end")
}

func member(i int) string { return fmt.Sprintf("set-%d", i) }

func (e *env) memberQuery(p *corev1.Pod) query {
	name := fmt.Sprintf("%s.set.%s.svc.%s.", p.Name, e.namespace(), framework.TestContext.ClusterDNSDomain)
	return query{name: name, addresses: []string{p.Status.PodIP}}
}

// ordered is the StatefulSet of the spec. Its pods need two seconds to become
// ready: were they started together, all would be created well before that.
func ordered(image string) *appsv1.StatefulSet {
	t := server(image, setLabels)
	t.Spec.Containers[0].ReadinessProbe.InitialDelaySeconds = 2
	return &appsv1.StatefulSet{
		ObjectMeta: metav1.ObjectMeta{Name: "set"},
		Spec: appsv1.StatefulSetSpec{
			ServiceName:         "set",
			Replicas:            ptr.To(int32(setReplicas)),
			Selector:            &metav1.LabelSelector{MatchLabels: setLabels},
			PodManagementPolicy: appsv1.OrderedReadyPodManagement,
			Template:            t,
		},
	}
}

// watchPods reports all changes of the pods with a label from now on, also
// across a broken connection.
func (e *env) watchPods(ctx context.Context, labels map[string]string) watch.Interface {
	selector := metav1.FormatLabelSelector(&metav1.LabelSelector{MatchLabels: labels})
	pods := e.client().CoreV1().Pods(e.namespace())
	list, err := pods.List(ctx, metav1.ListOptions{LabelSelector: selector})
	e.ok(err, "listing pods")
	watcher, err := watchtools.NewRetryWatcherWithContext(ctx, list.ResourceVersion, &cache.ListWatch{
		WatchFuncWithContext: func(ctx context.Context, opts metav1.ListOptions) (watch.Interface, error) {
			opts.LabelSelector = selector
			return pods.Watch(ctx, opts)
		},
	})
	e.ok(err, "watching pods")
	return watcher
}

// startsInOrder reads the changes of the pods until the last one is ready. The
// order is that of the API, not of clocks, which differ between nodes.
func (e *env) startsInOrder(ctx context.Context, watcher watch.Interface) {
	ctx, cancel := context.WithTimeout(ctx, startup)
	defer cancel()
	seen := &startOrder{ready: map[string]bool{}}
	for len(seen.ready) < setReplicas {
		select {
		case <-ctx.Done():
			e.fail(fmt.Sprintf("the pods of the stateful set did not all become ready within %s; ready: %v", startup, seen.ready))
		case event, open := <-watcher.ResultChan():
			if !open {
				e.fail("the watch of the stateful set's pods ended early")
			}
			e.ok(seen.observe(event), "following the start of the stateful set's pods")
		}
	}
}

// startOrder judges the changes of a StatefulSet's pods while they start.
type startOrder struct {
	created []string
	ready   map[string]bool
}

// observe takes one change. It is an error when a pod appears that is not the
// next in order, or before the one before it is ready.
func (s *startOrder) observe(event watch.Event) error {
	if event.Type == watch.Error {
		return fmt.Errorf("watching pods: %w", apierrors.FromObject(event.Object))
	}
	p, is := event.Object.(*corev1.Pod)
	if !is {
		return nil
	}
	switch event.Type {
	case watch.Added:
		if want := member(len(s.created)); p.Name != want {
			return fmt.Errorf("pod %s appeared, want %s next", p.Name, want)
		}
		if n := len(s.created); n > 0 && !s.ready[s.created[n-1]] {
			return fmt.Errorf("pod %s appeared before %s was ready", p.Name, s.created[n-1])
		}
		s.created = append(s.created, p.Name)
	case watch.Modified:
		if podReady(p) {
			s.ready[p.Name] = true
		}
	case watch.Deleted:
		return fmt.Errorf("pod %s was deleted while the set started", p.Name)
	}
	return nil
}
