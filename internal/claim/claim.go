// Package claim decides which one process may work on a run's directory.
//
// A claim is a numbered file in the directory's owner/ folder. The highest
// number owns the run; a process that takes a run over writes the next one, in
// one step, so of many that try at once one succeeds. The owner touches its
// file while it works. Who was stopped for longer than the time to live loses
// the run, and finds that out before anything that it still writes counts: the
// number is a fencing token. Nothing is ever unlocked by hand.
package claim

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// TTL is how long a claim holds without a sign of life. It is renewed three
// times in that time.
const TTL = 30 * time.Second

// Options say who claims. The zero value of TTL stands for the constant.
type Options struct {
	Owner string // for people, e.g. "host/4711"
	TTL   time.Duration
}

// Claim is a process's hold on a run's directory.
type Claim struct {
	path  string // of the claim's own file
	next  string // of the file that would take the run over
	token int
	ttl   time.Duration
	who   record
}

// record is what a claim's file says.
type record struct {
	Token    int    `json:"token"`
	Owner    string `json:"owner"`
	Process  place  `json:"process"`
	Released bool   `json:"released"` // the owner has ended its work
}

// BusyError says that another process works on the run.
type BusyError struct {
	Dir   string
	Owner string
	Seen  time.Time // its last sign of life
}

// Error says who, and since when nothing was heard.
func (e *BusyError) Error() string {
	return fmt.Sprintf("%s is being worked on by %s (last sign of life %s): wait for it, or end it; "+
		"a process that has died or stopped loses the run by itself after %s", e.Dir, e.Owner, e.Seen.UTC().Format(time.RFC3339), TTL)
}

// LostError says that the run is no longer this process's.
type LostError struct{ Why string }

// Error says why.
func (e *LostError) Error() string { return "the run is no longer this process's: " + e.Why }

const folder = "owner"

func file(dir string, token int) string {
	return filepath.Join(dir, folder, fmt.Sprintf("%06d.json", token))
}

// Take claims a run's directory. The error is a *BusyError where another
// process has it.
func Take(dir string, o Options) (*Claim, error) {
	if o.TTL == 0 {
		o.TTL = TTL
	}
	if err := os.MkdirAll(filepath.Join(dir, folder), 0o700); err != nil {
		return nil, fmt.Errorf("claiming %s: %w", dir, err)
	}
	for {
		last, err := latest(dir)
		if err != nil {
			return nil, fmt.Errorf("claiming %s: %w", dir, err)
		}
		if last != nil && last.alive(o.TTL) {
			return nil, &BusyError{Dir: dir, Owner: last.Owner, Seen: last.seen}
		}
		token := 1
		if last != nil {
			token = last.Token + 1
		}
		c := &Claim{
			path: file(dir, token), next: file(dir, token+1), token: token, ttl: o.TTL,
			who: record{Token: token, Owner: o.Owner, Process: self()},
		}
		err = c.publish()
		if errors.Is(err, fs.ErrExist) {
			continue // somebody was faster: look at them
		}
		if err != nil {
			return nil, fmt.Errorf("claiming %s: %w", dir, err)
		}
		return c, nil
	}
}

// publish makes the claim's file, whole and on the disk, or fails with
// fs.ErrExist. A link is used since a rename would replace another's claim.
func (c *Claim) publish() error {
	scratch, err := c.scratch()
	if err != nil {
		return err
	}
	err = os.Link(scratch, c.path)
	return errors.Join(err, os.Remove(scratch), syncDir(filepath.Dir(c.path)))
}

func (c *Claim) scratch() (string, error) {
	data, err := json.Marshal(c.who)
	if err != nil {
		return "", err
	}
	f, err := os.CreateTemp(filepath.Dir(c.path), ".claim-*") // with mode 0600
	if err != nil {
		return "", err
	}
	_, err = f.Write(append(data, '\n'))
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		return "", errors.Join(err, os.Remove(f.Name()))
	}
	return f.Name(), nil
}

// Token is the claim's number: higher than that of every earlier owner.
func (c *Claim) Token() int { return c.token }

// Held is nil as long as the run is this process's, and a *LostError from the
// moment on at which another claim exists. What was written before a call that
// returned nil was written by the owner.
func (c *Claim) Held() error {
	if _, err := os.Lstat(c.next); err == nil {
		by := "another process"
		if r, err := read(c.next); err == nil {
			by = r.Owner
		}
		return &LostError{Why: "it was taken over by " + by + ", since this one gave no sign of life"}
	} else if !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("looking whether the run is still this process's: %w", err)
	}
	if _, err := os.Lstat(c.path); errors.Is(err, fs.ErrNotExist) {
		return &LostError{Why: "its directory was removed"}
	} else if err != nil {
		return fmt.Errorf("looking whether the run is still this process's: %w", err)
	}
	return nil
}

// Keep renews the claim until ctx ends. It calls lost, once, when the run is
// another's, and ends. A sign of life that cannot be written is tried again:
// on a full or read-only disk the journal is where that shows.
func (c *Claim) Keep(ctx context.Context, lost func(error)) {
	tick := time.NewTicker(c.ttl / 3)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		var gone *LostError
		if err := c.Held(); errors.As(err, &gone) {
			lost(err)
			return
		}
		now := time.Now()
		_ = os.Chtimes(c.path, now, now)
	}
}

// Release ends the claim, so that the next owner need not wait. A claim that
// was lost is not released: the run is another's.
func (c *Claim) Release() error {
	if err := c.Held(); err != nil {
		return err
	}
	c.who.Released = true
	scratch, err := c.scratch()
	if err != nil {
		return fmt.Errorf("releasing the run: %w", err)
	}
	if err := os.Rename(scratch, c.path); err != nil {
		return fmt.Errorf("releasing the run: %w", errors.Join(err, os.Remove(scratch)))
	}
	return nil
}

// State is what can be said of a run's owner from outside.
type State struct {
	Owner string    // "" where the directory was never claimed, or is not here
	Alive bool      // it gave a sign of life, and nothing shows that it ended
	Ended bool      // it is known to have ended: it said so, or its process is gone
	Seen  time.Time // its last sign of life
}

// Look tells who works on a run, and claims nothing.
func Look(dir string) (State, error) {
	last, err := latest(dir)
	if err != nil || last == nil {
		return State{}, err
	}
	return State{Owner: last.Owner, Alive: last.alive(TTL), Ended: last.ended(), Seen: last.seen}, nil
}

// found is a claim as it is on the disk.
type found struct {
	record
	seen time.Time
}

// alive tells whether the claim holds. A process of this machine that has
// ended holds nothing; of any other only its silence tells.
func (f found) alive(ttl time.Duration) bool {
	return !f.ended() && time.Since(f.seen) < ttl
}

// ended tells whether the owner is known to have ended its work.
func (f found) ended() bool { return f.Released || f.Process.ended() }

// latest is the claim with the highest number, nil where there is none.
func latest(dir string) (*found, error) {
	entries, err := os.ReadDir(filepath.Join(dir, folder))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	highest := 0
	for _, e := range entries {
		name, is := strings.CutSuffix(e.Name(), ".json")
		if n, err := strconv.Atoi(name); is && err == nil && n > highest {
			highest = n
		}
	}
	if highest == 0 {
		return nil, nil
	}
	path := file(dir, highest)
	info, err := os.Lstat(path)
	if err != nil {
		return nil, err
	}
	r, err := read(path)
	if err != nil {
		r = record{Owner: "an owner that cannot be read (" + err.Error() + ")"} // only its silence tells
	}
	r.Token = highest
	return &found{record: r, seen: info.ModTime()}, nil
}

// maxRecord bounds what is read of a claim's file.
const maxRecord = 64 << 10

func read(path string) (record, error) {
	info, err := os.Lstat(path)
	if err != nil {
		return record{}, err
	}
	if !info.Mode().IsRegular() || info.Size() > maxRecord {
		return record{}, fmt.Errorf("%s is no claim", path)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return record{}, err
	}
	var r record
	if err := json.Unmarshal(data, &r); err != nil {
		return record{}, fmt.Errorf("%s is damaged: %w", path, err)
	}
	return r, nil
}

// syncDir makes a new file's name durable, which syncing the file does not.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
