package bootstrap

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/net/dns/dnsmessage"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/version"
	"k8s.io/client-go/kubernetes"

	"github.com/qualify-dev/qualify/internal/cluster"
)

func TestSameVersion(t *testing.T) {
	tests := []struct {
		reported, want string
		same           bool
	}{
		{"v1.34.4", "v1.34.4", true},
		{"v1.34.4-eks-f21e57f", "v1.34.4", true},
		{"v1.34.4-eks-f21e57f", "v1.34.4-eks-1-34-21", true},
		{"v1.34.4-eks-1-34-21", "v1.34.4-eks-1-34-21", true},
		{"v1.34.4", "v1.34.4-eks-1-34-21", true},
		{"v1.34.3", "v1.34.4", false},
		{"v1.34.40", "v1.34.4", false},
		{"v1.34.40-eks-f21e57f", "v1.34.4", false},
		{"v1.34.4-rc.1", "v1.34.4", false},
		{"v1.34.4+k3s1", "v1.34.4", false},
		{"v1.34.4-dirty", "v1.34.4", false},
		{"", "v1.34.4", false},
		{"1.34.4", "v1.34.4", false},
	}
	for _, tt := range tests {
		if got := sameVersion(tt.reported, tt.want); got != tt.same {
			t.Errorf("%q and %q: %t", tt.reported, tt.want, got)
		}
	}
}

// answerTo packs an answer to the question in packet.
func answerTo(t testing.TB, packet string, code dnsmessage.RCode, bodies ...dnsmessage.ResourceBody) []byte {
	t.Helper()
	var m dnsmessage.Message
	if err := m.Unpack([]byte(packet)); err != nil {
		t.Fatal(err)
	}
	m.Response, m.RCode = true, code
	for _, body := range bodies {
		m.Answers = append(m.Answers, dnsmessage.Resource{Header: dnsmessage.ResourceHeader{Name: m.Questions[0].Name, Class: dnsmessage.ClassINET}, Body: body})
	}
	packed, err := m.Pack()
	if err != nil {
		t.Fatal(err)
	}
	return packed
}

func TestDNSRoundTrip(t *testing.T) {
	const name = "kubernetes.default.svc.cluster.local."
	question, err := dnsQuestion(name)
	if err != nil {
		t.Fatal(err)
	}
	var m dnsmessage.Message
	if err := m.Unpack([]byte(question)); err != nil || len(m.Questions) != 1 || m.Questions[0].Name.String() != name || m.Questions[0].Type != dnsmessage.TypeA {
		t.Fatalf("question %+v, %v", m, err)
	}
	if len(question) > 512 {
		t.Errorf("the question has %d bytes", len(question))
	}
	a := &dnsmessage.AResource{A: [4]byte{10, 96, 0, 1}}
	alias := &dnsmessage.CNAMEResource{CNAME: dnsmessage.MustNewName("other.")}
	if got, err := dnsAnswer(answerTo(t, question, dnsmessage.RCodeSuccess, alias, a)); err != nil || got != "10.96.0.1" {
		t.Errorf("answer %q, %v", got, err)
	}
	if _, err := dnsAnswer(answerTo(t, question, dnsmessage.RCodeNameError)); err == nil || !strings.Contains(err.Error(), "RCodeNameError") {
		t.Errorf("no such name: %v", err)
	}
	if _, err := dnsAnswer(answerTo(t, question, dnsmessage.RCodeSuccess, alias)); err == nil {
		t.Error("an alias was taken for an address")
	}
	if _, err := dnsQuestion(strings.Repeat("x", 300)); err == nil {
		t.Error("a name that is too long was asked for")
	}
}

func FuzzDNSAnswer(f *testing.F) {
	question, err := dnsQuestion("kubernetes.default.svc.cluster.local.")
	if err != nil {
		f.Fatal(err)
	}
	f.Add([]byte(nil))
	f.Add([]byte(question))
	f.Add(answerTo(f, question, dnsmessage.RCodeSuccess, &dnsmessage.AResource{A: [4]byte{10, 96, 0, 1}}))
	f.Fuzz(func(t *testing.T, packet []byte) {
		got, err := dnsAnswer(packet)
		var a, b, c, d byte
		if n, _ := fmt.Sscanf(got, "%d.%d.%d.%d", &a, &b, &c, &d); (err == nil) != (n == 4) {
			t.Errorf("answer %q, %v", got, err)
		}
	})
}

func TestUntil(t *testing.T) {
	n := 0
	if err := until(context.Background(), func() error {
		if n++; n < 3 {
			return errors.New("not yet")
		}
		return nil
	}); err != nil || n != 3 {
		t.Errorf("after %d checks: %v", n, err)
	}
	// A check that the end of the time broke off says nothing of use.
	ctx, cancel := context.WithTimeout(context.Background(), 2*poll)
	defer cancel()
	broken := false
	err := until(ctx, func() error {
		if !broken {
			broken = true
			return errors.New("the real complaint")
		}
		<-ctx.Done()
		return ctx.Err()
	})
	if !errors.Is(err, ErrUnready) || !strings.Contains(err.Error(), "the real complaint") {
		t.Errorf("broken off: %v", err)
	}
	never := func() error { return errors.New("the last complaint") }
	ctx, cancel = context.WithTimeout(context.Background(), 10*time.Millisecond)
	defer cancel()
	if err := until(ctx, never); !errors.Is(err, ErrUnready) || !strings.Contains(err.Error(), "the last complaint") {
		t.Errorf("too late: %v", err)
	}
	ctx, cancel = context.WithCancel(context.Background())
	cancel()
	if err := until(ctx, never); !errors.Is(err, context.Canceled) || errors.Is(err, ErrUnready) {
		t.Errorf("cancelled: %v", err)
	}
}

// apiServer answers like that of a cluster; a test changes what it says.
type apiServer struct {
	version  string
	nodes    []corev1.Node
	dns      []corev1.Pod
	services map[string]string // cluster address by namespace/name
	events   []corev1.Event    // of nodes
}

func newAPI(c *cluster.Cluster) *apiServer {
	a := &apiServer{version: "v1.34.4", services: map[string]string{"kube-system/kube-dns": "10.96.0.10", "default/kubernetes": "10.96.0.1"}}
	a.dns = []corev1.Pod{{Status: corev1.PodStatus{Phase: corev1.PodRunning, PodIP: "10.244.0.2"}}}
	for _, n := range c.Nodes {
		node := corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: n.Name}}
		node.Status.NodeInfo.KubeletVersion = "v1.34.4"
		node.Status.Conditions = []corev1.NodeCondition{{Type: corev1.NodeReady, Status: corev1.ConditionTrue}}
		a.nodes = append(a.nodes, node)
	}
	return a
}

// ServeHTTP answers what Ready and Shortage ask.
func (a *apiServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var answer any
	switch path := strings.Split(r.URL.Path, "/"); {
	case r.URL.Path == "/version":
		answer = version.Info{GitVersion: a.version}
	case r.URL.Path == "/api/v1/nodes":
		answer = corev1.NodeList{Items: a.nodes}
	case r.URL.Path == "/api/v1/namespaces/kube-system/pods" && r.URL.Query().Get("labelSelector") == "k8s-app=kube-dns":
		answer = corev1.PodList{Items: a.dns}
	case r.URL.Path == "/api/v1/namespaces/default/events" && r.URL.Query().Get("fieldSelector") == "involvedObject.kind=Node":
		answer = corev1.EventList{Items: a.events}
	case len(path) == 7 && path[5] == "services" && a.services[path[4]+"/"+path[6]] != "":
		answer = corev1.Service{Spec: corev1.ServiceSpec{ClusterIP: a.services[path[4]+"/"+path[6]]}}
	default:
		http.NotFound(w, r)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(answer) // a client that has gone
}

// readyCluster is one on which Ready finds everything.
func readyCluster(t *testing.T) (*answering, *apiServer, *cluster.Cluster) {
	t.Helper()
	e := &answering{}
	c := &cluster.Cluster{Name: "q-1", Kubeconfig: filepath.Join(t.TempDir(), "kubeconfig")}
	for _, name := range []string{"q-1-control-plane", "q-1-worker"} {
		c.Nodes = append(c.Nodes, cluster.Node{Name: name, Transport: answeringNode{e, name}})
	}
	api := newAPI(c)
	server := httptest.NewServer(api)
	t.Cleanup(server.Close)
	text := "apiVersion: v1\nkind: Config\nclusters: [{name: c, cluster: {server: '" + server.URL + "'}}]\n" +
		"contexts: [{name: c, context: {cluster: c, user: u}}]\nusers: [{name: u, user: {}}]\ncurrent-context: c\n"
	if err := os.WriteFile(c.Kubeconfig, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	question, err := dnsQuestion("kubernetes.default.svc.cluster.local.")
	if err != nil {
		t.Fatal(err)
	}
	e.dns = string(answerTo(t, question, dnsmessage.RCodeSuccess, &dnsmessage.AResource{A: [4]byte{10, 96, 0, 1}}))
	return e, api, c
}

func clientOf(t *testing.T, c *cluster.Cluster) kubernetes.Interface {
	t.Helper()
	client, err := NewClient([]byte(readFile(t, c.Kubeconfig)))
	if err != nil {
		t.Fatal(err)
	}
	return client
}

// look is what Ready repeats: the nodes, then cluster DNS.
func look(t *testing.T, c *cluster.Cluster) error {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	client := clientOf(t, c)
	if err := nodesReady(ctx, client, c, "v1.34.4"); err != nil {
		return err
	}
	return dnsAnswers(ctx, client, c)
}

// answering are nodes that run everything, and ask DNS with the answer of a
// test's choice.
type answering struct {
	dns    string
	silent string // the node that gets no answer

	mu   sync.Mutex
	runs []string // the last word of each command
}

func (e *answering) calls() []string {
	e.mu.Lock()
	defer e.mu.Unlock()
	return slices.Clone(e.runs)
}

type answeringNode struct {
	*answering
	name string
}

// Exec answers.
func (n answeringNode) Exec(_ context.Context, cmd cluster.Cmd) (cluster.Output, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.runs = append(n.runs, cmd.Argv[len(cmd.Argv)-1])
	if n.name == n.silent {
		return cluster.Output{}, &cluster.ExitError{Node: n.name, Cmd: cmd, Code: 124}
	}
	return cluster.Output{Stdout: []byte(n.dns)}, nil
}

// Put is not used.
func (answeringNode) Put(context.Context, string, fs.FileMode, io.Reader) error {
	return errors.ErrUnsupported
}

// Get is not used.
func (answeringNode) Get(context.Context, string, io.Writer) error { return errors.ErrUnsupported }

func TestReadinessComplains(t *testing.T) {
	tests := []struct {
		name  string
		spoil func(*answering, *apiServer)
		says  string // "" is ready
	}{
		{"ready", func(*answering, *apiServer) {}, ""},
		{"another kubelet", func(_ *answering, a *apiServer) { a.nodes[1].Status.NodeInfo.KubeletVersion = "v1.33.0" }, "q-1-worker runs kubelet v1.33.0"},
		{"a node is missing", func(_ *answering, a *apiServer) { a.nodes = a.nodes[:1] }, "1 of 2 nodes have joined"},
		{"a node too many", func(_ *answering, a *apiServer) { a.nodes = append(a.nodes, a.nodes[0]) }, "3 of 2 nodes have joined"},
		{"a node is not Ready", func(_ *answering, a *apiServer) {
			a.nodes[1].Status.Conditions[0] = corev1.NodeCondition{Type: corev1.NodeReady, Status: corev1.ConditionFalse, Message: "no network"}
		}, "q-1-worker is not Ready: no network"},
		{"a node is unknown", func(_ *answering, a *apiServer) { a.nodes[0].Status.Conditions[0].Status = corev1.ConditionUnknown }, "q-1-control-plane is not Ready"},
		{"a node has no disk left", func(_ *answering, a *apiServer) {
			a.nodes[1].Status.Conditions = append(a.nodes[1].Status.Conditions, corev1.NodeCondition{Type: corev1.NodeDiskPressure, Status: corev1.ConditionTrue, Message: "kubelet has disk pressure"})
		}, "the machine has too little left: node q-1-worker has DiskPressure: kubelet has disk pressure"},
		{"a node says nothing", func(_ *answering, a *apiServer) { a.nodes[0].Status.Conditions = nil }, "no such condition yet"},
		{"no DNS", func(_ *answering, a *apiServer) { a.dns = nil; delete(a.services, "kube-system/kube-dns") }, "finding the DNS service"},
		{"no API service", func(_ *answering, a *apiServer) { delete(a.services, "default/kubernetes") }, "finding the API service"},
		{"another address", func(_ *answering, a *apiServer) { a.services["default/kubernetes"] = "10.96.0.2" }, `says "10.96.0.1", the service has 10.96.0.2`},
		{"DNS is silent on a worker", func(e *answering, _ *apiServer) { e.silent = "q-1-worker" }, "asked from node q-1-worker: no answer"},
		{"DNS says nonsense", func(e *answering, _ *apiServer) { e.dns = "nonsense" }, "the answer is not understood"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			e, api, c := readyCluster(t)
			tt.spoil(e, api)
			err := look(t, c)
			if tt.says == "" && err != nil || tt.says != "" && (err == nil || !strings.Contains(err.Error(), tt.says)) {
				t.Errorf("error %v, want %q", err, tt.says)
			}
		})
	}
}

// A pod of DNS answers sooner than its Service; one that does not run, or has
// no address, is not asked.
func TestDNSIsAskedWhereItAnswersFirst(t *testing.T) {
	pod := func(phase corev1.PodPhase, address string) corev1.Pod {
		return corev1.Pod{Status: corev1.PodStatus{Phase: phase, PodIP: address}}
	}
	for want, pods := range map[string][]corev1.Pod{
		"10.244.1.3": {pod(corev1.PodPending, "10.244.0.9"), pod(corev1.PodRunning, ""), pod(corev1.PodRunning, "10.244.1.3")},
		"10.96.0.10": {pod(corev1.PodPending, "10.244.0.9"), pod(corev1.PodRunning, "")},
	} {
		e, api, c := readyCluster(t)
		api.dns = pods
		if err := look(t, c); err != nil {
			t.Error(err)
		}
		for _, call := range e.calls() {
			if call != want {
				t.Errorf("asked %s, want %s", call, want)
			}
		}
		if got := len(e.calls()); got != len(c.Nodes) {
			t.Errorf("%d nodes were asked, want %d", got, len(c.Nodes))
		}
	}
}

func TestReady(t *testing.T) {
	tests := []struct {
		name     string
		spoil    func(*apiServer)
		patience time.Duration
		says     string
	}{
		{"ready", func(*apiServer) {}, time.Minute, ""},
		{"ready at a vendor's build", func(a *apiServer) { a.version = "v1.34.4-eks-f21e57f" }, time.Minute, ""},
		{"another API server", func(a *apiServer) { a.version = "v1.34.3" }, time.Minute, "the API server says it is v1.34.3, the release is v1.34.4"},
		{"never ready", func(a *apiServer) { a.nodes[1].Status.Conditions = nil }, 3 * time.Second, "q-1-worker is not Ready"},
		{"never resolves", func(a *apiServer) { delete(a.services, "default/kubernetes") }, 3 * time.Second, "finding the API service"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, api, c := readyCluster(t)
			tt.spoil(api)
			ctx, cancel := context.WithTimeout(context.Background(), tt.patience)
			defer cancel()
			err := Ready(ctx, clientOf(t, c), c, "v1.34.4", Wired())
			if tt.says == "" {
				if err != nil || c.Version != api.version {
					t.Errorf("version %q, %v", c.Version, err)
				}
				return
			}
			if !errors.Is(err, ErrUnready) || !strings.Contains(err.Error(), tt.says) {
				t.Errorf("error %v, want %q", err, tt.says)
			}
		})
	}
}

// The network is set up node by node as they join.
func TestPodNetworkWiresWhoJoins(t *testing.T) {
	e, api, c := readyCluster(t)
	api.nodes[0].Labels = map[string]string{"node-role.kubernetes.io/control-plane": ""}
	give := func(i int) {
		api.nodes[i].Spec.PodCIDR = fmt.Sprintf("10.244.%d.0/24", i)
		api.nodes[i].Status.Addresses = []corev1.NodeAddress{{Type: corev1.NodeInternalIP, Address: fmt.Sprintf("172.18.0.%d", i+2)}}
	}
	give(0)
	client := clientOf(t, c)
	p := &PodNetwork{
		Nodes: c.Nodes, wired: map[string]string{}, seen: map[string]time.Time{},
		Client:   func(context.Context) (kubernetes.Interface, error) { return nil, errors.New("not yet") },
		Forwards: func(context.Context, string) error { return nil },
	}
	for i, want := range []int{1, 1, 3, 3} { // so many scripts have been run
		if i == 2 {
			give(1) // with a new peer, the old node is told too
		}
		done, err := p.wire(context.Background(), client, 2)
		if done != (i >= 2) || done != (err == nil) {
			t.Errorf("look %d: done %t, %v", i, done, err)
		}
		if got := len(e.calls()); got != want {
			t.Errorf("look %d: %d scripts, want %d", i, got, want)
		}
	}
	wires := p.Start(context.Background())
	time.AfterFunc(100*time.Millisecond, wires.Stop)
	if err := <-wires.done; err == nil {
		t.Error("a network was done without its kubeconfig")
	}
}

// The control plane gets its network when its kube-proxy forwards Services, or
// has had the time to; the workers follow it.
func TestPodNetworkAwaitsTheProxy(t *testing.T) {
	silent := errors.New("connection refused")
	asked := ""
	p := &PodNetwork{
		wired: map[string]string{}, seen: map[string]time.Time{},
		Forwards: func(_ context.Context, address string) error {
			asked = address
			return silent
		},
	}
	head, worker := threeNodes[0], threeNodes[1]
	await := func(r podRange) error { return p.awaitProxy(context.Background(), r, threeNodes) }
	for range 2 {
		if err := await(head); !errors.Is(err, silent) || !strings.Contains(err.Error(), head.node) || asked != head.address {
			t.Errorf("asked %s: %v", asked, err)
		}
		if err := await(worker); err == nil || !strings.Contains(err.Error(), worker.node) {
			t.Errorf("a worker does not wait: %v", err)
		}
	}
	p.wired[head.node] = "once"
	for _, r := range threeNodes {
		if err := await(r); err != nil {
			t.Errorf("%s waits: %v", r.node, err)
		}
	}
	p.wired = map[string]string{}
	for _, r := range threeNodes[:2] {
		p.seen[r.node] = time.Now().Add(-proxyPatience)
		if err := await(r); err != nil {
			t.Errorf("%s waits for ever: %v", r.node, err)
		}
	}
	p.seen = map[string]time.Time{}
	p.Forwards = func(context.Context, string) error { return nil }
	if err := await(head); err != nil {
		t.Errorf("the proxy forwards: %v", err)
	}
}

func TestProxyForwards(t *testing.T) {
	const address = "127.77.0.1" // all of 127/8 is this machine
	if err := ProxyForwards(context.Background(), address); err == nil {
		t.Error("nobody listens, and it forwards")
	}
	listener, err := net.Listen("tcp", net.JoinHostPort(address, "10256"))
	if err != nil {
		t.Skip(err)
	}
	status := http.StatusServiceUnavailable
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/healthz" {
			t.Errorf("asked for %s", r.URL.Path)
		}
		w.WriteHeader(status)
	})}
	go func() { _ = server.Serve(listener) }()
	t.Cleanup(func() { _ = server.Close() })
	if err := ProxyForwards(context.Background(), address); err == nil || !strings.Contains(err.Error(), "503") {
		t.Errorf("a proxy that is not ready: %v", err)
	}
	status = http.StatusOK
	if err := ProxyForwards(context.Background(), address); err != nil {
		t.Error(err)
	}
}

func TestNetworkFaultsAreTold(t *testing.T) {
	done := func(err error) Wiring {
		c := make(chan error, 1)
		c <- err
		return Wiring{stop: func() {}, done: c}
	}
	ctx := context.Background()
	if err := networkReady(ctx, done(nil)); err != nil {
		t.Error(err)
	}
	if err := networkReady(ctx, done(errors.New("2 of 3 nodes"))); !errors.Is(err, ErrUnready) || !strings.Contains(err.Error(), "2 of 3 nodes") {
		t.Errorf("a node that was given nothing: %v", err)
	}
	ours := &cluster.ExitError{Node: "n", Cmd: cluster.Command("sh"), Code: 127}
	if err := networkReady(ctx, done(ours)); err == nil || errors.Is(err, ErrUnready) {
		t.Errorf("our own script failed, and the release is blamed: %v", err)
	}
	// When the time is up, the last complaint says why.
	ctx, cancel := context.WithTimeout(ctx, 10*time.Millisecond)
	defer cancel()
	result := make(chan error, 2)
	stopped := Wiring{stop: func() { result <- errors.New("the last complaint") }, done: result}
	time.AfterFunc(20*time.Second, func() { result <- errors.New("nobody stopped it") })
	if err := networkReady(ctx, stopped); !errors.Is(err, ErrUnready) || !strings.Contains(err.Error(), "the last complaint") {
		t.Errorf("too late: %v", err)
	}
}
