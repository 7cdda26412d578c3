// Package sink has the only ways on which text leaves the program: the files of
// a run and the streams. Each goes through the redactor, so that who writes
// need not think of secrets, and cannot forget to.
//
// internal/archtest keeps the others shut: outside of this package and a short
// list, nothing creates files, and only main names the streams.
package sink

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"

	"github.com/google/renameio/v2"

	"github.com/qualify-dev/qualify/internal/redact"
)

// Sink is where a process writes to. It may be used from many goroutines.
type Sink struct{ secrets *redact.Redactor }

// New returns a sink that redacts what a redactor finds.
func New(secrets *redact.Redactor) *Sink { return &Sink{secrets: secrets} }

// Add registers a secret at the moment it is born or read. The error must be
// one of that step: a secret that is not known would be printed.
func (s *Sink) Add(kind, value string) error { return s.secrets.Add(kind, value) }

// Text redacts what does not go through a file or a stream of the sink.
func (s *Sink) Text(text string) string { return s.secrets.String(text) }

// Stream puts the redactor before a stream. Complete lines go on at once; what
// is left goes on when it is closed, which leaves the stream open.
func (s *Sink) Stream(out io.Writer) io.WriteCloser { return s.secrets.Writer(out) }

// Logger returns a logger to a stream.
func (s *Sink) Logger(out io.Writer) *slog.Logger {
	return slog.New(slog.NewTextHandler(s.Stream(out), nil))
}

// Create opens a file of a run for writing, empty and readable by its owner
// only. A tar stays one: what is in its files is redacted, see tar.go.
func (s *Sink) Create(path string) (io.WriteCloser, error) { return s.open(path, os.O_TRUNC) }

// Append is Create for a file that goes on.
func (s *Sink) Append(path string) (io.WriteCloser, error) { return s.open(path, os.O_APPEND) }

func (s *Sink) open(path string, how int) (io.WriteCloser, error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|how, 0o600)
	if err != nil {
		return nil, fmt.Errorf("creating a file of the run: %w", err)
	}
	if filepath.Ext(path) == ".tar" {
		return s.tar(f), nil
	}
	return &file{WriteCloser: s.Stream(f), below: f}, nil
}

// file is a redacted stream into a file.
type file struct {
	io.WriteCloser
	below *os.File
}

// Close writes what is left and closes the file.
func (f *file) Close() error { return errors.Join(f.WriteCloser.Close(), f.below.Close()) }

// WriteFile replaces a file of a run in one step, readable by its owner only,
// and makes the directories that lead to it.
func (s *Sink) WriteFile(path string, data []byte) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	return replace(path, []byte(s.Text(string(data))))
}

// replace writes a file beside the one that it becomes, not where temporary
// files go: what a killed process leaves of it is in the run's directory.
func replace(path string, data []byte) error {
	return renameio.WriteFile(path, data, 0o600, renameio.WithTempDir(filepath.Dir(path)))
}
