package matrix

import (
	"strings"
	"testing"

	"pgregory.net/rapid"
)

const grown = `apiVersion: qualify/v1
kind: Matrix
suites: [smoke]
workers: 1
axes:
  - name: os
    values:
      - name: debian-11
        containerd: "1.4.13"
        support: {from: 2021-08-14, until: 2024-08-14, extended: 2026-08-31}
      - name: debian-12
        containerd: "1.6.20"
      - name: bottlerocket
        kubelet: {from: "1.24", until: "1.34"}
        only: {provisioner: ec2}
      - name: rhel-9
        containerd: none
  - name: k8s
    values:
      - {name: v1.22.17, release: "file:a"}
      - {name: v1.25.16, release: "file:b"}
      - {name: v1.26.15, release: "file:c"}
      - {name: v1.34.4, release: "file:d", support: {from: 2025-08-27, until: 2026-10-27}}
      - {name: v1.37.2, release: "file:e"}
      - {name: v1.38.0, release: "file:f"}
  - name: kubelet
    values: [{name: release}, {name: n-1}, {name: n-4}, {name: os}]
  - name: containerd
    values: [{name: os}, {name: v1.5.9}, {name: v1.7.32}, {name: v2.1.4}]
  - name: provisioner
    values:
      - name: kind
        only: {os: [debian-11, debian-12, rhel-9]}
      - name: ec2
`

func TestInvalid(t *testing.T) {
	tests := []struct{ cell, want string }{ // os k8s kubelet containerd provisioner
		{"debian-12 v1.34.4 release os kind", ""},
		{"debian-12 v1.34.4 release v1.7.32 kind", ""},
		{"debian-12 v1.26.15 release v1.5.9 kind", "containerd: containerd 1.5.9 has no CRI v1, which comes with 1.6; the kubelet of Kubernetes v1.26.15 asks for it, as all do from 1.26 on"},
		{"debian-12 v1.25.16 release v1.5.9 kind", ""},
		{"debian-11 v1.34.4 release os kind", "containerd: containerd 1.4.13 of debian-11 has no CRI v1, which comes with 1.6; the kubelet of Kubernetes v1.34.4 asks for it, as all do from 1.26 on"},
		{"debian-11 v1.34.4 release v1.7.32 kind", ""},
		{"debian-12 v1.22.17 release v2.1.4 kind", "containerd: containerd 2.1.4 no longer has CRI v1alpha2, which went with 2.0; the kubelet of Kubernetes v1.22.17 has nothing else, as all before 1.23"},
		{"rhel-9 v1.34.4 release os kind", "containerd: rhel-9 brings no containerd of its own"},
		{"rhel-9 v1.34.4 release v1.7.32 kind", ""},
		{"debian-12 v1.34.4 os os kind", "own-kubelet: debian-12 brings no kubelet of its own"},
		{"bottlerocket v1.34.4 release os ec2", "own-kubelet: bottlerocket brings its own kubelet, and no other can be put in"},
		{"bottlerocket v1.34.4 os os ec2", ""},
		{"bottlerocket v1.34.4 os os kind", "only: bottlerocket goes only with provisioner ec2, not with kind|only: kind goes only with os debian-11, debian-12, rhel-9, not with bottlerocket"},
		{"bottlerocket v1.22.17 os os ec2", "own-kubelet: bottlerocket brings kubelets of 1.24 to 1.34, all newer than Kubernetes v1.22.17"},
		{"bottlerocket v1.37.2 os os ec2", ""}, // with its kubelet of 1.34
		{"bottlerocket v1.38.0 os os ec2", "skew-kubelet: kubelet 1.34 is 4 minors older than the API server of 1.38; at most 3 are allowed|" +
			"skew-kube-proxy: |skew-kubeadm: "},
		{"debian-12 v1.37.2 n-1 os kind", ""},
		{"debian-12 v1.37.2 n-4 os kind", "skew-kubelet: |skew-kube-proxy: |skew-kubeadm: "},
	}
	m := load(t, grown)
	for _, tt := range tests {
		t.Run(tt.cell, func(t *testing.T) {
			values := map[string]string{}
			for i, word := range strings.Fields(tt.cell) {
				values[m.Axes[i].Name] = word
			}
			reasons := m.Invalid(values, "2026-01-01")
			wants := strings.Split(tt.want, "|")
			if tt.want == "" {
				wants = nil
			}
			if len(reasons) != len(wants) {
				t.Fatalf("reasons %v, want %d", reasons, len(wants))
			}
			for i, want := range wants {
				if got := reasons[i].Rule + ": " + reasons[i].Text; !strings.HasPrefix(got, want) || got != want && !strings.HasSuffix(want, ": ") {
					t.Errorf("reason %q, want %q", got, want)
				}
			}
		})
	}
}

// One with a version that nobody can read is not judged by what is newer.
func TestInvalidWithoutVersions(t *testing.T) {
	m := load(t, small).WithRelease("Custom+build", "file:x")
	if reasons := m.Invalid(map[string]string{OS: "debian-12", K8s: "Custom+build"}, "2026-01-01"); len(reasons) > 0 {
		t.Errorf("reasons %v", reasons)
	}
}

func TestSupport(t *testing.T) {
	tests := []struct{ support, day, want string }{
		{Standard, "2021-08-13", "debian-11 is there from 2021-08-14 on, and it is 2021-08-13"},
		{Standard, "2021-08-14", ""},
		{Standard, "2024-08-14", ""},
		{Standard, "2024-08-15", "the ordinary support of debian-11 ended on 2024-08-14, and it is 2024-08-15"},
		{Extended, "2024-08-15", ""},
		{Extended, "2026-08-31", ""},
		{Extended, "2026-09-01", "the support of debian-11 ended on 2026-08-31, and it is 2026-09-01"},
		{Extended, "2021-08-13", "debian-11 is there from 2021-08-14 on, and it is 2021-08-13"},
		{AnySupport, "2030-01-01", ""},
		{AnySupport, "2001-01-01", ""},
	}
	for _, tt := range tests {
		m := load(t, grown)
		m.Support = tt.support
		got := ""
		for _, r := range m.Invalid(map[string]string{OS: "debian-11"}, tt.day) {
			got += r.Text
		}
		if got != tt.want {
			t.Errorf("%s on %s: %q, want %q", tt.support, tt.day, got, tt.want)
		}
	}
}

// Expand leaves out exactly what is invalid, with the first of its reasons.
func TestExpandLeavesInvalidOut(t *testing.T) {
	m := load(t, grown)
	cells, excluded, err := m.Expand(nil, "2026-01-01")
	if err != nil {
		t.Fatal(err)
	}
	if len(cells) == 0 || len(excluded) == 0 || len(cells)+len(excluded) != 4*6*4*4*2 {
		t.Fatalf("%d cells, %d excluded", len(cells), len(excluded))
	}
	for _, cell := range cells {
		if why := m.Invalid(cell.Values, "2026-01-01"); why != nil {
			t.Errorf("%v is in: %v", cell.Values, why)
		}
	}
	for _, e := range excluded {
		why := m.Invalid(e.Values, "2026-01-01")
		if len(why) == 0 || why[0] != e.Why || e.By() != "validity/"+why[0].Rule || e.Reason() != why[0].Text {
			t.Errorf("%v is out by %s (%s): %v", e.Values, e.By(), e.Reason(), why)
		}
	}
	_, _, err = m.Expand(Selection{OS: {"debian-11"}, Containerd: {"os"}, K8s: {"1.37"}, Kubelet: {"release"}, Provisioner: {"kind"}}, "2026-01-01")
	if err == nil || !strings.Contains(err.Error(), "rules exclude each of the 1 selected cells: validity/containerd (containerd 1.4.13 of debian-11 has no CRI v1") {
		t.Errorf("error %v", err)
	}
}

// Whatever the cell holds, the same question has the same answer, and no panic.
func TestPropertyInvalidIsAFunction(t *testing.T) {
	m := load(t, grown)
	rapid.Check(t, func(rt *rapid.T) {
		values := rapid.MapOf(
			rapid.SampledFrom([]string{OS, K8s, Provisioner, Kubelet, Kubeadm, KubeProxy, KubeAPIServer, Containerd, "arch"}),
			rapid.OneOf(rapid.String(), rapid.SampledFrom([]string{"v1.34.4", "n-1", "os", "release", "bottlerocket", "rhel-9", "none", "v2.1"})),
		).Draw(rt, "values")
		one, two := m.Invalid(values, "2026-01-01"), m.Invalid(values, "2026-01-01")
		if len(one) != len(two) {
			rt.Fatalf("%v and %v", one, two)
		}
		for i, r := range one {
			if r != two[i] || r.Rule == "" || r.Text == "" {
				rt.Errorf("%v and %v", one, two)
			}
		}
	})
}

func TestComponentValues(t *testing.T) {
	for old, want := range map[string]string{
		"{name: n-4}":    `axes[2].values[2].name is "blue", which no kubelet is called; write release, os, n-1 or a version, e.g. v1.33.13`,
		"{name: v1.5.9}": `axes[3].values[1].name is "blue", which no containerd is called; write os or a version, e.g. v1.7.32`,
	} {
		if got := problems(t, strings.Replace(grown, old, "{name: blue}", 1)).Error(); !strings.HasSuffix(got, want) {
			t.Errorf("problems %s, want %s", got, want)
		}
	}
}
