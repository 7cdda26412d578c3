package sink

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
)

// The bounds of one file in a tar. What a cluster under test sends is hostile,
// and a file's size stands before its content: it is redacted in memory.
const (
	maxEntry    = 32 << 20
	maxUnpacked = 64 << 20 // of a compressed one
)

// tarFile redacts a tar on its way into a file.
type tarFile struct {
	in   *io.PipeWriter
	done chan error
	out  *os.File
}

// tar starts to redact what is written into a tar.
func (s *Sink) tar(out *os.File) *tarFile {
	pipe, in := io.Pipe()
	t := &tarFile{in: in, done: make(chan error, 1), out: out}
	go func() {
		err := s.redactTar(pipe, out)
		if err == nil { // what follows the end of the archive is padding or rubbish
			_, err = io.Copy(io.Discard, pipe)
		}
		_ = pipe.CloseWithError(err) // never fails
		t.done <- err
	}()
	return t
}

// Write takes a part of the tar.
func (t *tarFile) Write(p []byte) (int, error) { return t.in.Write(p) }

// Close ends the tar, also one whose sender has stopped in the middle.
func (t *tarFile) Close() error {
	_ = t.in.Close() // never fails
	return errors.Join(<-t.done, t.out.Close())
}

// cutNote is the name of the file that says that a tar was not whole.
const cutNote = "CUT-OFF.txt"

// redactTar copies files and folders. Links and devices are left out: nothing
// that we collect has to be one, and whoever unpacks them is at their mercy.
// The error is that of writing; a tar that is cut off becomes a whole one of
// what was there, and says so.
func (s *Sink) redactTar(in io.Reader, out io.Writer) error {
	r, w := tar.NewReader(in), tar.NewWriter(out)
	for {
		header, err := r.Next()
		if errors.Is(err, io.EOF) {
			return w.Close()
		}
		if err != nil {
			return errors.Join(note(w, err.Error()), w.Close())
		}
		cut, err := s.copyEntry(w, header, r)
		if err != nil {
			return fmt.Errorf("redacting a tar: %w", err)
		}
		if cut != "" {
			return errors.Join(note(w, cut), w.Close())
		}
	}
}

func note(w *tar.Writer, why string) error {
	text := "The archive was cut off here: " + why + "\n"
	err := w.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: cutNote, Mode: 0o600, Size: int64(len(text))})
	_, writing := io.WriteString(w, text)
	return errors.Join(err, writing)
}

// copyEntry copies one entry; cut says why it is the last.
func (s *Sink) copyEntry(w *tar.Writer, header *tar.Header, content io.Reader) (cut string, err error) {
	name := s.Text(header.Name)
	clean := &tar.Header{Typeflag: header.Typeflag, Name: name, Mode: 0o600, ModTime: header.ModTime, Format: tar.FormatPAX}
	if !filepath.IsLocal(name) || strings.ContainsRune(name, 0) {
		return "", nil
	}
	switch header.Typeflag {
	case tar.TypeDir:
		clean.Mode = 0o700
		return "", w.WriteHeader(clean)
	case tar.TypeReg:
	default:
		return "", nil
	}
	data, readErr := io.ReadAll(io.LimitReader(content, maxEntry+1))
	if len(data) > maxEntry {
		data = append(data[:maxEntry], fmt.Sprintf("\n… of %d bytes, the rest was left out\n", header.Size)...)
	}
	data = s.redactBytes(data)
	clean.Size = int64(len(data))
	if err := w.WriteHeader(clean); err != nil {
		return "", err
	}
	if _, err := w.Write(data); err != nil {
		return "", err
	}
	if readErr != nil {
		return name + ": " + readErr.Error(), nil
	}
	return "", nil
}

// redactBytes redacts a file, also one that is compressed, as rotated logs are.
func (s *Sink) redactBytes(data []byte) []byte {
	if !bytes.HasPrefix(data, []byte("\x1f\x8b")) {
		return []byte(s.Text(string(data)))
	}
	var text strings.Builder
	z, err := gzip.NewReader(bytes.NewReader(data))
	if err == nil {
		_, err = io.Copy(&text, io.LimitReader(z, maxUnpacked))
	}
	if err != nil {
		text.WriteString("\n… the rest cannot be unpacked\n")
	}
	var packed bytes.Buffer
	p := gzip.NewWriter(&packed)
	_, _ = io.WriteString(p, s.Text(text.String())) // a buffer never fails
	_ = p.Close()
	return packed.Bytes()
}
