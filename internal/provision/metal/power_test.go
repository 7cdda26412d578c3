package metal

import (
	"context"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/qualify-dev/qualify/internal/inventory"
	"github.com/qualify-dev/qualify/internal/power"
	"github.com/qualify-dev/qualify/internal/power/powertest"
	"github.com/qualify-dev/qualify/internal/provision"
)

// powered gives each host a machine behind one controller. A machine that is
// started anew answers again.
func (f *fleetOfShams) powered(t *testing.T, allowed bool) *powertest.BMC {
	t.Helper()
	var systems []*powertest.System
	for _, s := range f.hosts {
		systems = append(systems, powertest.Server(s.name, "On"))
	}
	b := powertest.Start(systems...)
	t.Cleanup(b.Close)
	b.Hook(func(_ http.ResponseWriter, r *http.Request) bool {
		for _, s := range f.hosts {
			if r.Method == http.MethodPost && strings.Contains(r.URL.Path, "/"+s.name+"/") {
				s.server.Away(false)
			}
		}
		return false
	})
	address, port, err := net.SplitHostPort(b.Address)
	if err != nil {
		t.Fatal(err)
	}
	number, err := strconv.Atoi(port)
	if err != nil {
		t.Fatal(err)
	}
	for i := range f.inv.Hosts {
		f.inv.Hosts[i].BMC = &inventory.BMC{Address: address, Port: number, User: powertest.User, PasswordFile: "bmc", Pin: b.Pin, System: f.hosts[i].name, Recover: allowed}
	}
	write(t, filepath.Join(filepath.Dir(f.cfg.Inventory), "bmc"), powertest.Password+"\n")
	text, err := f.inv.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(f.cfg.Inventory, text, 0o600); err != nil {
		t.Fatal(err)
	}
	return b
}

func (f *fleetOfShams) patient(t *testing.T) *provisioner {
	p := f.instance(t)
	p.switching = power.Options{Pace: time.Millisecond, Patience: 10 * time.Second}
	return p
}

// A host of the lease that hangs is started anew and given back, by a process
// that knows nothing but the lease. One that is of no lease is left alone, and
// so is one whose owner has not allowed it.
func TestAHungHostIsRecovered(t *testing.T) {
	for _, allowed := range []bool{true, false} {
		f := newShams(t, 3)
		b := f.powered(t, allowed)
		before := f.files(t)
		lease := testLease("q-hung")
		spec := f.spec(t.TempDir())
		spec.Workers = 1 // the third host is nobody's
		if _, err := f.patient(t).Up(soon(t), lease, spec); err != nil {
			t.Fatal(err)
		}
		f.hosts[1].server.Away(true)
		f.hosts[2].server.Away(true)
		err := f.patient(t).Down(soon(t), lease)
		if err == nil || !strings.Contains(err.Error(), "h2") || strings.Contains(err.Error(), "host h1") == allowed {
			t.Errorf("allowed %v: down: %v", allowed, err)
		}
		want := []string{`POST /redfish/v1/Systems/h1/Actions/ComputerSystem.Reset {"ResetType":"PowerCycle"}`}
		if !allowed {
			want = nil
		}
		if got := b.Asked(); !slices.Equal(got, want) {
			t.Errorf("allowed %v: asked for %q", allowed, got)
		}
		f.hosts[1].server.Away(false)
		f.hosts[2].server.Away(false)
		if err := f.patient(t).Down(soon(t), lease); err != nil {
			t.Errorf("down when all are there: %v", err)
		}
		f.unchanged(t, before)
	}
}

// A host that is the only one of its lease is known to who took it, and to
// nobody else.
func TestAHungHostAlone(t *testing.T) {
	f := newShams(t, 1)
	b := f.powered(t, true)
	before := f.files(t)
	lease := testLease("q-alone")
	p := f.patient(t)
	if _, err := p.Up(soon(t), lease, f.spec(t.TempDir())); err != nil {
		t.Fatal(err)
	}
	f.hosts[0].server.Away(true)
	if err := f.patient(t).Down(soon(t), lease); err == nil || len(b.Asked()) > 0 {
		t.Errorf("another process: %v, asked for %q", err, b.Asked())
	}
	if err := p.Down(soon(t), lease); err != nil || len(b.Asked()) != 1 {
		t.Errorf("who took it: %v, asked for %q", err, b.Asked())
	}
	f.unchanged(t, before)
}

// A host that answers and refuses is not started anew: it does not hang.
func TestAHostThatRefusesIsNotStarted(t *testing.T) {
	f := newShams(t, 2)
	b := f.powered(t, true)
	lease := testLease("q-refuses")
	if _, err := f.patient(t).Up(soon(t), lease, f.spec(t.TempDir())); err != nil {
		t.Fatal(err)
	}
	key := f.inv.Hosts[1].Access.HostKey
	f.inv.Hosts[1].Access.HostKey = f.inv.Hosts[0].Access.HostKey // another machine answers there now
	text, err := f.inv.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	write(t, f.cfg.Inventory, string(text))
	if err := f.patient(t).Down(soon(t), lease); err == nil {
		t.Error("down said that all is given back")
	}
	if got := b.Asked(); len(got) > 0 {
		t.Errorf("asked for %q", got)
	}
	f.inv.Hosts[1].Access.HostKey = key
	if text, err = f.inv.Marshal(); err != nil {
		t.Fatal(err)
	}
	write(t, f.cfg.Inventory, string(text))
	if err := f.patient(t).Down(soon(t), lease); err != nil {
		t.Error(err)
	}
}

// Power by the names of an inventory.
func TestPower(t *testing.T) {
	f := newShams(t, 2)
	b := f.powered(t, false)
	ask := func(host, action string) (string, error) {
		return Power(soon(t), provision.Config{Inventory: f.cfg.Inventory, Sink: f.cfg.Sink, Log: t.Logf}, host, action)
	}
	if state, err := ask("h1", "status"); err != nil || state != "On" {
		t.Errorf("%s, %v", state, err)
	}
	if state, err := ask("h1", "off"); err != nil || state != "Off" {
		t.Errorf("%s, %v", state, err)
	}
	if text, err := ask("h1", "pxe"); err != nil || text != "boots once from pxe" {
		t.Errorf("%s, %v", text, err)
	}
	if got := b.Asked(); len(got) != 2 || strings.Contains(strings.Join(got, " "), "h0") {
		t.Errorf("asked for %q", got)
	}
	for want, args := range map[string][2]string{`has no host "h7": it has h0, h1`: {"h7", "on"}, `"explode" is nothing that can be done with power: say one of status, on`: {"h0", "explode"}} {
		if _, err := ask(args[0], args[1]); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %s", err, want)
		}
	}
	if text := f.cfg.Sink.Text("is it " + powertest.Password + "?"); strings.Contains(text, powertest.Password) {
		t.Error("the password is not redacted")
	}
	f.inv.Hosts[0].BMC = nil
	p := &provisioner{cfg: f.cfg, inv: f.inv}
	if _, err := p.power(f.inv.Hosts[0]); err == nil || !strings.Contains(err.Error(), "add bmc: to it") {
		t.Error(err)
	}
	if err := p.revive(context.Background(), &machine{Host: f.inv.Hosts[0]}); err == nil || !strings.Contains(err.Error(), "host h0 does not answer, and cannot be started anew") {
		t.Error(err)
	}
}
