package result

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// A line of the journal is the event's JSON object with one more field, "sum",
// at its end: the first sumBytes bytes of SHA-256 over the sum of the line
// before and the event's own JSON. So a line that was changed, removed, moved
// or repeated breaks the chain at that place, also when it is intact itself.
const (
	sumBytes = 8
	sumKey   = `,"sum":"`
	sumEnd   = `"}`
	firstSum = "qualify/journal/v1" // stands in for the sum before the first line
)

// limits bound what a journal may hold, against a damaged or hostile file.
type limits struct{ line, events int }

func defaultLimits() limits { return limits{line: 8 << 20, events: 2 << 20} }

// Tail tells where the good part of a journal ends.
type Tail struct {
	Good int64  // bytes of whole, verified lines
	Torn int64  // bytes after them that were left out
	Why  string // what is wrong with those; empty when there are none
	sum  string // of the last good line
}

// errBroken is a line whose sum does not fit it or the line before it.
var errBroken = errors.New("its checksum does not fit its content and the line before it")

const restoreHint = "restore the file from a copy; nothing after this line can be trusted"

// ReadAll reads a journal. An empty one holds no events. A last line that was
// never acknowledged, because it lacks its newline or its sum does not fit, is
// left out and told by the Tail. Anything else that is wrong is an error that
// names the line: the file was changed after it was written.
func ReadAll(r io.Reader) ([]Event, Tail, error) { return readAll(r, defaultLimits()) }

func readAll(r io.Reader, lim limits) ([]Event, Tail, error) {
	var events []Event
	tail := Tail{sum: firstSum}
	lines := lineReader{r: bufio.NewReader(r), max: lim.line}
	for {
		line, last, err := lines.next()
		if err != nil {
			return nil, Tail{}, fmt.Errorf("line %d: %w", len(events)+1, err)
		}
		if len(line) == 0 {
			return events, tail, nil
		}
		if len(events) >= lim.events {
			return nil, Tail{}, fmt.Errorf("line %d: more than %d events; %s", len(events)+1, lim.events, restoreHint)
		}
		event, sum, err := readLine(tail.sum, line, len(events)+1)
		if why := torn(line, err); why != "" && last {
			tail.Torn, tail.Why = int64(len(line)), why
			return events, tail, nil
		}
		if err != nil {
			return nil, Tail{}, fmt.Errorf("line %d: %w", len(events)+1, err)
		}
		events = append(events, event)
		tail.sum, tail.Good = sum, tail.Good+int64(len(line))
	}
}

// torn says why a line can be the trace of an interrupted write, provided it
// is the last one; an empty answer means that it can not.
func torn(line []byte, err error) string {
	switch {
	case errors.Is(err, errBroken):
		return "the last line is damaged or incomplete: " + errBroken.Error()
	case err == nil && !bytes.HasSuffix(line, []byte("\n")):
		return "the last line has no newline, so its write was never acknowledged"
	}
	return ""
}

// readLine verifies and decodes the line number n, newline included if any.
func readLine(prev string, line []byte, n int) (Event, string, error) {
	event, sum, err := decodeLine(prev, bytes.TrimSuffix(line, []byte("\n")))
	if errors.Is(err, errBroken) {
		return Event{}, "", fmt.Errorf("%w; %s", err, restoreHint)
	}
	if err != nil {
		return Event{}, "", err
	}
	if event.Seq != n {
		return Event{}, "", fmt.Errorf("event has number %d; %s", event.Seq, restoreHint)
	}
	if _, known := kindNeeds[event.Kind]; !known {
		return Event{}, "", fmt.Errorf("unknown event kind %q; read this journal with the version of qualify that wrote it", event.Kind)
	}
	return event, sum, nil
}

func encodeLine(prev string, e Event) (line []byte, sum string, err error) {
	payload, err := json.Marshal(e)
	if err != nil {
		return nil, "", fmt.Errorf("encoding event: %w", err)
	}
	sum = sumOf(prev, payload)
	line = append(payload[:len(payload)-1], sumKey+sum+sumEnd+"\n"...)
	return line, sum, nil
}

// decodeLine is the inverse of encodeLine, the newline excluded.
func decodeLine(prev string, line []byte) (Event, string, error) {
	payload, sum, rest, ok := split(line)
	if !ok || sumOf(prev, payload) != sum {
		return Event{}, "", errBroken
	}
	if len(rest) > 0 {
		return Event{}, "", damagedEnd(rest)
	}
	var e Event
	dec := json.NewDecoder(bytes.NewReader(payload))
	dec.DisallowUnknownFields() // a field we ignore could hold bad news
	if err := dec.Decode(&e); err != nil {
		return Event{}, "", fmt.Errorf("decoding event: %w; read this journal with the version of qualify that wrote it", err)
	}
	return e, sum, nil
}

// damagedEnd judges what follows a whole and verified line in place of its
// newline. NUL bytes are what a filesystem leaves where a crash kept the
// newline's block from the disk; anything else is an acknowledged line whose
// newline was destroyed later, and that must not pass for a torn tail.
func damagedEnd(rest []byte) error {
	if len(bytes.Trim(rest, "\x00")) == 0 {
		return errBroken
	}
	return fmt.Errorf("%d bytes follow its checksum; %s", len(rest), restoreHint)
}

// split takes a line apart. The first sumKey is the right one: within a JSON
// string its quotes would be escaped, and no field before it has that name.
func split(line []byte) (payload []byte, sum string, rest []byte, ok bool) {
	head, tail, found := bytes.Cut(line, []byte(sumKey))
	const width = 2*sumBytes + len(sumEnd)
	if !found || len(tail) < width || string(tail[2*sumBytes:width]) != sumEnd {
		return nil, "", nil, false
	}
	payload = append(bytes.Clone(head), '}')
	return payload, string(tail[:2*sumBytes]), tail[width:], true
}

func sumOf(prev string, payload []byte) string {
	h := sha256.New()
	io.WriteString(h, prev)
	h.Write(payload)
	return hex.EncodeToString(h.Sum(nil)[:sumBytes])
}

// lineReader cuts a stream into lines of bounded length.
type lineReader struct {
	r   *bufio.Reader
	max int
}

// next returns a line with its newline, if it has one, and whether it is the
// last; an empty line marks the end of the stream.
func (l *lineReader) next() (line []byte, last bool, err error) {
	for {
		part, err := l.r.ReadSlice('\n')
		if len(line)+len(part) > l.max {
			return nil, false, fmt.Errorf("longer than %d bytes; %s", l.max, restoreHint)
		}
		line = append(line, part...)
		switch {
		case errors.Is(err, bufio.ErrBufferFull):
			continue
		case errors.Is(err, io.EOF):
			return line, true, nil
		case err != nil:
			return nil, false, fmt.Errorf("reading: %w", err)
		}
		switch _, err := l.r.Peek(1); {
		case errors.Is(err, io.EOF):
			return line, true, nil
		case err != nil:
			return nil, false, fmt.Errorf("reading: %w", err)
		}
		return line, false, nil
	}
}
