package main

import (
	"io"
	"os"

	"golang.org/x/term"
)

// terminalOf returns the terminal behind a stream, nil where there is none
// that understands more than lines.
func (w wiring) terminalOf(out io.Writer) *os.File {
	if own, ok := out.(*stream); ok {
		out = own.below
	}
	file, ok := out.(*os.File)
	if !ok || !term.IsTerminal(int(file.Fd())) {
		return nil
	}
	if kind, _ := w.lookup("TERM"); kind == "" || kind == "dumb" {
		return nil
	}
	return file
}

// colourful tells whether a stream may be written to in colour.
func (w wiring) colourful(out io.Writer) bool {
	return w.terminalOf(out) != nil && !w.on("NO_COLOR")
}
