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
	killed    = 128 + 9 // exit code of a command that SIGKILL ended
	lastWords = "last words"
	endFile   = "/tmp/end"

	// mostForgotten is how many ended containers the kubelet may forget in turn.
	// Once a minute its garbage collection keeps one container of those that do
	// not run: meeting one that is made and has not started yet, it removes the
	// ended one instead (evictableContainers in kubelet's kuberuntime_gc.go). That
	// window is short, and does not come twice within a minute.
	mostForgotten = 2
)

// execAndLogs runs commands in a pod that talks, follows its log across its
// end, and reads the log of the ended container next to that of its successor.
func execAndLogs(ctx context.Context, e *env) {
	pod := e.start(ctx, named("talker", shell(e.image, nil, talk())))[0]
	e.execStreams(ctx, pod.Name)
	e.execCopies(ctx, pod.Name)

	for restarts := 1; ; restarts++ {
		boot := e.bootLine(ctx, pod.Name)
		followed := e.followToEnd(ctx, pod.Name)
		e.ok(talked(followed, boot), "judging the followed log %q", followed)
		if e.restart(ctx, pod.Name, restarts) {
			e.previousLogs(ctx, pod.Name, boot, followed)
			return
		}
		e.Expect(restarts).To(gomega.BeNumerically("<=", mostForgotten), "containers of which nothing was kept when they had ended")
	}
}

// talk says who it is, then counts until it is told to end. The file that
// tells it is gone with the container, so the next one counts again.
func talk() string {
	return fmt.Sprintf(`echo "boot $(cat /proc/sys/kernel/random/uuid)"; n=0
while [ ! -f %s ]; do n=$((n+1)); echo "tick $n"; sleep 0.5; done
sleep 1; echo %q; exit %d`, endFile, lastWords, talkExit)
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
			// The container may end, and kill what runs in it, before the command does.
			did, err := e.exec(ctx, pod, nil, "touch", endFile)
			e.ok(err, "telling the container to end")
			e.Expect(did.code).To(gomega.BeElementOf(0, killed), "exit code of telling the container to end, stderr %q", did.stderr)
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

// restart waits until the container has been restarted so many times, and tells
// whether the kubelet still knows how the one before it ended.
func (e *env) restart(ctx context.Context, pod string, times int) (kept bool) {
	e.until(ctx, startup, "the container is restarted", func(ctx context.Context) error {
		p, err := e.pod(ctx, pod)
		if err != nil {
			return err
		}
		kept, err = restarted(p, times)
		return err
	})
	return kept
}

// previousLogs wants the ended container's log unchanged, its tail, and a log of
// the new container that is another one.
func (e *env) previousLogs(ctx context.Context, pod, boot string, followed []string) {
	all, err := e.logLines(ctx, pod, &corev1.PodLogOptions{Previous: true})
	e.ok(err, "reading the log of the ended container")
	e.Expect(all).To(gomega.Equal(followed), "log of the ended container, against what was followed while it ran")
	tail, err := e.logLines(ctx, pod, &corev1.PodLogOptions{Previous: true, TailLines: ptr.To(int64(2))})
	e.ok(err, "reading the tail of that log")
	e.Expect(tail).To(gomega.Equal(followed[len(followed)-2:]), "last two lines of the ended container")
	e.Expect(e.bootLine(ctx, pod)).NotTo(gomega.Equal(boot), "first line of the new container")
}

// restarted is nil when a pod's only container was restarted so many times and
// runs, after one that ended as told or of which nothing was kept.
func restarted(p *corev1.Pod, times int) (kept bool, err error) {
	for _, s := range p.Status.ContainerStatuses {
		if int(s.RestartCount) != times || s.State.Running == nil {
			return false, fmt.Errorf("want %d restarts and a running container, got %d, running %t", times, s.RestartCount, s.State.Running != nil)
		}
		ended := s.LastTerminationState.Terminated
		if ended != nil && ended.ExitCode != talkExit {
			return true, final("the container ended with exit code %d, want %d", ended.ExitCode, talkExit)
		}
		return ended != nil, nil
	}
	return false, fmt.Errorf("pod %s has no container status", p.Name)
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
