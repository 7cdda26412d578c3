package provisiontest

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/qualify-dev/qualify/internal/cluster"
	"github.com/qualify-dev/qualify/internal/provision"
)

// live brings one cluster up, looks at everything that it is promised to be,
// and tears it down as another process would.
func live(s subject) shape {
	l, p := s.lease(), s.instance()
	var seen shape
	start := time.Now()
	spec := s.spec(func(phase string) { seen.phases = append(seen.phases, phase) })
	c, err := p.Up(s.patient(), l, spec)
	if err != nil {
		s.t.Fatalf("up: %v", explain(err))
	}
	seen.took = time.Since(start)
	s.announced(seen.phases)
	s.complete(c, l, spec)
	if err := s.reachable(c); err != nil {
		s.t.Errorf("the cluster cannot be reached: %v", err)
	}
	own := s.stamped(l)
	seen.resources = len(own)
	for _, n := range c.Nodes {
		if !slices.ContainsFunc(own, func(r provision.Resource) bool { return r.Name == n.Name }) {
			s.t.Errorf("node %s is no resource of the lease", n.Name)
		}
	}
	s.refusesSecond(p, l, c)
	s.adopts(l, spec, c)
	for _, n := range []cluster.Node{c.Nodes[0], c.Nodes[len(c.Nodes)-1]} {
		s.t.Run("transport to the "+string(n.Role), func(t *testing.T) { Transport(t, n) })
	}
	s.restarts(c)
	s.collects(l, c)
	s.removes(p, l, c)
	return seen
}

// restarts boots a worker anew, where the provisioner can: it is another boot
// then, and the cluster is whole again after a while.
func (s subject) restarts(c *cluster.Cluster) {
	s.t.Helper()
	n := c.Nodes[len(c.Nodes)-1]
	if n.Restart == nil {
		s.t.Log("nodes cannot be booted anew")
		return
	}
	before, err := cluster.Boot(s.patient(), n)
	if err != nil {
		s.t.Fatalf("the boot of node %s: %v", n.Name, err)
	}
	if err := n.Restart(s.patient()); err != nil {
		s.t.Fatalf("restarting node %s: %v", n.Name, err)
	}
	if now, err := cluster.Boot(s.patient(), n); err != nil || now == before {
		s.t.Errorf("after its restart node %s is in boot %q, before in %q: %v", n.Name, now, before, err)
	}
	for end := time.Now().Add(s.Prompt); ; time.Sleep(10 * time.Millisecond) {
		err := s.reachable(c)
		if err == nil {
			return
		}
		if time.Now().After(end) {
			s.t.Errorf("after a restart: %v", err)
			return
		}
	}
}

// announced wants each phase once, by a name.
func (s subject) announced(phases []string) {
	s.t.Helper()
	if len(phases) == 0 {
		s.t.Error("no phase was announced")
	}
	for i, phase := range phases {
		if phase == "" || slices.Contains(phases[:i], phase) {
			s.t.Errorf("phases %q: one has no name or comes twice", phases)
		}
	}
}

// complete looks at the handle that Up returned.
func (s subject) complete(c *cluster.Cluster, l provision.Lease, spec provision.Spec) {
	s.t.Helper()
	if c.Name != l.Name || c.Version == "" {
		s.t.Errorf("cluster %q of version %q, want %q", c.Name, c.Version, l.Name)
	}
	info, err := os.Stat(c.Kubeconfig)
	if err != nil || info.Mode() != fs.FileMode(0o600) {
		s.t.Errorf("kubeconfig: %v, %v", info, err)
	}
	if inside, err := filepath.Rel(spec.Dir, c.Kubeconfig); err != nil || !filepath.IsLocal(inside) {
		s.t.Errorf("the kubeconfig %s is not in the cell's directory", c.Kubeconfig)
	}
	roles := map[cluster.Role]int{}
	names := map[string]bool{}
	for _, n := range c.Nodes {
		roles[n.Role]++
		names[n.Name] = true
	}
	if roles[cluster.ControlPlane] != 1 || roles[cluster.Worker] != spec.Workers || len(names) != 1+spec.Workers {
		s.t.Fatalf("nodes %+v, want a control plane and %d workers", c.Nodes, spec.Workers)
	}
	if c.Nodes[0].Role != cluster.ControlPlane {
		s.t.Errorf("the first node is a %s", c.Nodes[0].Role)
	}
}

// reachable asks the cluster's own API server for its version and nodes.
func (s subject) reachable(c *cluster.Cluster) error {
	text, err := os.ReadFile(c.Kubeconfig)
	if err != nil {
		return err
	}
	config, err := clientcmd.RESTConfigFromKubeConfig(text)
	if err != nil {
		return err
	}
	config.Timeout = s.Prompt
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return err
	}
	version, err := client.Discovery().ServerVersion()
	if err != nil {
		return err
	}
	if version.GitVersion != c.Version {
		return fmt.Errorf("the API server is %s, the handle says %s", version.GitVersion, c.Version)
	}
	list, err := client.CoreV1().Nodes().List(s.patient(), metav1.ListOptions{})
	if err != nil {
		return err
	}
	ready := map[string]bool{}
	for _, n := range list.Items {
		for _, condition := range n.Status.Conditions {
			ready[n.Name] = ready[n.Name] || condition.Type == corev1.NodeReady && condition.Status == corev1.ConditionTrue
		}
	}
	for _, n := range c.Nodes {
		if !ready[n.Name] {
			return fmt.Errorf("node %s is not Ready", n.Name)
		}
	}
	if len(list.Items) != len(c.Nodes) {
		return fmt.Errorf("%d nodes, want %d", len(list.Items), len(c.Nodes))
	}
	return nil
}

// refusesSecond wants an Up on a lease in use to fail, to blame nobody, and to
// leave the cluster alone.
func (s subject) refusesSecond(p provision.Provisioner, l provision.Lease, c *cluster.Cluster) {
	s.t.Helper()
	_, err := p.Up(s.patient(), l, s.spec(func(string) {}))
	var product *provision.ProductError
	if err == nil || errors.As(err, &product) {
		s.t.Errorf("a second Up with the lease of a cluster: %v", err)
	}
	if err := s.reachable(c); err != nil {
		s.t.Errorf("after a second Up: %v", err)
	}
	s.stamped(l)
}

// collects wants files of every node, also for another process.
func (s subject) collects(l provision.Lease, c *cluster.Cluster) {
	s.t.Helper()
	dir := filepath.Join(s.t.TempDir(), "made", "by collect")
	if err := s.instance().Collect(s.patient(), l, dir); err != nil {
		s.t.Errorf("collect: %v", err)
	}
	for _, n := range c.Nodes {
		if bytes := size(filepath.Join(dir, n.Name)); bytes == 0 {
			s.t.Errorf("nothing was collected of %s", n.Name)
		}
	}
	if err := s.reachable(c); err != nil {
		s.t.Errorf("after collect: %v", err)
	}
}

// size is the number of bytes in all files below dir.
func size(dir string) int64 {
	var total int64
	_ = filepath.WalkDir(dir, func(_ string, entry fs.DirEntry, err error) error {
		if err != nil || !entry.Type().IsRegular() {
			return nil
		}
		if info, err := entry.Info(); err == nil {
			total += info.Size()
		}
		return nil
	})
	return total
}

// removes tears the cluster down from another instance, and sees that it
// removed that cluster and nothing else.
func (s subject) removes(p provision.Provisioner, l provision.Lease, c *cluster.Cluster) {
	s.t.Helper()
	other := s.lease()
	strange := s.Add(s.t, "strange-"+l.Name, provision.Lease{})
	others := s.Add(s.t, other.Name+"-odd", other)
	s.down(s.instance(), l)
	if err := s.reachable(c); err == nil {
		s.t.Error("the cluster answers after its end")
	}
	for _, n := range c.Nodes {
		if _, err := n.Exec(s.patient(), cluster.Command("true")); err == nil {
			s.t.Errorf("node %s runs commands after its end", n.Name)
		}
	}
	s.down(p, l) // again, and by the one that did not know
	if !strange() {
		s.t.Error("down removed what is not ours")
	}
	if !others() {
		s.t.Error("down removed what is another lease's")
	}
	s.nothingCollected(p, l)
	s.down(p, other)
	if others() || !strange() {
		s.t.Error("down of a lease that was never brought up did not remove what is its own, or removed more")
	}
}

// nothingCollected wants Collect to succeed where there is nothing.
func (s subject) nothingCollected(p provision.Provisioner, l provision.Lease) {
	s.t.Helper()
	dir := s.t.TempDir()
	if err := p.Collect(s.patient(), l, dir); err != nil {
		s.t.Errorf("collect of nothing: %v", err)
	}
	if bytes := size(dir); bytes > 0 {
		s.t.Errorf("%d bytes were collected of nothing", bytes)
	}
}

// nothing calls what comes after an Up without one.
func nothing(s subject) {
	p, l := s.instance(), s.lease()
	strange := s.Add(s.t, "strange-"+l.Name, provision.Lease{})
	other := s.lease()
	others := s.Add(s.t, other.Name+"-odd", other)
	s.nothingCollected(p, l)
	if c, err := s.adopt(l, s.spec(func(string) {})); err == nil || c != nil {
		s.t.Errorf("a cluster was taken over that was never made: %v, %v", c, err)
	}
	s.down(p, l)
	s.down(s.instance(), l)
	// A lease without a name fits everything, so it must fit nothing.
	if err := p.Down(s.patient(), provision.Lease{Run: l.Run, Cell: l.Cell}); err == nil {
		s.t.Error("down took a lease without a name")
	}
	if !strange() || !others() {
		s.t.Error("down of nothing removed something")
	}
	dead, cancel := context.WithCancel(context.Background())
	cancel()
	if err := p.Down(dead, l); err == nil {
		s.t.Error("down said that nothing is left without having asked: its context had ended")
	}
}

// two brings up two clusters at a time, where that is allowed, and sees that
// the end of one leaves the other alone.
func two(s subject) {
	p := s.instance()
	leases := []provision.Lease{s.lease(), s.lease()}
	clusters := make([]*cluster.Cluster, len(leases))
	errs := make([]error, len(leases))
	specs := []provision.Spec{s.spec(func(string) {}), s.spec(func(string) {})}
	ctx := s.patient()
	var both sync.WaitGroup
	for i := range leases {
		both.Go(func() { clusters[i], errs[i] = p.Up(ctx, leases[i], specs[i]) })
	}
	both.Wait()
	if s.Entry.Capacity < 2 {
		s.apart(p, leases, clusters, errs)
		return
	}
	if err := errors.Join(errs...); err != nil {
		s.t.Fatalf("up of two at once: %v", err)
	}
	for i, c := range clusters {
		s.complete(c, leases[i], specs[i])
		s.stamped(leases[i])
		if err := s.reachable(c); err != nil {
			s.t.Errorf("cluster %d of two: %v", i, err)
		}
	}
	s.down(p, leases[0])
	if err := s.reachable(clusters[1]); err != nil {
		s.t.Errorf("after the end of the other: %v", err)
	}
	s.down(p, leases[1])
}

// apart sees what came of two at once where there is room for one: at most one
// of them has a cluster, the other blames no release, and when both have let
// go there is room for a third.
func (s subject) apart(p provision.Provisioner, leases []provision.Lease, clusters []*cluster.Cluster, errs []error) {
	s.t.Helper()
	if errs[0] == nil && errs[1] == nil {
		s.t.Errorf("there is room for %d, and two were made", s.Entry.Capacity)
	}
	for i, err := range errs {
		var product *provision.ProductError
		if errors.As(err, &product) {
			s.t.Errorf("the release is blamed for the other: %v", err)
		}
		if err != nil { // the end of one is not the end of the other
			s.down(p, leases[i])
		}
	}
	for i, err := range errs {
		if err != nil {
			continue
		}
		if err := s.reachable(clusters[i]); err != nil {
			s.t.Errorf("after the end of the other: %v", err)
		}
		s.down(p, leases[i])
	}
	third := s.lease()
	if err := s.reachable(s.up(p, third)); err != nil {
		s.t.Errorf("after the end of both: %v", err)
	}
	s.down(p, third)
}
