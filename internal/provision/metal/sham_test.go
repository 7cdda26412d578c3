package metal

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"

	"golang.org/x/net/dns/dnsmessage"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/version"

	"github.com/qualify-dev/qualify/internal/inventory"
	"github.com/qualify-dev/qualify/internal/provision"
	"github.com/qualify-dev/qualify/internal/redact"
	"github.com/qualify-dev/qualify/internal/release"
	"github.com/qualify-dev/qualify/internal/remote/remotetest"
	"github.com/qualify-dev/qualify/internal/sink"
)

// A sham host is a directory in place of a machine. The scripts that it is sent
// run as they are, on this machine's shell, with the places of a host moved
// below the directory; the programs that would change a machine are scripts in
// testdata/sham, which keep what they are told below it. A release of sham
// programs is what is brought up.
type sham struct {
	name, root string
	server     *remotetest.Server
	before     func(line string) // hears each command before it runs; nil: nobody does
}

// moved are the places of a host that are below its directory.
var moved = regexp.MustCompile(`(^|[^A-Za-z0-9_.\-/])(/(?:etc|opt|run|usr/local|usr/libexec|root|home|var|proc/sys|proc/modules|proc/swaps|proc/net|proc/1/comm|proc/self/mountinfo|tmp/qualify-transport))\b`)

func (s *sham) run(c remotetest.Command) int {
	if s.before != nil {
		s.before(c.Line)
	}
	if strings.Contains(c.Line, "/dev/udp/") {
		return answerDNS(c)
	}
	root := s.root
	// Twice: neighbours share the character between them.
	c.Line = moved.ReplaceAllString(moved.ReplaceAllString(c.Line, "${1}"+root+"${2}"), "${1}"+root+"${2}")
	c.Line = strings.ReplaceAll(c.Line, root+root, root)
	tools, err := filepath.Abs("testdata/sham")
	if err != nil {
		return 255
	}
	return remotetest.Shell("SHAM="+root, "SHAM_NAME="+s.name, "PATH="+tools+":/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin")(c)
}

// answerDNS answers as cluster DNS does.
func answerDNS(c remotetest.Command) int {
	question, err := io.ReadAll(c.Stdin)
	if err != nil {
		return 1
	}
	var m dnsmessage.Message
	if m.Unpack(question) != nil || len(m.Questions) != 1 {
		return 1
	}
	m.Response = true
	m.Answers = []dnsmessage.Resource{{
		Header: dnsmessage.ResourceHeader{Name: m.Questions[0].Name, Class: dnsmessage.ClassINET},
		Body:   &dnsmessage.AResource{A: [4]byte{10, 96, 0, 1}},
	}}
	answer, err := m.Pack()
	if err != nil {
		return 1
	}
	_, _ = c.Stdout.Write(answer)
	return 0
}

// fleetOfShams are sham hosts, the API server of their cluster, and a release.
type fleetOfShams struct {
	hosts   []*sham
	cfg     provision.Config
	inv     *inventory.Inventory
	rel     *release.Release
	address string
}

var lastAddress atomic.Uint32

// newShams starts n sham hosts with an address of their own out of 127/8, so
// that the cluster's ports are free.
func newShams(t testing.TB, n int) *fleetOfShams {
	t.Helper()
	f := &fleetOfShams{inv: &inventory.Inventory{}, rel: shamRelease(t)}
	f.address = fmt.Sprintf("127.%d.%d.%d", 100+rand.N(100), rand.N(250), 1+lastAddress.Add(1)%250)
	dir := t.TempDir()
	write(t, filepath.Join(dir, "password"), password)
	for i := range n {
		s := &sham{name: fmt.Sprintf("h%d", i), root: filepath.Join(t.TempDir(), "h")}
		for file, text := range map[string]string{
			"etc/os-release": "ID=debian\nVERSION_ID=12\n", "etc/resolv.conf": "nameserver 192.0.2.53\n", "etc/machine-id": "id-of-" + s.name, "etc/containerd/config.toml": "# the administrator's\n",
			"proc/1/comm": "systemd\n", "proc/modules": "ext4 1 0\n", "proc/swaps": "Filename Type\n", "proc/self/mountinfo": "1 0 8:1 / / rw - ext4 / rw\n",
			"proc/sys/net/ipv4/ip_forward": "0\n", "proc/sys/kernel/panic": "0\n", "proc/sys/kernel/random/boot_id": "boot-0\n", "state/packages": "base\niproute2\niptables\nkmod\nmount\nutil-linux\n",
			"state/links": "lo\neth0\n", "state/routes": "default via 127.0.0.1 dev eth0\n", "state/rules": "-A INPUT -p tcp -j ACCEPT\n", "state/units": "",
			"opt/readme": "theirs", "usr/local/bin/tool": "theirs", "usr/libexec/tool": "theirs", "root/.bashrc": "", "home/admin/.bashrc": "", "var/lib/app/data": "theirs", "run/lock": "",
		} {
			write(t, filepath.Join(s.root, file), text)
		}
		write(t, filepath.Join(s.root, "state/api"), f.address)
		server, err := remotetest.Start(remotetest.Options{Password: password, Run: s.run, Address: f.address + ":0"})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(server.Close)
		s.server = server
		f.hosts = append(f.hosts, s)
		_, port, err := net.SplitHostPort(server.Address)
		if err != nil {
			t.Fatal(err)
		}
		role, number := inventory.Worker, 0
		if i == 0 {
			role = inventory.ControlPlane
		}
		if _, err := fmt.Sscan(port, &number); err != nil {
			t.Fatal(err)
		}
		f.inv.Hosts = append(f.inv.Hosts, inventory.Host{Name: s.name, Role: role, Access: inventory.Access{
			Address: f.address, Port: number, User: "root", PasswordFile: "password", HostKey: strings.TrimSpace(server.HostKey),
		}})
	}
	text, err := f.inv.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(dir, "inventory.yaml"), string(text))
	f.cfg = provision.Config{
		Owner: "test/1", Log: t.Logf, Sink: sink.New(redact.New()), Inventory: filepath.Join(dir, "inventory.yaml"),
		Store: &release.Store{Dir: filepath.Join(t.TempDir(), "store")},
	}
	f.serve(t)
	return f
}

func write(t testing.TB, file, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

// serve starts the API server and a kube-proxy of the cluster. They answer as
// long as the hosts hold a cluster.
func (f *fleetOfShams) serve(t testing.TB) {
	t.Helper()
	for port, handler := range map[int]http.HandlerFunc{
		apiPort: f.api, 10256: func(http.ResponseWriter, *http.Request) {},
	} {
		listener, err := net.Listen("tcp", fmt.Sprintf("%s:%d", f.address, port))
		if err != nil {
			t.Skipf("this machine has no address %s: %v", f.address, err)
		}
		server := httptest.NewUnstartedServer(handler)
		_ = server.Listener.Close()
		server.Listener = listener
		if port == apiPort {
			server.StartTLS()
		} else {
			server.Start()
		}
		t.Cleanup(server.Close)
	}
}

func (s *sham) has(file string) bool {
	_, err := os.Stat(filepath.Join(s.root, file))
	return err == nil
}

func (f *fleetOfShams) api(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	var answer any
	switch path := r.URL.Path; {
	case !f.hosts[0].has("etc/kubernetes/admin.conf"):
		w.WriteHeader(http.StatusServiceUnavailable)
		return
	case path == "/readyz":
		_, _ = io.WriteString(w, "ok")
		return
	case path == "/version":
		answer = version.Info{GitVersion: f.rel.Kubernetes()}
	case path == "/apis/apps/v1/namespaces/kube-system/deployments":
		answer = appsv1.DeploymentList{}
	case path == "/api/v1/nodes":
		answer = f.nodes()
	case strings.HasSuffix(path, "/configmaps/cluster-info"):
		answer = corev1.ConfigMap{Data: map[string]string{"jws-kubeconfig-abcdef": "…"}}
	case strings.HasSuffix(path, "/rolebindings/kubeadm:bootstrap-signer-clusterinfo"):
		answer = rbacv1.RoleBinding{}
	case strings.HasSuffix(path, "/storageclasses"):
		answer = map[string]string{}
	case path == "/api/v1/namespaces/kube-system/pods":
		answer = corev1.PodList{Items: []corev1.Pod{{Status: corev1.PodStatus{Phase: corev1.PodRunning, PodIP: "10.244.0.2"}}}}
	case path == "/api/v1/namespaces/default/services/kubernetes":
		answer = corev1.Service{Spec: corev1.ServiceSpec{ClusterIP: "10.96.0.1"}}
	default:
		http.NotFound(w, r)
		return
	}
	_ = json.NewEncoder(w).Encode(answer)
}

// nodes are the hosts that have joined.
func (f *fleetOfShams) nodes() corev1.NodeList {
	var list corev1.NodeList
	for i, s := range f.hosts {
		if !s.has("etc/kubernetes/kubelet.conf") {
			continue
		}
		n := corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: s.name, Labels: map[string]string{}}, Spec: corev1.NodeSpec{PodCIDR: fmt.Sprintf("10.244.%d.0/24", i)}}
		if i == 0 {
			n.Labels["node-role.kubernetes.io/control-plane"] = ""
		}
		n.Status.Addresses = []corev1.NodeAddress{{Type: corev1.NodeInternalIP, Address: f.address}}
		n.Status.NodeInfo.KubeletVersion = f.rel.Kubernetes()
		n.Status.Conditions = []corev1.NodeCondition{{Type: corev1.NodeReady, Status: corev1.ConditionFalse}}
		if s.has("etc/cni/net.d/10-qualify.conflist") {
			n.Status.Conditions[0].Status = corev1.ConditionTrue
		}
		list.Items = append(list.Items, n)
	}
	return list
}

// shamRelease is a release of programs that do as if.
func shamRelease(t testing.TB) *release.Release {
	t.Helper()
	dir := t.TempDir()
	c := release.Component{Name: "kubernetes", GitTag: "v1.34.4"}
	archive := func(name string, data []byte) {
		file := filepath.Join(dir, name)
		write(t, file, string(data))
		sum := sha256.Sum256(data)
		c.Assets = append(c.Assets, release.Asset{Component: c.Name, Name: name, Type: release.Archive, OS: "linux", Arch: []string{"amd64"}, URI: release.FileURI(file), SHA256: hex.EncodeToString(sum[:])})
	}
	kubeadm, err := os.ReadFile("testdata/sham-kubeadm")
	if err != nil {
		t.Fatal(err)
	}
	archive("bin/linux/amd64/kubeadm", kubeadm)
	archive("bin/linux/amd64/kubelet", []byte("#!/bin/sh\n# kubelet\n"))
	archive("bin/linux/amd64/kubectl", []byte("#!/bin/sh\n# kubectl\n"))
	archive("cni-plugins-linux-amd64-v1.9.1.tar.gz", plugins(t, "ptp", "host-local", "portmap"))
	for _, name := range []string{"kube-apiserver", "kube-controller-manager", "kube-scheduler", "kube-proxy", "pause", "etcd", "coredns"} {
		uri := "registry.example/" + name + ":v1"
		data, digest := ociArchive(t, uri)
		archive("bin/linux/amd64/"+name+".tar", data)
		c.Assets = append(c.Assets, release.Asset{Component: c.Name, Name: name + "-image", Type: release.Image, URI: uri, Digest: digest})
	}
	return &release.Release{Name: "sham", Components: []release.Component{c}}
}

// ociArchive is an archive of an image without layers, and the image's digest.
// For the sham ctr it has a line of what it lists then.
func ociArchive(t testing.TB, uri string) (data []byte, digest string) {
	t.Helper()
	named := func(text string) (string, string) {
		sum := sha256.Sum256([]byte(text))
		return "sha256:" + hex.EncodeToString(sum[:]), "blobs/sha256/" + hex.EncodeToString(sum[:])
	}
	config := fmt.Sprintf(`{"architecture":"amd64","os":"linux","config":{"Labels":{"of":%q}}}`, uri)
	configDigest, configFile := named(config)
	manifest := fmt.Sprintf(`{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","config":{"mediaType":"application/vnd.oci.image.config.v1+json","digest":%q,"size":%d},"layers":[]}`, configDigest, len(config))
	digest, manifestFile := named(manifest)
	index := fmt.Sprintf(`{"schemaVersion":2,"manifests":[{"mediaType":"application/vnd.oci.image.manifest.v1+json","digest":%q,"size":%d}]}`, digest, len(manifest))
	var b bytes.Buffer
	out := tar.NewWriter(&b)
	for _, entry := range [][2]string{
		{"oci-layout", `{"imageLayoutVersion":"1.0.0"}`}, {"index.json", index}, {manifestFile, manifest}, {configFile, config}, {"sham-images", uri + " type " + digest + "\n"},
	} {
		if err := out.WriteHeader(&tar.Header{Name: entry[0], Mode: 0o644, Size: int64(len(entry[1])), Typeflag: tar.TypeReg}); err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(out, entry[1]); err != nil {
			t.Fatal(err)
		}
	}
	if err := out.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes(), digest
}

// plugins is an archive of files.
func plugins(t testing.TB, names ...string) []byte {
	t.Helper()
	var b bytes.Buffer
	zipped := gzip.NewWriter(&b)
	out := tar.NewWriter(zipped)
	for _, name := range names {
		if err := out.WriteHeader(&tar.Header{Name: "./" + name, Mode: 0o755, Size: 4, Typeflag: tar.TypeReg}); err != nil {
			t.Fatal(err)
		}
		if _, err := out.Write([]byte("#!/b")); err != nil {
			t.Fatal(err)
		}
	}
	if err := out.Close(); err != nil {
		t.Fatal(err)
	}
	if err := zipped.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}
