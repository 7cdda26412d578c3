package specs

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/utils/ptr"
)

const (
	talkExit  = 3
	lastWords = "last words"
	endFile   = "/tmp/end"
)

// execAndLogs runs commands in a pod that talks, follows its log across its
// end, and reads the log of the ended container next to that of its successor.
func execAndLogs(ctx context.Context, e *env) {
	pod := e.start(ctx, named("talker", shell(e.image, nil, talk())))[0]
	e.execStreams(ctx, pod.Name)
	e.execCopies(ctx, pod.Name)

	boot := e.bootLine(ctx, pod.Name)
	followed := e.followToEnd(ctx, pod.Name)
	e.ok(talked(followed, boot), "judging the followed log %q", followed)
	e.previousLogs(ctx, pod.Name, boot, followed)
}

// talk says who it is, then counts until it is told to end. The file that
// tells it is gone with the container, so the next one counts again.
func talk() string {
	return fmt.Sprintf(`echo "boot $(cat /proc/sys/kernel/random/uuid)"; n=0
while [ ! -f %s ]; do n=$((n+1)); echo "tick $n"; sleep 0.5; done
echo %q; exit %d`, endFile, lastWords, talkExit)
}

func (e *env) execStreams(ctx context.Context, pod string) {
	script := `read line; echo "out $line"; echo "err $line" >&2; exit 7`
	got, err := e.exec(ctx, pod, strings.NewReader("spoken\n"), "/bin/sh", "-c", script)
	e.ok(err, "running a failing command")
	e.Expect(got).To(gomega.Equal(result{stdout: "out spoken\n", stderr: "err spoken\n", code: 7}), "streams and exit code of a failing command")
}

// execCopies sends more than one buffer through a command that ends only when
// its input does.
func (e *env) execCopies(ctx context.Context, pod string) {
	sent := strings.Repeat("0123456789abcdef", 16*1024)
	got, err := e.exec(ctx, pod, strings.NewReader(sent), "cat")
	e.ok(err, "copying through a command")
	e.Expect(got.code).To(gomega.BeZero(), "exit code of cat")
	e.Expect(got.stdout == sent).To(gomega.BeTrue(), "%d bytes sent through cat came back as %d, or changed", len(sent), len(got.stdout))
}

// bootLine is the first line of the running container's log.
func (e *env) bootLine(ctx context.Context, pod string) string {
	var boot string
	e.until(ctx, converge, "the log of "+pod+" has a line", func(ctx context.Context) error {
		lines, err := e.logLines(ctx, pod, &corev1.PodLogOptions{})
		if err != nil {
			return err
		}
		if len(lines) == 0 || !strings.HasPrefix(lines[0], "boot ") {
			return fmt.Errorf("the log begins with %q", lines)
		}
		boot = lines[0]
		return nil
	})
	return boot
}

// followToEnd follows the log, tells the container to end once lines came that
// were not there before, and returns all lines up to the end of the stream.
func (e *env) followToEnd(ctx context.Context, pod string) []string {
	already, err := e.logLines(ctx, pod, &corev1.PodLogOptions{})
	e.ok(err, "reading the log so far")
	stream, err := e.client().CoreV1().Pods(e.namespace()).GetLogs(pod, &corev1.PodLogOptions{Follow: true}).Stream(ctx)
	e.ok(err, "following the log")
	defer stream.Close()

	var lines []string
	told := false
	scanner := bufio.NewScanner(stream)
	for scanner.Scan() {
		lines = append(lines, scanner.Text())
		if !told && len(lines) >= len(already)+2 {
			told = true
			_, err := e.sh(ctx, pod, "touch "+endFile)
			e.ok(err, "telling the container to end")
		}
	}
	e.ok(scanner.Err(), "following the log to its end, after %q", lines)
	e.Expect(told).To(gomega.BeTrue(), "the followed log ended before it grew: %q", lines)
	return lines
}

// talked is nil when lines are what the container says from its first word to
// its last, with no line missing, doubled or out of order.
func talked(lines []string, boot string) error {
	if len(lines) < 3 || lines[0] != boot {
		return fmt.Errorf("want a log that begins with %q", boot)
	}
	last := len(lines) - 1
	for i, line := range lines[1:last] {
		if want := fmt.Sprintf("tick %d", i+1); line != want {
			return fmt.Errorf("line %d is %q, want %q", i+2, line, want)
		}
	}
	if lines[last] != lastWords {
		return fmt.Errorf("the last line is %q, want %q", lines[last], lastWords)
	}
	return nil
}

// previousLogs waits for the restart, then wants the ended container's log
// unchanged, its tail, and a log of the new container that is another one.
func (e *env) previousLogs(ctx context.Context, pod, boot string, followed []string) {
	e.until(ctx, startup, "the container is restarted", func(ctx context.Context) error {
		p, err := e.pod(ctx, pod)
		if err != nil {
			return err
		}
		return restarted(p)
	})
	all, err := e.logLines(ctx, pod, &corev1.PodLogOptions{Previous: true})
	e.ok(err, "reading the log of the ended container")
	e.Expect(all).To(gomega.Equal(followed), "log of the ended container, against what was followed while it ran")
	tail, err := e.logLines(ctx, pod, &corev1.PodLogOptions{Previous: true, TailLines: ptr.To(int64(2))})
	e.ok(err, "reading the tail of that log")
	e.Expect(tail).To(gomega.Equal(followed[len(followed)-2:]), "last two lines of the ended container")
	e.Expect(e.bootLine(ctx, pod)).NotTo(gomega.Equal(boot), "first line of the new container")
}

// restarted is nil when a pod's only container ended as told and runs again.
func restarted(p *corev1.Pod) error {
	for _, s := range p.Status.ContainerStatuses {
		ended := s.LastTerminationState.Terminated
		switch {
		case s.RestartCount != 1 || s.State.Running == nil || ended == nil:
			return fmt.Errorf("want one restart and a running container, got %d restarts, running %t", s.RestartCount, s.State.Running != nil)
		case ended.ExitCode != talkExit:
			return final("the container ended with exit code %d, want %d", ended.ExitCode, talkExit)
		}
		return nil
	}
	return fmt.Errorf("pod %s has no container status", p.Name)
}

// logLines reads a log that is there already.
func (e *env) logLines(ctx context.Context, pod string, opts *corev1.PodLogOptions) ([]string, error) {
	stream, err := e.client().CoreV1().Pods(e.namespace()).GetLogs(pod, opts).Stream(ctx)
	if err != nil {
		return nil, fmt.Errorf("reading the log of pod %s: %w", pod, err)
	}
	defer stream.Close()
	raw, err := io.ReadAll(stream)
	if err != nil {
		return nil, fmt.Errorf("reading the log of pod %s: %w", pod, err)
	}
	return strings.FieldsFunc(string(raw), func(r rune) bool { return r == '\n' }), nil
}
