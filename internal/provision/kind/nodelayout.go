package kind

import (
	"archive/tar"
	"bufio"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/qualify-dev/qualify/internal/provision"
	"github.com/qualify-dev/qualify/internal/release"
)

// nodeLayout is the content of a node image.
type nodeLayout struct {
	rel       *release.Release
	parts     []*release.Release // programs in place of the operating system's own
	store     *release.Store
	rootfs    string // tar of the operating system
	kindFiles string // directory of kind's node files
	key       string
	owner     string // process that builds
}

// lease is the claim on the build's own container and image: a killed build
// is found and removed like any other leftover.
func (l *nodeLayout) lease() provision.Lease {
	return provision.Lease{
		Name: "q-build-" + l.key[:12], Run: "node-image", Cell: l.key[:12], Owner: l.owner,
		Expires: time.Now().Add(2 * buildTime).UTC().Truncate(time.Second),
	}
}

// buildTime bounds what may hang: an engine that stops answering.
const buildTime = 15 * time.Minute

// build makes the image and gives it its name in the last step, so that an
// image with the name is complete.
func (l *nodeLayout) build(ctx context.Context, name string) (err error) {
	ctx, cancel := context.WithTimeout(ctx, buildTime)
	defer cancel()
	if err := engineAnswers(ctx); err != nil {
		return err
	}
	base := "qualify/node-base:" + l.key[:32]
	if err := l.importBase(ctx, base); err != nil {
		return err
	}
	container := "qualify-build-" + l.key[:12]
	// Teardown must also happen when ctx is what ended the build.
	defer func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Minute)
		defer cancel()
		_, rmErr := docker(ctx, "rm", "-f", "-v", container)
		_, rmiErr := docker(ctx, "rmi", base)
		if err == nil && !isAbsent(rmErr) {
			err = rmErr
		}
		if err == nil && !isAbsent(rmiErr) {
			err = rmiErr
		}
	}()
	if _, err := docker(ctx, "rm", "-f", "-v", container); err != nil && !isAbsent(err) {
		return err
	}
	args := []string{"run", "-d", "--name", container, "--label", labelCache + "=build"}
	for k, v := range leaseLabels(l.lease()) {
		args = append(args, "--label", k+"="+v)
	}
	_, err = docker(ctx, append(args, "--security-opt", "seccomp=unconfined", "--network", "none", "--stop-signal", "SIGRTMIN+3", "--entrypoint", "sleep", base, "infinity")...)
	if err != nil {
		return err
	}
	if err := l.preload(ctx, node{container}); err != nil {
		return err
	}
	commit := []string{"commit", "--change", `ENTRYPOINT ["/usr/local/bin/entrypoint","/sbin/init"]`,
		"--change", "ENV container docker", "--change", "LABEL " + labelCache + "=node-image"}
	for k := range leaseLabels(l.lease()) {
		commit = append(commit, "--change", "LABEL "+k+"=")
	}
	_, err = docker(ctx, append(commit, container, name)...)
	return err
}

// importBase streams the filesystem into the engine as a one-layer image.
func (l *nodeLayout) importBase(ctx context.Context, name string) error {
	reader, writer := io.Pipe()
	go func() {
		buffered := bufio.NewWriterSize(writer, 1<<20)
		err := l.write(ctx, buffered)
		_ = writer.CloseWithError(errors.Join(err, buffered.Flush()))
	}()
	args := []string{"import", "--change", "LABEL " + labelCache + "=build"}
	for k, v := range leaseLabels(l.lease()) {
		args = append(args, "--change", "LABEL "+k+"="+quoteLabel(v))
	}
	_, err := dockerIn(ctx, reader, append(args, "-", name)...)
	_ = reader.CloseWithError(errors.New("the engine stopped reading"))
	return err
}

// write writes the whole node filesystem as one tar stream.
func (l *nodeLayout) write(ctx context.Context, w io.Writer) error {
	out := tar.NewWriter(w)
	parts := map[string]string{}
	for _, part := range l.parts {
		if err := l.programs(ctx, part, parts); err != nil {
			return err
		}
	}
	replaced := func(name string) bool {
		_, err := os.Stat(filepath.Join(l.kindFiles, name))
		return err == nil || parts[name] != ""
	}
	if err := copyTar(out, l.rootfs, replaced); err != nil {
		return err
	}
	if err := filepath.WalkDir(l.kindFiles, l.addKindFile(out)); err != nil {
		return fmt.Errorf("adding kind's node files: %w", err)
	}
	if err := addContent(out, "kind/version", l.rel.Kubernetes(), 0o644); err != nil {
		return err
	}
	for _, name := range []string{"kubeadm", "kubelet", "kubectl"} {
		file, _, err := l.store.Program(ctx, l.rel, nodeArch, name)
		if err != nil {
			return err
		}
		if err := addFile(out, "usr/bin/"+name, file); err != nil {
			return err
		}
	}
	for _, name := range slices.Sorted(maps.Keys(parts)) {
		if err := addFile(out, name, parts[name]); err != nil {
			return err
		}
	}
	if err := l.addCNI(ctx, out); err != nil {
		return err
	}
	const wants = "etc/systemd/system/multi-user.target.wants/"
	for _, unit := range []string{"containerd.service", "kubelet.service", "undo-mount-hacks.service"} {
		h := &tar.Header{Typeflag: tar.TypeSymlink, Name: wants + unit, Linkname: "/etc/systemd/system/" + unit, Mode: 0o777}
		if err := out.WriteHeader(h); err != nil {
			return err
		}
	}
	return out.Close()
}

// programs fetches the programs of a part: the file for each place on the node.
func (l *nodeLayout) programs(ctx context.Context, part *release.Release, into map[string]string) error {
	for _, a := range part.Assets() {
		name, is := strings.CutPrefix(a.Name, "bin/linux/"+nodeArch+"/")
		if !is || a.Type != release.Archive || name != path.Base(name) || strings.HasSuffix(name, ".tar") { // those of images
			continue
		}
		file, err := l.store.Fetch(ctx, part, a.Name)
		if err != nil {
			return err
		}
		into["usr/bin/"+name] = file
	}
	return nil
}

// nodeArch is the architecture of this machine's nodes.
const nodeArch = "amd64"

// addKindFile adds one of kind's node files, with the two changes that this
// node needs: Debian's place of containerd, and the release's pause image.
func (l *nodeLayout) addKindFile(out *tar.Writer) fs.WalkDirFunc {
	return func(file string, entry fs.DirEntry, err error) error {
		if err != nil || !entry.Type().IsRegular() {
			return err
		}
		name, err := filepath.Rel(l.kindFiles, file)
		if err != nil {
			return err
		}
		data, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		text, mode := string(data), int64(0o644)
		switch {
		case strings.HasPrefix(name, "usr/local/bin/") || strings.HasPrefix(name, "kind/bin/"):
			mode = 0o755
		case name == "etc/systemd/system/containerd.service":
			const theirs = "ExecStart=/usr/local/bin/containerd\n"
			if !strings.Contains(text, theirs) {
				return fmt.Errorf("kind's %s does not start containerd as expected", name)
			}
			text = strings.Replace(text, theirs, "ExecStart=/usr/bin/containerd\n", 1)
		case name == "etc/containerd/config.toml":
			pause, err := l.rel.Asset("pause-image")
			if err != nil {
				return err
			}
			if text, err = withSandboxImage(text, pause.URI); err != nil {
				return err
			}
		}
		return addContent(out, name, text, mode)
	}
}

// addCNI unpacks the release's CNI plugins, which have no folders, into the
// node's plugin directory. Whatever is not a plain program is refused.
func (l *nodeLayout) addCNI(ctx context.Context, out *tar.Writer) error {
	asset, err := cniArchive(l.rel)
	if err != nil {
		return err
	}
	file, err := l.store.Fetch(ctx, l.rel, asset)
	if err != nil {
		return err
	}
	f, err := os.Open(file)
	if err != nil {
		return err
	}
	defer f.Close()
	unzipped, err := gzip.NewReader(bufio.NewReader(f))
	if err != nil {
		return fmt.Errorf("reading %s: %w", asset, err)
	}
	const most = 64 << 20 // bytes of one plugin; real ones have 5 MB
	in := tar.NewReader(unzipped)
	for {
		h, err := in.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("reading %s: %w", asset, err)
		}
		name := path.Clean(h.Name)
		if h.Typeflag == tar.TypeDir || h.Typeflag == tar.TypeReg && legal(name) {
			continue
		}
		if h.Typeflag != tar.TypeReg || name != path.Base(name) || name == "." || name == ".." || h.Size > most {
			return fmt.Errorf("reading %s: entry %q is not a plugin: want plain files of at most %d bytes without folders", asset, h.Name, most)
		}
		if err := out.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: "opt/cni/bin/" + name, Size: h.Size, Mode: 0o755}); err != nil {
			return err
		}
		if _, err := io.Copy(out, in); err != nil {
			return fmt.Errorf("reading %s: %w", asset, err)
		}
	}
}

// legal tells the texts that EKS Distro has in all its archives.
func legal(name string) bool {
	return name == "ATTRIBUTION.txt" || strings.HasPrefix(name, "LICENSES/")
}

func cniArchive(rel *release.Release) (string, error) {
	for _, a := range rel.Assets() {
		if a.Type == release.Archive && strings.HasPrefix(a.Name, "cni-plugins-linux-"+nodeArch+"-") {
			return a.Name, nil
		}
	}
	return "", fmt.Errorf("release %s has no CNI plugins for linux/%s", rel.Name, nodeArch)
}

// copyTar copies a tar without the plain files that the caller replaces: the
// engine refuses a stream that holds a file twice.
func copyTar(out *tar.Writer, file string, replaced func(name string) bool) error {
	f, err := os.Open(file)
	if err != nil {
		return err
	}
	defer f.Close()
	in := tar.NewReader(bufio.NewReaderSize(f, 1<<20))
	for {
		h, err := in.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("reading %s: %w", filepath.Base(file), err)
		}
		if h.Typeflag == tar.TypeReg && replaced(h.Name) {
			continue
		}
		if err := out.WriteHeader(h); err != nil {
			return err
		}
		if _, err := io.Copy(out, in); err != nil {
			return err
		}
	}
}

func addContent(out *tar.Writer, name, text string, mode int64) error {
	if err := out.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: name, Size: int64(len(text)), Mode: mode}); err != nil {
		return err
	}
	_, err := io.WriteString(out, text)
	return err
}

func addFile(out *tar.Writer, name, file string) error {
	f, err := os.Open(file)
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	if err := out.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: name, Size: info.Size(), Mode: 0o755}); err != nil {
		return err
	}
	_, err = io.Copy(out, f)
	return err
}
