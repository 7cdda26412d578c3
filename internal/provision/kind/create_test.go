package kind

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/qualify-dev/qualify/internal/provision"
	"github.com/qualify-dev/qualify/internal/release"
	"github.com/qualify-dev/qualify/matrix"
)

func TestCreateReturnsWhatItRan(t *testing.T) {
	broken := errors.New("broken")
	for _, want := range []error{nil, broken} {
		err := create(context.Background(), func() error { return want }, func() error {
			t.Error("removed without need")
			return nil
		})
		if !errors.Is(err, want) {
			t.Errorf("error %v, want %v", err, want)
		}
	}
}

// A creation takes no context: it ends by losing what it creates. create does
// not return before it has, and removes what it made last.
func TestCreateIsCancelledByRemoving(t *testing.T) {
	ctx, cancel := context.WithCancelCause(context.Background())
	interrupted := errors.New("interrupted")
	var running, removals atomic.Int32
	removed := make(chan struct{}, 10)
	run := func() error {
		running.Store(1)
		defer running.Store(0)
		cancel(interrupted)
		<-removed
		<-removed // it makes something once more
		return errors.New("the cluster is gone")
	}
	remove := func() error {
		removals.Add(1)
		removed <- struct{}{}
		return nil
	}
	returned := make(chan error, 1)
	go func() { returned <- create(ctx, run, remove) }()
	var err error
	select {
	case err = <-returned:
	case <-time.After(20 * time.Second):
		t.Fatal("create waits for a creation that nobody ends")
	}
	if !errors.Is(err, errCancelled) || !errors.Is(err, interrupted) {
		t.Errorf("error %v", err)
	}
	if running.Load() != 0 {
		t.Error("create returned while the creation was running")
	}
	if n := removals.Load(); n < 3 {
		t.Errorf("%d removals: nothing was removed after the creation had ended", n)
	}
}

func TestCreateSaysThatRemovingFailed(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	stuck := errors.New("stuck")
	err := create(ctx, func() error { time.Sleep(20 * time.Millisecond); return nil }, func() error { return stuck })
	if !errors.Is(err, errCancelled) || !errors.Is(err, stuck) || !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
}

// upSpec is of a system that no node image can be made of: should a guard
// fail, that does.
func upSpec(t *testing.T) provision.Spec {
	return provision.Spec{
		Cell: matrix.NewCell(map[string]string{matrix.OS: "solaris"}), Release: testRelease("v1.34.4"), Dir: t.TempDir(),
		Phase: func(string) {},
	}
}

func TestUpLeavesALeaseInUseAlone(t *testing.T) {
	e := newEngine(t)
	e.clusterOf("q-1")
	_, err := testProvisioner(t).Up(context.Background(), testLease("q-1"), upSpec(t))
	var product *provision.ProductError
	if err == nil || !strings.Contains(err.Error(), "lease q-1 is in use") || errors.As(err, &product) {
		t.Errorf("error %v", err)
	}
	if calls := e.calls(); len(calls) > 0 {
		t.Errorf("calls %q", calls)
	}
}

func TestUpWithoutAnEngineOrTime(t *testing.T) {
	e := newEngine(t)
	e.write("down", "")
	if _, err := testProvisioner(t).Up(context.Background(), testLease("q-1"), upSpec(t)); !errors.Is(err, errEngine) {
		t.Errorf("without an engine: %v", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := testProvisioner(t).Up(ctx, testLease("q-1"), upSpec(t)); !errors.Is(err, context.Canceled) {
		t.Errorf("without time: %v", err)
	}
}

// Everything is labelled in the call that makes it, with values that no shell
// and no Dockerfile may read as anything else.
func TestLabelsComeWithTheMaking(t *testing.T) {
	e := newEngine(t)
	e.says("network create *", "id", 0)
	e.says("create *", "id", 0)
	e.says("commit *", "id", 0)
	e.add("container", "scratch", "q-1-labels", nil)
	e.on("rm -f -v q-1-labels", "exit 0")
	name, err := ownNetworkAndImage(context.Background(), testLease("q-1"), "qualify/node:1")
	if err != nil || name != "qualify/cell:q-1" {
		t.Fatalf("image %q, %v", name, err)
	}
	calls := e.calls()
	verbs := make([]string, len(calls))
	for i, call := range calls {
		verbs[i], _, _ = strings.Cut(call, " ")
	}
	if !slices.Equal(verbs, []string{"network", "create", "commit", "rm"}) {
		t.Fatalf("calls %q", calls)
	}
	for k, v := range leaseLabels(testLease("q-1")) {
		for _, call := range calls[:2] {
			if !strings.Contains(call, "--label "+k+"="+v+" ") {
				t.Errorf("label %s=%s is not in %s", k, v, call)
			}
		}
	}
	if want := `LABEL dev.qualify.owner="host/1 \"\$HOME\" \\"`; !strings.Contains(calls[2], want) {
		t.Errorf("%s is not in %s", want, calls[2])
	}
}

func TestWrongBytesAreTheReleases(t *testing.T) {
	var product *provision.ProductError
	if err := releaseFault(&release.DigestError{Asset: "bin/linux/amd64/kubelet"}); !errors.As(err, &product) || product.Component != "bin/linux/amd64/kubelet" {
		t.Errorf("wrong bytes: %v", err)
	}
	if err := releaseFault(errEngine); err != errEngine {
		t.Errorf("another fault: %v", err)
	}
}

func TestCan(t *testing.T) {
	for _, test := range []struct {
		os   string
		host host
		want string
	}{
		{"debian-11", host{cgroupV1: true}, ""},
		{"debian-12", host{cgroupV1: true}, ""},
		{"debian-12", host{}, ""},
		{"debian-13", host{}, ""},
		{"debian-13", host{cgroupV1: true}, "unsupported here: Debian 13 (trixie): systemd 257 does not boot on control groups of version 1"},
		{"solaris", host{}, "unknown operating system"},
	} {
		err := canOn(test.host, matrix.NewCell(map[string]string{matrix.OS: test.os}))
		if (err == nil) != (test.want == "") || err != nil && !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s on %+v: %v, want %q", test.os, test.host, err, test.want)
		}
		var here *provision.UnsupportedError
		if errors.As(err, &here) != strings.HasPrefix(test.want, "unsupported here") {
			t.Errorf("%s on %+v: %T", test.os, test.host, err)
		}
	}
	if err := can(matrix.NewCell(map[string]string{matrix.OS: "debian-12"})); err != nil {
		t.Error(err)
	}
}
