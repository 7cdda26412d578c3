package sonobuoy

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/vmware-tanzu/sonobuoy/pkg/plugin/aggregation"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/qualify-dev/qualify/internal/inpod"
	"github.com/qualify-dev/qualify/internal/inpod/inpodtest"
)

// packed is a gzipped tar of files; a name that ends in -> is a link.
func packed(t *testing.T, files ...string) []byte {
	t.Helper()
	var out bytes.Buffer
	zip := gzip.NewWriter(&out)
	w := tar.NewWriter(zip)
	for i := 0; i < len(files); i += 2 {
		h := &tar.Header{Name: files[i], Typeflag: tar.TypeReg, Size: int64(len(files[i+1])), Mode: 0o644}
		if link, is := strings.CutSuffix(files[i], "->"); is {
			h = &tar.Header{Name: link, Typeflag: tar.TypeSymlink, Linkname: files[i+1]}
		}
		if err := w.WriteHeader(h); err != nil {
			t.Fatal(err)
		}
		if h.Typeflag == tar.TypeReg {
			if _, err := w.Write([]byte(files[i+1])); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := errors.Join(w.Close(), zip.Close()); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

const twoPassed = "name: tiny\nstatus: passed\nitems:\n- {name: a, status: passed}\n- {name: b, status: passed}\n"

// aggregated is an aggregator whose plugin comes to its end at a look.
type aggregated struct {
	*inpodtest.API
	archive []byte
	status  aggregation.Status
	end     int
}

// newAggregated is one that does well.
func newAggregated(t *testing.T) *aggregated {
	a := &aggregated{API: &inpodtest.API{Mistake: t.Errorf, Runs: 1e6}, end: 5}
	a.archive = packed(t, "plugins/tiny/sonobuoy_results.yaml", twoPassed, "plugins/tiny/results/global/junit.xml", "<x/>")
	sum := sha256.Sum256(a.archive)
	a.status = aggregation.Status{
		Status:  aggregation.RunningStatus,
		Plugins: []aggregation.PluginStatus{{Plugin: "tiny", Node: "global", Status: aggregation.RunningStatus}},
	}
	a.Look = func(n int, pod *corev1.Pod) {
		status := a.status
		if n >= a.end {
			status.Status = aggregation.CompleteStatus
			status.Tarball = aggregation.TarInfo{Name: "2026_sonobuoy_x.tar.gz", SHA256: hex.EncodeToString(sum[:]), Size: int64(len(a.archive))}
		}
		text, err := json.Marshal(status)
		if err != nil {
			t.Error(err)
		}
		if n > 1 {
			pod.Annotations[aggregation.StatusAnnotationName] = string(text)
		}
	}
	a.Pods = func(int, string) []corev1.Pod {
		return []corev1.Pod{{Spec: corev1.PodSpec{NodeName: inpodtest.NodeName}}}
	}
	a.Exec = func(argv []string) ([]byte, int, bool) {
		if !slices.Equal(argv, []string{"/sonobuoy", "splat", "/tmp/sonobuoy"}) {
			t.Errorf("%q is run", argv)
		}
		return packed(t, "2026_sonobuoy_x.tar.gz", string(a.archive)), 0, true
	}
	return a
}

func (a *aggregated) run(t *testing.T) Run {
	t.Helper()
	server := a.Start()
	t.Cleanup(server.Close)
	file := filepath.Join(t.TempDir(), "kubeconfig")
	if err := os.WriteFile(file, inpodtest.Kubeconfig(server.URL), 0o600); err != nil {
		t.Fatal(err)
	}
	return Run{
		Kubeconfig: file, Lease: "q-1", Job: "job", Image: "registry.example/sonobuoy:v0.57.5", Kubernetes: "v1.34.4", Plugin: tiny(t),
		Times: inpod.Times{Poll: time.Millisecond, Startup: 20 * time.Second, Patience: 20 * time.Second, Cleanup: 20 * time.Second},
	}
}

func TestExecute(t *testing.T) {
	a := newAggregated(t)
	results, err := a.run(t).Execute(t.Context())
	if err != nil || results.Item.Status != Passed || len(results.Item.Items) != 2 || string(results.Files["results/global/junit.xml"]) != "<x/>" {
		t.Errorf("%+v, %v", results, err)
	}
	if left := a.Left(); len(left) > 0 {
		t.Errorf("%q are left", left)
	}
}

// Trap (b): that a run is complete says nothing of its tests; only what they left does.
func TestCompleteIsNotPassed(t *testing.T) {
	a := newAggregated(t)
	good := string(a.archive)
	a.archive = packed(t, "plugins/tiny/sonobuoy_results.yaml", strings.Replace(twoPassed, "name: b, status: passed", "name: b, status: failed", 1))
	sum := sha256.Sum256(a.archive)
	look := a.Look
	a.Look = func(n int, pod *corev1.Pod) {
		look(n, pod)
		if said := pod.Annotations[aggregation.StatusAnnotationName]; said != "" {
			old := sha256.Sum256([]byte(good))
			pod.Annotations[aggregation.StatusAnnotationName] = strings.Replace(said, hex.EncodeToString(old[:]), hex.EncodeToString(sum[:]), 1)
		}
	}
	results, err := a.run(t).Execute(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	leaves, err := results.Leaves("q-1")
	if err != nil || len(leaves) != 2 || leaves[1].Status != Failed {
		t.Errorf("%+v, %v", leaves, err)
	}
}

// Trap (f): a connection that breaks leaves half an archive, which Sonobuoy takes.
func TestArchiveIsFetchedWhole(t *testing.T) {
	a := newAggregated(t)
	var n atomic.Int32
	whole := a.Exec
	a.Exec = func(argv []string) ([]byte, int, bool) {
		out, _, _ := whole(argv)
		switch n.Add(1) {
		case 1:
			return out[:len(out)/2], -1, true
		case 2:
			return packed(t, "2026_sonobuoy_x.tar.gz", string(a.archive[:len(a.archive)/2])), 0, true
		case 3:
			return packed(t, "another.tar.gz", string(a.archive)), 0, true
		}
		return out, 0, true
	}
	if results, err := a.run(t).Execute(t.Context()); err != nil || n.Load() != 4 || len(results.Item.Items) != 2 {
		t.Errorf("after %d tries: %+v, %v", n.Load(), results, err)
	}
	// One that never comes whole is an error.
	a = newAggregated(t)
	a.Exec = func([]string) ([]byte, int, bool) {
		return packed(t, "2026_sonobuoy_x.tar.gz", string(a.archive[:50])), 0, true
	}
	r := a.run(t)
	r.Times.Patience = 30 * time.Millisecond
	if _, err := r.Execute(t.Context()); err == nil || !strings.Contains(err.Error(), "got 50 bytes") {
		t.Errorf("half an archive: %v", err)
	}
}

// Trap (d), and whatever else keeps a run from its end.
func TestFaultsOfSonobuoy(t *testing.T) {
	for name, c := range map[string]struct {
		spoil func(*aggregated)
		want  string
	}{
		"its plugin's pod vanishes": {func(a *aggregated) {
			a.end = 1e6
			pods := a.Pods
			a.Pods = func(n int, s string) []corev1.Pod {
				if n > 3 {
					return nil
				}
				return pods(n, s)
			}
		}, "the pod of its plugin is gone"},
		"its plugin's pod is never made": {func(a *aggregated) {
			a.end, a.Pods = 1e6, nil
		}, "the pod of its plugin was never there"},
		"its nodes are down": {func(a *aggregated) {
			a.end, a.NodeDown = 1e6, func() bool { return true }
		}, "ready"},
		"its plugin's node is down": {func(a *aggregated) {
			a.end = 1e6
			a.Pods = func(int, string) []corev1.Pod { return []corev1.Pod{{Spec: corev1.PodSpec{NodeName: "worker-2"}}} }
			a.Answer = func(r *http.Request) int {
				if strings.HasSuffix(r.URL.Path, "/nodes/worker-2") {
					return http.StatusNotFound
				}
				return 0
			}
		}, "the pod of its plugin is on node worker-2, which is not ready"},
		"it fails":                    {func(a *aggregated) { a.status.Status, a.end = aggregation.FailedStatus, 1e6 }, "it says that it has failed"},
		"it does not know the plugin": {func(a *aggregated) { a.status.Plugins[0].Plugin = "other" }, "does not know the plugin tiny"},
		"it says nothing": {func(a *aggregated) {
			a.Look = func(int, *corev1.Pod) {}
		}, "its aggregator has said nothing within"},
		"it says what nobody understands": {func(a *aggregated) {
			a.Look = func(_ int, p *corev1.Pod) { p.Annotations[aggregation.StatusAnnotationName] = "{" }
		}, "its status cannot be read"},
		"it is evicted": {func(a *aggregated) {
			look := a.Look
			a.Look = func(n int, p *corev1.Pod) {
				if look(n, p); n == 3 {
					p.Status.Phase, p.Status.Reason = corev1.PodFailed, "Evicted"
				}
			}
		}, "its aggregator has ended: it is Failed Evicted"},
		"it is deleted": {func(a *aggregated) {
			look := a.Look
			a.Look = func(n int, p *corev1.Pod) {
				if look(n, p); n == 3 {
					now := metav1.Now()
					p.DeletionTimestamp = &now
				}
			}
		}, "its aggregator has ended"},
		"it vanishes": {func(a *aggregated) {
			look := a.Look
			a.Look = func(n int, p *corev1.Pod) {
				if look(n, p); n == 3 {
					p.Name = ""
				}
			}
		}, "its aggregator is gone"},
		"another takes its name": {func(a *aggregated) {
			look := a.Look
			a.Look = func(n int, p *corev1.Pod) {
				if look(n, p); n == 3 {
					p.UID = "x"
				}
			}
		}, "another pod has taken"},
		"the API server stays away": {func(a *aggregated) {
			a.Answer = func(r *http.Request) int {
				if len(a.Created()) > 0 && r.Method == http.MethodGet && strings.HasSuffix(r.URL.Path, "/pods/sonobuoy") && a.end == 0 {
					return http.StatusServiceUnavailable
				}
				return 0
			}
			look := a.Look
			a.Look = func(n int, p *corev1.Pod) {
				if look(n, p); n == 2 {
					a.end = 0
				}
			}
			a.end = 1e6
		}, "the API server has not answered"},
	} {
		t.Run(name, func(t *testing.T) {
			a := newAggregated(t)
			c.spoil(a)
			r := a.run(t)
			r.Times.Patience, r.Times.Startup = 50*time.Millisecond, 500*time.Millisecond
			ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second) // a guard that is gone must not hang
			defer cancel()
			if _, err := r.Execute(ctx); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%v, want %q", err, c.want)
			}
			if left := a.Left(); len(left) > 0 {
				t.Errorf("%q are left", left)
			}
		})
	}
}

// None of Sonobuoy's calls takes a context: who is cancelled goes on at once,
// and leaves the run to who comes next.
func TestCancelledAndTakenOver(t *testing.T) {
	a := newAggregated(t)
	a.end = 1e6
	r := a.run(t)
	ctx, kill := context.WithCancelCause(t.Context())
	look := a.Look
	a.Look = func(n int, p *corev1.Pod) {
		if look(n, p); n == 4 {
			kill(errors.New("killed"))
		}
	}
	if _, err := r.Execute(ctx); err == nil || !strings.Contains(err.Error(), "killed") || len(a.Left()) != 4 {
		t.Fatalf("%v, %q are left", err, a.Left())
	}
	a.end, a.Look = 0, look
	if _, err := r.Execute(t.Context()); err != nil || len(a.Created()) != 1 || len(a.Left()) > 0 {
		t.Errorf("%v: %d aggregators, %q are left", err, len(a.Created()), a.Left())
	}
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := r.Execute(gone); err == nil {
		t.Error("it runs though it was cancelled")
	}
}

func TestNamespaceOfSomebodyElse(t *testing.T) {
	a := newAggregated(t)
	r := a.run(t)
	a.Namespace("q-1-sonobuoy", nil)
	if _, err := r.Execute(t.Context()); err == nil || !strings.Contains(err.Error(), "is not of lease q-1") || !slices.Equal(a.Left(), []string{"namespace q-1-sonobuoy"}) {
		t.Errorf("%v, %q are left", err, a.Left())
	}
}
