package kind

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/qualify-dev/qualify/internal/cluster"
	"github.com/qualify-dev/qualify/internal/provision"
)

// images are those of the release, and of what is beside it, that a node holds.
func (l *nodeLayout) images() []provision.NodeImage { return provision.NodeImages(l.rel, l.parts) }

// preload imports the release's images into the node's containerd and proves
// that it holds the digests of the manifest.
func (l *nodeLayout) preload(ctx context.Context, n cluster.Transport) error {
	start := `nohup containerd >/tmp/containerd.log 2>&1 & for i in $(seq 100); do ctr version >/dev/null 2>&1 && exit 0; sleep 0.1; done; tail -n 5 /tmp/containerd.log >&2; exit 1`
	if _, err := n.Exec(ctx, cluster.Command("sh", "-c", start)); err != nil {
		return fmt.Errorf("starting the node's containerd: %w", err)
	}
	for _, image := range l.images() {
		if err := l.preloadImage(ctx, n, image); err != nil {
			return err
		}
	}
	if err := l.tagPause(ctx, n); err != nil {
		return err
	}
	if err := provision.ProveImages(ctx, n, "node", l.images()); err != nil {
		return err
	}
	// A clean end: containerd's database goes into the image. It stays a zombie
	// under a first process that reaps nobody, so only a living one counts.
	end := `pkill -x containerd
for i in $(seq 100); do ps -C containerd -o stat= | grep -qv Z || { rm -rf /tmp/containerd.log /run/containerd; exit 0; }; sleep 0.1; done
echo containerd does not end >&2; exit 1`
	_, err := n.Exec(ctx, cluster.Command("sh", "-c", end))
	return err
}

// preloadImage imports one image from its verified archive.
func (l *nodeLayout) preloadImage(ctx context.Context, n cluster.Transport, image provision.NodeImage) error {
	file, err := l.store.Image(ctx, image.Of, image.Name, nodeArch)
	if err != nil {
		return err
	}
	f, err := os.Open(file)
	if err != nil {
		return err
	}
	defer f.Close()
	// Unpacking is left to the node: its /var is another filesystem. Of an index
	// only the image of the node's own platform is asked for, and there.
	_, err = n.Exec(ctx, cluster.Cmd{
		Argv:  []string{"ctr", "-n", "k8s.io", "images", "import", "--no-unpack", "-"},
		Stdin: bufio.NewReaderSize(f, 1<<20),
	})
	if err != nil {
		return fmt.Errorf("importing image %s: %w", image.URI, err)
	}
	return nil
}

// tagPause gives the release's pause image the tag by which its own kubeadm
// asks for it as well: EKS Distro tags it with the release.
func (l *nodeLayout) tagPause(ctx context.Context, n cluster.Transport) error {
	apiServer, err := l.rel.Asset("kube-apiserver-image")
	if err != nil {
		return err
	}
	pause, err := l.rel.Asset("pause-image")
	if err != nil {
		return err
	}
	repository, version := splitRef(apiServer.URI)
	out, err := n.Exec(ctx, cluster.Command("kubeadm", "config", "images", "list", "--image-repository", repository, "--kubernetes-version", version))
	var broken *cluster.ExitError
	if errors.As(err, &broken) {
		return nil // a kubeadm that cannot even do that is found out, and blamed, when it is to make a cluster
	}
	if err != nil {
		return fmt.Errorf("asking the release's kubeadm for its images: %w", err)
	}
	for _, ref := range strings.Fields(string(out.Stdout)) {
		if !strings.HasPrefix(ref, repository+"/pause:") || ref == pause.URI {
			continue
		}
		if _, err := n.Exec(ctx, cluster.Command("ctr", "-n", "k8s.io", "images", "tag", "--force", pause.URI, ref)); err != nil {
			return fmt.Errorf("tagging the pause image: %w", err)
		}
	}
	return nil
}
