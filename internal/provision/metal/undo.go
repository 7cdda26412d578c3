package metal

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/qualify-dev/qualify/internal/bootstrap"
	"github.com/qualify-dev/qualify/internal/cluster"
	"github.com/qualify-dev/qualify/internal/nodeos"
	"github.com/qualify-dev/qualify/internal/provision"
	"github.com/qualify-dev/qualify/internal/remote"
)

// errDiffers marks a host that is not as it was.
var errDiffers = errors.New("the host is not as it was before")

// stopScript ends all that runs of a cluster: what would go on changing the
// host while it is put in order. Each step may find nothing to do. The commands
// that a cancelled or killed Up has begun are known by their environment.
const stopScript = `i=0
while [ $i -lt 50 ]; do
  work=$(grep -slz "^$2=$1\$" /proc/[0-9]*/environ)
  if [ -z "$work" ]; then break; fi
  for f in $work; do p=${f#/proc/}; kill -KILL "${p%/environ}" 2>/dev/null || :; done
  sleep 0.1; i=$((i+1))
done
systemctl stop kubelet 2>/dev/null || :
if [ -S /run/containerd/containerd.sock ] && [ -e "$0/changed" ]; then
  for task in $(timeout 20 ctr -n k8s.io tasks ls -q 2>/dev/null); do timeout 10 ctr -n k8s.io tasks kill -s KILL "$task" >/dev/null 2>&1 || :; done
fi
if [ -e "$0/changed" ]; then systemctl stop containerd 2>/dev/null || :; fi
for p in $(pgrep -f "^[^ ]*containerd-shim[^ ]* -namespace k8s.io" || :); do
  for child in $(pgrep -P "$p" || :); do kill -KILL "$child" 2>/dev/null || :; done
  kill -KILL "$p" 2>/dev/null || :
done
i=0; while pgrep -f "^[^ ]*containerd-shim[^ ]* -namespace k8s.io" >/dev/null && [ $i -lt 50 ]; do sleep 0.2; i=$((i+1)); done
if [ -e "$0/changed" ]; then systemctl stop 'cri-containerd-*' kubepods.slice 2>/dev/null || :; fi
`

// undo gives a host back: everything that a node has brought is removed, and
// what was there before comes back. It may be run again, from any process.
func undo(ctx context.Context, m *machine, lease provision.Lease, os nodeos.OS) error {
	root := m.remote.Root(guard(lease))
	before, err := recorded(ctx, root)
	if err != nil {
		return err
	}
	if before == nil {
		return letGo(ctx, root)
	}
	if _, err := root.Exec(ctx, cluster.Command("sh", "-uc", stopScript, home, lease.Name, workMark)); err != nil {
		return fmt.Errorf("stopping the node: %w", err)
	}
	now, err := observe(ctx, root, os)
	if err != nil {
		return err
	}
	if _, err := root.Exec(ctx, cluster.Command("sh", "-uc", undoScript(before, now, os), home)); err != nil {
		return fmt.Errorf("undoing: %w", err)
	}
	if now, err = observe(ctx, root, os); err != nil {
		return err
	}
	if left := differences(before, now); len(left) > 0 {
		const most = 20
		text := strings.Join(left[:min(most, len(left))], "\n  ")
		return fmt.Errorf("%w (%d differences; %s/saved has what was there):\n  %s", errDiffers, len(left), home, text)
	}
	return letGo(ctx, root)
}

// letGo ends the hold of a host that is as it was. The home loses its name
// first: what is half removed is nobody's.
func letGo(ctx context.Context, root remote.Root) error {
	_, err := root.Exec(ctx, cluster.Command("sh", "-euc", `mv -T "$1" "$1-gone"; rm -rf "$1-gone"`, "release", home))
	if err != nil {
		return fmt.Errorf("letting the host go: %w", err)
	}
	return nil
}

// undoScript takes away what is new and brings back what is gone. Names that
// the host has told are quoted: they come from outside.
func undoScript(before, now state, os nodeos.OS) string {
	var s strings.Builder
	line := func(format string, args ...any) { fmt.Fprintf(&s, format+"\n", args...) }
	mounts := added(before, now, "mounts")
	slices.Reverse(mounts) // those below others first
	for _, at := range mounts {
		if ofNodes(at, "/var/lib/kubelet/", "/var/lib/qualify/", "/run/qualify-containerd/", "/run/netns/", "/var/run/netns/", "/run/containerd/") {
			line("umount -l -- %s", word(at))
		}
	}
	for _, link := range added(before, now, "links") {
		if ofNodes(link, "veth", "cni", "kube-", "nodelocaldns", "flannel") {
			line("ip link delete %s 2>/dev/null", word(link))
		}
	}
	for _, route := range added(before, now, "routes") {
		if ofNodes(route, podPrefix) {
			line("ip -4 route delete %s 2>/dev/null", words(route))
		}
	}
	undoRules(&s, before, now)
	undoPackages(&s, before, now, os)
	for _, at := range touched(os) {
		line("rm -rf %s %s.put-*", word(at), word(at)) // also what a cut Put has left
		line("if [ -e \"$0/saved\"%s ] || [ -L \"$0/saved\"%s ]; then mkdir -p %s; cp -a \"$0/saved\"%s %s; fi", word(at), word(at), word(at[:strings.LastIndex(at, "/")]), word(at), word(at))
	}
	dirs := added(before, now, "files")
	slices.Reverse(dirs) // those below others first
	for _, at := range dirs {
		// A directory that is new and has nothing in it any more was made on the way.
		if fields := strings.Fields(at); len(fields) == 4 && fields[1] == "d" {
			line("rmdir -- %s 2>/dev/null", word(fields[0]))
		}
	}
	for _, c := range before["sysctls"] {
		if name, value, ok := strings.Cut(c, " "); ok && slices.ContainsFunc(sysctls, func(known struct{ name, value string }) bool { return known.name == name }) {
			line("[ \"$(cat /proc/sys/%s)\" = %s ] || echo %s > /proc/sys/%s", name, word(value), word(value), name)
		}
	}
	// One uses another, and nobody says which: what is still used goes the next time.
	for range 3 {
		for _, module := range added(before, now, "modules") {
			line("modprobe -r %s 2>/dev/null", word(module))
		}
	}
	for _, device := range added(now, before, "swap") {
		line("swapon %s", word(device))
	}
	if restore := os.Host.Restore(before["guards"]); restore != "" {
		line("%s", restore)
	}
	line("systemctl daemon-reload; systemctl reset-failed kubelet containerd 2>/dev/null")
	undoUnits(&s, before, os)
	line("rm -rf /run/qualify-containerd")
	for _, at := range fresh {
		if !slices.Contains(before["files"], at) {
			line("rm -rf %s", at)
		}
	}
	line("exit 0")
	return s.String()
}

// podPrefix begins the addresses of pods.
var podPrefix = bootstrap.PodSubnet[:strings.Index(bootstrap.PodSubnet, ".0.0/")+1]

// ofNodes tells what nodes make from what somebody else has made meanwhile:
// that is not ours to remove, and is told as a difference.
func ofNodes(text string, prefixes ...string) bool {
	return slices.ContainsFunc(prefixes, func(p string) bool { return strings.HasPrefix(text, p) })
}

// undoPackages removes what is new, of that which installing was going to
// install. A package of which there is another version now is not new:
// without it the host would be further from what it was.
func undoPackages(s *strings.Builder, before, now state, os nodeos.OS) {
	const planned = `"$0/packages"`
	had := map[string]bool{}
	for _, p := range before["packages"] {
		had[packageName(p)] = true
	}
	fmt.Fprintf(s, "if [ -s %s ]; then set --\n", planned)
	for _, p := range added(before, now, "packages") {
		name := packageName(p)
		switch keys := os.Host.Manager.Keys; {
		case name == "" || had[name]:
		case keys != "" && strings.HasPrefix(name, keys):
			fmt.Fprintf(s, "  set -- \"$@\" %s\n", word(name))
		default:
			fmt.Fprintf(s, "  if grep -qxF -e %s %s; then set -- \"$@\" %s; fi\n", word(name), planned, word(name))
		}
	}
	fmt.Fprintf(s, "  if [ $# -gt 0 ]; then ( %s ) >&2; fi\nfi\n", os.Host.Manager.Remove)
}

// packageName is the name in a line of the list of packages.
func packageName(line string) string {
	fields := strings.Fields(strings.TrimPrefix(line, "ii "))
	if len(fields) == 0 {
		return ""
	}
	return fields[0]
}

// undoRules removes rules, then chains, that are new.
func undoRules(s *strings.Builder, before, now state) {
	var chains []string
	for _, rule := range added(before, now, "rules") {
		if !strings.Contains(rule, "KUBE-") && !strings.Contains(rule, "CNI-") && !strings.Contains(rule, bootstrap.PodSubnet) && !strings.Contains(rule, bootstrap.ServiceSubnet) {
			continue
		}
		tool, rest, _ := strings.Cut(rule, " ")
		table, rest, _ := strings.Cut(rest, " ")
		if name, ok := strings.CutPrefix(rest, "chain :"); ok {
			fmt.Fprintf(s, "%s -w -t %s -F %s\n", word(tool), word(table), word(name))
			chains = append(chains, fmt.Sprintf("%s -w -t %s -X %s\n", word(tool), word(table), word(name)))
			continue
		}
		if strings.Contains(rest, "'") || !strings.HasPrefix(rest, "-A ") {
			continue
		}
		fmt.Fprintf(s, "%s -w -t %s -D %s 2>/dev/null\n", word(tool), word(table), ruleWords(strings.TrimPrefix(rest, "-A ")))
	}
	for _, chain := range chains {
		s.WriteString(chain)
	}
}

// ruleWords quotes a rule as iptables-save prints it: words, of which some
// stand in double quotes.
func ruleWords(rule string) string {
	var quoted []string
	for i, part := range strings.Split(rule, `"`) {
		if i%2 == 1 {
			quoted = append(quoted, word(part))
			continue
		}
		quoted = append(quoted, words(part))
	}
	return strings.Join(quoted, " ")
}

// undoUnits brings services to what they were.
func undoUnits(s *strings.Builder, before state, os nodeos.OS) {
	for _, unit := range os.Host.Units() {
		was := ""
		for _, line := range before["units"] {
			if rest, ok := strings.CutPrefix(line, unit+" "); ok {
				was = rest
			}
		}
		fields := strings.Fields(was)
		if slices.Contains(fields, "active") {
			fmt.Fprintf(s, "systemctl start %s\n", unit)
		}
	}
}

// word quotes a text for a shell.
func word(text string) string { return cluster.Command(text).String() }

// words quotes each word of a text.
func words(text string) string { return cluster.Command(strings.Fields(text)...).String() }
