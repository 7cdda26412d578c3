package specs

import (
	"errors"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/utils/ptr"
)

func TestRolledOut(t *testing.T) {
	done := appsv1.DeploymentStatus{ObservedGeneration: 2, Replicas: 3, UpdatedReplicas: 3, AvailableReplicas: 3}
	tests := map[string]struct {
		change func(*appsv1.DeploymentStatus)
		good   bool
	}{
		"done":             {func(*appsv1.DeploymentStatus) {}, true},
		"not yet seen":     {func(s *appsv1.DeploymentStatus) { s.ObservedGeneration = 1 }, false},
		"old one left":     {func(s *appsv1.DeploymentStatus) { s.Replicas = 4 }, false},
		"one of the old":   {func(s *appsv1.DeploymentStatus) { s.UpdatedReplicas = 2 }, false},
		"one is not ready": {func(s *appsv1.DeploymentStatus) { s.AvailableReplicas = 2 }, false},
		"unavailable":      {func(s *appsv1.DeploymentStatus) { s.UnavailableReplicas = 1 }, false},
	}
	for name, tc := range tests {
		d := rollout(goodImage)
		d.Generation, d.Status = 2, done
		tc.change(&d.Status)
		if err := rolledOut(d); (err == nil) != tc.good {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestReadyTargets(t *testing.T) {
	ep := func(name string, ready *bool) discoveryv1.Endpoint {
		return discoveryv1.Endpoint{TargetRef: &corev1.ObjectReference{Name: name}, Conditions: discoveryv1.EndpointConditions{Ready: ready}}
	}
	got := readyTargets([]discoveryv1.EndpointSlice{
		{Endpoints: []discoveryv1.Endpoint{ep("b", ptr.To(true)), ep("c", ptr.To(false)), {}}},
		{Endpoints: []discoveryv1.Endpoint{ep("a", nil), ep("b", ptr.To(true))}},
	})
	if err := differ([]string{"a", "b"}, got, nil); err != nil {
		t.Error(err)
	}
}

func TestDiffer(t *testing.T) {
	if err := differ([]string{"b", "a"}, []string{"a", "b"}, nil); err != nil {
		t.Errorf("order matters: %v", err)
	}
	for name, got := range map[string][]string{"missing": {"a"}, "more": {"a", "b", "c"}, "none": nil, "twice": {"a", "a"}} {
		if differ([]string{"a", "b"}, got, nil) == nil {
			t.Errorf("%s: no difference found", name)
		}
	}
	if err := differ(nil, nil, errors.New("broken")); err == nil || err.Error() != "broken" {
		t.Errorf("the reading's error was lost: %v", err)
	}
}

func TestSameAddress(t *testing.T) {
	for seen, good := range map[string]bool{
		"10.244.1.5:41234": true, "[::ffff:10.244.1.5]:41234": true, "172.18.0.3:41234": false, "10.244.1.5": false, "": false,
	} {
		if err := sameAddress("10.244.1.5", seen); (err == nil) != good {
			t.Errorf("%q: %v", seen, err)
		}
	}
}

func TestTalked(t *testing.T) {
	for text, good := range map[string]bool{
		"boot x|tick 1|tick 2|last words":        true,
		"boot x|tick 1|tick 2|tick 3|last words": true,
		"boot y|tick 1|last words":               false,
		"boot x|tick 1|tick 3|last words":        false,
		"boot x|tick 1|tick 1|last words":        false,
		"boot x|tick 1|tick 2":                   false,
		"tick 1|tick 2|last words":               false,
		"boot x":                                 false,
		"":                                       false,
	} {
		if err := talked(strings.Split(text, "|"), "boot x"); (err == nil) != good {
			t.Errorf("%q: %v", text, err)
		}
	}
}

func TestRestarted(t *testing.T) {
	status := func(restarts, code int32) corev1.ContainerStatus {
		return corev1.ContainerStatus{
			RestartCount:         restarts,
			State:                corev1.ContainerState{Running: &corev1.ContainerStateRunning{}},
			LastTerminationState: corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{ExitCode: code}},
		}
	}
	waiting := status(1, talkExit)
	waiting.State = corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{}}
	forgotten := status(1, talkExit)
	forgotten.LastTerminationState = corev1.ContainerState{}
	tests := map[string]struct {
		statuses         []corev1.ContainerStatus
		times            int
		good, kept, stop bool
	}{
		"as told":           {[]corev1.ContainerStatus{status(1, talkExit)}, 1, true, true, false},
		"not yet":           {[]corev1.ContainerStatus{{State: corev1.ContainerState{Running: &corev1.ContainerStateRunning{}}}}, 1, false, false, false},
		"backing off":       {[]corev1.ContainerStatus{waiting}, 1, false, false, false},
		"twice":             {[]corev1.ContainerStatus{status(2, talkExit)}, 1, false, false, false},
		"twice, as told":    {[]corev1.ContainerStatus{status(2, talkExit)}, 2, true, true, false},
		"forgotten":         {[]corev1.ContainerStatus{forgotten}, 1, true, false, false},
		"forgotten, before": {[]corev1.ContainerStatus{forgotten}, 2, false, false, false},
		"other code":        {[]corev1.ContainerStatus{status(1, 137)}, 1, false, true, true},
		"no status":         {nil, 1, false, false, false},
	}
	for name, tc := range tests {
		kept, err := restarted(&corev1.Pod{Status: corev1.PodStatus{ContainerStatuses: tc.statuses}}, tc.times)
		if (err == nil) != tc.good || kept != tc.kept || isFinal(err) != tc.stop {
			t.Errorf("%s: kept %t, %v, final %t", name, kept, err, isFinal(err))
		}
	}
}

func TestStartOrder(t *testing.T) {
	pod := func(kind watch.EventType, i int, ready corev1.ConditionStatus) watch.Event {
		return watch.Event{Type: kind, Object: testPod(member(i), ready)}
	}
	added := func(i int) watch.Event { return pod(watch.Added, i, corev1.ConditionFalse) }
	ready := func(i int) watch.Event { return pod(watch.Modified, i, corev1.ConditionTrue) }
	busy := func(i int) watch.Event { return pod(watch.Modified, i, corev1.ConditionFalse) }
	tests := map[string]struct {
		events []watch.Event
		good   bool
	}{
		"in order":           {[]watch.Event{added(0), busy(0), ready(0), added(1), ready(0), ready(1), added(2), ready(2)}, true},
		"together":           {[]watch.Event{added(0), added(1)}, false},
		"before ready":       {[]watch.Event{added(0), busy(0), added(1)}, false},
		"backwards":          {[]watch.Event{added(2)}, false},
		"one left out":       {[]watch.Event{added(0), ready(0), added(2)}, false},
		"deleted in between": {[]watch.Event{added(0), pod(watch.Deleted, 0, corev1.ConditionFalse)}, false},
		"error":              {[]watch.Event{{Type: watch.Error, Object: &metav1.Status{Message: "gone"}}}, false},
		"bookmark":           {[]watch.Event{{Type: watch.Bookmark, Object: &corev1.Node{}}}, true},
	}
	for name, tc := range tests {
		seen := &startOrder{ready: map[string]bool{}}
		var err error
		for _, event := range tc.events {
			if err = seen.observe(event); err != nil {
				break
			}
		}
		if (err == nil) != tc.good {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestJobEnded(t *testing.T) {
	with := func(kind batchv1.JobConditionType, status corev1.ConditionStatus) *batchv1.Job {
		return &batchv1.Job{Status: batchv1.JobStatus{Conditions: []batchv1.JobCondition{{Type: kind, Status: status}}}}
	}
	tests := map[string]struct {
		job        *batchv1.Job
		want       batchv1.JobConditionType
		good, stop bool
	}{
		"complete":            {with(batchv1.JobComplete, corev1.ConditionTrue), batchv1.JobComplete, true, false},
		"failed as wanted":    {with(batchv1.JobFailed, corev1.ConditionTrue), batchv1.JobFailed, true, false},
		"failed":              {with(batchv1.JobFailed, corev1.ConditionTrue), batchv1.JobComplete, false, true},
		"complete, not fail":  {with(batchv1.JobComplete, corev1.ConditionTrue), batchv1.JobFailed, false, true},
		"condition not true":  {with(batchv1.JobComplete, corev1.ConditionFalse), batchv1.JobComplete, false, false},
		"about to fail":       {with(batchv1.JobFailureTarget, corev1.ConditionTrue), batchv1.JobFailed, false, false},
		"without a condition": {&batchv1.Job{}, batchv1.JobComplete, false, false},
	}
	for name, tc := range tests {
		err := jobEnded(tc.job, tc.want)
		if (err == nil) != tc.good || isFinal(err) != tc.stop {
			t.Errorf("%s: %v, final %t", name, err, isFinal(err))
		}
	}
}
