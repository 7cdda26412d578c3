package metal

import (
	"fmt"
	"maps"
	"net"
	"slices"
	"strconv"
	"strings"

	"github.com/qualify-dev/qualify/internal/bootstrap"
	"github.com/qualify-dev/qualify/internal/inventory"
	"github.com/qualify-dev/qualify/internal/release"
)

// kubeadmConfig is where kubeadm's configuration is on a host.
const kubeadmConfig = "/etc/kubernetes/qualify-kubeadm.yaml"

// apiPort is where the API server listens.
const apiPort = 6443

// cluster configuration of a node, for kubeadm of every minor from 1.18 on:
// which node it is decides which part kubeadm reads.
type nodeConfig struct {
	rel          *release.Release
	controlPlane inventory.Host
	own          inventory.Host
	facts        facts
	// volumePlugins is the directory of the kubelet's plugins of volumes; "" is
	// the usual one.
	volumePlugins string
	token         string   // for joining; short-lived
	shared        *sharing // nil where there is one control plane
}

// kubeadm is the node's configuration. Everything that the release decides is
// the release's: repositories, tags, versions.
func (c nodeConfig) kubeadm() (string, error) {
	refs := map[string]string{}
	for _, name := range []string{"kube-apiserver", "coredns", "etcd"} {
		asset, err := c.rel.Asset(name + "-image")
		if err != nil {
			return "", err
		}
		refs[name] = asset.URI
	}
	repository := func(name string) (string, string) {
		ref := refs[name]
		colon, slash := strings.LastIndex(ref, ":"), strings.LastIndex(ref, "/")
		return ref[:slash], ref[colon+1:]
	}
	apiRepository, apiTag := repository("kube-apiserver")
	dnsRepository, dnsTag := repository("coredns")
	etcdRepository, etcdTag := repository("etcd")
	endpoint := net.JoinHostPort(c.controlPlane.PrivateAddress(), strconv.Itoa(apiPort))
	names := []string{c.controlPlane.Access.Address, c.controlPlane.PrivateAddress()}
	certificates, joining := "", ""
	if c.shared != nil {
		endpoint, names = c.shared.endpoint, append(names, c.shared.names...)
		if c.own.Role == inventory.ControlPlane { // no worker needs the key
			certificates = fmt.Sprintf("certificateKey: %q\n", c.shared.key)
			joining = fmt.Sprintf("controlPlane: {localAPIEndpoint: {advertiseAddress: %q, bindPort: %d}, certificateKey: %q}\n", c.own.PrivateAddress(), apiPort, c.shared.key)
		}
	}
	registration := c.registration()
	var s strings.Builder
	line := func(format string, args ...any) { fmt.Fprintf(&s, format+"\n", args...) }
	api := c.api()
	line("apiVersion: %s\nkind: InitConfiguration", api)
	line("bootstrapTokens:\n- token: %q\n  ttl: 1h0m0s\n  groups: [\"system:bootstrappers:kubeadm:default-node-token\"]\n  usages: [signing, authentication]", c.token)
	line("localAPIEndpoint: {advertiseAddress: %q, bindPort: %d}\n%s%s---", c.controlPlane.PrivateAddress(), apiPort, certificates, registration)
	line("apiVersion: %s\nkind: ClusterConfiguration", api)
	line("kubernetesVersion: %q\nimageRepository: %q", apiTag, apiRepository)
	line("dns: {imageRepository: %q, imageTag: %q}", dnsRepository, dnsTag)
	line("etcd: {local: {imageRepository: %q, imageTag: %q}}", etcdRepository, etcdTag)
	line("networking: {podSubnet: %q, serviceSubnet: %q}", bootstrap.PodSubnet, bootstrap.ServiceSubnet)
	line("controlPlaneEndpoint: %q", endpoint)
	line("apiServer: {certSANs: %s}", quoted(names))
	// At its own pace the controller manager spends five seconds on its start.
	manager := []arg{{"kube-api-qps", "200"}, {"kube-api-burst", "400"}}
	if c.volumePlugins != "" {
		manager = append(manager, arg{"flex-volume-plugin-dir", c.volumePlugins}) // it would make the usual one
	}
	line("controllerManager: {extraArgs: %s}", c.extraArgs(manager))
	line("---")
	line("apiVersion: %s\nkind: JoinConfiguration", api)
	line("discovery: {bootstrapToken: {token: %q, apiServerEndpoint: %q, unsafeSkipCAVerification: true}}\n%s%s---", c.token, endpoint, joining, registration)
	line("apiVersion: kubelet.config.k8s.io/v1beta1\nkind: KubeletConfiguration\ncgroupDriver: systemd")
	// By default a tenth of the disk must be free: on a large one that is full of
	// its owner's things, nothing would be scheduled. Preflight sees to the rest.
	line("evictionHard: {memory.available: 100Mi, nodefs.available: 1Gi, imagefs.available: 1Gi}\nimageGCHighThresholdPercent: 100")
	if c.facts.cgroups == "v1" && c.rel.Minor() >= 35 {
		line("failCgroupV1: false")
	}
	if c.volumePlugins != "" {
		line("volumePluginDir: %q", c.volumePlugins)
	}
	if c.facts.lessRights {
		line("featureGates: {KubeletInUserNamespace: true}")
	}
	if c.facts.contained() {
		// The size of the connection table is the outer machine's to set.
		line("---\napiVersion: kubeproxy.config.k8s.io/v1alpha1\nkind: KubeProxyConfiguration\nconntrack: {maxPerCore: 0}")
	}
	return s.String(), nil
}

// quoted is a list of texts, as YAML has it in one line.
func quoted(texts []string) string {
	all := make([]string, len(texts))
	for i, text := range texts {
		all[i] = strconv.Quote(text)
	}
	return "[" + strings.Join(all, ", ") + "]"
}

// registration says under which name and address the node joins.
func (c nodeConfig) registration() string {
	var args []arg
	if net.ParseIP(c.own.PrivateAddress()) != nil {
		args = append(args, arg{"node-ip", c.own.PrivateAddress()})
	}
	var labels []string
	for _, key := range slices.Sorted(maps.Keys(c.own.Labels)) {
		labels = append(labels, key+"="+c.own.Labels[key])
	}
	if len(labels) > 0 {
		args = append(args, arg{"node-labels", strings.Join(labels, ",")})
	}
	return fmt.Sprintf("nodeRegistration: {name: %q, criSocket: \"unix:///run/containerd/containerd.sock\", kubeletExtraArgs: %s}\n", c.own.Name, c.extraArgs(args))
}

// The minors of Kubernetes whose kubeadm was the first to have a version of its
// configuration. Each reads the one before for some minors, and none reads one
// that came later.
const (
	firstV1beta3 = 22
	firstV1beta4 = 31
)

// api is the version of kubeadm's configuration.
func (c nodeConfig) api() string {
	version := "v1beta2"
	switch minor := c.rel.Minor(); {
	case minor >= firstV1beta4:
		version = "v1beta4"
	case minor >= firstV1beta3:
		version = "v1beta3"
	}
	return "kubeadm.k8s.io/" + version
}

// arg is a flag that kubeadm passes on to a program.
type arg struct{ name, value string }

// extraArgs is a list in v1beta4 and a map before.
func (c nodeConfig) extraArgs(args []arg) string {
	form, open, end := "%s: %q", "{", "}"
	if c.rel.Minor() >= firstV1beta4 {
		form, open, end = "{name: %s, value: %q}", "[", "]"
	}
	var all []string
	for _, a := range args {
		all = append(all, fmt.Sprintf(form, a.name, a.value))
	}
	return open + strings.Join(all, ", ") + end
}

// containerdConfig is that of the host's own containerd while it is a node. It
// keeps what it makes below our home, apart from what it had.
func containerdConfig(pause string, f facts) string {
	text := fmt.Sprintf(`version = 2
root = "%s/containerd"
state = "/run/qualify-containerd"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = %q
`, home, pause)
	if f.lessRights {
		// Without CAP_SYS_RESOURCE nobody may lower an oom_score_adj.
		text += "  restrict_oom_score_adj = true\n"
	}
	return text + `[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
  runtime_type = "io.containerd.runc.v2"
[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
  SystemdCgroup = true
`
}

// kubeletUnit runs the kubelet as kubeadm's documentation has it.
func kubeletUnit(binDir string) string {
	return `[Unit]
Description=kubelet of the release that is being qualified
After=containerd.service
[Service]
Environment="KUBELET_KUBECONFIG_ARGS=--bootstrap-kubeconfig=/etc/kubernetes/bootstrap-kubelet.conf --kubeconfig=/etc/kubernetes/kubelet.conf"
Environment="KUBELET_CONFIG_ARGS=--config=/var/lib/kubelet/config.yaml"
EnvironmentFile=-/var/lib/kubelet/kubeadm-flags.env
ExecStart=` + binDir + `/kubelet $KUBELET_KUBECONFIG_ARGS $KUBELET_CONFIG_ARGS $KUBELET_KUBEADM_ARGS
Restart=always
StartLimitInterval=0
RestartSec=1
[Install]
WantedBy=multi-user.target
`
}
