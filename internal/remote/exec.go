package remote

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"

	"golang.org/x/crypto/ssh"

	"github.com/qualify-dev/qualify/internal/cluster"
)

// Guard is asked on the host before each command, in the same breath: a shell
// script that succeeds where the command may run.
type Guard struct {
	Script  string
	Refusal string // one line, the reason where it may not
	// Mark is put into the environment of the command, "NAME=value", so that it
	// and its children can be found again.
	Mark string
}

// guardCode is the exit code of a guard that refuses, together with its text.
const guardCode = 120

// ErrRefused marks a command that did not run, because the guard said so.
var ErrRefused = errors.New("refused on the host")

// Root runs commands as root on a host; it is a cluster.Transport.
type Root struct {
	host  *Host
	guard Guard
}

// Root returns the host's transport. With a guard that has a script, nothing
// runs but what the guard allows.
func (h *Host) Root(g Guard) Root { return Root{h, g} }

// mostOutput bounds what is kept of a command's output, in bytes: who prints
// is not ours.
const mostOutput = 64 << 20

// Exec runs cmd on the host; see cluster.Transport.
func (r Root) Exec(ctx context.Context, cmd cluster.Cmd) (cluster.Output, error) {
	stdout := &bounded{most: mostOutput}
	stderr, err := r.stream(ctx, cmd, stdout)
	out := cluster.Output{Stdout: stdout.Bytes(), Stderr: stderr}
	var exit *cluster.ExitError
	if errors.As(err, &exit) {
		exit.Output = out
	}
	return out, err
}

// line is what the host's login shell is given. sh is between sudo and the
// program, since sudo's own word for a program that is not there is 1.
func (r Root) line(cmd cluster.Cmd) string {
	script := `exec "$@"`
	if r.guard.Script != "" {
		script = fmt.Sprintf("( %s\n) </dev/null >/dev/null 2>&1 || { echo %s >&2; exit %d; }\nexec \"$@\"",
			r.guard.Script, cluster.Command(r.guard.Refusal), guardCode)
	}
	if r.guard.Mark != "" {
		script = "export " + cluster.Command(r.guard.Mark).String() + "\n" + script
	}
	// A login that is not interactive may have a short one.
	script = "PATH=$PATH:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:/opt/bin\n" + script
	argv := append([]string{"sh", "-c", script, "sh"}, cmd.Argv...)
	if r.host.target.User != "root" {
		argv = append([]string{"sudo", "-n", "--"}, argv...)
	}
	return cluster.Command(argv...).String()
}

// stream runs cmd on the host with its standard output going to w.
func (r Root) stream(ctx context.Context, cmd cluster.Cmd, w io.Writer) (stderr []byte, err error) {
	session, err := r.session(ctx)
	if err != nil {
		return nil, err
	}
	defer func() { _ = session.Close() }()
	said := &bounded{most: mostOutput}
	broke := func() { _ = session.Close() }
	out, diagnostics := &sink{w: w, broke: broke}, &sink{w: said, broke: broke}
	session.Stdout, session.Stderr = out, diagnostics
	done := make(chan error, 1)
	go func() { done <- r.run(session, cmd) }()
	select {
	case err = <-done:
	case <-ctx.Done():
		// The process may be root's, and only sudo can end it for us.
		_ = session.Signal(ssh.SIGTERM)
		_ = session.Close()
		<-done //nolint:errcheck // how it ended is told elsewhere
		return said.Bytes(), fmt.Errorf("on host %s: %s: %w", r.host.Name(), cmd, ctx.Err())
	}
	if err := errors.Join(out.err, diagnostics.err); err != nil {
		return said.Bytes(), fmt.Errorf("on host %s: %s: %w", r.host.Name(), cmd, err)
	}
	return said.Bytes(), r.explain(cmd, err, said.Bytes())
}

// explain tells a command that failed from one that could not be run.
func (r Root) explain(cmd cluster.Cmd, err error, stderr []byte) error {
	var exit *ssh.ExitError
	text := strings.TrimSpace(string(stderr))
	switch {
	case err == nil:
		return nil
	case !errors.As(err, &exit):
		var source *sourceError
		if errors.As(err, &source) {
			return source.err
		}
		return fmt.Errorf("on host %s: %s: %w: %w", r.host.Name(), cmd, ErrLost, err)
	case exit.ExitStatus() == guardCode && r.guard.Refusal != "" && text == r.guard.Refusal:
		return fmt.Errorf("on host %s: %s: %w: %s", r.host.Name(), cmd, ErrRefused, text)
	case exit.ExitStatus() == 1 && r.host.target.User != "root" && strings.HasPrefix(text, "sudo: "):
		return fmt.Errorf("on host %s: becoming root: %s: let %s run everything by sudo without a password", r.host.Name(), text, r.host.target.User)
	}
	return &cluster.ExitError{Node: r.host.Name(), Cmd: cmd, Code: exit.ExitStatus(), Output: cluster.Output{Stderr: stderr}}
}

// sourceError is one of the command's input, not of the command.
type sourceError struct{ err error }

// Error is the source's.
func (e *sourceError) Error() string { return e.err.Error() }

// run starts the command, feeds it and waits for its end. Fed by the library, a
// source that blocks would keep even a dead command from returning.
func (r Root) run(session *ssh.Session, cmd cluster.Cmd) error {
	if cmd.Stdin == nil {
		return session.Run(r.line(cmd))
	}
	pipe, err := session.StdinPipe()
	if err != nil {
		return err
	}
	if err := session.Start(r.line(cmd)); err != nil {
		return err
	}
	fed := make(chan error, 1)
	go func() {
		_, err := io.Copy(pipe, &source{r: cmd.Stdin})
		fed <- err // before the command can see the end of its input
		_ = pipe.Close()
	}()
	if err := session.Wait(); err != nil {
		return err
	}
	select {
	case err := <-fed:
		var broken *sourceError
		if errors.As(err, &broken) {
			return broken
		}
	default:
	}
	return nil // it did not want to read everything
}

// source marks the errors of an input.
type source struct{ r io.Reader }

// Read reads on.
func (s *source) Read(p []byte) (int, error) {
	n, err := s.r.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		err = &sourceError{err}
	}
	return n, err
}

// session opens a session, on a new connection where the old one turns out to
// be dead: nothing has run yet.
func (r Root) session(ctx context.Context) (*ssh.Session, error) {
	for attempt := 0; ; attempt++ {
		client, err := r.host.connection(ctx)
		if err != nil {
			return nil, err
		}
		session, err := open(ctx, client)
		if err == nil || ctx.Err() != nil {
			return session, err
		}
		var refused *ssh.OpenChannelError
		if attempt > 0 || errors.As(err, &refused) {
			return nil, fmt.Errorf("on host %s: opening a session: %w: %w", r.host.Name(), ErrUnreachable, err)
		}
		r.host.drop(client)
	}
}

func open(ctx context.Context, client *ssh.Client) (*ssh.Session, error) {
	type answer struct {
		session *ssh.Session
		err     error
	}
	got := make(chan answer, 1)
	go func() {
		session, err := client.NewSession()
		got <- answer{session, err}
	}()
	select {
	case a := <-got:
		return a.session, a.err
	case <-ctx.Done():
		go func() {
			if a := <-got; a.session != nil {
				_ = a.session.Close()
			}
		}()
		return nil, ctx.Err()
	}
}

// Put writes r to file on the host; see cluster.Transport.
func (r Root) Put(ctx context.Context, file string, mode fs.FileMode, from io.Reader) error {
	err := cluster.Put(ctx, r.Exec, file, mode, from)
	if err != nil {
		return fmt.Errorf("on host %s: %w", r.host.Name(), err)
	}
	return nil
}

// Get copies file from the host to w; see cluster.Transport.
func (r Root) Get(ctx context.Context, file string, w io.Writer) error {
	if err := r.Stream(ctx, cluster.Command("cat", file), w); err != nil {
		return fmt.Errorf("reading %s on host %s: %w", file, r.host.Name(), err)
	}
	return nil
}

// Stream runs cmd with its standard output going to w.
func (r Root) Stream(ctx context.Context, cmd cluster.Cmd, w io.Writer) error {
	_, err := r.stream(ctx, cmd, w)
	return err
}

// bounded keeps the beginning of an output, and counts the rest as an error.
type bounded struct {
	bytes.Buffer
	most int
}

// Write keeps p, or says that it is too much.
func (b *bounded) Write(p []byte) (int, error) {
	if b.Len()+len(p) > b.most {
		return 0, fmt.Errorf("a command printed more than %d bytes", b.most)
	}
	return b.Buffer.Write(p)
}

// sink remembers that a writer failed, and ends the command for it: nobody
// would read what it prints.
type sink struct {
	w     io.Writer
	broke func()
	err   error
}

// Write writes on.
func (s *sink) Write(p []byte) (int, error) {
	if s.err != nil {
		return 0, s.err
	}
	n, err := s.w.Write(p)
	if err != nil {
		s.err = err
		go s.broke()
	}
	return n, err
}
