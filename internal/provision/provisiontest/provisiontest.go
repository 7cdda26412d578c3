// Package provisiontest is the contract that every provisioner passes, the
// fake included. A provisioner's test calls Run with a Harness; nothing in the
// contract is optional.
package provisiontest

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/qualify-dev/qualify/internal/cluster"
	"github.com/qualify-dev/qualify/internal/provision"
	"github.com/qualify-dev/qualify/internal/release"
	"github.com/qualify-dev/qualify/matrix"
)

// Harness is what the contract needs to know of a provisioner.
type Harness struct {
	Entry   provision.Entry
	Config  provision.Config
	Cell    matrix.Cell
	Release *release.Release
	Workers int // of every cluster; at least 2, so that names are numbered

	// Add makes a cheap resource by other means than the provisioner's: with
	// the lease's stamp, or where the lease has no name, with none of ours. It
	// is removed after the test. The answer tells whether it is still there.
	Add func(t *testing.T, name string, lease provision.Lease) (there func() bool)
	// Left asks the machine itself, not through labels, for the names of all
	// that there is of a lease.
	Left func(t *testing.T, lease provision.Lease) []string

	Patience time.Duration // an Up or a Down takes less
	Prompt   time.Duration // a cancelled call returns within
}

// Run runs the contract. It calls setUp once for each part of it.
func Run(t *testing.T, setUp func(t *testing.T) Harness) {
	var usual shape
	t.Run("live", func(t *testing.T) { usual = live(newSubject(t, setUp)) })
	t.Run("nothing", func(t *testing.T) { nothing(newSubject(t, setUp)) })
	t.Run("cancelled", func(t *testing.T) {
		if len(usual.phases) == 0 || usual.resources == 0 {
			t.Fatal("where to cancel is not known: no Up has succeeded")
		}
		for _, p := range points(usual) {
			t.Run(p.name, func(t *testing.T) { cancelled(newSubject(t, setUp), p) })
		}
	})
	t.Run("two at once", func(t *testing.T) { two(newSubject(t, setUp)) })
}

// shape is what was seen of an undisturbed Up.
type shape struct {
	phases    []string
	resources int
	took      time.Duration
}

// subject is the provisioner under test.
type subject struct {
	Harness
	t *testing.T
}

func newSubject(t *testing.T, setUp func(t *testing.T) Harness) subject {
	t.Helper()
	s := subject{Harness: setUp(t), t: t}
	e := s.Entry
	if e.Name == "" || e.Doc == "" || e.Capacity < 1 || e.Can == nil || e.New == nil || e.List == nil {
		t.Fatalf("the entry is incomplete: %+v", e)
	}
	if s.Workers < 2 || s.Add == nil || s.Left == nil || s.Patience <= 0 || s.Prompt <= 0 {
		t.Fatal("the harness is incomplete")
	}
	if err := e.Can(s.Cell); err != nil {
		t.Fatalf("the provisioner cannot serve the cell: %v", err)
	}
	return s
}

// instance is another provisioner each time: it stands for another process.
func (s subject) instance() provision.Provisioner {
	s.t.Helper()
	p, err := s.Entry.New(s.Config)
	if err != nil {
		s.t.Fatal(err)
	}
	return p
}

func (s subject) patient() context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), s.Patience)
	s.t.Cleanup(cancel)
	return ctx
}

// lease is a new one. Whatever a failing test leaves of it is removed.
func (s subject) lease() provision.Lease {
	s.t.Helper()
	random := make([]byte, 4)
	if _, err := rand.Read(random); err != nil {
		s.t.Fatal(err)
	}
	l := provision.Lease{
		Name: "q-contract-" + hex.EncodeToString(random), Run: "contract-run", Cell: s.Cell.ID,
		Owner: `host.example/42 "$HOME" \ ü`, Expires: time.Now().Add(time.Hour).UTC().Truncate(time.Second),
		Home: `/results of "contract"/run-ü`,
	}
	s.t.Cleanup(func() {
		if err := s.instance().Down(s.patient(), l); err != nil {
			s.t.Errorf("removing what the test made: %v", err)
		}
	})
	return l
}

func (s subject) spec(phase func(string)) provision.Spec {
	return provision.Spec{Cell: s.Cell, Release: s.Release, Workers: s.Workers, Dir: s.t.TempDir(), Phase: phase}
}

func (s subject) up(p provision.Provisioner, l provision.Lease) *cluster.Cluster {
	s.t.Helper()
	c, err := p.Up(s.patient(), l, s.spec(func(string) {}))
	if err != nil {
		s.t.Fatalf("up: %v", explain(err))
	}
	return c
}

// down removes a lease and sees that it did.
func (s subject) down(p provision.Provisioner, l provision.Lease) {
	s.t.Helper()
	if err := p.Down(s.patient(), l); err != nil {
		s.t.Errorf("down: %v", err)
	}
	s.gone(l)
}

func (s subject) gone(l provision.Lease) {
	s.t.Helper()
	for _, r := range s.listed(l) {
		s.t.Errorf("%s %s is still listed", r.Kind, r.Name)
	}
	if left := s.Left(s.t, l); len(left) > 0 {
		s.t.Errorf("still there: %v", left)
	}
}

// listed is what Entry.List says of a lease.
func (s subject) listed(l provision.Lease) []provision.Resource {
	s.t.Helper()
	all, err := s.Entry.List(s.patient(), s.Config)
	if err != nil {
		s.t.Fatalf("list: %v", err)
	}
	var own []provision.Resource
	for _, r := range all {
		if r.Lease.Name == l.Name {
			own = append(own, r)
		}
	}
	return own
}

// stamped sees that all that there is of a lease says so, in full.
func (s subject) stamped(l provision.Lease) []provision.Resource {
	s.t.Helper()
	own, bare := s.listed(l), s.unlisted(l)
	// What is still on its way to being listed gets the time to arrive.
	for end := time.Now().Add(s.Prompt); len(bare) > 0 && time.Now().Before(end); {
		time.Sleep(10 * time.Millisecond)
		own, bare = s.listed(l), s.unlisted(l)
	}
	for _, name := range bare {
		s.t.Errorf("%s carries no lease", name)
	}
	for _, r := range own {
		if r.Lease != l {
			s.t.Errorf("%s %s carries\n%+v, want\n%+v", r.Kind, r.Name, r.Lease, l)
		}
		if r.Kind == "" || r.ID == "" || r.Name == "" || time.Since(r.Created).Abs() > time.Hour {
			s.t.Errorf("a resource is not described: %+v", r)
		}
	}
	return own
}

// unlisted are the names of what there is of a lease and no listing shows.
func (s subject) unlisted(l provision.Lease) []string {
	s.t.Helper()
	there := s.Left(s.t, l)
	listed := map[string]bool{}
	for _, r := range s.listed(l) {
		listed[r.Name] = true
	}
	return slices.DeleteFunc(there, func(name string) bool { return listed[name] })
}

// explain adds what a product fault shows beside its text.
func explain(err error) error {
	var product *provision.ProductError
	if errors.As(err, &product) {
		return fmt.Errorf("%w\n%s", err, product.Log)
	}
	return err
}
