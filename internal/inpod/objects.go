package inpod

import (
	"context"
	"fmt"
	"maps"
	"slices"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// LeaseLabel is on every object, with the lease's name.
const LeaseLabel = "qualify.dev/lease"

const (
	jobNote        = "qualify.dev/job"
	account        = "conformance"
	suiteContainer = "conformance"
	filesContainer = "files"
	results        = "/tmp/results"
	nobody         = int64(65534)
)

// namespace is the lease's own, so that its name cannot be in somebody's way.
func (r Run) namespace() string { return r.Lease + "-conformance" }

func (r Run) podName() string { return fmt.Sprintf("conformance-%d", r.Try) }

func (r Run) meta(name string) metav1.ObjectMeta {
	return metav1.ObjectMeta{Name: name, Labels: map[string]string{LeaseLabel: r.Lease}}
}

// place makes the pod and what it needs, or finds the pod that an earlier
// process has left. One of another job is removed first.
func (w *work) place(ctx context.Context) (*corev1.Pod, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, w.Times.Startup, fmt.Errorf("the cluster did not take it within %s", w.Times.Startup))
	defer cancel()
	pods := w.client.CoreV1().Pods(w.namespace())
	found, err := pods.Get(ctx, w.podName(), metav1.GetOptions{})
	switch {
	case err == nil && found.Labels[LeaseLabel] == w.Lease && found.Annotations[jobNote] == w.Job && found.DeletionTimestamp == nil:
		return found, nil
	case err == nil:
		if err := w.remove(ctx); err != nil {
			return nil, err
		}
	case !apierrors.IsNotFound(err):
		return nil, err
	}
	if err := w.prepare(ctx); err != nil {
		return nil, err
	}
	return pods.Create(ctx, w.pod(), metav1.CreateOptions{})
}

// prepare makes what the pod stands on. What a killed process had made of it is
// ours, and is left as it is.
func (w *work) prepare(ctx context.Context) error {
	if err := w.own(ctx); err != nil {
		return err
	}
	_, err := w.client.CoreV1().ServiceAccounts(w.namespace()).Create(ctx, &corev1.ServiceAccount{ObjectMeta: w.meta(account)}, metav1.CreateOptions{})
	if err != nil && !apierrors.IsAlreadyExists(err) {
		return err
	}
	// The suite makes roles of its own, and nobody can give what he does not have.
	_, err = w.client.RbacV1().ClusterRoleBindings().Create(ctx, &rbacv1.ClusterRoleBinding{
		ObjectMeta: w.meta(w.namespace()),
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "cluster-admin"},
		Subjects:   []rbacv1.Subject{{Kind: rbacv1.ServiceAccountKind, Name: account, Namespace: w.namespace()}},
	}, metav1.CreateOptions{})
	if apierrors.IsAlreadyExists(err) {
		return nil
	}
	return err
}

// own makes the namespace, and waits for one of the lease that is on its way out.
func (w *work) own(ctx context.Context) error {
	namespaces := w.client.CoreV1().Namespaces()
	for {
		_, err := namespaces.Create(ctx, &corev1.Namespace{ObjectMeta: w.meta(w.namespace())}, metav1.CreateOptions{})
		if !apierrors.IsAlreadyExists(err) {
			return err
		}
		found, err := namespaces.Get(ctx, w.namespace(), metav1.GetOptions{})
		switch {
		case apierrors.IsNotFound(err):
			continue
		case err != nil:
			return err
		case found.Labels[LeaseLabel] != w.Lease:
			return fmt.Errorf("the namespace %s is there and is not of lease %s: remove it if nobody needs it", w.namespace(), w.Lease)
		case found.DeletionTimestamp == nil:
			return nil
		}
		if err := w.pause(ctx); err != nil {
			return err
		}
	}
}

func (w *work) pause(ctx context.Context) error { return pause(ctx, w.Times.Poll) }

// pod runs the suite, and beside it a container that does nothing: files can
// only be fetched out of one that runs.
func (r Run) pod() *corev1.Pod {
	meta := r.meta(r.podName())
	meta.Annotations = map[string]string{jobNote: r.Job}
	var env []corev1.EnvVar
	for _, name := range slices.Sorted(maps.Keys(r.Env)) {
		env = append(env, corev1.EnvVar{Name: name, Value: r.Env[name]})
	}
	no, yes, user, grace := false, true, nobody, int64(1) // nobody in it has anything left to do, and sleep ignores what it is told
	container := func(name string) corev1.Container {
		return corev1.Container{
			Name: name, Image: r.Image, ImagePullPolicy: corev1.PullIfNotPresent,
			VolumeMounts: []corev1.VolumeMount{{Name: "results", MountPath: results}},
			SecurityContext: &corev1.SecurityContext{
				AllowPrivilegeEscalation: &no, Capabilities: &corev1.Capabilities{Drop: []corev1.Capability{"ALL"}},
			},
		}
	}
	suite, files := container(suiteContainer), container(filesContainer)
	suite.Env = env
	files.Command = []string{"sleep", "infinity"}
	var selector map[string]string
	if r.Node != "" {
		selector = map[string]string{corev1.LabelHostname: r.Node}
	}
	return &corev1.Pod{ObjectMeta: meta, Spec: corev1.PodSpec{
		ServiceAccountName: account, RestartPolicy: corev1.RestartPolicyNever, NodeSelector: selector, TerminationGracePeriodSeconds: &grace,
		Containers:  []corev1.Container{suite, files},
		Volumes:     []corev1.Volume{{Name: "results", VolumeSource: corev1.VolumeSource{EmptyDir: &corev1.EmptyDirVolumeSource{}}}},
		Tolerations: []corev1.Toleration{{Operator: corev1.TolerationOpExists}}, // tests taint nodes
		SecurityContext: &corev1.PodSecurityContext{
			RunAsNonRoot: &yes, RunAsUser: &user, RunAsGroup: &user, SeccompProfile: &corev1.SeccompProfile{Type: corev1.SeccompProfileTypeRuntimeDefault},
		},
	}}
}

// remove removes what was made, and waits until it is gone.
func (w *work) remove(ctx context.Context) error {
	made := Made{Lease: w.Lease, Namespace: w.namespace(), Bindings: []string{w.namespace()}}
	return made.Remove(ctx, w.client, w.Times)
}
