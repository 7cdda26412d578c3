package source

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path"
	"strings"
	"time"

	"golang.org/x/mod/semver"

	"github.com/qualify-dev/qualify/internal/cache"
	"github.com/qualify-dev/qualify/internal/debootstrap"
	"github.com/qualify-dev/qualify/internal/scratch"
)

const kubernetesModule = "k8s.io/kubernetes"

// cniPluginsVersion is the one component version that the candidate does not
// ask for by itself: kubeadm leaves the pod network to others.
const cniPluginsVersion = "v1.9.1"

// steps are the parts of a release, in an order in which each finds what it
// needs of the earlier ones.
var steps = []struct {
	name string
	run  func(context.Context, *builder) error
}{
	{"kubernetes", buildKubernetes},
	{"kubernetes tests", buildTests},
	{"etcd", buildEtcd},
	{"coredns", buildCoreDNS},
	{"cni plugins", buildCNIPlugins},
	{"pause", buildPause},
	{"image userland", buildUserland},
}

// kubernetesPrograms are the programs of Kubernetes itself. kube-proxy is one
// of them here and a component of its own in the manifest, as in EKS Distro
// since 2025-09.
var kubernetesPrograms = []string{"kube-apiserver", "kube-controller-manager", "kube-proxy", "kube-scheduler", "kubeadm", "kubectl", "kubelet"}

// replaceable are the programs that a user may bring in another build.
var replaceable = append([]string{"coredns", "etcd", "e2e.test"}, kubernetesPrograms...)

// kubernetesTags are those of Kubernetes' own release build (hack/lib/golang.sh).
const kubernetesTags = "selinux,notest,grpcnotrace"

// kubernetesVersionFlags stamp a version into both copies of the version
// package.
func kubernetesVersionFlags(f fetched, version string) string {
	parts := strings.SplitN(strings.TrimPrefix(f.Version, "v"), ".", 3)
	var flags []string
	for _, pkg := range []string{"k8s.io/component-base/version", "k8s.io/client-go/pkg/version"} {
		for _, kv := range [][2]string{
			{"gitVersion", version}, {"gitMajor", parts[0]}, {"gitMinor", parts[1]},
			{"gitTreeState", "clean"}, {"buildDate", f.committed.Format(time.RFC3339)},
		} {
			flags = append(flags, "-X "+pkg+"."+kv[0]+"="+kv[1])
		}
	}
	return strings.Join(flags, " ")
}

func buildKubernetes(ctx context.Context, b *builder) error {
	programs := map[string]string{}
	for _, name := range kubernetesPrograms {
		programs[name] = "./cmd/" + name
	}
	dir, err := b.compile(ctx, unit{
		module: kubernetesModule, version: b.version, programs: programs, tags: kubernetesTags,
		ldflags: func(f fetched) string { return kubernetesVersionFlags(f, b.layout.gitVersion) },
		needs:   []string{"./test/e2e"}, // of buildTests
	})
	if err != nil {
		return err
	}
	b.provide(dir, kubernetesPrograms...)
	b.wanted, err = askKubeadm(ctx, b.programs["kubeadm"], b.version)
	return err
}

// buildTests builds what is not part of any layout, and so says of itself
// what it is upstream. e2e.test prints its version in its log.
func buildTests(ctx context.Context, b *builder) error {
	dir, err := b.compile(ctx, unit{
		module: kubernetesModule, version: b.version, tags: kubernetesTags,
		ldflags:  func(f fetched) string { return kubernetesVersionFlags(f, f.Version) },
		programs: map[string]string{"agnhost": "./test/images/agnhost", "ginkgo": "github.com/onsi/ginkgo/v2/ginkgo"},
		tests:    map[string]string{"e2e.test": "./test/e2e"},
	})
	if err != nil {
		return err
	}
	b.provide(dir, "agnhost", "ginkgo", "e2e.test")
	b.wanted.agnhost, err = askE2E(ctx, b.programs["e2e.test"])
	return err
}

// buildEtcd builds the server, and etcdctl where it can be had. No cluster
// needs that one, and some module proxies do not serve every version of it:
// then the release has none, and its manifest lists none.
func buildEtcd(ctx context.Context, b *builder) error {
	version := b.wanted.etcdVersion()
	server, err := b.compile(ctx, unit{module: "go.etcd.io/etcd/server/v3", version: version, programs: map[string]string{"etcd": "."}})
	if err != nil {
		return err
	}
	b.provide(server, "etcd")
	cached := b.step.cached
	client, err := b.compile(ctx, unit{module: "go.etcd.io/etcd/etcdctl/v3", version: version, programs: map[string]string{"etcdctl": "."}})
	b.step.cached = b.step.cached && cached
	if errors.Is(err, errNotServed) {
		b.step.cached, b.step.without = cached, "etcdctl "+version+", which the module proxy does not serve"
		return nil
	}
	b.provide(client, "etcdctl")
	return err
}

func buildCoreDNS(ctx context.Context, b *builder) error {
	dir, err := b.compile(ctx, unit{module: "github.com/coredns/coredns", version: b.wanted.corednsVersion(), programs: map[string]string{"coredns": "."}})
	b.provide(dir, "coredns")
	return err
}

// cniPlugins are those of the upstream archive for Linux.
var cniPlugins = map[string]string{
	"bandwidth": "meta", "bridge": "main", "dhcp": "ipam", "dummy": "main", "firewall": "meta", "host-device": "main",
	"host-local": "ipam", "ipvlan": "main", "loopback": "main", "macvlan": "main", "portmap": "meta", "ptp": "main",
	"sbr": "meta", "static": "ipam", "tap": "main", "tuning": "meta", "vlan": "main", "vrf": "meta",
}

func buildCNIPlugins(ctx context.Context, b *builder) error {
	programs := map[string]string{}
	for name, kind := range cniPlugins {
		programs[name] = "./" + path.Join("plugins", kind, name)
	}
	const version = "-X github.com/containernetworking/plugins/pkg/utils/buildversion.BuildVersion=" + cniPluginsVersion
	dir, err := b.compile(ctx, unit{
		module: "github.com/containernetworking/plugins", version: cniPluginsVersion, programs: programs,
		ldflags: func(fetched) string { return version },
	})
	b.provide(dir, sortedKeys(cniPlugins)...)
	return err
}

func buildPause(ctx context.Context, b *builder) error {
	dir, err := b.compilePause(ctx, tagOf(b.wanted.pause))
	b.provide(dir, "pause")
	return err
}

// buildUserland makes what kube-proxy (packet filters) and agnhost (network
// clients that the specs call by name) need around their program. netcat is
// the OpenBSD one: busybox's has no -v, which dozens of Service specs use.
//
// kube-proxy gets no more than it calls: every node unpacks that image while
// the cluster comes up, and cluster DNS waits for it.
func buildUserland(ctx context.Context, b *builder) (err error) {
	if b.userland, err = userland(ctx, b.cache); err != nil {
		return err
	}
	b.filters, err = debootstrap.Slim(ctx, b.cache, b.userland, filters...)
	return err
}

// filters are the packages that kube-proxy needs.
var filters = []string{"conntrack", "ipset", "iptables", "kmod", "nftables"}

func userland(ctx context.Context, c cache.Cache) (string, error) {
	return debootstrap.Tar(ctx, c, debootstrap.Recipe{Suite: "bookworm", Packages: append([]string{
		"bash", "bind9-dnsutils", "curl", "iperf", "iproute2", "netcat-openbsd",
	}, filters...)})
}

// imageRefs are the images that a candidate asks for, as it says itself.
type imageRefs struct {
	byName  map[string]string // "etcd" -> "registry.k8s.io/etcd:3.6.5-0"
	pause   string
	agnhost string
}

// etcdVersion maps the image tag 3.6.5-0 to the module version v3.6.5.
func (r imageRefs) etcdVersion() string {
	version, _, _ := strings.Cut(tagOf(r.byName["etcd"]), "-")
	return "v" + strings.TrimPrefix(version, "v")
}

func (r imageRefs) corednsVersion() string { return tagOf(r.byName["coredns"]) }

func askKubeadm(ctx context.Context, kubeadm, version string) (imageRefs, error) {
	out, err := ask(ctx, kubeadm, "config", "images", "list", "--kubernetes-version", version)
	if err != nil {
		return imageRefs{}, err
	}
	refs := imageRefs{byName: map[string]string{}}
	for _, line := range strings.Fields(out) {
		repository, _, _ := strings.Cut(path.Base(line), ":")
		refs.byName[repository] = line
	}
	for _, name := range []string{"kube-apiserver", "kube-controller-manager", "kube-scheduler", "kube-proxy", "coredns", "etcd", "pause"} {
		if refs.byName[name] == "" {
			return imageRefs{}, fmt.Errorf("the candidate's kubeadm lists no %s image: %q", name, out)
		}
	}
	refs.pause = refs.byName["pause"]
	return refs, nil
}

func askE2E(ctx context.Context, e2e string) (agnhost string, err error) {
	out, err := ask(ctx, e2e, "--list-images")
	if err != nil {
		return "", err
	}
	// The list comes in random order. From 1.35 on it has the agnhost before as
	// well; the newest is the one that tests run.
	for _, line := range strings.Fields(out) {
		if strings.Contains(line, "/e2e-test-images/agnhost:") && (agnhost == "" || semver.Compare("v"+tagOf(line), "v"+tagOf(agnhost)) > 0) {
			agnhost = line
		}
	}
	if agnhost == "" {
		return "", fmt.Errorf("the candidate's e2e.test lists no agnhost image")
	}
	return agnhost, nil
}

func ask(ctx context.Context, program string, args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	// The candidate's e2e.test leaves a file where temporary ones go as soon as it
	// starts.
	tmp, remove, err := scratch.Dir("ask")
	if err != nil {
		return "", err
	}
	defer func() { _ = remove() }()
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Env = append(os.Environ(), "TMPDIR="+tmp)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("asking %s %s: %w: %s", path.Base(program), strings.Join(args, " "), err, lastLines(stderr.String(), 4))
	}
	return string(out), nil
}

func tagOf(ref string) string { return ref[strings.LastIndex(ref, ":")+1:] }
