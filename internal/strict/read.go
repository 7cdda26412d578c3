// Package strict reads YAML files of ours: everything that is wrong with one, at
// once, each with its place and a remedy. What it does not know it refuses. It
// is pure.
package strict

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"
)

// maxSize bounds a file. The largest one anyone writes has a few thousand
// lines; the reader's time and memory grow with the size of what it is given.
const maxSize = 1 << 20

// APIVersion is the version of all files of ours.
const APIVersion = "qualify/v1"

// Reader collects problems while it reads one file.
type Reader struct {
	file, kind string
	problems   Problems
}

// Open reads a file of a kind, as in "kind: Matrix"; the name is for messages
// only. The root is nil where the file is not one, and Err says why.
func Open(name, kind string, data []byte) (*Reader, *yaml.Node) {
	r := &Reader{file: name, kind: kind}
	root := r.parse(data)
	if root == nil || !r.header(root) {
		return r, nil
	}
	return r, root
}

// Err is all that was wrong so far, as Problems, or nil.
func (r *Reader) Err() error { return r.problems.Err() }

// Problem adds one to those that the reader found, at a node.
func (r *Reader) Problem(n *yaml.Node, text, remedy string) {
	r.ProblemAt(n.Line, n.Column, text, remedy)
}

// ProblemAt adds a problem at a place.
func (r *Reader) ProblemAt(line, column int, text, remedy string) {
	r.problems = append(r.problems, Problem{File: r.file, Line: max(line, 1), Column: max(column, 1), Text: text, Remedy: remedy})
}

func (r *Reader) startRemedy() string {
	return "start with `apiVersion: " + APIVersion + "` and `kind: " + r.kind + "`"
}

// thing is what the file is, in a sentence.
func (r *Reader) thing() string { return strings.ToLower(r.kind) }

// header checks apiVersion and kind. A file that says it is something else is
// not read on: each of its other keys would be a problem, and none helps.
func (r *Reader) header(root *yaml.Node) bool {
	want := map[string]string{"apiVersion": APIVersion, "kind": r.kind}
	if root.Kind != yaml.MappingNode {
		r.Fields(root, "the file", nil, nil)
		return false
	}
	ours := true
	for i := 0; i+1 < len(root.Content); i += 2 {
		key, value := root.Content[i].Value, root.Content[i+1]
		if want[key] == "" || reported(value) {
			continue
		}
		text, ok := r.Text(value, key)
		if ok && text != want[key] {
			r.Problem(value, fmt.Sprintf("%s is %s, not %s", key, Quoted(text), want[key]), r.startRemedy())
		}
		ours = ours && ok && text == want[key]
	}
	return ours
}

// parse returns the root of the only document, or nil with a problem noted.
func (r *Reader) parse(data []byte) *yaml.Node {
	if len(data) > maxSize {
		r.ProblemAt(1, 1, fmt.Sprintf("the file has %d bytes, more than %d", len(data), maxSize), "is it a "+r.thing()+"? split it if so")
		return nil
	}
	if !r.checkBytes(data) {
		return nil
	}
	decoder := yaml.NewDecoder(bytes.NewReader(data))
	var doc, second yaml.Node
	err := decoder.Decode(&doc)
	if err == nil {
		err = decoder.Decode(&second)
	}
	switch {
	case len(second.Content) > 0:
		at := second.Content[0]
		r.Problem(at, "a second document starts here", "keep one document to a file: remove the --- and what follows, or move it")
		return nil
	case err != nil && !errors.Is(err, io.EOF):
		r.addSyntax(data, err)
		return nil
	case len(doc.Content) == 0 || isNull(doc.Content[0]):
		r.ProblemAt(1, 1, "the file is empty", r.startRemedy())
		return nil
	}
	r.checkForm(doc.Content[0])
	return doc.Content[0]
}

// checkBytes finds what no YAML may hold, with its exact place, which the
// YAML reader does not tell. Tabs are looked for here too: its message for
// them does not say the word.
func (r *Reader) checkBytes(data []byte) bool {
	line, column, indent := 1, 1, true
	for i := 0; i < len(data); {
		c, size := utf8.DecodeRune(data[i:])
		switch {
		case c == utf8.RuneError && size == 1:
			r.ProblemAt(line, column, fmt.Sprintf("the byte 0x%02x is not UTF-8 text", data[i]), "save the file as UTF-8")
			return false
		case !printable(c):
			r.ProblemAt(line, column, fmt.Sprintf("the control character %U is not text", c), "remove it; is this a YAML file?")
			return false
		case c == '\t' && indent:
			r.ProblemAt(line, column, "a tab in the indentation", "indent with spaces")
			return false
		}
		column++
		indent = indent && (c == ' ' || c == '\t')
		if c == '\n' || c == '\r' && !bytes.HasPrefix(data[i:], []byte("\r\n")) {
			line, column, indent = line+1, 1, true
		}
		i += size
	}
	return true
}

// printable is what YAML 1.2 allows in a file, section 5.1.
func printable(r rune) bool {
	switch {
	case r == '\t', r == '\n', r == '\r', r == 0x85:
		return true
	case r < 0x20, 0x7f <= r && r < 0xa0, r == 0xfffe, r == 0xffff:
		return false
	}
	return true
}

var syntaxForm = regexp.MustCompile(`(?s)^yaml: (?:line (\d+): )?(.*)$`)

// parserForm is how the messages of the YAML parser, as opposed to its
// scanner, begin. It counts their lines from 0.
var parserForm = regexp.MustCompile(`^did not find expected (<|node content|'-' indicator|key|',' or)`)

var anchorForm = regexp.MustCompile(`^unknown anchor '(.*)' referenced$`)

// addSyntax turns an error of the YAML reader into a problem.
func (r *Reader) addSyntax(data []byte, err error) {
	m := syntaxForm.FindStringSubmatch(err.Error())
	if m == nil {
		m = []string{"", "", err.Error()}
	}
	line, _ := strconv.Atoi(m[1]) // 0 where there is none
	if line > 0 && parserForm.MatchString(m[2]) {
		line++
	}
	if a := anchorForm.FindStringSubmatch(m[2]); a != nil {
		line = 1 + strings.Count(string(data[:max(0, bytes.Index(data, []byte("*"+a[1])))]), "\n")
		r.ProblemAt(line, 1, "aliases (*name) are not accepted", aliasRemedy)
		return
	}
	r.ProblemAt(line, 1, "not YAML: "+m[2], "look at the indentation, the quotes and the brackets at this line and just before it")
}

const aliasRemedy = "write the value out where it is used"

// checkForm refuses what YAML has beyond plain data. Anchors and aliases make
// bombs and cycles; tags change what a text means. Only the first anchor or
// alias is reported: who uses them uses them often.
func (r *Reader) checkForm(root *yaml.Node) {
	anchored := false
	var walk func(n *yaml.Node)
	walk = func(n *yaml.Node) {
		if (n.Kind == yaml.AliasNode || n.Anchor != "") && !anchored {
			anchored = true
			r.Problem(n, "anchors (&name) and aliases (*name) are not accepted", aliasRemedy)
		}
		if n.Style&yaml.TaggedStyle != 0 {
			r.Problem(n, "the tag "+Quoted(n.Tag)+" is not accepted", "remove it; put a text in quotes where it looks like a number")
		}
		for _, child := range n.Content { // never n.Alias: it may be a cycle
			walk(child)
		}
	}
	walk(root)
}

// reported says that checkForm has spoken of the node, so that its kind is
// not complained of a second time.
func reported(n *yaml.Node) bool {
	return n.Kind == yaml.AliasNode || n.Style&yaml.TaggedStyle != 0
}

func isNull(n *yaml.Node) bool { return n.Kind == yaml.ScalarNode && n.Tag == "!!null" }
