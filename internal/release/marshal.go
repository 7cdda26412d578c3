package release

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"slices"

	"go.yaml.in/yaml/v3"
)

// The documents as they are written: the format's keys in the order in which
// published manifests have them.
type manifestDoc struct {
	APIVersion string    `yaml:"apiVersion"`
	Kind       string    `yaml:"kind"`
	Metadata   metaDoc   `yaml:"metadata"`
	Spec       specDoc   `yaml:"spec"`
	Status     statusDoc `yaml:"status"`
}

type metaDoc struct {
	CreationTimestamp *string `yaml:"creationTimestamp"` // always null
	Name              string  `yaml:"name"`
}

type specDoc struct {
	BuildRepoCommit string `yaml:"buildRepoCommit,omitempty"`
	Channel         string `yaml:"channel"`
	Number          int    `yaml:"number"`
}

type statusDoc struct {
	Components []componentDoc `yaml:"components"`
	Date       string         `yaml:"date"`
}

type componentDoc struct {
	Assets    []assetDoc `yaml:"assets"`
	GitCommit string     `yaml:"gitCommit,omitempty"`
	GitTag    string     `yaml:"gitTag,omitempty"`
	Name      string     `yaml:"name"`
}

type assetDoc struct {
	Arch        []string    `yaml:"arch,omitempty"`
	Archive     *archiveDoc `yaml:"archive,omitempty"`
	Description string      `yaml:"description,omitempty"`
	Image       *imageDoc   `yaml:"image,omitempty"`
	Name        string      `yaml:"name"`
	OS          string      `yaml:"os,omitempty"`
	Type        AssetType   `yaml:"type"`
}

type archiveDoc struct {
	SHA256 string `yaml:"sha256,omitempty"`
	SHA512 string `yaml:"sha512,omitempty"`
	URI    string `yaml:"uri"`
}

type imageDoc struct {
	ImageDigest string `yaml:"imageDigest,omitempty"`
	URI         string `yaml:"uri"`
}

// Marshal writes a release as a manifest, components and assets in order of
// their names, so that the same release gives the same bytes. What Parse would
// refuse is not written: the error is then of type Problems.
func Marshal(r *Release) ([]byte, error) {
	doc := manifestDoc{
		APIVersion: APIVersion,
		Kind:       "Release",
		Metadata:   metaDoc{Name: r.Name},
		Spec:       specDoc{BuildRepoCommit: r.BuildRepoCommit, Channel: r.Channel, Number: r.Number},
		Status:     statusDoc{Date: r.Date},
	}
	for _, c := range r.Components {
		doc.Status.Components = append(doc.Status.Components, componentDocOf(c))
	}
	slices.SortFunc(doc.Status.Components, func(a, b componentDoc) int { return cmp.Compare(a.Name, b.Name) })
	var out bytes.Buffer
	enc := yaml.NewEncoder(&out)
	enc.SetIndent(2)
	enc.CompactSeqIndent()
	if err := enc.Encode(doc); err != nil {
		return nil, fmt.Errorf("writing manifest of %s: %w", r.Name, err)
	}
	if err := enc.Close(); err != nil {
		return nil, fmt.Errorf("writing manifest of %s: %w", r.Name, err)
	}
	back, err := Parse("manifest of "+r.Name, out.Bytes(), Options{Strict: true})
	if err != nil {
		return nil, fmt.Errorf("writing manifest of %s: %w", r.Name, err)
	}
	if back.Digest() != r.Digest() {
		return nil, fmt.Errorf("writing manifest of %s: %w", r.Name, errOtherRelease)
	}
	return out.Bytes(), nil
}

var errOtherRelease = errors.New("it would read back as another release: an asset's Component is not the one it is in, or it has a digest that its type has not")

func componentDocOf(c Component) componentDoc {
	doc := componentDoc{GitCommit: c.GitCommit, GitTag: c.GitTag, Name: c.Name}
	for _, a := range c.Assets {
		one := assetDoc{Arch: a.Arch, Description: a.Description, Name: a.Name, OS: a.OS, Type: a.Type}
		if a.Type == Image {
			one.Image = &imageDoc{ImageDigest: a.Digest, URI: a.URI}
		} else {
			one.Archive = &archiveDoc{SHA256: a.SHA256, SHA512: a.SHA512, URI: a.URI}
		}
		doc.Assets = append(doc.Assets, one)
	}
	slices.SortFunc(doc.Assets, func(a, b assetDoc) int { return cmp.Compare(a.Name, b.Name) })
	return doc
}
