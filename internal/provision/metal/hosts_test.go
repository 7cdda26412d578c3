package metal

import (
	"context"
	"crypto/rand"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/qualify-dev/qualify/internal/cache"
	"github.com/qualify-dev/qualify/internal/cluster"
	"github.com/qualify-dev/qualify/internal/provision"
	"github.com/qualify-dev/qualify/internal/provision/metal/metaltest"
	"github.com/qualify-dev/qualify/internal/redact"
	"github.com/qualify-dev/qualify/internal/release"
	"github.com/qualify-dev/qualify/internal/remote"
	"github.com/qualify-dev/qualify/internal/sink"
)

// fleet is a network of real hosts.
type fleet struct {
	name  string
	names []string
	cfg   provision.Config
}

func docker(t testing.TB, args ...string) string {
	t.Helper()
	out, err := metaltest.Docker(context.Background(), args...)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// newFleet starts n hosts and writes their inventory. They are removed after
// the test, whatever it did.
func newFleet(t testing.TB, c cache.Cache, n int) *fleet {
	t.Helper()
	return newFleetOf(t, c, metaltest.Options{Machines: n, Suite: "bookworm"})
}

// newFleetOf starts hosts of another kind.
func newFleetOf(t testing.TB, c cache.Cache, o metaltest.Options) *fleet {
	t.Helper()
	o.Dir = t.TempDir()
	made, err := metaltest.Start(context.Background(), c, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := made.Close(); err != nil {
			t.Error(err)
		}
	})
	f := &fleet{name: made.Name, names: made.Names}
	f.cfg = provision.Config{
		CacheDir: c.Dir, Owner: "metal-test/1", Log: t.Logf, Sink: sink.New(redact.New()), Inventory: made.Inventory,
		Store: &release.Store{Dir: filepath.Join(c.Dir, "store")},
	}
	f.greet(t)
	return f
}

// greet logs in everywhere, once: the first login and the first sudo leave
// files of their own, and it is not these that a test is about.
func (f *fleet) greet(t testing.TB) {
	t.Helper()
	p, err := newProvisioner(f.cfg)
	if err != nil {
		t.Fatal(err)
	}
	machines, end, err := p.(*provisioner).connect(p.(*provisioner).inv.Hosts)
	if err != nil {
		t.Fatal(err)
	}
	defer end()
	for _, m := range machines {
		if _, err := m.remote.Root(remote.Guard{}).Exec(soon(t), cluster.Command("true")); err != nil {
			t.Fatal(err)
		}
	}
}

// inside runs a script in a host by other means than SSH.
func (f *fleet) inside(t testing.TB, name, script string) string {
	t.Helper()
	return docker(t, "exec", name, "timeout", "60", "sh", "-euc", script)
}

// everything is what the engine and the host itself say of its files, packages,
// mounts, links, routes, rules and modules: more than our own state, and
// looked at in another way.
func (f *fleet) everything(t testing.TB, name string) map[string]string {
	t.Helper()
	all := map[string]string{}
	for what, script := range map[string]string{
		"files": `find / -xdev \( -path /proc -o -path /sys -o -path /dev -o -path /run -o -path /tmp -o -path /var/log -o -path /var/cache -o -path /var/lib/apt -o -path /var/lib/dpkg -o -path /var/lib/systemd -o -path /var/tmp \) -prune -o -type f -exec sha256sum {} + | grep -v ' /etc/ld.so.cache' | sort
find / -xdev \( -path /proc -o -path /sys -o -path /dev -o -path /run -o -path /tmp -o -path /var/log -o -path /var/cache -o -path /var/lib/apt -o -path /var/lib/dpkg -o -path /var/lib/systemd -o -path /var/tmp \) -prune -o -printf '%p %y %m %U %G %l\n' | sort`,
		"volume":   `find /var/lib -xdev -mindepth 1 -maxdepth 1 | sort`,
		"packages": `dpkg -l | sort`,
		"mounts":   `cut -d ' ' -f 5 /proc/self/mountinfo | sort`,
		"links":    `ls /sys/class/net | sort`,
		"routes":   `ip route; ip rule`,
		"rules":    `iptables-save | grep -e '^-A' -e '^:[^ ]* -' || :; ip6tables-save | grep -e '^-A' -e '^:[^ ]* -' || :`,
		"modules":  `cut -d ' ' -f 1 /proc/modules | sort`,
		"units":    `systemctl list-unit-files --no-legend --no-pager | tr -s " " | sort; systemctl list-units --state=running --no-legend --no-pager --plain | cut -d ' ' -f 1 | grep -v -e session -e user@ -e '^ssh@' | sort`,
		"run":      `ls -A /run | grep -v -e '^user$' -e '^systemd$' -e '^sudo$' | sort`,
		"sysctls":  `for f in net/ipv4/ip_forward fs/inotify/max_user_instances fs/inotify/max_user_watches vm/overcommit_memory kernel/panic kernel/panic_on_oops net/ipv4/conf/all/route_localnet; do echo "$f $(cat /proc/sys/$f)"; done`,
		"users":    `getent passwd; getent group`,
	} {
		all[what] = f.inside(t, name, script)
	}
	return all
}

// same compares what was with what is.
func same(t testing.TB, name string, before, after map[string]string) {
	t.Helper()
	for what, was := range before {
		had, has := map[string]bool{}, map[string]bool{}
		for _, line := range strings.Split(was, "\n") {
			had[line] = true
		}
		for _, line := range strings.Split(after[what], "\n") {
			has[line] = true
			if !had[line] {
				t.Errorf("%s: %s: now there is %q", name, what, line)
			}
		}
		for line := range had {
			if !has[line] {
				t.Errorf("%s: %s: %q is gone", name, what, line)
			}
		}
	}
}

// unchanged looks at all hosts; what it returns wants them to be so again.
func (f *fleet) unchanged(t testing.TB) func(testing.TB) {
	t.Helper()
	before := map[string]map[string]string{}
	for _, name := range f.names {
		before[name] = f.everything(t, name)
	}
	return func(t testing.TB) {
		t.Helper()
		for _, name := range f.names {
			same(t, name, before[name], f.everything(t, name))
		}
	}
}

// candidate is the release of the tests on real hosts.
func candidate(t testing.TB) (*release.Release, cache.Cache) {
	t.Helper()
	if os.Getenv("QUALIFY_E2E") != "1" {
		t.Skip("needs a container engine and minutes: set QUALIFY_E2E=1, and QUALIFY_E2E_MANIFEST to a release's manifest")
	}
	manifest := os.Getenv("QUALIFY_E2E_MANIFEST")
	if manifest == "" {
		t.Skip("QUALIFY_E2E_MANIFEST names no release's manifest: qualify release build makes one")
	}
	ref, err := release.ParseRef(manifest)
	if err != nil {
		t.Fatal(err)
	}
	rel, err := release.Load(ref, release.Options{})
	if err != nil {
		t.Fatal(err)
	}
	c, err := cache.Default()
	if err != nil {
		t.Fatal(err)
	}
	return rel, c
}

// process is in the names of leases: sham hosts share one table of processes,
// also with those of other tests on this machine, and what runs of a lease is
// killed by its name.
var process = strings.ToLower(rand.Text()[:8])

func testLease(name string) provision.Lease {
	return provision.Lease{
		Name: name + "-" + process, Run: "run-1", Cell: "cell-1", Owner: "metal-test/1", Home: "/nowhere",
		Expires: time.Now().Add(time.Hour).UTC().Truncate(time.Second),
	}
}
