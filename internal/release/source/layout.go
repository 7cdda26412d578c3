package source

import (
	"fmt"
	"net/url"
	"path"
	"regexp"
	"slices"
	"strings"
)

// The layouts: how a release names, tags and places what it holds.
const (
	// SourceLayout is our own: one folder, upstream's image names, an archive of each image.
	SourceLayout = "source"
	// EKSDistroLayout is that of a published EKS Distro release.
	EKSDistroLayout = "eks-d"
)

// Layouts lists them.
func Layouts() []string { return []string{SourceLayout, EKSDistroLayout} }

// Layout says how a release is laid out. The zero value is SourceLayout.
type Layout struct {
	Name string // one of Layouts; "" is SourceLayout

	// The rest is for EKSDistroLayout alone.
	Number   int    // of the release in its channel; 0 is 1
	BaseURL  string // where the folder will be served; "" names the files where they lie
	Registry string // registry and prefix of the images; "" is DefaultRegistry
}

// DefaultRegistry is where EKS Distro publishes its images.
const DefaultRegistry = "public.ecr.aws/eks-distro"

// layout is what a build does differently for one layout than for another.
type layout struct {
	release    string // name of the release
	gitVersion string // what Kubernetes' programs say of themselves
	number     int
	manifest   string // place of the manifest, below the release's root
	artifacts  string // folder of the components, below the root
	base       string // URL of the root; "" is wherever it lies
	eksd       *eksd  // nil for SourceLayout
}

// eksd is what EKS Distro's layout has besides.
type eksd struct{ channel, registry string }

var registryForm = regexp.MustCompile(`^[a-z0-9][a-z0-9.-]*(:[0-9]+)?(/[a-z0-9]+([._-]+[a-z0-9]+)*)*$`)

func (l Layout) of(version string) (layout, error) {
	switch l.Name {
	case "", SourceLayout:
		if l != (Layout{Name: l.Name}) {
			return layout{}, fmt.Errorf("number, base URL and registry are for the layout %s alone", EKSDistroLayout)
		}
		name := "kubernetes-" + version + "-source"
		return layout{release: name, gitVersion: version, number: 1, manifest: name + ".yaml", artifacts: "artifacts"}, nil
	case EKSDistroLayout:
	default:
		return layout{}, fmt.Errorf("unknown layout %q: use one of %s", l.Name, strings.Join(Layouts(), ", "))
	}
	if l.Number == 0 {
		l.Number = 1
	}
	if l.Registry == "" {
		l.Registry = DefaultRegistry
	}
	if l.Number < 1 {
		return layout{}, fmt.Errorf("number %d of a release: it is at least 1", l.Number)
	}
	if !registryForm.MatchString(l.Registry) {
		return layout{}, fmt.Errorf("registry %q is not a host and a prefix, like 127.0.0.1:5000/eks-distro", l.Registry)
	}
	if err := checkBase(l.BaseURL); err != nil {
		return layout{}, err
	}
	channel := channelOf(version)
	folder, release := "kubernetes-"+channel, fmt.Sprintf("kubernetes-%s-eks-%d", channel, l.Number)
	return layout{
		release: release, number: l.Number, manifest: path.Join(folder, release+".yaml"),
		gitVersion: fmt.Sprintf("%s-eks-%s-%d", version, channel, l.Number),
		artifacts:  path.Join(folder, "releases", fmt.Sprint(l.Number), "artifacts"),
		base:       strings.TrimSuffix(l.BaseURL, "/"), eksd: &eksd{channel: channel, registry: l.Registry},
	}, nil
}

func checkBase(base string) error {
	if base == "" {
		return nil
	}
	u, err := url.Parse(base)
	if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Hostname() == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return fmt.Errorf("base URL %q is not http or https with a host, and neither user, query nor fragment", base)
	}
	return nil
}

// folder is where a component's files are, below the root.
func (l layout) folder(c component) string {
	name := c.name
	if l.eksd != nil {
		switch name {
		case "kube-proxy":
			name = "kubernetes"
		case "cni-plugins":
			name = "plugins"
		}
	}
	return path.Join(l.artifacts, name, c.gitTag)
}

// testComponent is the one that EKS Distro does not have, with the suite that
// qualifies the candidate and the image that it runs.
const testComponent = "kubernetes-test"

// repositories of EKS Distro, by the name of the image.
var eksRepositories = map[string]string{"etcd": "etcd-io/etcd", "coredns": "coredns/coredns"}

// ref is the reference under which nodes will have an image.
func (l layout) ref(c component, img namedImage) string {
	if !l.indexed(c) {
		return img.ref
	}
	repository := eksRepositories[img.name]
	if repository == "" {
		repository = "kubernetes/" + img.name
	}
	return fmt.Sprintf("%s/%s:%s-eks-%s-%d", l.eksd.registry, repository, c.gitTag, l.eksd.channel, l.number)
}

// indexed tells whether a component's images are published as EKS Distro's
// are: in a registry, as an index of one image for each architecture.
func (l layout) indexed(c component) bool { return l.eksd != nil && c.name != testComponent }

// archived tells whether an image is a file of the release too.
func (l layout) archived(c component, img namedImage) bool {
	return !l.indexed(c) || slices.Contains(kubernetesPrograms, img.name)
}
