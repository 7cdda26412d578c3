package kind

import (
	"fmt"
	"os"
	"path"
	"slices"
	"strconv"
	"strings"

	"sigs.k8s.io/kind/pkg/apis/config/v1alpha4"

	"github.com/qualify-dev/qualify/internal/bootstrap"
	"github.com/qualify-dev/qualify/internal/provision"
	"github.com/qualify-dev/qualify/internal/release"
)

// host is what a cluster's configuration depends on besides the release.
type host struct {
	cgroupV1   bool
	lessRights bool // CAP_SYS_RESOURCE is outside the bounding set
}

// inspectHost reads the machine's facts below root (tests give another).
func inspectHost(root string) (host, error) {
	var h host
	if _, err := os.Stat(root + "/sys/fs/cgroup/cgroup.controllers"); err != nil {
		h.cgroupV1 = true
	}
	status, err := os.ReadFile(root + "/proc/self/status")
	if err != nil {
		return h, fmt.Errorf("reading this process's capabilities: %w", err)
	}
	for _, line := range strings.Split(string(status), "\n") {
		mask, ok := strings.CutPrefix(line, "CapBnd:")
		if !ok {
			continue
		}
		bits, err := strconv.ParseUint(strings.TrimSpace(mask), 16, 64)
		if err != nil {
			return h, fmt.Errorf("reading this process's capabilities: %w", err)
		}
		const capSysResource = 24
		h.lessRights = bits&(1<<capSysResource) == 0
	}
	return h, nil
}

// Config is kind's configuration of a cell's cluster on this host.
func Config(image string, spec provision.Spec) (*v1alpha4.Cluster, error) {
	h, err := inspectHost("")
	if err != nil {
		return nil, err
	}
	return clusterConfig(h, image, spec)
}

// Tuned is a configuration with which the cluster is sooner up. It lets the
// controller manager ask the API server faster than 20 times a second: at that
// pace it spends the first five seconds of a cluster's life on its own start,
// and everything waits for it.
func Tuned(cfg *v1alpha4.Cluster) *v1alpha4.Cluster {
	tuned := *cfg
	tuned.KubeadmConfigPatches = append(slices.Clone(cfg.KubeadmConfigPatches),
		"kind: ClusterConfiguration\ncontrollerManager: {extraArgs: {kube-api-qps: \"200\", kube-api-burst: \"400\"}}\n")
	return &tuned
}

// clusterConfig is kind's configuration of a cell's cluster on a host.
func clusterConfig(h host, image string, spec provision.Spec) (*v1alpha4.Cluster, error) {
	patch, err := kubeadmPatch(spec.Release)
	if err != nil {
		return nil, err
	}
	cfg := &v1alpha4.Cluster{
		TypeMeta:             v1alpha4.TypeMeta{Kind: "Cluster", APIVersion: "kind.x-k8s.io/v1alpha4"},
		Nodes:                []v1alpha4.Node{{Role: v1alpha4.ControlPlaneRole, Image: image}},
		Networking:           v1alpha4.Networking{DisableDefaultCNI: true, PodSubnet: bootstrap.PodSubnet, ServiceSubnet: bootstrap.ServiceSubnet, APIServerAddress: "127.0.0.1"},
		KubeadmConfigPatches: []string{patch},
	}
	for range spec.Workers {
		cfg.Nodes = append(cfg.Nodes, v1alpha4.Node{Role: v1alpha4.WorkerRole, Image: image})
	}
	if h.cgroupV1 && spec.Release.Minor() >= 35 {
		// The kubelet refuses cgroup v1 by default from 1.35 on.
		cfg.KubeadmConfigPatches = append(cfg.KubeadmConfigPatches, "kind: KubeletConfiguration\nfailCgroupV1: false\n")
	}
	if h.lessRights {
		// Without CAP_SYS_RESOURCE nobody may lower an oom_score_adj.
		cfg.FeatureGates = map[string]bool{"KubeletInUserNamespace": true}
		cfg.ContainerdConfigPatches = []string{"[plugins.\"io.containerd.grpc.v1.cri\"]\n  restrict_oom_score_adj = true\n"}
	}
	return cfg, nil
}

// kubeadmPatch points kubeadm at the release's own images, wherever its
// vendor publishes them.
func kubeadmPatch(rel *release.Release) (string, error) {
	refs := map[string]string{}
	for _, name := range []string{"kube-apiserver", "coredns", "etcd"} {
		asset, err := rel.Asset(name + "-image")
		if err != nil {
			return "", err
		}
		refs[name] = asset.URI
	}
	apiRepository, apiTag := splitRef(refs["kube-apiserver"])
	dnsRepository, dnsTag := splitRef(refs["coredns"])
	etcdRepository, etcdTag := splitRef(refs["etcd"])
	// Quoted, since a tag like 1.10 would be read as a number.
	return fmt.Sprintf(`kind: ClusterConfiguration
kubernetesVersion: %q
imageRepository: %q
dns: {imageRepository: %q, imageTag: %q}
etcd: {local: {imageRepository: %q, imageTag: %q}}
`, apiTag, apiRepository, dnsRepository, dnsTag, etcdRepository, etcdTag), nil
}

// splitRef splits "registry/path/name:tag" into "registry/path" and "tag".
func splitRef(ref string) (repository, tag string) {
	i := strings.LastIndex(ref, ":")
	return path.Dir(ref[:i]), ref[i+1:]
}
