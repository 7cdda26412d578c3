package identity

import (
	"context"
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/qualify-dev/qualify/internal/cluster"
)

// vendor is a cluster that somebody else made.
type vendor struct {
	version string
	nodes   []corev1.Node
	pods    []corev1.Pod
}

func node(name, kubelet string) corev1.Node {
	return corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: name}, Status: corev1.NodeStatus{NodeInfo: corev1.NodeSystemInfo{
		KubeletVersion: kubelet, OSImage: "Moon Linux 7", ContainerRuntimeVersion: "containerd://2.1",
	}}}
}

func (v vendor) serve(t *testing.T) *cluster.Cluster {
	t.Helper()
	c := serveWith(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		answers := map[string]any{
			"/version":                            map[string]string{"gitVersion": v.version},
			"/api/v1/nodes":                       corev1.NodeList{TypeMeta: metav1.TypeMeta{Kind: "NodeList", APIVersion: "v1"}, Items: v.nodes},
			"/api/v1/namespaces/kube-system/pods": corev1.PodList{TypeMeta: metav1.TypeMeta{Kind: "PodList", APIVersion: "v1"}, Items: v.pods},
		}
		answer, known := answers[r.URL.Path]
		if !known || r.Method != http.MethodGet {
			t.Errorf("the API server was asked to %s %s", r.Method, r.URL.Path)
			http.NotFound(w, r)
			return
		}
		if err := json.NewEncoder(w).Encode(answer); err != nil {
			t.Error(err)
		}
	})
	c.Foreign = true
	return c
}

func (c *candidate) vendor() vendor {
	pods := c.pods()
	pods[1].Spec.Containers[0].Image = "moon.example/mirror/coredns:v1.12.1-moon" // from a registry of the vendor's
	return vendor{version: "v1.34.4-moon-7", nodes: []corev1.Node{node("a", "v1.34.4"), node("b", "v1.34.4+moon")}, pods: pods}
}

// Of somebody else's cluster, versions and images are compared, and what nobody
// could look at is named.
func TestForeignCluster(t *testing.T) {
	c := newCandidate(t)
	v := c.vendor()
	v.pods = append(v.pods, pod("cni", container{name: "cni", image: "moon.example/cni:1", id: "sha256:" + sumOf("cni")}))
	got, err := c.prover().Compare(context.Background(), v.serve(t), c.rel)
	must(t, err)
	if len(got.Mismatched) > 0 || len(got.Checked) != 5 {
		t.Errorf("differs %q, checked %q", got.Mismatched, got.Checked)
	}
	want := []string{
		"pod cni image moon.example/cni:1: the release has none of that name",
		"the binaries on node a (Moon Linux 7, containerd://2.1): the node cannot be reached",
		"the binaries on node b (Moon Linux 7, containerd://2.1): the node cannot be reached",
	}
	if !slices.Equal(got.Unproven, want) {
		t.Errorf("unproven %q", got.Unproven)
	}
}

func TestForeignClusterDiffers(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(*candidate, *vendor)
		want   string // in the one mismatch, or what is unproven
	}{
		{"another version", func(_ *candidate, v *vendor) { v.version = "v1.34.5" }, "API server version: has v1.34.5"},
		{"an old kubelet", func(_ *candidate, v *vendor) { v.nodes[1] = node("b", "v1.33.9") }, "node b version kubelet: has v1.33.9"},
		{"another image under the release's name", func(_ *candidate, v *vendor) {
			v.pods[0].Status.ContainerStatuses[0].ImageID = "sha256:" + sumOf("swapped")
		}, "pod kube-apiserver-cp image " + apiServer + ": has sha256:" + sumOf("swapped")},
		{"one image's content under another's name", func(c *candidate, v *vendor) {
			v.pods[0].Status.ContainerStatuses[0].ImageID = c.config["coredns"]
		}, "pod kube-apiserver-cp"},
		{"a container that says nothing", func(_ *candidate, v *vendor) { v.pods[0].Status.ContainerStatuses[0].ImageID = "" }, "has no such thing"},
		{"a control plane that is out of sight", func(_ *candidate, v *vendor) { v.pods = v.pods[1:] }, "?kube-apiserver: no pod of kube-system runs it"},
	} {
		t.Run(c.name, func(t *testing.T) {
			candidate := newCandidate(t)
			v := candidate.vendor()
			c.change(candidate, &v)
			got, err := candidate.prover().Compare(context.Background(), v.serve(t), candidate.rel)
			must(t, err)
			if unproven, is := strings.CutPrefix(c.want, "?"); is {
				if !slices.Contains(got.Unproven, unproven) || len(got.Mismatched) > 0 {
					t.Errorf("unproven %q, differs %q", got.Unproven, got.Mismatched)
				}
			} else if len(got.Mismatched) != 1 || !strings.Contains(got.Mismatched[0], c.want) {
				t.Errorf("differs %q, want %q", got.Mismatched, c.want)
			}
		})
	}
	none := newCandidate(t)
	v := none.vendor()
	v.nodes = nil
	if got, err := none.prover().Compare(context.Background(), v.serve(t), none.rel); err == nil {
		t.Errorf("no nodes: %+v", got)
	}
}
