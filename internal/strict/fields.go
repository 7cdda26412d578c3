package strict

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"
)

// The forms of texts in a file. Schemas have the same ones; their tests compare
// them.
const (
	NameForm = `^[a-z0-9]([a-z0-9._-]{0,61}[a-z0-9])?$`
	// ProseForm is not blank and has no control characters, which "\e" smuggles
	// into quotes, other than tab and newline.
	ProseForm = `^[^\x00-\x08\x0b-\x1f\x7f-\x9f]*[^\x00-\x20\x7f-\xa0][^\x00-\x08\x0b-\x1f\x7f-\x9f]*$`
)

var (
	nameForm  = regexp.MustCompile(NameForm)
	proseForm = regexp.MustCompile(ProseForm)
)

// The bounds of texts and lists in a file.
const (
	MaxName  = 63
	MaxProse = 1000
	MaxList  = 1000 // more than all releases of EKS Distro together
)

// NameRemedy says how a name is written.
const NameRemedy = "use 1 to 63 of a-z 0-9 . _ - and begin and end with a letter or digit"

// Fields returns the values of a mapping by key, and notes unknown, repeated
// and missing keys. Every key is accepted where known is nil. nil where n is
// no mapping.
func (r *Reader) Fields(n *yaml.Node, path string, known, required []string) map[string]*yaml.Node {
	if reported(n) {
		return nil
	}
	if n.Kind != yaml.MappingNode {
		r.Problem(n, path+" is "+describe(n)+", not a mapping", "write it as `key: value` lines")
		return nil
	}
	fields := map[string]*yaml.Node{}
	lines := map[string]int{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key := n.Content[i]
		name, ok := r.key(key, path, known)
		if !ok {
			continue
		}
		if lines[name] > 0 {
			r.Problem(key, fmt.Sprintf("%s has the key %s again, first on line %d", path, Bare(name), lines[name]), "keep one of the two")
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
			r.Problem(n, fmt.Sprintf("%s has no %s", path, name), fmt.Sprintf("add `%s:`", name))
		}
	}
	return fields
}

// key reads a key and refuses an unknown one.
func (r *Reader) key(n *yaml.Node, path string, known []string) (string, bool) {
	switch {
	case reported(n):
		return "", false
	case n.Kind != yaml.ScalarNode:
		r.Problem(n, path+" has "+describe(n)+" for a key", "keys are names")
		return "", false
	case known == nil || slices.Contains(known, n.Value):
		return n.Value, true
	}
	remedy := "known keys: " + strings.Join(known, ", ")
	if like := Nearest(strings.ToLower(n.Value), known); like != "" {
		remedy = "did you mean " + like + "? " + remedy
	}
	r.Problem(n, fmt.Sprintf("%s has the unknown key %s", path, Bare(n.Value)), remedy)
	return "", false
}

// List returns the items of a list.
func (r *Reader) List(n *yaml.Node, path string, least int) []*yaml.Node {
	switch {
	case reported(n):
		return nil
	case isNull(n) && least > 0, n.Kind == yaml.SequenceNode && len(n.Content) < least:
		r.Problem(n, path+" is empty", "give at least one")
		return nil
	case n.Kind != yaml.SequenceNode:
		r.Problem(n, path+" is "+describe(n)+", not a list", "write it as [a, b] or as `- a` lines")
		return nil
	case len(n.Content) > MaxList:
		r.Problem(n, fmt.Sprintf("%s has %d items, more than %d", path, len(n.Content), MaxList), "split the "+r.thing()+" into several files")
		return n.Content[:MaxList]
	}
	return n.Content
}

// Text reads a scalar that must be a text, and explains how to make one of a
// number. A date and << count as text, as YAML 1.2 has it.
func (r *Reader) Text(n *yaml.Node, path string) (string, bool) {
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
		remedy = fmt.Sprintf("put it in quotes: %s", Quoted(n.Value))
		if read := asRead(n); read != n.Value {
			remedy += fmt.Sprintf(" (unquoted, YAML reads it as %s)", read)
		}
	}
	r.Problem(n, text, remedy)
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

// Name reads a text that must have the form of a name.
func (r *Reader) Name(n *yaml.Node, path string) (string, bool) {
	text, ok := r.Text(n, path)
	if ok && !nameForm.MatchString(text) {
		r.Problem(n, path+" is "+Quoted(text)+", which is no name", NameRemedy)
		return "", false
	}
	return text, ok
}

// Named is a name of a list, and where it stands.
type Named struct {
	Text string
	Path string
	Node *yaml.Node
}

// Names reads a list of names and refuses repeated ones.
func (r *Reader) Names(n *yaml.Node, path string, least int) []Named {
	var names []Named
	seen := map[string]bool{}
	for i, item := range r.List(n, path, least) {
		at := fmt.Sprintf("%s[%d]", path, i)
		name, ok := r.Name(item, at)
		switch {
		case !ok:
		case seen[name]:
			r.Problem(item, at+" repeats "+name, "keep one of the two")
		default:
			seen[name] = true
			names = append(names, Named{name, at, item})
		}
	}
	return names
}

// Texts are the names alone.
func Texts(names []Named) []string {
	var texts []string
	for _, one := range names {
		texts = append(texts, one.Text)
	}
	return texts
}

// Prose reads a text for people, and puts it on one line.
func (r *Reader) Prose(n *yaml.Node, path string) string {
	text, ok := r.Text(n, path)
	switch {
	case ok && utf8.RuneCountInString(text) > MaxProse:
		r.Problem(n, fmt.Sprintf("%s has more than %d characters", path, MaxProse), "say it in a few words, and the rest in the issue")
	case ok && !proseForm.MatchString(text):
		r.Problem(n, path+" is blank or has control characters: "+Quoted(text), "say it in a few words")
	}
	return strings.Join(strings.Fields(text), " ")
}

// Whole reads a whole number within bounds.
func (r *Reader) Whole(n *yaml.Node, path string, least, most int) int {
	var number int
	if reported(n) {
		return least
	}
	if n.Tag != "!!int" || n.Decode(&number) != nil || number < least || number > most {
		key := path[strings.LastIndex(path, ".")+1:]
		r.Problem(n, fmt.Sprintf("%s is %s, not a number from %d to %d", path, describe(n), least, most), fmt.Sprintf("write e.g. `%s: %d`", key, min(max(2, least), most)))
		return least
	}
	return number
}

// Day reads a day of the calendar.
func (r *Reader) Day(n *yaml.Node, path string) string {
	text, ok := r.Text(n, path)
	if ok && !IsDay(text) {
		r.Problem(n, path+" is "+Quoted(text)+", not a day", "write it as yyyy-mm-dd")
	}
	return text
}

// Decision is who stands behind a rule, why, and until when. All of it is
// required: a rule without an owner or an end is how such files rot.
type Decision struct {
	Reason, Owner, Issue string
	Expires              string // yyyy-mm-dd, the last day on which it holds
}

// DecisionKeys are the keys of a decision.
func DecisionKeys() []string { return []string{"reason", "owner", "issue", "expires"} }

// Decision reads one out of the fields of a rule.
func (r *Reader) Decision(fields map[string]*yaml.Node, path string) Decision {
	var d Decision
	for name, field := range map[string]*string{"reason": &d.Reason, "owner": &d.Owner, "issue": &d.Issue} {
		if n := fields[name]; n != nil {
			*field = r.Prose(n, path+"."+name)
		}
	}
	if n := fields["expires"]; n != nil {
		d.Expires = r.Day(n, path+".expires")
	}
	return d
}

// IsDay accepts real days in the form yyyy-mm-dd.
func IsDay(text string) bool {
	_, err := time.Parse(time.DateOnly, text)
	return err == nil
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
	return "the text " + Quoted(n.Value)
}

// clip bounds a number's text: a number may have a million digits.
func clip(text string) string {
	const most = 40
	if len(text) > most {
		return text[:most] + "…"
	}
	return text
}
