package remote

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"net/http"
	"regexp"
	"strconv"
	"time"
)

// leastProgress is what a server must send within the time of a stall, and
// what has to arrive before failures are counted anew. It bounds the time that
// a server can take for any number of bytes.
const leastProgress = 32 << 10

// body is one file of a server, read in as many requests as it takes: where a
// connection breaks or stalls, the next one goes on behind the last byte.
type body struct {
	c       *Client
	ctx     context.Context
	address string
	at      int64  // of the next byte
	size    int64  // of the whole file, -1 while nobody has said it
	tag     string // of the version that is being read

	now      io.ReadCloser // the answer being read
	watch    *watch
	failures int   // since marked
	marked   int64 // where failures were last counted anew
}

var (
	errStalled = fmt.Errorf("stalled: less than %d KiB came in time", leastProgress>>10)
	errChanged = errors.New("it was changed while it was read")
)

// open asks for a file from an offset on. Where the server does not serve
// parts, or has no more bytes than that, the answer begins at 0.
func (c *Client) open(ctx context.Context, address string, from int64) (*body, error) {
	b := &body{c: c, ctx: ctx, address: address, at: from, marked: from, size: -1}
	for {
		err := b.connect(from == 0)
		if err == nil {
			return b, nil
		}
		if err := b.again(err); err != nil {
			return nil, err
		}
	}
}

// connect sends a request for the bytes from at on. Only before the first byte
// was handed on may the answer begin elsewhere.
func (b *body) connect(whole bool) error {
	ctx, w := newWatch(b.ctx, b.c.stall)
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, b.address, nil)
	if err != nil {
		w.stop()
		return &permanentError{err}
	}
	maps.Copy(r.Header, b.c.header)
	if b.at > 0 {
		r.Header.Set("Range", fmt.Sprintf("bytes=%d-", b.at))
		if b.tag != "" {
			r.Header.Set("If-Range", b.tag)
		}
	}
	answer, err := b.c.http.Do(r)
	if err != nil {
		return w.why(err)
	}
	if err := b.accept(answer, whole); err != nil {
		answer.Body.Close()
		w.stop()
		return err
	}
	b.now, b.watch = answer.Body, w
	return nil
}

var contentRange = regexp.MustCompile(`^bytes (?:([0-9]{1,18})-[0-9]{1,18}|\*)/([0-9]{1,18})$`)

// accept reads from an answer's header where it begins and how long the file is.
func (b *body) accept(answer *http.Response, whole bool) error {
	tag := answer.Header.Get("ETag")
	if len(tag) > 1 && tag[:2] == "W/" {
		tag = "" // says nothing about bytes
	}
	part := contentRange.FindStringSubmatch(answer.Header.Get("Content-Range"))
	fresh := b.now == nil && b.tag == "" && !whole // the first answer of a resumed download
	switch code := answer.StatusCode; {
	case code == http.StatusOK:
		if b.at > 0 && !fresh {
			return b.skip(answer, tag)
		}
		b.at, b.marked, b.size = 0, 0, answer.ContentLength
	case code == http.StatusPartialContent && part != nil && part[1] == strconv.FormatInt(b.at, 10):
		size, _ := strconv.ParseInt(part[2], 10, 64) // at most 18 digits
		if b.size >= 0 && size != b.size {
			return &permanentError{errChanged}
		}
		b.size = size
	case code == http.StatusRequestedRangeNotSatisfiable && fresh:
		if part != nil && part[2] == strconv.FormatInt(b.at, 10) { // nothing is missing
			answer.Body.Close()
			answer.Body, b.size = http.NoBody, b.at
			return nil
		}
		b.at, b.marked = 0, 0
		return errFromStart
	case code == http.StatusNotFound || code == http.StatusForbidden || code == http.StatusGone:
		return &permanentError{&NotThereError{URL: b.address, Status: code}}
	case code >= 500 || code == http.StatusTooManyRequests || code == http.StatusRequestTimeout:
		return fmt.Errorf("the server answers %s", answer.Status)
	default:
		return &permanentError{fmt.Errorf("the server answers %s", answer.Status)}
	}
	b.tag = tag
	return nil
}

var errFromStart = errors.New("the server has fewer bytes than there were")

// skip goes on where a server sends the file from its beginning again: behind
// the bytes that were read, if it is the same file.
func (b *body) skip(answer *http.Response, tag string) error {
	if tag != b.tag || b.size >= 0 && answer.ContentLength >= 0 && answer.ContentLength != b.size {
		return &permanentError{errChanged}
	}
	if _, err := io.CopyN(io.Discard, answer.Body, b.at); err != nil {
		return err
	}
	return nil
}

// Read reads on, in a further request where it has to.
func (b *body) Read(p []byte) (int, error) {
	for {
		if b.now == nil {
			if err := b.connect(true); err != nil {
				if err := b.again(err); err != nil {
					return 0, err
				}
				continue
			}
		}
		n, err := b.now.Read(p)
		b.at += int64(n)
		b.watch.progress(n)
		if errors.Is(err, io.EOF) && b.size >= 0 && b.at < b.size {
			err = io.ErrUnexpectedEOF
		}
		if err == nil || errors.Is(err, io.EOF) {
			return n, err
		}
		err = b.watch.why(err)
		b.drop()
		if err := b.again(err); err != nil {
			return n, err
		}
		if n > 0 {
			return n, nil
		}
	}
}

// again waits before the next try, or returns why there is none.
func (b *body) again(err error) error {
	if err := b.ctx.Err(); err != nil {
		return err
	}
	var permanent *permanentError
	var redirect *RedirectError
	var certificate *tls.CertificateVerificationError
	switch {
	case errors.As(err, &permanent):
		return permanent.err
	case errors.As(err, &redirect), errors.As(err, &certificate):
		return fmt.Errorf("reading %s: %w", b.address, err)
	case errors.Is(err, errFromStart):
		return nil
	}
	if b.at-b.marked >= leastProgress {
		b.failures, b.marked = 0, b.at
	}
	if b.failures++; b.failures >= b.c.tries {
		return fmt.Errorf("reading %s: gave up after %d failures at byte %d: %w", b.address, b.failures, b.at, err)
	}
	// Half of it by chance, so that many who failed at once do not come back at once.
	pause := b.c.pause << (b.failures - 1)
	timer := time.NewTimer(pause/2 + rand.N(pause/2+1)) //nolint:gosec // nothing secret depends on it
	defer timer.Stop()
	select {
	case <-b.ctx.Done():
		return b.ctx.Err()
	case <-timer.C:
		return nil
	}
}

// drop ends the answer that is being read.
func (b *body) drop() {
	if b.now != nil {
		b.watch.stop()
		b.now.Close()
		b.now = nil
	}
}

// Close ends the reading.
func (b *body) Close() error {
	b.drop()
	return nil
}

// permanentError is one that another try would meet again.
type permanentError struct{ err error }

// Error is the cause.
func (e *permanentError) Error() string { return e.err.Error() }

// Unwrap returns the cause.
func (e *permanentError) Unwrap() error { return e.err }

// watch ends a request that makes no progress for a time.
type watch struct {
	cancel context.CancelCauseFunc
	ctx    context.Context
	timer  *time.Timer
	limit  time.Duration
	since  int // bytes since the timer was set
}

func newWatch(parent context.Context, limit time.Duration) (context.Context, *watch) {
	ctx, cancel := context.WithCancelCause(parent)
	w := &watch{cancel: cancel, ctx: ctx, limit: limit}
	w.timer = time.AfterFunc(limit, func() { cancel(errStalled) })
	return ctx, w
}

// progress counts bytes. Single ones do not count: they could come for ever.
func (w *watch) progress(n int) {
	if w.since += n; w.since >= leastProgress {
		w.since = 0
		w.timer.Reset(w.limit)
	}
}

// why returns what ended the request: the stall, if that did.
func (w *watch) why(err error) error {
	w.timer.Stop()
	if errors.Is(context.Cause(w.ctx), errStalled) {
		err = errStalled
	}
	w.cancel(context.Canceled)
	return err
}

func (w *watch) stop() { _ = w.why(nil) }
