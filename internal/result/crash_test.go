package result

import (
	"bytes"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"testing"
)

// These tests record what is done to the disk while a journal is written,
// reopened and written on, and look at every state in which a power cut could
// leave the disk: what was not synced may be there, be missing, or be there in
// part, block by block; a file may have its new length and hold zeros; names
// change in order, but only a synced directory has surely changed.

// deed is one operation on the disk, or the acknowledgement of an event.
type deed struct {
	what  string // create, write, truncate, sync, rename, syncdir, ack
	inode int
	name  string // of a create or rename, what it is called then
	from  string // of a rename
	data  []byte
	size  int64
}

// tracer is a disk in memory that records deeds. It implements disk.
type tracer struct {
	deeds  []deed
	inodes int
	names  map[string]int
	now    map[int][]byte // contents as a running program sees them
	writes int
	fails  func(write int) error
}

func newTracer() *tracer { return &tracer{names: map[string]int{}, now: map[int][]byte{}} }

func (t *tracer) add(d deed) { t.deeds = append(t.deeds, d) }

func (t *tracer) create(path string, flags int) (file, error) {
	name := filepath.Base(path)
	if _, exists := t.names[name]; exists && flags == syscall.O_EXCL {
		return nil, os.ErrExist
	}
	t.inodes++
	t.names[name] = t.inodes
	t.add(deed{what: "create", inode: t.inodes, name: name})
	return &traced{t, t.inodes}, nil
}

func (t *tracer) rename(from, to string) error {
	from, to = filepath.Base(from), filepath.Base(to)
	t.add(deed{what: "rename", inode: t.names[from], from: from, name: to})
	t.names[to] = t.names[from]
	delete(t.names, from)
	return nil
}

func (t *tracer) syncDir(string) error {
	t.add(deed{what: "syncdir"})
	return nil
}

type traced struct {
	t     *tracer
	inode int
}

func (f *traced) Write(p []byte) (int, error) {
	f.t.writes++
	var err error
	if f.t.fails != nil {
		if err = f.t.fails(f.t.writes); err != nil {
			p = p[:len(p)/3]
		}
	}
	f.t.add(deed{what: "write", inode: f.inode, data: bytes.Clone(p)})
	f.t.now[f.inode] = append(f.t.now[f.inode], p...)
	return len(p), err
}

func (f *traced) Sync() error {
	f.t.add(deed{what: "sync", inode: f.inode})
	return nil
}

func (f *traced) Truncate(size int64) error {
	f.t.add(deed{what: "truncate", inode: f.inode, size: size})
	f.t.now[f.inode] = f.t.now[f.inode][:size]
	return nil
}

func (f *traced) Close() error { return nil }

// crash is a disk after the power was cut.
type crash struct {
	files   map[int][]byte
	pending map[int][]deed
	names   map[string]int
	renames []deed
}

// after replays what must be on the disk after the first n deeds, and what may
// be.
func after(deeds []deed) crash {
	c := crash{files: map[int][]byte{}, pending: map[int][]deed{}, names: map[string]int{}}
	for _, d := range deeds {
		switch d.what {
		case "create", "rename":
			c.renames = append(c.renames, d)
		case "syncdir":
			c.settleNames(len(c.renames))
		case "write", "truncate":
			c.pending[d.inode] = append(c.pending[d.inode], d)
		case "sync":
			for _, p := range c.pending[d.inode] {
				c.apply(p)
			}
			c.pending[d.inode] = nil
		}
	}
	return c
}

func (c *crash) settleNames(n int) {
	for _, d := range c.renames[:n] {
		delete(c.names, d.from)
		c.names[d.name] = d.inode
	}
	c.renames = c.renames[n:]
}

func (c *crash) apply(d deed) {
	switch d.what {
	case "write":
		c.files[d.inode] = append(c.files[d.inode], d.data...)
	case "truncate":
		c.files[d.inode] = c.files[d.inode][:min(int(d.size), len(c.files[d.inode]))]
	}
}

// block is what a disk writes as a whole. Real ones are larger; small ones
// give more ways to tear a line.
const block = 48

// state chooses one of the states that the crash allows.
func (c crash) state(r *rand.Rand) map[string][]byte {
	chosen := crash{files: map[int][]byte{}, names: maps.Clone(c.names), renames: slices.Clone(c.renames)}
	chosen.settleNames(r.IntN(len(c.renames) + 1))
	for inode, data := range c.files {
		chosen.files[inode] = bytes.Clone(data)
	}
	for inode, pending := range c.pending {
		if len(pending) == 0 {
			continue
		}
		whole := r.IntN(len(pending) + 1)
		for _, d := range pending[:whole] {
			chosen.apply(d)
		}
		if whole < len(pending) && pending[whole].what == "write" {
			chosen.files[inode] = append(chosen.files[inode], tear(r, pending[whole].data)...)
		}
	}
	found := map[string][]byte{}
	for name, inode := range chosen.names {
		found[name] = chosen.files[inode]
	}
	return found
}

// tear returns a write of which some blocks came to the disk and others are
// zeros, cut anywhere.
func tear(r *rand.Rand, data []byte) []byte {
	torn := bytes.Clone(data[:r.IntN(len(data)+1)])
	if r.IntN(3) == 0 {
		return torn
	}
	for at := 0; at < len(torn); at += block {
		if r.IntN(2) == 0 {
			clear(torn[at:min(at+block, len(torn))])
		}
	}
	return torn
}

// record writes a journal as a run does that is killed and resumed twice, on a
// disk that is full for a moment now and then.
func record(t *testing.T) []deed {
	t.Helper()
	disk := newTracer()
	disk.fails = func(write int) error {
		if write%17 == 0 {
			return syscall.ENOSPC
		}
		return nil
	}
	dir := t.TempDir()
	path := filepath.Join(dir, "journal.jsonl")
	j, err := create(disk, path, ticking())
	if err != nil {
		t.Fatal(err)
	}
	acked := 0
	for process := range 3 {
		for i, e := range cleanRun() {
			if _, err := j.Append(e); err == nil {
				acked++
				disk.add(deed{what: "ack", size: int64(acked)})
			}
			if process < 2 && i == 8 {
				break
			}
		}
		// The next process reads what is there, with a torn line at its end.
		data := append(bytes.Clone(disk.now[disk.names["journal.jsonl"]]), `{"seq":`...)
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		var events []Event
		for range 2 { // the disk may be full just now
			if j, events, err = open(disk, path, ticking()); err == nil {
				break
			}
		}
		if err != nil || len(events) != acked {
			t.Fatalf("process %d: %d events of %d, %v", process, len(events), acked, err)
		}
	}
	return disk.deeds
}

func TestEveryStateAfterAPowerCut(t *testing.T) {
	deeds := record(t)
	r := rand.New(rand.NewPCG(1, 2))
	const each = 2000 // tries; most operations allow a few states only
	torn, seen := 0, map[string]bool{}
	for n := range len(deeds) + 1 {
		c := after(deeds[:n])
		acked := acknowledged(deeds[:n])
		for range c.tries(each) {
			state := c.state(r)
			data, exists := state["journal.jsonl"]
			if key := fmt.Sprint(n, exists, string(data)); seen[key] {
				continue
			} else {
				seen[key] = true
			}
			if !exists && acked == 0 {
				continue // the run had not begun
			}
			events, tail, err := ReadAll(bytes.NewReader(data))
			if err != nil || !exists {
				t.Fatalf("after %d operations: exists %v, %v\n%q", n, exists, err, data)
			}
			// One event may be on disk whose acknowledgement was cut off.
			if len(events) != acked && len(events) != acked+1 {
				t.Fatalf("after %d operations: %d events, %d were acknowledged\n%q", n, len(events), acked, data)
			}
			if tail.Torn > 0 {
				torn++
			}
			if len(seen)%10 == 0 {
				goOn(t, data, len(events))
			}
		}
	}
	t.Logf("%d different states after %d operations, %d of them torn", len(seen), len(deeds), torn)
	if len(seen) < 10_000 || torn < 5_000 {
		t.Errorf("only %d states, %d of them torn", len(seen), torn)
	}
}

func acknowledged(deeds []deed) int {
	acked := 0
	for _, d := range deeds {
		if d.what == "ack" {
			acked = int(d.size)
		}
	}
	return acked
}

// tries is how often it is worth choosing a state.
func (c crash) tries(most int) int {
	for _, pending := range c.pending {
		if len(pending) > 0 {
			return most
		}
	}
	return 2
}

// goOn opens a journal as a crash left it and writes on.
func goOn(t *testing.T, data []byte, want int) {
	t.Helper()
	_, tail, err := ReadAll(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	f := &memFile{data: bytes.Clone(data[:tail.Good])} // what Open puts in its place
	j := newJournal(f, ticking())
	j.seq, j.sum, j.good = want, tail.sum, tail.Good
	if _, err := j.Append(Event{Kind: Note, Text: "on again"}); err != nil {
		t.Fatal(err)
	}
	if events, tail, err := ReadAll(bytes.NewReader(f.data)); err != nil || tail.Torn > 0 || len(events) != want+1 {
		t.Fatalf("going on after %d events: %d events, tail %+v, %v", want, len(events), tail, err)
	}
}

// The control: a journal that is appended to without a sync loses what it
// acknowledged, so the states are not all harmless.
func TestAPowerCutIsSeen(t *testing.T) {
	deeds := slices.DeleteFunc(record(t), func(d deed) bool { return d.what == "sync" })
	r := rand.New(rand.NewPCG(3, 4))
	lost := 0
	for range 1000 {
		n := r.IntN(len(deeds)) + 1
		acked := acknowledged(deeds[:n])
		events, _, err := ReadAll(bytes.NewReader(after(deeds[:n]).state(r)["journal.jsonl"]))
		if err != nil || len(events) < acked {
			lost++
		}
	}
	if lost < 500 {
		t.Errorf("without syncs only %d of 1000 states have lost something", lost)
	}
}
