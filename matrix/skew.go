package matrix

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
)

// The axes that put another version of one component into a cell. Without
// such an axis a component has the version of the cell's release.
const (
	KubeAPIServer          = "kube-apiserver" // of the other instances: the window of an upgrade with several
	KubeControllerManager  = "kube-controller-manager"
	KubeScheduler          = "kube-scheduler"
	CloudControllerManager = "cloud-controller-manager"
	Kubelet                = "kubelet"
	KubeProxy              = "kube-proxy"
	Kubectl                = "kubectl"
	Kubeadm                = "kubeadm"
	Containerd             = "containerd" // not a part of Kubernetes; os or a version
)

// Values of component axes beside versions and n-1, n-2, ….
const (
	OfRelease = "release" // the version of the cell's release, as without the axis
	OfOS      = "os"      // what the operating system brings
)

// componentNames are the axes of the components of Kubernetes.
func componentNames() []string {
	return []string{
		KubeAPIServer, KubeControllerManager, KubeScheduler, CloudControllerManager,
		Kubelet, KubeProxy, Kubectl, Kubeadm,
	}
}

func isComponent(axis string) bool {
	return axis == Containerd || slices.Contains(componentNames(), axis)
}

var relativeForm = regexp.MustCompile(`^n(?:-([1-9]))?$`)

// componentValue says that a text can be a value of a component's axis.
func componentValue(axis, text string) bool {
	if _, ok := parseVersion(text); ok {
		return true
	}
	switch axis {
	case Containerd:
		return text == OfOS
	case Kubelet:
		return text == OfOS || text == OfRelease || relativeForm.MatchString(text)
	}
	return text == OfRelease || relativeForm.MatchString(text)
}

// componentVersion is what a value of a component's axis stands for in a cell
// with this release; false where it is no version of Kubernetes.
func componentVersion(text string, k8s version) (version, bool) {
	if text == OfRelease {
		return k8s, true
	}
	if m := relativeForm.FindStringSubmatch(text); m != nil {
		v := version{major: k8s.major, minor: k8s.minor}
		if m[1] != "" {
			v.minor -= int(m[1][0] - '0')
		}
		return v, v.minor >= 0
	}
	return parseVersion(text)
}

// Reason is why a cell cannot be.
type Reason struct {
	Rule string `json:"rule"` // short and stable, e.g. "skew-kubelet"
	Text string `json:"text"` // a sentence with the versions in it
}

// running is what runs in a cluster, for the skew policy. A component that is
// not there is of the version that an upgrade has it at by then: the oldest
// API server's, for the servers go first; kubeadm's is the newest's.
type running struct {
	apiServers []version // at least one
	components map[string]version
}

func (r running) oldest() version { return slices.MinFunc(r.apiServers, version.compare) }
func (r running) newest() version { return slices.MaxFunc(r.apiServers, version.compare) }

func (r running) of(component string) version {
	if v, ok := r.components[component]; ok {
		return v
	}
	if component == Kubeadm {
		return r.newest()
	}
	return r.oldest()
}

// skew holds the versions against the version skew policy of Kubernetes, all
// six rules. While several API servers are of different versions, everything
// else has to fit each of them.
func (r running) skew() []Reason {
	var reasons []Reason
	add := func(rule, format string, args ...any) {
		reasons = append(reasons, Reason{"skew-" + rule, fmt.Sprintf(format, args...)})
	}
	for _, name := range slices.Sorted(maps.Keys(r.components)) {
		if v := r.components[name]; v.major != r.newest().major {
			add(KubeAPIServer, "the components are of different majors, %s and %s", v, r.newest())
			return reasons
		}
	}
	if old, young := r.oldest(), r.newest(); young.minor-old.minor > 1 || young.major != old.major {
		add(KubeAPIServer, "API servers of %s and %s are more than one minor apart", minorOf(old), minorOf(young))
	}
	for _, name := range []string{Kubelet, KubeProxy} {
		if text := r.onNode(name); text != "" {
			add(name, "%s", text)
		}
	}
	if text := r.proxyBesideKubelet(); text != "" {
		add(KubeProxy, "%s", text)
	}
	for _, name := range []string{KubeControllerManager, KubeScheduler, CloudControllerManager} {
		if text := r.bounds(name, 1); text != "" {
			add("controllers", "%s", text)
		}
	}
	if text := r.kubectl(); text != "" {
		add(Kubectl, "%s", text)
	}
	if text := r.kubeadm(); text != "" {
		add(Kubeadm, "%s", text)
	}
	return reasons
}

// minorOf is a version as the policy speaks of it.
func minorOf(v version) string { return fmt.Sprintf("%d.%d", v.major, v.minor) }

// bounds is rule two of anything that talks to the API servers: not newer than
// the oldest of them, and not more than some minors older than the newest.
func (r running) bounds(name string, back int) string {
	v := r.of(name)
	switch {
	case v.minor > r.oldest().minor:
		return fmt.Sprintf("%s %s is newer than the API server of %s", name, minorOf(v), minorOf(r.oldest()))
	case r.newest().minor-v.minor > back:
		return fmt.Sprintf("%s %s is %s older than the API server of %s; at most %d %s allowed",
			name, minorOf(v), count(r.newest().minor-v.minor, "minor"), minorOf(r.newest()), back, isAre(back))
	}
	return ""
}

func isAre(n int) string {
	if n == 1 {
		return "is"
	}
	return "are"
}

func count(n int, noun string) string {
	if n != 1 {
		noun += "s"
	}
	return fmt.Sprintf("%d %s", n, noun)
}

// back is how many minors what runs on nodes may be older: three, before 1.25
// it was two.
func back(v version) int {
	if v.minor < 25 {
		return 2
	}
	return 3
}

func (r running) onNode(name string) string { return r.bounds(name, back(r.of(name))) }

func (r running) proxyBesideKubelet() string {
	proxy, kubelet := r.of(KubeProxy), r.of(Kubelet)
	apart, most := max(proxy.minor-kubelet.minor, kubelet.minor-proxy.minor), back(proxy)
	if apart <= most {
		return ""
	}
	return fmt.Sprintf("kube-proxy %s and the kubelet %s beside it are %s apart; at most %d are allowed",
		minorOf(proxy), minorOf(kubelet), count(apart, "minor"), most)
}

func (r running) kubectl() string {
	v := r.of(Kubectl)
	for _, server := range []version{r.oldest(), r.newest()} {
		if apart := max(v.minor-server.minor, server.minor-v.minor); apart > 1 {
			return fmt.Sprintf("kubectl %s is %s from the API server of %s; at most one is allowed", minorOf(v), count(apart, "minor"), minorOf(server))
		}
	}
	return ""
}

// kubeadm makes control planes of its own minor and the one before, and lets
// kubelets join that are three minors older; before 1.29 it was one.
func (r running) kubeadm() string {
	v, kubelet := r.of(Kubeadm), r.of(Kubelet)
	back := 3
	if v.minor < 29 {
		back = 1
	}
	for _, server := range []version{r.oldest(), r.newest()} {
		if apart := v.minor - server.minor; apart < 0 || apart > 1 {
			return fmt.Sprintf("kubeadm %s makes control planes of %s and the minor before, not of %s", minorOf(v), minorOf(v), minorOf(server))
		}
	}
	switch apart := v.minor - kubelet.minor; {
	case apart < 0:
		return fmt.Sprintf("kubeadm %s lets no newer kubelet join, and this one is %s", minorOf(v), minorOf(kubelet))
	case apart > back:
		return fmt.Sprintf("kubeadm %s lets kubelets join that are at most %s older, and this one is %s", minorOf(v), count(back, "minor"), minorOf(kubelet))
	}
	return ""
}

// Skew holds versions against the version skew policy of Kubernetes: that of
// the release, and those of other components by the names of their axes, as
// cells have them. The text of a version that cannot be read is a reason.
func Skew(k8s string, components map[string]string) []Reason {
	r, reasons := runningOf(k8s, components)
	if len(reasons) > 0 {
		return reasons
	}
	return r.skew()
}

func runningOf(k8s string, components map[string]string) (running, []Reason) {
	var reasons []Reason
	release, ok := parseVersion(k8s)
	if !ok {
		return running{}, []Reason{{"skew-" + KubeAPIServer, fmt.Sprintf("%q is no version of Kubernetes", k8s)}}
	}
	r := running{apiServers: []version{release}, components: map[string]version{}}
	for _, axis := range slices.Sorted(maps.Keys(components)) {
		text := components[axis]
		if axis == Containerd || !isComponent(axis) || axis == Kubelet && text == OfOS {
			continue
		}
		v, ok := componentVersion(strings.ToLower(text), release)
		switch {
		case !ok:
			reasons = append(reasons, Reason{"skew-" + axis, fmt.Sprintf("%s is %q, which no version of Kubernetes is called", axis, text)})
		case axis == KubeAPIServer:
			r.apiServers = append(r.apiServers, v)
		default:
			r.components[axis] = v
		}
	}
	return r, reasons
}
