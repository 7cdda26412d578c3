export LC_ALL=C
section() { echo "[$1]"; }
section packages
( dpkg-query -W -f '${db:Status-Abbrev}${Package} ${Version}\n' ) | sort
section modules
cut -d ' ' -f 1 /proc/modules 2>/dev/null | sort
section sysctls
if [ -e /proc/sys/net/ipv4/ip_forward ]; then echo "net/ipv4/ip_forward $(cat /proc/sys/net/ipv4/ip_forward)"; fi
if [ -e /proc/sys/net/bridge/bridge-nf-call-iptables ]; then echo "net/bridge/bridge-nf-call-iptables $(cat /proc/sys/net/bridge/bridge-nf-call-iptables)"; fi
if [ -e /proc/sys/net/bridge/bridge-nf-call-ip6tables ]; then echo "net/bridge/bridge-nf-call-ip6tables $(cat /proc/sys/net/bridge/bridge-nf-call-ip6tables)"; fi
if [ -e /proc/sys/fs/inotify/max_user_instances ]; then echo "fs/inotify/max_user_instances $(cat /proc/sys/fs/inotify/max_user_instances)"; fi
if [ -e /proc/sys/fs/inotify/max_user_watches ]; then echo "fs/inotify/max_user_watches $(cat /proc/sys/fs/inotify/max_user_watches)"; fi
if [ -e /proc/sys/vm/overcommit_memory ]; then echo "vm/overcommit_memory $(cat /proc/sys/vm/overcommit_memory)"; fi
if [ -e /proc/sys/kernel/panic ]; then echo "kernel/panic $(cat /proc/sys/kernel/panic)"; fi
if [ -e /proc/sys/kernel/panic_on_oops ]; then echo "kernel/panic_on_oops $(cat /proc/sys/kernel/panic_on_oops)"; fi
if [ -e /proc/sys/net/ipv4/conf/all/route_localnet ]; then echo "net/ipv4/conf/all/route_localnet $(cat /proc/sys/net/ipv4/conf/all/route_localnet)"; fi
if [ -e /proc/sys/net/ipv4/vs/conntrack ]; then echo "net/ipv4/vs/conntrack $(cat /proc/sys/net/ipv4/vs/conntrack)"; fi
section mounts
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
section units
echo "containerd $(systemctl is-enabled containerd 2>/dev/null | head -n 1) $(systemctl is-active containerd 2>/dev/null | head -n 1)" | sed 's/ not-found / /; s/  */ /; s/ failed$/ inactive/'
echo "kubelet $(systemctl is-enabled kubelet 2>/dev/null | head -n 1) $(systemctl is-active kubelet 2>/dev/null | head -n 1)" | sed 's/ not-found / /; s/  */ /; s/ failed$/ inactive/'
echo "ufw $(systemctl is-enabled ufw 2>/dev/null | head -n 1) $(systemctl is-active ufw 2>/dev/null | head -n 1)" | sed 's/ not-found / /; s/  */ /; s/ failed$/ inactive/'
systemctl list-units --all --plain --no-legend --no-pager 'kubepods*' 'cri-containerd-*' 2>/dev/null | while read -r unit _; do echo "$unit"; done | sort
section files
{
find /etc /opt /usr/local /usr/libexec /root /home -xdev \( -path /root/.cache -o -path /var/lib/qualify -o -name '.*.swp' \) -prune -o -type d -printf '%p d %m %u\n' -o -type l -printf '%p l %l\n' -o -printf '%p %y %m %u %s\n' 2>/dev/null
find /etc -xdev -type f -exec sha256sum {} + 2>/dev/null
for at in /run/containerd /run/kubernetes /run/netns /run/xtables.lock /var/lib/containerd; do if [ -e "$at" ]; then echo "$at"; fi; done
find /var/lib -xdev -mindepth 1 -maxdepth 1 -not -name qualify -not -name '.qualify*' -not -name 'qualify-*' -not -name containerd 2>/dev/null
} | grep -v -e '^/etc/mtab' -e '/etc/ld.so.cache' -e '/etc/resolv.conf' -e '/etc/.pwd.lock' | sort
