package bootstrap

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/qualify-dev/qualify/internal/redact"
	"github.com/qualify-dev/qualify/internal/sink"
)

// asked is an API server that remembers what it was asked to change.
type asked struct {
	nodes   []corev1.Node
	class   int // status of the answer to a StorageClass
	changes []string
}

func (a *asked) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	body, _ := io.ReadAll(r.Body) // a client that has gone
	if r.Method != http.MethodGet {
		a.changes = append(a.changes, r.Method+" "+r.URL.Path+" "+string(body))
	}
	switch {
	case r.Method == http.MethodPost && a.class != 0:
		w.WriteHeader(a.class)
		reason := map[int]metav1.StatusReason{http.StatusConflict: metav1.StatusReasonAlreadyExists}[a.class]
		_ = json.NewEncoder(w).Encode(metav1.Status{Status: metav1.StatusFailure, Code: int32(a.class), Reason: reason})
	case r.Method == http.MethodGet:
		_ = json.NewEncoder(w).Encode(corev1.NodeList{Items: a.nodes})
	default:
		_, _ = w.Write([]byte("{}"))
	}
}

// wayTo is the access to a server's API.
func wayTo(t *testing.T, handler http.Handler) *Access {
	t.Helper()
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	text := "apiVersion: v1\nkind: Config\nclusters: [{name: c, cluster: {server: '" + server.URL + "'}}]\n" +
		"contexts: [{name: c, context: {cluster: c, user: u}}]\nusers: [{name: u, user: {}}]\ncurrent-context: c\n"
	return &Access{Kubeconfig: func(context.Context) (string, error) { return text, nil }, Sink: sink.New(redact.New()), File: filepath.Join(t.TempDir(), "kubeconfig")}
}

func controlPlaneNode() corev1.Node {
	n := corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: "q-1-control-plane", Labels: map[string]string{"node.kubernetes.io/exclude-from-external-load-balancers": ""}}}
	n.Spec.Taints = []corev1.Taint{{Key: "node.kubernetes.io/not-ready"}, {Key: "node-role.kubernetes.io/control-plane"}}
	return n
}

func TestFinish(t *testing.T) {
	const class = "POST /apis/storage.k8s.io/v1/storageclasses "
	for _, alone := range []bool{false, true} {
		api := &asked{nodes: []corev1.Node{controlPlaneNode(), {ObjectMeta: metav1.ObjectMeta{Name: "bare"}}}}
		if err := Finish(context.Background(), wayTo(t, api), alone); err != nil {
			t.Error(err)
		}
		if len(api.changes) == 0 || !strings.HasPrefix(api.changes[0], class) || !strings.Contains(api.changes[0], "storageclass.kubernetes.io/is-default-class") {
			t.Fatalf("changes %q", api.changes)
		}
		want := []string{
			`PATCH /api/v1/nodes/q-1-control-plane {"metadata":{"labels":{"node.kubernetes.io/exclude-from-external-load-balancers":null}}}`,
			`PATCH /api/v1/nodes/q-1-control-plane [{"op":"test","path":"/spec/taints/1/key","value":"node-role.kubernetes.io/control-plane"},{"op":"remove","path":"/spec/taints/1"}]`,
		}
		if !alone {
			want = nil
		}
		if got := strings.Join(api.changes[1:], "\n"); got != strings.Join(want, "\n") {
			t.Errorf("alone %v: changes\n%s, want\n%s", alone, got, strings.Join(want, "\n"))
		}
	}
}

func TestFinishFails(t *testing.T) {
	for status, fails := range map[int]bool{http.StatusConflict: false, http.StatusInternalServerError: true} {
		err := Finish(context.Background(), wayTo(t, &asked{class: status}), false)
		if fails != errors.Is(err, ErrUnready) || fails != (err != nil) {
			t.Errorf("status %d: %v", status, err)
		}
	}
	none := &Access{Kubeconfig: func(context.Context) (string, error) { return "", errors.New("no file") }}
	if err := Finish(context.Background(), none, false); err == nil || !strings.Contains(err.Error(), "no file") {
		t.Errorf("without access: %v", err)
	}
}

// The control plane is asked for its kubeconfig now and then, until it has one.
func TestAccess(t *testing.T) {
	var looks atomic.Int32
	a := wayTo(t, http.NotFoundHandler())
	text, _ := a.Kubeconfig(context.Background())
	ready := false
	a.Kubeconfig = func(context.Context) (string, error) {
		looks.Add(1)
		if !ready {
			return "", errors.New("no such file")
		}
		return text, nil
	}
	for range 3 {
		if c, err := a.Client(context.Background()); err == nil || c != nil {
			t.Fatalf("client %v, %v", c, err)
		}
	}
	if n := looks.Load(); n != 1 {
		t.Errorf("%d looks at once", n)
	}
	if _, err := os.Stat(a.File); err == nil {
		t.Error("there is a kubeconfig of nothing")
	}
	ready, a.last = true, time.Time{}
	for range 3 {
		if c, err := a.Client(context.Background()); err != nil || c == nil {
			t.Fatalf("client %v, %v", c, err)
		}
	}
	if n := looks.Load(); n != 2 {
		t.Errorf("%d looks in all", n)
	}
	info, err := os.Stat(a.File)
	if err != nil || info.Mode().Perm() != 0o600 || readFile(t, a.File) != text {
		t.Errorf("the kubeconfig: %v, %v", info, err)
	}
	a = &Access{Kubeconfig: func(context.Context) (string, error) { return "not a kubeconfig: [", nil }, Sink: a.Sink, File: a.File}
	if _, err := a.Client(context.Background()); err == nil {
		t.Error("nonsense gives a client")
	}
}
