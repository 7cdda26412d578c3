// Package inpodtest is the API of a cluster that does not exist, for tests of
// what runs a suite in a pod. It is strict: a request that the real thing need
// not make is a mistake, and told.
package inpodtest

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"path"
	"slices"
	"strings"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

// API is the server. Its fields are set before it is used.
type API struct {
	// Mistake hears of what nobody may ask for.
	Mistake func(format string, args ...any)
	Files   map[string][]byte // of the pod, by path
	Exit    int32             // exit code of the suite
	Logs    []string          // what each connection to the suite's log is sent before it breaks
	// Runs is how many looks at a pod see it running before it has ended.
	Runs int
	// Look changes a pod at the n-th look at it, counted from 1.
	Look func(n int, pod *corev1.Pod)
	// Answer may answer a request itself: a status of 0 lets the server do it,
	// one below 0 breaks the connection.
	Answer func(r *http.Request) (status int)
	// Exec may answer a command itself.
	Exec func(argv []string) (out []byte, code int, mine bool)
	// Stuck namespaces are never gone.
	Stuck bool
	// Pods are those that the n-th list by a label has, counted from 1.
	Pods func(n int, selector string) []corev1.Pod
	// Others are the objects that are only created, by kind and name; a look at a pod
	// may read them.
	Others map[string]map[string]any
	// NodeDown is whether the only node is not ready.
	NodeDown func() bool

	mu         sync.Mutex
	namespaces map[string]*corev1.Namespace
	accounts   map[string]*corev1.ServiceAccount
	bindings   map[string]*rbacv1.ClusterRoleBinding
	roles      map[string]*rbacv1.ClusterRole
	pods       map[string]*corev1.Pod
	lists      int
	looks      map[types.UID]int
	created    []*corev1.Pod
	logs       int
	uid        int
}

// NodeName is that of the only node.
const NodeName = "worker-1"

// Start serves the API until the returned server is closed.
func (a *API) Start() *httptest.Server {
	a.namespaces, a.accounts = map[string]*corev1.Namespace{}, map[string]*corev1.ServiceAccount{}
	a.roles, a.Others = map[string]*rbacv1.ClusterRole{}, map[string]map[string]any{}
	a.bindings, a.pods, a.looks = map[string]*rbacv1.ClusterRoleBinding{}, map[string]*corev1.Pod{}, map[types.UID]int{}
	return httptest.NewServer(a)
}

// Kubeconfig is a kubeconfig for a server.
func Kubeconfig(url string) []byte {
	return []byte(`{"apiVersion":"v1","kind":"Config","current-context":"x","clusters":[{"name":"x","cluster":{"server":"` + url +
		`"}}],"users":[{"name":"x","user":{}}],"contexts":[{"name":"x","context":{"cluster":"x","user":"x"}}]}`)
}

// Created are the pods that were made, in their order.
func (a *API) Created() []corev1.Pod {
	a.mu.Lock()
	defer a.mu.Unlock()
	var all []corev1.Pod
	for _, p := range a.created {
		all = append(all, *p.DeepCopy())
	}
	return all
}

// Left names the objects that are still there.
func (a *API) Left() []string {
	a.mu.Lock()
	defer a.mu.Unlock()
	var left []string
	for name := range a.namespaces {
		left = append(left, "namespace "+name)
	}
	for name := range a.bindings {
		left = append(left, "binding "+name)
	}
	for name := range a.roles {
		left = append(left, "role "+name)
	}
	for name := range a.pods {
		left = append(left, "pod "+name)
	}
	slices.Sort(left)
	return left
}

// Namespace puts a namespace there, with labels.
func (a *API) Namespace(name string, labels map[string]string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.namespaces[name] = &corev1.Namespace{ObjectMeta: a.born(metav1.ObjectMeta{Name: name, Labels: labels})}
}

func (a *API) born(m metav1.ObjectMeta) metav1.ObjectMeta {
	a.uid++
	m.UID, m.CreationTimestamp = types.UID(fmt.Sprintf("uid-%d", a.uid)), metav1.NewTime(time.Unix(int64(1e9+a.uid), 0))
	return m
}

// ServeHTTP answers what a run in a pod may ask for.
func (a *API) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if a.Answer != nil {
		switch status := a.Answer(r); {
		case status < 0:
			panic(http.ErrAbortHandler)
		case status > 0:
			fail(w, status, http.StatusText(status))
			return
		}
	}
	parts := strings.Split(strings.Trim(r.URL.Path, "/"), "/")
	core, binding := strings.HasPrefix(r.URL.Path, "/api/v1/"), strings.HasPrefix(r.URL.Path, "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings")
	if discover(w, r) {
		return
	}
	switch {
	case strings.HasPrefix(r.URL.Path, "/apis/rbac.authorization.k8s.io/v1/clusterroles"):
		a.serveRole(w, r, parts[4:])
	case core && len(parts) == 5 && (parts[4] == "configmaps" || parts[4] == "services") && r.Method == http.MethodPost:
		a.serveOther(w, r, parts[3])
	case core && len(parts) == 5 && parts[4] == "pods" && r.Method == http.MethodGet:
		a.servePods(w, r)
	case binding:
		a.serveBinding(w, r, parts[4:])
	case core && len(parts) == 4 && parts[2] == "nodes" && r.Method == http.MethodGet:
		a.serveNode(w)
	case core && parts[2] == "namespaces" && len(parts) <= 4:
		a.serveNamespace(w, r, parts[3:])
	case core && parts[2] == "namespaces" && parts[4] == "serviceaccounts" && r.Method == http.MethodPost:
		a.serveAccount(w, r, parts[3])
	case core && parts[2] == "namespaces" && parts[4] == "pods" && len(parts) <= 6:
		a.servePod(w, r, parts[3], parts[5:])
	case core && len(parts) == 7 && parts[6] == "exec":
		a.serveExec(w, r, parts[3]+"/"+parts[5])
	case core && len(parts) == 7 && parts[6] == "log":
		a.serveLog(w, r)
	default:
		a.mistake(w, r)
	}
}

func (a *API) mistake(w http.ResponseWriter, r *http.Request) {
	a.Mistake("%s %s was asked for", r.Method, r.URL)
	fail(w, http.StatusMethodNotAllowed, "nobody needs that")
}

func fail(w http.ResponseWriter, code int, text string) {
	reason := map[int]metav1.StatusReason{
		http.StatusNotFound: metav1.StatusReasonNotFound, http.StatusConflict: metav1.StatusReasonConflict,
		http.StatusServiceUnavailable: metav1.StatusReasonServiceUnavailable,
	}[code]
	if text == "exists" {
		reason = metav1.StatusReasonAlreadyExists
	}
	answer(w, code, metav1.Status{
		TypeMeta: metav1.TypeMeta{Kind: "Status", APIVersion: "v1"}, Status: metav1.StatusFailure, Code: int32(code), Reason: reason, Message: text,
	})
}

func answer(w http.ResponseWriter, code int, object any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	_ = json.NewEncoder(w).Encode(object)
}

// preconditions reads those of a delete request; without any it is refused: a
// name alone may be somebody else's by now.
func preconditions(r *http.Request) types.UID {
	var options metav1.DeleteOptions
	data, _ := io.ReadAll(r.Body)
	if json.Unmarshal(data, &options) != nil || options.Preconditions == nil || options.Preconditions.UID == nil {
		return ""
	}
	return *options.Preconditions.UID
}

func (a *API) serveNamespace(w http.ResponseWriter, r *http.Request, rest []string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	switch {
	case r.Method == http.MethodPost && len(rest) == 0:
		var made corev1.Namespace
		_ = json.NewDecoder(r.Body).Decode(&made)
		if a.namespaces[made.Name] != nil {
			fail(w, http.StatusConflict, "exists")
			return
		}
		made.ObjectMeta = a.born(made.ObjectMeta)
		a.namespaces[made.Name] = &made
		answer(w, http.StatusCreated, made)
	case len(rest) == 1 && a.namespaces[rest[0]] == nil:
		fail(w, http.StatusNotFound, "no namespace")
	case r.Method == http.MethodGet && len(rest) == 1:
		answer(w, http.StatusOK, a.namespaces[rest[0]])
	case r.Method == http.MethodDelete && len(rest) == 1:
		found := a.namespaces[rest[0]]
		if preconditions(r) != found.UID {
			fail(w, http.StatusConflict, "another namespace")
			return
		}
		if a.Stuck {
			now := metav1.Now()
			found.DeletionTimestamp = &now
			answer(w, http.StatusOK, found)
			return
		}
		delete(a.namespaces, rest[0])
		for name := range a.pods {
			if path.Dir(name) == rest[0] {
				delete(a.pods, name)
			}
		}
		answer(w, http.StatusOK, found)
	default:
		a.mistake(w, r)
	}
}

func (a *API) serveAccount(w http.ResponseWriter, r *http.Request, namespace string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	var made corev1.ServiceAccount
	_ = json.NewDecoder(r.Body).Decode(&made)
	name := namespace + "/" + made.Name
	switch {
	case a.namespaces[namespace] == nil:
		fail(w, http.StatusNotFound, "no namespace")
	case a.accounts[name] != nil:
		fail(w, http.StatusConflict, "exists")
	default:
		a.accounts[name] = &made
		answer(w, http.StatusCreated, made)
	}
}

func (a *API) serveBinding(w http.ResponseWriter, r *http.Request, rest []string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	switch {
	case r.Method == http.MethodPost && len(rest) == 0:
		var made rbacv1.ClusterRoleBinding
		_ = json.NewDecoder(r.Body).Decode(&made)
		if a.bindings[made.Name] != nil {
			fail(w, http.StatusConflict, "exists")
			return
		}
		made.ObjectMeta = a.born(made.ObjectMeta)
		a.bindings[made.Name] = &made
		answer(w, http.StatusCreated, made)
	case len(rest) == 1 && a.bindings[rest[0]] == nil:
		fail(w, http.StatusNotFound, "no binding")
	case r.Method == http.MethodGet && len(rest) == 1:
		answer(w, http.StatusOK, a.bindings[rest[0]])
	case r.Method == http.MethodDelete && len(rest) == 1:
		if preconditions(r) != a.bindings[rest[0]].UID {
			fail(w, http.StatusConflict, "another binding")
			return
		}
		delete(a.bindings, rest[0])
		answer(w, http.StatusOK, metav1.Status{Status: metav1.StatusSuccess})
	default:
		a.mistake(w, r)
	}
}

func (a *API) serveNode(w http.ResponseWriter) {
	ready := corev1.ConditionTrue
	if a.NodeDown != nil && a.NodeDown() {
		ready = corev1.ConditionUnknown
	}
	answer(w, http.StatusOK, corev1.Node{
		ObjectMeta: metav1.ObjectMeta{Name: NodeName},
		Status:     corev1.NodeStatus{Conditions: []corev1.NodeCondition{{Type: corev1.NodeReady, Status: ready}}},
	})
}

// sum is what sha256sum prints.
func sum(data []byte) string {
	s := sha256.Sum256(data)
	return hex.EncodeToString(s[:])
}
