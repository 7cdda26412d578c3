package main

import (
	"io"
	"os"

	"golang.org/x/term"
)

// terminalOf returns the terminal behind a stream, nil where there is none
// that understands more than lines.
func (w wiring) terminalOf(stream io.Writer) *os.File {
	if checked, ok := stream.(*checkedWriter); ok {
		stream = checked.Writer
	}
	file, ok := stream.(*os.File)
	if !ok || !term.IsTerminal(int(file.Fd())) {
		return nil
	}
	if kind, _ := w.lookup("TERM"); kind == "" || kind == "dumb" {
		return nil
	}
	return file
}

// colourful tells whether a stream may be written to in colour.
func (w wiring) colourful(stream io.Writer) bool {
	return w.terminalOf(stream) != nil && !w.on("NO_COLOR")
}
