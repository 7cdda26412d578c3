package result

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"
	"time"
)

// Journal is the append-only record of one run: one JSON event per line, each
// line chained to the one before it by a checksum. An event that Append has
// returned is on disk; whatever is shown or acted on is appended first.
//
// Of two processes that believe to own one run, only one can record anything:
// see Open and Guard.
type Journal struct {
	mu    sync.Mutex
	f     file
	guard func() error
	lost  error // what guard said; from then on nothing is written
	now   func() time.Time
	lim   limits
	seq   int
	sum   string
	good  int64 // length of the file up to the last acknowledged line
	dirty error // why bytes past good may be on disk; nil when there are none
	cut   Tail
}

// file is what the journal needs of a file, so that tests can make each write
// fail in turn. Writes go to the end of the file whatever was truncated.
type file interface {
	io.WriteCloser
	Sync() error
	Truncate(size int64) error
}

// disk is what the journal needs of a file system beside the file itself, so
// that tests can record what is done to it and in which order.
type disk interface {
	create(path string, flags int) (file, error)
	rename(from, to string) error
	syncDir(path string) error
}

type osDisk struct{}

func (osDisk) create(path string, flags int) (file, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_APPEND|os.O_CREATE|flags, 0o600)
	if err != nil {
		return nil, err
	}
	return f, nil
}

func (osDisk) rename(from, to string) error { return os.Rename(from, to) }

// errClosed is the state of a journal after Close.
var errClosed = errors.New("the journal is closed")

// Create makes a new journal at path, readable by its owner only; it is an
// error if the file exists, since a journal is never begun twice. now gives
// the time of each event: this package knows no clock of its own.
func Create(path string, now func() time.Time) (*Journal, error) { return create(osDisk{}, path, now) }

func create(d disk, path string, now func() time.Time) (*Journal, error) {
	if now == nil {
		return nil, fmt.Errorf("creating journal %s: no clock given", path)
	}
	f, err := d.create(path, os.O_EXCL)
	if err != nil {
		return nil, fmt.Errorf("creating journal: %w", err)
	}
	if err := errors.Join(f.Sync(), d.syncDir(filepath.Dir(path))); err != nil {
		return nil, errors.Join(fmt.Errorf("creating journal %s: %w", path, err), f.Close())
	}
	return newJournal(f, now), nil
}

// Open takes the journal at path over and returns the events that it holds. A
// torn tail, the unacknowledged rest of a write that a crash cut short, is
// removed and told by Cut.
//
// The file is replaced by a copy: a former owner that is not as dead as it was
// thought writes into a file that nobody reads any more. That needs no lock
// that a stopped process could hold. Whoever opens a journal has claimed its
// run before, see Guard.
func Open(path string, now func() time.Time) (*Journal, []Event, error) {
	return open(osDisk{}, path, now)
}

func open(d disk, path string, now func() time.Time) (*Journal, []Event, error) {
	if now == nil {
		return nil, nil, fmt.Errorf("opening journal %s: no clock given", path)
	}
	f, events, tail, err := takeOver(d, path)
	if err != nil {
		return nil, nil, fmt.Errorf("opening journal %s: %w", path, err)
	}
	j := newJournal(f, now)
	j.seq, j.sum, j.good, j.cut = len(events), tail.sum, tail.Good, tail
	return j, events, nil
}

// takeOver puts a verified copy of the journal, without its torn tail, in its
// place. Until the rename the former file stands.
func takeOver(d disk, path string) (f file, events []Event, tail Tail, err error) {
	former, err := os.ReadFile(path)
	if err != nil {
		return nil, nil, Tail{}, err
	}
	if events, tail, err = ReadAll(bytes.NewReader(former)); err != nil {
		return nil, nil, Tail{}, err
	}
	scratch := path + ".new"
	if f, err = d.create(scratch, os.O_TRUNC); err != nil {
		return nil, nil, Tail{}, err
	}
	_, err = f.Write(former[:tail.Good])
	if err == nil {
		err = f.Sync()
	}
	if err == nil {
		err = d.rename(scratch, path)
	}
	if err == nil {
		err = d.syncDir(filepath.Dir(path))
	}
	if err != nil {
		return nil, nil, Tail{}, errors.Join(fmt.Errorf("writing its copy: %w", err), f.Close())
	}
	return f, events, tail, nil
}

// Guard has every event pass a check after it is on disk and before it counts:
// one that is not nil says that the run is another process's. The event is
// then not recorded, whether or not the other process finds it in the file,
// and nothing is written any more.
func (j *Journal) Guard(check func() error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.guard = check
}

// ReadFile reads the journal at path and changes nothing.
func ReadFile(path string) ([]Event, Tail, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, Tail{}, fmt.Errorf("reading journal: %w", err)
	}
	defer f.Close() // opened for reading: nothing to lose
	events, tail, err := ReadAll(f)
	if err != nil {
		return nil, Tail{}, fmt.Errorf("reading journal %s: %w", path, err)
	}
	return events, tail, nil
}

func newJournal(f file, now func() time.Time) *Journal {
	return &Journal{f: f, now: now, lim: defaultLimits(), sum: firstSum}
}

// Append numbers and dates an event, writes it and returns it as it now stands
// on disk, after fsync. If it returns an error the event must be taken as not
// recorded. After a failed write the file is cut back to its last good line,
// at once or, if that fails too, before the next append: until then every
// append is refused, since a line after a torn one could not be read back.
func (j *Journal) Append(e Event) (Event, error) {
	if err := wellFormed(e); err != nil {
		return Event{}, fmt.Errorf("appending to journal: %w", err)
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	if err := j.ready(); err != nil {
		return Event{}, fmt.Errorf("appending %q event to journal: %w", e.Kind, err)
	}
	e.Seq, e.Time = j.seq+1, j.now().UTC()
	line, sum, err := encodeLine(j.sum, e)
	if err != nil {
		return Event{}, fmt.Errorf("appending %q event to journal: %w", e.Kind, err)
	}
	if len(line) > j.lim.line {
		return Event{}, fmt.Errorf("appending %q event to journal: its line has %d bytes, the limit is %d; shorten its log",
			e.Kind, len(line), j.lim.line)
	}
	// What is returned is what a reader will see: the encoding changes
	// invalid UTF-8 and drops the monotonic clock.
	stored, _, err := decodeLine(j.sum, line[:len(line)-1])
	if err != nil {
		return Event{}, fmt.Errorf("appending %q event to journal: %w", e.Kind, err)
	}
	if err := j.write(line); err != nil {
		j.dirty = err
		return Event{}, errors.Join(fmt.Errorf("appending event %d (%s) to journal: %w", e.Seq, e.Kind, err), j.repair())
	}
	if err := j.owned(); err != nil {
		return Event{}, fmt.Errorf("appending event %d (%s) to journal: %w", e.Seq, e.Kind, err)
	}
	j.seq, j.sum, j.good = e.Seq, sum, j.good+int64(len(line))
	return stored, nil
}

// Cut tells what Open removed from the end of the file.
func (j *Journal) Cut() Tail { return j.cut }

// Close closes the file. Everything appended is on disk already.
func (j *Journal) Close() error {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.f == nil {
		return nil
	}
	f := j.f
	j.f = nil
	if err := f.Close(); err != nil {
		return fmt.Errorf("closing journal: %w", err)
	}
	return nil
}

// owned asks the guard; its answer is final.
func (j *Journal) owned() error {
	if j.lost == nil && j.guard != nil {
		j.lost = j.guard()
	}
	return j.lost
}

// ready reports whether a line may be written now.
func (j *Journal) ready() error {
	if j.f == nil {
		return errClosed
	}
	if j.lost != nil {
		return j.lost
	}
	if j.seq >= j.lim.events {
		return fmt.Errorf("it holds %d events, the limit", j.seq)
	}
	return j.repair()
}

// repair cuts bytes off that follow the last good line. It syncs, so that a
// line it took back cannot reappear behind a later one.
func (j *Journal) repair() error {
	if j.dirty == nil {
		return nil
	}
	if err := j.f.Truncate(j.good); err != nil {
		return fmt.Errorf("cutting it back to %d good bytes: %w (after: %w)", j.good, err, j.dirty)
	}
	if err := j.f.Sync(); err != nil {
		return fmt.Errorf("syncing it after the cut to %d good bytes: %w (after: %w)", j.good, err, j.dirty)
	}
	j.dirty = nil
	return nil
}

func (j *Journal) write(line []byte) error {
	n, err := j.f.Write(line)
	if err != nil {
		return err
	}
	if n < len(line) {
		return io.ErrShortWrite
	}
	return j.f.Sync()
}

// syncDir makes a file's name durable, which syncing the file does not.
func (osDisk) syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
