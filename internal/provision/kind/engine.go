package kind

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"
)

// errEngine marks faults of the container engine itself: they are never the
// release's.
var errEngine = errors.New("the container engine does not answer")

// docker runs the docker command, as kind's library does, and returns its
// standard output.
func docker(ctx context.Context, args ...string) (string, error) {
	out, err := dockerIn(ctx, nil, args...)
	return strings.TrimSpace(out), err
}

func dockerIn(ctx context.Context, stdin io.Reader, args ...string) (string, error) {
	var stdout bytes.Buffer
	err := dockerStream(ctx, stdin, &stdout, args...)
	return stdout.String(), err
}

// dockerStream runs the docker command, and tells the engine's silence from
// its complaints.
func dockerStream(ctx context.Context, stdin io.Reader, stdout io.Writer, args ...string) error {
	var stderr bytes.Buffer
	err := runDocker(ctx, streams{stdin, stdout, &stderr}, args...)
	if err == nil || ctx.Err() != nil || errors.Is(err, errEngine) {
		return err
	}
	said := strings.TrimSpace(stderr.String())
	if isEngineDown(said) {
		return fmt.Errorf("docker %s: %w: %s", args[0], errEngine, said)
	}
	return &commandError{args: args, err: err, stderr: said}
}

// makeTime bounds one docker command that makes something.
const makeTime = 2 * time.Minute

// dockerMake runs a docker command that makes something to its end, also where
// ctx ends first. The engine goes on when its client is killed, and what it
// then made would appear after Down had looked.
func dockerMake(ctx context.Context, args ...string) (string, error) {
	if err := ctx.Err(); err != nil {
		return "", fmt.Errorf("docker %s: %w", args[0], err)
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), makeTime)
	defer cancel()
	return docker(ctx, args...)
}

// streams are a command's.
type streams struct {
	in       io.Reader
	out, err io.Writer
}

// runDocker runs the docker command in a process group of its own: a
// Ctrl-C on the terminal must reach qualify alone, which then decides what
// has to end and what has to go on (teardown).
func runDocker(ctx context.Context, s streams, args ...string) error {
	cmd := exec.CommandContext(ctx, "docker", args...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.WaitDelay = 5 * time.Second
	cmd.Stdout, cmd.Stderr = s.out, s.err
	err := runFed(cmd, s.in)
	if err != nil && ctx.Err() != nil {
		return fmt.Errorf("docker %s: %w", args[0], ctx.Err())
	}
	if errors.Is(err, exec.ErrNotFound) {
		return fmt.Errorf("%w: docker is not installed: run hack/setup", errEngine)
	}
	return err
}

// runFed runs cmd and feeds it from in. Left to os/exec, a source that blocks
// would keep even a killed command from returning.
func runFed(cmd *exec.Cmd, in io.Reader) error {
	if in == nil {
		return cmd.Run()
	}
	pipe, err := cmd.StdinPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	fed := make(chan error, 1)
	go func() {
		_, err := io.Copy(pipe, in)
		fed <- err // before the command can see the end of its input
		_ = pipe.Close()
	}()
	if err := cmd.Wait(); err != nil {
		return err
	}
	select {
	case err := <-fed:
		if errors.Is(err, syscall.EPIPE) || errors.Is(err, os.ErrClosed) {
			return nil // it did not want to read everything
		}
		return err
	default:
		return nil
	}
}

// isEngineDown knows the client's ways of saying that nobody answered.
func isEngineDown(stderr string) bool {
	for _, sign := range []string{"Cannot connect to the Docker daemon", "error during connect", "connection refused", "EOF", "connection reset by peer", "server is shutting down", "use of closed network connection"} {
		if strings.Contains(stderr, sign) {
			return true
		}
	}
	return false
}

// commandError is a docker command that ran and failed.
type commandError struct {
	args   []string
	err    error
	stderr string
}

// Error prints the command so that it can be pasted into a shell.
func (e *commandError) Error() string {
	return fmt.Sprintf("docker %s: %v: %s", strings.Join(e.args, " "), e.err, e.stderr)
}

// Unwrap returns the cause.
func (e *commandError) Unwrap() error { return e.err }

// isAbsent tells the engine's answer "there is no such thing" from faults.
func isAbsent(err error) bool {
	var c *commandError
	return errors.As(err, &c) && (strings.Contains(c.stderr, "No such") || strings.Contains(c.stderr, "not found"))
}

// engineAnswers asks the engine for a sign of life.
func engineAnswers(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	_, err := docker(ctx, "version", "--format", "{{.Server.Version}}")
	if err != nil && !errors.Is(err, errEngine) {
		return fmt.Errorf("%w: %v", errEngine, err)
	}
	return err
}

func lines(text string) []string {
	var out []string
	for _, line := range strings.Split(text, "\n") {
		if line = strings.TrimSpace(line); line != "" {
			out = append(out, line)
		}
	}
	return out
}
