package redact

import (
	"bytes"
	"cmp"
	"slices"
)

// The bounds of a line. A longer one is taken in pieces; no secret is longer
// than the part that two pieces share.
const (
	maxLine = 256 << 10
	overlap = 64 << 10
)

// oversized is the kind of what is longer than anything that we know.
const oversized = "oversized"

// scanner redacts a stream line by line. What it remembers of the lines
// before follows from their redacted text alone: so a second redaction meets
// the same states, and finds nothing more to do.
type scanner struct {
	pem     pemState
	key     int  // lines in which a certificate key may follow its announcement
	dropped bool // a secret has filled a whole piece: the rest of the line goes
	line    line // that is searched; here so that it is made once
}

// all appends the redacted form of a whole text to out.
func (s *scanner) all(r *Redactor, out, text []byte) []byte {
	out, rest := s.lines(r, out, text)
	return s.end(r, out, rest)
}

// lines appends all lines that are complete, and returns the rest of the text.
func (s *scanner) lines(r *Redactor, out, text []byte) (redacted, rest []byte) {
	for {
		n := bytes.IndexByte(text[:min(len(text), maxLine)], '\n')
		switch {
		case n >= 0:
			out = append(s.end(r, out, text[:n]), '\n')
			text = text[n+1:]
		case len(text) >= maxLine:
			var taken int
			out, taken = s.piece(r, out, text[:maxLine])
			text = text[taken:]
		default:
			return out, text
		}
	}
}

// end appends a line, or the last piece of one, without its newline.
func (s *scanner) end(r *Redactor, out, line []byte) []byte {
	if s.dropped {
		s.dropped = false
		s.after([]byte(mark(oversized)))
		return out
	}
	start := len(out)
	out = s.fix(r, out, line)
	s.after(out[start:])
	return out
}

// piece appends a part of a line that is too long, and tells how much of it.
// It is cut where no secret is, and what tells that one follows is not cut off
// from it.
func (s *scanner) piece(r *Redactor, out, line []byte) ([]byte, int) {
	if s.dropped {
		return out, len(line)
	}
	cut := len(line) - overlap
	for _, found := range s.spans(r, line) {
		if found.from < cut && found.end > cut {
			cut = found.from
		}
	}
	if cut == 0 {
		// Nothing that we know is so long. It fails closed.
		s.dropped = true
		return append(out, mark(oversized)...), len(line)
	}
	return s.fix(r, out, line[:cut]), cut
}

// fix appends the redacted form of a line. It redacts until there is nothing
// left to find: a replacement may bring together what was apart. It ends, since
// each round leaves fewer bytes that are no replacement.
func (s *scanner) fix(r *Redactor, out, line []byte) []byte {
	start := len(out)
	found := s.spans(r, line)
	if len(found) == 0 {
		return append(out, line...)
	}
	out = replace(out, line, found)
	for {
		again := s.spans(r, out[start:])
		if len(again) == 0 {
			return out
		}
		out = replace(out[:start], bytes.Clone(out[start:]), again)
	}
}

// spans are the places to redact in a line, in order and apart.
func (s *scanner) spans(r *Redactor, text []byte) []span {
	s.line = line{text: text, bare: unsearched, blob: unsearched}
	r.mu.RLock()
	found := r.known.find(nil, &s.line)
	r.mu.RUnlock()
	found = s.pem.find(found, text)
	if s.key > 0 {
		found = findBareKey(found, text)
	}
	if len(found) == 0 {
		return nil
	}
	return apart(text, found)
}

// apart sorts spans and joins those that overlap: it takes the kind of the one
// that begins first, and of those the longest.
func apart(line []byte, found []span) []span {
	found = besideMarks(line, found)
	slices.SortFunc(found, func(a, b span) int {
		return cmp.Or(cmp.Compare(a.start, b.start), cmp.Compare(b.end, a.end), cmp.Compare(a.kind, b.kind))
	})
	joined := found[:0]
	for _, s := range found {
		if n := len(joined); n > 0 && s.start < joined[n-1].end {
			joined[n-1].end = max(joined[n-1].end, s.end)
			joined[n-1].from = min(joined[n-1].from, s.from)
			continue
		}
		joined = append(joined, s)
	}
	return joined
}

// besideMarks drops what lies within a replacement, and takes in a replacement
// that it reaches into: so each round of redacting has less left to do.
func besideMarks(line []byte, found []span) []span {
	marks := marksIn(line)
	kept := found[:0]
	for _, s := range found {
		within := s.end <= s.start
		at, _ := slices.BinarySearchFunc(marks, s.start, func(m span, start int) int { return cmp.Compare(m.end, start+1) })
		for ; at < len(marks) && marks[at].start < s.end; at++ {
			m := marks[at]
			within = within || m.start <= s.start && s.end <= m.end
			s.start, s.end, s.from = min(s.start, m.start), max(s.end, m.end), min(s.from, m.start)
		}
		if !within {
			kept = append(kept, s)
		}
	}
	return kept
}

// marksIn are the replacements in a line.
func marksIn(line []byte) []span {
	var marks []span
	for i := 0; ; {
		n := bytes.Index(line[i:], []byte(markStart))
		if n < 0 {
			return marks
		}
		start := i + n
		i = start + len(markStart)
		if n := bytes.Index(line[i:min(len(line), i+mostKind+len(markEnd))], []byte(markEnd)); n >= 0 && isMark(line[start:i+n+len(markEnd)]) {
			i += n + len(markEnd)
			marks = append(marks, span{start: start, end: i})
		}
	}
}

// replace appends a line with marks in place of spans.
func replace(out, line []byte, found []span) []byte {
	last := 0
	for _, s := range found {
		out = append(out, line[last:s.start]...)
		out = append(out, mark(s.kind)...)
		last = s.end
	}
	return append(out, line[last:]...)
}

// after remembers what a redacted line says about those that follow.
func (s *scanner) after(line []byte) {
	s.pem.after(line)
	s.key = max(s.key-1, 0)
	if text := bytes.TrimRight(line, " \t\r"); hasAt(text, len(text)-len(announcement), announcement) {
		s.key = announced
	}
}

// kubeadm announces a certificate key at the end of a line, and prints it on
// the next one: 64 hexadecimal digits, as any digest.
const (
	announcement = "certificate key:"
	announced    = 2
)

func findBareKey(found []span, line []byte) []span {
	for i := 0; i < len(line); i++ {
		if end := hexDigits.run(line, i); end > i {
			if end-i == 64 && begins(line, i) {
				found = append(found, span{i, i, end, "certificate-key"})
			}
			i = end
		}
	}
	return found
}
