package metal

import (
	"context"
	"fmt"
	"path/filepath"
	"regexp"
	"slices"
	"sync"

	"github.com/qualify-dev/qualify/internal/cluster"
	"github.com/qualify-dev/qualify/internal/inventory"
	"github.com/qualify-dev/qualify/internal/provision"
	"github.com/qualify-dev/qualify/internal/release"
	"github.com/qualify-dev/qualify/internal/remote"
)

// controlPlaneImages are those that no worker runs.
var controlPlaneImages = []string{"kube-apiserver-image", "kube-controller-manager-image", "kube-scheduler-image", "etcd-image"}

// needed are the images that a host runs.
func (p preparer) needed(role string) []provision.NodeImage {
	return slices.DeleteFunc(provision.NodeImages(p.rel, p.parts), func(image provision.NodeImage) bool {
		return role != inventory.ControlPlane && image.Of == p.rel && slices.Contains(controlPlaneImages, image.Name)
	})
}

// images imports the images that the node runs into its containerd, and proves
// that it holds the digests of the manifest.
func (p preparer) images(ctx context.Context, m *machine, root remote.Root) error {
	needed := p.needed(m.Role)
	err := sideBySide(ctx, needed, func(ctx context.Context, image provision.NodeImage) error {
		local, err := p.store.Image(ctx, image.Of, image.Name, m.facts.arch)
		if err != nil {
			return err
		}
		at, err := p.stage(ctx, root, local)
		if err != nil {
			return fmt.Errorf("image %s: %w", image.URI, err)
		}
		// Unpacking is left to the one who first needs it. Of an index only the
		// image of the host's own platform is asked for, and there.
		if _, err := root.Exec(ctx, cluster.Command("ctr", "-n", "k8s.io", "images", "import", "--no-unpack", at)); err != nil {
			return fmt.Errorf("importing image %s: %w", image.URI, err)
		}
		return nil
	})
	if err != nil {
		return err
	}
	return provision.ProveImages(ctx, root, "host", needed)
}

// digests are the SHA-256 of files that hosts are sent, each found out once for
// all hosts.
type digests struct {
	mu    sync.Mutex
	files map[string]func() (string, error)
}

// storedName is a file of the store that is named by its digest.
var storedName = regexp.MustCompile(`^[0-9a-f]{64}$`)

// of is the digest of a file of the store. Images that were pulled have names
// that tell something else.
func (d *digests) of(file string) (string, error) {
	if name := filepath.Base(file); storedName.MatchString(name) {
		return name, nil
	}
	d.mu.Lock()
	if d.files == nil {
		d.files = map[string]func() (string, error){}
	}
	if d.files[file] == nil {
		d.files[file] = sync.OnceValues(func() (string, error) { return release.SHA256(file) })
	}
	found := d.files[file]
	d.mu.Unlock()
	return found()
}
