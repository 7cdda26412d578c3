package matrix

import (
	"fmt"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// rulesOf lists the rules of reasons.
func rulesOf(reasons []Reason) string {
	var rules []string
	for _, r := range reasons {
		rules = append(rules, strings.TrimPrefix(r.Rule, "skew-"))
	}
	return strings.Join(rules, " ")
}

// Each line is an example or a bound of the version skew policy.
func TestSkew(t *testing.T) {
	tests := []struct {
		k8s, components string
		want            string // the rules that are broken
	}{
		{"v1.37.2", "", ""},
		// API servers.
		{"v1.37.2", "kube-apiserver=v1.36.3", ""},
		{"v1.37.2", "kube-apiserver=n-1", ""},
		{"v1.37.2", "kube-apiserver=n-2 kubeadm=v1.36.1", "kube-apiserver controllers controllers controllers kubectl kubeadm"},
		// The kubelet: three back, two before 1.25, never newer.
		{"v1.37.2", "kubelet=v1.37.9", ""},
		{"v1.37.2", "kubelet=n-3", ""},
		{"v1.37.2", "kubelet=n-4 kube-proxy=n-3", "kubelet kubeadm"},
		{"v1.37.2", "kubelet=v1.38.0", "kubelet kubeadm"},
		{"v1.29.0", "kubelet=v1.26.0", ""},
		{"v1.28.0", "kubelet=v1.25.0 kubeadm=v1.29.0", "kubelet-by-kubeadm"},
		{"v1.27.0", "kubelet=v1.24.0 kube-proxy=v1.25.0", "kubelet kubeadm"},
		{"v1.26.0", "kubelet=v1.24.0", "kubeadm"},
		{"v1.28.0", "kubelet=v1.26.0", "kubeadm"},
		{"v1.29.0", "kubelet=v1.27.0", ""},
		// While an upgrade goes on, the newest bounds below and the oldest above.
		{"v1.37.2", "kube-apiserver=v1.36.0 kubelet=v1.37.0", "kubelet"},
		{"v1.37.2", "kube-apiserver=v1.36.0 kubelet=v1.36.0", ""},
		{"v1.37.2", "kube-apiserver=v1.36.0 kubelet=v1.34.0", ""},
		{"v1.37.2", "kube-apiserver=v1.36.0 kubelet=v1.33.0", "kubelet kubeadm"},
		// kube-proxy: as the kubelet, and near the kubelet beside it.
		{"v1.37.2", "kube-proxy=n-3", ""},
		{"v1.37.2", "kube-proxy=n-4", "kube-proxy kube-proxy"},
		{"v1.37.2", "kube-proxy=v1.38.1", "kube-proxy"},
		{"v1.27.0", "kube-proxy=v1.24.0", "kube-proxy kube-proxy"},
		{"v1.37.2", "kube-proxy=n-3 kubelet=n", ""},
		{"v1.26.0", "kube-proxy=v1.24.0 kubelet=v1.26.0", ""},
		// What decides and places: one back, never newer, also while upgrading.
		{"v1.37.2", "kube-controller-manager=n-1 kube-scheduler=n-1 cloud-controller-manager=n-1", ""},
		{"v1.37.2", "kube-controller-manager=n-2", "controllers"},
		{"v1.37.2", "kube-scheduler=v1.38.0", "controllers"},
		{"v1.37.2", "cloud-controller-manager=n-2 kube-scheduler=n-2", "controllers controllers"},
		{"v1.37.2", "kube-apiserver=n-1 kube-scheduler=v1.37.0", "controllers"},
		// kubectl: one to either side of every server.
		{"v1.37.2", "kubectl=v1.38.0", ""},
		{"v1.37.2", "kubectl=v1.36.0", ""},
		{"v1.37.2", "kubectl=v1.39.0", "kubectl"},
		{"v1.37.2", "kubectl=v1.35.0", "kubectl"},
		{"v1.37.2", "kube-apiserver=v1.36.0 kubectl=v1.38.0", "kubectl"},
		// kubeadm: its own minor and the one before.
		{"v1.36.3", "kubeadm=v1.37.0", ""},
		{"v1.36.3", "kubeadm=v1.38.0", "kubeadm"},
		{"v1.36.3", "kubeadm=v1.35.0", "kubeadm"},
		{"v1.36.3", "kubeadm=v1.37.0 kubelet=v1.34.0", ""},
		{"v1.36.3", "kubeadm=v1.37.0 kubelet=v1.33.0", "kubeadm"},
		// What cannot be read.
		{"v1.37.2", "kubelet=newest", "kubelet"},
		{"v1.1.0", "kubelet=n-2", "kubelet"},
		{"v2.0.0", "kubelet=v1.37.0", "kube-apiserver"},
		{"new", "", "kube-apiserver"},
		// Not of Kubernetes.
		{"v1.37.2", "containerd=v1.7.32 arch=amd64 kubelet=os", ""},
	}
	for _, tt := range tests {
		t.Run(tt.k8s+" "+tt.components, func(t *testing.T) {
			components := map[string]string{}
			for _, pair := range strings.Fields(tt.components) {
				name, value, _ := strings.Cut(pair, "=")
				components[name] = value
			}
			reasons := Skew(tt.k8s, components)
			want := strings.ReplaceAll(tt.want, "kubelet-by-kubeadm", "kubeadm")
			if got := rulesOf(reasons); got != want {
				t.Errorf("broken %q, want %q: %v", got, want, reasons)
			}
		})
	}
}

func TestSkewTexts(t *testing.T) {
	for components, want := range map[string]string{
		"kubelet=v1.38.0":           "kubelet 1.38 is newer than the API server of 1.37",
		"kubelet=v1.33.0":           "kubelet 1.33 is 4 minors older than the API server of 1.37; at most 3 are allowed",
		"kube-scheduler=v1.35.0":    "kube-scheduler 1.35 is 2 minors older than the API server of 1.37; at most 1 is allowed",
		"kubectl=v1.39.0":           "kubectl 1.39 is 2 minors from the API server of 1.37; at most one is allowed",
		"kubeadm=v1.36.0":           "kubeadm 1.36 makes control planes of 1.36 and the minor before, not of 1.37",
		"kube-apiserver=v1.35.0":    "API servers of 1.35 and 1.37 are more than one minor apart",
		"kubelet=blue":              `kubelet is "blue", which no version of Kubernetes is called`,
		"kube-controller-manager=9": `kube-controller-manager is "9", which no version of Kubernetes is called`,
	} {
		name, value, _ := strings.Cut(components, "=")
		if got := Skew("v1.37.2", map[string]string{name: value}); len(got) == 0 || got[0].Text != want {
			t.Errorf("%s: %v, want %q", components, got, want)
		}
	}
}

// A window is never wider than what each of its servers would allow alone.
func TestPropertyWindowNarrows(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		minor := rapid.IntRange(22, 40).Draw(rt, "minor")
		components := map[string]string{}
		for _, name := range []string{KubeControllerManager, KubeScheduler, Kubelet, KubeProxy, Kubectl} {
			components[name] = fmt.Sprintf("v1.%d", rapid.IntRange(minor-5, minor+2).Draw(rt, name))
		}
		newer, older := fmt.Sprintf("v1.%d.0", minor), fmt.Sprintf("v1.%d.0", minor-1)
		components[Kubeadm] = newer
		window := map[string]string{KubeAPIServer: older}
		for name, value := range components {
			window[name] = value
		}
		alone := append(Skew(newer, components), Skew(older, components)...)
		if both := Skew(newer, window); (len(both) == 0) != (len(alone) == 0) {
			rt.Errorf("%v: together %v, alone %v", window, both, alone)
		}
	})
}
