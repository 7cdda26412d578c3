package provision

import (
	"context"
	"errors"
	"io/fs"
	"path/filepath"

	"github.com/qualify-dev/qualify/internal/cluster"
	"github.com/qualify-dev/qualify/internal/sink"
)

// WithSecrets wraps a provisioner so that nobody gets a cluster before the key
// material in its kubeconfig is registered: what the suites and the nodes print
// from then on is redacted. A cluster whose keys cannot be registered is none.
func WithSecrets(p Provisioner, s *sink.Sink) Provisioner { return learning{p, s} }

type learning struct {
	Provisioner
	sink *sink.Sink
}

// Up makes the cluster and registers its secrets, also those of one that did
// not come up: its logs are collected all the same.
func (l learning) Up(ctx context.Context, lease Lease, spec Spec) (*cluster.Cluster, error) {
	c, err := l.Provisioner.Up(ctx, lease, spec)
	if err != nil || c == nil {
		if unknown := l.sink.Kubeconfig(filepath.Join(spec.Dir, "kubeconfig")); !errors.Is(unknown, fs.ErrNotExist) {
			err = errors.Join(err, unknown)
		}
		return nil, err
	}
	if err := l.sink.Kubeconfig(c.Kubeconfig); err != nil {
		return nil, err
	}
	return c, nil
}
