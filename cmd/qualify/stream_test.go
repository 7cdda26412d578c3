package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/creack/pty"

	"github.com/qualify-dev/qualify/internal/provision"
	"github.com/qualify-dev/qualify/internal/result"
	"github.com/qualify-dev/qualify/suites"
)

const hostileText = "\x1b[2J\x1b]0;owned\x07\u202edessap\n::error::gone\n  ::add-mask::x\n##vso[task.complete result=Succeeded;]\nx ##teamcity[buildStatus status='SUCCESS']\r\n\u009b1m\x00"

// obeyed tells what of a text a terminal or a CI system would obey.
func obeyed(text string) string {
	for _, line := range strings.Split(text, "\n") {
		lower := strings.ToLower(line)
		switch {
		case strings.ContainsFunc(line, func(r rune) bool { return r < ' ' && r != '\t' || r >= 0x7f && r < 0xa0 || r == '\u202e' }),
			strings.HasPrefix(strings.TrimSpace(line), "::"), strings.Contains(lower, "##vso["), strings.Contains(lower, "##teamcity["):
			return line
		}
	}
	return ""
}

// Everything that verbs print goes through a stream.
func TestStreamsShowWhatTheyAreTold(t *testing.T) {
	var out bytes.Buffer
	s := newWorld(t).wiring().newStream(&out)
	for _, part := range []string{"a line\n", hostileText[:7], hostileText[7:], "\nlast"} {
		if n, err := io.WriteString(s, part); err != nil || n != len(part) {
			t.Fatalf("wrote %d of %q: %v", n, part, err)
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	got := out.String()
	if line := obeyed(got); line != "" {
		t.Errorf("somebody obeys %q", line)
	}
	for _, want := range []string{"a line\n^[[2J^[]0;owned^G<U+202E>dessap\n: :error::gone\n  : :add-mask::x\n# #vso[", "\nlast"} {
		if !strings.Contains(got, want) {
			t.Errorf("%q is not in %q", want, got)
		}
	}
}

// Our own colours come through to a terminal, and no other sequence.
func TestStreamsOnTerminals(t *testing.T) {
	terminal, other, err := pty.Open()
	if err != nil {
		t.Skip("no terminals here:", err)
	}
	defer terminal.Close()
	w := newWorld(t)
	w.env["TERM"] = "xterm"
	s := w.wiring().newStream(other)
	if w.wiring().terminalOf(s) != other {
		t.Error("the terminal behind a stream is not found")
	}
	var read sync.WaitGroup
	var seen strings.Builder
	read.Go(func() { _, _ = io.Copy(&seen, terminal) })
	_, err = fmt.Fprintf(s, "\x1b[1;32mQualified\x1b[m %s\n", "\x1b[2J\x1b]0;t\x07 ::x")
	if err := errors.Join(err, s.Close(), other.Close()); err != nil {
		t.Fatal(err)
	}
	read.Wait()
	if got := strings.TrimSpace(seen.String()); got != "\x1b[1;32mQualified\x1b[m ^[[2J^[]0;t^G ::x" {
		t.Errorf("it shows %q", got)
	}
}

// A run of a hostile cluster, through every verb.
func TestHostileRuns(t *testing.T) {
	w := newWorld(t)
	w.options.Console = func(string) string { return hostileText }
	w.wrap = func(e provision.Entry) provision.Entry {
		inner, list := e.New, e.List
		e.New = func(cfg provision.Config) (provision.Provisioner, error) {
			cfg.Log("%s", hostileText)
			return inner(cfg)
		}
		e.List = func(ctx context.Context, cfg provision.Config) ([]provision.Resource, error) {
			resources, err := list(ctx, cfg)
			lease := provision.Lease{Name: hostileText, Run: hostileText, Cell: hostileText, Owner: hostileText}
			return append(resources, provision.Resource{Kind: hostileText, Name: hostileText, Lease: lease}), err
		}
		return e
	}
	w.suites = []suites.Suite{tiny(func(_ context.Context, env suites.Env, emit func(result.Case)) error {
		for _, name := range append(env.Expected, hostileText) {
			emit(result.Case{Name: name, Outcome: result.Fail, Attempt: 1, Message: hostileText, Log: hostileText})
		}
		return errors.New(hostileText)
	})}
	check := func(what string, s said) {
		if line := obeyed(s.stdout + "\n" + s.stderr); line != "" {
			t.Errorf("%s prints %q", what, line)
		}
		if !strings.Contains(s.stdout+s.stderr, "dessap") {
			t.Errorf("%s prints nothing hostile, which shows little: %q", what, s.stdout+s.stderr)
		}
	}
	check("run", w.qualify(context.Background()))
	for _, args := range [][]string{
		{"judge", "latest"}, {"report", "latest"}, {"gc", "--dry-run"}, {"gc", "--dry-run", "-o", "json"}, {"gc", "--dry-run", "-o", "yaml"}, {hostileText}, {"judge", hostileText},
		{"--os", hostileText}, {"-f", hostileText}, {"release", "show", hostileText}, {"selftest", hostileText},
	} {
		if args[0] == "judge" || args[0] == "report" || args[0] == "gc" || args[0] == "selftest" {
			args = append(args, "--results", w.file("results"))
		}
		check(fmt.Sprintf("%q", args), w.call(context.Background(), args...))
	}
	summary, err := os.ReadFile(filepath.Join(w.file("results"), "latest", "summary.md"))
	if err != nil || obeyed(string(summary)) != "" {
		t.Errorf("the summary has %q, %v", obeyed(string(summary)), err)
	}
}

// What nobody could read must not end with 0.
func TestAnswersThatCannotBeWritten(t *testing.T) {
	w := newWorld(t)
	for _, args := range [][]string{w.flags(), {"judge", "--results", w.file("results"), "latest"}, {"version"}, {"help"}, {"gc"}} {
		var stderr bytes.Buffer
		if code := w.wiring(args...).main(context.Background(), broken{}, &stderr); code != 3 || !strings.Contains(stderr.String(), "broken pipe") {
			t.Errorf("%q: exit code %d: %s", args, code, stderr.String())
		}
	}
	if code := w.wiring("version").main(context.Background(), io.Discard, broken{}); code != 0 {
		t.Errorf("where nobody reads the remarks, the exit code is %d", code)
	}
}

type broken struct{}

func (broken) Write([]byte) (int, error) { return 0, errors.New("broken pipe") }
