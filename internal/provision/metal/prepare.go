package metal

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"golang.org/x/sync/errgroup"

	"github.com/qualify-dev/qualify/internal/cluster"
	"github.com/qualify-dev/qualify/internal/inventory"
	"github.com/qualify-dev/qualify/internal/nodeos"
	"github.com/qualify-dev/qualify/internal/release"
	"github.com/qualify-dev/qualify/internal/remote"
)

// preparer makes nodes of hosts that are held and whose state was written down.
type preparer struct {
	rel   *release.Release
	store *release.Store
	os    nodeos.OS
	// runtime is brought in place of the system's own; nil where that runs.
	runtime *release.Release
	// parts are what the nodes are given beside the release; their images go
	// to all nodes.
	parts   []*release.Release
	digests *digests
}

// system brings the operating system to where a node can run: packages,
// modules, settings of the kernel. It may be run again.
func (p preparer) system(ctx context.Context, root remote.Root) error {
	_, err := root.Exec(ctx, cluster.Command(append([]string{"sh", "-euc", p.script(), home}, p.os.Host.NodePackages(p.runtime == nil)...)...))
	if err != nil {
		return fmt.Errorf("preparing the operating system: %w", err)
	}
	return nil
}

// script is what system runs; its arguments are packages.
func (p preparer) script() string {
	m := p.os.Host.Manager
	var s strings.Builder
	line := func(format string, args ...any) { fmt.Fprintf(&s, format+"\n", args...) }
	// From here on the host is changed.
	line("touch \"$0/changed\"; sync -f \"$0\" 2>/dev/null || sync")
	line("missing=$( %s\n)", m.Missing)
	line("if [ -n \"$missing\" ]; then set -- $missing\n( %s ) > \"$0/packages.new\" || { ( %s ) >&2; ( %s ) > \"$0/packages.new\"; }", m.Plan, m.Refresh, m.Plan)
	line("cat \"$0/packages.new\" >> \"$0/packages\"; sync -f \"$0\" 2>/dev/null || sync\n( %s ) >&2\nfi", m.Install)
	s.WriteString(kernelScript())
	s.WriteString(p.os.Host.Prepare())
	line("mkdir -p /etc/cni/net.d /opt/cni/bin /etc/containerd /etc/kubernetes/manifests %s", p.os.Host.BinDir)
	return s.String()
}

// kernelScript sets what a node needs of the kernel, until the next boot.
func kernelScript() string {
	var s strings.Builder
	s.WriteString("for module in overlay br_netfilter nf_conntrack; do modprobe $module 2>/dev/null || :; done\n")
	for _, c := range sysctls {
		if c.value != "" {
			fmt.Fprintf(&s, "if [ -w /proc/sys/%s ]; then echo %s > /proc/sys/%s 2>/dev/null || :; fi\n", c.name, c.value, c.name)
		}
	}
	return s.String()
}

// settings writes what the node's programs read, and starts containerd.
func (p preparer) settings(ctx context.Context, m *machine, root remote.Root, kubeadm string) error {
	pause, err := p.rel.Asset("pause-image")
	if err != nil {
		return err
	}
	files := []struct{ at, text string }{
		{"/etc/containerd/config.toml", containerdConfig(pause.URI, m.facts)},
		{"/etc/systemd/system/kubelet.service", kubeletUnit(p.os.Host.BinDir)},
		{"/etc/crictl.yaml", "runtime-endpoint: unix:///run/containerd/containerd.sock\n"},
		{kubeadmConfig, kubeadm},
	}
	if at, text := p.runtimeUnit(); at != "" {
		files = append(files, struct{ at, text string }{at, text})
	}
	if err := p.bringRuntime(ctx, root, m.facts.arch); err != nil {
		return err
	}
	for _, f := range files {
		if err := root.Put(ctx, f.at, 0o600, strings.NewReader(f.text)); err != nil {
			return err
		}
	}
	const start = `systemctl daemon-reload; systemctl enable -q containerd kubelet; systemctl restart containerd
i=0; until ctr version >/dev/null 2>&1; do i=$((i+1)); if [ $i -gt 100 ]; then journalctl --no-pager -q -n 20 -u containerd >&2; exit 1; fi; sleep 0.1; done`
	if _, err := root.Exec(ctx, cluster.Script(start)); err != nil {
		return fmt.Errorf("starting the containerd of the node OS: %w", err)
	}
	return p.provenRuntime(ctx, root, m.facts.arch)
}

// asset stages one asset of the release and returns its place on the host.
func (p preparer) asset(ctx context.Context, root remote.Root, name string) (string, error) {
	return p.assetOf(ctx, root, p.rel, name)
}

func (p preparer) assetOf(ctx context.Context, root remote.Root, of *release.Release, name string) (string, error) {
	local, err := p.store.Fetch(ctx, of, name)
	if err != nil {
		return "", err
	}
	return p.stage(ctx, root, local)
}

// stage sends a verified file of the store to its place on the host.
func (p preparer) stage(ctx context.Context, root remote.Root, local string) (string, error) {
	sum, err := p.digests.of(local)
	if err != nil {
		return "", err
	}
	at := home + "/stage/" + sum
	return at, root.Stage(ctx, local, sum, at)
}

// programs puts the release's programs and CNI plugins in place.
func (p preparer) programs(ctx context.Context, root remote.Root, arch string) error {
	err := sideBySide(ctx, []string{"kubelet", "kubeadm", "kubectl"}, func(ctx context.Context, name string) error {
		local, _, err := p.store.Program(ctx, p.rel, arch, name)
		if err != nil {
			return err
		}
		at, err := p.stage(ctx, root, local)
		if err != nil {
			return err
		}
		if _, err := root.Exec(ctx, cluster.Command("install", "-m", "755", at, p.os.Host.BinDir+"/"+name)); err != nil {
			return fmt.Errorf("installing %s: %w", name, err)
		}
		return nil
	})
	if err != nil {
		return err
	}
	plugins := ""
	for _, a := range p.rel.Assets() {
		if a.Type == release.Archive && strings.HasPrefix(a.Name, "cni-plugins-linux-"+arch+"-") {
			plugins = a.Name
		}
	}
	if plugins == "" {
		return fmt.Errorf("release %s has no CNI plugins for linux/%s", p.rel.Name, arch)
	}
	at, err := p.asset(ctx, root, plugins)
	if err != nil {
		return err
	}
	// An archive of plain files without folders, and nothing else.
	const unpack = `if tar -tzvf "$1" | grep -v -e '^-[^/]* [^/]* [^/]*$' -e '^-.* root/root .* \(\./\)\?[A-Za-z0-9._-]*$' -e '^-.* [0-9]*/[0-9]* .* \(\./\)\?[A-Za-z0-9._-]*$' -e '^d.* \./$' >&2; then echo "the archive of CNI plugins has more than plain files" >&2; exit 1; fi
tar -xzf "$1" -C /opt/cni/bin --no-same-owner`
	if _, err := root.Exec(ctx, cluster.Command("sh", "-euc", unpack, "unpack", at)); err != nil {
		return fmt.Errorf("unpacking the CNI plugins: %w", err)
	}
	return nil
}

// transfers is how many files go to a host at a time. An SSH server lets ten
// sessions into a connection, and others than transfers need some.
const transfers = 3

// sideBySide does something with each of a list, a few at a time, until one fails.
func sideBySide[T any](ctx context.Context, all []T, do func(context.Context, T) error) error {
	work, ctx := errgroup.WithContext(ctx)
	work.SetLimit(transfers)
	for _, one := range all {
		work.Go(func() error { return do(ctx, one) })
	}
	return work.Wait()
}

// node makes a host one that kubeadm can work on.
func (p preparer) node(ctx context.Context, m *machine, root remote.Root, kubeadm string) error {
	if err := p.system(ctx, root); err != nil {
		return err
	}
	work, ctx := errgroup.WithContext(ctx)
	work.Go(func() error { return p.programs(ctx, root, m.facts.arch) })
	work.Go(func() error {
		if err := p.settings(ctx, m, root, kubeadm); err != nil {
			return err
		}
		return p.images(ctx, m, root)
	})
	return work.Wait()
}

// open reads an inventory file.
func open(path string) (*inventory.Inventory, error) {
	if path == "" {
		return nil, errors.New("no inventory: name the file that lists the machines with --inventory")
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("reading the inventory: %w", err)
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, 2<<20))
	if err != nil {
		return nil, fmt.Errorf("reading the inventory: %w", err)
	}
	return inventory.Load(path, data)
}
