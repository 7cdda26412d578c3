// Package release is the candidate: a manifest in the EKS Distro format, its
// assets and their verification. It knows neither matrices nor clusters.
package release

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"sort"
	"strconv"
	"strings"
)

// Release is a parsed and validated release manifest. It is immutable.
type Release struct {
	Name            string      `json:"name"`                      // metadata.name, e.g. "kubernetes-1-34-eks-21"
	Channel         string      `json:"channel"`                   // spec.channel, e.g. "1-34"
	Number          int         `json:"number"`                    // spec.number, at least 1
	BuildRepoCommit string      `json:"buildRepoCommit,omitempty"` // spec.buildRepoCommit; only the first manifest ever has it
	Date            string      `json:"date"`                      // status.date, RFC 3339
	Path            string      `json:"path"`                      // where the manifest was read from
	Components      []Component `json:"components"`
}

// Component is one part of a release, e.g. kubernetes or etcd.
type Component struct {
	Name      string  `json:"name"`
	GitTag    string  `json:"gitTag"` // e.g. "v1.34.4"
	GitCommit string  `json:"gitCommit,omitempty"`
	Assets    []Asset `json:"assets"`
}

// AssetType tells an archive (any file) from a container image.
type AssetType string

// The asset types of the manifest format. "Archive" covers single binaries too.
const (
	Archive AssetType = "Archive"
	Image   AssetType = "Image"
)

// Asset is one file or image of a component.
type Asset struct {
	Component   string    `json:"component"`
	Name        string    `json:"name"` // e.g. "bin/linux/amd64/kubelet" or "etcd-image"
	Description string    `json:"description,omitempty"`
	Type        AssetType `json:"type"`
	OS          string    `json:"os,omitempty"`     // "" where the manifest leaves it out
	Arch        []string  `json:"arch"`             // e.g. ["amd64"]
	URI         string    `json:"uri"`              // archive: where its bytes are; image: repository:tag
	SHA256      string    `json:"sha256,omitempty"` // archive: 64 hex digits
	SHA512      string    `json:"sha512,omitempty"` // archive: 128 hex digits
	Digest      string    `json:"digest,omitempty"` // image: "sha256:…" of its index or manifest
}

// Kubernetes returns the version of Kubernetes in the release, e.g. "v1.34.4".
func (r *Release) Kubernetes() string {
	for _, c := range r.Components {
		if c.Name == "kubernetes" {
			return c.GitTag
		}
	}
	return ""
}

// Minor returns the minor of the release's Kubernetes, e.g. 34; 0 where it
// cannot be read.
func (r *Release) Minor() int { return minorOf(r.Kubernetes()) }

func minorOf(version string) int {
	parts := strings.Split(strings.TrimPrefix(version, "v"), ".")
	if len(parts) < 2 {
		return 0
	}
	minor, err := strconv.Atoi(parts[1])
	if err != nil {
		return 0
	}
	return minor
}

// Assets returns all assets in manifest order.
func (r *Release) Assets() []Asset {
	var all []Asset
	for _, c := range r.Components {
		all = append(all, c.Assets...)
	}
	return all
}

// Asset finds an asset by its name. Names are the index of the format: the
// order of components and assets is random in published manifests.
func (r *Release) Asset(name string) (Asset, error) {
	for _, c := range r.Components {
		for _, a := range c.Assets {
			if a.Name == name {
				return a, nil
			}
		}
	}
	return Asset{}, fmt.Errorf("release %s has no asset %q", r.Name, name)
}

// Images returns the image assets in order of their names.
func (r *Release) Images() []Asset {
	var images []Asset
	for _, a := range r.Assets() {
		if a.Type == Image {
			images = append(images, a)
		}
	}
	sort.Slice(images, func(i, j int) bool { return images[i].Name < images[j].Name })
	return images
}

// Bound tells whether the manifest says what the asset's bytes are. Without
// that, nothing ties a verdict to the release.
func (a Asset) Bound() bool {
	if a.Type == Image {
		return a.Digest != ""
	}
	return a.SHA256 != "" || a.SHA512 != ""
}

// Unbound returns the assets without any digest, in manifest order. Manifests
// from before October 2021 have none for their images.
func (r *Release) Unbound() []Asset {
	var unbound []Asset
	for _, a := range r.Assets() {
		if !a.Bound() {
			unbound = append(unbound, a)
		}
	}
	return unbound
}

// essential are the components that every cluster of a release is made of.
var essential = []string{"kubernetes", "kube-proxy", "etcd", "coredns", "cni-plugins"}

// UnboundEssentials returns the unbound assets of the components that every
// cluster is made of. A verdict on a release that has any is about whatever
// came instead. Published releases have none since October 2021, but images of
// CSI sidecars, which no cluster of ours runs, are without digests again.
func (r *Release) UnboundEssentials() []Asset {
	var unbound []Asset
	for _, a := range r.Unbound() {
		if slices.Contains(essential, a.Component) {
			unbound = append(unbound, a)
		}
	}
	return unbound
}

// Digest identifies the content of the release: the SHA-256 over its channel,
// its number, its Kubernetes version and each asset's name and digests, sorted. Dates,
// order and places of storage do not change it, so the same candidate in
// another bucket has the same digest, and any other byte gives another one.
func (r *Release) Digest() string {
	lines := []string{"qualify-release-v1", "channel " + r.Channel, fmt.Sprintf("number %d", r.Number), "kubernetes " + r.Kubernetes()}
	var assets []string
	for _, a := range r.Assets() {
		line := []string{string(a.Type), a.Component, a.Name, strings.Join(a.Arch, "+"), a.SHA256, a.SHA512, a.Digest}
		if a.Type == Image {
			line = append(line, a.URI)
		}
		assets = append(assets, fmt.Sprintf("%q", line))
	}
	sort.Strings(assets)
	sum := sha256.Sum256([]byte(strings.Join(append(lines, assets...), "\n")))
	return "sha256:" + hex.EncodeToString(sum[:])
}
