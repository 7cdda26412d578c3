package matrix

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

// maxSize bounds a file. The largest matrix anyone writes has a few thousand
// lines; the reader's time and memory grow with the size of what it is given.
const maxSize = 1 << 20

// loader collects problems while it reads one file.
type loader struct {
	file     string
	problems Problems
}

func (l *loader) add(n *yaml.Node, text, remedy string) {
	l.addAt(n.Line, n.Column, text, remedy)
}

func (l *loader) addAt(line, column int, text, remedy string) {
	l.problems = append(l.problems, Problem{File: l.file, Line: max(line, 1), Column: max(column, 1), Text: text, Remedy: remedy})
}

const startRemedy = "start with `apiVersion: qualify/v1` and `kind: Matrix`"

// parse returns the root of the only document, or nil with a problem noted.
func (l *loader) parse(data []byte) *yaml.Node {
	if len(data) > maxSize {
		l.addAt(1, 1, fmt.Sprintf("the file has %d bytes, more than %d", len(data), maxSize), "is it a matrix? split it if so")
		return nil
	}
	if !l.checkBytes(data) {
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
		l.add(at, "a second document starts here", "keep one document to a file: remove the --- and what follows, or move it")
		return nil
	case err != nil && !errors.Is(err, io.EOF):
		l.addSyntax(data, err)
		return nil
	case len(doc.Content) == 0 || isNull(doc.Content[0]):
		l.addAt(1, 1, "the file is empty", startRemedy)
		return nil
	}
	l.checkForm(doc.Content[0])
	return doc.Content[0]
}

// checkBytes finds what no YAML may hold, with its exact place, which the
// YAML reader does not tell. Tabs are looked for here too: its message for
// them does not say the word.
func (l *loader) checkBytes(data []byte) bool {
	line, column, indent := 1, 1, true
	for i := 0; i < len(data); {
		r, size := utf8.DecodeRune(data[i:])
		switch {
		case r == utf8.RuneError && size == 1:
			l.addAt(line, column, fmt.Sprintf("the byte 0x%02x is not UTF-8 text", data[i]), "save the file as UTF-8")
			return false
		case !printable(r):
			l.addAt(line, column, fmt.Sprintf("the control character %U is not text", r), "remove it; is this a YAML file?")
			return false
		case r == '\t' && indent:
			l.addAt(line, column, "a tab in the indentation", "indent with spaces")
			return false
		}
		column++
		indent = indent && (r == ' ' || r == '\t')
		if r == '\n' || r == '\r' && !bytes.HasPrefix(data[i:], []byte("\r\n")) {
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
func (l *loader) addSyntax(data []byte, err error) {
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
		l.addAt(line, 1, "aliases (*name) are not accepted", aliasRemedy)
		return
	}
	l.addAt(line, 1, "not YAML: "+m[2], "look at the indentation, the quotes and the brackets at this line and just before it")
}

const aliasRemedy = "write the value out where it is used"

// checkForm refuses what YAML has beyond plain data. Anchors and aliases make
// bombs and cycles; tags change what a text means. Only the first anchor or
// alias is reported: who uses them uses them often.
func (l *loader) checkForm(root *yaml.Node) {
	anchored := false
	var walk func(n *yaml.Node)
	walk = func(n *yaml.Node) {
		if (n.Kind == yaml.AliasNode || n.Anchor != "") && !anchored {
			anchored = true
			l.add(n, "anchors (&name) and aliases (*name) are not accepted", aliasRemedy)
		}
		if n.Style&yaml.TaggedStyle != 0 {
			l.add(n, "the tag "+quoted(n.Tag)+" is not accepted", "remove it; put a text in quotes where it looks like a number")
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
