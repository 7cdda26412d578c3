package bootstrap

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/qualify-dev/qualify/internal/cluster"
)

// ErrPressure marks a node that is short of disk, memory or process numbers: it
// takes no pods then, and what it is short of is its machine's.
var ErrPressure = errors.New("the machine has too little left")

// pressures are the conditions of a node that is short of something.
var pressures = []corev1.NodeConditionType{corev1.NodeDiskPressure, corev1.NodeMemoryPressure, corev1.NodePIDPressure}

// pressureEvents are the reasons of the events with which a kubelet tells that
// such a condition begins, or that it ends pods so that it does not.
var pressureEvents = []string{"NodeHasDiskPressure", "NodeHasInsufficientMemory", "NodeHasInsufficientPID", "EvictionThresholdMet"}

// pressed tells of which of a node's conditions it is short of something; empty
// where it has all that it needs.
func pressed(n corev1.Node) string {
	for _, kind := range pressures {
		if short := condition(n, kind); short.Status == corev1.ConditionTrue {
			return fmt.Sprintf("node %s has %s: %s", n.Name, kind, short.Message)
		}
	}
	return ""
}

// Shortage tells which nodes are short of disk, memory or process numbers, or
// were since a time, as far as the cluster remembers: its events are kept for an
// hour. Empty where none was.
func Shortage(ctx context.Context, c *cluster.Cluster, since time.Time) (string, error) {
	client, err := fileClient(c.Kubeconfig)
	if err != nil {
		return "", err
	}
	nodes, err := client.CoreV1().Nodes().List(ctx, metav1.ListOptions{})
	if err != nil {
		return "", fmt.Errorf("listing nodes: %w", err)
	}
	// Nodes have no namespace; kubelets write what is said of them here.
	events, err := client.CoreV1().Events(metav1.NamespaceDefault).List(ctx, metav1.ListOptions{FieldSelector: "involvedObject.kind=Node"})
	if err != nil {
		return "", fmt.Errorf("listing events of nodes: %w", err)
	}
	var found []string
	for _, n := range nodes.Items {
		if text := pressed(n); text != "" {
			found = append(found, text)
		}
	}
	for _, e := range events.Items {
		if slices.Contains(pressureEvents, e.Reason) && !e.LastTimestamp.Time.Before(since) {
			found = append(found, fmt.Sprintf("node %s said %s: %s", e.InvolvedObject.Name, e.Reason, e.Message))
		}
	}
	slices.Sort(found)
	return strings.Join(slices.Compact(found), "; "), nil
}
