// Package metal provisions clusters on machines that exist already and are
// reached by SSH: it takes them, makes nodes of them, and gives them back as
// they were.
package metal

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"time"

	"github.com/qualify-dev/qualify/internal/bootstrap"
	"github.com/qualify-dev/qualify/internal/cluster"
	"github.com/qualify-dev/qualify/internal/inventory"
	"github.com/qualify-dev/qualify/internal/nodeos"
	"github.com/qualify-dev/qualify/internal/power"
	"github.com/qualify-dev/qualify/internal/provision"
	"github.com/qualify-dev/qualify/internal/remote"
	"github.com/qualify-dev/qualify/matrix"
)

// Name is the provisioner's.
const Name = "baremetal"

// Entry describes the provisioner to the planner.
func Entry() provision.Entry {
	return provision.Entry{
		Name:     Name,
		Doc:      "machines that an inventory names, reached by SSH; they are given back as they were",
		Capacity: 1, // the inventory's first hosts are those of every cell
		Can:      can,
		New:      newProvisioner,
		List:     list,
	}
}

func can(cell matrix.Cell) error {
	os, err := nodeos.Find(cell.Value("os"))
	if err != nil {
		return err
	}
	if os.Host == nil {
		return fmt.Errorf("%s cannot be made a node: %s", os.Name, os.NoHost)
	}
	if runtime := cell.Value(matrix.Containerd); !runtimeForm.MatchString(runtime) {
		return fmt.Errorf("containerd %q is neither %q nor a version like v1.7.32", runtime, matrix.OfOS)
	}
	if ownRuntime(cell) && os.Host.Runtime == nil {
		return fmt.Errorf("%s has no containerd of its own: give its nodes one with the axis %s, e.g. v1.7.32", os.Name, matrix.Containerd)
	}
	return nil
}

// runtimeForm is what a cell's container runtime can be; without the axis it is
// the operating system's own.
var runtimeForm = regexp.MustCompile(`^(|os|v[0-9]+\.[0-9]+\.[0-9]+)$`)

// ownRuntime tells whether a cell's nodes run the containerd of their system.
func ownRuntime(cell matrix.Cell) bool {
	runtime := cell.Value(matrix.Containerd)
	return runtime == "" || runtime == matrix.OfOS
}

// provisioner holds no connection between calls: Down may come from another
// process, and a host may have been away.
type provisioner struct {
	cfg     provision.Config
	inv     *inventory.Inventory
	options remote.Options
	first   *remote.FirstUse // nil unless the user wants new keys to be trusted
	// taken are the hosts that this process took, by lease: what stands on a host
	// cannot be read while it hangs.
	taken sync.Map
	// switching bounds what is waited for when a host's power is switched.
	switching power.Options
}

func newProvisioner(cfg provision.Config) (provision.Provisioner, error) {
	inv, err := open(cfg.Inventory)
	if err != nil {
		return nil, err
	}
	return provisionerOf(cfg, inv), nil
}

func provisionerOf(cfg provision.Config, inv *inventory.Inventory) *provisioner {
	p := &provisioner{cfg: cfg, inv: inv}
	if cfg.TrustNewHostKeys {
		p.first = &remote.FirstUse{}
	}
	return p
}

// connect makes machines of hosts. Nothing is sent yet; end closes everything.
func (p *provisioner) connect(hosts []inventory.Host) (machines []*machine, end func(), err error) {
	c := &connector{dir: filepath.Dir(p.cfg.Inventory), sink: p.cfg.Sink, options: p.options, first: p.first, bastions: map[inventory.Access]*remote.Host{}}
	end = func() {
		for _, m := range machines {
			m.remote.Close()
		}
		c.close()
	}
	var problems error
	for _, h := range hosts {
		to, err := c.host(h)
		if err != nil {
			problems = errors.Join(problems, err)
			continue
		}
		machines = append(machines, &machine{Host: h, remote: to})
	}
	if problems != nil {
		end()
		return nil, func() {}, problems
	}
	return machines, end, nil
}

// nodes are the machines as a suite sees them.
func nodes(machines []*machine, lease provision.Lease) []cluster.Node {
	var all []cluster.Node
	for _, m := range machines {
		role := cluster.Worker
		if m.Role == inventory.ControlPlane {
			role = cluster.ControlPlane
		}
		all = append(all, cluster.Node{Name: m.Name, Role: role, Transport: m.remote.Root(worker(lease))})
	}
	return all
}

// Up makes the cluster; see provision.Provisioner. The connections stay open
// for the cluster's handle, and end with the process.
func (p *provisioner) Up(ctx context.Context, lease provision.Lease, spec provision.Spec) (*cluster.Cluster, error) {
	if lease.Name == "" {
		return nil, errors.New("the lease has no name")
	}
	hosts, err := choose(p.inv, spec)
	if err != nil {
		return nil, err
	}
	machines, end, err := p.connect(hosts)
	if err != nil {
		return nil, err
	}
	bring := p.up
	if spec.Adopt {
		bring = p.adopt
	}
	c, err := bring(ctx, machines, lease, spec)
	if err != nil {
		end()
		return nil, cutShort(ctx, err)
	}
	for i := range c.Nodes {
		c.Nodes[i].Restart = func(ctx context.Context) error { return restart(ctx, machines[i], lease, c) }
	}
	if p.first != nil {
		c.Notes = p.first.Trusted()
	}
	return c, nil
}

func (p *provisioner) up(ctx context.Context, machines []*machine, lease provision.Lease, spec provision.Spec) (*cluster.Cluster, error) {
	spec.Phase("preflight")
	os, err := nodeos.Find(spec.Cell.Value("os"))
	if err != nil {
		return nil, err
	}
	if err := preflight(ctx, machines, want{os: os.ID, arch: "amd64"}); err != nil {
		return nil, err
	}
	spec.Phase("claim")
	var hosts []string
	for _, m := range machines {
		hosts = append(hosts, m.Name)
	}
	p.taken.Store(lease.Name, hosts)
	err = remote.Each(len(machines), func(i int) error { return claimHost(ctx, machines[i], lease, os, hosts...) })
	if err != nil {
		return nil, err
	}
	spec.Phase("prepare")
	token := strings.ToLower(rand.Text()[:6] + "." + rand.Text()[:16])
	if err := p.cfg.Sink.Add("bootstrap-token", token); err != nil {
		return nil, err
	}
	shared, err := p.share(machines)
	if err != nil {
		return nil, err
	}
	prepare := preparer{rel: spec.Release, store: p.cfg.Store, os: os, parts: spec.Components, digests: &digests{}}
	if !ownRuntime(spec.Cell) {
		if prepare.runtime, err = runtimeOf(spec.Components); err != nil {
			return nil, err
		}
	}
	err = remote.Each(len(machines), func(i int) error {
		m := machines[i]
		config, err := nodeConfig{rel: spec.Release, controlPlane: machines[0].Host, own: m.Host, facts: m.facts, volumePlugins: os.Host.VolumePlugins, token: token, shared: shared}.kubeadm()
		if err == nil {
			err = prepare.node(ctx, m, m.remote.Root(worker(lease)), config)
		}
		if err != nil {
			return fmt.Errorf("preparing host %s: %w", m.Name, err)
		}
		return nil
	})
	if err != nil {
		return nil, releaseFault(err)
	}
	c := &cluster.Cluster{Name: lease.Name, Kubeconfig: filepath.Join(spec.Dir, "kubeconfig"), Nodes: nodes(machines, lease)}
	if err := p.bootstrap(ctx, machines, c, spec); err != nil {
		return nil, diagnose(ctx, c.Nodes, err)
	}
	return c, nil
}

// claimHost takes a host and writes down how it is, and what hosts are taken
// with it.
func claimHost(ctx context.Context, m *machine, lease provision.Lease, os nodeos.OS, hosts ...string) error {
	err := take(ctx, m.remote.Root(remote.Guard{}), lease, hosts...)
	if err == nil {
		err = record(ctx, m.remote.Root(worker(lease)), os)
	}
	if err != nil {
		return fmt.Errorf("taking host %s: %w", m.Name, err)
	}
	return nil
}

// bootstrap makes a cluster of the nodes and waits until it is ready.
func (p *provisioner) bootstrap(ctx context.Context, machines []*machine, c *cluster.Cluster, spec provision.Spec) (err error) {
	spec.Phase("bootstrap")
	log, err := p.cfg.Sink.Append(filepath.Join(spec.Dir, "kubeadm.log"))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, log.Close()) }()
	way := p.access(machines[0], c)
	first, more, workers := roles(c.Nodes)
	network := &bootstrap.PodNetwork{Nodes: c.Nodes, Client: way.Client, Forwards: forwards(c.Nodes[0])}
	wires := network.Start(ctx)
	defer wires.Stop()
	var said = make(chan string, 100)
	defer close(said)
	go func() {
		for text := range said {
			_, _ = fmt.Fprintln(log, text) // a log that cannot be written ends no cluster
		}
	}()
	kubeadm := bootstrap.Kubeadm{
		ControlPlane: first, More: more, Workers: workers, Config: kubeadmConfig, Access: way.Client,
		Log: func(node, text string) {
			said <- time.Now().UTC().Format(time.RFC3339) + " kubeadm on " + node + ":\n" + text
		},
	}
	if err := kubeadm.Up(ctx); err != nil {
		return err
	}
	if err := bootstrap.Finish(ctx, way, len(c.Nodes) == 1); err != nil {
		return err
	}
	spec.Phase("ready")
	client, err := way.Client(ctx)
	if err != nil {
		return err
	}
	return bootstrap.Ready(ctx, client, c, spec.Release.Kubernetes(), wires)
}

// access reads the administrator's kubeconfig from the control plane, and puts
// in the address by which we reach it.
func (p *provisioner) access(m *machine, c *cluster.Cluster) *bootstrap.Access {
	inside := fmt.Sprintf("server: https://%s", hostPort(m.PrivateAddress()))
	outside := fmt.Sprintf("server: https://%s", hostPort(m.Access.Address))
	if p.inv.Endpoint != nil { // it leads there from everywhere
		inside = "server: https://" + address(*p.inv.Endpoint)
		outside = inside
	}
	return &bootstrap.Access{
		Sink: p.cfg.Sink, File: c.Kubeconfig,
		Kubeconfig: func(ctx context.Context) (string, error) {
			out, err := c.Nodes[0].Exec(ctx, cluster.Command("cat", "/etc/kubernetes/admin.conf"))
			if err != nil {
				return "", err
			}
			text := strings.Replace(string(out.Stdout), inside, outside, 1)
			if !strings.Contains(text, outside) {
				return "", fmt.Errorf("the kubeconfig of host %s does not lead to %s", m.Name, inside)
			}
			return text, nil
		},
	}
}

// forwards asks a node's kube-proxy from the node: its health port need not be
// open to us.
func forwards(n cluster.Node) func(context.Context, string) error {
	const ask = `exec 3<>"/dev/tcp/$1/10256"; printf 'GET /healthz HTTP/1.0\r\n\r\n' >&3; read -r answer <&3; case $answer in *" 200 "*) ;; *) echo "it answers $answer" >&2; exit 1;; esac`
	return func(ctx context.Context, address string) error {
		_, err := n.Exec(ctx, cluster.Command("timeout", "3", "bash", "-ec", ask, "ask", address))
		return err
	}
}

// adopt takes over the cluster that an earlier Up made under the lease.
func (p *provisioner) adopt(ctx context.Context, machines []*machine, lease provision.Lease, spec provision.Spec) (*cluster.Cluster, error) {
	spec.Phase("adopt")
	c := &cluster.Cluster{Name: lease.Name, Kubeconfig: filepath.Join(spec.Dir, "kubeconfig"), Nodes: nodes(machines, lease)}
	err := remote.Each(len(machines), func(i int) error {
		_, err := c.Nodes[i].Exec(ctx, cluster.Command("systemctl", "is-active", "-q", "kubelet"))
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("taking over the cluster of lease %s: %w", lease.Name, err)
	}
	const adoptTime = time.Minute // it was ready, so it need not become so
	ctx, cancel := context.WithTimeout(ctx, adoptTime)
	defer cancel()
	client, err := p.access(machines[0], c).Client(ctx)
	if err == nil {
		err = bootstrap.Ready(ctx, client, c, spec.Release.Kubernetes(), bootstrap.Wired())
	}
	if err != nil {
		return nil, fmt.Errorf("taking over the cluster of lease %s: %w", lease.Name, err)
	}
	return c, nil
}
