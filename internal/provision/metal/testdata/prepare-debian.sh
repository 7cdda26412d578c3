touch "$0/changed"; sync -f "$0" 2>/dev/null || sync
missing=$( for p; do case $(dpkg-query -W -f '${db:Status-Status}' "$p" 2>/dev/null) in installed) ;; *) echo "$p";; esac; done
)
if [ -n "$missing" ]; then set -- $missing
( export DEBIAN_FRONTEND=noninteractive LC_ALL=C
plan=$(apt-get install -s -q --no-install-recommends "$@") && echo "$plan" | sed -n 's/^Inst \([^ ]*\) .*/\1/p' ) > "$0/packages.new" || { ( export DEBIAN_FRONTEND=noninteractive LC_ALL=C
apt-get update -q ) >&2; ( export DEBIAN_FRONTEND=noninteractive LC_ALL=C
plan=$(apt-get install -s -q --no-install-recommends "$@") && echo "$plan" | sed -n 's/^Inst \([^ ]*\) .*/\1/p' ) > "$0/packages.new"; }
cat "$0/packages.new" >> "$0/packages"; sync -f "$0" 2>/dev/null || sync
( export DEBIAN_FRONTEND=noninteractive LC_ALL=C
apt-get install -q -y --no-install-recommends -o Dpkg::Options::=--force-confold -o DPkg::Lock::Timeout=60 "$@" </dev/null ) >&2
fi
for module in overlay br_netfilter nf_conntrack; do modprobe $module 2>/dev/null || :; done
if [ -w /proc/sys/net/ipv4/ip_forward ]; then echo 1 > /proc/sys/net/ipv4/ip_forward 2>/dev/null || :; fi
if [ -w /proc/sys/net/bridge/bridge-nf-call-iptables ]; then echo 1 > /proc/sys/net/bridge/bridge-nf-call-iptables 2>/dev/null || :; fi
if [ -w /proc/sys/net/bridge/bridge-nf-call-ip6tables ]; then echo 1 > /proc/sys/net/bridge/bridge-nf-call-ip6tables 2>/dev/null || :; fi
if [ -w /proc/sys/fs/inotify/max_user_instances ]; then echo 8192 > /proc/sys/fs/inotify/max_user_instances 2>/dev/null || :; fi
if [ -w /proc/sys/fs/inotify/max_user_watches ]; then echo 1048576 > /proc/sys/fs/inotify/max_user_watches 2>/dev/null || :; fi
if [ -w /proc/sys/vm/overcommit_memory ]; then echo 1 > /proc/sys/vm/overcommit_memory 2>/dev/null || :; fi
if [ -w /proc/sys/kernel/panic ]; then echo 10 > /proc/sys/kernel/panic 2>/dev/null || :; fi
if [ -w /proc/sys/kernel/panic_on_oops ]; then echo 1 > /proc/sys/kernel/panic_on_oops 2>/dev/null || :; fi
mkdir -p /etc/cni/net.d /opt/cni/bin /etc/containerd /etc/kubernetes/manifests /usr/local/bin
