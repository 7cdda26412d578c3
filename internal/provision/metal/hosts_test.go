package metal

import (
	"bytes"
	"context"
	"crypto/rand"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/qualify-dev/qualify/internal/cache"
	"github.com/qualify-dev/qualify/internal/cluster"
	"github.com/qualify-dev/qualify/internal/debootstrap"
	"github.com/qualify-dev/qualify/internal/inventory"
	"github.com/qualify-dev/qualify/internal/provision"
	"github.com/qualify-dev/qualify/internal/redact"
	"github.com/qualify-dev/qualify/internal/release"
	"github.com/qualify-dev/qualify/internal/remote"
	"github.com/qualify-dev/qualify/internal/remote/remotetest"
	"github.com/qualify-dev/qualify/internal/sink"
)

// The real hosts: containers that boot systemd and run sshd, from a Debian root
// filesystem with what an administrator's machine has and no more. After their
// start they are reached by SSH alone; the engine is asked only what a test
// has to know from elsewhere.

// hostPackages are what the machines have: of a node's packages nothing but
// what Debian installs anyway.
var hostPackages = []string{
	"bash", "ca-certificates", "curl", "dbus", "findutils", "hostname", "iproute2", "iptables", "kmod", "mount", "openssh-server",
	"procps", "psmisc", "sudo", "systemd", "systemd-sysv", "util-linux",
}

// hostScript makes a machine of the userland: containers have neither devices
// nor a firmware to wait for, and each machine makes keys and ids of its own.
const hostScript = `
rm -f /etc/ssh/ssh_host_*
for unit in systemd-udevd.service systemd-udev-trigger.service systemd-binfmt.service getty.target console-getty.service systemd-networkd.service systemd-resolved.service systemd-timesyncd.service systemd-logind.service; do
  ln -sf /dev/null /etc/systemd/system/$unit
done
rm -f /lib/systemd/system/sysinit.target.wants/systemd-tmpfiles-setup.service
mkdir -p /root/.ssh /etc/systemd/system/multi-user.target.wants
useradd -m -s /bin/bash admin
echo 'admin ALL=(ALL) NOPASSWD: ALL' > /etc/sudoers.d/admin
printf '%s\n' '#!/bin/sh' 'set -e' 'mount --make-rshared /' 'mount -o remount,rw /sys' \
  '[ -e /dev/kmsg ] || ln -s /dev/console /dev/kmsg' 'tr -d - < /proc/sys/kernel/random/uuid > /etc/machine-id' \
  'ssh-keygen -A' 'mkdir -p /run/sshd' 'exec /sbin/init' > /usr/local/sbin/boot
chmod 755 /usr/local/sbin/boot
: > /etc/machine-id
`

// fleet is a network of real hosts.
type fleet struct {
	name  string
	names []string
	cfg   provision.Config
}

func docker(t testing.TB, args ...string) string {
	t.Helper()
	cmd := exec.Command("docker", args...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("docker %s: %v: %s", strings.Join(args, " "), err, stderr.String())
	}
	return strings.TrimSpace(string(out))
}

// image returns the name of the machines' image, made where there is none.
func image(t testing.TB, c cache.Cache) string {
	t.Helper()
	tar, err := debootstrap.Tar(context.Background(), c, debootstrap.Recipe{Suite: "bookworm", Packages: hostPackages, Script: hostScript})
	if err != nil {
		t.Fatal(err)
	}
	name := "qualify/test-host:" + cache.Key("1", tar)[:16]
	if exec.Command("docker", "image", "inspect", name).Run() != nil {
		docker(t, "import", "--change", "LABEL dev.qualify.cache=test-host", "--change", `ENTRYPOINT ["/usr/local/sbin/boot"]`, tar, name)
	}
	return name
}

// newFleet starts n hosts and writes their inventory. They are removed after
// the test, whatever it did.
func newFleet(t testing.TB, c cache.Cache, n int) *fleet {
	t.Helper()
	from := image(t, c)
	f := &fleet{name: "qualify-test-metal-" + strings.ToLower(rand.Text()[:8])}
	docker(t, "network", "create", "--label", "dev.qualify.test=metal", f.name)
	t.Cleanup(func() {
		for _, name := range f.names {
			docker(t, "rm", "-f", "-v", name)
		}
		docker(t, "network", "rm", f.name)
	})
	private, public, err := remotetest.Key()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "key"), private, 0o600); err != nil {
		t.Fatal(err)
	}
	inv := &inventory.Inventory{}
	for i := range n {
		name := fmt.Sprintf("%s-%d", f.name, i)
		docker(t, "run", "-d", "--name", name, "--hostname", fmt.Sprintf("m%d", i), "--label", "dev.qualify.test=metal", "--network", f.name,
			"--privileged", "--cgroupns=private", "--security-opt", "seccomp=unconfined", "--security-opt", "apparmor=unconfined",
			"--tmpfs", "/tmp", "--tmpfs", "/run", "--volume", "/var", "--volume", "/lib/modules:/lib/modules:ro", "--stop-signal", "SIGRTMIN+3", from)
		f.names = append(f.names, name)
	}
	for i, name := range f.names {
		address := docker(t, "inspect", "-f", "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}", name)
		user, role := "root", inventory.Worker
		if i == 0 {
			role = inventory.ControlPlane
		}
		home := "/root"
		if i%2 == 1 { // half of them by sudo
			user, home = "admin", "/home/admin"
		}
		f.inside(t, name, "until systemctl is-active -q ssh; do sleep 0.2; done; mkdir -p "+home+"/.ssh; echo '"+strings.TrimSpace(public)+"' > "+home+"/.ssh/authorized_keys; chown -R "+user+" "+home+"/.ssh; chmod 700 "+home+"/.ssh")
		// The engine's DNS server is on each host itself, where no pod reaches it.
		servers, err := os.ReadFile("/etc/resolv.conf")
		if err != nil {
			t.Fatal(err)
		}
		f.inside(t, name, "echo '"+strings.ReplaceAll(string(servers), "'", "")+"' > /etc/resolv.conf")
		key := f.inside(t, name, "cut -d ' ' -f 1,2 /etc/ssh/ssh_host_ed25519_key.pub")
		inv.Hosts = append(inv.Hosts, inventory.Host{Name: fmt.Sprintf("m%d", i), Role: role, Access: inventory.Access{
			Address: address, Port: 22, User: user, Key: "key", HostKey: key,
		}})
	}
	text, err := inv.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "inventory.yaml")
	if err := os.WriteFile(file, text, 0o600); err != nil {
		t.Fatal(err)
	}
	f.cfg = provision.Config{
		CacheDir: c.Dir, Owner: "metal-test/1", Log: t.Logf, Sink: sink.New(redact.New()), Inventory: file,
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

func testLease(name string) provision.Lease {
	return provision.Lease{
		Name: name, Run: "run-1", Cell: "cell-1", Owner: "metal-test/1", Home: "/nowhere",
		Expires: time.Now().Add(time.Hour).UTC().Truncate(time.Second),
	}
}
