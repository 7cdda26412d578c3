package bootstrap

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"github.com/qualify-dev/qualify/internal/cluster"
)

// world is a cluster in the making: what kubeadm does on its nodes and what its
// API server says follow from each other, and a test changes how.
type world struct {
	mu     sync.Mutex
	story  []string
	shows  map[string]bool // what the API server has: ready, administrator, signed, readable
	does   map[string]func(ctx context.Context) error
	logged []string
	server *httptest.Server
}

func (w *world) tell(what string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.story = append(w.story, what)
}

func (w *world) show(what string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.shows[what] = true
	w.story = append(w.story, "API "+what)
}

func (w *world) has(what string) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.shows[what]
}

// ServeHTTP answers as the API server does.
func (w *world) ServeHTTP(out http.ResponseWriter, r *http.Request) {
	out.Header().Set("Content-Type", "application/json")
	switch {
	case !w.has("ready"):
		out.WriteHeader(http.StatusServiceUnavailable)
	case r.URL.Path == "/readyz":
		_, _ = out.Write([]byte("ok"))
	case r.URL.Path == "/apis/apps/v1/namespaces/kube-system/deployments" && w.has("administrator"):
		_ = json.NewEncoder(out).Encode(appsv1.DeploymentList{})
	case r.URL.Path == "/apis/apps/v1/namespaces/kube-system/deployments":
		out.WriteHeader(http.StatusForbidden)
	case r.URL.Path == "/api/v1/namespaces/kube-public/configmaps/cluster-info":
		info := corev1.ConfigMap{Data: map[string]string{"kubeconfig": "..."}}
		if w.has("signed") {
			info.Data["jws-kubeconfig-abcdef"] = "..."
		}
		_ = json.NewEncoder(out).Encode(info)
	case r.URL.Path == "/apis/rbac.authorization.k8s.io/v1/namespaces/kube-public/rolebindings/kubeadm:bootstrap-signer-clusterinfo" && w.has("readable"):
		_ = json.NewEncoder(out).Encode(rbacv1.RoleBinding{})
	default:
		http.NotFound(out, r)
	}
}

// node is a node of the world.
type node struct {
	w    *world
	name string
}

// Exec does what the test says of a command, and tells its first words.
func (n node) Exec(ctx context.Context, cmd cluster.Cmd) (cluster.Output, error) {
	what := n.name + ": " + strings.Join(cmd.Argv, " ")
	for words, do := range n.w.does {
		if !strings.HasPrefix(what, words) {
			continue
		}
		n.w.tell(words)
		err := do(ctx)
		n.w.tell(words + " ends")
		out := cluster.Output{Stdout: []byte("said by " + words), Stderr: []byte("and complained")}
		if err != nil && ctx.Err() == nil {
			err = &cluster.ExitError{Node: n.name, Cmd: cmd, Code: 1, Output: out}
		}
		return out, err
	}
	return cluster.Output{}, fmt.Errorf("nobody expected %s", what)
}

// Put is not used.
func (node) Put(context.Context, string, fs.FileMode, io.Reader) error { return errors.ErrUnsupported }

// Get is not used.
func (node) Get(context.Context, string, io.Writer) error { return errors.ErrUnsupported }

// newWorld is one in which all goes well.
func newWorld(t *testing.T) *world {
	w := &world{shows: map[string]bool{}}
	w.server = httptest.NewServer(w)
	t.Cleanup(w.server.Close)
	quick := func(context.Context) error { return nil }
	w.does = map[string]func(context.Context) error{
		"cp: kubeadm init --config=/kubeadm.conf": func(ctx context.Context) error {
			w.show("ready")
			w.show("readable")
			w.show("administrator")
			// It ends long after the other steps could begin.
			return await(ctx, func() bool { return w.told("two: kubeadm join ends") })
		},
		"cp: kubeadm init phase addon all --config=/kubeadm.conf": func(context.Context) error {
			w.show("signed")
			return nil
		},
		"one: kubeadm join": quick,
		"two: kubeadm join": quick,
	}
	return w
}

func await(ctx context.Context, holds func() bool) error {
	for !holds() {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(time.Millisecond):
		}
	}
	return nil
}

func (w *world) told(what string) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Contains(w.story, what)
}

func (w *world) kubeadm() Kubeadm {
	of := func(name string, role cluster.Role) cluster.Node {
		return cluster.Node{Name: name, Role: role, Transport: node{w, name}}
	}
	return Kubeadm{
		ControlPlane: of("cp", cluster.ControlPlane), Workers: []cluster.Node{of("one", cluster.Worker), of("two", cluster.Worker)},
		Config: "/kubeadm.conf", Patience: 300 * time.Millisecond,
		Log: func(node, text string) {
			w.mu.Lock()
			defer w.mu.Unlock()
			w.logged = append(w.logged, node+": "+text)
		},
		Access: func(context.Context) (kubernetes.Interface, error) {
			return kubernetes.NewForConfig(&rest.Config{Host: w.server.URL, QPS: -1})
		},
	}
}

func (w *world) up(t *testing.T) error {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	return w.kubeadm().Up(ctx)
}

// Each step begins when what it needs is there, and not before.
func TestUp(t *testing.T) {
	w := newWorld(t)
	if err := w.up(t); err != nil {
		t.Fatal(err)
	}
	at := func(what string) int { return slices.Index(w.story, what) }
	for _, order := range [][2]string{
		{"API administrator", "cp: kubeadm init phase addon all --config=/kubeadm.conf"},
		{"API signed", "one: kubeadm join"},
		{"API signed", "two: kubeadm join"},
		{"two: kubeadm join ends", "cp: kubeadm init --config=/kubeadm.conf ends"},
	} {
		if at(order[0]) < 0 || at(order[1]) < at(order[0]) {
			t.Errorf("%q does not come before %q: %v", order[0], order[1], w.story)
		}
	}
	if len(w.logged) != 4 || !slices.Contains(w.logged, "one: said by one: kubeadm join\nand complained") {
		t.Errorf("logged %q", w.logged)
	}
}

func TestUpOfOneNode(t *testing.T) {
	w := newWorld(t)
	w.does["cp: kubeadm init --config=/kubeadm.conf"] = func(context.Context) error {
		w.show("ready")
		w.show("administrator")
		return nil
	}
	k := w.kubeadm()
	k.Workers = nil
	if err := k.Up(context.Background()); err != nil {
		t.Error(err)
	}
}

// The first step that fails ends the others, and is the one that is told.
func TestUpFails(t *testing.T) {
	broken := func(context.Context) error { return errors.New("broken") }
	stuck := func(ctx context.Context) error {
		<-ctx.Done()
		return ctx.Err()
	}
	for name, test := range map[string]struct {
		change func(*world)
		step   string
		node   string
		ran    bool // kubeadm did, and failed
	}{
		"init":   {func(w *world) { w.does["cp: kubeadm init --config=/kubeadm.conf"] = broken }, "init", "cp", true},
		"addons": {func(w *world) { w.does["cp: kubeadm init phase addon all --config=/kubeadm.conf"] = broken }, "addons", "cp", true},
		"join": {func(w *world) {
			w.does["one: kubeadm join"] = stuck
			w.does["two: kubeadm join"] = broken
		}, "join", "two", true},
		"an API server that never answers": {func(w *world) {
			w.does["cp: kubeadm init --config=/kubeadm.conf"] = func(context.Context) error { return nil }
		}, "", "", false},
		"an administrator whom it never lets in": {func(w *world) {
			w.does["cp: kubeadm init --config=/kubeadm.conf"] = func(context.Context) error { w.show("ready"); return nil }
			w.does["cp: kubeadm init phase addon all --config=/kubeadm.conf"] = broken
		}, "", "", false},
		"information that nobody signs": {func(w *world) {
			w.does["cp: kubeadm init --config=/kubeadm.conf"] = func(context.Context) error {
				w.show("ready")
				w.show("administrator")
				return nil
			}
			w.does["cp: kubeadm init phase addon all --config=/kubeadm.conf"] = func(context.Context) error { return nil }
		}, "join", "one", false},
		"information that nobody may read": {func(w *world) {
			w.does["cp: kubeadm init --config=/kubeadm.conf"] = func(context.Context) error {
				w.show("ready")
				w.show("administrator")
				w.show("signed")
				return nil
			}
		}, "join", "one", false},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			test.change(w)
			err := w.up(t)
			var step *StepError
			if !errors.As(err, &step) || test.step != "" && (step.Step != test.step || step.Node != test.node) {
				t.Fatalf("error %v", err)
			}
			var exit *cluster.ExitError
			if errors.As(err, &exit) != test.ran || errors.Is(err, ErrNotReady) == test.ran {
				t.Errorf("whether kubeadm failed is not told: %v", err)
			}
			if test.ran && !strings.Contains(step.Output, "and complained") {
				t.Errorf("output %q", step.Output)
			}
		})
	}
}

func TestUpIsCancelled(t *testing.T) {
	w := newWorld(t)
	w.does["one: kubeadm join"] = func(ctx context.Context) error {
		<-ctx.Done()
		return ctx.Err()
	}
	ctx, cancel := context.WithCancel(context.Background())
	go func() {
		_ = await(context.Background(), func() bool { return w.told("one: kubeadm join") })
		cancel()
	}()
	if err := w.kubeadm().Up(ctx); !errors.Is(err, context.Canceled) || errors.Is(err, ErrNotReady) {
		t.Errorf("error %v", err)
	}
}
