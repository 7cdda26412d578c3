package metal

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"math"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"
)

// facts are what a host says of itself before anything is changed on it.
type facts struct {
	osRelease           string // the text of /etc/os-release
	arch, kernel, init  string
	hostname, machineID string
	memory, disk        int // KiB
	swap, addresses     []string
	cgroups             string // "v1", "v2"
	missingModules      []string
	ports               []int    // taken ones of those that a node needs
	foreign             []string // signs of a cluster, or of containers
	packageLock         bool
	lease               string   // of ours, that holds it
	container           string   // what kind of container the host is; "" or "none": none
	nameservers         []string // that its pods would ask for names of others
	lessRights          bool     // CAP_SYS_RESOURCE is outside the bounding set
	clock               time.Time
	skew, doubt         time.Duration // of its clock, from ours
}

// factsScript prints a line "key value" for each fact. It only reads.
const factsScript = `say() { echo "$1 $2"; }
say clock "$(date +%s.%N)"
{ head -c 65537 /etc/os-release; echo; } | while read -r line; do say os-release "$line"; done
say arch "$(uname -m)"; say kernel "$(uname -r)"; say init "$(cat /proc/1/comm)"
say hostname "$(uname -n)"; say machine-id "$(cat /etc/machine-id 2>/dev/null)"
say memory "$(sed -n 's/^MemTotal: *\([0-9]*\) kB/\1/p' /proc/meminfo)"
say disk "$(df -Pk /var/lib | tail -n 1 | { read -r _ _ _ free _; echo "$free"; })"
tail -n +2 /proc/swaps | while read -r device _; do say swap "$device"; done
if [ -e /sys/fs/cgroup/cgroup.controllers ]; then say cgroups v2; elif [ -d /sys/fs/cgroup/memory ]; then say cgroups v1; fi
say container "$(systemd-detect-virt --container 2>/dev/null)"
names=/etc/resolv.conf; if [ -e /run/systemd/resolve/resolv.conf ]; then names=/run/systemd/resolve/resolv.conf; fi
while read -r word server _; do if [ "$word" = nameserver ]; then say nameserver "$server"; fi; done < $names
say capabilities "$(sed -n 's/^CapBnd:[[:space:]]*//p' /proc/self/status)"
grep -qw overlay /proc/filesystems || modprobe -n overlay 2>/dev/null || say missing-module overlay
[ -e /proc/net/nf_conntrack ] || [ -e /proc/sys/net/netfilter ] || modprobe -n nf_conntrack 2>/dev/null || say missing-module nf_conntrack
cat /proc/net/tcp /proc/net/tcp6 2>/dev/null | while read -r _ local _ state _; do if [ "$state" = 0A ]; then say port "${local##*:}"; fi; done
ip -o addr show 2>/dev/null | while read -r _ _ family address _; do case $family in inet*) say address "${address%%/*}";; esac; done
for sign in /etc/kubernetes/*.conf /etc/kubernetes/manifests/* /var/lib/etcd/* /var/lib/kubelet/* /etc/rancher /var/lib/rancher /var/lib/k0s /var/snap/microk8s; do
  if [ -e "$sign" ]; then say foreign "$sign"; fi
done
for task in /run/containerd/io.containerd.runtime.v2.task/*/*; do if [ -d "$task" ]; then say foreign "$task"; fi; done
for program in kubelet dockerd crio k3s k0s etcd kube-apiserver; do if pgrep -x "$program" >/dev/null 2>&1; then say foreign "process $program"; fi; done
for lock in /var/lib/dpkg/lock-frontend /var/lib/rpm/.rpm.lock; do
  if [ -e "$lock" ] && command -v fuser >/dev/null 2>&1 && fuser "$lock" >/dev/null 2>&1; then say package-lock "$lock"
  elif [ -e "$lock" ] && grep -q ":$(stat -c %i "$lock") " /proc/locks 2>/dev/null; then say package-lock "$lock"; fi
done
if [ -d /var/lib/qualify ]; then say lease "$(cat /var/lib/qualify/name 2>/dev/null || echo unknown)"; fi
say end end`

// contained tells a host that is itself a container: the kernel's settings are
// not its own.
func (f facts) contained() bool { return f.container != "" && f.container != "none" }

// ownNames tells a host whose only DNS servers are on itself. Pods would ask
// themselves.
func (f facts) ownNames() bool {
	return !slices.ContainsFunc(f.nameservers, func(s string) bool {
		address, err := netip.ParseAddr(s)
		return err == nil && !address.IsLoopback()
	})
}

// nodePorts are what a node of a cluster listens on.
var nodePorts = []int{2379, 2380, 6443, 10250, 10256, 10257, 10259}

// maxFacts bounds what a host may say, in bytes.
const maxFacts = 1 << 20

// parseFacts reads what a host said. It came from outside: numbers may be no
// numbers, and it may have stopped in the middle.
func parseFacts(text []byte) (facts, error) {
	if len(text) > maxFacts {
		return facts{}, fmt.Errorf("it says %d bytes of itself", len(text))
	}
	var f facts
	var problems []error
	ended := false
	lines := bufio.NewScanner(bytes.NewReader(text))
	lines.Buffer(nil, maxFacts)
	for lines.Scan() {
		key, value, _ := strings.Cut(lines.Text(), " ")
		if len(value) > 1000 {
			value = value[:1000]
		}
		value = strings.Map(printable, value)
		ended = key == "end"
		if err := f.read(key, value); err != nil {
			problems = append(problems, fmt.Errorf("what it says of itself is not understood: %s %q: %w", key, value, err))
		}
	}
	if !ended && len(problems) == 0 {
		problems = append(problems, errors.New("it did not end what it said of itself"))
	}
	return f, errors.Join(problems...)
}

func printable(r rune) rune {
	if r < ' ' || r == 0x7f {
		return -1
	}
	return r
}

func (f *facts) read(key, value string) error {
	texts := map[string]*string{
		"kernel": &f.kernel, "init": &f.init, "hostname": &f.hostname,
		"machine-id": &f.machineID, "cgroups": &f.cgroups, "lease": &f.lease, "container": &f.container,
	}
	lists := map[string]*[]string{"swap": &f.swap, "address": &f.addresses, "missing-module": &f.missingModules, "foreign": &f.foreign, "nameserver": &f.nameservers}
	numbers := map[string]*int{"memory": &f.memory, "disk": &f.disk}
	var err error
	switch {
	case key == "os-release":
		f.osRelease += value + "\n"
	case texts[key] != nil:
		*texts[key] = value
	case lists[key] != nil:
		if len(*lists[key]) < 100 {
			*lists[key] = append(*lists[key], value)
		}
	case numbers[key] != nil:
		*numbers[key], err = strconv.Atoi(value)
	case key == "arch":
		f.arch = value
		if name := map[string]string{"x86_64": "amd64", "aarch64": "arm64"}[value]; name != "" {
			f.arch = name
		}
	case key == "clock":
		var seconds float64
		seconds, err = strconv.ParseFloat(value, 64)
		if err == nil && (math.IsNaN(seconds) || seconds < 0 || seconds > 1e10) {
			err = errors.New("no time")
		}
		if err == nil {
			f.clock = time.Unix(0, int64(seconds*1e9))
		}
	case key == "port":
		var port uint64
		port, err = strconv.ParseUint(value, 16, 16)
		if slices.Contains(nodePorts, int(port)) && !slices.Contains(f.ports, int(port)) {
			f.ports = append(f.ports, int(port))
		}
	case key == "capabilities":
		var bits uint64
		bits, err = strconv.ParseUint(value, 16, 64)
		const capSysResource = 24
		f.lessRights = bits&(1<<capSysResource) == 0
	case key == "package-lock":
		f.packageLock = true
	}
	return err
}
