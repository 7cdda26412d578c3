// Package provision is the seam between a run and whatever can make a cluster
// of a release: the contract, the lease, the kinds of fault. Concrete
// provisioners live in its subpackages and are listed in provision/all.
package provision

import (
	"context"
	"fmt"
	"time"

	"github.com/qualify-dev/qualify/internal/cluster"
	"github.com/qualify-dev/qualify/internal/release"
	"github.com/qualify-dev/qualify/internal/sink"
	"github.com/qualify-dev/qualify/matrix"
)

// Provisioner makes clusters and removes them.
//
// Every method may be called from another process than the one that called
// Up, after a crash of that one, and more than once.
type Provisioner interface {
	// Up makes the cell's cluster and returns when what it asked for was seen:
	// API, node count, versions, all nodes Ready, cluster DNS answering.
	// A *ProductError blames the release; every other error is infrastructure.
	// On error the resources stay, for Collect and Down.
	// With spec.Adopt it makes nothing: it returns the cluster that an earlier
	// Up made under this lease, if all of it is there and ready, or an error.
	Up(ctx context.Context, lease Lease, spec Spec) (*cluster.Cluster, error)
	// Collect writes what can be learned of the lease's machines into dir.
	// It works on half-made clusters and gathers as much as it can.
	Collect(ctx context.Context, lease Lease, dir string) error
	// Down removes everything that carries the lease and proves it gone. It
	// succeeds where nothing is left to remove; what it cannot remove comes
	// back as a *LeftoverError.
	Down(ctx context.Context, lease Lease) error
}

// Lease is a run's claim on the resources of one cell. It is journalled
// before the first create call and stamped on every resource.
type Lease struct {
	Name    string // deterministic, unique per run and cell, safe as a DNS label
	Run     string
	Cell    string
	Owner   string    // host and process
	Expires time.Time // from then on it belongs to gc, unless its run is still worked on
	// Home is the run's directory on the owner's host. The claim in it is the
	// lease's heartbeat: labels are written once and cannot be renewed.
	Home string
}

// Spec is what to bring up.
type Spec struct {
	Cell    matrix.Cell
	Release *release.Release
	// Components are what the nodes are given beside the release: programs in
	// place of what their operating system brings, as a container runtime, and
	// images for tests.
	Components []*release.Release
	Workers    int
	Dir        string             // private directory of the cell, exists
	Phase      func(phase string) // announces the start of an inner phase; never nil
	Adopt      bool               // take the lease's cluster over, make none
}

// Resource is something that carries a lease.
type Resource struct {
	Kind    string // "container", "network", "image", …
	ID      string
	Name    string
	Lease   Lease
	Created time.Time
}

// Entry is what the planner needs to know of a provisioner, as data.
type Entry struct {
	Name string
	Doc  string
	// Caveat is what its clusters do not show, for the reports; may be "".
	Caveat   string
	Capacity int                          // cells at a time on this machine
	Can      func(cell matrix.Cell) error // nil, or why it cannot serve the cell
	// Room refines the capacity for clusters of some nodes; nil where these do
	// not matter.
	Room func(nodes int) Room
	// Preloads says that its nodes can be given images as components.
	Preloads bool
	New      func(Config) (Provisioner, error)                 // touches nothing outside
	List     func(context.Context, Config) ([]Resource, error) // everything that carries any of our leases
	// Purge removes what is kept between runs to be faster, and belongs to no
	// lease; with dryRun it only lists it. nil where nothing is kept.
	Purge func(ctx context.Context, dryRun bool) ([]Resource, error)
}

// Room is how many cells fit at a time, and what bounds that, for people.
type Room struct {
	Cells int
	Why   string
}

// RoomFor is the room for cells of a size.
func (e Entry) RoomFor(nodes int) Room {
	if e.Room != nil {
		return e.Room(nodes)
	}
	return Room{Cells: e.Capacity, Why: fmt.Sprintf("the capacity of %s is %d", e.Name, e.Capacity)}
}

// Config is what every provisioner is made from.
type Config struct {
	CacheDir  string
	Owner     string         // host and process, stamped on what no lease covers
	Store     *release.Store // verified assets
	Inventory string         // path of the file that lists the machines; "" where none was named
	// TrustNewHostKeys accepts machines whose key nobody has vouched for, and
	// remembers them; which they were is in the notes of the cluster.
	TrustNewHostKeys bool
	Log              func(format string, args ...any) // one line of progress; never nil
	// Sink opens the files that a provisioner writes into a cell's directory,
	// and learns of its secrets when they are born; never nil.
	Sink *sink.Sink
	// Kubeconfig and Context name a cluster that the user made; empty where none
	// is meant. Nothing else leads there: no variable and no file of the user's.
	Kubeconfig, Context string
}

// UnsupportedError is why this machine cannot serve a cell that another could.
type UnsupportedError struct{ Reason string }

// Error gives the reason.
func (e *UnsupportedError) Error() string { return "unsupported here: " + e.Reason }

// ProductError is the explicit claim that the release failed to boot, to join
// or to become ready. Log holds the last lines of the component it blames.
type ProductError struct {
	Component string // "kubelet", "kube-apiserver", …
	Doing     string
	Log       string
	Err       error
}

// Error names the component and what it was doing.
func (e *ProductError) Error() string {
	return fmt.Sprintf("%s: %s: %v", e.Doing, e.Component, e.Err)
}

// Unwrap returns the cause.
func (e *ProductError) Unwrap() error { return e.Err }

// LeftoverError lists what Down could not remove.
type LeftoverError struct {
	Resources []Resource
	Err       error
}

// Error lists the resources by kind and name.
func (e *LeftoverError) Error() string {
	text := "resources are left over:"
	for _, r := range e.Resources {
		text += " " + r.Kind + "/" + r.Name
	}
	if e.Err != nil {
		text += ": " + e.Err.Error()
	}
	return text
}

// Unwrap returns the cause.
func (e *LeftoverError) Unwrap() error { return e.Err }
