package fake

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/qualify-dev/qualify/internal/cluster"
	"github.com/qualify-dev/qualify/internal/provision"
)

type provisioner struct {
	options Options
	config  provision.Config
	cloud   Cloud

	mu    sync.Mutex
	rolls map[string]int
	ups   map[string]bool // leases whose Up has not returned
	// settled holds, for each lease that this provisioner knows all about,
	// from when on no create call of it can take effect any more.
	settled map[string]time.Time
}

func newProvisioner(o Options, cfg provision.Config) *provisioner {
	return &provisioner{
		options: o, config: cfg, cloud: Cloud{Dir: o.Dir},
		rolls: map[string]int{}, ups: map[string]bool{}, settled: map[string]time.Time{},
	}
}

// Up makes a network, and a disk and a machine for each node; see
// provision.Provisioner.
func (p *provisioner) Up(ctx context.Context, lease provision.Lease, spec provision.Spec) (*cluster.Cluster, error) {
	if spec.Adopt {
		return p.adopt(ctx, lease, spec)
	}
	if err := p.begin(lease, spec); err != nil {
		return nil, err
	}
	defer p.end(lease)
	c := &cluster.Cluster{Name: lease.Name, Kubeconfig: filepath.Join(spec.Dir, "kubeconfig"), Version: spec.Release.Kubernetes()}
	spec.Phase("network")
	net := Record{Kind: network, Name: lease.Name, Lease: lease}
	if err := p.create(ctx, &net); err != nil {
		return nil, err
	}
	spec.Phase("machines")
	for i := range 1 + spec.Workers {
		name, role := nodeName(lease.Name, i)
		d := Record{Kind: disk, Name: name, Lease: lease}
		if err := p.create(ctx, &d); err != nil {
			return nil, err
		}
		m := Record{Kind: machine, Name: name, Lease: lease, Role: role, Holds: []string{net.ID(), d.ID()}}
		if err := p.create(ctx, &m); err != nil {
			return nil, err
		}
		c.Nodes = append(c.Nodes, cluster.Node{Name: name, Role: role, Transport: node{p, m}})
	}
	spec.Phase("ready")
	if err := p.call(ctx, lease.Name, "await readiness"); err != nil {
		return nil, err
	}
	if p.options.Product != nil {
		if fault := p.options.Product(lease, spec); fault != nil {
			return nil, fault
		}
	}
	if err := p.config.Sink.WriteKubeconfig(c.Kubeconfig, []byte(p.kubeconfig(lease.Name))); err != nil {
		return nil, err
	}
	return c, nil
}

// nodeName is the name of the i-th node, and its role.
func nodeName(lease string, i int) (string, cluster.Role) {
	switch i {
	case 0:
		return lease + "-control-plane", cluster.ControlPlane
	case 1:
		return lease + "-worker", cluster.Worker
	default:
		return fmt.Sprintf("%s-worker%d", lease, i), cluster.Worker
	}
}

// adopt takes over what an Up has made to its end: every machine, and the
// kubeconfig, which comes last.
func (p *provisioner) adopt(ctx context.Context, lease provision.Lease, spec provision.Spec) (*cluster.Cluster, error) {
	if err := p.check(lease, spec); err != nil {
		return nil, err
	}
	spec.Phase("adopt")
	if err := p.call(ctx, lease.Name, "list the lease"); err != nil {
		return nil, err
	}
	c := &cluster.Cluster{Name: lease.Name, Kubeconfig: filepath.Join(spec.Dir, "kubeconfig"), Version: spec.Release.Kubernetes()}
	text, err := os.ReadFile(c.Kubeconfig)
	if err != nil || string(text) != p.kubeconfig(lease.Name) {
		return nil, fmt.Errorf("fake: taking over lease %s: its kubeconfig was never written: %w", lease.Name, errors.Join(err))
	}
	machines, err := p.cloud.machines(lease.Name)
	if err != nil {
		return nil, err
	}
	for i := range 1 + spec.Workers {
		name, role := nodeName(lease.Name, i)
		at := slices.IndexFunc(machines, func(r Record) bool { return r.Name == name })
		if at < 0 {
			return nil, fmt.Errorf("fake: taking over lease %s: there is no %s", lease.Name, name)
		}
		c.Nodes = append(c.Nodes, cluster.Node{Name: name, Role: role, Transport: node{p, machines[at]}})
	}
	return c, nil
}

// check refuses a lease and a spec that nobody may come with.
func (p *provisioner) check(lease provision.Lease, spec provision.Spec) error {
	for _, wrong := range []error{checkLease(lease), checkSpec(lease, spec)} {
		if wrong != nil {
			return p.cloud.misuse("Up: %v", wrong)
		}
	}
	return nil
}

// begin refuses an Up that nobody may ask for.
func (p *provisioner) begin(lease provision.Lease, spec provision.Spec) error {
	if err := p.check(lease, spec); err != nil {
		return err
	}
	all, err := p.cloud.All()
	if err != nil {
		return err
	}
	for _, r := range all {
		if r.Lease.Name == lease.Name {
			return p.cloud.misuse("Up: lease %s is in use: there is %s %s", lease.Name, r.Kind, r.Name)
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.ups[lease.Name] {
		return p.cloud.misuse("Up: another one with lease %s has not returned", lease.Name)
	}
	if len(p.ups) >= p.options.Capacity {
		return p.cloud.misuse("Up: %d are under way, and the capacity is %d", len(p.ups), p.options.Capacity)
	}
	p.ups[lease.Name] = true
	p.settled[lease.Name] = time.Time{}
	return nil
}

func (p *provisioner) end(lease provision.Lease) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.ups, lease.Name)
}

func checkLease(l provision.Lease) error {
	const most = 63 - len("-control-plane")
	switch {
	case !safeName.MatchString(l.Name) || strings.Contains(l.Name, ".") || len(l.Name) > most:
		return fmt.Errorf("the lease's name %q is no DNS label of at most %d bytes", l.Name, most)
	case l.Run == "" || l.Cell == "" || l.Owner == "":
		return errors.New("the lease lacks its run, cell or owner")
	case l.Expires.IsZero():
		return errors.New("the lease never expires")
	case !l.Expires.After(time.Now()):
		return errors.New("the lease has expired: its resources belong to gc")
	}
	return nil
}

func checkSpec(lease provision.Lease, spec provision.Spec) error {
	if spec.Release == nil || spec.Phase == nil || spec.Workers < 0 {
		return errors.New("the spec has no release, no phase function, or fewer than no workers")
	}
	if spec.Cell.ID == "" || spec.Cell.ID != lease.Cell {
		return fmt.Errorf("the spec is of cell %q, the lease of %q", spec.Cell.ID, lease.Cell)
	}
	info, err := os.Stat(spec.Dir)
	if err == nil && !info.IsDir() {
		err = fs.ErrNotExist
	}
	if err != nil || !filepath.IsAbs(spec.Dir) {
		return fmt.Errorf("the cell's directory %q does not exist or is relative", spec.Dir)
	}
	return nil
}

// kubeconfig leads to the lease's part of the API server, see Cloud.API.
func (p *provisioner) kubeconfig(lease string) string {
	server := p.options.Server
	if server == "" {
		server = "https://fake.invalid" // a name that never resolves
	}
	return fmt.Sprintf(`apiVersion: v1
kind: Config
clusters: [{name: fake, cluster: {server: %q}}]
users: [{name: fake, user: {token: %q}}]
contexts: [{name: fake, context: {cluster: fake, user: fake}}]
current-context: fake
`, server+"/"+lease, Token(lease))
}

// Token is the secret of a lease's cluster. It is drawn, so to speak: a word
// could not be told from other text.
func Token(lease string) string {
	sum := sha256.Sum256([]byte("token of " + lease))
	return hex.EncodeToString(sum[:16])
}
