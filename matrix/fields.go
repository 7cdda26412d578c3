package matrix

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"
)

// The forms of texts in a file. The schema has the same ones; a test compares
// them.
var (
	nameForm    = regexp.MustCompile(`^[a-z0-9]([a-z0-9._-]{0,61}[a-z0-9])?$`)
	releaseForm = regexp.MustCompile(`^[a-z][a-z0-9+.-]*:[!-~]{1,400}$`)
	// Not blank; no control characters, which "\e" smuggles into quotes, other
	// than tab and newline.
	proseForm = regexp.MustCompile(`^[^\x00-\x08\x0b-\x1f\x7f-\x9f]*[^\x00-\x20\x7f-\xa0][^\x00-\x08\x0b-\x1f\x7f-\x9f]*$`)
)

// The bounds of texts and lists in a file.
const (
	maxName  = 63
	maxProse = 1000
	maxList  = 1000 // more than all releases of EKS Distro together
)

const nameRemedy = "use 1 to 63 of a-z 0-9 . _ - and begin and end with a letter or digit"

// fields returns the values of a mapping by key, and notes unknown, repeated
// and missing keys. Every key is accepted where known is nil. nil where n is
// no mapping.
func (l *loader) fields(n *yaml.Node, path string, known, required []string) map[string]*yaml.Node {
	if reported(n) {
		return nil
	}
	if n.Kind != yaml.MappingNode {
		l.add(n, path+" is "+describe(n)+", not a mapping", "write it as `key: value` lines")
		return nil
	}
	fields := map[string]*yaml.Node{}
	lines := map[string]int{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key := n.Content[i]
		name, ok := l.key(key, path, known)
		if !ok {
			continue
		}
		if lines[name] > 0 {
			l.add(key, fmt.Sprintf("%s has the key %s again, first on line %d", path, bare(name), lines[name]), "keep one of the two")
			continue
		}
		lines[name] = key.Line
		fields[name] = n.Content[i+1]
		if isNull(fields[name]) { // `issue: #12`: the reader puts the comment on the key
			fields[name].LineComment = key.LineComment
		}
	}
	for _, name := range required {
		if fields[name] == nil {
			l.add(n, fmt.Sprintf("%s has no %s", path, name), fmt.Sprintf("add `%s:`", name))
		}
	}
	return fields
}

// key reads a key and refuses an unknown one.
func (l *loader) key(n *yaml.Node, path string, known []string) (string, bool) {
	switch {
	case reported(n):
		return "", false
	case n.Kind != yaml.ScalarNode:
		l.add(n, path+" has "+describe(n)+" for a key", "keys are names")
		return "", false
	case known == nil || slices.Contains(known, n.Value):
		return n.Value, true
	}
	remedy := "known keys: " + strings.Join(known, ", ")
	if like := nearest(strings.ToLower(n.Value), known); like != "" {
		remedy = "did you mean " + like + "? " + remedy
	}
	l.add(n, fmt.Sprintf("%s has the unknown key %s", path, bare(n.Value)), remedy)
	return "", false
}

// list returns the items of a list.
func (l *loader) list(n *yaml.Node, path string, least int) []*yaml.Node {
	switch {
	case reported(n):
		return nil
	case isNull(n) && least > 0, n.Kind == yaml.SequenceNode && len(n.Content) < least:
		l.add(n, path+" is empty", "give at least one")
		return nil
	case n.Kind != yaml.SequenceNode:
		l.add(n, path+" is "+describe(n)+", not a list", "write it as [a, b] or as `- a` lines")
		return nil
	case len(n.Content) > maxList:
		l.add(n, fmt.Sprintf("%s has %d items, more than %d", path, len(n.Content), maxList), "split the matrix into several files")
		return n.Content[:maxList]
	}
	return n.Content
}

// text reads a scalar that must be a text, and explains how to make one of a
// number. A date and << count as text, as YAML 1.2 has it.
func (l *loader) text(n *yaml.Node, path string) (string, bool) {
	if reported(n) {
		return "", false
	}
	if n.Kind == yaml.ScalarNode && slices.Contains([]string{"!!str", "!!timestamp", "!!merge"}, n.Tag) {
		return n.Value, true
	}
	text, remedy := path+" is "+describe(n)+", not a text", "write one text"
	switch {
	case isNull(n) && strings.HasPrefix(n.LineComment, "#"):
		text, remedy = path+" is empty", "put the text in quotes: unquoted, what follows # is a comment"
	case isNull(n):
		text, remedy = path+" is empty", "write a text, in quotes if need be"
	case n.Kind == yaml.ScalarNode:
		remedy = fmt.Sprintf("put it in quotes: %s", quoted(n.Value))
		if read := asRead(n); read != n.Value {
			remedy += fmt.Sprintf(" (unquoted, YAML reads it as %s)", read)
		}
	}
	l.add(n, text, remedy)
	return "", false
}

// asRead is what YAML makes of an unquoted scalar: 1.30 becomes 1.3.
func asRead(n *yaml.Node) string {
	var value any
	if n.Decode(&value) != nil {
		return n.Value
	}
	if f, ok := value.(float64); ok {
		return strconv.FormatFloat(f, 'g', -1, 64)
	}
	return fmt.Sprint(value)
}

// name reads a text that must have the form of a name.
func (l *loader) name(n *yaml.Node, path string) (string, bool) {
	text, ok := l.text(n, path)
	if ok && !nameForm.MatchString(text) {
		l.add(n, path+" is "+quoted(text)+", which is no name", nameRemedy)
		return "", false
	}
	return text, ok
}

// labels reads a list of names and refuses repeated ones.
func (l *loader) labels(n *yaml.Node, path string, least int) []label {
	var labels []label
	seen := map[string]bool{}
	for i, item := range l.list(n, path, least) {
		at := fmt.Sprintf("%s[%d]", path, i)
		name, ok := l.name(item, at)
		switch {
		case !ok:
		case seen[name]:
			l.add(item, at+" repeats "+name, "keep one of the two")
		default:
			seen[name] = true
			labels = append(labels, label{name, at, item, false})
		}
	}
	return labels
}

func texts(labels []label) []string {
	var texts []string
	for _, one := range labels {
		texts = append(texts, one.text)
	}
	return texts
}

// prose reads a text for people, and puts it on one line.
func (l *loader) prose(n *yaml.Node, path string) string {
	text, ok := l.text(n, path)
	switch {
	case ok && utf8.RuneCountInString(text) > maxProse:
		l.add(n, fmt.Sprintf("%s has more than %d characters", path, maxProse), "say it in a few words, and the rest in the issue")
	case ok && !proseForm.MatchString(text):
		l.add(n, path+" is blank or has control characters: "+quoted(text), "say it in a few words")
	}
	return strings.Join(strings.Fields(text), " ")
}

// describe says what a node is, in words.
func describe(n *yaml.Node) string {
	switch {
	case n.Kind == yaml.MappingNode:
		return "a mapping"
	case n.Kind == yaml.SequenceNode:
		return "a list"
	case isNull(n):
		return "empty"
	case n.Tag == "!!int", n.Tag == "!!float":
		return "the number " + clip(n.Value)
	case n.Tag == "!!bool":
		return "the truth value " + clip(n.Value)
	}
	return "the text " + quoted(n.Value)
}

// clip bounds a number's text: a number may have a million digits.
func clip(text string) string {
	const most = 40
	if len(text) > most {
		return text[:most] + "…"
	}
	return text
}
