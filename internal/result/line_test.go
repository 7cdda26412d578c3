package result

import (
	"bytes"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"testing/iotest"
)

func TestReadAllEmpty(t *testing.T) {
	events, tail, err := ReadAll(strings.NewReader(""))
	if len(events) != 0 || tail.Good != 0 || tail.Torn != 0 || err != nil {
		t.Fatalf("%v %+v %v", events, tail, err)
	}
}

func TestEveryPrefixLosesOnlyTheTail(t *testing.T) {
	data := written(t, cleanRun())
	for cut := range len(data) + 1 {
		events, tail, err := ReadAll(bytes.NewReader(data[:cut]))
		if err != nil {
			t.Fatalf("cut at %d: %v", cut, err)
		}
		whole := bytes.Count(data[:cut], []byte("\n"))
		if len(events) != whole {
			t.Fatalf("cut at %d: %d events of %d whole lines", cut, len(events), whole)
		}
		if tail.Good+tail.Torn != int64(cut) || (tail.Torn > 0) != (tail.Why != "") {
			t.Fatalf("cut at %d: tail %+v", cut, tail)
		}
	}
}

// A crash can leave blocks of the line in flight as NUL bytes.
func TestUnwrittenBlocksAreTheTail(t *testing.T) {
	data := written(t, cleanRun())
	begin := bytes.LastIndexByte(data[:len(data)-1], '\n') + 1
	for from := begin; from < len(data); from++ {
		for _, to := range []int{from + 1, (from + len(data) + 1) / 2, len(data)} {
			state := bytes.Clone(data)
			clear(state[from:to])
			events, tail, err := ReadAll(bytes.NewReader(state))
			if err != nil || len(events) != len(cleanRun())-1 || tail.Good != int64(begin) {
				t.Fatalf("NUL in %d-%d: %d events, tail %+v, error %v", from, to, len(events), tail, err)
			}
		}
	}
}

func TestEveryFlipIsDetected(t *testing.T) {
	events := cleanRun()[4:8]
	data := written(t, events)
	begin := bytes.LastIndexByte(data[:len(data)-1], '\n') + 1
	for i := range data {
		for bit := range 8 {
			flipped := bytes.Clone(data)
			flipped[i] ^= 1 << bit
			got, tail, err := ReadAll(bytes.NewReader(flipped))
			switch {
			case i < begin && err == nil:
				t.Fatalf("bit %d of byte %d flipped before the last line: read %d events, tail %+v", bit, i, len(got), tail)
			case i < begin && !strings.HasPrefix(err.Error(), fmt.Sprintf("line %d: ", 1+bytes.Count(data[:i], []byte("\n")))):
				t.Fatalf("byte %d: wrong line in %v", i, err)
			case i >= begin && err == nil && (len(got) != len(events)-1 || tail.Torn == 0):
				t.Fatalf("bit %d of byte %d flipped in the last line: read %d events, tail %+v", bit, i, len(got), tail)
			}
		}
	}
}

func TestChainDetectsMovedLines(t *testing.T) {
	lines := bytes.SplitAfter(written(t, cleanRun()[4:10]), []byte("\n"))
	lines = lines[:len(lines)-1]
	other := bytes.SplitAfter(written(t, cleanRun()[2:10]), []byte("\n"))
	for name, tc := range map[string]struct {
		lines [][]byte
		want  string
	}{
		"removed first":   {lines[1:], "line 1: its checksum"},
		"removed":         {[][]byte{lines[0], lines[1], lines[3], lines[4]}, "line 3: its checksum"},
		"reordered":       {[][]byte{lines[0], lines[2], lines[1], lines[3]}, "line 2: its checksum"},
		"repeated":        {[][]byte{lines[0], lines[1], lines[1], lines[2]}, "line 3: its checksum"},
		"of other run":    {[][]byte{lines[0], other[1], lines[2]}, "line 2: its checksum"},
		"empty":           {[][]byte{lines[0], []byte("\n"), lines[1]}, "line 2: its checksum"},
		"no newline":      {[][]byte{lines[0], bytes.TrimSpace(lines[1]), lines[2]}, "line 2: 1"},
		"garbage between": {[][]byte{lines[0], []byte("garbage\n"), lines[1]}, "line 2: its checksum"},
	} {
		_, _, err := ReadAll(bytes.NewReader(bytes.Join(tc.lines, nil)))
		if err == nil || !strings.HasPrefix(err.Error(), tc.want) || !strings.Contains(err.Error(), "restore the file") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// sealed chains payloads correctly, whatever they hold.
func sealed(payloads ...string) string {
	var b strings.Builder
	prev := firstSum
	for _, p := range payloads {
		prev = sumOf(prev, []byte(p))
		b.WriteString(strings.TrimSuffix(p, "}") + sumKey + prev + sumEnd + "\n")
	}
	return b.String()
}

func TestReadAllRefusesWhatItDoesNotKnow(t *testing.T) {
	note := `{"seq":1,"time":"2026-09-01T08:00:00Z","kind":"note"}`
	for name, tc := range map[string]struct{ data, want string }{
		"kind":    {sealed(note, `{"seq":2,"time":"2026-09-01T08:00:00Z","kind":"verdict"}`), `line 2: unknown event kind "verdict"; read this`},
		"field":   {sealed(note, `{"seq":2,"time":"2026-09-01T08:00:00Z","kind":"note","veto":true}`), `line 2: decoding event`},
		"outcome": {sealed(`{"seq":1,"kind":"case","case":{"name":"x","outcome":"great"}}`), `line 1: decoding event`},
		"number":  {sealed(note, note), `line 2: event has number 1`},
		"no json": {sealed(`}`), `line 1: decoding event`},
	} {
		_, _, err := ReadAll(strings.NewReader(tc.data))
		if err == nil || !strings.HasPrefix(err.Error(), tc.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestReadAllLimits(t *testing.T) {
	data := written(t, cleanRun())
	longest, at := 0, 0
	for i, line := range bytes.Split(data, []byte("\n")) {
		if len(line)+1 > longest {
			longest, at = len(line)+1, i+1
		}
	}
	n := len(cleanRun())
	if _, _, err := readAll(bytes.NewReader(data), limits{longest, n}); err != nil {
		t.Errorf("at the limits: %v", err)
	}
	if _, _, err := readAll(bytes.NewReader(data), limits{longest - 1, n}); err == nil || !strings.HasPrefix(err.Error(), fmt.Sprintf("line %d: longer than", at)) {
		t.Errorf("long line: %v", err)
	}
	if _, _, err := readAll(bytes.NewReader(data), limits{longest, n - 1}); err == nil || !strings.HasPrefix(err.Error(), "line 13: more than 12 events") {
		t.Errorf("many events: %v", err)
	}
	big := written(t, []Event{{Kind: Note, Text: strings.Repeat("x", 1<<20)}})
	if events, _, err := ReadAll(bytes.NewReader(big)); err != nil || len(events[0].Text) != 1<<20 {
		t.Errorf("line longer than the reader's buffer: %v", err)
	}
}

func TestReadAllReportsReadErrors(t *testing.T) {
	data := written(t, cleanRun())
	half := bytes.IndexByte(data, '\n') + 20
	for _, r := range []int{half, bytes.IndexByte(data, '\n') + 1} {
		_, _, err := ReadAll(iotest.TimeoutReader(iotest.OneByteReader(bytes.NewReader(data[:r]))))
		if !errors.Is(err, iotest.ErrTimeout) {
			t.Errorf("after %d bytes: %v", r, err)
		}
	}
	// The second read, for what follows a newline, fails.
	line := data[:bytes.IndexByte(data, '\n')+1]
	_, _, err := ReadAll(iotest.TimeoutReader(bytes.NewReader(line)))
	if !errors.Is(err, iotest.ErrTimeout) {
		t.Errorf("after a whole line: %v", err)
	}
}

func FuzzReadAll(f *testing.F) {
	data := written(f, cleanRun())
	f.Add(data)
	f.Add(data[:len(data)-30])
	f.Add([]byte("\n"))
	f.Add([]byte(sealed(`{"seq":1,"kind":"note"}`)))
	f.Add([]byte(strings.Replace(string(data), "pass", "fail", 1)))
	f.Fuzz(func(t *testing.T, data []byte) {
		events, tail, err := ReadAll(bytes.NewReader(data))
		if err != nil {
			if len(events) > 0 || !strings.HasPrefix(err.Error(), "line ") {
				t.Fatalf("%d events with error %v", len(events), err)
			}
			return
		}
		if tail.Good+tail.Torn != int64(len(data)) || bytes.Count(data[:tail.Good], []byte("\n")) != len(events) {
			t.Fatalf("%d events, tail %+v of %d bytes", len(events), tail, len(data))
		}
		again, _, err := ReadAll(bytes.NewReader(data[:tail.Good]))
		if err != nil || !reflect.DeepEqual(again, events) {
			t.Fatalf("the good part reads differently: %v", err)
		}
		Fold(events)
	})
}
