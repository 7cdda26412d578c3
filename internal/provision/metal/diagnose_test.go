package metal

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/qualify-dev/qualify/internal/bootstrap"
	"github.com/qualify-dev/qualify/internal/cluster"
	"github.com/qualify-dev/qualify/internal/provision"
)

// unwell is a node whose units are as they are said to be.
type unwell struct {
	cluster.Transport
	units map[string]string // what systemctl shows
	log   string
}

// A cluster that is not ready blames the release, and not where a machine has
// no disk left.
func TestNotReady(t *testing.T) {
	const well = "ActiveState=active\nNRestarts=0\nExecMainStatus=0\n"
	nodes := []cluster.Node{{Name: "m1", Transport: unwell{units: map[string]string{"containerd": well, "kubelet": well}}}}
	var product *provision.ProductError
	if err := diagnose(t.Context(), nodes, fmt.Errorf("%w: no network", bootstrap.ErrUnready)); !errors.As(err, &product) {
		t.Errorf("no network: %v", err)
	}
	if err := diagnose(t.Context(), nodes, fmt.Errorf("%w: %w", bootstrap.ErrUnready, bootstrap.ErrPressure)); errors.As(err, &product) {
		t.Errorf("no disk left: %v", err)
	}
}

// Exec answers for systemd.
func (u unwell) Exec(_ context.Context, cmd cluster.Cmd) (cluster.Output, error) {
	if cmd.Argv[0] == "systemctl" {
		return cluster.Output{Stdout: []byte(u.units[cmd.Argv[2]])}, nil
	}
	return cluster.Output{Stdout: []byte(u.log)}, nil
}

// The kubelet's own last words are the reason, where it has any; without a
// containerd that is well nothing is its fault.
func TestKubeletsLastWords(t *testing.T) {
	const well, sick = "ActiveState=active\nNRestarts=0\nExecMainStatus=0\n", "ActiveState=activating\nNRestarts=9\nExecMainStatus=1\n"
	log := "now kubelet[9]: E1 run.go:72] \"command failed\" err=\"failed to load \\\"x\\\"\"\nsystemd: it ended\n"
	for name, tt := range map[string]struct {
		node  unwell
		blame bool
		want  string
	}{
		"it says why":      {unwell{units: map[string]string{"containerd": well, "kubelet": sick}, log: log}, true, `starting on host m2: kubelet: failed to load "x"`},
		"it says nothing":  {unwell{units: map[string]string{"containerd": well, "kubelet": sick}}, true, "starting on host m2: kubelet: timed out"},
		"containerd fails": {unwell{units: map[string]string{"containerd": sick, "kubelet": sick}, log: log}, false, "infrastructure: containerd of the node OS is not well on host m2"},
		"both are well":    {unwell{units: map[string]string{"containerd": well, "kubelet": well}, log: log}, false, "infrastructure: timed out"},
	} {
		fine := unwell{units: map[string]string{"containerd": well, "kubelet": well}}
		err := diagnose(t.Context(), []cluster.Node{{Name: "m1", Transport: fine}, {Name: "m2", Transport: tt.node}}, errors.New("timed out\nmore"))
		var product *provision.ProductError
		if errors.As(err, &product) != tt.blame || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v, want %q", name, err, tt.want)
		}
		if tt.blame && product.Log != strings.TrimSpace(tt.node.log) {
			t.Errorf("%s: log %q", name, product.Log)
		}
	}
}
