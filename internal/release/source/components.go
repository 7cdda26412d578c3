package source

import (
	"path/filepath"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// component is what a component of the manifest holds.
type component struct {
	name, gitTag string
	programs     []string // single binaries
	tarballs     []programTar
	images       []namedImage
}

// programTar is a gzipped tar of programs.
type programTar struct {
	name     string
	folder   string // inside the tar; "" is its root
	programs []string
	images   bool // with the images of the component's programs beside them, where the layout has that
}

// namedImage is an image with the name that its assets carry.
type namedImage struct {
	name string
	imageSpec
}

// components lists the content of the release. Component and asset names are
// those of EKS Distro, but for testComponent.
func (b *builder) components(kubernetesDir string) ([]component, error) {
	agnhost, err := b.agnhostImage(kubernetesDir)
	if err != nil {
		return nil, err
	}
	suffix := "-linux-" + b.arch
	var etcdTools []string
	if b.programs["etcdctl"] != "" {
		etcdTools = []string{"etcdctl"}
	}
	etcd, coredns := b.wanted.etcdVersion(), b.wanted.corednsVersion()
	return []component{
		{
			name: "kubernetes", gitTag: b.version,
			programs: []string{"kube-apiserver", "kube-controller-manager", "kube-scheduler", "kubeadm", "kubectl", "kubelet"},
			tarballs: []programTar{
				{"kubernetes-client" + suffix + ".tar.gz", "kubernetes/client/bin", []string{"kubectl"}, false},
				{"kubernetes-node" + suffix + ".tar.gz", "kubernetes/node/bin", []string{"kube-proxy", "kubeadm", "kubectl", "kubelet"}, false},
				{"kubernetes-server" + suffix + ".tar.gz", "kubernetes/server/bin", kubernetesPrograms, true},
			},
			images: []namedImage{
				b.programImage("kube-apiserver"), b.programImage("kube-controller-manager"), b.programImage("kube-scheduler"), b.pauseImage(),
			},
		},
		{name: "kube-proxy", gitTag: b.version, programs: []string{"kube-proxy"}, images: []namedImage{b.kubeProxyImage()}},
		{
			name: "etcd", gitTag: etcd,
			tarballs: []programTar{{"etcd" + suffix + "-" + etcd + ".tar.gz", "etcd-" + etcd + suffix, append([]string{"etcd"}, etcdTools...), false}},
			images:   []namedImage{b.programImage("etcd", etcdTools...)},
		},
		{name: "coredns", gitTag: coredns, images: []namedImage{b.corednsImage()}},
		{
			name: "cni-plugins", gitTag: cniPluginsVersion,
			tarballs: []programTar{{"cni-plugins" + suffix + "-" + cniPluginsVersion + ".tar.gz", "", sortedKeys(cniPlugins), false}},
		},
		{name: testComponent, gitTag: b.version, programs: []string{"e2e.test", "ginkgo"}, images: []namedImage{agnhost}},
	}, nil
}

// programImage holds programs and nothing else; kubeadm's static pods call
// the first by its name.
func (b *builder) programImage(name string, more ...string) namedImage {
	img := namedImage{name: name, imageSpec: imageSpec{ref: b.wanted.byName[name], config: v1.Config{Entrypoint: []string{"/usr/local/bin/" + name}}}}
	for _, program := range append([]string{name}, more...) {
		img.files = append(img.files, imageFile{path: "usr/local/bin/" + program, source: b.program(program), mode: 0o755})
	}
	return img
}

func (b *builder) pauseImage() namedImage {
	return namedImage{name: "pause", imageSpec: imageSpec{
		ref:    b.wanted.pause,
		files:  []imageFile{{path: "pause", source: b.program("pause"), mode: 0o755}},
		config: v1.Config{Entrypoint: []string{"/pause"}, User: "65535:65535"},
	}}
}

func (b *builder) kubeProxyImage() namedImage {
	img := b.programImage("kube-proxy")
	img.base = b.filters
	return img
}

func (b *builder) corednsImage() namedImage {
	return namedImage{name: "coredns", imageSpec: imageSpec{
		ref:    b.wanted.byName["coredns"],
		files:  []imageFile{{path: "coredns", source: b.program("coredns"), mode: 0o755}},
		config: v1.Config{Entrypoint: []string{"/coredns"}, WorkingDir: "/"},
	}}
}

// agnhostImage follows test/images/agnhost/Dockerfile of Kubernetes: the user
// and group, the second name, the folders and the certificate that specs use.
func (b *builder) agnhostImage(kubernetesDir string) (namedImage, error) {
	passwd, err := readFromTar(b.userland, "etc/passwd")
	if err != nil {
		return namedImage{}, err
	}
	group, err := readFromTar(b.userland, "etc/group")
	if err != nil {
		return namedImage{}, err
	}
	const user = "user-defined-in-image"
	porter := filepath.Join(kubernetesDir, "test", "images", "agnhost", "porter")
	return namedImage{name: "agnhost", imageSpec: imageSpec{
		ref:  b.wanted.agnhost,
		base: b.userland,
		files: []imageFile{
			{path: "agnhost", source: b.program("agnhost"), mode: 0o755},
			{path: "agnhost-2", link: "agnhost"},
			{path: "coredns", source: b.program("coredns"), mode: 0o755},
			{path: "uploads", dir: true, mode: 0o755},
			{path: "localhost.crt", source: filepath.Join(porter, "localhost.crt"), mode: 0o644},
			{path: "localhost.key", source: filepath.Join(porter, "localhost.key"), mode: 0o644},
			{path: "usr/local/bin/iperf", link: "/usr/bin/iperf"},
			{path: "etc/passwd", content: passwd + user + ":x:1000:1000::/home/" + user + ":/bin/sh\n", mode: 0o644},
			{path: "etc/group", content: group + user + ":x:1000:\ngroup-defined-in-image:x:50000:" + user + "\n", mode: 0o644},
		},
		config: v1.Config{
			Entrypoint: []string{"/agnhost"}, Cmd: []string{"pause"},
			ExposedPorts: map[string]struct{}{"80/tcp": {}, "5000/tcp": {}, "8080/tcp": {}, "8081/tcp": {}, "9376/tcp": {}},
		},
	}}, nil
}
