package cncf

import (
	"fmt"
	"io"
	"io/fs"
	"slices"
)

// The bounds of the files. The host of CNCF's repository takes no file above
// 100 MiB; what people write is far smaller.
const (
	mostEvidence = 100 << 20
	mostProse    = 1 << 20
)

// file is one file of a submission, or what stands in its place.
type file struct {
	name    string
	missing bool
	kind    string // what it is, where it is no regular file
	size    int64
	notText string // why it is no text
}

func (f file) most() int64 {
	if f.name == LogFile || f.name == JUnitFile {
		return mostEvidence
	}
	return mostProse
}

// readable files are those whose content can be looked at.
func (f file) readable() bool {
	return !f.missing && f.kind == "" && f.size > 0 && f.size <= f.most()
}

// examine tells what an entry is without following or opening it.
func examine(e fs.DirEntry) (file, error) {
	f := file{name: e.Name()}
	switch mode := e.Type(); {
	case mode&fs.ModeSymlink != 0:
		f.kind = "a symbolic link"
	case mode.IsDir():
		f.kind = "a directory"
	case !mode.IsRegular():
		f.kind = "a special file (" + mode.String() + ")"
	default:
		info, err := e.Info()
		if err != nil {
			return file{}, fmt.Errorf("reading submission: %w", err)
		}
		f.size = info.Size()
	}
	return f, nil
}

// read reads a submission, each file once and none beyond its bound.
func read(tree fs.FS, place string, o Options) (*submission, error) {
	s := &submission{Options: o}
	s.located(place)
	s.tests = expect(s.minor, o.Tests)
	entries, err := fs.ReadDir(tree, ".")
	if err != nil {
		return nil, fmt.Errorf("reading submission: %w", err)
	}
	for _, e := range entries {
		f, err := examine(e)
		if err == nil && slices.Contains(Files(), f.name) && f.readable() {
			f.notText, err = s.take(tree, f)
		}
		if err != nil {
			return nil, err
		}
		s.files = append(s.files, f)
	}
	return s, nil
}

// take reads one of the four files into what the rules look at, and tells why
// it is no text. What is no text is not looked at.
func (s *submission) take(tree fs.FS, f file) (notText string, err error) {
	in, err := tree.Open(f.name)
	if err != nil {
		return "", fmt.Errorf("reading submission: %w", err)
	}
	defer func() { _ = in.Close() }() // opened for reading: nothing to lose
	text := &textReader{in: io.LimitReader(in, f.most())}
	took := s.parse(f.name, text)
	if text.fault != nil {
		return "", fmt.Errorf("reading submission: %s: %w", f.name, text.fault)
	}
	if notText = text.problem(); notText == "" {
		took()
	}
	return notText, nil
}

// parse reads a file to its end and returns what keeps the result.
func (s *submission) parse(name string, text io.Reader) (keep func()) {
	switch name {
	case LogFile:
		facts := readLog(text)
		return func() { s.log = facts }
	case JUnitFile:
		facts, err := readJUnit(text)
		return func() { s.junit, s.junitErr = facts, err }
	}
	data, _ := io.ReadAll(text) // the reader of texts remembers the error
	if name == ReadmeFile {
		return func() { s.readme = string(data) }
	}
	return func() { s.product = readProduct(data) }
}
