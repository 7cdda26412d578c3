// Command qualify answers whether a Kubernetes release works on an operating
// system: it makes a real cluster of the release, runs real tests in it, and
// gives a verdict with its evidence.
package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"
	"time"

	"github.com/qualify-dev/qualify/internal/run"
)

func main() {
	if os.Getenv("GOGC") == "" {
		// What the program holds is small, and most of its work is waiting; planning
		// thousands of cells would spend a third of its time on collecting memory.
		debug.SetGCPercent(400)
	}
	ctx, stop := withSignals(context.Background(), os.Exit)
	code := Main(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

// Main is the program: arguments and streams in, exit code out.
func Main(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	return shipped(args).main(ctx, stdout, stderr)
}

func (w wiring) main(ctx context.Context, stdout, stderr io.Writer) (code int) {
	answer, remarks := w.newStream(stdout), w.newStream(stderr)
	// Last of all, when everything has said what it has to say.
	defer func() {
		if err := answer.Close(); err != nil && code == exitQualified {
			// Who reads nothing must not read it as good.
			fmt.Fprintf(remarks, "qualify: writing the answer: %v\n", err)
			code = exitInconclusive
		}
		_ = remarks.Close() // who does not read them misses them
	}()
	// Go would end a panic with 2, which means a mistake of the user's here.
	// What was set up for the way out, the teardown above all, has run by now.
	defer func() {
		if r := recover(); r != nil {
			fmt.Fprintf(remarks, "qualify: internal error: %s\n%s", fmt.Sprint(r), debug.Stack())
			code = exitInconclusive
		}
	}()
	root := newRootCommand(w)
	root.SetArgs(w.args)
	root.SetOut(answer)
	root.SetErr(remarks)
	return exitCode(ctx, remarks, root.ExecuteContext(ctx))
}

// withSignals cancels the context at the first SIGINT or SIGTERM, with the
// signal as the cause: what runs then stops, tears down and reports. A second
// one ends the process at once; the journal is whole at every moment, the
// terminal as it was found, resume goes on and gc removes what is left.
//
// A terminal that is closed ends a run as SIGTERM does, unless the user asked
// for it to go on without one. A reader of our output that has gone ends
// nothing: the write fails, and a teardown must not.
func withSignals(parent context.Context, exit func(int)) (context.Context, func()) {
	ctx, cancel := context.WithCancelCause(parent)
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, syscall.SIGINT, syscall.SIGTERM)
	if !signal.Ignored(syscall.SIGHUP) {
		signal.Notify(signals, syscall.SIGHUP)
	}
	// Notified and never read. Ignored, it would be ignored by the programs that
	// are started too.
	signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE)
	go func() {
		first, ok := <-signals
		if !ok {
			return
		}
		cancel(run.Interrupted{Signal: signalName(first)})
		if second, ok := <-signals; ok {
			exit(signalCode(signalName(second)))
		}
	}()
	return ctx, func() {
		signal.Stop(signals)
		close(signals)
		cancel(context.Canceled)
	}
}

func signalName(s os.Signal) string {
	if s == syscall.SIGINT {
		return "SIGINT"
	}
	return "SIGTERM"
}

// now is the program's clock.
func now() time.Time { return time.Now() }
