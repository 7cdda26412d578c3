package sonobuoy

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/sirupsen/logrus"
	"github.com/vmware-tanzu/sonobuoy/pkg/plugin/aggregation"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"github.com/qualify-dev/qualify/internal/inpod"
)

// Run is one run of one plugin.
type Run struct {
	Kubeconfig string
	Lease      string // whose the cluster is; every object carries it as a label
	Job        string // names what is run: only a run of the same job is taken over
	Image      string // of the aggregator and of the workers
	Node       string // on which the aggregator runs; "" leaves it to the scheduler
	Kubernetes string // version, "v1.34.4"
	Plugin     []byte // its definition
	// Budget is how long the plugin may take; 0 is Sonobuoy's own, six hours.
	Budget time.Duration
	// Progress hears how many tests have ended, now and then; may be nil.
	Progress func(ended int)
	// Times are set by tests; zero values stand for the usual ones.
	Times inpod.Times

	fetch func(ctx context.Context) ([]byte, error) // of tests
}

// Execute runs the plugin to its end, or takes over the run of it, and brings
// the results home. What it made is removed again, unless the context was
// cancelled: another process may go on with it. The error means that
// there are no whole results; tests that failed are none.
func (r Run) Execute(ctx context.Context) (results Results, err error) {
	plugin, err := Parse(r.Plugin)
	if err != nil {
		return Results{}, err
	}
	config, err := inpod.Access(r.Kubeconfig)
	if err != nil {
		return Results{}, err
	}
	quick := rest.CopyConfig(config)
	quick.Timeout = 30 * time.Second
	api, err := kubernetes.NewForConfig(quick)
	if err != nil {
		return Results{}, fmt.Errorf("reading the kubeconfig: %w", err)
	}
	quiet()
	r.Times = r.Times.OrUsual()
	w := &work{Run: r, plugin: plugin, api: api, config: config, quick: quick}
	defer func() {
		if !errors.Is(ctx.Err(), context.Canceled) {
			err = errors.Join(err, w.made.Remove(context.WithoutCancel(ctx), api, w.Times))
		}
	}()
	if err := w.place(ctx); err != nil {
		return Results{}, fmt.Errorf("starting Sonobuoy: %w", err)
	}
	status, err := w.wait(ctx)
	if err != nil {
		return Results{}, fmt.Errorf("waiting for Sonobuoy: %w", err)
	}
	archive, err := w.retrieve(ctx, status.Tarball)
	if err != nil {
		return Results{}, fmt.Errorf("fetching Sonobuoy's results: %w", err)
	}
	return read(archive, plugin)
}

// quiet keeps the library's logger from writing to the process's streams, past
// everything that looks for secrets.
var quiet = sync.OnceFunc(func() { logrus.SetLevel(logrus.PanicLevel) })

// work is a run with what it talks through.
type work struct {
	Run
	plugin        Plugin
	api           kubernetes.Interface
	config, quick *rest.Config // without and with a time for each request
	made          inpod.Made
	started       *corev1.Pod // the aggregator
	seen          bool        // a pod of the plugin
	lost          time.Time   // since when it has none, or is on a node that is not ready
}

// namespace is the lease's own: Sonobuoy can run once in a namespace, and
// names what is outside of it after it.
func (r Run) namespace() string { return r.Lease + "-sonobuoy" }

const (
	jobNote    = "qualify.dev/job"
	aggregator = "sonobuoy"
)

// wait looks at the run until it is complete.
func (w *work) wait(ctx context.Context) (status aggregation.Status, err error) {
	watch := inpod.Watch{API: w.api, Pod: w.started, Who: "its aggregator", Whose: "the aggregator's", Times: w.Times}
	err = watch.Until(ctx, func(now *corev1.Pod, passed time.Duration) (over bool, err error) {
		status, over, err = w.look(ctx, now)
		if !over && err == nil && status.Status == "" && passed > w.Times.Startup {
			err = fmt.Errorf("its aggregator has said nothing within %s: it is %s", w.Times.Startup, now.Status.Phase)
		}
		return over, err
	})
	return status, err
}

// look judges the aggregator's pod and what it says. "complete" means that it has
// come to its end, whatever the tests did.
func (w *work) look(ctx context.Context, pod *corev1.Pod) (status aggregation.Status, over bool, err error) {
	if pod.DeletionTimestamp != nil || pod.Status.Phase == corev1.PodFailed || pod.Status.Phase == corev1.PodSucceeded {
		return status, false, fmt.Errorf("its aggregator has ended: it is %s %s %s", pod.Status.Phase, pod.Status.Reason, pod.Status.Message)
	}
	said := pod.Annotations[aggregation.StatusAnnotationName]
	if said == "" {
		return status, false, nil
	}
	if err := json.Unmarshal([]byte(said), &status); err != nil {
		return status, false, fmt.Errorf("its status cannot be read: %w", err)
	}
	i := slices.IndexFunc(status.Plugins, func(p aggregation.PluginStatus) bool { return p.Plugin == w.plugin.Name })
	if i < 0 {
		return status, false, fmt.Errorf("it does not know the plugin %s", w.plugin.Name)
	}
	if p := status.Plugins[i].Progress; p != nil && w.Progress != nil {
		w.Progress(int(p.Completed))
	}
	switch status.Status {
	case aggregation.FailedStatus:
		return status, false, errors.New("it says that it has failed")
	case aggregation.CompleteStatus:
		// The archive may be written down a moment later.
		return status, status.Tarball.SHA256 != "", nil
	}
	return status, false, w.vanished(ctx, status.Plugins[i].Status)
}

// vanished is an error when the pod of a plugin that is a job is gone: the
// aggregator only logs that, and waits for ever.
func (w *work) vanished(ctx context.Context, status string) error {
	if w.plugin.Driver != "job" || status != aggregation.RunningStatus {
		return nil
	}
	pods, err := w.api.CoreV1().Pods(w.namespace()).List(ctx, metav1.ListOptions{LabelSelector: "sonobuoy-plugin=" + w.plugin.Name})
	if err != nil {
		return nil // the aggregator's own pod is asked for as often, and says how long
	}
	if len(pods.Items) > 0 {
		w.seen = true
		node := pods.Items[0].Spec.NodeName
		if inpod.NodeReady(ctx, w.api, node) {
			w.lost = time.Time{}
			return nil
		}
		return w.patient("is on node " + node + ", which is not ready")
	}
	what := "was never there"
	if w.seen {
		what = "is gone"
	}
	return w.patient(what)
}

func (w *work) patient(what string) error {
	w.lost = cmp.Or(w.lost, time.Now())
	if time.Since(w.lost) < w.Times.Patience {
		return nil
	}
	return fmt.Errorf("the pod of its plugin %s, for %s", what, w.Times.Patience)
}

func sortedKeys(m map[string]string) []string { return slices.Sorted(maps.Keys(m)) }
