package main

import (
	"errors"
	"io"
	"os"
	"os/exec"
	"reflect"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/creack/pty"
	"golang.org/x/term"

	"github.com/qualify-dev/qualify/internal/provision/fake"
	"github.com/qualify-dev/qualify/internal/result"
)

// seat is a process of the program, in a terminal of its own.
type seat struct {
	t         *testing.T
	w         *world
	cmd       *exec.Cmd
	vt        *vt
	ptm, tty  *os.File
	before    *term.State
	collected chan struct{}
}

// process prepares the program with the fake provisioner in a process.
func process(t *testing.T, suite string, args ...string) (*world, *exec.Cmd) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	w := &world{dir: dir, cloud: fake.Cloud{Dir: dir + "/cloud"}}
	cmd := exec.Command(self, append(w.flags(), args...)...)
	cmd.Args[0] = "qualify-fake"
	cmd.Env = []string{"FAKE_DIR=" + dir, "FAKE_SUITE=" + suite, "XDG_CACHE_HOME=" + dir + "/cache", "HOME=" + dir, "PATH=" + os.Getenv("PATH"), "TERM=xterm-256color"}
	return w, cmd
}

// sit starts the program in a terminal of 80 columns and 24 lines.
func sit(t *testing.T, suite string, change func(*exec.Cmd)) *seat {
	t.Helper()
	w, cmd := process(t, suite)
	if change != nil {
		change(cmd)
	}
	ptm, tty, err := pty.Open()
	if err != nil {
		t.Skipf("this machine gives no terminal: %v", err)
	}
	s := &seat{t: t, w: w, cmd: cmd, vt: newVT(80, 24), ptm: ptm, tty: tty, collected: make(chan struct{})}
	s.resize(80, 24)
	if s.before, err = term.GetState(int(tty.Fd())); err != nil {
		t.Fatal(err)
	}
	cmd.Stdin, cmd.Stdout, cmd.Stderr = tty, tty, tty
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		defer close(s.collected)
		_, _ = io.Copy(s.vt, ptm) // ends with the terminal
	}()
	t.Cleanup(func() {
		_ = cmd.Process.Kill() // of a test that gave up
		tty.Close()
		ptm.Close()
	})
	return s
}

func (s *seat) resize(width, height int) {
	s.t.Helper()
	s.vt.resize(width, height)
	if err := pty.Setsize(s.ptm, &pty.Winsize{Rows: uint16(height), Cols: uint16(width)}); err != nil {
		s.t.Fatal(err)
	}
}

func (s *seat) press(keys string) {
	s.t.Helper()
	if _, err := s.ptm.WriteString(keys); err != nil {
		s.t.Fatal(err)
	}
}

// shows waits until all of the words can be read at the same time.
func (s *seat) shows(words ...string) {
	s.t.Helper()
	for end := time.Now().Add(20 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		screen := s.vt.String()
		if !slices.ContainsFunc(words, func(w string) bool { return !strings.Contains(screen, w) }) {
			return
		}
		if time.Now().After(end) {
			s.t.Fatalf("the screen never shows %q:\n%s", words, screen)
		}
	}
}

// leave waits for the process and sees that it ended with that code, and left
// the terminal as it was.
func (s *seat) leave(code int) {
	s.t.Helper()
	done := make(chan error, 1)
	go func() { done <- s.cmd.Wait() }()
	select {
	case err := <-done:
		var exit *exec.ExitError
		if err != nil && !errors.As(err, &exit) {
			s.t.Fatal(err)
		}
	case <-time.After(30 * time.Second):
		s.t.Fatalf("the process does not end:\n%s", s.vt)
	}
	after, err := term.GetState(int(s.tty.Fd()))
	if err != nil || !reflect.DeepEqual(after, s.before) {
		s.t.Errorf("the terminal was %+v and is %+v, %v", s.before, after, err)
	}
	s.tty.Close()
	<-s.collected
	if got := s.cmd.ProcessState.ExitCode(); got != code {
		s.t.Errorf("exit code %d, want %d:\n%s", got, code, s.vt)
	}
	if problems, _ := s.vt.state(); len(problems) > 0 {
		s.t.Errorf("the terminal is left with %v", problems)
	}
}

func TestLive(t *testing.T) {
	t.Parallel()
	s := sit(t, "slow", nil)
	s.shows("qualify  ", "▸ debian-12", "✓ network", "▸ tiny", "spec 1 of 3  █", "1 passed")
	s.leave(0)
	s.shows("✓ debian-12", "✓ tiny", "3 passed of 3", "✓ down", "Qualified  fake-v1.34.4  (exit code 0)")
	if screen := s.vt.String(); strings.Count(screen, "identify-before") != 1 {
		t.Errorf("the view is there twice:\n%s", screen)
	}
	if _, colours := s.vt.state(); colours == 0 {
		t.Error("there are no colours")
	}
	s.w.empty(t)
}

func TestLiveWithoutColours(t *testing.T) {
	t.Parallel()
	s := sit(t, "fail", func(cmd *exec.Cmd) { cmd.Env = append(cmd.Env, "NO_COLOR=1") })
	s.leave(1)
	s.shows("✗ tiny", "last failure  dns", "no answer", "Not qualified  fake-v1.34.4")
	if _, colours := s.vt.state(); colours > 0 {
		t.Errorf("there are %d styles", colours)
	}
}

// Ctrl-C is the terminal's SIGINT: the run stops, tears down and answers.
func TestLiveInterrupted(t *testing.T) {
	t.Parallel()
	s := sit(t, "wait", nil)
	s.shows("spec 1 of 3")
	s.press("\x03")
	s.leave(130)
	s.shows("✗ tiny", "✓ down", "stopping: a second signal ends at once", "Inconclusive", "(exit code 130)")
	if doc := s.w.verdict(t); doc.ExitCode != 130 || doc.Verdict != result.Inconclusive {
		t.Errorf("verdict %s, exit code %d", doc.Verdict, doc.ExitCode)
	}
	s.w.empty(t)
}

// The second Ctrl-C does not wait for anybody.
func TestLiveInterruptedTwice(t *testing.T) {
	t.Parallel()
	s := sit(t, "hang", nil)
	s.shows("spec 0 of 3")
	s.press("\x03")
	s.shows("stopping: a second signal ends at once")
	s.press("\x03")
	s.leave(130)
}

func TestLivePanics(t *testing.T) {
	t.Parallel()
	s := sit(t, "panic", nil)
	s.leave(3)
	s.w.empty(t)
}

// Nothing can be undone by a process that was killed, so there must be nothing
// to undo.
func TestLiveKilled(t *testing.T) {
	t.Parallel()
	s := sit(t, "hang", nil)
	s.shows("spec 0 of 3")
	if err := s.cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	s.leave(-1)
}

// Keys are echoed, as the terminal is left alone; the view recovers.
func TestLiveIgnoresKeys(t *testing.T) {
	t.Parallel()
	s := sit(t, "wait", nil)
	s.shows("spec 1 of 3")
	s.press("what\nis\nthis")
	time.Sleep(2*repaint*pace + pace)
	screen := s.vt.String()
	view := screen[strings.LastIndex(screen, "qualify  "):]
	lines := strings.Split(view, "\n")
	for i, want := range []string{"qualify  ", "▸ debian-12", "  ✓ network", "  ✓ machines", "  ✓ ready", "  ✓ identify-before", "  ▸ tiny"} {
		if i >= len(lines) || !strings.HasPrefix(lines[i], want) {
			t.Fatalf("the view does not recover:\n%s", screen)
		}
	}
	s.press("\x03")
	s.leave(130)
}

func TestLiveFollowsTheSize(t *testing.T) {
	t.Parallel()
	s := sit(t, "wait", nil)
	s.shows("spec 1 of 3  █")
	s.resize(40, 10)
	s.shows("▸ tiny", "1/3  1 passed")
	s.resize(120, 30)
	s.shows("▸ tiny", "spec 1 of 3  █")
	s.press("\x03")
	s.leave(130)
}

func TestNotLive(t *testing.T) {
	t.Parallel()
	tests := map[string]func(*exec.Cmd){
		"by the flag":                func(cmd *exec.Cmd) { cmd.Args = append(cmd.Args, "--no-live") },
		"by its variable":            func(cmd *exec.Cmd) { cmd.Env = append(cmd.Env, "QUALIFY_NO_LIVE=true") },
		"in CI":                      func(cmd *exec.Cmd) { cmd.Env = append(cmd.Env, "CI=true") },
		"on a terminal that is dumb": func(cmd *exec.Cmd) { cmd.Env = append(cmd.Env, "TERM=dumb") },
	}
	for name, change := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := sit(t, "pass", func(cmd *exec.Cmd) {
				cmd.Env = append(cmd.Env, "NO_COLOR=1")
				change(cmd)
			})
			s.leave(0)
			s.shows("identify-before: 0.", "tiny: 3 of 3 specs ran", "Qualified  fake-v1.34.4")
			if strings.Contains(s.vt.String(), "✓") {
				t.Errorf("it is live:\n%s", s.vt)
			}
		})
	}
}

// A view that fails is replaced by lines; the run goes on.
func TestLiveGivesUp(t *testing.T) {
	t.Parallel()
	r, wr, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	l := &live{out: wr, ended: make(chan struct{}), progress: progress{started: now()}}
	l.take(now(), begunWith("a"))
	l.fail(errors.New("no such terminal"))
	l.show(now(), ended("a", "create", 3))
	close(l.ended)
	l.instead.close()
	wr.Close()
	text, err := io.ReadAll(r)
	if err != nil || !strings.Contains(string(text), "the live view has ended: no such terminal") || !strings.Contains(string(text), "a: create: 3.0 s") {
		t.Errorf("it says %q, %v", text, err)
	}
}

// Signals end a process without a terminal in the same way.
func TestSignalsEndTheProcess(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		suite  string
		send   []syscall.Signal
		code   int
		judged bool
	}{
		{"SIGINT", "wait", []syscall.Signal{syscall.SIGINT}, 130, true},
		{"SIGTERM", "wait", []syscall.Signal{syscall.SIGTERM}, 143, true},
		{"SIGINT, SIGINT", "hang", []syscall.Signal{syscall.SIGINT, syscall.SIGINT}, 130, false},
		{"SIGINT, SIGTERM", "hang", []syscall.Signal{syscall.SIGINT, syscall.SIGTERM}, 143, false},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			w, cmd := process(t, test.suite)
			var stderr strings.Builder
			cmd.Stderr = &stderr
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			defer func() { _ = cmd.Process.Kill() }()
			for end := time.Now().Add(20 * time.Second); ; time.Sleep(10 * time.Millisecond) {
				if _, err := os.Stat(w.file("waiting")); err == nil {
					break
				}
				if time.Now().After(end) {
					t.Fatal("the suite never began")
				}
			}
			for _, s := range test.send {
				if err := cmd.Process.Signal(s); err != nil {
					t.Fatal(err)
				}
				time.Sleep(100 * time.Millisecond) // two at once may count as one
			}
			_ = cmd.Wait() // its code is looked at
			if got := cmd.ProcessState.ExitCode(); got != test.code {
				t.Errorf("exit code %d, want %d: %s", got, test.code, stderr.String())
			}
			if !test.judged {
				return
			}
			if doc := w.verdict(t); doc.ExitCode != test.code {
				t.Errorf("recorded exit code %d", doc.ExitCode)
			}
			w.empty(t)
		})
	}
}
