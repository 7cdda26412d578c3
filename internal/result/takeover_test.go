package result

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// A former owner goes on writing after another process has opened the journal:
// none of it is in the file that is read.
func TestOpenTakesTheFileFromItsFormerOwner(t *testing.T) {
	path := filepath.Join(t.TempDir(), "journal.jsonl")
	former, err := Create(path, ticking())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := former.Append(start()); err != nil {
		t.Fatal(err)
	}
	latter, events, err := Open(path, ticking())
	if err != nil || len(events) != 1 {
		t.Fatalf("%d events, %v", len(events), err)
	}
	for range 3 {
		if _, err := former.Append(Event{Kind: Note, Text: "late"}); err != nil {
			t.Fatal(err)
		}
	}
	for range 2 {
		if _, err := latter.Append(Event{Kind: Note, Text: "on time"}); err != nil {
			t.Fatal(err)
		}
	}
	events, tail, err := ReadFile(path)
	if err != nil || tail.Torn > 0 || len(events) != 3 {
		t.Fatalf("%d events, tail %+v, %v", len(events), tail, err)
	}
	for _, e := range events[1:] {
		if e.Text != "on time" {
			t.Errorf("event %+v", e)
		}
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
	if left, err := os.ReadDir(filepath.Dir(path)); err != nil || len(left) != 1 {
		t.Errorf("beside the journal there are %v, %v", left, err)
	}
}

// What is on disk does not count before the guard has been asked, and what it
// says once is final.
func TestGuardRefusesLateWrites(t *testing.T) {
	f := &memFile{}
	j := newJournal(f, ticking())
	var lost error
	asked := 0
	j.Guard(func() error {
		if events, _, err := ReadAll(bytes.NewReader(f.data)); err != nil || len(events) != asked+1 {
			t.Errorf("the guard was asked when %d events were on disk, %v", len(events), err)
		}
		asked++
		return lost
	})
	if _, err := j.Append(start()); err != nil {
		t.Fatal(err)
	}
	lost = errors.New("another process has the run")
	if _, err := j.Append(Event{Kind: Note, Text: "late"}); !errors.Is(err, lost) {
		t.Errorf("a late write: %v", err)
	}
	size, ops := len(f.data), f.ops
	lost = nil
	if _, err := j.Append(Event{Kind: Note, Text: "later"}); err == nil || asked != 2 {
		t.Errorf("after the run was lost: %v, the guard was asked %d times", err, asked)
	}
	if len(f.data) != size || f.ops != ops {
		t.Error("the file was touched after the run was lost")
	}
}

// faultyDisk fails at one operation.
type faultyDisk struct {
	osDisk
	at, ops int
}

func (d *faultyDisk) op() error {
	if d.ops++; d.ops == d.at {
		return syscall.ENOSPC
	}
	return nil
}

func (d *faultyDisk) create(path string, flags int) (file, error) {
	if err := d.op(); err != nil {
		return nil, err
	}
	f, err := d.osDisk.create(path, flags)
	return &faultyFile{f, d}, err
}

func (d *faultyDisk) rename(from, to string) error {
	if err := d.op(); err != nil {
		return err
	}
	return d.osDisk.rename(from, to)
}

func (d *faultyDisk) syncDir(path string) error {
	if err := d.op(); err != nil {
		return err
	}
	return d.osDisk.syncDir(path)
}

type faultyFile struct {
	file
	d *faultyDisk
}

func (f *faultyFile) Write(p []byte) (int, error) {
	if err := f.d.op(); err != nil {
		n, _ := f.file.Write(p[:len(p)/2])
		return n, err
	}
	return f.file.Write(p)
}

func (f *faultyFile) Sync() error {
	if err := f.d.op(); err != nil {
		return err
	}
	return f.file.Sync()
}

// Opening may fail at each operation: nothing of the journal is lost, the
// cause is said, and the next attempt succeeds.
func TestOpenFailsAtEveryOperation(t *testing.T) {
	data := written(t, cleanRun())
	torn := append(bytes.Clone(data), "torn"...)
	const operations = 5 // create, write, sync, rename, sync of the directory
	for at := 1; at <= operations+1; at++ {
		path := filepath.Join(t.TempDir(), "journal.jsonl")
		if err := os.WriteFile(path, torn, 0o600); err != nil {
			t.Fatal(err)
		}
		_, _, err := open(&faultyDisk{at: at}, path, ticking())
		if failed := errors.Is(err, syscall.ENOSPC); failed != (at <= operations) {
			t.Errorf("operation %d: %v", at, err)
		}
		if err != nil && !strings.Contains(err.Error(), path) {
			t.Errorf("operation %d: the error names no file: %v", at, err)
		}
		j, events, err := Open(path, ticking())
		if err != nil || len(events) != len(cleanRun()) {
			t.Fatalf("operation %d: %d events, %v", at, len(events), err)
		}
		if err := j.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

func TestCreateFailsAtEveryOperation(t *testing.T) {
	const operations = 3 // create, sync, sync of the directory
	for at := 1; at <= operations+1; at++ {
		path := filepath.Join(t.TempDir(), "journal.jsonl")
		_, err := create(&faultyDisk{at: at}, path, ticking())
		if failed := errors.Is(err, syscall.ENOSPC); failed != (at <= operations) {
			t.Errorf("operation %d: %v", at, err)
		}
	}
}
