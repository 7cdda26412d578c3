package metal

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/qualify-dev/qualify/internal/cluster"
	"github.com/qualify-dev/qualify/internal/nodeos"
	"github.com/qualify-dev/qualify/internal/remote"
)

// The state of a host is a text of sections, each a sorted list of lines. It is
// written down before anything is changed, and is what giving back is
// measured by.
type state map[string][]string

// touched are the places that a node writes to, whoever does: we, kubeadm, the
// kubelet, the pod network. What is there is saved before, and comes back.
func touched(os nodeos.OS) []string {
	all := []string{
		"/etc/cni", "/etc/containerd", "/etc/crictl.yaml", "/etc/kubernetes", "/opt/cni", "/opt/containerd", "/root/.kube",
		"/etc/systemd/system/kubelet.service", "/etc/systemd/system/kubelet.service.d", "/etc/systemd/system/multi-user.target.wants/kubelet.service",
		"/etc/systemd/system/containerd.service", "/etc/systemd/system/containerd.service.d", "/etc/systemd/system/multi-user.target.wants/containerd.service",
		"/run/cni-ipam-state", "/run/flannel", "/usr/libexec/kubernetes", "/var/lib/cni", "/var/lib/etcd", "/var/lib/kubelet", "/var/log/containers", "/var/log/pods",
	}
	for _, program := range append([]string{"kubeadm", "kubectl", "kubelet"}, runtimePrograms...) {
		all = append(all, os.Host.BinDir+"/"+program)
	}
	return all
}

// fresh are the places that programs of a node make and others may have too,
// with more in them than can be saved: they go where they were not there.
var fresh = []string{"/run/containerd", "/run/kubernetes", "/run/netns", "/run/xtables.lock", "/var/lib/containerd"}

// sysctls are what a node needs of the kernel, by their files below /proc/sys.
// A kernel without one of them does not need it.
var sysctls = []struct{ name, value string }{
	{"net/ipv4/ip_forward", "1"}, {"net/bridge/bridge-nf-call-iptables", "1"}, {"net/bridge/bridge-nf-call-ip6tables", "1"},
	{"fs/inotify/max_user_instances", "8192"}, {"fs/inotify/max_user_watches", "1048576"}, {"vm/overcommit_memory", "1"},
	{"kernel/panic", "10"}, {"kernel/panic_on_oops", "1"}, {"net/ipv4/conf/all/route_localnet", ""}, {"net/ipv4/vs/conntrack", ""},
}

// stateScript prints the state. It only reads. Counters of packets, and the
// chains that an empty table has, say nothing and are left out.
func stateScript(os nodeos.OS) string {
	var s strings.Builder
	s.WriteString("export LC_ALL=C\nsection() { echo \"[$1]\"; }\n")
	s.WriteString("section packages\n( " + os.Host.Manager.List + " ) | sort\n")
	s.WriteString("section modules\ncut -d ' ' -f 1 /proc/modules 2>/dev/null | sort\n")
	s.WriteString("section sysctls\n")
	for _, c := range sysctls {
		fmt.Fprintf(&s, "if [ -e /proc/sys/%s ]; then echo \"%s $(cat /proc/sys/%s)\"; fi\n", c.name, c.name, c.name)
	}
	s.WriteString(`section mounts
while read -r _ _ _ _ at _; do case $at in /run/user/*|/proc/sys/fs/binfmt_misc*|/run/credentials/*) ;; *) echo "$at";; esac; done < /proc/self/mountinfo | sort
section links
ip -o link 2>/dev/null | while read -r _ name _; do name=${name%:}; echo "${name%%@*}"; done | sort
section routes
ip -4 route show 2>/dev/null | sed 's/ *$//' | sort
section rules
for v in iptables ip6tables; do
  if command -v $v-save >/dev/null 2>&1; then
    table=; $v-save 2>/dev/null | while read -r line; do case $line in
      "*"*) table=${line#?};;
      :*" - "*) echo "$v $table chain ${line%% *}";;
      -A*) echo "$v $table $line";;
    esac; done | sort
  fi
done
section swap
tail -n +2 /proc/swaps | while read -r device _; do echo "$device"; done | sort
section guards
( ` + os.Host.Guards() + ` )
section units
`)
	for _, unit := range os.Host.Units() {
		// A unit that is not there has no state, and systemctl has three ways to say so.
		fmt.Fprintf(&s, "echo \"%s $(systemctl is-enabled %s 2>/dev/null | head -n 1) $(systemctl is-active %s 2>/dev/null | head -n 1)\" | sed 's/ not-found / /; s/  */ /; s/ failed$/ inactive/'\n", unit, unit, unit)
	}
	// The control groups of pods are units that outlive what ran in them.
	s.WriteString("systemctl list-units --all --plain --no-legend --no-pager 'kubepods*' 'cri-containerd-*' 2>/dev/null | while read -r unit _; do echo \"$unit\"; done | sort\n")
	s.WriteString("section files\n{\n")
	fmt.Fprintf(&s, "find /etc /opt /usr/local /usr/libexec /root /home -xdev \\( -path /root/.cache -o -path %s -o -name '.*.swp' \\) -prune -o -type d -printf '%%p d %%m %%u\\n' -o -type l -printf '%%p l %%l\\n' -o -printf '%%p %%y %%m %%u %%s\\n' 2>/dev/null\n", home)
	s.WriteString(`find /etc -xdev -type f -exec sha256sum {} + 2>/dev/null
for at in ` + strings.Join(fresh, " ") + `; do if [ -e "$at" ]; then echo "$at"; fi; done
find /var/lib -xdev -mindepth 1 -maxdepth 1 -not -name qualify -not -name '.qualify*' -not -name 'qualify-*' -not -name containerd 2>/dev/null
} | grep -v -e '^/etc/mtab' -e '/etc/ld.so.cache' -e '/etc/resolv.conf' -e '/etc/.pwd.lock' | sort
`)
	return s.String()
}

// parseState reads a state. It came from outside.
func parseState(text []byte) (state, error) {
	s := state{}
	section := ""
	lines := bufio.NewScanner(bytes.NewReader(text))
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		line := lines.Text()
		if name, ok := strings.CutPrefix(line, "["); ok && strings.HasSuffix(name, "]") && !strings.Contains(name, " ") {
			section = strings.TrimSuffix(name, "]")
			s[section] = []string{}
			continue
		}
		if section == "" {
			return nil, fmt.Errorf("the state of the host begins with %q", line)
		}
		s[section] = append(s[section], line)
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("reading the state of the host: %w", err)
	}
	for _, name := range []string{"packages", "modules", "sysctls", "mounts", "links", "routes", "rules", "swap", "units", "files"} {
		if s[name] == nil {
			return nil, fmt.Errorf("the state of the host has no %s", name)
		}
		slices.Sort(s[name])
	}
	return s, nil
}

// added are the lines of a section that are only in b.
func added(a, b state, section string) []string {
	var only []string
	for _, line := range b[section] {
		if _, found := slices.BinarySearch(a[section], line); !found {
			only = append(only, line)
		}
	}
	return only
}

// differences are what is in one state and not in the other, for people.
func differences(before, after state) []string {
	var all []string
	for section := range before {
		for _, line := range added(before, after, section) {
			all = append(all, section+": + "+line)
		}
		for _, line := range added(after, before, section) {
			all = append(all, section+": - "+line)
		}
	}
	slices.Sort(all)
	return all
}

// record writes down the state, and saves what is at the places that a node
// writes to. Until its last step the host is as it was, and giving it back is
// removing the home. It is done once for a lease.
func record(ctx context.Context, root remote.Root, os nodeos.OS) error {
	script := `if [ -e "$0/before" ]; then exit 0; fi
mkdir -p "$0/saved"
for at; do if [ -e "$at" ] || [ -L "$at" ]; then mkdir -p "$0/saved${at%/*}"; rm -rf "$0/saved$at"; cp -a "$at" "$0/saved$at"; fi; done
( ` + stateScript(os) + ` ) > "$0/before.new"
sync -f "$0" 2>/dev/null || sync
mv -T "$0/before.new" "$0/before"; sync -f "$0" 2>/dev/null || sync`
	_, err := root.Exec(ctx, cluster.Command(append([]string{"sh", "-euc", script, home}, touched(os)...)...))
	if err != nil {
		return fmt.Errorf("writing down the state of the host: %w", err)
	}
	return nil
}

// recorded reads the state that was written down; nil where nothing was
// changed yet.
func recorded(ctx context.Context, root remote.Root) (state, error) {
	out, err := root.Exec(ctx, cluster.Command("sh", "-euc", `if [ -e "$1/before" ]; then cat "$1/before"; fi`, "sh", home))
	if err != nil || len(out.Stdout) == 0 {
		return nil, err
	}
	return parseState(out.Stdout)
}

// observe asks for the state as it is now.
func observe(ctx context.Context, root remote.Root, os nodeos.OS) (state, error) {
	out, err := root.Exec(ctx, cluster.Script(stateScript(os)))
	if err != nil {
		return nil, fmt.Errorf("looking at the state of the host: %w", err)
	}
	return parseState(out.Stdout)
}
