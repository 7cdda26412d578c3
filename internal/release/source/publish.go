package source

import (
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	ocilayout "github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/qualify-dev/qualify/internal/release"
)

// publish adds an image, as an index of its one architecture, to the OCI
// layout beside the manifest: what a registry is filled from, and where images
// are found while there is none. It returns the digest of the index.
func (p packer) publish(part component, img namedImage, spec imageSpec) (digest string, err error) {
	dir := filepath.Join(p.dir, filepath.FromSlash(path.Join(path.Dir(p.layout.manifest), "images")))
	work, err := os.MkdirTemp(p.dir, ".image-")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(work)
	one, err := assemble(work, p.arch, spec)
	if err != nil {
		return "", fmt.Errorf("packing image %s: %w", spec.ref, err)
	}
	index := mutate.AppendManifests(mutate.IndexMediaType(empty.Index, types.OCIImageIndex), mutate.IndexAddendum{
		Add: one, Descriptor: v1.Descriptor{Platform: &v1.Platform{OS: "linux", Architecture: p.arch}},
	})
	hash, err := index.Digest()
	if err != nil {
		return "", fmt.Errorf("packing image %s: %w", spec.ref, err)
	}
	into, err := ocilayout.FromPath(dir)
	if errors.Is(err, os.ErrNotExist) {
		into, err = ocilayout.Write(dir, empty.Index)
	}
	if err != nil {
		return "", fmt.Errorf("packing image %s: %w", spec.ref, err)
	}
	for _, ref := range p.layout.refs(part, img, spec.ref) {
		if err := into.AppendIndex(index, ocilayout.WithAnnotations(map[string]string{"org.opencontainers.image.ref.name": ref})); err != nil {
			return "", fmt.Errorf("packing image %s: %w", ref, err)
		}
	}
	return hash.String(), nil
}

// refs are the references of an image. EKS Distro has pause under upstream's
// tag as well, since that is the one that kubeadm asks for.
func (l layout) refs(_ component, img namedImage, ref string) []string {
	if img.name != "pause" {
		return []string{ref}
	}
	return []string{ref, ref[:strings.LastIndex(ref, ":")+1] + tagOf(img.ref)}
}

// addImages puts the image archives of the programs, and their tags, beside
// them, as EKS Distro's server archive has them.
func (p packer) addImages(folder string, part component) error {
	if p.layout.eksd == nil {
		return nil
	}
	for _, img := range append(slices.Clone(part.images), p.kubeProxyImage()) {
		if !p.layout.archived(part, img) {
			continue
		}
		spec := img.imageSpec
		spec.ref = p.layout.ref(part, img)
		if _, err := packImage(filepath.Join(folder, img.name+".tar"), p.arch, spec); err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(folder, img.name+".docker_tag"), []byte(tagOf(spec.ref)+"\n"), 0o644); err != nil {
			return err
		}
	}
	return nil
}

// finish adds what EKS Distro publishes around the artifacts: a file of each
// digest beside each of them, lists of them, and the channel.
func (p packer) finish(rel *release.Release) error {
	if p.layout.eksd == nil {
		return nil
	}
	lists := map[string]map[string]string{} // by folder: digests by relative path
	for _, c := range rel.Components {
		for _, a := range c.Assets {
			if a.Type != release.Archive {
				continue
			}
			root := p.folderOf(c)
			if lists[root] == nil {
				lists[root] = map[string]string{}
			}
			for sum, digest := range map[string]string{"sha256": a.SHA256, "sha512": a.SHA512} {
				line := digest + "  " + a.Name + "\n"
				lists[root][sum+" "+a.Name] = line
				if err := p.write(path.Join(root, a.Name+"."+sum), line); err != nil {
					return err
				}
			}
		}
	}
	for root, lines := range lists {
		if err := p.writeLists(root, lines); err != nil {
			return err
		}
	}
	return p.write(path.Join("releasechannels", p.layout.eksd.channel+".yaml"), fmt.Sprintf(`apiVersion: %s
kind: ReleaseChannel
metadata:
  creationTimestamp: null
  name: %s
spec:
  snsTopicARN: arn:aws:sns:us-east-1:379412251201:eks-distro-updates
status:
  active: true
  latestRelease: %d
`, release.APIVersion, p.layout.eksd.channel, p.layout.number))
}

func (p packer) folderOf(c release.Component) string {
	return p.layout.folder(component{name: c.Name, gitTag: c.GitTag})
}

// writeLists writes a folder's lists of digests, and the digests of those.
func (p packer) writeLists(root string, lines map[string]string) error {
	for sum, list := range map[string]string{"sha256": "SHA256SUM", "sha512": "SHA512SUM"} {
		var text strings.Builder
		for _, key := range sortedKeys(lines) {
			if strings.HasPrefix(key, sum+" ") {
				text.WriteString(lines[key])
			}
		}
		if err := p.write(path.Join(root, list), text.String()); err != nil {
			return err
		}
		got, err := digests(filepath.Join(p.dir, filepath.FromSlash(path.Join(root, list))))
		if err != nil {
			return err
		}
		for ext, digest := range map[string]string{"sha256": got.sha256, "sha512": got.sha512} {
			if err := p.write(path.Join(root, list+"."+ext), digest+"  "+list+"\n"); err != nil {
				return err
			}
		}
	}
	return nil
}

func (p packer) write(place, text string) error {
	file := filepath.Join(p.dir, filepath.FromSlash(place))
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		return err
	}
	return os.WriteFile(file, []byte(text), 0o644)
}
