package redact

import (
	"bytes"
	"encoding/base64"
)

// PEM keys reach from their first line to their last one. In logs each line
// may stand behind a prefix, and in JSON all of them in one line with \n
// between them.

const (
	pemBegin = "-----BEGIN "
	pemEnd   = "-----END "
	dashes   = "-----"
)

// pemKind names the secret that a label announces; "" where it is none, as
// of a certificate.
func pemKind(label []byte) string {
	switch {
	case bytes.Contains(label, []byte("OPENSSH PRIVATE KEY")):
		return "ssh-private-key"
	case bytes.Contains(label, []byte("PGP PRIVATE KEY")):
		return "pgp-private-key"
	case bytes.Contains(label, []byte("PRIVATE KEY")):
		return "private-key"
	}
	return ""
}

// pemLabel reads the label of a BEGIN line at i, and where that ends.
func pemLabel(line []byte, i int) (kind string, end int) {
	if !bytes.HasPrefix(line[i:], []byte(pemBegin)) {
		return "", i
	}
	const most = 80
	start := i + len(pemBegin)
	n := bytes.Index(line[start:min(len(line), start+most)], []byte(dashes))
	if n < 0 {
		return "", i
	}
	return pemKind(line[start : start+n]), start + n + len(dashes)
}

// findPEM finds a key that begins at i, up to its end or, where that is cut
// off, to the end of the string or the line.
func findPEM(l *line, i int) (span, bool) {
	kind, start := pemLabel(l.text, i)
	if kind == "" || !hasBody(l.text[start:]) { // words about keys, or a first line that ends here
		return span{}, false
	}
	rest := l.text[start:]
	if end := bytes.Index(rest, []byte(pemEnd)); end >= 0 {
		rest = rest[:end]
	} else if end := bytes.IndexAny(rest, "\"'`<>"); end >= 0 {
		rest = bytes.TrimRight(rest[:end], "\\")
	}
	return span{i, start, start + len(rest), kind}, true
}

// hasBody tells whether a line of a key follows at once: behind an escaped
// newline, quotes or headers.
func hasBody(text []byte) bool {
	const most = 400
	text = text[:min(len(text), most)]
	if end := bytes.Index(text, []byte(dashes)); end >= 0 {
		text = text[:end]
	}
	for i := 0; i < len(text); i++ {
		end := base64Std.run(text, i)
		if end-i >= leastPEMBody {
			return true
		}
		i = end
	}
	return false
}

// findEncodedPEM finds base64 of a key, as client-key-data has it.
func findEncodedPEM(l *line, i int) (span, bool) {
	if !bytes.HasPrefix(l.text[i:], []byte("LS0tLS1CRUdJTi")) {
		return span{}, false
	}
	end := l.blobEnd(i)
	const head = 80 // characters that have the label
	text := bytes.TrimRight(l.text[i:min(end, i+head)], "=")
	decoded := make([]byte, head)
	n, err := base64.RawStdEncoding.Decode(decoded, text[:len(text)/4*4])
	if err != nil || pemKind(decoded[:n]) == "" {
		return span{}, false
	}
	return span{i, i, end, pemKind(decoded[:n])}, true
}

// pemState follows a key over lines.
type pemState struct {
	kind   string // what is being read; "" is nothing
	lines  int    // read so far
	others int    // of them, those that are no part of it
	body   bool   // one at least was
}

// The bounds of a key: a truncated one must not eat a log. The largest keys in
// use have 200 lines; before them may be two headers and a line of another
// process.
const (
	mostPEMLines  = 400
	mostPEMFirst  = 3 // other lines before the first of the key
	mostPEMOthers = 8
	leastPEMBody  = 16
)

// after takes a redacted line in.
func (p *pemState) after(line []byte) {
	if bytes.Contains(line, []byte(pemBegin)) { // much faster than looking from the end
		begin := bytes.LastIndex(line, []byte(pemBegin))
		kind, _ := pemLabel(line, begin)
		if kind != "" && !bytes.Contains(line[begin:], []byte(pemEnd)) {
			*p = pemState{kind: kind}
			return
		}
	}
	if p.kind == "" {
		return
	}
	p.lines++
	start, end := p.bodyOf(line)
	switch {
	case bytes.Contains(line, []byte(pemEnd)), p.lines > mostPEMLines:
		*p = pemState{}
	case bytes.HasSuffix(line[start:end], []byte(mark(p.kind))):
		p.body = true
	case end > start:
		p.others++
	}
	if p.others > mostPEMOthers || p.others > mostPEMFirst && !p.body {
		*p = pemState{}
	}
}

// find appends the part of a key that a line holds: what stands last in it.
// The last words of other lines in between are shorter.
func (p *pemState) find(found []span, line []byte) []span {
	if p.kind == "" {
		return found
	}
	if end := bytes.Index(line, []byte(pemEnd)); end >= 0 {
		line = line[:end]
	}
	start, end := p.bodyOf(line)
	alone := len(bytes.TrimSpace(line[:start])) == 0
	if end > start && base64Std.all(line[start:end]) && (end-start >= leastPEMBody || alone && p.body) {
		found = append(found, span{start, start, end, p.kind})
	}
	return found
}

// bodyOf is the last word of a line, without what quotes it.
func (p *pemState) bodyOf(line []byte) (start, end int) {
	end = len(bytes.TrimRight(line, " \t\r\"',\\"))
	if bytes.HasSuffix(line[:end], []byte(`\n`)) {
		end -= 2
	}
	start = bytes.LastIndexAny(line[:end], " \t\"'|") + 1
	return start, end
}
