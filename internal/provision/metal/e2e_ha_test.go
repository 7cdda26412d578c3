package metal

import (
	"context"
	"io"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/qualify-dev/qualify/internal/bootstrap"
	"github.com/qualify-dev/qualify/internal/cluster"
	"github.com/qualify-dev/qualify/internal/identity"
	"github.com/qualify-dev/qualify/internal/inventory"
	"github.com/qualify-dev/qualify/internal/provision/metal/metaltest"

	"k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/clientcmd"
)

// balance is a load balancer: it passes each connection on to the first of the
// places that takes it.
func balance(t *testing.T, at string, to []string) (passed *atomic.Int32) {
	t.Helper()
	passed = &atomic.Int32{}
	listener, err := net.Listen("tcp", at)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	go func() {
		for {
			in, err := listener.Accept()
			if err != nil {
				return
			}
			go func() {
				defer in.Close()
				for _, place := range to {
					out, err := net.DialTimeout("tcp", place, time.Second)
					if err != nil {
						continue
					}
					passed.Add(1)
					go func() {
						_, _ = io.Copy(out, in)
						_ = out.Close()
					}()
					_, _ = io.Copy(in, out)
					_ = out.Close()
					return
				}
			}()
		}
	}()
	return passed
}

// Three control planes behind a load balancer become one cluster, which stays
// when the first of them is gone, and are given back.
func TestRealControlPlanes(t *testing.T) {
	rel, c := candidate(t)
	patiently(t)
	f := newFleetOf(t, c, metaltest.Options{Machines: 4, ControlPlanes: 3, Suite: "bookworm"})
	inv, err := open(f.cfg.Inventory)
	if err != nil {
		t.Fatal(err)
	}
	var servers []string
	for _, h := range inv.Hosts[:3] {
		servers = append(servers, hostPort(h.Access.Address))
	}
	gateway := servers[0][:strings.LastIndex(inv.Hosts[0].Access.Address, ".")+1] + "1"
	passed := balance(t, net.JoinHostPort(gateway, "7443"), servers)
	inv.Endpoint = &inventory.Endpoint{Address: gateway, Port: 7443}
	text, err := inv.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	write(t, f.cfg.Inventory, string(text))
	unchanged := f.unchanged(t)
	ctx, cancel := context.WithTimeout(context.Background(), 15*time.Minute)
	defer cancel()
	p, lease := f.instance(t), testLease("q-ha")
	spec := f.spec(t, rel, "debian-12")
	spec.Workers = 1
	made, err := p.Up(ctx, lease, spec)
	if err != nil {
		_ = p.Collect(ctx, lease, t.ArtifactDir())
		t.Errorf("up: %v", err)
	} else {
		f.losesTheFirst(t, made)
		prover := identity.Prover{Arch: "amd64", Program: f.cfg.Store.Program, Image: f.cfg.Store.Image}
		if compared, err := prover.Compare(ctx, made, rel); err != nil || len(compared.Mismatched) > 0 {
			t.Errorf("identity: %v, %q", err, compared.Mismatched)
		}
	}
	if passed.Load() == 0 {
		t.Error("nobody has come by the load balancer")
	}
	if err := f.instance(t).Down(ctx, lease); err != nil {
		t.Errorf("down: %v", err)
	}
	unchanged(t)
}

// losesTheFirst stops the first control plane, asks the others, and starts it
// again.
func (f *fleet) losesTheFirst(t *testing.T, made *cluster.Cluster) {
	t.Helper()
	config, err := clientcmd.BuildConfigFromFlags("", made.Kubeconfig)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := clientcmd.LoadFromFile(made.Kubeconfig)
	if err != nil {
		t.Fatal(err)
	}
	content, err := clientcmd.Write(*raw)
	if err != nil {
		t.Fatal(err)
	}
	client, err := bootstrap.NewClient(content)
	if err != nil {
		t.Fatal(err)
	}
	nodes, err := client.CoreV1().Nodes().List(soon(t), v1.ListOptions{LabelSelector: "node-role.kubernetes.io/control-plane"})
	if err != nil || len(nodes.Items) != 3 || !strings.HasSuffix(config.Host, ":7443") {
		t.Errorf("%d control planes at %s: %v", len(nodes.Items), config.Host, err)
	}
	docker(t, "stop", "-t", "5", f.names[0])
	defer func() {
		docker(t, "start", f.names[0])
		f.inside(t, f.names[0], "until systemctl is-active -q ssh; do sleep 0.2; done")
		if err := bootstrap.Rewire(soon(t), made.Nodes, made.Kubeconfig); err != nil {
			t.Errorf("when it is back: %v", err)
		}
	}()
	start := time.Now()
	for end := start.Add(2 * time.Minute); ; time.Sleep(time.Second) {
		_, err := client.CoreV1().Nodes().List(soon(t), v1.ListOptions{})
		if err == nil {
			t.Logf("without the first control plane the API answers after %.0f s", time.Since(start).Seconds())
			return
		}
		if time.Now().After(end) {
			t.Errorf("without the first control plane: %v", err)
			return
		}
	}
}
