package cncf

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"testing/fstest"
	"time"
)

// heap is how much memory is in use after a collection.
func heap() uint64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// big is a file of any size that need not be in memory.
type big struct {
	name string
	unit string
	size int64
	at   int64
	read func()
}

// Open implements fs.FS over one file.
func (b *big) Open(name string) (fs.File, error) {
	if name == "." {
		return fstest.MapFS{}.Open(".")
	}
	b.at = 0
	return b, nil
}

// ReadDir lists the file.
func (b *big) ReadDir(string) ([]fs.DirEntry, error) {
	return []fs.DirEntry{fs.FileInfoToDirEntry(b)}, nil
}

func (b *big) Stat() (fs.FileInfo, error) { return b, nil }
func (b *big) Close() error               { return nil }
func (b *big) Name() string               { return b.name }
func (b *big) Size() int64                { return b.size }
func (b *big) Mode() fs.FileMode          { return 0o644 }
func (b *big) ModTime() time.Time         { return time.Time{} }
func (b *big) IsDir() bool                { return false }
func (b *big) Sys() any                   { return nil }

func (b *big) Read(p []byte) (int, error) {
	if b.read != nil {
		b.read()
	}
	if b.at >= b.size {
		return 0, io.EOF
	}
	n := 0
	for n < len(p) && b.at < b.size {
		k := copy(p[n:min(len(p), n+int(b.size-b.at))], b.unit[int(b.at)%len(b.unit):])
		n, b.at = n+k, b.at+int64(k)
	}
	return n, nil
}

func TestLargeFilesNeedLittleMemory(t *testing.T) {
	const large = 16 << 20
	for name, b := range map[string]*big{
		"a log of short lines":  {name: LogFile, unit: "  STEP: creating a pod @ 11/25/26 version: v1\n", size: large},
		"a log of one line":     {name: LogFile, unit: "•S", size: large - 4},
		"a log of tests":        {name: LogFile, unit: strings.Repeat("-", 30) + "\n[sig-x] a test\nx.go:1\n", size: large},
		"JUnit that never ends": {name: JUnitFile, unit: `<testsuite name="x">`, size: large},
		"JUnit of one text":     {name: JUnitFile, unit: `<testsuite><testcase name="a"><failure>` + strings.Repeat("x", 1<<20), size: large},
	} {
		t.Run(name, func(t *testing.T) {
			before := heap()
			s, err := read(b, "v1.34/x", Options{})
			if err != nil {
				t.Fatal(err)
			}
			if grown := int64(heap()) - int64(before); grown > 8<<20 {
				t.Errorf("%d bytes are kept", grown)
			}
			runtime.KeepAlive(s)
		})
	}
}

// More tests than any test program has are not kept.
func TestTooManyTests(t *testing.T) {
	var junit, log strings.Builder
	log.WriteString(strings.Repeat("-", 30))
	for i := range mostTests + 1 {
		fmt.Fprintf(&junit, `<testcase name="%d"/>`, i)
		fmt.Fprintf(&log, "\n[sig-x] %d\nx.go:1\n%s", i, strings.Repeat("-", 30))
	}
	if facts, err := readJUnit(strings.NewReader("<testsuite>" + junit.String() + "</testsuite>")); err == nil {
		t.Errorf("%d testcases are taken", facts.listed)
	}
	if facts := readLog(strings.NewReader(log.String())); len(facts.ran) != mostTests {
		t.Errorf("%d tests of the log are kept", len(facts.ran))
	}
}

func TestFilesAboveTheBoundAreNotRead(t *testing.T) {
	b := &big{name: LogFile, unit: "x", size: mostEvidence + 1}
	b.read = func() { t.Error("the file is read") }
	r, err := Lint(b, "v1.34/x", Options{})
	if err != nil || !strings.Contains(ids(r.Findings), "file-too-large") {
		t.Errorf("%+v, %v", r, err)
	}
}

// A file that grows while it is read gives no more than its bound.
func TestFilesThatGrow(t *testing.T) {
	text := &textReader{in: io.LimitReader(&big{unit: "x", size: 1 << 40}, mostProse)}
	if data, err := io.ReadAll(text); err != nil || len(data) != mostProse {
		t.Errorf("%d bytes, %v", len(data), err)
	}
}

type broken struct{ fstest.MapFS }

// Open gives files that cannot be read.
func (b broken) Open(name string) (fs.File, error) {
	f, err := b.MapFS.Open(name)
	return brokenFile{f}, err
}

type brokenFile struct{ fs.File }

var errDisk = errors.New("the disk is gone")

func (brokenFile) Read([]byte) (int, error) { return 0, errDisk }

// What could not be read says nothing of the submission: it is no finding.
func TestFaultsOfTheDiskAreErrors(t *testing.T) {
	for _, name := range Files() {
		if r, err := Lint(broken{fstest.MapFS{name: {Data: []byte("x")}}}, "v1.34/x", Options{}); !errors.Is(err, errDisk) {
			t.Errorf("%s: %+v, %v", name, r, err)
		}
	}
	if _, err := Lint(os.DirFS(filepath.Join(t.TempDir(), "none")), "v1.34/x", Options{}); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no directory gives %v", err)
	}
}

// A link is not followed, wherever it leads.
func TestLinksAreNotFollowed(t *testing.T) {
	dir := t.TempDir()
	outside := filepath.Join(t.TempDir(), "secret")
	if err := errors.Join(os.WriteFile(outside, []byte("vendor: x\n"), 0o600), os.Symlink(outside, filepath.Join(dir, ProductFile)),
		os.Symlink("/dev/zero", filepath.Join(dir, LogFile)), os.Mkdir(filepath.Join(dir, JUnitFile), 0o700)); err != nil {
		t.Fatal(err)
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	r, err := Lint(root.FS(), "v1.34/x", Options{})
	if err != nil || !strings.Contains(ids(r.Findings), "file-missing file-irregular") || len(r.Findings) < 4 {
		t.Errorf("%+v, %v", r, err)
	}
}

// Text from outside is shown cut to a length that a terminal can take.
func TestFindingsAreShort(t *testing.T) {
	b := newSample(t, 28, terse)
	long := strings.Repeat("x", 10_000)
	b.Title = long
	b.place = "v1.28/" + long
	b.put(long, "x")
	b.put(ProductFile, sampleProduct+long[:900]+": y\n")
	b.field(t, "type", value(long))
	b.field(t, "contact_email_address", value(long))
	b.put(LogFile, strings.Replace(b.text(LogFile), "e2e test version: v1.28.2", "e2e test version: "+long, 1))
	r := b.lint(t)
	if len(r.Findings) != 5 {
		t.Errorf("only %+v", r.Findings)
	}
	for _, f := range append(r.Findings, r.Notes...) {
		if len(f.Got) > 1000 || len(f.Want) > 1000 {
			t.Errorf("%s says %d and %d bytes", f.Rule, len(f.Want), len(f.Got))
		}
	}
}

// FuzzLint shows that no content makes it fail or contradict itself, and that
// nothing but whole evidence is accepted.
func FuzzLint(f *testing.F) {
	f.Add([]byte(sampleProduct), []byte(sampleReadme), []byte(sampleLog([]string{"a [Conformance]"}, 28, verbose)), []byte(sampleJUnit([]string{"a [Conformance]"}, verbose)))
	f.Add([]byte("a: *b"), []byte("```"), []byte(sampleLog([]string{"a"}, 24, first)), []byte(sampleJUnit([]string{"a"}, first)))
	f.Add([]byte(bomb), []byte("\xff"), []byte("Ran 999999 of 0 Specs in 1 seconds\nSUCCESS! -- 1 Passed"), []byte(bomb))
	f.Fuzz(func(t *testing.T, product, readme, log, junit []byte) {
		tree := fstest.MapFS{ProductFile: {Data: product}, ReadmeFile: {Data: readme}, LogFile: {Data: log}, JUnitFile: {Data: junit}}
		r, err := Lint(tree, "v1.28/x", Options{AsOf: time.Date(2023, 9, 1, 0, 0, 0, 0, time.UTC)})
		if err != nil {
			t.Fatal(err)
		}
		if r.Accepted {
			t.Error("a few bytes show 380 tests")
		}
		for _, finding := range r.Findings {
			if finding.Rule == "" || finding.Want == "" || finding.Got == "" {
				t.Errorf("%+v", finding)
			}
		}
	})
}
