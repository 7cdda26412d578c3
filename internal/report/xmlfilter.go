package report

import (
	"bufio"
	"io"
	"strconv"
	"unicode/utf8"
)

// xmlFilter replaces what XML 1.0 forbids by U+FFFD, raw or as a character
// reference. The decoder would give up on the whole file.
type xmlFilter struct {
	in  *bufio.Reader
	out []byte // bytes that did not fit the caller's buffer
	err error
}

func newXMLFilter(r io.Reader) *xmlFilter {
	return &xmlFilter{in: bufio.NewReaderSize(r, 64<<10)}
}

// Read gives the filtered bytes.
func (f *xmlFilter) Read(p []byte) (int, error) {
	n := copy(p, f.out)
	f.out = f.out[n:]
	for n < len(p) && f.err == nil {
		var rest int
		rest, f.err = f.fill(p[n:])
		n += rest
		if rest > 0 && f.in.Buffered() == 0 {
			break // do not wait for more while there is something to give
		}
	}
	if n > 0 {
		return n, nil
	}
	return 0, f.err
}

// fill writes one rune or one character reference to p; what does not fit is
// kept for the next Read.
func (f *xmlFilter) fill(p []byte) (int, error) {
	r, _, err := f.in.ReadRune()
	if err != nil {
		return 0, err
	}
	if !legalXML(r) {
		r = utf8.RuneError
	}
	if r == '&' {
		if n := f.illegalReference(); n > 0 {
			if _, err := f.in.Discard(n); err != nil {
				return 0, err
			}
			r = utf8.RuneError
		}
	}
	var buf [utf8.UTFMax]byte
	all := buf[:utf8.EncodeRune(buf[:], r)]
	n := copy(p, all)
	f.out = append(f.out[:0:0], all[n:]...)
	return n, nil
}

// illegalReference returns the length of a character reference to a forbidden
// rune that follows an ampersand, or 0.
func (f *xmlFilter) illegalReference() int {
	const longest = 12 // "#x0010FFFF;" and one more
	next, _ := f.in.Peek(longest)
	if len(next) < 3 || next[0] != '#' {
		return 0
	}
	for i, c := range next {
		if c != ';' {
			continue
		}
		digits, base := string(next[1:i]), 10
		if digits != "" && digits[0] == 'x' {
			digits, base = digits[1:], 16
		}
		n, err := strconv.ParseUint(digits, base, 32)
		if err == nil && (n > utf8.MaxRune || !legalXML(rune(n))) {
			return i + 1
		}
		return 0
	}
	return 0
}

// legalXML holds for the characters of XML 1.0.
func legalXML(r rune) bool {
	return r == '\t' || r == '\n' || r == '\r' ||
		r >= ' ' && r <= 0xd7ff || r >= 0xe000 && r <= 0xfffd || r >= 0x10000 && r <= utf8.MaxRune
}
