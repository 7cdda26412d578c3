package specs

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/kubernetes/test/e2e/framework"
	"k8s.io/utils/ptr"
)

const (
	describeLimit  = 15 * time.Second
	describeEvents = 20
	describeLogs   = 6
	describeLines  = 10
)

// dump is the framework's hook after a failed spec: it also covers failures
// outside our assertions, such as one of the framework's own.
func dump(_ context.Context, f *framework.Framework, namespace string) {
	framework.Logf("%s", describe(f.ClientSet, namespace))
}

// describe tells what a namespace looks like now. It has its own deadline,
// since the spec's context may be what has just run out, and what it cannot
// read it says instead of leaving it out.
func describe(c kubernetes.Interface, namespace string) string {
	ctx, cancel := context.WithTimeout(context.Background(), describeLimit)
	defer cancel()
	var b strings.Builder
	fmt.Fprintf(&b, "state of namespace %s at %s\n", namespace, time.Now().UTC().Format(time.RFC3339))

	if nodes, err := c.CoreV1().Nodes().List(ctx, metav1.ListOptions{}); err != nil {
		fmt.Fprintf(&b, "nodes: listing them failed: %v\n", err)
	} else {
		writeNodes(&b, nodes.Items)
	}
	pods, err := c.CoreV1().Pods(namespace).List(ctx, metav1.ListOptions{})
	if err != nil {
		fmt.Fprintf(&b, "pods: listing them failed: %v\n", err)
		pods = &corev1.PodList{}
	} else {
		writePods(&b, pods.Items)
	}
	if events, err := c.CoreV1().Events(namespace).List(ctx, metav1.ListOptions{}); err != nil {
		fmt.Fprintf(&b, "events: listing them failed: %v\n", err)
	} else {
		writeEvents(&b, events.Items)
	}
	writeLogs(ctx, &b, c, pods.Items)
	return b.String()
}

func writeNodes(b *strings.Builder, nodes []corev1.Node) {
	b.WriteString("nodes:")
	for i := range nodes {
		word := "not ready"
		if nodeReady(&nodes[i]) {
			word = "ready"
		}
		if nodes[i].Spec.Unschedulable {
			word += ", cordoned"
		}
		fmt.Fprintf(b, " %s (%s)", nodes[i].Name, word)
	}
	b.WriteString("\n")
}

func writePods(b *strings.Builder, pods []corev1.Pod) {
	fmt.Fprintf(b, "pods: %d\n", len(pods))
	for i := range pods {
		p := &pods[i]
		fmt.Fprintf(b, "  %s %s ready=%t node=%s ip=%s", p.Name, phase(p), podReady(p), p.Spec.NodeName, p.Status.PodIP)
		for _, s := range p.Status.ContainerStatuses {
			fmt.Fprintf(b, " [%s restarts=%d%s]", s.Name, s.RestartCount, trouble(s))
		}
		b.WriteString("\n")
	}
}

// phase is a pod's phase, or that it is being deleted, which no phase says.
func phase(p *corev1.Pod) string {
	if p.DeletionTimestamp != nil {
		return "Terminating"
	}
	return string(p.Status.Phase)
}

// trouble is why a container does not run, or how it last ended.
func trouble(s corev1.ContainerStatus) string {
	switch {
	case s.State.Waiting != nil:
		return " waiting: " + strings.TrimSpace(s.State.Waiting.Reason+" "+s.State.Waiting.Message)
	case s.State.Terminated != nil:
		return fmt.Sprintf(" ended: %s exit %d", s.State.Terminated.Reason, s.State.Terminated.ExitCode)
	case s.LastTerminationState.Terminated != nil:
		return fmt.Sprintf(" last ended: exit %d", s.LastTerminationState.Terminated.ExitCode)
	default:
		return ""
	}
}

func writeEvents(b *strings.Builder, events []corev1.Event) {
	slices.SortStableFunc(events, func(x, y corev1.Event) int { return eventTime(x).Compare(eventTime(y)) })
	if skipped := len(events) - describeEvents; skipped > 0 {
		fmt.Fprintf(b, "events: %d older ones left out\n", skipped)
		events = events[skipped:]
	} else {
		fmt.Fprintf(b, "events: %d\n", len(events))
	}
	for _, ev := range events {
		fmt.Fprintf(b, "  %s %s %s %s/%s: %s\n", eventTime(ev).UTC().Format(time.TimeOnly), ev.Type, ev.Reason,
			strings.ToLower(ev.InvolvedObject.Kind), ev.InvolvedObject.Name, strings.TrimSpace(ev.Message))
	}
}

// eventTime is when an event was last seen; components fill different fields.
func eventTime(ev corev1.Event) time.Time {
	switch {
	case !ev.LastTimestamp.IsZero():
		return ev.LastTimestamp.Time
	case ev.Series != nil:
		return ev.Series.LastObservedTime.Time
	default:
		return ev.EventTime.Time
	}
}

// writeLogs appends the last lines of some pods, those in trouble first.
func writeLogs(ctx context.Context, b *strings.Builder, c kubernetes.Interface, pods []corev1.Pod) {
	slices.SortStableFunc(pods, func(x, y corev1.Pod) int {
		switch {
		case podReady(&x) == podReady(&y):
			return 0
		case podReady(&x):
			return 1
		default:
			return -1
		}
	})
	for i := range pods {
		if i == describeLogs {
			fmt.Fprintf(b, "logs of %d more pods left out\n", len(pods)-i)
			return
		}
		p := &pods[i]
		fmt.Fprintf(b, "logs of %s, last %d lines:\n", p.Name, describeLines)
		opts := &corev1.PodLogOptions{TailLines: ptr.To(int64(describeLines))}
		raw, err := c.CoreV1().Pods(p.Namespace).GetLogs(p.Name, opts).DoRaw(ctx)
		if err != nil {
			fmt.Fprintf(b, "  not readable: %v\n", err)
			continue
		}
		for line := range strings.Lines(string(raw)) {
			fmt.Fprintf(b, "  | %s\n", strings.TrimRight(line, "\r\n"))
		}
	}
}
