package redact

import (
	"bytes"
	"encoding/binary"
	"sync"
)

// span is a place to redact in a line. from is where the words begin that tell
// what it is, such as "password="; they stay, and belong to it.
type span struct {
	from, start, end int
	kind             string
}

// detector finds secrets that nobody registered, by what they look like.
type detector struct {
	// triggers are what to look closer at, in lower case and at least three
	// bytes long: a hundred patterns cost one look-up for each byte.
	triggers []string
	// find looks at a trigger at i.
	find func(l *line, i int) (span, bool)
}

// detectors lists every pattern. Those of one kind of text share a file.
func detectors() []detector {
	all := []detector{
		{[]string{"-----begin "}, findPEM},
		{[]string{"ls0tls1crudjti"}, findEncodedPEM},
		{[]string{"://"}, findURLPassword},
		{[]string{"eyj"}, findJWT},
		{[]string{"eyjhdxrocyi6"}, findDockerConfig},
		{[]string{"bearer "}, findBearer},
		{[]string{"sshpass", "password "}, findSpacedPassword},
		{keyTriggers(), findKeyed},
	}
	for _, p := range prefixes() {
		all = append(all, p.detector())
	}
	return all
}

// triggers leads from four bytes of text, folded, to the detectors that they
// may trigger.
var triggers = sync.OnceValue(func() map[uint32][]detector {
	table := map[uint32][]detector{}
	for _, d := range detectors() {
		seen := map[uint32]bool{} // triggers of one detector may begin alike
		for _, key := range d.keys() {
			if !seen[key] {
				seen[key] = true
				table[key] = append(table[key], d)
			}
		}
	}
	return table
})

// keys are the first four bytes of each trigger; whatever follows one of
// three.
func (d detector) keys() []uint32 {
	var keys []uint32
	for _, text := range d.triggers {
		if len(text) > 3 {
			keys = append(keys, binary.LittleEndian.Uint32([]byte(text))|fold)
			continue
		}
		for last := range 256 {
			keys = append(keys, binary.LittleEndian.Uint32(append([]byte(text), byte(last)))|fold)
		}
	}
	return keys
}

// line is a line that is searched. It remembers how far the last searches went,
// so that a line of nothing but triggers does not take a time that grows with
// its square.
type line struct {
	text       []byte
	bare, blob reach
}

// reach is where a search that began at from has ended.
type reach struct{ from, end int }

var unsearched = reach{0, -1}

// once searches from i, unless an earlier search has passed it.
func (r *reach) once(i int, search func(i int) int) int {
	if i < r.from || i > r.end {
		*r = reach{i, search(i)}
	}
	return r.end
}

// blobEnd is where the base64 that i is in ends.
func (l *line) blobEnd(i int) int {
	return l.blob.once(i, func(i int) int { return base64Any.run(l.text, i) })
}

// near is what stands shortly before i.
func (l *line) near(i int) []byte { return l.text[max(0, i-200):i] }

// hasAt tells whether a text stands at i, whatever its case.
func hasAt(line []byte, i int, text string) bool {
	return i >= 0 && i+len(text) <= len(line) && bytes.EqualFold(line[i:i+len(text)], []byte(text))
}

// class is a set of bytes.
type class [256]bool

func classOf(ranges ...string) *class {
	var c class
	for _, r := range ranges {
		if len(r) == 3 && r[1] == '-' {
			for b := int(r[0]); b <= int(r[2]); b++ {
				c[b] = true
			}
			continue
		}
		for i := range len(r) {
			c[r[i]] = true
		}
	}
	return &c
}

// The alphabets that secrets are written in.
var (
	alnum     = classOf("a-z", "A-Z", "0-9")
	lowerNum  = classOf("a-z", "0-9")
	upperNum  = classOf("A-Z", "0-9")
	hexDigits = classOf("a-f", "A-F", "0-9")
	base64URL = classOf("a-z", "A-Z", "0-9", "_-")
	base64Any = classOf("a-z", "A-Z", "0-9", "_-", "+/=")
	base64Std = classOf("a-z", "A-Z", "0-9", "+/=")
	keyBytes  = classOf("a-z", "A-Z", "0-9", "_-", ".")
	opaque    = classOf("a-z", "A-Z", "0-9", "_-", "+/=.~")
)

// run is where the bytes of a class end that begin at i.
func (c *class) run(line []byte, i int) int {
	for i < len(line) && c[line[i]] {
		i++
	}
	return i
}

// all tells whether a text has no other bytes.
func (c *class) all(text []byte) bool { return c.run(text, 0) == len(text) }

// begins tells whether a word can begin at i. The letter of an escape such as
// \n is no part of a word.
func begins(line []byte, i int) bool {
	if i == 0 || !keyBytes[line[i-1]] {
		return true
	}
	return i >= 2 && line[i-2] == '\\' && bytes.IndexByte([]byte("nrtbf"), line[i-1]) >= 0
}

func isBlank(b byte) bool { return b == ' ' || b == '\t' }

func skipBlanks(line []byte, i int) int {
	for i < len(line) && isBlank(line[i]) {
		i++
	}
	return i
}
