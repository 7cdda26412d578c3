package main

import (
	"io"
	"regexp"
	"strings"
	"sync"

	"github.com/qualify-dev/qualify/internal/report"
)

// stream is what a verb writes to: one of the program's own streams, behind the
// redactor, and with nothing in it that a terminal or a CI system would obey.
// Verbs get no other, so that none can print a secret or what a cluster says.
type stream struct {
	below io.Writer // the program's own
	lines io.WriteCloser

	mu  sync.Mutex
	err error // the first that met a write
}

func (w wiring) newStream(below io.Writer) *stream {
	return &stream{below: below, lines: w.sink.Stream(visible{below, w.colourful(below)})}
}

// Write writes p, each line when it is complete.
func (s *stream) Write(p []byte) (int, error) {
	n, err := s.lines.Write(p)
	return n, s.note(err)
}

// Close writes what is left, and returns the first error that there was.
func (s *stream) Close() error {
	_ = s.note(s.lines.Close())
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.err
}

func (s *stream) note(err error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err == nil {
		s.err = err
	}
	return err
}

// visible shows control characters and breaks the markers of CI systems. It is
// given whole lines.
type visible struct {
	out    io.Writer
	colour bool
}

// ownColours are the sequences that the answer is coloured with. Where there
// are colours, one that somebody else wrote colours too, and does no more.
var ownColours = regexp.MustCompile("\x1b\\[[0-9;]*m")

// Write writes lines.
func (v visible) Write(p []byte) (int, error) {
	var text strings.Builder
	rest := string(p)
	for v.colour {
		at := ownColours.FindStringIndex(rest)
		if at == nil {
			break
		}
		text.WriteString(report.Console(rest[:at[0]]) + rest[at[0]:at[1]])
		rest = rest[at[1]:]
	}
	text.WriteString(report.Console(rest))
	n, err := io.WriteString(v.out, text.String())
	if err == nil && n < text.Len() {
		err = io.ErrShortWrite
	}
	if err != nil {
		return 0, err
	}
	return len(p), nil
}
