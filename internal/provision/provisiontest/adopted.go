package provisiontest

import (
	"errors"
	"slices"
	"strings"

	"github.com/qualify-dev/qualify/internal/cluster"
	"github.com/qualify-dev/qualify/internal/provision"
)

// adopt asks another process's provisioner for the lease's cluster. Whatever
// it answers, it makes nothing, removes nothing and blames nobody.
func (s subject) adopt(l provision.Lease, spec provision.Spec) (*cluster.Cluster, error) {
	s.t.Helper()
	before := s.names(l)
	spec.Adopt = true
	c, err := s.instance().Up(s.patient(), l, spec)
	var product *provision.ProductError
	if errors.As(err, &product) {
		s.t.Errorf("the release is blamed for a cluster that cannot be taken over: %v", err)
	}
	if after := s.names(l); !slices.Equal(after, before) {
		s.t.Errorf("taking over changed what there is from %v to %v", before, after)
	}
	return c, err
}

// names are what the machine itself knows of a lease.
func (s subject) names(l provision.Lease) []string {
	s.t.Helper()
	names := s.Left(s.t, l)
	slices.SortFunc(names, strings.Compare)
	return names
}

// adopts wants the cluster of an Up that succeeded from another process, as
// good as new, and only if all of it is there.
func (s subject) adopts(l provision.Lease, spec provision.Spec, c *cluster.Cluster) {
	s.t.Helper()
	var phases []string
	spec.Phase = func(phase string) { phases = append(phases, phase) }
	again, err := s.adopt(l, spec)
	if err != nil {
		s.t.Errorf("taking the cluster over: %v", explain(err))
		return
	}
	s.announced(phases)
	s.complete(again, l, spec)
	if err := s.reachable(again); err != nil {
		s.t.Errorf("the cluster that was taken over: %v", err)
	}
	if again.Version != c.Version || len(again.Nodes) != len(c.Nodes) {
		s.t.Fatalf("taken over as %+v, made as %+v", again, c)
	}
	for i, n := range again.Nodes {
		if n.Name != c.Nodes[i].Name || n.Role != c.Nodes[i].Role {
			s.t.Errorf("node %d is %s %s, was %s %s", i, n.Role, n.Name, c.Nodes[i].Role, c.Nodes[i].Name)
		}
		if err := n.Put(s.patient(), "/var/tmp/adopted", 0o644, strings.NewReader(n.Name)); err != nil {
			s.t.Errorf("node %s after taking over: %v", n.Name, err)
		}
	}
	larger := spec
	larger.Workers++
	if _, err := s.adopt(l, larger); err == nil {
		s.t.Error("a cluster was taken over that lacks a worker")
	}
	if err := s.reachable(c); err != nil {
		s.t.Errorf("after taking over: %v", err)
	}
}

// adoptsHalf wants a half-made cluster to be refused, unless the cut came so
// late that all of it is there.
func (s subject) adoptsHalf(l provision.Lease, spec provision.Spec) {
	s.t.Helper()
	c, err := s.adopt(l, spec)
	if err != nil {
		return
	}
	s.complete(c, l, spec)
	if err := s.reachable(c); err != nil {
		s.t.Errorf("a half-made cluster was taken over: %v", err)
	}
}
