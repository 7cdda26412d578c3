package specs

import (
	"errors"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes/fake"
	clienttesting "k8s.io/client-go/testing"
)

var someTime = metav1.NewTime(time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC))

func testPod(name string, ready corev1.ConditionStatus) *corev1.Pod {
	return &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: "ns"},
		Spec:       corev1.PodSpec{NodeName: "w1"},
		Status: corev1.PodStatus{
			Phase: corev1.PodRunning, PodIP: "10.244.1.5",
			Conditions: []corev1.PodCondition{{Type: corev1.PodReady, Status: ready}},
		},
	}
}

func testNode(name string, ready corev1.ConditionStatus) corev1.Node {
	return corev1.Node{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Status:     corev1.NodeStatus{Conditions: []corev1.NodeCondition{{Type: corev1.NodeReady, Status: ready}}},
	}
}

func TestDescribe(t *testing.T) {
	stuck := testPod("stuck", corev1.ConditionFalse)
	stuck.Status.ContainerStatuses = []corev1.ContainerStatus{{Name: "agnhost", RestartCount: 2,
		State: corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: "ErrImageNeverPull", Message: "no image"}}}}
	node := testNode("w1", corev1.ConditionFalse)
	node.Spec.Unschedulable = true
	event := &corev1.Event{
		ObjectMeta:     metav1.ObjectMeta{Name: "e", Namespace: "ns"},
		InvolvedObject: corev1.ObjectReference{Kind: "Pod", Name: "stuck"},
		Type:           "Warning", Reason: "Failed", Message: "no image\n", LastTimestamp: someTime,
	}
	got := describe(fake.NewClientset(testPod("fine", corev1.ConditionTrue), stuck, &node, event), "ns")
	for _, want := range []string{
		"state of namespace ns",
		"nodes: w1 (not ready, cordoned)",
		"fine Running ready=true node=w1 ip=10.244.1.5\n",
		"stuck Running ready=false node=w1 ip=10.244.1.5 [agnhost restarts=2 waiting: ErrImageNeverPull no image]\n",
		"12:00:00 Warning Failed pod/stuck: no image\n",
		"logs of fine, last 10 lines:\n  | fake logs\n",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("no %q in:\n%s", want, got)
		}
	}
	if strings.Index(got, "logs of stuck") > strings.Index(got, "logs of fine") {
		t.Errorf("the pod in trouble is not first:\n%s", got)
	}
}

// TestDescribeSaysWhatItCannotRead makes the API answer errors only.
func TestDescribeSaysWhatItCannotRead(t *testing.T) {
	client := fake.NewClientset()
	client.PrependReactor("*", "*", func(clienttesting.Action) (bool, runtime.Object, error) {
		return true, nil, errors.New("api is gone")
	})
	got := describe(client, "ns")
	for _, kind := range []string{"nodes", "pods", "events"} {
		if !strings.Contains(got, kind+": listing them failed: api is gone") {
			t.Errorf("nothing about %s in:\n%s", kind, got)
		}
	}
}

func TestDescribeLimits(t *testing.T) {
	var objects []runtime.Object
	for i := range 25 {
		name := strings.Repeat("x", i+1)
		objects = append(objects, testPod(name, corev1.ConditionTrue),
			&corev1.Event{ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: "ns"}, Reason: "R" + name,
				LastTimestamp: metav1.NewTime(someTime.Add(-time.Duration(i) * time.Minute))})
	}
	got := describe(fake.NewClientset(objects...), "ns")
	for _, want := range []string{"events: 5 older ones left out", "logs of 19 more pods left out", " Rx "} {
		if !strings.Contains(got, want) {
			t.Errorf("no %q in:\n%s", want, got)
		}
	}
	if oldest := " R" + strings.Repeat("x", 25) + " "; strings.Contains(got, oldest) {
		t.Errorf("the oldest event was kept:\n%s", got)
	}
}

func TestTrouble(t *testing.T) {
	ended := &corev1.ContainerStateTerminated{Reason: "Error", ExitCode: 3}
	tests := map[string]struct {
		status corev1.ContainerStatus
		want   string
	}{
		"running":    {corev1.ContainerStatus{State: corev1.ContainerState{Running: &corev1.ContainerStateRunning{}}}, ""},
		"ended":      {corev1.ContainerStatus{State: corev1.ContainerState{Terminated: ended}}, " ended: Error exit 3"},
		"last ended": {corev1.ContainerStatus{LastTerminationState: corev1.ContainerState{Terminated: ended}}, " last ended: exit 3"},
	}
	for name, tc := range tests {
		if got := trouble(tc.status); got != tc.want {
			t.Errorf("%s: got %q, want %q", name, got, tc.want)
		}
	}
}

func TestPhaseOfDeletedPod(t *testing.T) {
	p := testPod("p", corev1.ConditionTrue)
	p.DeletionTimestamp = &someTime
	if got := phase(p); got != "Terminating" {
		t.Errorf("phase %q", got)
	}
	if podReady(p) {
		t.Error("a pod being deleted counts as ready")
	}
}

func TestEventTime(t *testing.T) {
	micro := metav1.NewMicroTime(someTime.Time)
	for name, ev := range map[string]corev1.Event{
		"old style": {LastTimestamp: someTime},
		"series":    {Series: &corev1.EventSeries{LastObservedTime: micro}},
		"new style": {EventTime: micro},
	} {
		if got := eventTime(ev); !got.Equal(someTime.Time) {
			t.Errorf("%s: got %s", name, got)
		}
	}
}
