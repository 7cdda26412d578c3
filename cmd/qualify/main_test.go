package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/qualify-dev/qualify/internal/doctor"
	"github.com/qualify-dev/qualify/internal/run"
	"github.com/qualify-dev/qualify/internal/strict"
	"github.com/qualify-dev/qualify/matrix"
	"github.com/qualify-dev/qualify/suites"
)

func kill(t *testing.T, s syscall.Signal) {
	t.Helper()
	if err := syscall.Kill(os.Getpid(), s); err != nil {
		t.Fatal(err)
	}
}

func TestWithSignals(t *testing.T) {
	tests := []struct {
		first, second syscall.Signal
		name          string
		code          int
	}{
		{syscall.SIGINT, syscall.SIGINT, "SIGINT", 130},
		{syscall.SIGTERM, syscall.SIGINT, "SIGTERM", 130},
		{syscall.SIGINT, syscall.SIGTERM, "SIGINT", 143},
	}
	for _, test := range tests {
		t.Run(fmt.Sprint(test.first, " then ", test.second), func(t *testing.T) {
			exited := make(chan int, 1)
			ctx, stop := withSignals(context.Background(), func(code int) { exited <- code })
			defer stop()
			if ctx.Err() != nil {
				t.Fatal("cancelled before any signal")
			}
			kill(t, test.first)
			select {
			case <-ctx.Done():
			case <-time.After(10 * time.Second):
				t.Fatal("the first signal did not cancel")
			}
			var cause run.Interrupted
			if !errors.As(context.Cause(ctx), &cause) || cause.Signal != test.name {
				t.Errorf("the cause is %v, want %s", context.Cause(ctx), test.name)
			}
			select {
			case code := <-exited:
				t.Fatalf("the first signal ended the process with %d", code)
			case <-time.After(50 * time.Millisecond):
			}
			kill(t, test.second)
			select {
			case code := <-exited:
				if code != test.code {
					t.Errorf("the second signal ends with %d, want %d", code, test.code)
				}
			case <-time.After(10 * time.Second):
				t.Fatal("the second signal did not end the process")
			}
		})
	}
}

func TestWithSignalsEnds(t *testing.T) {
	ctx, stop := withSignals(context.Background(), func(code int) { t.Errorf("exit with %d", code) })
	stop()
	if !errors.Is(context.Cause(ctx), context.Canceled) {
		t.Errorf("cause %v", context.Cause(ctx))
	}
}

func TestExitCode(t *testing.T) {
	interrupted := func(signal string) context.Context {
		ctx, cancel := context.WithCancelCause(context.Background())
		cancel(run.Interrupted{Signal: signal})
		return ctx
	}
	none := context.Background()
	tests := []struct {
		name string
		ctx  context.Context
		err  error
		want int
		says bool
	}{
		{"nothing", none, nil, 0, false},
		{"a verdict, shown already", none, fmt.Errorf("run: %w", &verdictError{1}), 1, false},
		{"a verdict with leftovers", none, &verdictError{4}, 4, false},
		{"a mistake of the user's", none, fmt.Errorf("run: %w", usagef("no such flag")), 2, true},
		{"an unknown value", none, &matrix.UnknownValueError{Axis: "os", Value: "solaris"}, 2, true},
		{"a bad matrix", none, strict.Problems{{File: "m.yaml", Line: 1}}, 2, true},
		{"a fault of the release", none, fmt.Errorf("fetching: %w", &releaseError{errors.New("wrong digest")}), 1, true},
		{"an unfit host", none, doctor.ErrUnfit, 3, true},
		{"anything else", none, errors.New("disk full"), 3, true},
		{"a cancel without a signal", none, fmt.Errorf("building: %w", context.Canceled), 130, true},
		{"SIGINT", interrupted("SIGINT"), fmt.Errorf("building: %w", context.Canceled), 130, true},
		{"SIGTERM", interrupted("SIGTERM"), fmt.Errorf("building: %w", context.Canceled), 143, true},
		{"SIGTERM, as the error", none, run.Interrupted{Signal: "SIGTERM"}, 143, true},
		{"SIGTERM that looks like something else", interrupted("SIGTERM"), errors.New("signal: killed"), 143, true},
		{"a verdict that a signal came too late for", interrupted("SIGTERM"), &verdictError{1}, 1, false},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			var stderr bytes.Buffer
			if got := exitCode(test.ctx, &stderr, test.err); got != test.want {
				t.Errorf("exit code %d, want %d", got, test.want)
			}
			if said := stderr.String(); (said != "") != test.says || test.says && !strings.HasPrefix(said, "qualify: ") {
				t.Errorf("it says %q", said)
			}
		})
	}
}

func TestExitCodeSaysHostileTextSafely(t *testing.T) {
	var stderr bytes.Buffer
	exitCode(context.Background(), &stderr, errors.New("\x1b]0;owned\x07::set-output name=x::y"))
	if s := stderr.String(); strings.ContainsAny(s, "\x1b\x07") {
		t.Errorf("it says %q", s)
	}
}

// Go ends a panic with 2, which is a mistake of the user's here.
func TestMainPanics(t *testing.T) {
	w := newWorld(t)
	w.suites = []suites.Suite{tiny(behaviours()["panic"])}
	said := w.qualify(context.Background())
	if said.code != 3 || !strings.Contains(said.stderr, "internal error: a bug of ours") || !strings.Contains(said.stderr, "goroutine") {
		t.Errorf("exit code %d, it says %s", said.code, said.stderr)
	}
	w.empty(t)
}

func TestMainIsTheProgramThatIsShipped(t *testing.T) {
	var stdout, stderr bytes.Buffer
	if code := Main(context.Background(), []string{"version"}, &stdout, &stderr); code != 0 || !strings.HasPrefix(stdout.String(), "qualify ") {
		t.Errorf("exit code %d: %s%s", code, stdout.String(), stderr.String())
	}
	// A verdict on clusters that do not exist would be a false green.
	for _, entry := range shipped(nil).entries() {
		if entry.Name == "fake" {
			t.Error("the fake provisioner is shipped")
		}
	}
	if _, err := shipped(nil).entry("fake"); err == nil {
		t.Error("the fake provisioner can be asked for")
	}
}
