package kind

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/qualify-dev/qualify/internal/bootstrap"
	"github.com/qualify-dev/qualify/internal/cluster"
	"github.com/qualify-dev/qualify/internal/provision"
)

// kubeadmFailure is a kubeadm that ran and failed.
func kubeadmFailure() error { return kubeadmFails("init") }

func kubeadmFails(step string) error {
	return &bootstrap.StepError{
		Step: step, Node: "q-1-control-plane", Output: "[init] Using Kubernetes version: v1.34.4\nerror: etcd is not healthy",
		Err: &cluster.ExitError{Node: "q-1-control-plane", Cmd: cluster.Command("kubeadm", step), Code: 1},
	}
}

// unitSays makes systemd describe a unit on a node.
func (e engine) unitSays(node, unit, active, restarts, status string) {
	e.says("exec --privileged "+node+" systemctl show "+unit+" *",
		"ActiveState="+active+"\nNRestarts="+restarts+"\nExecMainStatus="+status, 0)
}

// wellUntil is an engine on which everything is as it should be; what a test
// answers first, counts.
func wellAfter(t *testing.T, spoil func(engine)) {
	e := newEngine(t)
	e.write("nodes", "q-1-worker running\nq-1-control-plane running\n")
	spoil(e)
	e.unitSays("*", "containerd", "active", "0", "0")
	e.unitSays("*", "kubelet", "active", "3", "0") // it waited for its configuration
	e.says("exec --privileged q-1-* journalctl *", "a line of the journal", 0)
}

func TestDiagnoseBlames(t *testing.T) {
	notReady := fmt.Errorf("%w: node q-1-worker is not Ready: no network", bootstrap.ErrUnready)
	nothing := func(engine) {}
	tests := []struct {
		name    string
		cause   error
		spoil   func(engine)
		product string // the component that is blamed, or ""
		says    string
		log     string
	}{
		{"the engine is down", notReady, func(e engine) { e.write("down", "") }, "", "the container engine does not answer", ""},
		{"the engine does not list", notReady, func(e engine) { e.says("ps *", "Error response from daemon: oops", 1) }, "", "oops", ""},
		{"no containers", kubeadmFailure(), func(e engine) { e.write("nodes", "") }, "", "no node container runs", ""},
		{"a container ended", notReady, func(e engine) { e.write("nodes", "q-1-worker exited\n") }, "", "q-1-worker is exited", ""},
		{"containerd restarts", kubeadmFailure(), func(e engine) { e.unitSays("q-1-worker", "containerd", "active", "4", "1") }, "", "containerd of the node OS", ""},
		{"containerd failed", kubeadmFailure(), func(e engine) { e.unitSays("*", "containerd", "failed", "0", "2") }, "", "containerd of the node OS", ""},
		{"containerd never started", notReady, func(e engine) { e.unitSays("*", "containerd", "inactive", "0", "0") }, "", "containerd of the node OS", ""},
		{"a node does not answer", kubeadmFailure(), func(e engine) { e.says("exec *", "Error response from daemon: exec failed", 1) }, "", "state unknown", ""},
		{"containerd before kubelet", kubeadmFailure(), func(e engine) {
			e.unitSays("*", "containerd", "failed", "0", "1")
			e.unitSays("*", "kubelet", "failed", "9", "1")
		}, "", "containerd", ""},
		{"kubelet restarts", kubeadmFailure(), func(e engine) { e.unitSays("q-1-control-plane", "kubelet", "activating", "17", "1") },
			"kubelet", "starting on node q-1-control-plane (activating, 17 restarts, last exit status 1)", "a line of the journal"},
		{"kubelet failed", notReady, func(e engine) { e.unitSays("*", "kubelet", "failed", "0", "0") }, "kubelet", "starting on node", "a line of the journal"},
		{"kubelet, and its journal is lost", notReady, func(e engine) {
			e.unitSays("*", "kubelet", "failed", "0", "0")
			e.says("exec --privileged q-1-* journalctl *", "no journal", 1)
		}, "kubelet", "starting on node", "the journal cannot be read"},
		{"no disk left", fmt.Errorf("%w: %w: node q-1-worker has DiskPressure", bootstrap.ErrUnready, bootstrap.ErrPressure), nothing, "", "has DiskPressure", ""},
		{"not ready", notReady, nothing, "cluster", "no network", "a line of the journal"},
		{"kubeadm init", kubeadmFailure(), nothing, "kubeadm", "kubeadm init on node q-1-control-plane", "etcd is not healthy"},
		{"kubeadm join", kubeadmFails("join"), nothing, "kubeadm", "kubeadm join on node", "etcd is not healthy"},
		{"kubeadm that was not run", &bootstrap.StepError{Step: "init", Node: "q-1-control-plane", Err: errors.New("the transport broke")}, nothing, "", "the transport broke", ""},
		{"a step that was never begun", &bootstrap.StepError{Step: "join", Node: "q-1-worker", Err: bootstrap.ErrNotReady}, nothing, "cluster", "the API server is not ready for it", "a line of the journal"},
		{"on the way to kubeadm", errors.New("failed to copy kubeadm config to node: exit status 1"), nothing, "", "copy kubeadm config", ""},
		{"a command with kubeadm in it", errors.New(`command "docker cp kubeadm.conf q-1:/kind" failed`), nothing, "", "docker cp", ""},
		{"anything else", errors.New("could not find a port"), nothing, "", "could not find a port", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			wellAfter(t, tt.spoil)
			err := diagnose(context.Background(), testLease("q-1"), tt.cause)
			var product *provision.ProductError
			if errors.As(err, &product) != (tt.product != "") {
				t.Fatalf("error %v", err)
			}
			if !strings.Contains(err.Error(), tt.says) {
				t.Errorf("error %v does not say %q", err, tt.says)
			}
			if product == nil {
				if !strings.HasPrefix(err.Error(), "infrastructure: ") {
					t.Errorf("error %v does not say whose fault it is", err)
				}
				return
			}
			if product.Component != tt.product || !strings.Contains(product.Log, tt.log) {
				t.Errorf("blamed %s with log %q", product.Component, product.Log)
			}
			if strings.Contains(product.Error(), "\n") {
				t.Errorf("error of several lines: %q", product.Error())
			}
		})
	}
}

// Whatever an ended context left behind, it shows nothing against the release.
func TestDiagnoseAfterTheEnd(t *testing.T) {
	wellAfter(t, func(e engine) { e.unitSays("*", "kubelet", "failed", "9", "1") })
	cancelled, cancel := context.WithCancel(context.Background())
	cancel()
	late, end := context.WithTimeout(context.Background(), 0)
	defer end()
	for name, ctx := range map[string]context.Context{"cancelled": cancelled, "too late": late} {
		for _, cause := range []error{bootstrap.ErrUnready, errCancelled, kubeadmFailure(), errors.New("signal: killed"), &provision.ProductError{Err: errors.New("seen before")}} {
			err := cutShort(ctx, diagnose(ctx, testLease("q-1"), cause))
			var product *provision.ProductError
			if !errors.Is(err, ctx.Err()) || errors.As(err, &product) {
				t.Errorf("%s: %v gives %v", name, cause, err)
			}
		}
	}
	ctx := context.Background()
	if got := cutShort(ctx, nil); got != nil {
		t.Errorf("no error became %v", got)
	}
	if got := cutShort(cancelled, nil); got != nil {
		t.Errorf("no error became %v", got)
	}
	if got := cutShort(ctx, bootstrap.ErrUnready); got != bootstrap.ErrUnready {
		t.Errorf("an error in time became %v", got)
	}
	if err := diagnose(ctx, testLease("q-1"), fmt.Errorf("%w: by hand", errCancelled)); !errors.Is(err, errCancelled) {
		t.Errorf("cancelled otherwise: %v", err)
	}
}

func TestHopelessKubeletEndsKubeadm(t *testing.T) {
	for name, tt := range map[string]struct {
		restarts, status string
		kills            bool
	}{
		"in vain": {"10", "1", true}, "not yet": {"9", "1", false}, "runs at last": {"12", "0", false}, "unknown": {"", "", false},
	} {
		t.Run(name, func(t *testing.T) {
			e := newEngine(t)
			e.write("nodes", "q-1-control-plane running\nq-1-worker created\n")
			e.unitSays("q-1-control-plane", "kubelet", "activating", tt.restarts, tt.status)
			e.says("exec --privileged * pkill -KILL -x kubeadm", "", 0)
			ctx, cancel := context.WithTimeout(context.Background(), time.Second)
			defer cancel()
			watchKubelets(ctx, testLease("q-1"), 20*time.Millisecond)
			killed := slices.Contains(e.calls(), "exec --privileged q-1-control-plane pkill -KILL -x kubeadm")
			if killed != tt.kills {
				t.Errorf("kubeadm was killed: %t", killed)
			}
			for _, call := range e.calls() {
				if strings.Contains(call, "q-1-worker systemctl") {
					t.Errorf("a node that does not run was asked: %s", call)
				}
			}
		})
	}
}

func TestLinesOfErrors(t *testing.T) {
	if got := firstLine(errors.New("\n one \ntwo")); got != "one " {
		t.Errorf("first line %q", got)
	}
}
