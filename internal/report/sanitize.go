package report

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Clean makes text from outside safe to look at: control characters and
// bidirectional controls become visible text, broken UTF-8 becomes U+FFFD,
// CRLF becomes a plain newline, newlines and tabs stay. Dropping escape
// sequences by pattern was rejected: patterns for colours miss the sequences
// that set titles, clipboards and links.
func Clean(s string) string {
	i := firstUnclean(s)
	if i < 0 {
		return s
	}
	var b strings.Builder
	b.Grow(len(s) + 16)
	b.WriteString(s[:i])
	for i < len(s) {
		r, n := utf8.DecodeRuneInString(s[i:])
		crlf := r == '\r' && i+1 < len(s) && s[i+1] == '\n'
		if !crlf {
			writeVisible(&b, r)
		}
		i += n
	}
	return b.String()
}

// Console is Clean for text that reaches a terminal, a CI log or Markdown:
// it also breaks the markers by which CI systems take commands out of a log.
// A broken marker differs from the original by one visible space.
func Console(s string) string {
	s = Clean(s)
	if !strings.Contains(s, "::") && !strings.Contains(s, "##") {
		return s
	}
	lines := strings.Split(s, "\n")
	for i, line := range lines {
		lines[i] = defuse(line)
	}
	return strings.Join(lines, "\n")
}

// ciMarkers are commands wherever they stand in a line: the agents search for
// them, they do not only look at the line's start. Lower case.
var ciMarkers = [...]string{"##vso[", "##teamcity[", "##["}

// defuse breaks every CI command marker of one line.
func defuse(line string) string {
	// GitHub trims blanks before it looks for "::".
	body := strings.TrimLeftFunc(line, isBlank)
	if strings.HasPrefix(body, "::") {
		line = line[:len(line)-len(body)] + ": " + body[1:]
	}
	var b strings.Builder
	done := 0
	for i := range len(line) {
		if startsCommand(line[i:]) {
			b.WriteString(line[done:i+1] + " ")
			done = i + 1
		}
	}
	b.WriteString(line[done:])
	return b.String()
}

func startsCommand(s string) bool {
	if s[0] != '#' {
		return false
	}
	for _, m := range ciMarkers {
		if len(s) >= len(m) && strings.EqualFold(s[:len(m)], m) {
			return true
		}
	}
	return false
}

// isBlank holds for what a CI system may trim, including the blanks without
// width that unicode.IsSpace does not count.
func isBlank(r rune) bool {
	return unicode.IsSpace(r) || r == '\ufeff' || r == '\u200b' || r == '\u2060'
}

// firstUnclean returns the index of the first rune that Clean changes, or -1.
func firstUnclean(s string) int {
	for i := 0; i < len(s); {
		c := s[i]
		if c >= ' ' && c < 0x7f || c == '\n' || c == '\t' {
			i++
			continue
		}
		r, n := utf8.DecodeRuneInString(s[i:])
		if r == utf8.RuneError && n == 1 || isUnclean(r) {
			return i
		}
		i += n
	}
	return -1
}

// isUnclean holds for the runes that Clean writes out as text.
func isUnclean(r rune) bool {
	switch {
	case r == '\n' || r == '\t':
		return false
	case r < ' ', r >= 0x7f && r < 0xa0:
		return true
	case r == '\u061c', r == '\u200e', r == '\u200f', // direction marks
		r >= '\u202a' && r <= '\u202e', r >= '\u2066' && r <= '\u206f', // embeddings, overrides, isolates; what was to steer shaping
		r == '\u2028', r == '\u2029': // line breaks to some readers, not to others
		return true
	case r >= 0xe0000 && r <= 0xe007f: // invisible tag characters
		return true
	case r&0xfffe == 0xfffe: // noncharacters; two of them are illegal in XML
		return true
	}
	return false
}

func writeVisible(b *strings.Builder, r rune) {
	switch {
	case !isUnclean(r):
		b.WriteRune(r) // utf8.RuneError for broken bytes
	case r < ' ':
		b.WriteByte('^')
		b.WriteByte(byte(r) + '@')
	case r == 0x7f:
		b.WriteString("^?")
	default:
		fmt.Fprintf(b, "<U+%04X>", r)
	}
}

// firstLine is what stands in for text where there is room for one line: the first
// line that is not blank, cut at most bytes.
func firstLine(s string, most int) string {
	for l := range strings.Lines(s) {
		if l = strings.TrimSpace(l); l != "" {
			return cutEnd(l, most)
		}
	}
	return ""
}

// cutEnd shortens s to at most most bytes, on a rune boundary, and shows it.
func cutEnd(s string, most int) string {
	if len(s) <= most {
		return s
	}
	return s[:runeStart(s, most-len("…"))] + "…"
}

// excerpt shortens a log to about most bytes: its beginning, where the
// command stands, and more of its end, where the cause stands. What is left
// out is counted in the text.
func excerpt(s string, most int) string {
	if len(s) <= most {
		return s
	}
	head := runeStart(s, most/4)
	tail := runeStart(s, len(s)-most*3/4)
	return fmt.Sprintf("%s\n… %d bytes left out …\n%s", s[:head], tail-head, s[tail:])
}

// runeStart returns the last index at or before i that begins a rune.
func runeStart(s string, i int) int {
	if i < 0 {
		return 0
	}
	for i > 0 && i < len(s) && !utf8.RuneStart(s[i]) {
		i--
	}
	return i
}
