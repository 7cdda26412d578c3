package metal

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/qualify-dev/qualify/internal/cluster"
	"github.com/qualify-dev/qualify/internal/inventory"
	"github.com/qualify-dev/qualify/internal/nodeos"
	"github.com/qualify-dev/qualify/internal/provision"
	"github.com/qualify-dev/qualify/internal/remote"
)

// machine is a host of the inventory, and the way to it.
type machine struct {
	inventory.Host
	remote *remote.Host
	facts  facts
}

// Problem is one reason why a host cannot be taken, and what to do about it.
type Problem struct{ Host, Text, Remedy string }

// String is the problem on one line.
func (p Problem) String() string {
	return fmt.Sprintf("host %s: %s; %s", p.Host, p.Text, p.Remedy)
}

// PreflightError is everything that keeps a run from taking the hosts. Nothing
// was changed on any of them.
type PreflightError struct{ Problems []Problem }

// Error has a line for each problem. The first one stands in the first line,
// which is all that a summary shows.
func (e *PreflightError) Error() string {
	var problems []string
	for _, p := range e.Problems {
		problems = append(problems, p.String())
	}
	return fmt.Sprintf("the hosts are not ready, and nothing was changed on them; %d problem(s): %s", len(problems), strings.Join(problems, "\n  "))
}

// What a host must have.
const (
	leastControlPlane = 1500 << 10 // KiB of memory
	leastWorker       = 1024 << 10
	leastDisk         = 6 << 20 // KiB free below /var/lib
	mostSkew          = 2 * time.Second
)

// want is what a cell asks of the hosts.
type want struct {
	os   string // id of nodeos
	arch string // "amd64"; "" is any
}

// preflight looks at all hosts at the same time, changes nothing, and tells all
// that is wrong with all of them. The facts are kept in the machines.
func preflight(ctx context.Context, machines []*machine, w want) error {
	found := make([][]Problem, len(machines))
	err := remote.Each(len(machines), func(i int) error {
		var err error
		found[i], err = look(ctx, machines[i], w)
		return err
	})
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if err != nil {
		return err
	}
	problems := slices.Concat(append(found, unique(machines))...)
	if len(problems) == 0 {
		problems = network(ctx, machines)
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if len(problems) == 0 {
		return nil
	}
	slices.SortStableFunc(problems, func(a, b Problem) int { return cmp.Compare(a.Host, b.Host) })
	return &PreflightError{Problems: problems}
}

// look asks one host for its facts and judges them. The error is a host that
// was not understood; one that cannot be reached is a problem like others.
func look(ctx context.Context, m *machine, w want) ([]Problem, error) {
	root := m.remote.Root(remote.Guard{})
	if _, err := root.Exec(ctx, cluster.Command("true")); err != nil { // so that the time of the login is not the clock's
		return []Problem{{m.Name, err.Error(), "see that it runs, that sshd listens, and that the key and the user are right"}}, nil
	}
	before := time.Now()
	out, err := root.Exec(ctx, cluster.Command("sh", "-c", factsScript))
	after := time.Now()
	if err != nil {
		return []Problem{{m.Name, err.Error(), "it must run a POSIX shell as root"}}, nil
	}
	f, err := parseFacts(out.Stdout)
	if err != nil {
		return nil, fmt.Errorf("host %s: %w", m.Name, err)
	}
	f.skew = f.clock.Sub(before.Add(after.Sub(before) / 2))
	f.doubt = after.Sub(before) / 2
	m.facts = f
	return judge(*m, w), nil
}

// judge is everything that is wrong with one host, by its facts.
func judge(m machine, w want) []Problem {
	f := m.facts
	var all []Problem
	add := func(bad bool, remedy, format string, args ...any) {
		if bad {
			all = append(all, Problem{m.Name, fmt.Sprintf(format, args...), remedy})
		}
	}
	os, err := systemOf(f.osRelease)
	switch {
	case err != nil:
		add(true, "use a host of the cell's operating system, "+w.os, "%v", err)
	case os.ID != w.os:
		add(true, "use another host, or another cell", "it runs %s, the cell is of %s", os.ID, w.os)
	case os.Host == nil:
		add(true, "use another operating system", "%s cannot be made a node: %s", os.Name, os.NoHost)
	default:
		add(!slices.Contains(os.Arches, f.arch), "use another host", "%s is not known on %s", os.Name, f.arch)
	}
	add(os.CgroupV2 != "" && f.cgroups == "v1", "boot it with control groups of version 2", "%s", os.CgroupV2)
	add(w.arch != "" && f.arch != w.arch, "use a host of the release's architecture", "it is %s, the release is for %s", f.arch, w.arch)
	add(f.init != "systemd", "use a host that systemd runs", "its first process is %q", f.init)
	add(f.hostname == "" || f.machineID == "", "set them: hostnamectl, systemd-machine-id-setup", "it has no hostname or no machine-id")
	add(f.skew.Abs() > mostSkew+f.doubt, "let it keep time by NTP (chrony, systemd-timesyncd)", "its clock is off by %s", f.skew.Round(time.Second))
	least := leastWorker
	if m.Role == inventory.ControlPlane {
		least = leastControlPlane
	}
	add(f.memory < least, "give it more", "it has %d MiB of memory, a %s needs %d", f.memory>>10, m.Role, least>>10)
	add(f.disk < leastDisk, "make room", "%d MiB are free below /var/lib, and %d are needed", f.disk>>10, leastDisk>>10)
	add(len(f.swap) > 0, "swapoff -a, and take it out of /etc/fstab", "it swaps to %s", strings.Join(f.swap, ", "))
	add(f.cgroups == "", "boot with cgroups", "it has no cgroups")
	add(len(f.missingModules) > 0, "install the kernel's modules", "the kernel has no %s", strings.Join(f.missingModules, ", "))
	add(f.ownNames(), "name one in /etc/resolv.conf, or run systemd-resolved", "it has no DNS server but itself (%s), and its pods cannot ask that", strings.Join(f.nameservers, ", "))
	for _, port := range f.ports {
		needed := port == 10250 || port == 10256 || m.Role == inventory.ControlPlane
		add(needed, "stop what listens there (ss -ltnp)", "port %d is taken", port)
	}
	add(len(f.foreign) > 0, "it is somebody's: use another host, or let its owner reset it", "it holds a cluster or containers that are not ours: %s", strings.Join(f.foreign, ", "))
	add(f.packageLock, "wait for it, or end it", "another process installs packages")
	private := m.PrivateAddress()
	add(m.Private != "" && !slices.Contains(f.addresses, private), "correct privateAddress", "%s is none of its addresses (%s)", private, strings.Join(f.addresses, ", "))
	if f.lease != "" {
		add(true, "wait for that run, or end it: qualify gc", "it is held by lease %s", f.lease)
	}
	return all
}

// systemOf is the operating system that a host's os-release tells.
func systemOf(text string) (nodeos.OS, error) {
	release, err := nodeos.ParseRelease(text)
	if err != nil {
		return nodeos.OS{}, err
	}
	return nodeos.ByRelease(release)
}

// unique finds hosts that are one machine, or copies of one.
func unique(machines []*machine) []Problem {
	var all []Problem
	for what, of := range map[string]func(facts) string{
		"hostname":   func(f facts) string { return f.hostname },
		"machine-id": func(f facts) string { return f.machineID },
	} {
		first := map[string]string{}
		for _, m := range machines {
			value := of(m.facts)
			switch {
			case value == "":
			case first[value] != "":
				all = append(all, Problem{m.Name, fmt.Sprintf("it has the %s of host %s: %s", what, first[value], value), "give each machine its own: it may be a copy of the other, or the same"})
			default:
				first[value] = m.Name
			}
		}
	}
	return all
}

// reaching asks each address on a host's SSH port. Who refuses is there too.
const reaching = `for a; do ( said=$(timeout 5 bash -c 'exec 3<>"/dev/tcp/${0%% *}/${0##* }"' "$a" 2>&1) && exit 0
case $said in *refused*) exit 0;; esac; echo "$a" ) & done; wait`

// network sees that the hosts reach each other at their private addresses.
func network(ctx context.Context, machines []*machine) []Problem {
	found := make([][]Problem, len(machines))
	err := remote.Each(len(machines), func(i int) error {
		m := machines[i]
		argv := []string{"bash", "-c", reaching, "reach"}
		names := map[string]string{}
		for _, peer := range machines {
			if peer != m {
				place := fmt.Sprintf("%s %d", peer.PrivateAddress(), peer.Access.Port)
				names[place] = peer.Name
				argv = append(argv, place)
			}
		}
		if len(names) == 0 {
			return nil
		}
		out, err := m.remote.Root(remote.Guard{}).Exec(ctx, cluster.Command(argv...))
		if err != nil {
			return err
		}
		for _, line := range strings.Split(strings.TrimSpace(string(out.Stdout)), "\n") {
			if name := names[line]; name != "" {
				found[i] = append(found[i], Problem{m.Name, fmt.Sprintf("it does not reach host %s at %s", name, line), "let the hosts talk to each other: routes, firewalls, privateAddress"})
			}
		}
		return nil
	})
	all := slices.Concat(found...)
	if err != nil {
		all = append(all, Problem{machines[0].Name, "the network between the hosts cannot be looked at: " + err.Error(), "see the message"})
	}
	return all
}

// choose picks the hosts of a cell: the first control plane or, where an
// endpoint leads to all of them, every one, and workers in the order of the file.
func choose(inv *inventory.Inventory, spec provision.Spec) ([]inventory.Host, error) {
	var chosen, workers []inventory.Host
	for _, h := range inv.Hosts {
		switch {
		case h.Role == inventory.ControlPlane && (len(chosen) == 0 || inv.Endpoint != nil):
			chosen = append(chosen, h)
		case h.Role == inventory.Worker && len(workers) < spec.Workers:
			workers = append(workers, h)
		}
	}
	if len(chosen) == 0 {
		return nil, errors.New("the inventory has no control plane")
	}
	if len(workers) < spec.Workers {
		return nil, fmt.Errorf("the cell wants %d workers, the inventory has %d: add hosts, or ask for fewer with workers: in the matrix", spec.Workers, len(workers))
	}
	return append(chosen, workers...), nil
}
