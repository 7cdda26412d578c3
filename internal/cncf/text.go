package cncf

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"unicode/utf8"
)

// textReader passes bytes on and looks whether they are text.
type textReader struct {
	in    io.Reader
	lines int    // so far
	bad   string // the first thing that is no text
	rest  []byte // the beginning of a character whose end has not been read yet
	fault error  // of what is read from
}

// Read implements io.Reader.
func (t *textReader) Read(p []byte) (int, error) {
	n, err := t.in.Read(p)
	if t.bad == "" {
		t.look(p[:n])
	}
	if err != nil && !errors.Is(err, io.EOF) {
		t.fault = err
	}
	return n, err
}

func (t *textReader) look(p []byte) {
	all := p
	if len(t.rest) > 0 {
		all = append(t.rest, p...)
	}
	good := goodText(all)
	t.lines += bytes.Count(all[:good], []byte("\n"))
	t.rest = nil
	switch bad := all[good:]; {
	case len(bad) == 0:
	case bad[0] == 0:
		t.bad = fmt.Sprintf("line %d has a NUL byte", t.lines+1)
	case utf8.FullRune(bad):
		t.bad = fmt.Sprintf("line %d is not UTF-8", t.lines+1)
	default:
		t.rest = bytes.Clone(bad)
	}
}

// goodText is the length of what is text at the beginning of p.
func goodText(p []byte) int {
	if utf8.Valid(p) && bytes.IndexByte(p, 0) < 0 {
		return len(p)
	}
	for at := 0; at < len(p); {
		r, size := utf8.DecodeRune(p[at:])
		if r == 0 || r == utf8.RuneError && size == 1 {
			return at
		}
		at += size
	}
	return len(p)
}

// problem tells why what was read is no text; empty if it is.
func (t *textReader) problem() string {
	if t.bad == "" && len(t.rest) > 0 {
		return "its last character is cut off"
	}
	return t.bad
}
