package fake

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"path"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/version"

	"github.com/qualify-dev/qualify/internal/cluster"
	"github.com/qualify-dev/qualify/internal/release"
)

// API answers for the API servers of all clusters in the cloud, under a path
// for each lease, what tells a release: version, nodes, the control plane's
// pods; of nodes it has nothing else to tell. The test serves it, and gives its URL as Options.Server: so it outlives
// a process that the test kills, as a real API server does.
func (c Cloud) API(rel *release.Release) http.Handler {
	mux := http.NewServeMux()
	answer := func(pattern string, of func([]Record) any) {
		mux.HandleFunc("GET /{lease}"+pattern, func(w http.ResponseWriter, r *http.Request) {
			machines, err := c.machines(r.PathValue("lease"))
			if err == nil && len(machines) == 0 {
				err = fmt.Errorf("there is no cluster %s", r.PathValue("lease"))
			}
			if err != nil {
				http.Error(w, err.Error(), http.StatusServiceUnavailable)
				return
			}
			w.Header().Set("Content-Type", "application/json")
			_ = json.NewEncoder(w).Encode(of(machines)) // a client that has gone
		})
	}
	answer("/version", func([]Record) any { return version.Info{GitVersion: rel.Kubernetes()} })
	answer("/api/v1/nodes", func(machines []Record) any { return nodeList(machines, rel.Kubernetes()) })
	answer("/api/v1/namespaces/default/events", func([]Record) any { return corev1.EventList{} })
	answer("/api/v1/namespaces/kube-system/pods", func(machines []Record) any { return podList(machines, rel) })
	return mux
}

// machines lists those of a lease that run.
func (c Cloud) machines(lease string) ([]Record, error) {
	all, err := c.All()
	if err != nil {
		return nil, err
	}
	var machines []Record
	for _, r := range all {
		if r.Kind == machine && r.Lease.Name == lease && !r.Appears.After(time.Now()) {
			machines = append(machines, r)
		}
	}
	return machines, nil
}

func nodeList(machines []Record, kubelet string) corev1.NodeList {
	var list corev1.NodeList
	for _, m := range machines {
		n := corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: m.Name}}
		n.Status.NodeInfo.KubeletVersion = kubelet
		n.Status.Conditions = []corev1.NodeCondition{{Type: corev1.NodeReady, Status: corev1.ConditionTrue}}
		list.Items = append(list.Items, n)
	}
	return list
}

// podList has a pod for each image of the release, all on the control plane.
func podList(machines []Record, rel *release.Release) corev1.PodList {
	var list corev1.PodList
	for _, image := range rel.Images() {
		name := strings.TrimSuffix(image.Name, "-image")
		p := corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: "kube-system"}}
		for _, m := range machines {
			if m.Role == cluster.ControlPlane {
				p.Spec.NodeName = m.Name
			}
		}
		p.Spec.Containers = []corev1.Container{{Name: name, Image: image.URI}}
		p.Status.Phase = corev1.PodRunning
		p.Status.ContainerStatuses = []corev1.ContainerStatus{{Name: name, Image: image.URI, ImageID: image.URI + "@" + image.Digest}}
		list.Items = append(list.Items, p)
	}
	return list
}

// Identity is what nodes say that run a release: the digests of their
// binaries, by any command that has sha256sum in it and ends in the binary's
// name, and the table of their images.
func Identity(rel *release.Release) Answer {
	return func(_ context.Context, call Call) (cluster.Output, bool, error) {
		argv := call.Cmd.Argv
		text := strings.Join(argv, " ")
		switch {
		case strings.HasPrefix(text, "ctr -n k8s.io images ls"):
			return cluster.Output{Stdout: imageTable(rel)}, true, nil
		case strings.Contains(text, "sha256sum"):
			file := argv[len(argv)-1]
			asset, err := rel.Asset("bin/linux/amd64/" + path.Base(file))
			if err != nil {
				return cluster.Output{}, true, &cluster.ExitError{Code: 1, Output: cluster.Output{Stderr: []byte("sha256sum: " + file + ": No such file or directory\n")}}
			}
			return cluster.Output{Stdout: []byte(asset.SHA256 + "  " + file + "\n")}, true, nil
		}
		return cluster.Output{}, false, nil
	}
}

func imageTable(rel *release.Release) []byte {
	table := []byte("REF TYPE DIGEST SIZE PLATFORMS LABELS\n")
	for _, image := range rel.Images() {
		table = fmt.Appendf(table, "%s application/vnd.oci.image.manifest.v1+json %s 1.0 MiB linux/amd64 -\n", image.URI, image.Digest)
	}
	return table
}
