package bootstrap

import (
	"os"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// A shortage is told while it lasts, and of one that has passed the kubelet's
// events tell; those of an earlier time are nobody's any more.
func TestShortage(t *testing.T) {
	since := time.Date(2026, 11, 28, 6, 0, 0, 0, time.UTC)
	said := func(reason string, at time.Time) corev1.Event {
		return corev1.Event{
			InvolvedObject: corev1.ObjectReference{Kind: "Node", Name: "q-1-worker"}, Reason: reason, Message: "as " + reason,
			LastTimestamp: metav1.NewTime(at),
		}
	}
	is := func(a *apiServer, kind corev1.NodeConditionType, status corev1.ConditionStatus) {
		a.nodes[1].Status.Conditions = append(a.nodes[1].Status.Conditions, corev1.NodeCondition{Type: kind, Status: status, Message: "as " + string(kind)})
	}
	for name, tt := range map[string]struct {
		spoil func(*apiServer)
		want  string
	}{
		"none":         {func(a *apiServer) { is(a, corev1.NodeDiskPressure, corev1.ConditionFalse) }, ""},
		"disk":         {func(a *apiServer) { is(a, corev1.NodeDiskPressure, corev1.ConditionTrue) }, "node q-1-worker has DiskPressure: as DiskPressure"},
		"memory":       {func(a *apiServer) { is(a, corev1.NodeMemoryPressure, corev1.ConditionTrue) }, "node q-1-worker has MemoryPressure: as MemoryPressure"},
		"numbers":      {func(a *apiServer) { is(a, corev1.NodePIDPressure, corev1.ConditionTrue) }, "node q-1-worker has PIDPressure: as PIDPressure"},
		"disk, passed": {func(a *apiServer) { a.events = []corev1.Event{said("NodeHasDiskPressure", since)} }, "node q-1-worker said NodeHasDiskPressure: as NodeHasDiskPressure"},
		"eviction, twice": {func(a *apiServer) {
			a.events = []corev1.Event{said("EvictionThresholdMet", since.Add(time.Minute)), said("EvictionThresholdMet", since.Add(time.Hour))}
		}, "node q-1-worker said EvictionThresholdMet: as EvictionThresholdMet"},
		"long ago": {func(a *apiServer) { a.events = []corev1.Event{said("NodeHasInsufficientPID", since.Add(-time.Second))} }, ""},
		"all well": {func(a *apiServer) { a.events = []corev1.Event{said("NodeHasSufficientMemory", since.Add(time.Minute))} }, ""},
	} {
		_, api, c := readyCluster(t)
		tt.spoil(api)
		if got, err := Shortage(t.Context(), c, since); err != nil || got != tt.want {
			t.Errorf("%s: %q, error %v, want %q", name, got, err, tt.want)
		}
	}
}

func TestShortageThatNobodyKnowsOf(t *testing.T) {
	_, _, c := readyCluster(t)
	if err := os.WriteFile(c.Kubeconfig, []byte("nonsense"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Shortage(t.Context(), c, time.Time{}); err == nil || !strings.Contains(err.Error(), "kubeconfig") {
		t.Errorf("a kubeconfig that cannot be read: %v", err)
	}
}
