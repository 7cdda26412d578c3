package bootstrap

import (
	"errors"
	"path/filepath"
	"strings"
	"testing"

	"github.com/qualify-dev/qualify/internal/cluster"
)

// The reason is what kubeadm said last, not the end of a stack.
func TestKubeadmFailed(t *testing.T) {
	for file, want := range map[string]string{
		"kubeadm-1.34.txt": `kubeadm addons on node cp: exit code 1: error execution phase addon/coredns: couldn't retrieve DNS addon deployments: ` +
			`deployments.apps is forbidden: User "kubernetes-admin" cannot list resource "deployments" in API group "apps" in the namespace "kube-system"`,
		"kubeadm-1.29.txt":         `kubeadm addons on node cp: exit code 1: couldn't initialize a Kubernetes cluster; error execution phase wait-control-plane`,
		"kubeadm-says-nothing.txt": `kubeadm addons on node cp: exit code 1`,
	} {
		output := readFile(t, filepath.Join("testdata", file))
		step := &StepError{Step: "addons", Node: "cp", Output: output, Err: &cluster.ExitError{Node: "cp", Code: 1}}
		reason, said, failed := KubeadmFailed(step)
		if !failed || reason != want {
			t.Errorf("%s: failed %v, reason %s\nwant %s", file, failed, reason, want)
		}
		if !strings.HasSuffix(strings.TrimSpace(output), said) {
			t.Errorf("%s: said %q", file, said)
		}
	}
	if _, _, failed := KubeadmFailed(&StepError{Step: "join", Node: "cp", Err: errors.New("the node is gone")}); failed {
		t.Error("a kubeadm that never ran is said to have failed")
	}
}

func TestLastLines(t *testing.T) {
	if got := lastLines("1\n2\n3\n4\n", 2); got != "3\n4" {
		t.Errorf("last lines %q", got)
	}
	if got := lastLines("1\n2", 5); got != "1\n2" {
		t.Errorf("last lines %q", got)
	}
}

func TestLastWords(t *testing.T) {
	for log, want := range map[string]string{
		"": "", "no such line\n": "",
		`a kubelet[1]: E1 run.go:72] "command failed" err="first"` + "\n" + `b kubelet[2]: E2 run.go:72] "command failed" err="validate CRI v1 for endpoint \"unix:///x\": unknown service"` + "\nsystemd: failed\n": `validate CRI v1 for endpoint "unix:///x": unknown service`,
		`"command failed" err="cut off`: `"cut off`,
	} {
		if got := LastWords(log); got != want {
			t.Errorf("%q: %q, want %q", log, got, want)
		}
	}
}
