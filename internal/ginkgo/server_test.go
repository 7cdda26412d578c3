package ginkgo

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/onsi/ginkgo/v2/types"

	"github.com/qualify-dev/qualify/internal/redact"
	"github.com/qualify-dev/qualify/internal/sink"
)

// coordinator is a server without processes.
type coordinator struct {
	*server
	output  bytes.Buffer
	dead    map[int]bool
	reports []types.SpecReport
}

func newCoordinator(t testing.TB, total int) *coordinator {
	t.Helper()
	c := &coordinator{dead: map[int]bool{}}
	s, err := newServer(total, newDealer(Listing{}, []string{"a"}, false), &c.output, func(n int) bool { return !c.dead[n] }, func(r types.SpecReport) { c.reports = append(c.reports, r) })
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.close)
	c.server = s
	return c
}

// ask asks as process 1.
func (c *coordinator) ask(method, path string, body io.Reader) (status int, answer string) {
	path = "/1" + path
	w := httptest.NewRecorder()
	c.http.Handler.ServeHTTP(w, httptest.NewRequest(method, path, body))
	return w.Code, strings.TrimSpace(w.Body.String())
}

func (c *coordinator) post(path, body string) int {
	status, _ := c.ask(http.MethodPost, path, strings.NewReader(body))
	return status
}

func (c *coordinator) get(path string) (int, string) { return c.ask(http.MethodGet, path, http.NoBody) }

// What cannot be taken is refused, and the run hears of it.
func TestServerRefuses(t *testing.T) {
	for _, c := range []struct{ path, body, want string }{
		{"/did-run", ``, "unexpected end"},
		{"/did-run", `{"LeafNodeType":"It","State":"pass`, "unexpected end"},
		{"/did-run", `[]`, "cannot unmarshal array"},
		{"/did-run", `{"LeafNodeType":"It"} {"LeafNodeType":"It"}`, "after top-level value"},
		{"/did-run", `{}`, "unknown kind of node"},
		{"/did-run", `{"LeafNodeType":"Sprite","State":"passed"}`, "unknown kind of node"},
		{"/suite-did-end", `{`, "unexpected end"},
		{"/suite-did-end", `{}`, "process 0 of 2"},
		{"/suite-did-end", `{"SuiteSucceeded":true,"SuiteConfig":{"ParallelProcess":3}}`, "process 3 of 2"},
		{"/before-suite-completed", `"passed"`, "cannot unmarshal string"},
		{"/report-before-suite-completed", `{"State":"passed"}`, "cannot unmarshal object"},
	} {
		s := newCoordinator(t, 2)
		if status := s.post(c.path, c.body); status != http.StatusBadRequest {
			t.Errorf("%s %s: status %d", c.path, c.body, status)
		}
		err := s.refusals()
		if err == nil || !strings.Contains(err.Error(), c.path) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s %s: got %v, want %q", c.path, c.body, err, c.want)
		}
		if len(s.reports) > 0 || len(s.ended) > 0 {
			t.Errorf("%s %s: taken nevertheless", c.path, c.body)
		}
	}
}

// zeros is a reader without end.
type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

func TestServerRefusesHugeBodies(t *testing.T) {
	s := newCoordinator(t, 2)
	huge := func() io.Reader { return io.LimitReader(zeros{}, mostMessage+1) }
	if status, _ := s.ask(http.MethodPost, "/did-run", huge()); status != http.StatusRequestEntityTooLarge {
		t.Errorf("a huge report: status %d", status)
	}
	if err := s.refusals(); err == nil || !strings.Contains(err.Error(), "too large") {
		t.Errorf("a huge report: %v", err)
	}
	if status, _ := s.ask(http.MethodPost, "/emit-output", huge()); status != http.StatusInternalServerError {
		t.Errorf("huge output: status %d", status)
	}
	if s.output.Len() > mostMessage {
		t.Errorf("%d bytes of output", s.output.Len())
	}
	if status, _ := s.ask(http.MethodPost, "/progress-report", huge()); status != http.StatusOK {
		t.Errorf("a long message that nobody reads: status %d", status)
	}
	w, r := httptest.NewRecorder(), httptest.NewRequest(http.MethodPost, "/x", strings.NewReader(`"1234567890"`))
	if s.decode(w, r, 11, new(string)) || w.Code != http.StatusRequestEntityTooLarge {
		t.Errorf("12 bytes of 11: status %d", w.Code)
	}
}

// A state that nobody knows is no state in which something passed.
func TestServerUnknownStates(t *testing.T) {
	s := newCoordinator(t, 2)
	if status := s.post("/did-run", `{"LeafNodeType":"It","LeafNodeText":"x","State":"transcended"}`); status != http.StatusOK {
		t.Errorf("status %d", status)
	}
	if len(s.reports) != 1 || s.reports[0].State != types.SpecStateInvalid {
		t.Errorf("reports %v", s.reports)
	}
	// The others wait for one of process 1: they get a failure.
	for _, c := range []struct{ done, ask, body, want string }{
		{"/before-suite-completed", "/before-suite-state", `{"State":"transcended","Data":"eA=="}`, `{"Data":null,"State":"failed"}`},
		{"/before-suite-completed", "/before-suite-state", `{`, `{"Data":null,"State":"failed"}`},
		{"/report-before-suite-completed", "/report-before-suite-state", `"transcended"`, `"failed"`},
		{"/report-before-suite-completed", "/report-before-suite-state", `null`, `"failed"`},
	} {
		s := newCoordinator(t, 2)
		s.post(c.done, c.body)
		if status, answer := s.get(c.ask); status != http.StatusOK || answer != c.want {
			t.Errorf("%s after %s: %d %s, want %s", c.ask, c.body, status, answer, c.want)
		}
	}
}

// The others wait for process 1 as long as it lives, and not longer.
func TestServerSetUp(t *testing.T) {
	for _, c := range []struct{ done, ask, body string }{
		{"/before-suite-completed", "/before-suite-state", `{"Data":"eA==","State":"passed"}`},
		{"/report-before-suite-completed", "/report-before-suite-state", `"passed"`},
	} {
		s := newCoordinator(t, 2)
		if status, _ := s.get(c.ask); status != http.StatusTooEarly {
			t.Errorf("%s before: %d", c.ask, status)
		}
		s.dead[1] = true
		if status, _ := s.get(c.ask); status != http.StatusGone {
			t.Errorf("%s of a dead process: %d", c.ask, status)
		}
		if status := s.post(c.done, c.body); status != http.StatusOK {
			t.Errorf("%s: %d", c.done, status)
		}
		if status, answer := s.get(c.ask); status != http.StatusOK || answer != c.body {
			t.Errorf("%s after: %d %s", c.ask, status, answer)
		}
	}
}

// Process 1 waits for the others, and learns of them what they did only if
// all of them reached their end.
func TestServerWaitsForTheOthers(t *testing.T) {
	s := newCoordinator(t, 3)
	both := func(when string, finished, report int) {
		t.Helper()
		a, _ := s.get("/have-nonprimary-procs-finished")
		b, _ := s.get("/aggregated-nonprimary-procs-report")
		if a != finished || b != report {
			t.Errorf("%s: %d and %d, want %d and %d", when, a, b, finished, report)
		}
	}
	end := func(process int, text string) {
		t.Helper()
		body := fmt.Sprintf(`{"SuiteSucceeded":true,"SuiteConfig":{"ParallelProcess":%d},"SpecReports":[{"LeafNodeType":"It","LeafNodeText":%q}]}`, process, text)
		if status := s.post("/suite-did-end", body); status != http.StatusOK {
			t.Errorf("status %d", status)
		}
	}
	both("at the start", http.StatusTooEarly, http.StatusTooEarly)
	end(2, "two")
	s.dead[2] = true
	both("after one", http.StatusTooEarly, http.StatusTooEarly)
	s.dead[3] = true
	both("after one died", http.StatusOK, http.StatusGone)
	end(2, "two, twice")
	both("after one ended twice", http.StatusOK, http.StatusGone)
	end(3, "three")
	both("after both", http.StatusOK, http.StatusOK)
	var sum types.Report
	_, answer := s.get("/aggregated-nonprimary-procs-report")
	if err := json.Unmarshal([]byte(answer), &sum); err != nil {
		t.Fatal(err)
	}
	if len(sum.SpecReports) != 2 || sum.SpecReports[1].LeafNodeText != "three" {
		t.Errorf("sum: %v", sum.SpecReports)
	}
}

func TestServerCountsAndAborts(t *testing.T) {
	s := newCoordinator(t, 2)
	var mu sync.Mutex
	var wg sync.WaitGroup
	var got []int
	for range 100 {
		wg.Go(func() {
			var counter struct{ Index int }
			_, answer := s.get("/counter")
			mu.Lock()
			defer mu.Unlock()
			if err := json.Unmarshal([]byte(answer), &counter); err != nil {
				t.Error(err)
			}
			got = append(got, counter.Index)
		})
	}
	wg.Wait()
	slices.Sort(got)
	for i, index := range got {
		if index != i {
			t.Fatalf("indices %v", got)
		}
	}
	for _, step := range []struct {
		method string
		status int
	}{{http.MethodGet, http.StatusOK}, {http.MethodPost, http.StatusOK}, {http.MethodGet, http.StatusGone}} {
		if status, _ := s.ask(step.method, "/abort", http.NoBody); status != step.status {
			t.Errorf("%s: status %d, want %d", step.method, status, step.status)
		}
	}
	if status, _ := s.get("/up"); status != http.StatusOK {
		t.Errorf("up: %d", status)
	}
	if status, _ := s.get("/elsewhere"); status != http.StatusNotFound {
		t.Errorf("elsewhere: %d", status)
	}
}

func TestServerComplete(t *testing.T) {
	for _, c := range []struct {
		end    string
		status int
		want   string // "" is complete
	}{
		{`{"SuiteSucceeded":true,"SuiteConfig":{"ParallelProcess":1}}`, 0, ""},
		{`{"SuiteSucceeded":false,"SuiteConfig":{"ParallelProcess":1}}`, 1, ""},
		{`{"SuiteSucceeded":true,"SuiteConfig":{"ParallelProcess":1}}`, 1, "success is true"},
		{`{"SuiteSucceeded":false,"SuiteConfig":{"ParallelProcess":1}}`, 0, "success is false"},
		{`{"SuiteSucceeded":true,"SuiteConfig":{"ParallelProcess":2}}`, 0, "without reporting its end"},
		{`{"SuiteSucceeded":false,"SpecialSuiteFailureReasons":["Suite Timeout Elapsed","x"],"SuiteConfig":{"ParallelProcess":1}}`, 1, "Suite Timeout Elapsed; x"},
	} {
		s := newCoordinator(t, 2)
		s.post("/suite-did-end", c.end)
		err := s.complete(&process{number: 1, status: c.status, log: filepath.Join(t.TempDir(), "absent")})
		if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s with status %d: got %v, want %q", c.end, c.status, err, c.want)
		}
	}
}

// Nothing is passed on once the run is over, and a record that cannot be
// written is an error.
func TestCollectorAtItsEnd(t *testing.T) {
	file, err := sink.New(redact.New()).Create(filepath.Join(t.TempDir(), "specs.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	record := &recorder{file: file}
	n := 0
	c := newCollector([]string{"a", "b"}, record, func(types.SpecReport) { n++ })
	spec := types.SpecReport{LeafNodeType: types.NodeTypeIt, LeafNodeText: "a", State: types.SpecStatePassed}
	c.take(spec)
	if err := c.missing(); err == nil || !strings.Contains(err.Error(), `1 of 2 specs were never reported: "b"`) {
		t.Errorf("missing: %v", err)
	}
	// The second pass runs the rest and skips what the first has run.
	c.begin(c.left())
	skipped := spec
	skipped.State = types.SpecStateSkipped
	c.take(skipped)
	if n != 1 {
		t.Error("what a pass does not select is a result of it")
	}
	if err := c.end(); err != nil {
		t.Error(err)
	}
	spec.LeafNodeText = "b"
	c.take(spec)
	if n != 1 || c.missing() == nil {
		t.Errorf("%d reports passed on", n)
	}
	if err := record.close(); err != nil {
		t.Error(err)
	}
	full := unwritable(t)
	full.write(spec)
	if err := full.close(); err == nil || !strings.Contains(err.Error(), "bad file descriptor") {
		t.Errorf("a record that could not be written: %v", err)
	}
}

// unwritable is a record whose writes fail.
func unwritable(t *testing.T) *recorder {
	t.Helper()
	f, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	return &recorder{file: f}
}

// FuzzDidRun posts arbitrary bytes as a spec's report. They are either refused,
// and then the run fails, or taken once as what they say they are.
func FuzzDidRun(f *testing.F) {
	f.Add([]byte(`{"LeafNodeType":"It","LeafNodeText":"passes","State":"passed","ContainerHierarchyTexts":["[sample]"],"RunTime":1}`))
	f.Add([]byte(`{"LeafNodeType":"It","State":"failed","Failure":{"Message":"41"},"ReportEntries":[{"Name":"x","Value":{"AsJSON":"{}","Representation":"y"}}]}`))
	f.Add([]byte(`{"LeafNodeType":"SynchronizedBeforeSuite","State":"panicked"}`))
	f.Add([]byte(`{"LeafNodeType":7,"State":16}`))
	f.Add([]byte(`{"LeafNodeType":"It","StartTime":"yesterday"}`))
	f.Add([]byte("null"))
	f.Fuzz(func(t *testing.T, body []byte) {
		s := newCoordinator(t, 2)
		status, _ := s.ask(http.MethodPost, "/did-run", bytes.NewReader(body))
		if taken := status == http.StatusOK; taken != (s.refusals() == nil) || taken != (len(s.reports) == 1) {
			t.Fatalf("status %d, refusals %v, %d reports", status, s.refusals(), len(s.reports))
		}
		for _, report := range s.reports {
			if err := sameAgain(report); err != nil {
				t.Error(err)
			}
		}
	})
}

// sameAgain writes a report and reads it back, as the record does.
func sameAgain(report types.SpecReport) error {
	if report.LeafNodeType == types.NodeTypeInvalid {
		return errors.New("a node of no type")
	}
	text, err := json.Marshal(report)
	if err != nil {
		return err
	}
	var back types.SpecReport
	if err := json.Unmarshal(text, &back); err != nil {
		return err
	}
	if back.State != report.State || back.FullText() != report.FullText() {
		return fmt.Errorf("%q as %s comes back as %q, %s", report.FullText(), report.State, back.FullText(), back.State)
	}
	return nil
}
