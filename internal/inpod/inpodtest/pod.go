package inpodtest

import (
	"encoding/json"
	"fmt"
	"net/http"

	"github.com/gorilla/websocket"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

func (a *API) servePod(w http.ResponseWriter, r *http.Request, namespace string, rest []string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	switch {
	case r.Method == http.MethodPost && len(rest) == 0:
		var made corev1.Pod
		_ = json.NewDecoder(r.Body).Decode(&made)
		name := namespace + "/" + made.Name
		if a.namespaces[namespace] == nil || a.accounts[namespace+"/"+made.Spec.ServiceAccountName] == nil {
			fail(w, http.StatusForbidden, "no namespace, or no account in it")
			return
		}
		if a.pods[name] != nil {
			fail(w, http.StatusConflict, "exists")
			return
		}
		made.ObjectMeta = a.born(made.ObjectMeta)
		made.Namespace = namespace
		a.pods[name], a.created = &made, append(a.created, &made)
		answer(w, http.StatusCreated, made)
	case r.Method == http.MethodGet && len(rest) == 1:
		pod := a.pods[namespace+"/"+rest[0]]
		if pod == nil {
			fail(w, http.StatusNotFound, "no pod")
			return
		}
		a.looks[pod.UID]++
		seen := a.seen(pod.DeepCopy(), a.looks[pod.UID])
		if seen == nil {
			delete(a.pods, namespace+"/"+rest[0])
			fail(w, http.StatusNotFound, "no pod")
			return
		}
		answer(w, http.StatusOK, seen)
	default:
		a.mistake(w, r)
	}
}

// seen is the pod as it is at its n-th look: pending, running, ended.
func (a *API) seen(pod *corev1.Pod, n int) *corev1.Pod {
	pod.Spec.NodeName = NodeName
	pod.Status.Phase = corev1.PodRunning
	state := corev1.ContainerState{Running: &corev1.ContainerStateRunning{}}
	suite := state
	switch {
	case n == 1:
		pod.Status.Phase = corev1.PodPending
		suite = corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: "ContainerCreating"}}
		state = suite
	case n > 1+a.Runs:
		suite = corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{ExitCode: a.Exit}}
	}
	for _, c := range pod.Spec.Containers {
		s := corev1.ContainerStatus{Name: c.Name, State: state}
		if c.Name == "conformance" {
			s.State = suite
		}
		pod.Status.ContainerStatuses = append(pod.Status.ContainerStatuses, s)
	}
	if a.Look != nil {
		a.Look(n, pod)
	}
	if pod.Name == "" { // the look took it away
		return nil
	}
	return pod
}

// serveLog sends what is due to the connection, and breaks it.
func (a *API) serveLog(w http.ResponseWriter, r *http.Request) {
	a.mu.Lock()
	text := ""
	if a.logs < len(a.Logs) {
		text = a.Logs[a.logs]
	}
	a.logs++
	a.mu.Unlock()
	if r.URL.Query().Get("timestamps") != "true" || r.URL.Query().Get("follow") != "true" {
		a.mistake(w, r)
		return
	}
	_, _ = w.Write([]byte(text))
}

// serveExec speaks the fifth version of the protocol: the first byte of each
// message is its channel, 1 for the output and 3 for how it ended.
func (a *API) serveExec(w http.ResponseWriter, r *http.Request, pod string) {
	argv := r.URL.Query()["command"]
	if !websocket.IsWebSocketUpgrade(r) { // the older protocol, after a failure of this one
		fail(w, http.StatusServiceUnavailable, "no such protocol")
		return
	}
	a.mu.Lock()
	there := a.pods[pod] != nil
	a.mu.Unlock()
	if !there {
		fail(w, http.StatusNotFound, "no pod")
		return
	}
	up := websocket.Upgrader{Subprotocols: []string{"v5.channel.k8s.io"}}
	conn, err := up.Upgrade(w, r, nil)
	if err != nil {
		a.Mistake("exec: %v", err)
		return
	}
	defer func() { _ = conn.Close() }()
	out, code, mine := []byte(nil), 0, false
	if a.Exec != nil {
		out, code, mine = a.Exec(argv)
	}
	if !mine {
		out, code = a.run(argv)
	}
	const most = 1 << 10 // a message, so that larger outputs have several
	for len(out) > 0 {
		n := min(len(out), most)
		_ = conn.WriteMessage(websocket.BinaryMessage, append([]byte{1}, out[:n]...))
		out = out[n:]
	}
	if code < 0 {
		return // the connection breaks, and looks like an end
	}
	end := metav1.Status{Status: metav1.StatusSuccess}
	if code > 0 {
		end = metav1.Status{
			Status: metav1.StatusFailure, Reason: "NonZeroExitCode", Message: "it failed",
			Details: &metav1.StatusDetails{Causes: []metav1.StatusCause{{Type: "ExitCode", Message: fmt.Sprint(code)}}},
		}
	}
	data, _ := json.Marshal(end)
	_ = conn.WriteMessage(websocket.BinaryMessage, append([]byte{3}, data...))
	_ = conn.WriteMessage(websocket.CloseMessage, websocket.FormatCloseMessage(websocket.CloseNormalClosure, ""))
}

// run is the few commands that the pod's image has.
func (a *API) run(argv []string) ([]byte, int) {
	data, there := a.Files[argv[len(argv)-1]]
	switch {
	case !there:
		return nil, 1
	case argv[0] == "cat":
		return data, 0
	case argv[0] == "sha256sum":
		return []byte(sum(data) + "  " + argv[1] + "\n"), 0
	case argv[0] == "wc" && argv[1] == "-c":
		return []byte(fmt.Sprintf("%d %s\n", len(data), argv[2])), 0
	}
	a.Mistake("%q was run in the pod", argv)
	return nil, 127
}
