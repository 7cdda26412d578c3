package inpod

import (
	"bufio"
	"context"
	"io"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// follow reads the suite's log while it grows, for the progress alone: what
// counts is fetched when it has ended. A connection that breaks is made again
// from where it broke.
func (w *work) follow(ctx context.Context, pod string) {
	if w.Progress == nil {
		return
	}
	c := counter{tell: w.Progress}
	for ctx.Err() == nil {
		options := &corev1.PodLogOptions{Container: suiteContainer, Follow: true, Timestamps: true}
		if !c.last.IsZero() {
			since := metav1.NewTime(c.last)
			options.SinceTime = &since
		}
		stream, err := w.client.CoreV1().Pods(w.namespace()).GetLogs(pod, options).Stream(ctx)
		if err == nil {
			c.read(stream)
			_ = stream.Close()
		}
		_ = w.pause(ctx)
	}
}

// counter counts the specs that a log of Ginkgo says have ended. Each line
// begins with the time at which it was written, by which it is known again.
type counter struct {
	tell  func(ended int)
	last  time.Time
	ended int
}

func (c *counter) read(log io.Reader) {
	in := bufio.NewReaderSize(log, 64<<10)
	for {
		line, more, err := in.ReadLine()
		for more && err == nil { // of a long line the beginning is enough
			_, more, err = in.ReadLine()
		}
		stamp, text, _ := strings.Cut(string(line), " ")
		if at, parsed := time.Parse(time.RFC3339Nano, stamp); parsed == nil && at.After(c.last) {
			c.last = at
			if strings.HasPrefix(text, "• ") {
				c.ended++
				c.tell(c.ended)
			}
		}
		if err != nil {
			return
		}
	}
}
