umount -l -- '/var/lib/kubelet/pods/a/b c'
umount -l -- /var/lib/kubelet/pods/a
ip link delete veth1 2>/dev/null
ip -4 route delete 10.244.1.0/24 via 10.0.0.2 dev eth0 2>/dev/null
iptables -w -t nat -D POSTROUTING -m comment --comment 'kubernetes $(reboot)' -j KUBE-X 2>/dev/null
iptables -w -t nat -F KUBE-X
iptables -w -t nat -X KUBE-X
if [ -s "$0/packages" ]; then set --
  if grep -qxF -e containerd "$0/packages"; then set -- "$@" containerd; fi
  if grep -qxF -e 'it'\''s' "$0/packages"; then set -- "$@" 'it'\''s'; fi
  if [ $# -gt 0 ]; then ( export DEBIAN_FRONTEND=noninteractive LC_ALL=C
dpkg --configure -a </dev/null || :; apt-get purge -q -y -o DPkg::Lock::Timeout=60 "$@" </dev/null ) >&2; fi
fi
rm -rf /etc/cni /etc/cni.put-*
if [ -e "$0/saved"/etc/cni ] || [ -L "$0/saved"/etc/cni ]; then mkdir -p /etc; cp -a "$0/saved"/etc/cni /etc/cni; fi
rm -rf /etc/containerd /etc/containerd.put-*
if [ -e "$0/saved"/etc/containerd ] || [ -L "$0/saved"/etc/containerd ]; then mkdir -p /etc; cp -a "$0/saved"/etc/containerd /etc/containerd; fi
rm -rf /etc/crictl.yaml /etc/crictl.yaml.put-*
if [ -e "$0/saved"/etc/crictl.yaml ] || [ -L "$0/saved"/etc/crictl.yaml ]; then mkdir -p /etc; cp -a "$0/saved"/etc/crictl.yaml /etc/crictl.yaml; fi
rm -rf /etc/kubernetes /etc/kubernetes.put-*
if [ -e "$0/saved"/etc/kubernetes ] || [ -L "$0/saved"/etc/kubernetes ]; then mkdir -p /etc; cp -a "$0/saved"/etc/kubernetes /etc/kubernetes; fi
rm -rf /opt/cni /opt/cni.put-*
if [ -e "$0/saved"/opt/cni ] || [ -L "$0/saved"/opt/cni ]; then mkdir -p /opt; cp -a "$0/saved"/opt/cni /opt/cni; fi
rm -rf /opt/containerd /opt/containerd.put-*
if [ -e "$0/saved"/opt/containerd ] || [ -L "$0/saved"/opt/containerd ]; then mkdir -p /opt; cp -a "$0/saved"/opt/containerd /opt/containerd; fi
rm -rf /root/.kube /root/.kube.put-*
if [ -e "$0/saved"/root/.kube ] || [ -L "$0/saved"/root/.kube ]; then mkdir -p /root; cp -a "$0/saved"/root/.kube /root/.kube; fi
rm -rf /etc/systemd/system/kubelet.service /etc/systemd/system/kubelet.service.put-*
if [ -e "$0/saved"/etc/systemd/system/kubelet.service ] || [ -L "$0/saved"/etc/systemd/system/kubelet.service ]; then mkdir -p /etc/systemd/system; cp -a "$0/saved"/etc/systemd/system/kubelet.service /etc/systemd/system/kubelet.service; fi
rm -rf /etc/systemd/system/kubelet.service.d /etc/systemd/system/kubelet.service.d.put-*
if [ -e "$0/saved"/etc/systemd/system/kubelet.service.d ] || [ -L "$0/saved"/etc/systemd/system/kubelet.service.d ]; then mkdir -p /etc/systemd/system; cp -a "$0/saved"/etc/systemd/system/kubelet.service.d /etc/systemd/system/kubelet.service.d; fi
rm -rf /etc/systemd/system/multi-user.target.wants/kubelet.service /etc/systemd/system/multi-user.target.wants/kubelet.service.put-*
if [ -e "$0/saved"/etc/systemd/system/multi-user.target.wants/kubelet.service ] || [ -L "$0/saved"/etc/systemd/system/multi-user.target.wants/kubelet.service ]; then mkdir -p /etc/systemd/system/multi-user.target.wants; cp -a "$0/saved"/etc/systemd/system/multi-user.target.wants/kubelet.service /etc/systemd/system/multi-user.target.wants/kubelet.service; fi
rm -rf /run/cni-ipam-state /run/cni-ipam-state.put-*
if [ -e "$0/saved"/run/cni-ipam-state ] || [ -L "$0/saved"/run/cni-ipam-state ]; then mkdir -p /run; cp -a "$0/saved"/run/cni-ipam-state /run/cni-ipam-state; fi
rm -rf /run/flannel /run/flannel.put-*
if [ -e "$0/saved"/run/flannel ] || [ -L "$0/saved"/run/flannel ]; then mkdir -p /run; cp -a "$0/saved"/run/flannel /run/flannel; fi
rm -rf /usr/libexec/kubernetes /usr/libexec/kubernetes.put-*
if [ -e "$0/saved"/usr/libexec/kubernetes ] || [ -L "$0/saved"/usr/libexec/kubernetes ]; then mkdir -p /usr/libexec; cp -a "$0/saved"/usr/libexec/kubernetes /usr/libexec/kubernetes; fi
rm -rf /var/lib/cni /var/lib/cni.put-*
if [ -e "$0/saved"/var/lib/cni ] || [ -L "$0/saved"/var/lib/cni ]; then mkdir -p /var/lib; cp -a "$0/saved"/var/lib/cni /var/lib/cni; fi
rm -rf /var/lib/etcd /var/lib/etcd.put-*
if [ -e "$0/saved"/var/lib/etcd ] || [ -L "$0/saved"/var/lib/etcd ]; then mkdir -p /var/lib; cp -a "$0/saved"/var/lib/etcd /var/lib/etcd; fi
rm -rf /var/lib/kubelet /var/lib/kubelet.put-*
if [ -e "$0/saved"/var/lib/kubelet ] || [ -L "$0/saved"/var/lib/kubelet ]; then mkdir -p /var/lib; cp -a "$0/saved"/var/lib/kubelet /var/lib/kubelet; fi
rm -rf /var/log/containers /var/log/containers.put-*
if [ -e "$0/saved"/var/log/containers ] || [ -L "$0/saved"/var/log/containers ]; then mkdir -p /var/log; cp -a "$0/saved"/var/log/containers /var/log/containers; fi
rm -rf /var/log/pods /var/log/pods.put-*
if [ -e "$0/saved"/var/log/pods ] || [ -L "$0/saved"/var/log/pods ]; then mkdir -p /var/log; cp -a "$0/saved"/var/log/pods /var/log/pods; fi
rm -rf /usr/local/bin/kubeadm /usr/local/bin/kubeadm.put-*
if [ -e "$0/saved"/usr/local/bin/kubeadm ] || [ -L "$0/saved"/usr/local/bin/kubeadm ]; then mkdir -p /usr/local/bin; cp -a "$0/saved"/usr/local/bin/kubeadm /usr/local/bin/kubeadm; fi
rm -rf /usr/local/bin/kubectl /usr/local/bin/kubectl.put-*
if [ -e "$0/saved"/usr/local/bin/kubectl ] || [ -L "$0/saved"/usr/local/bin/kubectl ]; then mkdir -p /usr/local/bin; cp -a "$0/saved"/usr/local/bin/kubectl /usr/local/bin/kubectl; fi
rm -rf /usr/local/bin/kubelet /usr/local/bin/kubelet.put-*
if [ -e "$0/saved"/usr/local/bin/kubelet ] || [ -L "$0/saved"/usr/local/bin/kubelet ]; then mkdir -p /usr/local/bin; cp -a "$0/saved"/usr/local/bin/kubelet /usr/local/bin/kubelet; fi
rmdir -- /etc/systemd/new 2>/dev/null
[ "$(cat /proc/sys/net/ipv4/ip_forward)" = 0 ] || echo 0 > /proc/sys/net/ipv4/ip_forward
modprobe -r br_netfilter 2>/dev/null
modprobe -r br_netfilter 2>/dev/null
modprobe -r br_netfilter 2>/dev/null
systemctl daemon-reload; systemctl reset-failed kubelet containerd 2>/dev/null
systemctl start containerd
rm -rf /run/qualify-containerd
rm -rf /run/containerd
rm -rf /run/kubernetes
rm -rf /run/netns
rm -rf /run/xtables.lock
rm -rf /var/lib/containerd
exit 0
