package selftest

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"

	"github.com/qualify-dev/qualify/internal/result"
	"github.com/qualify-dev/qualify/internal/run"
)

// change spoils a run; false means that it found nothing to spoil. It leaves
// the given bytes as they are.
type change func(Run) (Run, bool, error)

// files is a change to bytes: damage, or the files of another run.
func files(spoil func(*Run) bool) change {
	return func(r Run) (Run, bool, error) {
		own := Run{Plan: bytes.Clone(r.Plan), Journal: bytes.Clone(r.Journal), Info: bytes.Clone(r.Info)}
		done := spoil(&own)
		return own, done, nil
	}
}

// events is a change to what the journal says, written down as a whole and
// undamaged journal: what a runner with a mistake would write, or a liar.
func events(spoil func(*draft) bool) change { return plans(asItWas, spoil) }

// binding is what happens to a plan's hash after the plan was changed.
type binding int

const (
	asItWas  binding = iota // the plan keeps the hash that it had
	rehashed                // it gets the hash that fits, which the journal does not know
	bound                   // and the journal claims to have followed it
)

// plans is a change to the plan, and to the journal if need be.
func plans(b binding, spoil func(*draft) bool) change {
	return func(r Run) (Run, bool, error) {
		d, err := open(r)
		if err != nil || !spoil(d) {
			return r, false, err
		}
		return d.close(r, b)
	}
}

// draft is a run taken apart to be changed.
type draft struct {
	plan   run.Plan
	events []result.Event
}

func open(r Run) (*draft, error) {
	d := &draft{}
	if err := json.Unmarshal(r.Plan, &d.plan); err != nil {
		return nil, fmt.Errorf("reading the plan: %w", err)
	}
	var err error
	if d.events, _, err = result.ReadAll(bytes.NewReader(r.Journal)); err != nil {
		return nil, fmt.Errorf("reading the journal: %w", err)
	}
	return d, nil
}

// close puts a run together again. The events are numbered anew: that some
// are missing must show by more than their numbers.
func (d *draft) close(r Run, b binding) (Run, bool, error) {
	if b != asItWas {
		if err := d.rehash(b == bound); err != nil {
			return r, false, err
		}
	}
	plan, err := json.MarshalIndent(d.plan, "", "  ")
	if err != nil {
		return r, false, fmt.Errorf("writing the plan: %w", err)
	}
	journal, err := encode(d.events)
	if err != nil {
		return r, false, err
	}
	return Run{Plan: append(plan, '\n'), Journal: journal, Info: bytes.Clone(r.Info)}, true, nil
}

func (d *draft) rehash(bind bool) error {
	d.plan.Hash = ""
	data, err := json.Marshal(d.plan)
	if err != nil {
		return fmt.Errorf("hashing the plan: %w", err)
	}
	sum := sha256.Sum256(data)
	d.plan.Hash = "sha256:" + hex.EncodeToString(sum[:])
	for i, e := range d.events {
		if bind && e.Kind == result.RunStarted {
			d.events[i].Plan, d.events[i].Release = d.plan.Hash, d.plan.Judged().Release.Digest
		}
	}
	return nil
}

// encode writes a journal whose every checksum fits. It is a second writer of
// the format on purpose: the journal's own refuses what a liar would write.
func encode(all []result.Event) ([]byte, error) {
	var journal []byte
	sum := "qualify/journal/v1"
	for i, e := range all {
		e.Seq = i + 1
		payload, err := json.Marshal(e)
		if err != nil {
			return nil, fmt.Errorf("writing event %d: %w", e.Seq, err)
		}
		var line []byte
		line, sum = seal(sum, payload)
		journal = append(journal, line...)
	}
	return journal, nil
}

// seal makes a journal's line of an event's JSON and returns its checksum too.
func seal(before string, payload []byte) (line []byte, sum string) {
	h := sha256.Sum256(append([]byte(before), payload...))
	sum = hex.EncodeToString(h[:8])
	line = append(bytes.Clone(payload[:len(payload)-1]), sumKey+sum+`"}`+"\n"...)
	return line, sum
}

const sumKey = `,"sum":"`

// checksum is that of a line.
func checksum(line []byte) string {
	_, rest, _ := bytes.Cut(line, []byte(sumKey))
	sum, _, _ := bytes.Cut(rest, []byte(`"`))
	return string(sum)
}

// payloadOf is the event's JSON of a line.
func payloadOf(line []byte) []byte {
	head, _, _ := bytes.Cut(line, []byte(sumKey))
	return append(bytes.Clone(head), '}')
}

func number(n int) []byte { return []byte(strconv.Itoa(n)) }

// numbered is how a line begins.
func numbered(n int) []byte { return slices.Concat([]byte(`{"seq":`), number(n), []byte(",")) }

// where selects events.
type where func(result.Event) bool

func kind(kinds ...result.Kind) where {
	return func(e result.Event) bool { return slices.Contains(kinds, e.Kind) }
}

func stage(name string) where {
	return func(e result.Event) bool { return e.Kind == result.IdentityMatch && e.Stage == name }
}

func and(all ...where) where {
	return func(e result.Event) bool {
		return !slices.ContainsFunc(all, func(w where) bool { return !w(e) })
	}
}

func not(w where) where { return func(e result.Event) bool { return !w(e) } }

func (d *draft) first(w where) int { return slices.IndexFunc(d.events, w) }

func (d *draft) last(w where) int {
	for i := len(d.events) - 1; i >= 0; i-- {
		if w(d.events[i]) {
			return i
		}
	}
	return -1
}

// drop removes the events that fit; false if there are none.
func (d *draft) drop(w where) bool {
	before := len(d.events)
	d.events = slices.DeleteFunc(d.events, w)
	return len(d.events) < before
}

// edit changes each event that fits; false if there are none.
func (d *draft) edit(w where, how func(*result.Event)) bool {
	done := false
	for i := range d.events {
		if w(d.events[i]) {
			how(&d.events[i])
			done = true
		}
	}
	return done
}

// insert puts events before position i, with the time of their neighbour.
func (d *draft) insert(i int, more ...result.Event) bool {
	if i < 0 || i > len(d.events) {
		return false
	}
	near := d.events[min(i, len(d.events)-1)].Time
	for k := range more {
		more[k].Time = near
	}
	d.events = slices.Insert(d.events, i, more...)
	return true
}

// after puts events behind the last one that fits.
func (d *draft) after(w where, more ...result.Event) bool {
	i := d.last(w)
	return i >= 0 && d.insert(i+1, more...)
}

// before puts events ahead of the first one that fits.
func (d *draft) before(w where, more ...result.Event) bool { return d.insert(d.first(w), more...) }

// move takes the events that fit to position at of those that stay.
func (d *draft) move(w where, at func() int) bool {
	var moved []result.Event
	for _, e := range d.events {
		if w(e) {
			moved = append(moved, e)
		}
	}
	return d.drop(w) && d.insert(at(), moved...)
}
