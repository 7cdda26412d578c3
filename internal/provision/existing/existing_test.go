package existing

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/qualify-dev/qualify/internal/provision"
	"github.com/qualify-dev/qualify/internal/redact"
	"github.com/qualify-dev/qualify/internal/sink"
)

const (
	bindingsPath = "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings"
	rolesPath    = "/apis/rbac.authorization.k8s.io/v1/clusterroles"
)

// theirs is somebody's cluster, as far as the provisioner may know it. Whatever
// else it asks for, and whatever it changes beside its marker, is an error.
type theirs struct {
	t   *testing.T
	url string

	mu         sync.Mutex
	nodes      []corev1.Node
	namespaces map[string]corev1.Namespace
	bindings   map[string]string // leases, by name
	roles      map[string]string
	stuck      bool // the marker is not removed
	refuse     string
	writes     []string
	next       int
}

func newAPI(t *testing.T) *theirs {
	t.Helper()
	a := &theirs{t: t, namespaces: map[string]corev1.Namespace{}}
	for _, name := range []string{"cp", "w1", "w2"} {
		a.nodes = append(a.nodes, corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: name}, Status: corev1.NodeStatus{
			Conditions: []corev1.NodeCondition{{Type: corev1.NodeReady, Status: corev1.ConditionTrue}},
		}})
	}
	a.add("kube-system", nil, time.Now().Add(-time.Hour))
	a.add("shop", nil, time.Now().Add(-time.Hour))
	server := httptest.NewServer(http.HandlerFunc(a.serve))
	t.Cleanup(server.Close)
	a.url = server.URL
	return a
}

func (a *theirs) add(name string, labels map[string]string, created time.Time) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.put(name, labels, nil, created)
}

func (a *theirs) put(name string, labels, notes map[string]string, created time.Time) corev1.Namespace {
	a.next++
	n := corev1.Namespace{TypeMeta: metav1.TypeMeta{Kind: "Namespace", APIVersion: "v1"}, ObjectMeta: metav1.ObjectMeta{
		Name: name, UID: types.UID(fmt.Sprintf("uid-%d", a.next)), Labels: labels, Annotations: notes, CreationTimestamp: metav1.NewTime(created),
	}}
	a.namespaces[name] = n
	return n
}

func (a *theirs) serve(w http.ResponseWriter, r *http.Request) {
	a.mu.Lock()
	defer a.mu.Unlock()
	w.Header().Set("Content-Type", "application/json")
	if r.Method != http.MethodGet {
		a.writes = append(a.writes, r.Method+" "+r.URL.Path)
	}
	say := func(status int, value any) {
		w.WriteHeader(status)
		_ = json.NewEncoder(w).Encode(value)
	}
	fail := func(code int32, reason metav1.StatusReason) {
		say(int(code), metav1.Status{TypeMeta: metav1.TypeMeta{Kind: "Status", APIVersion: "v1"}, Status: "Failure", Reason: reason, Code: code})
	}
	name, single := strings.CutPrefix(r.URL.Path, "/api/v1/namespaces/")
	found, there := a.namespaces[name]
	switch {
	case a.refuse != "" && strings.HasPrefix(r.Method+" "+r.URL.Path, a.refuse):
		fail(http.StatusForbidden, metav1.StatusReasonForbidden)
	case r.URL.Path == "/version":
		say(http.StatusOK, map[string]string{"gitVersion": "v1.34.4"})
	case r.URL.Path == "/api/v1/nodes":
		say(http.StatusOK, corev1.NodeList{TypeMeta: metav1.TypeMeta{Kind: "NodeList", APIVersion: "v1"}, Items: a.nodes})
	case r.URL.Path == "/api/v1/namespaces" && r.Method == http.MethodPost:
		var n corev1.Namespace
		if err := json.NewDecoder(r.Body).Decode(&n); err != nil {
			a.t.Error(err)
		}
		say(http.StatusCreated, a.put(n.Name, n.Labels, n.Annotations, time.Now()))
	case r.URL.Path == "/api/v1/namespaces":
		list := corev1.NamespaceList{TypeMeta: metav1.TypeMeta{Kind: "NamespaceList", APIVersion: "v1"}}
		for _, n := range a.namespaces {
			label, value, exact := strings.Cut(r.URL.Query().Get("labelSelector"), "=")
			if got, is := n.Labels[label]; is && (!exact || got == value) {
				list.Items = append(list.Items, n)
			}
		}
		say(http.StatusOK, list)
	case single && !there:
		fail(http.StatusNotFound, metav1.StatusReasonNotFound)
	case single && r.Method == http.MethodGet:
		say(http.StatusOK, found)
	case r.URL.Path == bindingsPath && r.Method == http.MethodGet:
		list := rbacv1.ClusterRoleBindingList{TypeMeta: metav1.TypeMeta{Kind: "ClusterRoleBindingList", APIVersion: "rbac.authorization.k8s.io/v1"}}
		for binding, lease := range a.bindings {
			if "qualify.dev/lease="+lease == r.URL.Query().Get("labelSelector") {
				list.Items = append(list.Items, rbacv1.ClusterRoleBinding{ObjectMeta: metav1.ObjectMeta{Name: binding, UID: "x"}})
			}
		}
		say(http.StatusOK, list)
	case strings.HasPrefix(r.URL.Path, bindingsPath+"/") && r.Method == http.MethodDelete && a.bindings[path.Base(r.URL.Path)] == "q-1":
		delete(a.bindings, path.Base(r.URL.Path))
		say(http.StatusOK, metav1.Status{Status: "Success"})
	case r.URL.Path == rolesPath && r.Method == http.MethodGet:
		list := rbacv1.ClusterRoleList{TypeMeta: metav1.TypeMeta{Kind: "ClusterRoleList", APIVersion: "rbac.authorization.k8s.io/v1"}}
		for role, lease := range a.roles {
			if "qualify.dev/lease="+lease == r.URL.Query().Get("labelSelector") {
				list.Items = append(list.Items, rbacv1.ClusterRole{ObjectMeta: metav1.ObjectMeta{Name: role, UID: "x"}})
			}
		}
		say(http.StatusOK, list)
	case strings.HasPrefix(r.URL.Path, rolesPath+"/") && r.Method == http.MethodDelete && a.roles[path.Base(r.URL.Path)] == "q-1":
		delete(a.roles, path.Base(r.URL.Path))
		say(http.StatusOK, metav1.Status{Status: "Success"})
	case single && r.Method == http.MethodDelete && found.Labels[leaseLabel] == "q-1":
		if !a.stuck {
			delete(a.namespaces, name)
		} else {
			now := metav1.Now()
			found.DeletionTimestamp = &now
			a.namespaces[name] = found
		}
		say(http.StatusOK, found)
	default:
		a.t.Errorf("it was asked to %s %s", r.Method, r.URL)
		fail(http.StatusNotFound, metav1.StatusReasonNotFound)
	}
}

func (a *theirs) names() []string {
	a.mu.Lock()
	defer a.mu.Unlock()
	var names []string
	for name := range a.namespaces {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// kubeconfig is the user's, with a context that is not meant beside the one
// that is.
func (a *theirs) kubeconfig() string {
	file := filepath.Join(a.t.TempDir(), "mine")
	text := `apiVersion: v1
kind: Config
clusters: [{name: it, cluster: {server: "` + a.url + `"}}, {name: prod, cluster: {server: "http://192.0.2.1"}}]
users: [{name: me, user: {token: sometokenofmine}}, {name: root, user: {token: anothertoken}}]
contexts: [{name: test, context: {cluster: it, user: me}}, {name: prod, context: {cluster: prod, user: root}}]
current-context: test
`
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		a.t.Fatal(err)
	}
	return file
}

// subject is a provisioner with a lease in a run's directory.
type subject struct {
	provision.Provisioner
	lease provision.Lease
	spec  provision.Spec
	sink  *sink.Sink
}

func newSubject(t *testing.T, kubeconfig, context string) subject {
	t.Helper()
	s := subject{sink: sink.New(redact.New())}
	var err error
	s.Provisioner, err = Entry().New(provision.Config{Log: t.Logf, Sink: s.sink, Kubeconfig: kubeconfig, Context: context})
	if err != nil {
		t.Fatal(err)
	}
	home := t.TempDir()
	s.lease = provision.Lease{Name: "q-1", Run: "r", Cell: "c", Owner: "host/1", Home: home, Expires: time.Now().Add(time.Hour)}
	s.spec = provision.Spec{Dir: filepath.Join(home, "cells", "c"), Phase: func(string) {}}
	if err := os.MkdirAll(s.spec.Dir, 0o700); err != nil {
		t.Fatal(err)
	}
	return s
}

// A cluster is adopted, held, and left as it was: by this process or by another
// one that has nothing but the lease, once and again.
func TestAdopted(t *testing.T) {
	a := newAPI(t)
	before := a.names()
	s := newSubject(t, a.kubeconfig(), "")
	c, err := s.Up(t.Context(), s.lease, s.spec)
	if err != nil {
		t.Fatal(err)
	}
	if !c.Foreign || c.Version != "v1.34.4" || len(c.Nodes) > 0 {
		t.Errorf("cluster %+v", c)
	}
	data, err := os.ReadFile(c.Kubeconfig)
	if err != nil || strings.Contains(string(data), "prod") || strings.Contains(string(data), "anothertoken") || !strings.Contains(string(data), a.url) {
		t.Errorf("the cell's kubeconfig is\n%s%v", data, err)
	}
	if info, err := os.Stat(c.Kubeconfig); err != nil || info.Mode() != 0o600 {
		t.Errorf("it has mode %v, %v", info.Mode(), err)
	}
	if s.sink.Text("the token sometokenofmine") != s.sink.Text(s.sink.Text("the token sometokenofmine")) || strings.Contains(s.sink.Text("the token sometokenofmine"), "sometokenofmine") {
		t.Error("the user's token is not a secret")
	}
	if got := a.names(); !slices.Contains(got, marker) || len(got) != len(before)+1 {
		t.Errorf("namespaces %q", got)
	}
	// Another run is told whose it is; the same lease goes on, and only with it.
	other := newSubject(t, a.kubeconfig(), "")
	other.lease.Name = "q-2"
	if _, err := other.Up(t.Context(), other.lease, other.spec); err == nil || !strings.Contains(err.Error(), `held by lease "q-1" of the run in "`+s.lease.Home) {
		t.Errorf("a second run: %v", err)
	}
	if err := other.Down(t.Context(), other.lease); err != nil || !slices.Contains(a.names(), marker) {
		t.Errorf("the second run's end: %v, %q", err, a.names())
	}
	again := s.spec
	again.Adopt = true
	if _, err := s.Up(t.Context(), s.lease, again); err != nil {
		t.Errorf("taken over: %v", err)
	}
	elsewhere, err := Entry().New(provision.Config{Log: t.Logf, Sink: s.sink}) // a process that knows no kubeconfig
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := elsewhere.Down(t.Context(), s.lease); err != nil {
			t.Error(err)
		}
	}
	if got := a.names(); !slices.Equal(got, before) {
		t.Errorf("left: %q", got)
	}
	if _, err := s.Up(t.Context(), s.lease, again); err == nil || !strings.Contains(err.Error(), "not held by lease q-1 any more") {
		t.Errorf("taken over after its end: %v", err)
	}
	if want := []string{"POST /api/v1/namespaces", "DELETE /api/v1/namespaces/" + marker}; !slices.Equal(a.writes, want) {
		t.Errorf("it changed %q", a.writes)
	}
}

// What tests have left meanwhile is told and not removed; what was there
// before is nobody's business.
func TestTestsLeaveNamespaces(t *testing.T) {
	a := newAPI(t)
	a.add("dns-1", map[string]string{testLabel: "dns"}, time.Now().Add(-time.Hour))
	s := newSubject(t, a.kubeconfig(), "")
	if _, err := s.Up(t.Context(), s.lease, s.spec); err != nil {
		t.Fatal(err)
	}
	a.add("pods-7", map[string]string{testLabel: "pods"}, time.Now().Add(time.Second))
	var left *provision.LeftoverError
	err := s.Down(t.Context(), s.lease)
	if !errors.As(err, &left) || len(left.Resources) != 1 || left.Resources[0].Name != "pods-7" {
		t.Errorf("down: %v", err)
	}
	if got := a.names(); !slices.Equal(got, []string{"dns-1", "kube-system", "pods-7", "shop"}) {
		t.Errorf("namespaces %q", got)
	}
}

func TestWhatCannotBeAdopted(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(*theirs)
		file   func(*theirs) string
		use    string
		want   string
	}{
		{"no kubeconfig", nil, func(*theirs) string { return "" }, "", "which cluster?"},
		{"one that is not there", nil, func(*theirs) string { return "/nowhere/config" }, "", "no such file"},
		{"a directory", nil, func(a *theirs) string { return a.t.TempDir() }, "", "is no file"},
		{"another context", nil, (*theirs).kubeconfig, "staging", `no context "staging": it has "prod", "test"`},
		{"a node that is not ready", func(a *theirs) { a.nodes[1].Status.Conditions = nil }, (*theirs).kubeconfig, "", "1 of the cluster's 3 nodes are not ready: w1"},
		{"no nodes", func(a *theirs) { a.nodes = nil }, (*theirs).kubeconfig, "", "0 of the cluster's 0 nodes"},
		{"no right to make namespaces", func(a *theirs) { a.refuse = "POST" }, (*theirs).kubeconfig, "", "taking hold of the cluster"},
		{"no right to list nodes", func(a *theirs) { a.refuse = "GET /api/v1/nodes" }, (*theirs).kubeconfig, "", "listing the cluster's nodes"},
		{"somebody's namespace of that name", func(a *theirs) { a.add(marker, nil, time.Now()) }, (*theirs).kubeconfig, "", "the namespace " + marker + " says so"},
	} {
		t.Run(c.name, func(t *testing.T) {
			a := newAPI(t)
			if c.change != nil {
				c.change(a)
			}
			before := a.names()
			s := newSubject(t, c.file(a), c.use)
			var product *provision.ProductError
			_, err := s.Up(t.Context(), s.lease, s.spec)
			if err == nil || !strings.Contains(err.Error(), c.want) || errors.As(err, &product) {
				t.Errorf("up: %v, want %q", err, c.want)
			}
			if err := s.Down(t.Context(), s.lease); err != nil {
				t.Errorf("down: %v", err)
			}
			if got := a.names(); !slices.Equal(got, before) {
				t.Errorf("namespaces %q, were %q", got, before)
			}
		})
	}
}

// A marker that does not go is left over, and Down ends with its context.
func TestStuckMarker(t *testing.T) {
	a := newAPI(t)
	s := newSubject(t, a.kubeconfig(), "")
	if _, err := s.Up(t.Context(), s.lease, s.spec); err != nil {
		t.Fatal(err)
	}
	a.mu.Lock()
	a.stuck = true
	a.mu.Unlock()
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	var left *provision.LeftoverError
	if err := s.Down(ctx, s.lease); !errors.As(err, &left) || left.Resources[0].Name != marker {
		t.Errorf("down: %v", err)
	}
	cancelled, stop := context.WithCancel(t.Context())
	stop()
	if _, err := s.Up(cancelled, s.lease, s.spec); err == nil {
		t.Error("a cancelled Up gives a cluster")
	}
	if err := s.Collect(t.Context(), s.lease, s.spec.Dir); err != nil {
		t.Error(err)
	}
}

// What suites have made and could not remove is removed with the lease, and
// nothing of another lease or of nobody's; as long as it is there, so is the
// marker.
func TestDownRemovesWhatSuitesMade(t *testing.T) {
	for _, stuck := range []bool{false, true} {
		a := newAPI(t)
		before := a.names()
		s := newSubject(t, a.kubeconfig(), "")
		if _, err := s.Up(t.Context(), s.lease, s.spec); err != nil {
			t.Fatal(err)
		}
		a.add("q-1-conformance", map[string]string{leaseLabel: "q-1"}, time.Now())
		a.add("q-2-conformance", map[string]string{leaseLabel: "q-2"}, time.Now())
		a.bindings = map[string]string{"q-1-conformance": "q-1", "q-2-conformance": "q-2", "theirs": ""}
		a.roles = map[string]string{"q-1-sonobuoy": "q-1", "q-2-sonobuoy": "q-2"}
		a.stuck = stuck
		ctx, cancel := context.WithTimeout(t.Context(), 2*poll)
		defer cancel()
		err := s.Down(ctx, s.lease)
		if stuck {
			var left *provision.LeftoverError
			if !errors.As(err, &left) || len(left.Resources) != 1 || left.Resources[0].Name != "q-1-conformance" || !slices.Contains(a.names(), marker) {
				t.Errorf("stuck: %v, and there are %q", err, a.names())
			}
			continue
		}
		want := slices.Sorted(slices.Values(append(before, "q-2-conformance")))
		if err != nil || !slices.Equal(a.names(), want) || len(a.bindings) != 2 || a.bindings["q-2-conformance"] == "" || len(a.roles) != 1 {
			t.Errorf("%v, and there are %q and %v", err, a.names(), a.bindings)
		}
	}
}
