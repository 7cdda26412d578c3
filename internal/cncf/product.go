package cncf

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/mail"
	"net/url"
	"path"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// product is what PRODUCT.yaml says.
type product struct {
	broken string // why it is not the plain list of fields that it should be
	fields map[string]field
	order  []string
}

type field struct {
	value string
	plain bool // a text; otherwise YAML takes it for a number, a date or a truth value
}

// The fields of PRODUCT.yaml.
var (
	requiredFields = []string{
		"vendor", "name", "version", "type", "description", "website_url", "documentation_url", "contact_email_address",
	}
	optionalFields = []string{"repo_url", "product_logo_url"}
	productTypes   = []string{"distribution", "hosted platform", "installer"}
)

// contactSince is the first minor whose submissions name a contact and whose
// logos are held to a format: earlier ones were accepted without.
const contactSince = 25

// readProduct reads PRODUCT.yaml by its nodes: decoding it would follow
// aliases, and turn the version 1.30 into 1.3.
func readProduct(data []byte) *product {
	p := &product{fields: map[string]field{}}
	var doc yaml.Node
	decoder := yaml.NewDecoder(bytes.NewReader(data))
	if err := decoder.Decode(&doc); err != nil && !errors.Is(err, io.EOF) {
		p.broken = err.Error()
		return p
	}
	if err := decoder.Decode(&yaml.Node{}); !errors.Is(err, io.EOF) {
		p.broken = "something follows the fields"
		return p
	}
	if len(doc.Content) != 1 || doc.Content[0].Kind != yaml.MappingNode {
		p.broken = "it is no list of fields"
		return p
	}
	pairs := doc.Content[0].Content
	for i := 0; i+1 < len(pairs); i += 2 {
		key, value := pairs[i], pairs[i+1]
		if p.broken = p.pair(key, value); p.broken != "" {
			p.broken = fmt.Sprintf("line %d, column %d: %s", value.Line, value.Column, p.broken)
			return p
		}
	}
	return p
}

// pair takes a field over, or says what is wrong with it.
func (p *product) pair(key, value *yaml.Node) string {
	name := short(key.Value)
	_, again := p.fields[key.Value]
	switch {
	case key.Kind != yaml.ScalarNode:
		return "a field's name is no text"
	case again:
		return fmt.Sprintf("%q stands there twice", name)
	case value.Kind != yaml.ScalarNode: // an alias neither
		return fmt.Sprintf("%q is no text", name)
	}
	p.fields[key.Value] = field{value: strings.TrimSpace(value.Value), plain: value.Tag == "!!str" || value.Tag == "!!null"}
	p.order = append(p.order, key.Value)
	return ""
}

func (p *product) value(name string) string { return p.fields[name].value }

// given is the value of a field of a product that can be read, if there is one.
func (s *submission) given(name string) (string, bool) {
	if s.product == nil || s.product.broken != "" || s.product.null(name) {
		return "", false
	}
	return s.product.value(name), true
}

func (p *product) null(name string) bool {
	v := p.fields[name].value
	return v == "" || v == "~" || strings.EqualFold(v, "null") && p.fields[name].plain
}

func checkProductYAML(s *submission) []breach {
	if s.product == nil || s.product.broken == "" {
		return nil
	}
	return []breach{{got: short(s.product.broken)}}
}

func checkProductFields(s *submission) []breach {
	if s.product == nil || s.product.broken != "" {
		return nil
	}
	var all []breach
	for _, name := range requiredFields {
		if _, ok := s.given(name); ok {
			continue
		}
		b := breach{want: name + ": a text that is not empty", got: "no " + name}
		if name == "contact_email_address" && s.minor > 0 && s.minor < contactSince {
			b.weight = notes
		}
		all = append(all, b)
	}
	return all
}

func checkProductUnknown(s *submission) []breach {
	if s.product == nil || s.product.broken != "" {
		return nil
	}
	var all []breach
	for _, name := range s.product.order {
		if !slices.Contains(requiredFields, name) && !slices.Contains(optionalFields, name) {
			all = append(all, breach{weight: notes, got: short(name)})
		}
	}
	return all
}

func checkProductTexts(s *submission) []breach {
	if s.product == nil || s.product.broken != "" {
		return nil
	}
	var all []breach
	for _, name := range s.product.order {
		if f := s.product.fields[name]; !f.plain {
			all = append(all, breach{weight: doubts, want: fmt.Sprintf("%s: %q", name, f.value), got: name + ": " + short(f.value)})
		}
	}
	return all
}

func checkProductType(s *submission) []breach {
	kind, ok := s.given("type")
	if !ok || slices.Contains(productTypes, kind) {
		return nil
	}
	return []breach{{got: short(kind)}}
}

var urlFields = []string{"website_url", "repo_url", "documentation_url", "product_logo_url"}

func checkProductURLs(s *submission) []breach {
	var all []breach
	for _, name := range urlFields {
		text, ok := s.given(name)
		if !ok {
			continue
		}
		u, err := url.ParseRequestURI(text)
		if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" {
			all = append(all, breach{want: name + ": http(s)://…", got: name + ": " + short(text)})
		}
	}
	return all
}

// checkURLsResolve never holds anything: whether a page is there takes the
// network.
func checkURLsResolve(s *submission) []breach {
	var named []string
	for _, name := range urlFields[:3] {
		if _, ok := s.given(name); ok {
			named = append(named, name)
		}
	}
	if len(named) == 0 {
		return nil
	}
	return []breach{{weight: notes, got: "not looked up: " + strings.Join(named, ", ")}}
}

func checkProductEmail(s *submission) []breach {
	text, ok := s.given("contact_email_address")
	if !ok {
		return nil
	}
	if _, err := mail.ParseAddress(text); err != nil {
		return []breach{{got: short(text)}}
	}
	return nil
}

// checkProductLogo looks at the name of the logo's file: its bytes take the
// network.
func checkProductLogo(s *submission) []breach {
	text, ok := s.given("product_logo_url")
	u, err := url.ParseRequestURI(text)
	if !ok || err != nil {
		return nil
	}
	b := breach{got: short(text)}
	switch strings.ToLower(path.Ext(u.Path)) {
	case ".svg", ".ai", ".eps":
		return nil
	case ".png", ".jpg", ".jpeg", ".gif", ".webp", ".bmp", ".ico", ".tif", ".tiff", ".pdf":
		if s.minor > 0 && s.minor < contactSince {
			b.weight = notes
		}
	default:
		b.weight = doubts
	}
	return []breach{b}
}
