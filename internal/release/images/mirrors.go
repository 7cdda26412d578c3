package images

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"sigs.k8s.io/yaml"
)

// Mirror says that the images of one registry are in another place.
type Mirror struct {
	Source string `json:"source"` // registry, e.g. public.ecr.aws
	Mirror string `json:"mirror"` // registry and prefix that stand in for it, e.g. 10.0.0.5:5000/eks
}

// Mirrors is a mirror mapping. The zero value changes nothing.
type Mirrors struct {
	// All stands in for every registry: HOST/PREFIX.
	All     string
	Mirrors []Mirror
}

// place is a registry with or without a prefix.
var place = regexp.MustCompile(`^((?:[A-Za-z0-9-]+\.)+[A-Za-z0-9-]+(?::[0-9]+)?|[A-Za-z0-9-]+:[0-9]+|localhost)(/[a-z0-9]+(?:[._-]+[a-z0-9]+)*)*$`)

// CheckPlace refuses what is not HOST/PREFIX.
func CheckPlace(text string) error {
	if !place.MatchString(text) {
		return fmt.Errorf("%q is not a registry and a prefix like 10.0.0.5:5000/eks-distro", text)
	}
	return nil
}

// Rewrite returns where an image is: its registry is replaced, its path stays.
func (m Mirrors) Rewrite(uri string) string {
	host, rest, _ := strings.Cut(uri, "/")
	if m.All != "" {
		return m.All + "/" + rest
	}
	for _, one := range m.Mirrors {
		if one.Source == host {
			return one.Mirror + "/" + rest
		}
	}
	return uri
}

// For lists the mapping that All makes of some images.
func (m Mirrors) For(uris []string) []Mirror {
	if m.All == "" {
		return m.Mirrors
	}
	var hosts []string
	for _, uri := range uris {
		host, _, _ := strings.Cut(uri, "/")
		hosts = append(hosts, host)
	}
	slices.Sort(hosts)
	var all []Mirror
	for _, host := range slices.Compact(hosts) {
		all = append(all, Mirror{Source: host, Mirror: m.All})
	}
	return all
}

type mirrorsDoc struct {
	APIVersion string   `json:"apiVersion"`
	Kind       string   `json:"kind"`
	Mirrors    []Mirror `json:"mirrors"`
}

// WriteMirrors gives a mapping as a file.
func WriteMirrors(all []Mirror) ([]byte, error) {
	return yaml.Marshal(mirrorsDoc{"qualify/v1", "Mirrors", all})
}

// ReadMirrors reads the file of a mapping.
func ReadMirrors(file string, data []byte) (Mirrors, error) {
	var doc mirrorsDoc
	if err := yaml.UnmarshalStrict(data, &doc); err != nil {
		return Mirrors{}, fmt.Errorf("reading mirrors %s: %w", file, err)
	}
	if doc.APIVersion != "qualify/v1" || doc.Kind != "Mirrors" {
		return Mirrors{}, fmt.Errorf("reading mirrors %s: it is not of kind Mirrors of qualify/v1", file)
	}
	had := map[string]bool{}
	for _, m := range doc.Mirrors {
		if err := CheckPlace(m.Mirror); err != nil || strings.Contains(m.Source, "/") || CheckPlace(m.Source) != nil || had[m.Source] {
			return Mirrors{}, fmt.Errorf("reading mirrors %s: %q to %q is not one registry to another, once", file, m.Source, m.Mirror)
		}
		had[m.Source] = true
	}
	return Mirrors{Mirrors: doc.Mirrors}, nil
}
