package inpod

import (
	"context"
	"errors"
	"fmt"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
)

// Made names what a run makes in a cluster: a namespace, and what is outside of
// it. All of it has the lease as a label.
type Made struct {
	Lease, Namespace string
	Bindings, Roles  []string // of the cluster
}

// object is one thing, and how it is asked for and removed.
type object struct {
	get    func() (metav1.Object, error)
	remove func(metav1.DeleteOptions) error
}

// Remove removes it, and nobody else's of the same names, and waits until it is
// gone. It does so also while the API server is on its way back.
func (m Made) Remove(ctx context.Context, api kubernetes.Interface, times Times) error {
	times = times.OrUsual()
	ctx, cancel := context.WithTimeoutCause(ctx, times.Cleanup, fmt.Errorf("the cluster took longer than %s", times.Cleanup))
	defer cancel()
	var problems error
	for _, o := range m.objects(ctx, api) {
		problems = errors.Join(problems, m.removeOne(ctx, o, times.Poll))
	}
	if problems != nil {
		return fmt.Errorf("removing the namespace %s and its roles: %w", m.Namespace, problems)
	}
	return nil
}

func (m Made) objects(ctx context.Context, api kubernetes.Interface) []object {
	var all []object
	for _, name := range m.Bindings {
		all = append(all, object{
			func() (metav1.Object, error) {
				return api.RbacV1().ClusterRoleBindings().Get(ctx, name, metav1.GetOptions{})
			},
			func(o metav1.DeleteOptions) error { return api.RbacV1().ClusterRoleBindings().Delete(ctx, name, o) },
		})
	}
	for _, name := range m.Roles {
		all = append(all, object{
			func() (metav1.Object, error) { return api.RbacV1().ClusterRoles().Get(ctx, name, metav1.GetOptions{}) },
			func(o metav1.DeleteOptions) error { return api.RbacV1().ClusterRoles().Delete(ctx, name, o) },
		})
	}
	return append(all, object{
		func() (metav1.Object, error) {
			return api.CoreV1().Namespaces().Get(ctx, m.Namespace, metav1.GetOptions{})
		},
		func(o metav1.DeleteOptions) error { return api.CoreV1().Namespaces().Delete(ctx, m.Namespace, o) },
	})
}

func (m Made) removeOne(ctx context.Context, o object, poll time.Duration) error {
	for asked := false; ; {
		found, err := o.get()
		if apierrors.IsNotFound(err) || err == nil && found.GetLabels()[LeaseLabel] != m.Lease {
			return nil
		}
		if err == nil && !asked {
			uid := found.GetUID()
			err = o.remove(metav1.DeleteOptions{Preconditions: &metav1.Preconditions{UID: &uid}})
			asked = err == nil
		}
		if ended := pause(ctx, poll); ended != nil {
			return errors.Join(err, ended)
		}
	}
}
