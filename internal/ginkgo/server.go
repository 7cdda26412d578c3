package ginkgo

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/onsi/ginkgo/v2/types"
)

// server is the coordinator's side of Ginkgo's parallel protocol (HTTP form,
// as in internal/parallel_support of ginkgo v2): it hands out spec indices,
// passes the first process's set-up on to the others, and receives each
// spec's report at the moment it ends. Ginkgo's own command does the same and
// tells nobody before the end; that is why it is served here.
//
// Each process has an address of its own, so that it is known who says what.
type server struct {
	listener net.Listener
	http     *http.Server
	onReport func(types.SpecReport)
	output   io.Writer
	alive    func(process int) bool
	total    int
	deal     *dealer

	mu          sync.Mutex
	begins      types.Report // of process 1
	abort       bool
	reportSetup types.SpecState // of ReportBeforeSuite on process 1
	setup       setupState      // of SynchronizedBeforeSuite on process 1
	ended       map[int]types.Report
	refused     error // messages that could not be taken
}

// setupState is the body of /before-suite-state.
type setupState struct {
	Data  []byte
	State types.SpecState
}

// The bounds of messages: a spec's report with its whole log, and the report
// of all that one process ran.
const (
	mostMessage = 64 << 20
	mostEnd     = 1 << 30
)

func newServer(total int, deal *dealer, output io.Writer, alive func(int) bool, onReport func(types.SpecReport)) (*server, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	s := &server{listener: listener, total: total, deal: deal, output: output, alive: alive, onReport: onReport, ended: map[int]types.Report{}}
	s.http = &http.Server{Handler: s.routes(), ReadHeaderTimeout: 10 * time.Second}
	go func() { _ = s.http.Serve(listener) }()
	return s, nil
}

// address is where a process finds the server.
func (s *server) address(process int) string {
	return fmt.Sprintf("http://%s/%d", s.listener.Addr(), process)
}

func (s *server) close() { _ = s.http.Close() }

func (s *server) routes() http.Handler {
	mux := http.NewServeMux()
	for process := 1; process <= s.total; process++ {
		prefix := fmt.Sprintf("/%d", process)
		mux.Handle(prefix+"/", http.StripPrefix(prefix, s.routesOf(process)))
	}
	return mux
}

func (s *server) routesOf(process int) http.Handler {
	mux := http.NewServeMux()
	ok := func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, io.LimitReader(r.Body, mostMessage))
	}
	mux.HandleFunc("/up", ok)
	mux.HandleFunc("/progress-report", ok)
	mux.HandleFunc("/suite-will-begin", s.suiteWillBegin)
	mux.HandleFunc("/did-run", func(w http.ResponseWriter, r *http.Request) { s.didRun(w, r, process) })
	mux.HandleFunc("/suite-did-end", s.suiteDidEnd)
	mux.HandleFunc("/emit-output", s.emitOutput)
	mux.HandleFunc("/counter", func(w http.ResponseWriter, _ *http.Request) {
		encode(w, struct{ Index int }{s.deal.deal(process)})
	})
	mux.HandleFunc("/abort", s.handleAbort)
	mux.HandleFunc("/report-before-suite-completed", s.reportSetupCompleted)
	mux.HandleFunc("/report-before-suite-state", s.reportSetupState)
	mux.HandleFunc("/before-suite-completed", s.setupCompleted)
	mux.HandleFunc("/before-suite-state", s.setupReached)
	mux.HandleFunc("/have-nonprimary-procs-finished", s.othersFinished)
	mux.HandleFunc("/aggregated-nonprimary-procs-report", s.othersReport)
	return mux
}

// decode reads a message of at most so many bytes; false means that it has
// been refused. Ginkgo does not look at the answer, so the run must.
func (s *server) decode(w http.ResponseWriter, r *http.Request, most int64, into any) bool {
	var body bytes.Buffer
	if _, err := body.ReadFrom(http.MaxBytesReader(w, r.Body, most)); err != nil {
		s.refuse(w, r, http.StatusRequestEntityTooLarge, err)
		return false
	}
	if err := json.Unmarshal(body.Bytes(), into); err != nil {
		s.refuse(w, r, http.StatusBadRequest, err)
		return false
	}
	return true
}

func (s *server) refuse(w http.ResponseWriter, r *http.Request, status int, err error) {
	w.WriteHeader(status)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.refused = errors.Join(s.refused, fmt.Errorf("message %s of a test process refused: %w", r.URL.Path, err))
}

// refusals is an error where a message could not be taken.
func (s *server) refusals() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.refused
}

func encode(w http.ResponseWriter, value any) { _ = json.NewEncoder(w).Encode(value) }

// suiteWillBegin keeps what process 1 says of the run that begins.
func (s *server) suiteWillBegin(w http.ResponseWriter, r *http.Request) {
	var report types.Report
	if !s.decode(w, r, mostMessage, &report) || report.SuiteConfig.ParallelProcess != 1 {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.begins = report
}

func (s *server) didRun(w http.ResponseWriter, r *http.Request, process int) {
	var report types.SpecReport
	if !s.decode(w, r, mostMessage, &report) {
		return
	}
	if report.LeafNodeType == types.NodeTypeInvalid {
		s.refuse(w, r, http.StatusBadRequest, errors.New("a report of an unknown kind of node"))
		return
	}
	s.deal.reported(process, report)
	// The process waits for the answer: when it goes on, the report is safe.
	s.onReport(report)
}

func (s *server) suiteDidEnd(w http.ResponseWriter, r *http.Request) {
	var report types.Report
	if !s.decode(w, r, mostEnd, &report) {
		return
	}
	process := report.SuiteConfig.ParallelProcess
	if process < 1 || process > s.total {
		s.refuse(w, r, http.StatusBadRequest, fmt.Errorf("the end of process %d of %d", process, s.total))
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ended[process] = report
}

func (s *server) emitOutput(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, err := io.Copy(s.output, http.MaxBytesReader(w, r.Body, mostMessage)); err != nil {
		w.WriteHeader(http.StatusInternalServerError)
	}
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

// reportSetupCompleted and setupCompleted take a state that is not understood
// for a failure: the other processes are waiting for one.
func (s *server) reportSetupCompleted(w http.ResponseWriter, r *http.Request) {
	var state types.SpecState
	if !s.decode(w, r, mostMessage, &state) || state == types.SpecStateInvalid {
		state = types.SpecStateFailed
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.reportSetup = state
}

func (s *server) reportSetupState(w http.ResponseWriter, _ *http.Request) {
	s.mu.Lock()
	state := s.reportSetup
	s.mu.Unlock()
	s.answerOrWait(w, state, state)
}

func (s *server) setupCompleted(w http.ResponseWriter, r *http.Request) {
	var state setupState
	if !s.decode(w, r, mostMessage, &state) || state.State == types.SpecStateInvalid {
		state = setupState{State: types.SpecStateFailed}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.setup = state
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
		return
	}
	s.deal.clear()
}

// othersReport sends the sum of what the others ran. Of one that a spec has
// ended nothing is known but that it did not succeed.
func (s *server) othersReport(w http.ResponseWriter, _ *http.Request) {
	if s.othersAlive() {
		w.WriteHeader(http.StatusTooEarly)
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	var sum types.Report
	for process := 2; process <= s.total; process++ {
		report, ended := s.ended[process]
		if !ended && len(s.deal.victims(process)) == 0 {
			w.WriteHeader(http.StatusGone)
			return
		}
		if process == 2 {
			sum = report
		} else {
			sum = sum.Add(report)
		}
	}
	encode(w, sum)
}

// finished tells whether a process has reported its end.
func (s *server) finished(process int) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, ended := s.ended[process]
	return ended
}

// complete is an error unless the process reported its end and nothing but
// failed specs explains how it ended.
func (s *server) complete(p *process) error {
	s.mu.Lock()
	report, ended := s.ended[p.number]
	s.mu.Unlock()
	switch {
	case !ended:
		return fmt.Errorf("test process %d exited with status %d without reporting its end: %s", p.number, p.status, tail(p.log))
	case len(report.SpecialSuiteFailureReasons) > 0:
		return fmt.Errorf("test process %d: %s", p.number, strings.Join(report.SpecialSuiteFailureReasons, "; "))
	case report.SuiteSucceeded != (p.status == 0):
		return fmt.Errorf("test process %d exited with status %d, but its suite's success is %v: %s", p.number, p.status, report.SuiteSucceeded, tail(p.log))
	}
	return nil
}
