package doctor

import (
	"bytes"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"testing"
)

var update = flag.Bool("update", false, "write the golden files anew")

func TestWrite(t *testing.T) {
	checks := []Check{
		ok("engine", "version %s", "20.10.24"),
		found(Warn, "inotify", "128 instances of 8192", setup),
		found(Fail, "disk-cache", "3.0 GB free at /c", "free space"),
	}
	for _, format := range Formats() {
		t.Run(format, func(t *testing.T) {
			var out bytes.Buffer
			if err := Write(&out, format, checks); err != nil {
				t.Fatal(err)
			}
			golden := filepath.Join("testdata", "checks."+format)
			if *update {
				if err := os.WriteFile(golden, out.Bytes(), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if out.String() != string(want) {
				t.Errorf("got:\n%s\nwant:\n%s", out.String(), want)
			}
		})
	}
}

func TestWriteTellsFromAVerdict(t *testing.T) {
	var out bytes.Buffer
	if err := Write(&out, "table", []Check{ok("a", "b")}); err != nil {
		t.Fatal(err)
	}
	if want := "CHECK  STATUS  DETAIL\na      ok      b\n\nfit: 1 ok, 0 to watch, 0 failed\n"; out.String() != want {
		t.Errorf("got %q", out.String())
	}
}

// full is a disk without space after some writes.
type full struct{ left int }

var errFull = errors.New("full")

func (f *full) Write(p []byte) (int, error) {
	if f.left == 0 {
		return 0, errFull
	}
	f.left--
	return len(p), nil
}

func TestWriteFails(t *testing.T) {
	checks := []Check{ok("a", "b")}
	for _, format := range Formats() {
		if err := Write(&full{}, format, checks); !errors.Is(err, errFull) {
			t.Errorf("%s: %v", format, err)
		}
	}
	if err := Write(&bytes.Buffer{}, "xml", checks); err == nil {
		t.Error("an unknown format was written")
	}
	// The table's last line is written by itself.
	writes := &full{left: 1000}
	if err := Write(writes, "table", checks); err != nil {
		t.Fatal(err)
	}
	if err := Write(&full{left: 1000 - writes.left - 1}, "table", checks); !errors.Is(err, errFull) {
		t.Errorf("the last line: %v", err)
	}
}
