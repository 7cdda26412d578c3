package provisiontest

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/qualify-dev/qualify/internal/provision"
)

// point is where an Up is cut short.
type point struct {
	name    string
	phase   string        // as this phase begins
	count   int           // when so many resources are there
	after   time.Duration // by a deadline
	at      bool          // before it begins
	reached bool          // an Up that succeeds was not cut short
	want    error         // what the context says then
}

// points are where an Up of the usual shape is cut short.
func points(usual shape) []point {
	all := []point{{name: "before it begins", at: true, reached: true, want: context.Canceled}}
	for _, phase := range usual.phases {
		all = append(all, point{name: "as " + phase + " begins", phase: phase, reached: true, want: context.Canceled})
	}
	last := 0
	for _, n := range []int{1, (usual.resources + 1) / 2, usual.resources} {
		if n != last {
			all = append(all, point{name: fmt.Sprintf("with resource %d of %d", n, usual.resources), count: n, want: context.Canceled})
		}
		last = n
	}
	return append(all, point{name: "by a deadline", after: usual.took / 2, want: context.DeadlineExceeded})
}

// cancelled cuts an Up short. What it leaves is stamped, can be collected, and
// is removed by a process that knows no more than the lease.
func cancelled(s subject, at point) {
	l := s.lease()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	if at.after > 0 {
		ctx, cancel = context.WithTimeout(ctx, at.after)
		defer cancel()
	}
	if at.at {
		cancel()
	}
	stop := s.watch(l, at.count, cancel)
	cut := make(chan time.Time, 1)
	context.AfterFunc(ctx, func() { cut <- time.Now() })
	spec := s.spec(func(phase string) {
		if phase == at.phase {
			cancel()
		}
	})
	c, err := s.instance().Up(ctx, l, spec)
	returned := time.Now()
	stop()
	if err == nil && (at.reached || c == nil) {
		s.t.Error("up succeeded although its context had ended")
	}
	switch {
	case err != nil && ctx.Err() == nil:
		s.t.Fatalf("up: %v", explain(err))
	case err != nil:
		s.cutShort(err, at.want)
		if took := returned.Sub(<-cut); took > s.Prompt {
			s.t.Errorf("up returned %s after its context had ended, want at most %s", took, s.Prompt)
		}
	}
	s.stamped(l)
	s.collectsHalf(l)
	spec.Phase = func(string) {}
	s.adoptsHalf(l, spec)
	s.down(s.instance(), l)
}

// watch cancels when the lease has count resources. The returned function ends
// it.
func (s subject) watch(l provision.Lease, count int, cancel func()) (stop func()) {
	if count == 0 {
		return func() {}
	}
	ctx, end := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for ctx.Err() == nil {
			all, err := s.Entry.List(ctx, s.Config)
			n := 0
			for _, r := range all {
				if r.Lease.Name == l.Name {
					n++
				}
			}
			if err == nil && n >= count {
				cancel()
				return
			}
			time.Sleep(time.Millisecond)
		}
	}()
	return func() { end(); <-ended }
}

// cutShort wants the context's own error, which blames nobody.
func (s subject) cutShort(err, want error) {
	s.t.Helper()
	var product *provision.ProductError
	if errors.As(err, &product) {
		s.t.Errorf("the release is blamed for a context that ended: %v", err)
	}
	if !errors.Is(err, want) {
		s.t.Errorf("error %q is not %q", err, want)
	}
}

// collectsHalf wants Collect to come back from a half-made cluster. It may
// complain: of some machines nothing can be learned.
func (s subject) collectsHalf(l provision.Lease) {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), s.Patience)
	defer cancel()
	if err := s.instance().Collect(ctx, l, s.t.TempDir()); err != nil {
		s.t.Logf("collect of a half-made cluster: %v", err)
	}
	if ctx.Err() != nil {
		s.t.Error("collect of a half-made cluster did not come back")
	}
}
