package inpod

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
)

// Watch looks at a pod until it is over. The API server and the pod's node may
// be away for as long as there is patience with them.
type Watch struct {
	API   kubernetes.Interface
	Pod   *corev1.Pod // as it was made: another one of its name is none of ours
	Who   string      // in messages: "it", "its aggregator"
	Whose string      // "its", "the aggregator's"
	Times Times
}

// Until calls look with the pod as it is now, and with how long it is watched,
// until look says that it is over or has an error. Nothing that can keep that
// from coming is waited for without a deadline, but for what look itself
// allows.
func (w Watch) Until(ctx context.Context, look func(now *corev1.Pod, passed time.Duration) (over bool, err error)) error {
	started := time.Now()
	heard, ready := started, started // when the API server last answered, when the node was last ready
	for {
		now, err := w.API.CoreV1().Pods(w.Pod.Namespace).Get(ctx, w.Pod.Name, metav1.GetOptions{})
		switch {
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case apierrors.IsNotFound(err):
			return fmt.Errorf("%s is gone before it has ended: somebody deleted it, or its node was removed", w.Who)
		case err != nil && time.Since(heard) > w.Times.Patience:
			return fmt.Errorf("the API server has not answered for %s: %w", w.Times.Patience, err)
		case err != nil:
		case now.UID != w.Pod.UID:
			return errors.New("another pod has taken " + w.Whose + " name")
		default:
			heard = time.Now()
			if over, err := look(now, time.Since(started)); over || err != nil {
				return err
			}
			if NodeReady(ctx, w.API, now.Spec.NodeName) {
				ready = heard
			} else if time.Since(ready) > w.Times.Patience {
				return fmt.Errorf("%s node %s has not been ready for %s", w.Whose, now.Spec.NodeName, w.Times.Patience)
			}
		}
		if err := pause(ctx, w.Times.Poll); err != nil {
			return err
		}
	}
}

// pause waits for a while, or until the context has ended.
func pause(ctx context.Context, while time.Duration) error {
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-time.After(while):
		return nil
	}
}

// NodeReady tells whether a node says that it is ready. A pod that tolerates every
// taint seems to run on for ever on a node that is dead. One that is not placed
// yet is on no node, and has a deadline of its own.
func NodeReady(ctx context.Context, api kubernetes.Interface, name string) bool {
	if name == "" {
		return true
	}
	node, err := api.CoreV1().Nodes().Get(ctx, name, metav1.GetOptions{})
	return err == nil && slices.ContainsFunc(node.Status.Conditions, func(c corev1.NodeCondition) bool {
		return c.Type == corev1.NodeReady && c.Status == corev1.ConditionTrue
	})
}
