package run

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/qualify-dev/qualify/internal/result"
)

// recorder appends events and remembers the first failure. A run whose journal
// cannot be written proves nothing any more: its work is cancelled, nothing
// new is taken up, and only the teardown remains. What can still be recorded
// is, with the space that was set aside for that.
// Cells and suites record from goroutines of their own, hence the lock.
type recorder struct {
	journal *result.Journal
	redact  func(string) string
	observe func(result.Event)
	relieve func() bool
	stop    context.CancelCauseFunc
	// failFast hears of what is on disk; nil where the policy has no use for it.
	failFast *failFast
	mu       sync.Mutex
	err      error
}

func (r *recorder) add(event result.Event) {
	r.mu.Lock()
	defer r.mu.Unlock()
	event = event.WithText(r.redact) // before it is on disk, and before anybody hears of it
	written, err := r.journal.Append(event)
	if err != nil {
		if r.err == nil {
			r.err = fmt.Errorf("writing the journal: %w", err)
			r.stop(r.err)
		}
		if r.relieve == nil || !r.relieve() {
			return
		}
		if written, err = r.journal.Append(event); err != nil {
			return
		}
	}
	r.failFast.hear(written)
	if r.observe != nil {
		r.observe(written)
	}
}

func (r *recorder) failed() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.err
}

// NewID names a run by its start: names sort as the runs were started.
func NewID(now time.Time, random string) string {
	return now.UTC().Format("20060102-150405") + "-" + random
}
