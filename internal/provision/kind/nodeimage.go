package kind

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/qualify-dev/qualify/internal/cache"
	"github.com/qualify-dev/qualify/internal/nodeos"
	"github.com/qualify-dev/qualify/internal/release"
	"github.com/qualify-dev/qualify/internal/scratch"
)

// imageVersion is part of every key: raise it when the way of building node
// images changes what is in them.
const imageVersion = "3"

// imageBuilder makes node images: an operating system's root filesystem, the
// files that kind expects on a node, and the release's binaries and images.
type imageBuilder struct {
	cache cache.Cache
	store *release.Store
	owner string
	log   func(format string, args ...any)
}

// ensure returns the name of the node image for a release on an operating
// system with some parts in place of its own, and builds it where the engine
// does not hold it. Of several callers for one image, also in other processes,
// one builds and the others wait.
func (b *imageBuilder) ensure(ctx context.Context, rel *release.Release, os nodeos.OS, parts []*release.Release) (string, error) {
	if os.Userland == nil {
		return "", fmt.Errorf("%s cannot be made on this machine: no recipe for its root filesystem", os.Name)
	}
	rootfs, err := b.rootfs(ctx, *os.Userland)
	if err != nil {
		return "", err
	}
	kindFiles, err := kindModule(ctx)
	if err != nil {
		return "", err
	}
	// The root filesystem's place ends in the key of its own recipe.
	recipe := []string{imageVersion, rel.Digest(), rootfs, kindModuleVersion}
	for _, part := range parts {
		recipe = append(recipe, part.Digest())
	}
	key := cache.Key(recipe...)
	name := "qualify/node:" + key[:32]
	unlock, err := b.cache.Lock(ctx, "node-image", key)
	if err != nil {
		return "", err
	}
	defer unlock()
	if _, err := docker(ctx, "image", "inspect", "--format", "{{.Id}}", name); err == nil {
		return name, nil
	} else if !isAbsent(err) {
		return "", err
	}
	b.log("building the node image of %s on %s", rel.Name, os.Name)
	layout := nodeLayout{rel: rel, store: b.store, parts: parts, rootfs: rootfs, kindFiles: kindFiles, key: key, owner: b.owner}
	if err := layout.build(ctx, name); err != nil {
		return "", fmt.Errorf("building the node image of %s on %s: %w", rel.Name, os.Name, err)
	}
	return name, nil
}

// nodeScript turns a Debian userland into one that runs as a kind node; it
// follows images/base/Dockerfile of kind. systemd must start nothing but what
// a node needs, and containers get the base spec that kind hooks into.
const nodeScript = `
find /lib/systemd/system/sysinit.target.wants/ -name systemd-tmpfiles-setup.service -delete
rm -f /lib/systemd/system/multi-user.target.wants/* /etc/systemd/system/*.wants/* \
  /lib/systemd/system/local-fs.target.wants/* /lib/systemd/system/basic.target.wants/* \
  /lib/systemd/system/sockets.target.wants/*udev* /lib/systemd/system/sockets.target.wants/*initctl*
ln -sf /dev/null /etc/systemd/system/systemd-binfmt.service
echo ReadKMsg=no >> /etc/systemd/journald.conf
mkdir -p /etc/containerd /etc/kubernetes/manifests /etc/cni/net.d /opt/cni/bin
ctr oci spec \
  | jq '.hooks.createContainer = ((.hooks.createContainer // []) + [{path: "/kind/bin/mount-product-files.sh"}]) | del(.process.rlimits)' \
  > /etc/containerd/cri-base.json
`

// The module with kind's node files. The version has to be that of the
// library in go.mod; a test holds the two together.
const (
	kindModulePath    = "sigs.k8s.io/kind"
	kindModuleVersion = "v0.33.0"
)

// kindModule returns the directory of kind's node files.
func kindModule(ctx context.Context) (dir string, err error) {
	work, remove, err := scratch.Dir("kind")
	if err != nil {
		return "", fmt.Errorf("fetching kind's node files: %w", err)
	}
	defer func() { _ = remove() }()
	cmd := exec.CommandContext(ctx, "go", "mod", "download", "-json", kindModulePath+"@"+kindModuleVersion)
	cmd.Dir, cmd.Env = work, append(os.Environ(), "GOWORK=off", "GOFLAGS=", "GOTMPDIR="+work)
	out, err := cmd.Output()
	var answer struct{ Dir, Error string }
	if jsonErr := json.Unmarshal(out, &answer); err == nil && jsonErr != nil {
		err = jsonErr
	}
	if answer.Error != "" {
		err = errors.New(answer.Error)
	}
	if err != nil {
		return "", fmt.Errorf("fetching kind's node files (module %s %s): %w", kindModulePath, kindModuleVersion, err)
	}
	return filepath.Join(answer.Dir, "images", "base", "files"), nil
}

// withSandboxImage sets, in the text of kind's containerd configuration that names the
// pause image; the node must use the release's.
func withSandboxImage(config, image string) (string, error) {
	const key = "  sandbox_image = "
	lines := strings.Split(config, "\n")
	found := 0
	for i, line := range lines {
		if strings.HasPrefix(line, key) {
			lines[i] = key + fmt.Sprintf("%q", image)
			found++
		}
	}
	if found != 1 {
		return "", fmt.Errorf("kind's containerd configuration has %d sandbox_image lines, want 1", found)
	}
	return strings.Join(lines, "\n"), nil
}
