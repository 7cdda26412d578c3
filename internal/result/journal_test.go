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
	"time"
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
					if failed++; !f.silent && !errors.Is(err, f.fails(op)) {
						t.Fatalf("%s at operation %d: the cause is lost in %v", name, op, err)
					}
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
	if j.dirty != nil {
		t.Error("still to be repaired")
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

func TestSyncDir(t *testing.T) {
	dir := t.TempDir()
	if err := (osDisk{}).syncDir(dir); err != nil {
		t.Error(err)
	}
	if err := (osDisk{}).syncDir(filepath.Join(dir, "none")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("missing directory: %v", err)
	}
}

// Every text of an event can be changed, so that every one is redacted; what
// it is found again by stays.
func TestWithTextMissesNone(t *testing.T) {
	stays := map[string]bool{ // names and digests of ours
		"Kind": true, "Plan": true, "Release": true,
		"Lease.Name": true, "Lease.Run": true, "Lease.Cell": true, "Lease.Owner": true, "Lease.Home": true,
	}
	e := Event{Case: &Case{}, Lease: &Lease{}, Checked: []string{"?"}, Mismatched: []string{"?"}}
	var each func(path string, v reflect.Value, do func(path string, v reflect.Value))
	each = func(path string, v reflect.Value, do func(string, reflect.Value)) {
		switch v.Kind() {
		case reflect.String:
			do(path, v)
		case reflect.Pointer:
			each(path, v.Elem(), do)
		case reflect.Slice:
			for i := range v.Len() {
				each(path, v.Index(i), do)
			}
		case reflect.Struct:
			if v.Type() == reflect.TypeFor[time.Time]() {
				return
			}
			for i := range v.NumField() {
				each(strings.TrimPrefix(path+"."+v.Type().Field(i).Name, "."), v.Field(i), do)
			}
		}
	}
	each("", reflect.ValueOf(&e), func(_ string, v reflect.Value) { v.SetString("secret") })
	before := fmt.Sprintf("%+v %+v %+v", e, *e.Case, *e.Lease)
	changed := e.WithText(func(string) string { return "redacted" })
	texts := 0
	each("", reflect.ValueOf(&changed), func(path string, v reflect.Value) {
		texts++
		want := "redacted"
		if stays[path] {
			want = "secret"
		}
		if v.String() != want {
			t.Errorf("%s is %q, want %q: a new text of an event belongs in WithText", path, v.String(), want)
		}
	})
	if texts < 15 {
		t.Errorf("only %d texts", texts)
	}
	if after := fmt.Sprintf("%+v %+v %+v", e, *e.Case, *e.Lease); after != before {
		t.Errorf("the event itself is changed: %s", after)
	}
	if nothing := (Event{Kind: Note}).WithText(strings.ToUpper); !reflect.DeepEqual(nothing, Event{Kind: Note}) {
		t.Errorf("of nothing is made %+v", nothing)
	}
}
