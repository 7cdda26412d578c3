package inpodtest

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// kinds are what the API tells that it has, by group version.
var kinds = map[string]map[string]string{
	"v1":                           {"namespaces": "Namespace", "serviceaccounts": "ServiceAccount", "configmaps": "ConfigMap", "services": "Service", "pods": "Pod"},
	"rbac.authorization.k8s.io/v1": {"clusterroles": "ClusterRole", "clusterrolebindings": "ClusterRoleBinding"},
}

// discover answers what asks what there is; false where it is about something
// else.
func discover(w http.ResponseWriter, r *http.Request) bool {
	const rbac = "rbac.authorization.k8s.io"
	meta := func(kind string) metav1.TypeMeta { return metav1.TypeMeta{Kind: kind, APIVersion: "v1"} }
	switch r.URL.Path {
	case "/api":
		answer(w, http.StatusOK, metav1.APIVersions{TypeMeta: meta("APIVersions"), Versions: []string{"v1"}})
	case "/apis":
		version := metav1.GroupVersionForDiscovery{GroupVersion: rbac + "/v1", Version: "v1"}
		answer(w, http.StatusOK, metav1.APIGroupList{TypeMeta: meta("APIGroupList"), Groups: []metav1.APIGroup{
			{Name: rbac, Versions: []metav1.GroupVersionForDiscovery{version}, PreferredVersion: version},
		}})
	case "/api/v1", "/apis/" + rbac + "/v1":
		group := strings.TrimPrefix(strings.TrimPrefix(r.URL.Path, "/apis/"), "/api/")
		list := metav1.APIResourceList{TypeMeta: meta("APIResourceList"), GroupVersion: group}
		for name, kind := range kinds[group] {
			namespaced := !strings.HasPrefix(name, "cluster") && name != "namespaces"
			list.APIResources = append(list.APIResources, metav1.APIResource{Name: name, Kind: kind, Namespaced: namespaced, Verbs: []string{"create", "get"}})
		}
		answer(w, http.StatusOK, list)
	default:
		return false
	}
	return true
}

// serveRole is serveBinding for cluster roles.
func (a *API) serveRole(w http.ResponseWriter, r *http.Request, rest []string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	switch {
	case r.Method == http.MethodPost && len(rest) == 0:
		var made rbacv1.ClusterRole
		_ = json.NewDecoder(r.Body).Decode(&made)
		made.ObjectMeta = a.born(made.ObjectMeta)
		a.roles[made.Name] = &made
		answer(w, http.StatusCreated, made)
	case len(rest) == 1 && a.roles[rest[0]] == nil:
		fail(w, http.StatusNotFound, "no role")
	case r.Method == http.MethodGet && len(rest) == 1:
		answer(w, http.StatusOK, a.roles[rest[0]])
	case r.Method == http.MethodDelete && len(rest) == 1 && preconditions(r) == a.roles[rest[0]].UID:
		delete(a.roles, rest[0])
		answer(w, http.StatusOK, metav1.Status{Status: metav1.StatusSuccess})
	default:
		a.mistake(w, r)
	}
}

// serveOther takes what is only created, in a namespace that is there.
func (a *API) serveOther(w http.ResponseWriter, r *http.Request, namespace string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	var made map[string]any
	if a.namespaces[namespace] == nil || json.NewDecoder(r.Body).Decode(&made) != nil {
		fail(w, http.StatusNotFound, "no namespace")
		return
	}
	if meta, ok := made["metadata"].(map[string]any); ok {
		a.Others[fmt.Sprint(made["kind"], " ", meta["name"])] = made
	}
	answer(w, http.StatusCreated, made)
}

// servePods lists the pods that a label selects: those that the test says.
func (a *API) servePods(w http.ResponseWriter, r *http.Request) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.lists++
	list := corev1.PodList{TypeMeta: metav1.TypeMeta{Kind: "PodList", APIVersion: "v1"}}
	if a.Pods != nil {
		list.Items = slices.Clone(a.Pods(a.lists, r.URL.Query().Get("labelSelector")))
	}
	answer(w, http.StatusOK, list)
}
