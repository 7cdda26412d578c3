package existing

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"

	"github.com/qualify-dev/qualify/internal/provision"
)

// poll is how often is asked whether a namespace is gone.
const poll = 250 * time.Millisecond

// Down lets go of the cluster. Namespaces of tests that were made since it was
// taken hold of are somebody's, and nothing proves that they are ours: they are
// told, not removed.
func (p *provisioner) Down(ctx context.Context, lease provision.Lease) error {
	client, err := p.again(lease)
	if errors.Is(err, fs.ErrNotExist) {
		return nil // Up did not get to the cluster
	}
	if err != nil {
		return err
	}
	if err := removeMade(ctx, client, lease); err != nil {
		return err
	}
	namespaces := client.CoreV1().Namespaces()
	held, err := namespaces.Get(ctx, marker, metav1.GetOptions{})
	if apierrors.IsNotFound(err) || err == nil && held.Labels[leaseLabel] != lease.Name {
		return nil
	}
	if err != nil {
		return fmt.Errorf("asking whose the cluster is: %w", err)
	}
	left, err := tests(ctx, client, held.CreationTimestamp.Time)
	if err != nil {
		return err
	}
	uid := held.UID
	err = namespaces.Delete(ctx, marker, only(uid))
	if err != nil && !apierrors.IsNotFound(err) {
		return &provision.LeftoverError{Resources: append(left, provision.Resource{Kind: "namespace", Name: marker, Lease: lease}), Err: err}
	}
	for {
		now, err := namespaces.Get(ctx, marker, metav1.GetOptions{})
		if apierrors.IsNotFound(err) || err == nil && now.UID != uid {
			break
		}
		select {
		case <-ctx.Done():
			return &provision.LeftoverError{Resources: append(left, provision.Resource{Kind: "namespace", Name: marker, Lease: lease}), Err: ctx.Err()}
		case <-time.After(poll):
		}
	}
	if len(left) > 0 {
		return &provision.LeftoverError{
			Resources: left, Err: errors.New("tests made them while this run held the cluster; if they are of this run, delete them"),
		}
	}
	return nil
}

// removeMade removes what the run's suites have made and could not remove, since
// they were cancelled or killed: the lease is on each of these as a label. The
// marker has it too, and goes last: as long as anything is left, the cluster is
// held.
func removeMade(ctx context.Context, client kubernetes.Interface, lease provision.Lease) error {
	made := metav1.ListOptions{LabelSelector: leaseLabel + "=" + lease.Name}
	bindings, err := client.RbacV1().ClusterRoleBindings().List(ctx, made)
	if err != nil {
		return fmt.Errorf("listing what suites have left: %w", err)
	}
	for _, b := range bindings.Items {
		err := client.RbacV1().ClusterRoleBindings().Delete(ctx, b.Name, only(b.UID))
		if err != nil && !apierrors.IsNotFound(err) {
			return &provision.LeftoverError{Resources: []provision.Resource{{Kind: "cluster role binding", ID: string(b.UID), Name: b.Name, Lease: lease}}, Err: err}
		}
	}
	roles, err := client.RbacV1().ClusterRoles().List(ctx, made)
	if err != nil {
		return fmt.Errorf("listing what suites have left: %w", err)
	}
	for _, r := range roles.Items {
		err := client.RbacV1().ClusterRoles().Delete(ctx, r.Name, only(r.UID))
		if err != nil && !apierrors.IsNotFound(err) {
			return &provision.LeftoverError{Resources: []provision.Resource{{Kind: "cluster role", ID: string(r.UID), Name: r.Name, Lease: lease}}, Err: err}
		}
	}
	return removeNamespaces(ctx, client, lease, made)
}

// only lets nothing be removed but what was seen: another may have its name by now.
func only(uid types.UID) metav1.DeleteOptions {
	return metav1.DeleteOptions{Preconditions: &metav1.Preconditions{UID: &uid}}
}

func removeNamespaces(ctx context.Context, client kubernetes.Interface, lease provision.Lease, made metav1.ListOptions) error {
	var resources []provision.Resource
	for {
		left, err := client.CoreV1().Namespaces().List(ctx, made)
		if err != nil && len(resources) > 0 {
			return &provision.LeftoverError{Resources: resources, Err: err}
		}
		if err != nil {
			return fmt.Errorf("listing what suites have left: %w", err)
		}
		resources = nil
		for _, n := range left.Items {
			if n.Name == marker {
				continue
			}
			resources = append(resources, provision.Resource{Kind: "namespace", ID: string(n.UID), Name: n.Name, Lease: lease, Created: n.CreationTimestamp.Time})
			if n.DeletionTimestamp != nil {
				continue
			}
			err := client.CoreV1().Namespaces().Delete(ctx, n.Name, only(n.UID))
			if err != nil && !apierrors.IsNotFound(err) {
				return &provision.LeftoverError{Resources: resources, Err: err}
			}
		}
		if len(resources) == 0 {
			return nil
		}
		select {
		case <-ctx.Done():
			return &provision.LeftoverError{Resources: resources, Err: ctx.Err()}
		case <-time.After(poll):
		}
	}
}

// again connects by the kubeconfig that Up has left in the cell's directory
// before it did anything else: where there is none, nothing was made.
func (p *provisioner) again(lease provision.Lease) (kubernetes.Interface, error) {
	file := filepath.Join(lease.Home, "cells", lease.Cell, "kubeconfig")
	if _, err := os.Stat(file); err != nil {
		return nil, fmt.Errorf("finding the cluster of lease %s: %w", lease.Name, err)
	}
	return connect(file)
}

// tests are the namespaces of tests that are younger than a moment and not on
// their way out.
func tests(ctx context.Context, client kubernetes.Interface, since time.Time) ([]provision.Resource, error) {
	all, err := client.CoreV1().Namespaces().List(ctx, metav1.ListOptions{LabelSelector: testLabel})
	if err != nil {
		return nil, fmt.Errorf("listing what tests have left: %w", err)
	}
	var left []provision.Resource
	for _, n := range all.Items {
		if n.DeletionTimestamp == nil && !n.CreationTimestamp.Time.Before(since) {
			left = append(left, provision.Resource{Kind: "namespace", ID: string(n.UID), Name: n.Name, Created: n.CreationTimestamp.Time})
		}
	}
	return left, nil
}

// Collect has nothing to collect from: the machines are not ours to reach.
func (p *provisioner) Collect(_ context.Context, _ provision.Lease, dir string) error {
	const text = "The cluster is not qualify's: its nodes cannot be reached, so there are no logs of theirs.\n"
	return p.cfg.Sink.WriteFile(filepath.Join(dir, "README.txt"), []byte(text))
}
