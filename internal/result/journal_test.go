package result

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/iotest"
)

func TestJournalRoundTrip(t *testing.T) {
	path := filepath.Join(t.TempDir(), "journal.jsonl")
	j, err := Create(path, ticking())
	if err != nil {
		t.Fatal(err)
	}
	var want []Event
	for _, e := range cleanRun()[:5] {
		got, err := j.Append(e)
		if err != nil {
			t.Fatal(err)
		}
		want = append(want, got)
	}
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	j, events, err := Open(path, ticking())
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(events, want) {
		t.Fatalf("read\n%v\nwrote\n%v", events, want)
	}
	for _, e := range cleanRun()[5:] {
		got, err := j.Append(e)
		if err != nil {
			t.Fatal(err)
		}
		want = append(want, got)
	}
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	events, tail, err := ReadFile(path)
	if err != nil || tail.Torn != 0 || tail.Why != "" {
		t.Fatalf("tail %+v, error %v", tail, err)
	}
	if !reflect.DeepEqual(events, want) {
		t.Fatalf("read\n%v\nwrote\n%v", events, want)
	}
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if info.Mode().Perm() != 0o600 {
		t.Errorf("mode is %v", info.Mode())
	}
	if info.Size() != tail.Good {
		t.Errorf("good bytes %d, size %d", tail.Good, info.Size())
	}
}

func TestCreateAndOpenRefuse(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "journal.jsonl")
	if _, _, err := Open(path, ticking()); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("opening a missing file: %v", err)
	}
	if _, _, err := ReadFile(path); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("reading a missing file: %v", err)
	}
	if _, err := Create(path, nil); err == nil || !strings.Contains(err.Error(), "no clock") {
		t.Errorf("creating without a clock: %v", err)
	}
	j, err := Create(path, ticking())
	if err != nil {
		t.Fatal(err)
	}
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := Create(path, ticking()); !errors.Is(err, fs.ErrExist) {
		t.Errorf("creating twice: %v", err)
	}
	if _, _, err := Open(path, nil); err == nil || !strings.Contains(err.Error(), "no clock") {
		t.Errorf("opening without a clock: %v", err)
	}
	data := written(t, cleanRun())
	data[10] ^= 1
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, _, err := Open(path, ticking()); err == nil || !strings.Contains(err.Error(), path+": line 1: ") {
		t.Errorf("opening a damaged file: %v", err)
	}
	if _, _, err := ReadFile(path); err == nil || !strings.Contains(err.Error(), "line 1: ") {
		t.Errorf("reading a damaged file: %v", err)
	}
}

func TestOpenCutsTornTail(t *testing.T) {
	path := filepath.Join(t.TempDir(), "journal.jsonl")
	data := written(t, cleanRun()[:3])
	torn := append(bytes.Clone(data), `{"seq":4,"ti`...)
	if err := os.WriteFile(path, torn, 0o600); err != nil {
		t.Fatal(err)
	}
	// Reading leaves the file as it is, opening for writing does not.
	if _, tail, err := ReadFile(path); err != nil || tail.Torn != 12 || tail.Why == "" {
		t.Fatalf("tail %+v, error %v", tail, err)
	}
	if got, _ := os.ReadFile(path); !bytes.Equal(got, torn) {
		t.Fatal("ReadFile changed the file")
	}
	j, events, err := Open(path, ticking())
	if err != nil || len(events) != 3 {
		t.Fatalf("%d events, error %v", len(events), err)
	}
	if cut := j.Cut(); cut.Torn != 12 || cut.Good != int64(len(data)) {
		t.Fatalf("cut %+v", cut)
	}
	if got, _ := os.ReadFile(path); !bytes.Equal(got, data) {
		t.Fatal("Open left the torn tail")
	}
	e, err := j.Append(Event{Kind: Note, Text: "on again"})
	if err != nil || e.Seq != 4 {
		t.Fatalf("event %d, error %v", e.Seq, err)
	}
	if events, tail, err := ReadFile(path); err != nil || tail.Torn != 0 || len(events) != 4 {
		t.Fatalf("%d events, tail %+v, error %v", len(events), tail, err)
	}
}

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
	longest := 0
	for line := range bytes.SplitSeq(data, []byte("\n")) {
		longest = max(longest, len(line)+1)
	}
	n := len(cleanRun())
	if _, _, err := readAll(bytes.NewReader(data), limits{longest, n}); err != nil {
		t.Errorf("at the limits: %v", err)
	}
	if _, _, err := readAll(bytes.NewReader(data), limits{longest - 1, n}); err == nil || !strings.Contains(err.Error(), "longer than") {
		t.Errorf("long line: %v", err)
	}
	if _, _, err := readAll(bytes.NewReader(data), limits{longest, n - 1}); err == nil || !strings.Contains(err.Error(), "more than 12 events") {
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

func TestAppendRefuses(t *testing.T) {
	f := &memFile{}
	j := newJournal(f, ticking())
	j.lim = limits{line: 400, events: 2}
	for name, tc := range map[string]struct {
		e    Event
		want string
	}{
		"kind":    {Event{}, "unknown event kind"},
		"cell":    {suite(SuiteStarted, "", "smoke", ""), "names no cell"},
		"no cell": {Event{Kind: RunEnded, Cell: "c1"}, "belongs to the run"},
		"suite":   {suite(SuiteStarted, "c1", "", ""), "names no suite"},
		"phase":   {Event{Kind: PhaseEnded, Cell: "c1"}, "names no phase"},
		"stage":   {Event{Kind: IdentityMatch, Cell: "c1"}, "names no stage"},
		"case":    {suite(CaseEnded, "c1", "smoke", ""), "names no case"},
		"name":    {ended("c1", "smoke", "", 1, Pass), "names no case"},
		"lease":   {Event{Kind: LeaseOpened, Cell: "c1"}, "names no lease"},
		"outcome": {ended("c1", "smoke", "dns", 1, Outcome(77)), "has no name"},
		"length":  {Event{Kind: Note, Text: strings.Repeat("x", 400)}, "shorten its log"},
	} {
		if _, err := j.Append(tc.e); err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if len(f.data) != 0 {
		t.Fatalf("a refused event was written: %s", f.data)
	}
	for range 2 {
		if _, err := j.Append(start()); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := j.Append(start()); err == nil || !strings.Contains(err.Error(), "the limit") {
		t.Errorf("too many events: %v", err)
	}
}

func TestAppendReturnsWhatIsStored(t *testing.T) {
	f := &memFile{}
	j := newJournal(f, ticking())
	e, err := j.Append(Event{Kind: Note, Text: "bad \xff byte, <tag>, \u2028 and ,\"sum\":\"", Seq: 9, Checked: []string{}})
	if err != nil {
		t.Fatal(err)
	}
	events, _, err := ReadAll(bytes.NewReader(f.data))
	if err != nil || !reflect.DeepEqual(events, []Event{e}) {
		t.Fatalf("returned %+v, stored %+v, error %v", e, events, err)
	}
	if e.Seq != 1 || e.Time.IsZero() {
		t.Errorf("event %+v", e)
	}
}

func TestAppendAfterClose(t *testing.T) {
	f := &memFile{}
	j := newJournal(f, ticking())
	for range 2 {
		if err := j.Close(); err != nil || !f.closed {
			t.Fatal(err)
		}
	}
	if _, err := j.Append(start()); !errors.Is(err, errClosed) {
		t.Errorf("append after close: %v", err)
	}
	j = newJournal(&memFile{fails: from(1, syscall.EIO)}, ticking())
	if err := j.Close(); !errors.Is(err, syscall.EIO) {
		t.Errorf("failing close: %v", err)
	}
}

// Each operation on the file fails in turn, once or for good, whole or short.
// Whatever was acknowledged is read back, in order, and nothing else but at
// most one event that was being written when the file died.
func TestEveryFaultKeepsWhatWasAcknowledged(t *testing.T) {
	script := cleanRun()
	for op := 1; op <= 2*len(script)+2; op++ {
		for name, f := range map[string]*memFile{
			"ENOSPC once":       {fails: once(op, syscall.ENOSPC)},
			"ENOSPC":            {fails: from(op, syscall.ENOSPC)},
			"EIO short once":    {fails: once(op, syscall.EIO), short: true},
			"EIO short":         {fails: from(op, syscall.EIO), short: true},
			"silent short once": {fails: once(op, syscall.EROFS), short: true, silent: true},
			"two in turn":       {fails: during(op, op+1, syscall.EIO), short: true},
			"three in turn":     {fails: during(op, op+2, syscall.EIO), short: true},
		} {
			j := newJournal(f, ticking())
			var acked []Event
			failed := 0
			for _, e := range script {
				got, err := j.Append(e)
				if err != nil {
					failed++
					continue
				}
				acked = append(acked, got)
			}
			events, tail, err := ReadAll(bytes.NewReader(f.data))
			if err != nil {
				t.Fatalf("%s at operation %d: %v", name, op, err)
			}
			if len(events) < len(acked) || !reflect.DeepEqual(events[:len(acked)], acked) && len(acked) > 0 {
				t.Fatalf("%s at operation %d: acknowledged %d, read %d", name, op, len(acked), len(events))
			}
			if extra := len(events) - len(acked); extra > 1 || extra > 0 && failed == 0 || extra > 0 && tail.Torn > 0 {
				t.Fatalf("%s at operation %d: %d events too many", name, op, extra)
			}
			if strings.HasSuffix(name, "once") && failed > 1 {
				t.Fatalf("%s at operation %d: %d appends failed after one fault", name, op, failed)
			}
		}
	}
}

func TestAppendIsRefusedUntilRepaired(t *testing.T) {
	// Operation 3 writes the second line, 4 cuts it off again, 5 and 6 are
	// the next attempts to.
	f := &memFile{short: true, fails: during(3, 5, syscall.ENOSPC)}
	j := newJournal(f, ticking())
	if _, err := j.Append(start()); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		_, err := j.Append(Event{Kind: Note, Text: "lost"})
		if !errors.Is(err, syscall.ENOSPC) || !strings.Contains(err.Error(), "cutting it back") {
			t.Fatal(err)
		}
	}
	e, err := j.Append(Event{Kind: Note, Text: "kept"})
	if err != nil || e.Seq != 2 {
		t.Fatalf("event %+v, error %v", e, err)
	}
	events, tail, err := ReadAll(bytes.NewReader(f.data))
	if err != nil || tail.Torn > 0 || len(events) != 2 || events[1].Text != "kept" {
		t.Fatalf("read %+v, tail %+v, error %v", events, tail, err)
	}
}

func TestRepairMustBeSynced(t *testing.T) {
	f := &memFile{short: true, fails: func(op int) error {
		if op == 1 || op == 3 { // the write, and the sync after the cut
			return syscall.EIO
		}
		return nil
	}}
	j := newJournal(f, ticking())
	if _, err := j.Append(start()); err == nil || !strings.Contains(err.Error(), "syncing it after the cut") {
		t.Fatal(err)
	}
	if j.dirty == nil {
		t.Fatal("an unsynced cut counts as repair")
	}
	if _, err := j.Append(start()); err != nil {
		t.Fatal(err)
	}
}

func TestAppendConcurrently(t *testing.T) {
	f := &memFile{}
	j := newJournal(f, ticking())
	var group sync.WaitGroup
	for w := range 8 {
		group.Go(func() {
			for i := range 50 {
				if _, err := j.Append(Event{Kind: Note, Text: fmt.Sprint(w, i)}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	group.Wait()
	events, tail, err := ReadAll(bytes.NewReader(f.data))
	if err != nil || tail.Torn > 0 || len(events) != 400 {
		t.Fatalf("%d events, tail %+v, error %v", len(events), tail, err)
	}
	for i := 1; i < len(events); i++ {
		if events[i].Time.Before(events[i-1].Time) {
			t.Fatal("times and numbers disagree")
		}
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
