package kind

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"

	"github.com/qualify-dev/qualify/internal/provision"
	"github.com/qualify-dev/qualify/internal/release"
)

// testRelease has images from a registry of its own.
func testRelease(kubernetes string) *release.Release {
	return releaseOf(kubernetes, map[string]string{
		"kube-apiserver": "registry.example/kubernetes/kube-apiserver:" + kubernetes,
		"coredns":        "registry.example/kubernetes/coredns/coredns:v1.12.0",
		"etcd":           "registry.example/kubernetes/etcd:3.6.4-0",
		"pause":          "registry.example/kubernetes/pause:3.10",
	})
}

// vendorRelease follows a vendor's own tags and paths.
func vendorRelease() *release.Release {
	return releaseOf("v1.34.4", map[string]string{
		"kube-apiserver": "public.ecr.aws/eks-distro/kubernetes/kube-apiserver:v1.34.4-eks-1-34-21",
		"coredns":        "public.ecr.aws/eks-distro/coredns/coredns:v1.12.4-eks-1-34-21",
		"etcd":           "public.ecr.aws/eks-distro/etcd-io/etcd:v3.5.24-eks-1-34-21",
		"pause":          "public.ecr.aws/eks-distro/kubernetes/pause:v1.34.4-eks-1-34-21",
	})
}

func releaseOf(kubernetes string, images map[string]string) *release.Release {
	c := release.Component{Name: "kubernetes", GitTag: kubernetes}
	for name, uri := range images {
		c.Assets = append(c.Assets, release.Asset{Component: c.Name, Name: name + "-image", Type: release.Image, URI: uri, Digest: "sha256:" + strings.Repeat("0", 64)})
	}
	return &release.Release{Name: "kubernetes-test", Components: []release.Component{c}}
}

func TestClusterConfig(t *testing.T) {
	tests := []struct {
		golden  string
		host    host
		release *release.Release
		workers int
	}{
		{"config-v2.yaml", host{}, testRelease("v1.34.4"), 2},
		{"config-v2-1.35.yaml", host{}, testRelease("v1.35.0"), 0},
		{"config-v1-1.34.yaml", host{cgroupV1: true}, testRelease("v1.34.4"), 1},
		{"config-v1-1.35.yaml", host{cgroupV1: true}, testRelease("v1.35.0-rc.1"), 1},
		{"config-less-rights.yaml", host{cgroupV1: true, lessRights: true}, testRelease("v1.36.1"), 1},
		{"config-vendor.yaml", host{}, vendorRelease(), 1},
	}
	for _, tt := range tests {
		t.Run(tt.golden, func(t *testing.T) {
			cfg, err := clusterConfig(tt.host, "qualify/cell:q-1", provision.Spec{Release: tt.release, Workers: tt.workers})
			if err != nil {
				t.Fatal(err)
			}
			text, err := yaml.Marshal(cfg)
			if err != nil {
				t.Fatal(err)
			}
			golden(t, tt.golden, string(text))
			for _, patch := range cfg.KubeadmConfigPatches {
				var read map[string]any
				if err := yaml.UnmarshalStrict([]byte(patch), &read); err != nil {
					t.Errorf("patch is no YAML: %v\n%s", err, patch)
				}
			}
		})
	}
}

// A tag is text, whatever it looks like.
func TestTagsStayText(t *testing.T) {
	patch, err := kubeadmPatch(releaseOf("v1.34.4", map[string]string{
		"kube-apiserver": "localhost:5000/kube-apiserver:1.30", "coredns": "localhost:5000/coredns:1.10", "etcd": "localhost:5000/etcd:3e5",
	}))
	if err != nil {
		t.Fatal(err)
	}
	var read struct {
		KubernetesVersion, ImageRepository any
		DNS                                struct{ ImageRepository, ImageTag any }
		Etcd                               struct {
			Local struct{ ImageRepository, ImageTag any }
		}
	}
	if err := yaml.Unmarshal([]byte(patch), &read); err != nil {
		t.Fatal(err)
	}
	got := []any{read.KubernetesVersion, read.ImageRepository, read.DNS.ImageTag, read.DNS.ImageRepository, read.Etcd.Local.ImageTag}
	want := []any{"1.30", "localhost:5000", "1.10", "localhost:5000", "3e5"}
	for i := range want {
		if got[i] != want[i] {
			t.Errorf("%T %v, want %v", got[i], got[i], want[i])
		}
	}
}

func TestConfigNamesTheMissingImage(t *testing.T) {
	for _, name := range []string{"kube-apiserver", "coredns", "etcd"} {
		rel := testRelease("v1.34.4")
		assets := rel.Components[0].Assets
		for i := range assets {
			if assets[i].Name == name+"-image" {
				assets[i].Name = "other"
			}
		}
		if _, err := clusterConfig(host{}, "image", provision.Spec{Release: rel}); err == nil || !strings.Contains(err.Error(), name+"-image") {
			t.Errorf("without %s: %v", name, err)
		}
	}
}

func TestInspectHost(t *testing.T) {
	tests := []struct {
		name, status string
		v2           bool
		want         host
		wrong        bool
	}{
		{"all rights, v2", "Name:\tx\nCapBnd:\t000001ffffffffff\n", true, host{}, false},
		{"v1", "CapBnd:\t000001ffffffffff\n", false, host{cgroupV1: true}, false},
		{"without CAP_SYS_RESOURCE", "CapBnd:\t000001fffeffffff\n", true, host{lessRights: true}, false},
		{"damaged", "CapBnd:\tmany\n", true, host{}, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			root := t.TempDir()
			put := func(file, text string) {
				if err := os.MkdirAll(filepath.Dir(root+file), 0o755); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(root+file, []byte(text), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			put("/proc/self/status", tt.status)
			if tt.v2 {
				put("/sys/fs/cgroup/cgroup.controllers", "cpu\n")
			}
			got, err := inspectHost(root)
			if (err != nil) != tt.wrong || err == nil && got != tt.want {
				t.Errorf("%+v, %v", got, err)
			}
		})
	}
	if _, err := inspectHost(t.TempDir()); err == nil {
		t.Error("a host without /proc was read")
	}
}

// Tuning adds to what a configuration says, and leaves that as it is.
func TestTuned(t *testing.T) {
	plain, err := clusterConfig(host{}, "qualify/cell:q-1", provision.Spec{Release: testRelease("v1.34.4"), Workers: 1})
	if err != nil {
		t.Fatal(err)
	}
	before := len(plain.KubeadmConfigPatches)
	tuned := Tuned(plain)
	if len(plain.KubeadmConfigPatches) != before || len(tuned.KubeadmConfigPatches) != before+1 || len(tuned.Nodes) != 2 {
		t.Fatalf("patches %q, were %q", tuned.KubeadmConfigPatches, plain.KubeadmConfigPatches)
	}
	var patch struct {
		Kind              string
		ControllerManager struct{ ExtraArgs map[string]string }
	}
	if err := yaml.Unmarshal([]byte(tuned.KubeadmConfigPatches[before]), &patch); err != nil {
		t.Fatal(err)
	}
	if args := patch.ControllerManager.ExtraArgs; patch.Kind != "ClusterConfiguration" || args["kube-api-qps"] != "200" || args["kube-api-burst"] != "400" {
		t.Errorf("patch %+v", patch)
	}
}
