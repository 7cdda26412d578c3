package specs

import (
	"context"
	"fmt"

	"github.com/onsi/gomega"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/utils/ptr"
)

const (
	rolloutReplicas = 3
	releaseEnv      = "RELEASE"
)

// deploymentRollsOut changes an environment variable of a Deployment and
// follows the rollout to its end: no replica missing on the way, none of the
// old revision left, and each pod running with the new value.
func deploymentRollsOut(ctx context.Context, e *env) {
	deployments := e.client().AppsV1().Deployments(e.namespace())
	created, err := deployments.Create(ctx, rollout(e.image), metav1.CreateOptions{})
	e.ok(err, "creating deployment")
	name := created.Name
	e.until(ctx, startup, "the first revision is rolled out", func(ctx context.Context) error {
		return e.rolledOut(ctx, name)
	})
	old := e.replicaSets(ctx, name)
	e.Expect(old).To(gomega.HaveLen(1), "replica sets of the first revision")

	patch := fmt.Sprintf(`{"spec":{"template":{"spec":{"containers":[{"name":%q,"env":[{"name":%q,"value":"two"}]}]}}}}`, container, releaseEnv)
	_, err = deployments.Patch(ctx, name, types.StrategicMergePatchType, []byte(patch), metav1.PatchOptions{})
	e.ok(err, "changing the pod template")
	e.until(ctx, startup, "the second revision is rolled out with no replica missing on the way", func(ctx context.Context) error {
		d, err := deployments.Get(ctx, name, metav1.GetOptions{})
		if err != nil {
			return fmt.Errorf("reading deployment: %w", err)
		}
		if d.Status.AvailableReplicas < rolloutReplicas {
			return final("maxUnavailable is 0, yet only %d of %d replicas were available",
				d.Status.AvailableReplicas, rolloutReplicas)
		}
		return rolledOut(d)
	})
	e.checkRevisions(ctx, name, old[0].Name)
}

// rollout is the Deployment of the spec.
func rollout(image string) *appsv1.Deployment {
	labels := map[string]string{"app": "rollout"}
	t := server(image, labels)
	t.Spec.Containers[0].Env = []corev1.EnvVar{{Name: releaseEnv, Value: "one"}}
	return &appsv1.Deployment{
		ObjectMeta: metav1.ObjectMeta{Name: "rollout"},
		Spec: appsv1.DeploymentSpec{
			Replicas: ptr.To(int32(rolloutReplicas)),
			Selector: &metav1.LabelSelector{MatchLabels: labels},
			Template: t,
			Strategy: appsv1.DeploymentStrategy{
				Type: appsv1.RollingUpdateDeploymentStrategyType,
				RollingUpdate: &appsv1.RollingUpdateDeployment{
					MaxUnavailable: ptr.To(intstr.FromInt32(0)),
					MaxSurge:       ptr.To(intstr.FromInt32(1)),
				},
			},
		},
	}
}

func (e *env) rolledOut(ctx context.Context, name string) error {
	d, err := e.client().AppsV1().Deployments(e.namespace()).Get(ctx, name, metav1.GetOptions{})
	if err != nil {
		return fmt.Errorf("reading deployment %s: %w", name, err)
	}
	return rolledOut(d)
}

// rolledOut is nil when the controller has seen the latest template and all
// replicas, and no others, are of it and available.
func rolledOut(d *appsv1.Deployment) error {
	want, s := *d.Spec.Replicas, d.Status
	if s.ObservedGeneration < d.Generation {
		return fmt.Errorf("the controller has seen generation %d of %d", s.ObservedGeneration, d.Generation)
	}
	if s.UpdatedReplicas != want || s.Replicas != want || s.AvailableReplicas != want || s.UnavailableReplicas != 0 {
		return fmt.Errorf("want %d replicas, have %d, of them %d updated and %d available",
			want, s.Replicas, s.UpdatedReplicas, s.AvailableReplicas)
	}
	return nil
}

func (e *env) replicaSets(ctx context.Context, name string) []appsv1.ReplicaSet {
	list, err := e.client().AppsV1().ReplicaSets(e.namespace()).List(ctx, metav1.ListOptions{LabelSelector: "app=" + name})
	e.ok(err, "listing replica sets")
	return list.Items
}

// checkRevisions asks the old ReplicaSet to be empty and kept, and each running
// pod to belong to the new one and to say so itself.
func (e *env) checkRevisions(ctx context.Context, name, oldName string) {
	var current appsv1.ReplicaSet
	sets := e.replicaSets(ctx, name)
	e.Expect(sets).To(gomega.HaveLen(2), "replica sets after the rollout")
	for _, rs := range sets {
		if rs.Name != oldName {
			current = rs
			continue
		}
		e.Expect(*rs.Spec.Replicas).To(gomega.BeZero(), "wanted replicas of the old replica set")
		e.Expect(rs.Status.Replicas).To(gomega.BeZero(), "replicas of the old replica set")
	}
	pods, err := e.list(ctx, map[string]string{"app": name})
	e.ok(err, "finding the pods")
	e.Expect(pods).To(gomega.HaveLen(rolloutReplicas), "pods after the rollout")
	hash := current.Labels[appsv1.DefaultDeploymentUniqueLabelKey]
	e.Expect(hash).NotTo(gomega.BeEmpty(), "template hash of the new replica set")
	for _, p := range pods {
		e.Expect(p.Labels).To(gomega.HaveKeyWithValue(appsv1.DefaultDeploymentUniqueLabelKey, hash), "revision of pod "+p.Name)
		value, err := e.sh(ctx, p.Name, "echo $"+releaseEnv)
		e.ok(err, "asking the pod for its environment")
		e.Expect(value).To(gomega.Equal("two"), "value in the environment of pod "+p.Name)
	}
}
