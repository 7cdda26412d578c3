package selftest

import (
	"bytes"
	"slices"

	"github.com/qualify-dev/qualify/internal/result"
)

// damaged are journals that something happened to after they were written.
func damaged() []Mutation {
	unreadable, unfinished := []string{Unreadable}, []string{result.ReasonInterrupted}
	return []Mutation{
		{ID: "journal-missing", Wants: unreadable, Imitates: "the journal was not uploaded", change: journal(func([]byte) []byte { return nil })},
		{ID: "journal-empty", Wants: []string{result.ReasonPlanMismatch}, Imitates: "the journal was created and never written", change: journal(func([]byte) []byte { return []byte{} })},
		{ID: "journal-first-line-only", Wants: unfinished, Imitates: "the disk was full after the first line", change: lines(func(l [][]byte) [][]byte { return l[:1] })},
		{ID: "journal-cut-at-a-line", Wants: unfinished, Imitates: "the second half was lost, at the end of a line", change: lines(func(l [][]byte) [][]byte { return l[:len(l)/2] })},
		{ID: "journal-last-line-lost", Wants: unfinished, Imitates: "the last line was lost", change: lines(func(l [][]byte) [][]byte { return l[:len(l)-1] })},
		{ID: "journal-cut-in-a-line", Wants: unfinished, Imitates: "the second half was lost, in the middle of a line", change: journal(func(b []byte) []byte { return b[:len(b)/2] })},
		{ID: "journal-cut-in-the-last-line", Wants: unfinished, Imitates: "the last line was written by half", change: journal(func(b []byte) []byte { return b[:len(b)-20] })},
		{ID: "journal-last-newline-lost", Wants: unfinished, Imitates: "the last line was never acknowledged", change: journal(func(b []byte) []byte { return b[:len(b)-1] })},
		{ID: "journal-head-lost", Wants: unreadable, Imitates: "the journal was rotated like a log", change: lines(func(l [][]byte) [][]byte { return l[len(l)/2:] })},
		{ID: "journal-line-removed", Wants: unreadable, Imitates: "a line was deleted by hand", change: lines(func(l [][]byte) [][]byte { return slices.Delete(l, len(l)/2, len(l)/2+1) })},
		{ID: "journal-line-duplicated", Wants: unreadable, Imitates: "a line was sent twice", change: lines(func(l [][]byte) [][]byte { return slices.Insert(l, len(l)/2, l[len(l)/2]) })},
		{ID: "journal-last-line-duplicated", Wants: []string{result.ReasonJournalDamaged}, Imitates: "the last line was sent twice", change: lines(func(l [][]byte) [][]byte { return append(l, l[len(l)-1]) })},
		{ID: "journal-lines-swapped", Wants: unreadable, Imitates: "lines arrived in another order", change: lines(func(l [][]byte) [][]byte {
			l[len(l)/2], l[len(l)/2-1] = l[len(l)/2-1], l[len(l)/2]
			return l
		})},
		{ID: "journal-reversed", Wants: unreadable, Imitates: "the lines were sorted, newest first", change: lines(func(l [][]byte) [][]byte { slices.Reverse(l); return l })},
		{ID: "journal-doubled", Wants: unreadable, Imitates: "the file was appended to its own copy", change: journal(func(b []byte) []byte { return append(b, b...) })},
		{ID: "journal-bit-in-text", Wants: unreadable, Imitates: "one bit of a result flipped on the disk", change: flip(func(line []byte) int { return len(line) / 2 })},
		{ID: "journal-bit-in-checksum", Wants: unreadable, Imitates: "one bit of a checksum flipped on the disk", change: flip(func(line []byte) int { return len(line) - 5 })},
		{ID: "journal-bit-in-newline", Wants: unreadable, Imitates: "one bit of a newline flipped on the disk", change: flip(func(line []byte) int { return len(line) - 1 })},
		{ID: "journal-bit-in-the-end", Wants: unfinished, Imitates: "one bit of the last line flipped on the disk", change: journal(func(b []byte) []byte { b[len(b)-30] ^= 1; return b })},
		{ID: "journal-outcome-edited", Wants: unreadable, Imitates: "an outcome was corrected with a text editor", change: journal(func(b []byte) []byte {
			return bytes.Replace(b, []byte(`"outcome":"pass"`), []byte(`"outcome":"skip"`), 1)
		})},
		{ID: "journal-numbers-edited", Wants: unreadable, Imitates: "lines were numbered anew after one was removed", change: files(renumbered)},
		{ID: "journal-crlf", Wants: unreadable, Imitates: "the file passed through a machine with other line ends", change: journal(func(b []byte) []byte { return bytes.ReplaceAll(b, []byte("\n"), []byte("\r\n")) })},
		{ID: "journal-zeroed-block", Wants: unreadable, Imitates: "a block came back as zeros after a power loss", change: journal(func(b []byte) []byte {
			clear(b[len(b)/2 : len(b)/2+min(512, len(b)/4)])
			return b
		})},
		{ID: "journal-zeros-at-the-end", Wants: []string{result.ReasonJournalDamaged}, Imitates: "the file system had made room for lines that never came", change: journal(func(b []byte) []byte { return append(b, make([]byte, 512)...) })},
		{ID: "journal-half-a-line-more", Wants: []string{result.ReasonJournalDamaged}, Imitates: "another process began to write after the end and died", change: journal(func(b []byte) []byte { return append(b, b[:60]...) })},
		{ID: "journal-error-page", Wants: []string{result.ReasonPlanMismatch}, Imitates: "the download of the journal gave an error page", change: journal(func([]byte) []byte { return []byte("<html><body>502 Bad Gateway</body></html>\n") })},
		{ID: "journal-unknown-event", Wants: unreadable, Imitates: "a newer version wrote events that this one does not know", change: files(func(r *Run) bool {
			return extend(r, `{"seq":%SEQ,"time":"2026-01-01T00:00:00Z","kind":"verdict-revoked"}`)
		})},
		{ID: "journal-unknown-field", Wants: unreadable, Imitates: "a newer version wrote a field that this one would overlook", change: files(func(r *Run) bool {
			return extend(r, `{"seq":%SEQ,"time":"2026-01-01T00:00:00Z","kind":"note","severity":"fatal"}`)
		})},
	}
}

// journal is a change to the journal's bytes.
func journal(spoil func([]byte) []byte) change {
	return files(func(r *Run) bool {
		if len(r.Journal) < 200 {
			return false // too short to lose a part and still be something
		}
		r.Journal = spoil(r.Journal)
		return true
	})
}

// lines is a change to the journal's lines, each with its newline.
func lines(spoil func([][]byte) [][]byte) change {
	return files(func(r *Run) bool {
		all := linesOf(r.Journal)
		if len(all) < 4 {
			return false
		}
		r.Journal = bytes.Join(spoil(all), nil)
		return true
	})
}

func linesOf(b []byte) [][]byte {
	all := bytes.SplitAfter(b, []byte("\n"))
	return all[:len(all)-1]
}

// flip turns one bit of the line in the middle.
func flip(at func(line []byte) int) change {
	return lines(func(all [][]byte) [][]byte {
		line := bytes.Clone(all[len(all)/2])
		line[at(line)] ^= 1
		all[len(all)/2] = line
		return all
	})
}

// renumbered removes a line and closes the gap in the numbers, but cannot
// mend the checksums.
func renumbered(r *Run) bool {
	all := linesOf(r.Journal)
	if len(all) < 4 {
		return false
	}
	n := len(all) / 2
	all = slices.Delete(all, n, n+1)
	for i := n; i < len(all); i++ {
		all[i] = bytes.Replace(all[i], numbered(i+2), numbered(i+1), 1)
	}
	r.Journal = bytes.Join(all, nil)
	return true
}

// extend adds a line with a good checksum before the last one, whose own is
// made to fit.
func extend(r *Run, payload string) bool {
	all := linesOf(r.Journal)
	if len(all) < 2 {
		return false
	}
	n := len(all)
	sum := checksum(all[n-2])
	line, sum := seal(sum, bytes.Replace([]byte(payload), []byte("%SEQ"), number(n), 1))
	end := bytes.Replace(payloadOf(all[n-1]), numbered(n), numbered(n+1), 1)
	last, _ := seal(sum, end)
	r.Journal = slices.Concat(bytes.Join(all[:n-1], nil), line, last)
	return true
}
