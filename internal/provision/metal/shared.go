package metal

import (
	"crypto/rand"
	"encoding/hex"
	"net"
	"strconv"

	"github.com/qualify-dev/qualify/internal/cluster"
	"github.com/qualify-dev/qualify/internal/inventory"
)

// sharing is what several control planes have in common; none where there is
// one without an endpoint.
type sharing struct {
	endpoint string   // "host:port" that leads to all API servers
	names    []string // by which these are reached, beside the first one's
	key      string   // of the certificates that the first uploads, for two hours
}

// share decides what the control planes among the machines share. The key is
// a secret from here on.
func (p *provisioner) share(machines []*machine) (*sharing, error) {
	if p.inv.Endpoint == nil {
		return nil, nil
	}
	secret := make([]byte, 32)
	_, _ = rand.Read(secret) // it never fails
	s := &sharing{endpoint: address(*p.inv.Endpoint), names: []string{p.inv.Endpoint.Address}, key: hex.EncodeToString(secret)}
	for _, m := range machines[1:] {
		if m.Role == inventory.ControlPlane {
			s.names = append(s.names, m.Access.Address, m.PrivateAddress())
		}
	}
	return s, p.cfg.Sink.Add("certificate-key", s.key)
}

func address(e inventory.Endpoint) string { return net.JoinHostPort(e.Address, strconv.Itoa(e.Port)) }

// roles are the first control plane, the others, and the workers.
func roles(nodes []cluster.Node) (first cluster.Node, more, workers []cluster.Node) {
	for _, n := range nodes[1:] {
		if n.Role == cluster.ControlPlane {
			more = append(more, n)
		} else {
			workers = append(workers, n)
		}
	}
	return nodes[0], more, workers
}
