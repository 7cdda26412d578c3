package bootstrap

import (
	"context"
	"slices"
	"testing"

	"github.com/qualify-dev/qualify/internal/cluster"
)

// Further control planes join one after the other, beside the workers, by
// certificates that the first has uploaded.
func TestUpOfSeveralControlPlanes(t *testing.T) {
	w := newWorld(t)
	const usual = "cp: kubeadm init --config=/kubeadm.conf"
	const uploading = usual + " --skip-token-print --skip-phases=preflight,addon --v=5 --upload-certs --skip-certificate-key-print"
	w.does[uploading] = w.does[usual]
	delete(w.does, usual)
	for _, name := range []string{"three", "four"} {
		w.does[name+": kubeadm join"] = func(context.Context) error { return nil }
	}
	k := w.kubeadm()
	k.More = []cluster.Node{
		{Name: "three", Role: cluster.ControlPlane, Transport: node{w, "three"}},
		{Name: "four", Role: cluster.ControlPlane, Transport: node{w, "four"}},
	}
	if err := k.Up(context.Background()); err != nil {
		t.Fatal(err)
	}
	three, four := slices.Index(w.story, "three: kubeadm join ends"), slices.Index(w.story, "four: kubeadm join")
	if three < 0 || four < three {
		t.Errorf("story %q", w.story)
	}
}
