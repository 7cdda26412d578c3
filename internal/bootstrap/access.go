package bootstrap

import (
	"context"
	"fmt"
	"sync"
	"time"

	"k8s.io/client-go/kubernetes"

	"github.com/qualify-dev/qualify/internal/sink"
)

// Access is the way to a cluster's API server, once there is one. It writes
// the kubeconfig when it first has it.
type Access struct {
	Kubeconfig func(context.Context) (string, error) // as the control plane has it
	Sink       *sink.Sink
	File       string

	mu   sync.Mutex
	last time.Time
	made kubernetes.Interface
	err  error
}

// Client returns the client, or why there is none yet.
func (a *Access) Client(ctx context.Context) (kubernetes.Interface, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.made != nil || time.Since(a.last) < accessPace {
		return a.made, a.err
	}
	a.made, a.err = a.look(ctx)
	a.last = time.Now()
	return a.made, a.err
}

func (a *Access) look(ctx context.Context) (kubernetes.Interface, error) {
	text, err := a.Kubeconfig(ctx)
	if err != nil {
		return nil, err
	}
	client, err := NewClient([]byte(text))
	if err != nil {
		return nil, err
	}
	if err := a.Sink.WriteKubeconfig(a.File, []byte(text)); err != nil {
		return nil, fmt.Errorf("writing the kubeconfig: %w", err)
	}
	return client, nil
}
