package redact

import (
	"encoding/binary"
	"math/bits"
)

// index finds known texts, and parts of long ones: a log that was cut in the
// middle of a key must not show the half that is left, nor one that was
// wrapped after every 76 characters.
//
// It holds every stride-th window of each text. An automaton (Aho-Corasick)
// was rejected: it finds whole texts only, and waits for memory at each byte.
type index struct {
	sieve   sieve
	forms   []form
	anchors []anchor
	heads   map[uint64]int32 // window -> its first anchor, counted from 1
	texts   map[string]bool
}

// form is a text to be found.
type form struct {
	text, kind string
	need       int // bytes of it that must match
}

// anchor is a window of a form.
type anchor struct {
	form, at int32
	next     int32 // another one with the same window, counted from 1; 0 is none
}

const (
	window = 8
	stride = 8
	// part is how much of a long form counts as a sighting. Every part of this
	// length has a whole window on a stride. It is too long for chance.
	part = window + stride
)

func newIndex() index {
	return index{heads: map[uint64]int32{}, texts: map[string]bool{}, sieve: newSieve(0)}
}

// add enters a form once, whatever its kind.
func (x *index) add(kind, text string) {
	if x.texts[text] {
		return
	}
	x.texts[text] = true
	x.forms = append(x.forms, form{text: text, kind: kind, need: min(len(text), part)})
	before := len(x.anchors)
	for at := 0; at == 0 || len(text) >= part && at+window <= len(text); at += stride {
		key := binary.LittleEndian.Uint64([]byte(text[at:]))
		x.anchors = append(x.anchors, anchor{form: int32(len(x.forms) - 1), at: int32(at), next: x.heads[key]})
		x.heads[key] = int32(len(x.anchors))
	}
	if x.sieve.room < len(x.anchors) {
		x.sieve, before = newSieve(2*len(x.anchors)), 0
	}
	for _, a := range x.anchors[before:] {
		x.sieve.set(binary.LittleEndian.Uint32([]byte(x.forms[a.form].text[a.at:])))
	}
}

// find appends every sighting in a line, of what is known and of what the
// detectors know by its looks.
func (x *index) find(found []span, l *line) []span {
	detectors := triggers()
	known := 0 // up to where known texts were found
	for i := x.sieve.next(l.text, 0); i >= 0; i = x.sieve.next(l.text, i+1) {
		for _, d := range detectors[binary.LittleEndian.Uint32(l.text[i:])|fold] {
			if s, ok := d.find(l, i); ok {
				found = append(found, s)
			}
		}
		if i >= known && i+window <= len(l.text) {
			found, known = x.sightings(found, l.text, i)
		}
	}
	return findKubeadmTokens(found, l.text)
}

// sightings appends what is known of a place, and returns from where on
// windows may show something else.
func (x *index) sightings(found []span, text []byte, i int) (more []span, next int) {
	for a := x.heads[binary.LittleEndian.Uint64(text[i:])]; a > 0; a = x.anchors[a-1].next {
		if s, ok := x.sighting(text, i, x.anchors[a-1]); ok {
			found = append(found, s)
			next = max(next, s.end-window+1)
		}
	}
	return found, next
}

// sighting compares to both sides of a window that is there.
func (x *index) sighting(text []byte, i int, a anchor) (span, bool) {
	f := x.forms[a.form]
	start, end := i, i+window
	for at := int(a.at); start > 0 && at > 0 && text[start-1] == f.text[at-1]; at-- {
		start--
	}
	for at := int(a.at) + window; end < len(text) && at < len(f.text) && text[end] == f.text[at]; at++ {
		end++
	}
	return span{from: start, start: start, end: end, kind: f.kind}, end-start >= f.need
}

// sieve tells of four bytes that neither a window nor a trigger begins with
// them, which holds for nearly all bytes of a log: they cost one look at a
// table that stays in the nearest cache.
type sieve struct {
	words []uint64
	shift uint
	room  int // windows that it can hold and still tell much
}

const (
	// fold makes letters of four bytes lower-case, since triggers are found in
	// any case. Some other bytes fall together too; who finds them looks again.
	fold = 0x20202020
	// spread is an odd number whose bits are well mixed.
	spread = 0x9E3779B1
)

// newSieve has room for so many windows, and the triggers in it.
func newSieve(windows int) sieve {
	const (
		least, most = 16, 26 // 8 KiB, 8 MiB
		each        = 16     // bits for a window
	)
	log := uint(least)
	for 1<<log < each*windows && log < most {
		log++
	}
	s := sieve{words: make([]uint64, 1<<(log-6)), shift: 32 - log, room: 1 << log / each}
	if log == most {
		s.room = 1 << 62 // a larger one would be slower than a full one
	}
	for key := range triggers() {
		s.set(key)
	}
	return s
}

// next returns the first place from i on where something may begin, or -1.
func (s *sieve) next(text []byte, i int) int {
	words, shift := s.words, s.shift // not looked up again for each byte
	const wide = fold<<32 | fold
	for ; i+8 <= len(text); i += 4 { // four places with one load
		at := binary.LittleEndian.Uint64(text[i:]) | wide
		h0, h1 := uint32(at)*spread>>shift, uint32(at>>8)*spread>>shift
		h2, h3 := uint32(at>>16)*spread>>shift, uint32(at>>24)*spread>>shift
		b0, b1 := words[h0>>6]>>(h0&63)&1, words[h1>>6]>>(h1&63)&1
		b2, b3 := words[h2>>6]>>(h2&63)&1, words[h3>>6]>>(h3&63)&1
		if found := b0 | b1<<1 | b2<<2 | b3<<3; found != 0 {
			return i + bits.TrailingZeros64(found)
		}
	}
	for ; i+4 <= len(text); i++ {
		if h := (binary.LittleEndian.Uint32(text[i:]) | fold) * spread >> shift; words[h>>6]>>(h&63)&1 != 0 {
			return i
		}
	}
	return -1
}

func (s *sieve) set(key uint32) {
	h := (key | fold) * spread >> s.shift
	s.words[h>>6] |= 1 << (h & 63)
}
