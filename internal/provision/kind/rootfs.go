package kind

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/qualify-dev/qualify/internal/cache"
	"github.com/qualify-dev/qualify/internal/cluster"
	"github.com/qualify-dev/qualify/internal/debootstrap"
	"github.com/qualify-dev/qualify/internal/nodeos"
	"github.com/qualify-dev/qualify/internal/provision"
)

// rootfs returns the tar of an operating system that is ready to be a node.
// debootstrap comes first: it needs no registry, and its bytes are stable.
func (b *imageBuilder) rootfs(ctx context.Context, u nodeos.Userland) (string, error) {
	if _, err := exec.LookPath("debootstrap"); err == nil || u.Image == "" {
		return debootstrap.Tar(ctx, b.cache, debootstrap.Recipe{Suite: u.Suite, Packages: u.NodePackages, Script: nodeScript})
	}
	return b.rootfsFromImage(ctx, u)
}

// rootfsFromImage makes the root filesystem from a published image: the
// packages are installed in a container of it, and its files are taken out.
func (b *imageBuilder) rootfsFromImage(ctx context.Context, u nodeos.Userland) (string, error) {
	id, err := docker(ctx, "image", "inspect", "--format", "{{.Id}}", u.Image)
	if isAbsent(err) {
		b.log("pulling %s, since debootstrap is not installed", u.Image)
		if _, err = docker(ctx, "pull", "--quiet", u.Image); err != nil {
			return "", fmt.Errorf("debootstrap is not installed (run hack/setup), and the image cannot be had: %w", err)
		}
		id, err = docker(ctx, "image", "inspect", "--format", "{{.Id}}", u.Image)
	}
	if err != nil {
		return "", err
	}
	key := cache.Key("image", id, strings.Join(u.NodePackages, " "), nodeScript)
	dir, _, err := b.cache.Do(ctx, "rootfs", key, func(dir string) error {
		return b.exportImage(ctx, u, key, filepath.Join(dir, "rootfs.tar"))
	})
	if err != nil {
		return "", fmt.Errorf("making a node's root filesystem from %s: %w", u.Image, err)
	}
	return filepath.Join(dir, "rootfs.tar"), nil
}

func (b *imageBuilder) exportImage(ctx context.Context, u nodeos.Userland, key, file string) (err error) {
	lease := provision.Lease{
		Name: "q-rootfs-" + key[:12], Run: "node-rootfs", Cell: key[:12], Owner: b.owner,
		Expires: time.Now().Add(2 * buildTime).UTC().Truncate(time.Second),
	}
	args := []string{"run", "-d", "--name", lease.Name, "--entrypoint", "sleep"}
	for k, v := range leaseLabels(lease) {
		args = append(args, "--label", k+"="+v)
	}
	if _, err := docker(ctx, append(args, u.Image, "infinity")...); err != nil {
		return err
	}
	defer func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Minute)
		defer cancel()
		_, rmErr := docker(ctx, "rm", "-f", "-v", lease.Name)
		err = errors.Join(err, rmErr)
	}()
	install := "export DEBIAN_FRONTEND=noninteractive\napt-get update -q\napt-get install -q -y --no-install-recommends " +
		strings.Join(u.NodePackages, " ") + "\napt-get clean\nrm -rf /var/lib/apt/lists/*\n"
	if _, err := (node{lease.Name}).Exec(ctx, cluster.Script(install+nodeScript)); err != nil {
		return err
	}
	out, err := os.Create(file)
	if err != nil {
		return err
	}
	return errors.Join(dockerStream(ctx, nil, out, "export", lease.Name), out.Close())
}
