package metal

import (
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/qualify-dev/qualify/internal/inventory"
	"github.com/qualify-dev/qualify/internal/provision"
	"github.com/qualify-dev/qualify/internal/redact"
	"github.com/qualify-dev/qualify/internal/remote"
	"github.com/qualify-dev/qualify/internal/remote/remotetest"
	"github.com/qualify-dev/qualify/internal/sink"
)

const password = "correct-horse-battery"

// actor is a host that says what a test wants: an SSH server with answers in
// place of a machine.
type actor struct {
	*remotetest.Server
	name string

	mu    sync.Mutex
	facts map[string]string // what the facts script prints, by key; lists are separated by commas
	cuts  []string          // peers that it does not reach
}

// wellFacts are those of a host that can be taken.
func wellFacts(name string) map[string]string {
	return map[string]string{
		"os": "debian", "version": "12", "arch": "x86_64", "kernel": "6.1.0", "init": "systemd", "hostname": name, "machine-id": "id-of-" + name,
		"memory": "4000000", "disk": "50000000", "cgroups": "v2", "capabilities": "000001ffffffffff", "address": "127.0.0.1", "nameserver": "192.0.2.53", "container": "none",
	}
}

func (a *actor) set(key, value string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.facts[key] = value
}

// answer plays the part of the host's shell.
func (a *actor) answer(c remotetest.Command) int {
	a.mu.Lock()
	defer a.mu.Unlock()
	switch {
	case strings.Contains(c.Line, "say clock"):
		clock := a.facts["clock"]
		if clock == "" {
			clock = fmt.Sprintf("%d.%09d", time.Now().Unix(), time.Now().Nanosecond())
		}
		fmt.Fprintf(c.Stdout, "clock %s\n", clock)
		for key, values := range a.facts {
			if name := map[string]string{"os": "ID", "version": "VERSION_ID"}[key]; name != "" {
				key, values = "os-release", name+"="+values
			}
			for _, value := range strings.Split(values, ",") {
				if key != "clock" {
					fmt.Fprintf(c.Stdout, "%s %s\n", key, value)
				}
			}
		}
		fmt.Fprintln(c.Stdout, "end end")
	case strings.Contains(c.Line, "/dev/tcp"):
		for _, cut := range a.cuts {
			fmt.Fprintln(c.Stdout, cut)
		}
	case strings.HasSuffix(c.Line, " true"):
	default:
		fmt.Fprintln(c.Stderr, "nobody expected this")
		return 99
	}
	return 0
}

// stage is a set of actors, and the inventory of them.
type stage struct {
	actors []*actor
	inv    *inventory.Inventory
	cfg    provision.Config
}

// play starts n hosts: a control plane and workers.
func play(t testing.TB, n int) *stage {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "password"), []byte(password+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	s := &stage{inv: &inventory.Inventory{}}
	for i := range n {
		a := &actor{name: fmt.Sprintf("h%d", i)}
		a.facts = wellFacts(a.name)
		server, err := remotetest.Start(remotetest.Options{Password: password, Run: a.answer})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(server.Close)
		a.Server = server
		s.actors = append(s.actors, a)
		host, port, err := net.SplitHostPort(server.Address)
		if err != nil {
			t.Fatal(err)
		}
		number, err := strconv.Atoi(port)
		if err != nil {
			t.Fatal(err)
		}
		role := inventory.Worker
		if i == 0 {
			role = inventory.ControlPlane
		}
		s.inv.Hosts = append(s.inv.Hosts, inventory.Host{Name: a.name, Role: role, Access: inventory.Access{
			Address: host, Port: number, User: "root", PasswordFile: "password", HostKey: strings.TrimSpace(server.HostKey),
		}})
	}
	text, err := s.inv.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "inventory.yaml")
	if err := os.WriteFile(file, text, 0o600); err != nil {
		t.Fatal(err)
	}
	s.cfg = provision.Config{Inventory: file, Log: t.Logf, Sink: sink.New(redact.New()), Owner: "test/1"}
	return s
}

// machines connects to all hosts.
func (s *stage) machines(t testing.TB) []*machine {
	t.Helper()
	p := &provisioner{cfg: s.cfg, inv: s.inv, options: remote.Options{Redial: time.Second, Pace: time.Millisecond}}
	machines, end, err := p.connect(s.inv.Hosts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(end)
	return machines
}

func soon(t testing.TB) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	t.Cleanup(cancel)
	return ctx
}
