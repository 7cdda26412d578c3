package bootstrap

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"slices"
	"sort"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/qualify-dev/qualify/internal/cluster"
)

// PodSubnet is the range of pod addresses; each node gets a /24 of it.
const PodSubnet = "10.244.0.0/16"

// ServiceSubnet is the range of the addresses of Services.
const ServiceSubnet = "10.96.0.0/16"

// PodNetwork gives each node its pod network as soon as the API server has
// assigned it a pod range, while the cluster is still coming up: the release's
// ptp plugin with host-local addresses, and a route to each peer's range. It
// needs no image and no daemon, so nothing of it can differ from the release.
type PodNetwork struct {
	Nodes []cluster.Node
	// Client returns a client of the API server once the control plane has one.
	Client func(context.Context) (kubernetes.Interface, error)
	// Forwards is nil once the kube-proxy of the node with an address forwards
	// Services.
	Forwards func(ctx context.Context, address string) error

	wired map[string]string    // what each node was last given
	seen  map[string]time.Time // since when a node waits for its kube-proxy
}

// poll is how often the API server is asked for new nodes.
const poll = 500 * time.Millisecond

// Wiring is a pod network that is being set up.
type Wiring struct {
	stop func()       // ends the attempt, if it has not ended
	done <-chan error // gives its one result
}

// Stop ends the attempt, if it has not ended.
func (w Wiring) Stop() { w.stop() }

// Wired is a pod network that was set up before.
func Wired() Wiring {
	done := make(chan error, 1)
	done <- nil
	return Wiring{stop: func() {}, done: done}
}

// Start runs the setup beside kubeadm, until all nodes are wired.
func (p *PodNetwork) Start(ctx context.Context) Wiring {
	done := make(chan error, 1)
	ctx, stop := context.WithCancel(ctx)
	go func() { done <- p.run(ctx, len(p.Nodes)) }()
	return Wiring{stop: stop, done: done}
}

// run wires nodes until want of them are, or ctx ends: then it tells what was
// missing last.
func (p *PodNetwork) run(ctx context.Context, want int) error {
	p.wired, p.seen = map[string]string{}, map[string]time.Time{}
	// Complaints are normal while the API server comes up; the last one tells
	// why, if the time runs out.
	last := errors.New("the API server gave no node a pod range")
	for {
		if client, err := p.Client(ctx); err == nil {
			done, err := p.wire(ctx, client, want)
			if err != nil && ctx.Err() == nil {
				last = err
			}
			if done {
				return nil
			}
		}
		select {
		case <-ctx.Done():
			return last
		case <-time.After(poll):
		}
	}
}

// Rewire puts the pod network in place again after a node was booted: routes
// and rules are gone with the boot, and the node's address may be another. It
// waits until the API server answers and has all nodes.
func Rewire(ctx context.Context, nodes []cluster.Node, kubeconfig string) error {
	client, err := fileClient(kubeconfig)
	if err != nil {
		return err
	}
	// An API server that has just started refuses the administrator for a moment.
	if err := until(ctx, func() error { return administrable(ctx, client) }); err != nil {
		return fmt.Errorf("waiting for the API server: %w", err)
	}
	network := &PodNetwork{
		Nodes: nodes, Client: func(context.Context) (kubernetes.Interface, error) { return client, nil },
		Forwards: func(context.Context, string) error { return nil }, // cluster DNS is there already
	}
	if err := network.run(ctx, len(nodes)); err != nil {
		return fmt.Errorf("wiring the pod network again: %w", err)
	}
	return nil
}

// NewClient returns a client with the rights of a kubeconfig.
func NewClient(kubeconfig []byte) (kubernetes.Interface, error) {
	return clientWith(clientcmd.RESTConfigFromKubeConfig(kubeconfig))
}

// fileClient returns a client with the rights of a kubeconfig's file.
func fileClient(file string) (kubernetes.Interface, error) {
	return clientWith(clientcmd.BuildConfigFromFlags("", file))
}

func clientWith(config *rest.Config, err error) (kubernetes.Interface, error) {
	if err != nil {
		return nil, fmt.Errorf("reading the cluster's kubeconfig: %w", err)
	}
	// No limiter: one caller that polls twice a second needs none, and its
	// complaint would hide what a wait that ran out was waiting for.
	config.Timeout, config.QPS = 15*time.Second, -1
	return kubernetes.NewForConfig(config)
}

// wire configures every node whose part changed and tells whether all want
// nodes are complete.
func (p *PodNetwork) wire(ctx context.Context, client kubernetes.Interface, want int) (bool, error) {
	list, err := client.CoreV1().Nodes().List(ctx, metav1.ListOptions{})
	if err != nil {
		return false, fmt.Errorf("listing nodes: %w", err)
	}
	ranges := podRanges(list.Items)
	var waits error
	var now []podRange // decided for all, before any of them is given anything
	for _, r := range ranges {
		if err := p.awaitProxy(ctx, r, ranges); err != nil {
			waits = err
			continue
		}
		now = append(now, r)
	}
	for _, r := range now {
		script := nodeNetworkScript(r, ranges)
		if p.wired[r.node] == script {
			continue
		}
		if err := p.give(ctx, r.node, script); err != nil {
			return false, err
		}
		p.wired[r.node] = script
	}
	if len(ranges) < want {
		return false, fmt.Errorf("%d of %d nodes have been given a pod range", len(ranges), want)
	}
	return waits == nil, waits
}

// give runs a node's script on it.
func (p *PodNetwork) give(ctx context.Context, name, script string) error {
	at := slices.IndexFunc(p.Nodes, func(n cluster.Node) bool { return n.Name == name })
	if at < 0 {
		return fmt.Errorf("the API server has a node %s, which is none of the cluster's", name)
	}
	_, err := p.Nodes[at].Exec(ctx, cluster.Script(script))
	return err
}

// proxyPatience is how long nodes are kept without a pod network for the sake
// of a kube-proxy. After that whoever looks whether the cluster is ready has
// to say what is wrong.
const proxyPatience = 20 * time.Second

// awaitProxy keeps the control plane without a pod network until its kube-proxy
// forwards Services, and the workers until the control plane has one. Cluster
// DNS waits for the first node that is Ready. Started before Services are
// forwarded there, it asks in vain for the API server's, and asks again only
// after ten seconds or more.
func (p *PodNetwork) awaitProxy(ctx context.Context, r podRange, all []podRange) error {
	if p.wired[r.node] != "" {
		return nil
	}
	if p.seen[r.node].IsZero() {
		p.seen[r.node] = time.Now()
	}
	if time.Since(p.seen[r.node]) >= proxyPatience {
		return nil
	}
	if r.controlPlane {
		if err := p.Forwards(ctx, r.address); err != nil {
			return fmt.Errorf("kube-proxy of node %s: %w", r.node, err)
		}
		return nil
	}
	first := func(r podRange) bool { return r.controlPlane && p.wired[r.node] != "" }
	if !slices.ContainsFunc(all, first) {
		return fmt.Errorf("node %s waits for the control plane", r.node)
	}
	return nil
}

// ProxyForwards asks kube-proxy at its health port, which it serves once it has
// set up what the API server told it.
func ProxyForwards(ctx context.Context, address string) error {
	const port = "10256"
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+net.JoinHostPort(address, port)+"/healthz", nil)
	if err != nil {
		return err
	}
	transport := &http.Transport{DisableKeepAlives: true} // no proxy: the node is on this machine
	answer, err := transport.RoundTrip(request)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return fmt.Errorf("it answers %s", answer.Status)
	}
	return nil
}

// podRange is a node's place in the pod network.
type podRange struct {
	node, address, cidr string
	controlPlane        bool
}

// podRanges lists the nodes that have both an address and a pod range.
func podRanges(nodes []corev1.Node) []podRange {
	var ranges []podRange
	for _, n := range nodes {
		_, controlPlane := n.Labels["node-role.kubernetes.io/control-plane"]
		r := podRange{node: n.Name, cidr: n.Spec.PodCIDR, controlPlane: controlPlane}
		for _, a := range n.Status.Addresses {
			if a.Type == corev1.NodeInternalIP && r.address == "" {
				r.address = a.Address
			}
		}
		if r.address != "" && r.cidr != "" {
			ranges = append(ranges, r)
		}
	}
	sort.Slice(ranges, func(i, j int) bool { return ranges[i].node < ranges[j].node })
	return ranges
}

// nodeNetworkScript is the whole network setup of a node, safe to run again.
// Traffic that leaves the pod network goes out under the node's address. What is
// still addressed to a Service where packets leave, kube-proxy has no endpoint
// for: it is refused. Sent out, it may be answered, by networks that answer for
// every address, and a Service that is gone would seem to be there.
func nodeNetworkScript(own podRange, all []podRange) string {
	var s strings.Builder
	fmt.Fprintf(&s, "rule='-s %s ! -d %s -j MASQUERADE'\n", PodSubnet, PodSubnet)
	s.WriteString("iptables -w -t nat -C POSTROUTING $rule 2>/dev/null || iptables -w -t nat -A POSTROUTING $rule\n")
	fmt.Fprintf(&s, "rule='-d %s -j REJECT'\nfor chain in FORWARD OUTPUT; do\n", ServiceSubnet)
	s.WriteString("iptables -w -C $chain $rule 2>/dev/null || iptables -w -A $chain $rule\ndone\n")
	for _, peer := range all {
		if peer.node != own.node {
			fmt.Fprintf(&s, "ip route replace %s via %s\n", peer.cidr, peer.address)
		}
	}
	// The configuration comes last and by rename: with it the node is Ready.
	fmt.Fprintf(&s, "cat > /etc/cni/net.d/.qualify.new <<'END'\n%s\nEND\n", cniConfig(own.cidr))
	const target = "/etc/cni/net.d/10-qualify.conflist"
	fmt.Fprintf(&s, "cmp -s /etc/cni/net.d/.qualify.new %s || mv /etc/cni/net.d/.qualify.new %s\nrm -f /etc/cni/net.d/.qualify.new\n", target, target)
	return s.String()
}

func cniConfig(cidr string) string {
	type object = map[string]any
	text, err := json.MarshalIndent(object{
		"cniVersion": "0.4.0", "name": "qualify",
		"plugins": []object{
			{
				"type": "ptp", "mtu": 1500, "ipMasq": false,
				"ipam": object{"type": "host-local", "dataDir": "/run/cni-ipam-state", "ranges": [][]object{{{"subnet": cidr}}}, "routes": []object{{"dst": "0.0.0.0/0"}}},
			},
			{"type": "portmap", "capabilities": object{"portMappings": true}},
		},
	}, "", "  ")
	if err != nil {
		panic(err) // maps of strings can always be marshalled
	}
	return string(text)
}
