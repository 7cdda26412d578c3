package redact

import (
	"errors"
	"io"
	"sync"
)

// Writer redacts a stream on its way. A line goes on in the call that
// completes it, and never in parts that it could be told from; one that is
// very long goes on in pieces, so that memory stays bounded.
type Writer struct {
	redactor *Redactor
	out      io.Writer

	mu      sync.Mutex
	scanner scanner
	held    []byte // the beginning of a line
	made    []byte // room for what goes on
	err     error
}

// Writer returns a writer that hands redacted lines on to out. What follows
// the last newline goes on when it is closed.
func (r *Redactor) Writer(out io.Writer) *Writer { return &Writer{redactor: r, out: out} }

var errClosed = errors.New("the redacting writer is closed")

// Write takes all of p, or fails as the writer behind it did. It may be called
// from many goroutines, each of which should write whole lines.
func (w *Writer) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.err != nil {
		return 0, w.err
	}
	taken := p
	if len(w.held) > 0 {
		w.held = append(w.held, p...)
		taken = w.held
	}
	var rest []byte
	w.made, rest = w.scanner.lines(w.redactor, w.made[:0], taken)
	w.held = append(w.held[:0], rest...)
	w.pass()
	if w.err != nil {
		return 0, w.err
	}
	return len(p), nil
}

// Close hands on what is left. It does not close the writer behind it.
func (w *Writer) Close() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if errors.Is(w.err, errClosed) {
		return nil
	}
	if w.err != nil {
		return w.err
	}
	w.made = w.scanner.end(w.redactor, w.made[:0], w.held)
	w.pass()
	err := w.err
	w.err, w.held, w.made = errClosed, nil, nil
	return err
}

// pass hands on what was made.
func (w *Writer) pass() {
	if len(w.made) == 0 {
		return
	}
	n, err := w.out.Write(w.made)
	if err == nil && n < len(w.made) {
		err = io.ErrShortWrite
	}
	w.err = err
}
