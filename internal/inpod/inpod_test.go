package inpod

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/qualify-dev/qualify/internal/inpod/inpodtest"
)

const (
	program   = "the release's own e2e.test"
	namespace = "q-1-conformance"
)

var (
	log   = []byte(strings.Repeat("a long log\n", 5000))
	junit = []byte("<testsuites/>")
)

// start serves a cluster and returns a run in it.
func start(t *testing.T, api *inpodtest.API) Run {
	t.Helper()
	api.Mistake = t.Errorf
	if api.Files == nil {
		api.Files = map[string][]byte{"/tmp/results/e2e.log": log, "/tmp/results/junit_01.xml": junit, "/usr/local/bin/e2e.test": []byte(program)}
	}
	server := api.Start()
	t.Cleanup(server.Close)
	file := filepath.Join(t.TempDir(), "kubeconfig")
	if err := os.WriteFile(file, inpodtest.Kubeconfig(server.URL), 0o600); err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256([]byte(program))
	return Run{
		Kubeconfig: file, Lease: "q-1", Job: "job", Try: 1, Image: "registry.example/conformance:v1", Node: inpodtest.NodeName,
		Program: hex.EncodeToString(sum[:]), Env: map[string]string{"E2E_SKIP": "", "E2E_FOCUS": "x"},
		Times: Times{Poll: time.Millisecond, Startup: 20 * time.Second, Patience: 20 * time.Second, Cleanup: 20 * time.Second},
	}
}

func TestExecute(t *testing.T) {
	api := &inpodtest.API{Runs: 3, Exit: 1}
	r := start(t, api)
	files, err := r.Execute(t.Context())
	if err != nil || string(files.Log) != string(log) || string(files.JUnit) != string(junit) || files.ExitCode != 1 {
		t.Fatalf("%d and %d bytes, exit code %d, %v", len(files.Log), len(files.JUnit), files.ExitCode, err)
	}
	if left := api.Left(); len(left) > 0 {
		t.Errorf("%q are left", left)
	}
	made := api.Created()
	if len(made) != 1 {
		t.Fatalf("%d pods", len(made))
	}
	pod := made[0]
	if pod.Labels[LeaseLabel] != "q-1" || pod.Namespace != namespace || pod.Spec.RestartPolicy != corev1.RestartPolicyNever || len(pod.Spec.Containers) != 2 {
		t.Errorf("the pod is %+v", pod)
	}
	if s := pod.Spec.SecurityContext; !*s.RunAsNonRoot || s.SeccompProfile.Type != corev1.SeccompProfileTypeRuntimeDefault || pod.Spec.NodeSelector[corev1.LabelHostname] != inpodtest.NodeName {
		t.Errorf("its security context is %+v, its node %v", s, pod.Spec.NodeSelector)
	}
	for _, c := range pod.Spec.Containers {
		if c.SecurityContext == nil || *c.SecurityContext.AllowPrivilegeEscalation || len(c.VolumeMounts) != 1 || c.VolumeMounts[0].MountPath != "/tmp/results" {
			t.Errorf("container %+v", c)
		}
	}
}

// Whatever keeps the suite from its end is an error that says so, never files.
func TestFaultsOfThePod(t *testing.T) {
	at := func(n int, do func(*corev1.Pod)) func(int, *corev1.Pod) {
		return func(look int, pod *corev1.Pod) {
			if look >= n {
				do(pod)
			}
		}
	}
	short := func(r *Run) { r.Times.Patience, r.Times.Startup = 30*time.Millisecond, 30*time.Millisecond }
	for name, c := range map[string]struct {
		api  *inpodtest.API
		set  func(*Run)
		want string
	}{
		"it is evicted": {&inpodtest.API{Runs: 9, Look: at(3, func(p *corev1.Pod) {
			p.Status.Phase, p.Status.Reason, p.Status.Message = corev1.PodFailed, "Evicted", "the node was low on memory"
		})}, nil, "it was evicted: the node was low on memory"},
		"it is about to be evicted": {&inpodtest.API{Runs: 9, Look: at(3, func(p *corev1.Pod) {
			p.Status.Conditions = []corev1.PodCondition{{Type: corev1.DisruptionTarget, Status: corev1.ConditionTrue}}
		})}, nil, "it was evicted"},
		"it vanishes":          {&inpodtest.API{Runs: 9, Look: at(3, func(p *corev1.Pod) { p.Name = "" })}, nil, "it is gone before it has ended"},
		"another has its name": {&inpodtest.API{Runs: 9, Look: at(3, func(p *corev1.Pod) { p.UID = "x" })}, nil, "another pod has taken its name"},
		"it is deleted": {&inpodtest.API{Runs: 9, Look: at(3, func(p *corev1.Pod) {
			now := metav1.Now()
			p.DeletionTimestamp = &now
		})}, nil, "it is being deleted"},
		"its node is down": {&inpodtest.API{Runs: 1e6, NodeDown: func() bool { return true }}, short, "its node worker-1 has not been ready for"},
		"it never starts":  {&inpodtest.API{Look: func(_ int, p *corev1.Pod) { waits(p) }}, short, "container conformance: ImagePullBackOff no such image"},
		"the files' keeper ends": {&inpodtest.API{Runs: 9, Look: at(3, func(p *corev1.Pod) {
			p.Status.ContainerStatuses[1].State = corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{Reason: "OOMKilled"}}
		})}, nil, "the container that keeps its files has ended: OOMKilled"},
		"it ends without a word": {&inpodtest.API{Runs: 9, Look: at(3, func(p *corev1.Pod) {
			p.Status.Phase, p.Status.ContainerStatuses = corev1.PodFailed, nil
		})}, nil, "does not say how the suite ended"},
		"it leaves no report": {&inpodtest.API{Files: map[string][]byte{"/tmp/results/e2e.log": log, "/usr/local/bin/e2e.test": []byte(program)}}, nil, "junit_01.xml"},
		"it has another program": {&inpodtest.API{Files: map[string][]byte{
			"/tmp/results/e2e.log": log, "/tmp/results/junit_01.xml": junit, "/usr/local/bin/e2e.test": []byte("somebody's"),
		}}, nil, "the release has"},
		"its files are cut off": {&inpodtest.API{Exec: func(argv []string) ([]byte, int, bool) { return log[:100], 0, argv[0] == "cat" }},
			func(r *Run) { r.Times.Patience = 50 * time.Millisecond }, "got 100 bytes"},
		"its files are others": {&inpodtest.API{Exec: func(argv []string) ([]byte, int, bool) {
			return []byte(strings.Repeat("A long log\n", 5000)), 0, argv[0] == "cat" && strings.HasSuffix(argv[1], "e2e.log")
		}}, func(r *Run) { r.Times.Patience = 50 * time.Millisecond }, "with sha256"},
		"its answers make no sense":       {&inpodtest.API{Exec: func(argv []string) ([]byte, int, bool) { return []byte("?"), 0, argv[0] == "sha256sum" }}, nil, "the pod answered"},
		"its log is endless":              {&inpodtest.API{Exec: func(argv []string) ([]byte, int, bool) { return []byte("999999999999 x"), 0, argv[0] == "wc" }}, nil, "more than"},
		"a namespace that is not removed": {&inpodtest.API{Stuck: true}, func(r *Run) { r.Times.Cleanup = 30 * time.Millisecond }, "removing the namespace"},
	} {
		t.Run(name, func(t *testing.T) {
			api := c.api
			r := start(t, api)
			if c.set != nil {
				c.set(&r)
			}
			ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second) // a guard that is gone must not hang
			defer cancel()
			_, err := r.Execute(ctx)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%v, want %q", err, c.want)
			}
			if left := api.Left(); len(left) > 0 && !api.Stuck {
				t.Errorf("%q are left", left)
			}
		})
	}
}

func waits(p *corev1.Pod) {
	p.Status.Phase = corev1.PodPending
	p.Status.ContainerStatuses[0].State = corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: "ImagePullBackOff", Message: "no such image"}}
}

// An API server that is away for a while costs nothing but the while; one that
// stays away ends the run.
func TestTheAPIServerIsAway(t *testing.T) {
	for name, status := range map[string]int{"it answers with errors": http.StatusServiceUnavailable, "it breaks connections": -1} {
		t.Run(name, func(t *testing.T) {
			var n atomic.Int32
			api := &inpodtest.API{Runs: 20}
			api.Answer = func(r *http.Request) int {
				// Every third request but those that set the run up.
				if len(api.Created()) > 0 && n.Add(1)%3 == 0 {
					return status
				}
				return 0
			}
			r := start(t, api)
			files, err := r.Execute(t.Context())
			if err != nil || string(files.Log) != string(log) {
				t.Errorf("%d bytes, %v", len(files.Log), err)
			}
			if left := api.Left(); len(left) > 0 {
				t.Errorf("%q are left", left)
			}
		})
	}
	api := &inpodtest.API{Runs: 1e6}
	api.Answer = func(r *http.Request) int {
		if len(api.Created()) > 0 {
			return http.StatusServiceUnavailable
		}
		return 0
	}
	r := start(t, api)
	r.Times.Patience, r.Times.Cleanup = 30*time.Millisecond, 30*time.Millisecond
	if _, err := r.Execute(t.Context()); err == nil || !strings.Contains(err.Error(), "the API server has not answered") || !strings.Contains(err.Error(), "removing") {
		t.Errorf("with an API server that stays away: %v", err)
	}
}

// A connection that breaks while a file is fetched is made again.
func TestFetchIsRepeated(t *testing.T) {
	var cats atomic.Int32
	api := &inpodtest.API{Exec: func(argv []string) ([]byte, int, bool) {
		return log[:7], -1, argv[0] == "cat" && cats.Add(1)%3 != 0
	}}
	r := start(t, api)
	files, err := r.Execute(t.Context())
	if err != nil || string(files.Log) != string(log) || cats.Load() < 6 {
		t.Errorf("%d bytes after %d tries, %v", len(files.Log), cats.Load(), err)
	}
}

// Who goes on after a kill finds the pod, and what an earlier process has half made.
func TestTakesOver(t *testing.T) {
	api := &inpodtest.API{Runs: 1e6}
	r := start(t, api)
	ctx, kill := context.WithCancelCause(t.Context())
	api.Look = func(n int, _ *corev1.Pod) {
		if n == 5 {
			kill(errors.New("killed"))
		}
	}
	if _, err := r.Execute(ctx); err == nil || !strings.Contains(err.Error(), "killed") {
		t.Fatalf("the first process: %v", err)
	}
	if left := api.Left(); len(left) != 3 {
		t.Fatalf("%q are left by who was cancelled", left)
	}
	api.Runs, api.Look = 0, nil
	if files, err := r.Execute(t.Context()); err != nil || len(files.Log) != len(log) || len(api.Created()) != 1 {
		t.Errorf("the second process made a pod of its own: %d, %v", len(api.Created()), err)
	}
	// What is of another job is removed first.
	ctx, kill = context.WithCancelCause(t.Context())
	api.Runs = 1e6
	api.Look = func(int, *corev1.Pod) { kill(errors.New("killed")) }
	if _, err := r.Execute(ctx); err == nil {
		t.Fatal("it was not killed")
	}
	api.Runs, api.Look, r.Job = 0, nil, "another"
	if _, err := r.Execute(t.Context()); err != nil || len(api.Created()) != 3 || len(api.Left()) > 0 {
		t.Errorf("another job: %d pods, %v", len(api.Created()), err)
	}
}

func TestNamespaceOfSomebodyElse(t *testing.T) {
	for name, labels := range map[string]map[string]string{"nobody's": nil, "another lease's": {LeaseLabel: "q-2"}} {
		api := &inpodtest.API{}
		r := start(t, api)
		api.Namespace(namespace, labels)
		if _, err := r.Execute(t.Context()); err == nil || !strings.Contains(err.Error(), "is not of lease q-1") {
			t.Errorf("%s: %v", name, err)
		}
		if left := api.Left(); !slices.Equal(left, []string{"namespace " + namespace}) {
			t.Errorf("%s: %q are left", name, left)
		}
	}
	api := &inpodtest.API{}
	r := start(t, api)
	api.Namespace(namespace, map[string]string{LeaseLabel: "q-1"})
	if _, err := r.Execute(t.Context()); err != nil {
		t.Errorf("one that a killed process made: %v", err)
	}
}

// The progress goes on where a connection broke, and counts nothing twice.
func TestProgress(t *testing.T) {
	const one, two, three = "2026-11-27T10:00:00.1Z • [1.0 seconds]\n", "2026-11-27T10:00:00.2Z • [FAILED] [2.0 seconds]\n", "2026-11-27T10:00:03Z • [1.0 seconds]\n"
	api := &inpodtest.API{Runs: 1e6, Logs: []string{"2026-11-27T10:00:00Z Running Suite\n" + one, one + two + "damaged\n", two + three}}
	r := start(t, api)
	ctx, stop := context.WithCancelCause(t.Context())
	var mu sync.Mutex
	var told []int
	r.Progress = func(n int) {
		mu.Lock()
		defer mu.Unlock()
		if told = append(told, n); n == 3 {
			stop(errors.New("enough"))
		}
	}
	if _, err := r.Execute(ctx); err == nil || !strings.Contains(err.Error(), "enough") {
		t.Fatal(err)
	}
	if !slices.Equal(told, []int{1, 2, 3}) {
		t.Errorf("told %v", told)
	}
}

// A line that is sent again with the next connection is the same spec.
func TestNoSpecIsCountedTwice(t *testing.T) {
	const one, two = "2026-11-27T10:00:00.1Z • [1.0 seconds]\n", "2026-11-27T10:00:00.2Z • [FAILED] [2.0 seconds]\n"
	c := counter{tell: func(int) {}}
	for _, sent := range []string{one, one + two, one + two} {
		c.read(strings.NewReader(sent))
	}
	if c.ended != 2 {
		t.Errorf("%d specs", c.ended)
	}
}
