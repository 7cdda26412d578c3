package fake

import (
	"crypto/sha256"
	"encoding/hex"

	"github.com/qualify-dev/qualify/internal/release"
)

// Release is a small release with all that identity looks at. Two versions
// have no digest in common.
func Release(kubernetes string) *release.Release {
	digest := func(name string) string {
		sum := sha256.Sum256([]byte(kubernetes + " " + name))
		return hex.EncodeToString(sum[:])
	}
	component := func(name, tag string, assets ...release.Asset) release.Component {
		for i := range assets {
			assets[i].Component, assets[i].OS, assets[i].Arch = name, "linux", []string{"amd64"}
		}
		return release.Component{Name: name, GitTag: tag, Assets: assets}
	}
	binary := func(name string) release.Asset {
		name = "bin/linux/amd64/" + name
		return release.Asset{Name: name, Type: release.Archive, URI: name, SHA256: digest(name)}
	}
	image := func(name, tag string) release.Asset {
		return release.Asset{Name: name + "-image", Type: release.Image, URI: "fake.invalid/" + name + ":" + tag, Digest: "sha256:" + digest(name)}
	}
	return &release.Release{
		Name: "fake-" + kubernetes, Channel: "fake", Number: 1, Date: "2026-01-01T00:00:00Z",
		Components: []release.Component{
			component("kubernetes", kubernetes, binary("kubelet"), binary("kubeadm"), binary("kubectl"),
				image("kube-apiserver", kubernetes), image("kube-proxy", kubernetes), image("pause", "3.10")),
			component("etcd", "v3.6.0", image("etcd", "3.6.0")),
			component("coredns", "v1.12.0", image("coredns", "v1.12.0")),
		},
	}
}
