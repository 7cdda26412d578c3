package release

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"go.yaml.in/yaml/v3"
)

// MaxManifest bounds the size of a manifest: the largest published one has
// about 33 KB.
const MaxManifest = 8 << 20

// decoder reads a manifest from YAML nodes. Nodes know their lines, which a
// struct decoder forgets, and nothing in them is expanded: an alias stays one.
type decoder struct {
	file     string
	opts     Options
	asset    string         // the asset being read, for the problems found in it
	seen     map[string]int // component and asset names, and their lines
	problems Problems
}

func newDecoder(file string, opts Options) *decoder {
	return &decoder{file: file, opts: opts, seen: map[string]int{}}
}

// maxProblems bounds the list: a hostile manifest can have millions.
const maxProblems = 1000

func (d *decoder) refuse(n *yaml.Node, format string, args ...any) {
	switch {
	case len(d.problems) > maxProblems:
		return
	case len(d.problems) == maxProblems:
		format, args = "has more problems: only the first %d are listed", []any{maxProblems}
	}
	line := 0
	if n != nil {
		line = n.Line
	}
	text := fmt.Sprintf(format, args...)
	d.problems = append(d.problems, Problem{File: d.file, Line: line, Asset: d.asset, Text: text})
}

func (d *decoder) err() error {
	if len(d.problems) == 0 {
		return nil
	}
	return d.problems.sorted()
}

var yamlLine = regexp.MustCompile(`^(?:yaml: )?line (\d+): `)

// document returns the only document of the data, or nil when there is a
// problem with it: what stands in a broken document is not worth a report.
func (d *decoder) document(data []byte) *yaml.Node {
	if len(data) > MaxManifest {
		d.refuse(nil, "has more than %d MiB: not a release manifest", MaxManifest>>20)
		return nil
	}
	if len(bytes.TrimSpace(data)) == 0 {
		d.refuse(nil, "is empty")
		return nil
	}
	in := yaml.NewDecoder(bytes.NewReader(data))
	var doc, next yaml.Node
	if err := in.Decode(&doc); err != nil {
		d.syntax(err)
		return nil
	}
	if err := in.Decode(&next); err == nil {
		d.refuse(&next, "holds more than one document")
	} else if !errors.Is(err, io.EOF) {
		d.syntax(err)
	}
	d.lint(&doc)
	if len(d.problems) > 0 || len(doc.Content) != 1 {
		return nil
	}
	return doc.Content[0]
}

func (d *decoder) syntax(err error) {
	if errors.Is(err, io.EOF) {
		d.refuse(nil, "is empty but for comments")
		return
	}
	text := err.Error()
	var at *yaml.Node
	if m := yamlLine.FindStringSubmatch(text); m != nil {
		line, _ := strconv.Atoi(m[1]) // digits, and 0 where there are too many
		at = &yaml.Node{Line: line}
		text = text[len(m[0]):]
	}
	d.refuse(at, "is not YAML, or was cut off: %s", strings.TrimPrefix(text, "yaml: "))
}

// lint refuses, in the whole document, what no tool writes into a manifest and
// what makes two readers see two different releases.
func (d *decoder) lint(n *yaml.Node) {
	switch { // without its anchor an alias is a syntax error
	case n.Anchor != "":
		d.refuse(n, "has an anchor %s: anchors and aliases are refused", quote(n.Anchor))
	case n.Style&yaml.TaggedStyle != 0:
		d.refuse(n, "has a tag %s: tags are refused", quote(n.Tag))
	}
	if n.Kind == yaml.MappingNode {
		d.lintKeys(n)
	}
	for _, child := range n.Content {
		d.lint(child)
	}
}

func (d *decoder) lintKeys(n *yaml.Node) {
	first := map[string]int{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key := n.Content[i]
		switch line, seen := first[key.Value]; {
		case key.Kind != yaml.ScalarNode:
			d.refuse(key, "has a key that is not a plain string")
		case key.Tag == "!!merge":
			d.refuse(key, "has a merge key: refused, as aliases are")
		case seen:
			d.refuse(key, "has the key %s twice, first in line %d", quote(key.Value), line)
		default:
			first[key.Value] = key.Line
		}
	}
}

// fields are the values of one mapping by their keys. what names the mapping
// in problems, e.g. "spec".
type fields struct {
	d    *decoder
	node *yaml.Node
	what string
	by   map[string]*yaml.Node
}

// fields reads a mapping. A null says the same as absence.
func (d *decoder) fields(n *yaml.Node, what string) fields {
	f := fields{d: d, node: n, what: what, by: map[string]*yaml.Node{}}
	if n.Kind != yaml.MappingNode {
		d.refuse(n, "%s is not a mapping", what)
		return f
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		if value := n.Content[i+1]; value.Tag != "!!null" {
			f.by[n.Content[i].Value] = value
		}
	}
	return f
}

// known refuses other fields than these, where the reading is strict.
func (f fields) known(names ...string) {
	if !f.d.opts.Strict || f.node.Kind != yaml.MappingNode {
		return
	}
	for i := 0; i+1 < len(f.node.Content); i += 2 {
		if key := f.node.Content[i]; !slices.Contains(names, key.Value) {
			f.d.refuse(key, "%s has an unknown field %s", f.what, quote(key.Value))
		}
	}
}

// at returns the node to blame for a field: its own, or the mapping without it.
func (f fields) at(name string) *yaml.Node {
	if n, ok := f.by[name]; ok {
		return n
	}
	return f.node
}

// require refuses the mapping once for each name that is absent.
func (f fields) require(names ...string) {
	if f.node.Kind != yaml.MappingNode {
		return // refused already
	}
	for _, name := range names {
		if f.by[name] == nil || f.by[name].Kind == yaml.ScalarNode && f.by[name].Value == "" {
			f.d.refuse(f.at(name), "%s has no %s", f.what, name)
		}
	}
}

// sub reads a mapping below this one; an absent one is empty.
func (f fields) sub(name string, known ...string) fields {
	if n := f.by[name]; n != nil {
		below := f.d.fields(n, name)
		below.known(known...)
		return below
	}
	return fields{d: f.d, node: &yaml.Node{Kind: yaml.MappingNode, Line: f.node.Line}, what: name}
}

// list returns the items of a sequence.
func (f fields) list(name string) []*yaml.Node {
	n := f.by[name]
	if n == nil {
		return nil
	}
	if n.Kind != yaml.SequenceNode {
		f.d.refuse(n, "%s of %s is not a list", name, f.what)
		return nil
	}
	return n.Content
}

// text returns a scalar as it stands in the file. Not its YAML type decides: a
// version like 1.30 or a digest of digits only is text without quotes too.
func (f fields) text(name string) string {
	n := f.by[name]
	if n == nil {
		return ""
	}
	return f.d.scalar(n, name)
}

func (d *decoder) scalar(n *yaml.Node, name string) string {
	if n.Kind != yaml.ScalarNode {
		d.refuse(n, "%s is not a string", name)
		return ""
	}
	if strings.ContainsFunc(n.Value, func(r rune) bool { return !unicode.IsPrint(r) }) {
		d.refuse(n, "%s has unprintable characters: %s", name, quote(n.Value))
		return ""
	}
	return n.Value
}

// match returns the text of a field and refuses one that does not match.
func (f fields) match(name string, form *regexp.Regexp, want string) string {
	text := f.text(name)
	if text != "" && !form.MatchString(text) {
		f.d.refuse(f.at(name), "%s %s is not %s", name, quote(text), want)
	}
	return text
}

// positive returns a whole number of at least 1.
func (f fields) positive(name string) int {
	n := f.by[name]
	if n == nil {
		return 0 // require says so
	}
	v, err := strconv.Atoi(f.text(name))
	if err != nil || v < 1 || n.Tag != "!!int" {
		f.d.refuse(n, "%s %s is not a whole number of at least 1", name, quote(n.Value))
	}
	return v
}
