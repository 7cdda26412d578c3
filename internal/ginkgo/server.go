package ginkgo

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/onsi/ginkgo/v2/types"
)

// server is the coordinator's side of Ginkgo's parallel protocol (HTTP form,
// as in internal/parallel_support of ginkgo v2): it hands out spec indices,
// passes the first process's set-up on to the others, and receives each
// spec's report at the moment it ends. Ginkgo's own command does the same and
// tells nobody before the end; that is why it is served here.
type server struct {
	listener net.Listener
	http     *http.Server
	onReport func(types.SpecReport)
	output   io.Writer
	alive    func(process int) bool
	total    int

	mu          sync.Mutex
	next        int // index of the next spec to hand out
	abort       bool
	reportSetup types.SpecState // of ReportBeforeSuite on process 1
	setup       setupState      // of SynchronizedBeforeSuite on process 1
	ended       []types.Report  // of processes that reached their end
}

// setupState is the body of /before-suite-state.
type setupState struct {
	Data  []byte
	State types.SpecState
}

// most bounds the body of one message: a spec's report with its whole log.
const most = 64 << 20

func newServer(total int, output io.Writer, alive func(int) bool, onReport func(types.SpecReport)) (*server, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	s := &server{listener: listener, total: total, output: output, alive: alive, onReport: onReport}
	s.http = &http.Server{Handler: s.routes(), ReadHeaderTimeout: 10 * time.Second}
	go func() { _ = s.http.Serve(listener) }()
	return s, nil
}

func (s *server) address() string { return "http://" + s.listener.Addr().String() }

func (s *server) close() { _ = s.http.Close() }

func (s *server) routes() http.Handler {
	mux := http.NewServeMux()
	ok := func(w http.ResponseWriter, r *http.Request) { _, _ = io.Copy(io.Discard, io.LimitReader(r.Body, most)) }
	mux.HandleFunc("/up", ok)
	mux.HandleFunc("/suite-will-begin", ok)
	mux.HandleFunc("/progress-report", ok)
	mux.HandleFunc("/did-run", s.didRun)
	mux.HandleFunc("/suite-did-end", s.suiteDidEnd)
	mux.HandleFunc("/emit-output", s.emitOutput)
	mux.HandleFunc("/counter", s.counter)
	mux.HandleFunc("/abort", s.handleAbort)
	mux.HandleFunc("/report-before-suite-completed", s.reportSetupCompleted)
	mux.HandleFunc("/report-before-suite-state", s.reportSetupState)
	mux.HandleFunc("/before-suite-completed", s.setupCompleted)
	mux.HandleFunc("/before-suite-state", s.setupReached)
	mux.HandleFunc("/have-nonprimary-procs-finished", s.othersFinished)
	mux.HandleFunc("/aggregated-nonprimary-procs-report", s.othersReport)
	return mux
}

// decode reads a message; false means that it has been refused.
func decode(w http.ResponseWriter, r *http.Request, into any) bool {
	var body bytes.Buffer
	if _, err := io.Copy(&body, http.MaxBytesReader(w, r.Body, most)); err != nil {
		w.WriteHeader(http.StatusRequestEntityTooLarge)
		return false
	}
	if err := json.Unmarshal(body.Bytes(), into); err != nil {
		w.WriteHeader(http.StatusBadRequest)
		return false
	}
	return true
}

func encode(w http.ResponseWriter, value any) { _ = json.NewEncoder(w).Encode(value) }

func (s *server) didRun(w http.ResponseWriter, r *http.Request) {
	var report types.SpecReport
	if decode(w, r, &report) {
		// The process waits for the answer: when it goes on, the report is safe.
		s.onReport(report)
	}
}

func (s *server) suiteDidEnd(w http.ResponseWriter, r *http.Request) {
	var report types.Report
	if decode(w, r, &report) {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.ended = append(s.ended, report)
	}
}

func (s *server) emitOutput(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, err := io.Copy(s.output, http.MaxBytesReader(w, r.Body, most)); err != nil {
		w.WriteHeader(http.StatusInternalServerError)
	}
}

// counter hands out each index once. Every process has the specs in the same
// order, since all are started with the same seed and focus.
func (s *server) counter(w http.ResponseWriter, _ *http.Request) {
	s.mu.Lock()
	index := s.next
	s.next++
	s.mu.Unlock()
	encode(w, struct{ Index int }{index})
}

func (s *server) handleAbort(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if r.Method != http.MethodGet {
		s.abort = true
		return
	}
	if s.abort {
		w.WriteHeader(http.StatusGone)
	}
}

func (s *server) reportSetupCompleted(w http.ResponseWriter, r *http.Request) {
	var state types.SpecState
	if decode(w, r, &state) {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.reportSetup = state
	}
}

func (s *server) reportSetupState(w http.ResponseWriter, _ *http.Request) {
	s.mu.Lock()
	state := s.reportSetup
	s.mu.Unlock()
	s.answerOrWait(w, state, state)
}

func (s *server) setupCompleted(w http.ResponseWriter, r *http.Request) {
	var state setupState
	if decode(w, r, &state) {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.setup = state
	}
}

func (s *server) setupReached(w http.ResponseWriter, _ *http.Request) {
	s.mu.Lock()
	setup := s.setup
	s.mu.Unlock()
	s.answerOrWait(w, setup.State, setup)
}

// answerOrWait answers what process 1 has left behind; before it did, the
// others are told to ask again, or that it never will.
func (s *server) answerOrWait(w http.ResponseWriter, state types.SpecState, answer any) {
	switch {
	case state != types.SpecStateInvalid:
		encode(w, answer)
	case s.alive(1):
		w.WriteHeader(http.StatusTooEarly)
	default:
		w.WriteHeader(http.StatusGone)
	}
}

func (s *server) othersAlive() bool {
	for process := 2; process <= s.total; process++ {
		if s.alive(process) {
			return true
		}
	}
	return false
}

func (s *server) othersFinished(w http.ResponseWriter, _ *http.Request) {
	if s.othersAlive() {
		w.WriteHeader(http.StatusTooEarly)
	}
}

func (s *server) othersReport(w http.ResponseWriter, _ *http.Request) {
	if s.othersAlive() {
		w.WriteHeader(http.StatusTooEarly)
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.ended) != s.total-1 {
		w.WriteHeader(http.StatusGone)
		return
	}
	sum := s.ended[0]
	for _, report := range s.ended[1:] {
		sum = sum.Add(report)
	}
	encode(w, sum)
}

// unfinished is an error where not every process reached its end.
func (s *server) unfinished() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.ended) < s.total {
		return errors.New("not every process reported its end")
	}
	return nil
}
