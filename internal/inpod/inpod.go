// Package inpod runs the conformance image of a release as a pod of the cluster
// that is tested, and brings the files home that it leaves. The pod outlives a
// lost connection and the process that started it: who comes next takes it over.
package inpod

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/go-logr/logr"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/klog/v2"
)

// Run is one run of some specs by the conformance image.
type Run struct {
	Kubeconfig string
	Lease      string // whose the cluster is; every object carries it as a label
	Job        string // names what is run: only a pod of the same job is taken over
	Try        int    // counted from 1; each has a pod of its own
	Image      string
	Node       string // on which the pod has to run, since it has the image; "" leaves it to the scheduler
	// Program is the SHA-256 that the image's e2e.test must have, in hex.
	Program string
	Env     map[string]string // of the conformance container
	// Progress hears how many specs have ended, now and then; may be nil.
	Progress func(ended int)
	// Times are set by tests; zero values stand for the usual ones.
	Times Times
}

// Times are how long is waited for what.
type Times struct {
	Poll     time.Duration // between two looks at the pod
	Startup  time.Duration // until the suite runs
	Patience time.Duration // with an API server that does not answer, and with a node that is not ready
	Cleanup  time.Duration // for the removal of what was made
}

// OrUsual has the usual times in the place of zero values.
func (t Times) OrUsual() Times {
	return Times{
		Poll: cmp.Or(t.Poll, 2*time.Second), Startup: cmp.Or(t.Startup, 5*time.Minute),
		Patience: cmp.Or(t.Patience, 3*time.Minute), Cleanup: cmp.Or(t.Cleanup, 2*time.Minute),
	}
}

// Files are what a run has left, byte for byte as they were in the pod.
type Files struct {
	Log, JUnit []byte
	ExitCode   int // of the conformance container
}

// Execute runs the suite to its end, or takes over the pod that runs it, and
// fetches its files. What it made is removed again, but for one case: who was
// cancelled leaves it to the lease's end, since another process may go on with
// it. The error means that there are no files that stand for a whole run.
func (r Run) Execute(ctx context.Context) (files Files, err error) {
	r.Times = r.Times.OrUsual()
	config, err := Access(r.Kubeconfig)
	if err != nil {
		return Files{}, err
	}
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return Files{}, fmt.Errorf("reading the kubeconfig: %w", err)
	}
	w := &work{Run: r, client: client, config: config}
	defer func() {
		if errors.Is(ctx.Err(), context.Canceled) {
			return
		}
		err = errors.Join(err, w.remove(context.WithoutCancel(ctx)))
	}()
	pod, err := w.place(ctx)
	if err != nil {
		return Files{}, fmt.Errorf("starting the conformance pod: %w", err)
	}
	following, stop := context.WithCancel(ctx)
	done := make(chan struct{})
	go func() { defer close(done); w.follow(following, pod.Name) }()
	code, err := w.wait(ctx, pod)
	stop()
	<-done
	if err != nil {
		return Files{}, fmt.Errorf("waiting for the conformance pod: %w", err)
	}
	if files, err = w.fetch(ctx, pod.Name); err != nil {
		return Files{}, fmt.Errorf("fetching the results of the conformance pod: %w", err)
	}
	files.ExitCode = code
	return files, nil
}

// Access is the way to a cluster, for programs that run something in it. From
// then on the client library keeps silent.
func Access(kubeconfig string) (*rest.Config, error) {
	config, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	if err != nil {
		return nil, fmt.Errorf("reading the kubeconfig: %w", err)
	}
	config.ContentType, config.QPS = "application/json", -1 // what every API server speaks; and the pauses are ours
	quiet()
	return config, nil
}

// quiet keeps the client library from writing to the process's streams, past
// everything that looks for secrets. What it would say is in the errors.
var quiet = sync.OnceFunc(func() { klog.SetLogger(logr.Discard()) })

// work is a run with what it talks through.
type work struct {
	Run
	client kubernetes.Interface
	config *rest.Config
}

// wait looks at the pod until the suite has ended, and returns its exit code.
func (w *work) wait(ctx context.Context, pod *corev1.Pod) (code int, err error) {
	watch := Watch{API: w.client, Pod: pod, Who: "it", Whose: "its", Times: w.Times}
	err = watch.Until(ctx, func(now *corev1.Pod, passed time.Duration) (over bool, err error) {
		code, over, err = judge(now)
		if !over && err == nil && !running(now) && passed > w.Times.Startup {
			err = fmt.Errorf("the suite has not started within %s: %s", w.Times.Startup, waitingFor(now))
		}
		return over, err
	})
	return code, err
}

// judge tells whether the suite is over, with its exit code; the error is that
// of a pod that cannot come to its end any more.
func judge(pod *corev1.Pod) (code int, over bool, err error) {
	if pod.DeletionTimestamp != nil {
		return 0, false, errors.New("it is being deleted")
	}
	if pod.Status.Reason == "Evicted" || slices.ContainsFunc(pod.Status.Conditions, func(c corev1.PodCondition) bool {
		return c.Type == corev1.DisruptionTarget && c.Status == corev1.ConditionTrue
	}) {
		return 0, false, fmt.Errorf("it was evicted: %s", pod.Status.Message)
	}
	suite, files := status(pod, suiteContainer), status(pod, filesContainer)
	if files != nil && files.State.Terminated != nil {
		return 0, false, fmt.Errorf("the container that keeps its files has ended: %s", files.State.Terminated.Reason)
	}
	if suite != nil && suite.State.Terminated != nil {
		return int(suite.State.Terminated.ExitCode), true, nil
	}
	if pod.Status.Phase == corev1.PodFailed || pod.Status.Phase == corev1.PodSucceeded {
		return 0, false, fmt.Errorf("it is %s and does not say how the suite ended: %s %s", pod.Status.Phase, pod.Status.Reason, pod.Status.Message)
	}
	return 0, false, nil
}

func status(pod *corev1.Pod, container string) *corev1.ContainerStatus {
	for i, s := range pod.Status.ContainerStatuses {
		if s.Name == container {
			return &pod.Status.ContainerStatuses[i]
		}
	}
	return nil
}

func running(pod *corev1.Pod) bool {
	s := status(pod, suiteContainer)
	return s != nil && s.State.Running != nil
}

// waitingFor says why a suite has not started.
func waitingFor(pod *corev1.Pod) string {
	for _, s := range pod.Status.ContainerStatuses {
		if s.State.Waiting != nil && s.State.Waiting.Reason != "" {
			return fmt.Sprintf("container %s: %s %s", s.Name, s.State.Waiting.Reason, s.State.Waiting.Message)
		}
	}
	for _, c := range pod.Status.Conditions {
		if c.Status != corev1.ConditionTrue && c.Message != "" {
			return c.Message
		}
	}
	return "the pod is " + string(pod.Status.Phase)
}
