package metal

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/qualify-dev/qualify/internal/provision"
)

// unknown takes the pinned keys out of the inventory: nobody vouches for the
// hosts any more.
func (f *fleetOfShams) unknown(t *testing.T) (knownHosts string) {
	t.Helper()
	for i := range f.inv.Hosts {
		f.inv.Hosts[i].Access.HostKey, f.inv.Hosts[i].Access.KnownHosts = "", "known_hosts"
	}
	text, err := f.inv.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	write(t, f.cfg.Inventory, string(text))
	return filepath.Join(filepath.Dir(f.cfg.Inventory), "known_hosts")
}

// Hosts that nobody has vouched for are refused, and nothing is sent to them,
// unless the user wants them to be trusted; then the cluster says which they
// were, and any process after that knows them.
func TestNewHostKeysAreTrustedByWishOnly(t *testing.T) {
	f := newShams(t, 2)
	file := f.unknown(t)
	write(t, file, "")
	before := f.files(t)
	lease := testLease("q-trust")
	_, err := f.instance(t).Up(soon(t), lease, f.spec(t.TempDir()))
	if err == nil || !strings.Contains(err.Error(), "has no line for") {
		t.Errorf("up without the flag: %v", err)
	}
	for _, s := range f.hosts {
		if s.server.Tried() != 0 || s.server.Logins() != 0 {
			t.Errorf("%s was shown %d passwords", s.name, s.server.Tried())
		}
	}
	if err := os.Remove(file); err != nil { // also where there is no file yet
		t.Fatal(err)
	}
	f.cfg.TrustNewHostKeys = true
	c, err := f.instance(t).Up(soon(t), lease, f.spec(t.TempDir()))
	if err != nil {
		t.Fatal(err)
	}
	if len(c.Notes) != 2 || !strings.Contains(c.Notes[0], "trusted on first use") {
		t.Errorf("notes %q", c.Notes)
	}
	f.cfg.TrustNewHostKeys = false
	if err := f.instance(t).Down(soon(t), lease); err != nil {
		t.Errorf("down of a process without the flag: %v", err)
	}
	f.unchanged(t, before)
}

// Looking at machines tells which were trusted, also where they are not fit.
func TestCheckTellsWhoWasTrusted(t *testing.T) {
	f := newShams(t, 2)
	f.unknown(t)
	write(t, filepath.Join(f.hosts[1].root, "proc/swaps"), "Filename Type\n/dev/sda2 partition\n")
	cfg := f.cfg
	cfg.TrustNewHostKeys = true
	_, trusted, err := Check(soon(t), cfg, "debian-12")
	if len(trusted) != 2 || err == nil {
		t.Errorf("trusted %q, %v", trusted, err)
	}
	if names, trusted, err := Check(soon(t), provision.Config{Inventory: cfg.Inventory, Sink: cfg.Sink, Log: t.Logf}, "debian-12"); err == nil || len(trusted) != 0 || len(names) != 0 {
		t.Errorf("again: %q, %q, %v", names, trusted, err)
	}
}
