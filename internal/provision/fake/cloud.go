package fake

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/qualify-dev/qualify/internal/cluster"
	"github.com/qualify-dev/qualify/internal/provision"
)

// Cloud is the directory in which everything is that a fake provisioner made.
// Tests look into it to see what is really there.
type Cloud struct{ Dir string }

// Record is a resource as the cloud keeps it.
type Record struct {
	Kind, Name string
	Lease      provision.Lease // of nobody's that we know where it has no name
	Created    time.Time
	Appears    time.Time    // before that nobody sees it
	Role       cluster.Role `json:",omitempty"` // of a machine
	Holds      []string     `json:",omitempty"` // what cannot be removed before it, by ID
}

// ID is unique in the cloud, and the name of the record's file.
func (r Record) ID() string { return r.Kind + "-" + r.Name }

func (r Record) resource() provision.Resource {
	return provision.Resource{Kind: r.Kind, ID: r.ID(), Name: r.Name, Lease: r.Lease, Created: r.Created}
}

// The kinds of resources, in an order in which they can be removed.
const (
	machine = "machine"
	disk    = "disk"
	network = "network"
)

var kinds = []string{machine, disk, network}

func (c Cloud) resources() string       { return filepath.Join(c.Dir, "resources") }
func (c Cloud) misuses() string         { return filepath.Join(c.Dir, "misuse.log") }
func (c Cloud) files(who string) string { return filepath.Join(c.Dir, "nodes", who) }
func (c Cloud) file(id string) string   { return filepath.Join(c.resources(), id+".json") }

// All returns every resource that there is or that is about to appear, in
// order of their IDs: the truth, which no provisioner can see.
func (c Cloud) All() ([]Record, error) {
	entries, err := os.ReadDir(c.resources())
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("reading the fake cloud: %w", err)
	}
	var all []Record
	for _, e := range entries {
		id, is := strings.CutSuffix(e.Name(), ".json")
		if !is {
			continue // a killed maker's scratch
		}
		r, err := c.record(id)
		if errors.Is(err, fs.ErrNotExist) {
			continue // removed since the listing
		}
		if err != nil {
			return nil, err
		}
		all = append(all, r)
	}
	return all, nil
}

func (c Cloud) record(id string) (Record, error) {
	var r Record
	data, err := os.ReadFile(c.file(id))
	if err != nil {
		return r, fmt.Errorf("reading the fake cloud: %w", err)
	}
	if err := json.Unmarshal(data, &r); err != nil {
		return r, fmt.Errorf("reading the fake cloud: %s: %w", id, err)
	}
	return r, nil
}

var safeName = regexp.MustCompile(`^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$`)

// Add puts a resource into the cloud that no Up made. Without a lease it is a
// foreign one.
func (c Cloud) Add(kind, name string, lease provision.Lease) error {
	now := time.Now()
	return c.add(Record{Kind: kind, Name: name, Lease: lease, Created: now, Appears: now})
}

// add fails where the resource exists. A reader never sees half of it.
func (c Cloud) add(r Record) error {
	if !slices.Contains(kinds, r.Kind) || !safeName.MatchString(r.Name) {
		return fmt.Errorf("fake cloud: there can be no %s %q", r.Kind, r.Name)
	}
	data, err := json.Marshal(r)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(c.resources(), 0o700); err != nil {
		return fmt.Errorf("fake cloud: %w", err)
	}
	scratch, err := os.CreateTemp(c.resources(), ".new-*")
	if err != nil {
		return fmt.Errorf("fake cloud: %w", err)
	}
	defer func() { _ = os.Remove(scratch.Name()) }()
	_, err = scratch.Write(data)
	if err := errors.Join(err, scratch.Close()); err != nil {
		return fmt.Errorf("fake cloud: %w", err)
	}
	// A link, since a rename would replace what is there.
	if err := os.Link(scratch.Name(), c.file(r.ID())); err != nil {
		return fmt.Errorf("fake cloud: creating %s %s: %w", r.Kind, r.Name, err)
	}
	// A killed remover may have left the files of a machine of that name.
	return os.RemoveAll(c.files(r.Name))
}

// remove removes a resource that nothing else holds. One that is gone already
// is removed.
func (c Cloud) remove(id string) error {
	all, err := c.All()
	if err != nil {
		return err
	}
	for _, r := range all {
		if slices.Contains(r.Holds, id) {
			return fmt.Errorf("fake cloud: removing %s: %s %s is using it", id, r.Kind, r.Name)
		}
	}
	if err := os.Remove(c.file(id)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("fake cloud: removing %s: %w", id, err)
	}
	if name, is := strings.CutPrefix(id, machine+"-"); is {
		return os.RemoveAll(c.files(name))
	}
	return nil
}

// MisuseError is a call that no caller should ever make. The cloud remembers
// it, should the caller swallow it.
type MisuseError struct{ Text string }

// Error says what was wrong with the call.
func (e *MisuseError) Error() string { return "misuse of the fake provisioner: " + e.Text }

func (c Cloud) misuse(format string, args ...any) error {
	misuse := &MisuseError{Text: fmt.Sprintf(format, args...)}
	if err := os.MkdirAll(c.Dir, 0o700); err != nil {
		return errors.Join(misuse, err)
	}
	f, err := os.OpenFile(c.misuses(), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return errors.Join(misuse, err)
	}
	_, err = fmt.Fprintf(f, "%q\n", misuse.Text)
	return errors.Join(misuse, err, f.Close())
}

// Misuses returns what any process ever did wrong in the cloud, quoted.
func (c Cloud) Misuses() ([]string, error) {
	data, err := os.ReadFile(c.misuses())
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("reading the fake cloud: %w", err)
	}
	return slices.Collect(strings.Lines(string(data))), nil
}
