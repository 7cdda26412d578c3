package specs

import (
	"fmt"
	"testing"

	corev1 "k8s.io/api/core/v1"
)

// TestTemplatesUseTheGivenImage holds for all that a spec may run: nodes have
// no registry, so any other image or a forced pull is a spec that cannot pass.
func TestTemplatesUseTheGivenImage(t *testing.T) {
	specs := map[string]corev1.PodSpec{
		"agnhost":     agnhost(goodImage, nil, "pause").Spec,
		"shell":       shell(goodImage, nil, "true").Spec,
		"server":      server(goodImage, nil).Spec,
		"gated":       gated(goodImage, nil).Spec,
		"deployment":  rollout(goodImage).Spec.Template.Spec,
		"statefulset": ordered(goodImage).Spec.Template.Spec,
		"job":         job("j", goodImage, "true").Spec.Template.Spec,
		"configmap":   configured(goodImage).Spec,
		"secret":      keyed(goodImage).Spec,
	}
	for name, spec := range specs {
		if len(spec.InitContainers) != 0 || len(spec.Containers) != 1 {
			t.Errorf("%s: want one container", name)
		}
		c := spec.Containers[0]
		if c.Image != goodImage || c.ImagePullPolicy != corev1.PullIfNotPresent || c.Name != container {
			t.Errorf("%s: container %q has image %q, pull policy %q", name, c.Name, c.Image, c.ImagePullPolicy)
		}
		if spec.TerminationGracePeriodSeconds == nil || *spec.TerminationGracePeriodSeconds > 1 {
			t.Errorf("%s: takes longer than a second to end", name)
		}
	}
}

// TestSelectorsMatch is what the API server would refuse, found earlier.
func TestSelectorsMatch(t *testing.T) {
	d, s := rollout(goodImage), ordered(goodImage)
	for name, pair := range map[string][2]map[string]string{
		"deployment":  {d.Spec.Selector.MatchLabels, d.Spec.Template.Labels},
		"statefulset": {s.Spec.Selector.MatchLabels, s.Spec.Template.Labels},
	} {
		if len(pair[0]) == 0 || fmt.Sprint(pair[0]) != fmt.Sprint(pair[1]) {
			t.Errorf("%s: selector %v, labels %v", name, pair[0], pair[1])
		}
	}
}

func TestOnPinsPastTaints(t *testing.T) {
	p := on("n1", named("p", agnhost(goodImage, nil, "pause")))
	if p.Spec.NodeName != "n1" || len(p.Spec.Tolerations) != 1 || p.Spec.Tolerations[0].Operator != corev1.TolerationOpExists {
		t.Errorf("node %q, tolerations %v", p.Spec.NodeName, p.Spec.Tolerations)
	}
}

func TestNodes(t *testing.T) {
	head := testNode("head", corev1.ConditionTrue)
	head.Labels = map[string]string{controlPlaneLabel: ""}
	head.Spec.Taints = []corev1.Taint{{Key: controlPlaneLabel, Effect: corev1.TaintEffectNoSchedule}}
	lost := testNode("lost", corev1.ConditionUnknown)
	cordoned := testNode("cordoned", corev1.ConditionTrue)
	cordoned.Spec.Unschedulable = true
	soft := testNode("soft", corev1.ConditionTrue)
	soft.Spec.Taints = []corev1.Taint{{Effect: corev1.TaintEffectPreferNoSchedule}}
	all := []corev1.Node{head, lost, cordoned, soft, testNode("w", corev1.ConditionTrue)}

	if err := differ([]string{"soft", "w"}, workers(all), nil); err != nil {
		t.Errorf("workers: %v", err)
	}
	if err := differ([]string{"head"}, controlPlanes(all), nil); err != nil {
		t.Errorf("control planes: %v", err)
	}
	head.Status.Addresses = []corev1.NodeAddress{{Type: corev1.NodeHostName, Address: "h"}, {Type: corev1.NodeInternalIP, Address: "172.18.0.2"}}
	if got := internalIP(&head); got != "172.18.0.2" {
		t.Errorf("internal address %q", got)
	}
	if got := internalIP(&lost); got != "" {
		t.Errorf("internal address of a node without one: %q", got)
	}
}
