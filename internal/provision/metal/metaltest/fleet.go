// Package metaltest makes machines for tests and measurements of bare metal:
// containers that boot systemd and run sshd, from a Debian root filesystem with
// what an administrator's machine has and no more. After their start they are
// reached by SSH alone; the engine is asked only what a test has to know from
// elsewhere.
package metaltest

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	mathrand "math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/qualify-dev/qualify/internal/cache"
	"github.com/qualify-dev/qualify/internal/debootstrap"
	"github.com/qualify-dev/qualify/internal/inventory"
)

// hostPackages are what the machines have: of a node's packages nothing but
// what Debian installs anyway.
var hostPackages = []string{
	"bash", "ca-certificates", "curl", "dbus", "findutils", "hostname", "iproute2", "iptables", "kmod", "mount", "openssh-server",
	"procps", "psmisc", "sudo", "systemd", "systemd-sysv", "util-linux",
}

// hostScript makes a machine of the userland: containers have neither devices
// nor a firmware to wait for, and each machine makes keys and ids of its own.
// At a second boot it keeps what it has made. The engine's rules for its own DNS
// server, which nobody asks, have another port each time; they are no machine's.
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
  '[ -e /dev/kmsg ] || ln -s /dev/console /dev/kmsg' '[ -s /etc/machine-id ] || tr -d - < /proc/sys/kernel/random/uuid > /etc/machine-id' \
  '[ ! -e /etc/resolv.own ] || cat /etc/resolv.own > /etc/resolv.conf' 'for chain in DOCKER_OUTPUT DOCKER_POSTROUTING; do iptables -w -t nat -F $chain || :; done' \
  'ssh-keygen -A' 'mkdir -p /run/sshd' 'exec /sbin/init' > /usr/local/sbin/boot
chmod 755 /usr/local/sbin/boot
: > /etc/machine-id
`

// Fleet is a network of machines, and what is needed to reach them.
type Fleet struct {
	Name      string
	Names     []string // of the containers, in the order of the inventory
	Dir       string   // holds the inventory and the key
	Inventory string   // path of the file
}

// Options say what machines are made.
type Options struct {
	Machines      int
	ControlPlanes int      // the first so many of them; 0 is 1
	Suite         string   // of Debian
	Packages      []string // beside those that every machine has
	Dir           string   // for the inventory and the key; exists
}

// Docker runs the engine's command line and returns what it prints.
func Docker(ctx context.Context, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, "docker", args...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("docker %s: %w: %s", strings.Join(args, " "), err, stderr.String())
	}
	return strings.TrimSpace(string(out)), nil
}

// image returns the name of the machines' image, made where there is none.
func image(ctx context.Context, c cache.Cache, o Options) (string, error) {
	tar, err := debootstrap.Tar(ctx, c, debootstrap.Recipe{Suite: o.Suite, Packages: append(hostPackages, o.Packages...), Script: hostScript})
	if err != nil {
		return "", err
	}
	name := "qualify/test-host:" + cache.Key("1", tar)[:16]
	if exec.CommandContext(ctx, "docker", "image", "inspect", name).Run() == nil {
		return name, nil
	}
	_, err = Docker(ctx, "import", "--change", "LABEL dev.qualify.cache=test-host", "--change", `ENTRYPOINT ["/usr/local/sbin/boot"]`, tar, name)
	return name, err
}

// Start makes machines and writes their inventory. What it has made when it
// fails is removed.
func Start(ctx context.Context, c cache.Cache, o Options) (*Fleet, error) {
	from, err := image(ctx, c, o)
	if err != nil {
		return nil, err
	}
	f := &Fleet{Name: "qualify-test-metal-" + strings.ToLower(rand.Text()[:8]), Dir: o.Dir, Inventory: filepath.Join(o.Dir, "inventory.yaml")}
	if err := f.start(ctx, from, o); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

func (f *Fleet) start(ctx context.Context, from string, o Options) error {
	// Addresses of their own, which they keep when they are started again.
	prefix := fmt.Sprintf("10.%d.%d.", 200+mathrand.N(40), mathrand.N(256)) //nolint:gosec // nothing secret depends on it
	if _, err := Docker(ctx, "network", "create", "--label", "dev.qualify.test=metal", "--subnet", prefix+"0/24", f.Name); err != nil {
		return err
	}
	for i := range o.Machines {
		name := fmt.Sprintf("%s-%d", f.Name, i)
		f.Names = append(f.Names, name)
		_, err := Docker(ctx, "run", "-d", "--name", name, "--hostname", fmt.Sprintf("m%d", i), "--label", "dev.qualify.test=metal", "--network", f.Name, "--ip", prefix+fmt.Sprint(10+i), "--restart", "always",
			"--privileged", "--cgroupns=private", "--security-opt", "seccomp=unconfined", "--security-opt", "apparmor=unconfined",
			"--tmpfs", "/tmp", "--tmpfs", "/run", "--volume", "/var", "--volume", "/lib/modules:/lib/modules:ro", "--stop-signal", "SIGRTMIN+3", from)
		if err != nil {
			return err
		}
	}
	inv := &inventory.Inventory{}
	for i := range f.Names {
		host, err := f.admit(ctx, i)
		if err != nil {
			return err
		}
		if host.Role = inventory.Worker; i < max(1, o.ControlPlanes) {
			host.Role = inventory.ControlPlane
		}
		inv.Hosts = append(inv.Hosts, host)
	}
	text, err := inv.Marshal()
	if err != nil {
		return err
	}
	return os.WriteFile(f.Inventory, text, 0o600)
}

// admit lets us in on a machine, by a key that the first one makes.
func (f *Fleet) admit(ctx context.Context, i int) (inventory.Host, error) {
	name, key := f.Names[i], filepath.Join(f.Dir, "key")
	user, home := "root", "/root"
	if i%2 == 1 { // half of them by sudo
		user, home = "admin", "/home/admin"
	}
	if _, err := f.Inside(ctx, name, "until systemctl is-active -q ssh; do sleep 0.2; done"); err != nil {
		return inventory.Host{}, err
	}
	if i == 0 {
		made, err := f.Inside(ctx, name, `ssh-keygen -q -t ed25519 -N "" -C test -f /tmp/key; cat /tmp/key.pub /tmp/key; rm /tmp/key /tmp/key.pub`)
		if err != nil {
			return inventory.Host{}, err
		}
		public, private, _ := strings.Cut(made, "\n")
		if err := errors.Join(os.WriteFile(key, []byte(private+"\n"), 0o600), os.WriteFile(key+".pub", []byte(public+"\n"), 0o600)); err != nil {
			return inventory.Host{}, err
		}
	}
	public, err := os.ReadFile(key + ".pub")
	if err != nil {
		return inventory.Host{}, err
	}
	// The engine's DNS server is on each host itself, where no pod reaches it.
	servers, err := os.ReadFile("/etc/resolv.conf")
	if err != nil {
		return inventory.Host{}, err
	}
	told, err := f.Inside(ctx, name, "mkdir -p "+home+"/.ssh; echo '"+strings.TrimSpace(string(public))+"' > "+home+"/.ssh/authorized_keys; chown -R "+user+" "+home+"/.ssh; chmod 700 "+home+"/.ssh\n"+
		"echo '"+strings.ReplaceAll(string(servers), "'", "")+"' > /etc/resolv.own; cat /etc/resolv.own > /etc/resolv.conf\ncut -d ' ' -f 1,2 /etc/ssh/ssh_host_ed25519_key.pub")
	if err != nil {
		return inventory.Host{}, err
	}
	address, err := Docker(ctx, "inspect", "-f", "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}", name)
	return inventory.Host{Name: fmt.Sprintf("m%d", i), Access: inventory.Access{Address: address, Port: 22, User: user, Key: "key", HostKey: told}}, err
}

// Inside runs a script in a machine by other means than SSH.
func (f *Fleet) Inside(ctx context.Context, name, script string) (string, error) {
	return Docker(ctx, "exec", name, "timeout", "60", "sh", "-euc", script)
}

// Close removes the machines. It may be called again.
func (f *Fleet) Close() error {
	var problems error
	for _, name := range f.Names {
		_, err := Docker(context.Background(), "rm", "-f", "-v", name)
		problems = errors.Join(problems, err)
	}
	_, err := Docker(context.Background(), "network", "rm", "-f", f.Name)
	return errors.Join(problems, err)
}
