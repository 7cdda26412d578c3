package run

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/qualify-dev/qualify/internal/result"
)

// errHung marks a step that did not return when it was told to stop.
var errHung = errors.New("it did not return when it was told to stop")

// linger is how long a step may take to return once it was told to stop:
// longer than a suite's processes have before they are killed.
const linger = 3 * time.Minute

// phase runs a step under its budget and journals its length.
func (e *execution) phase(ctx context.Context, name string, budget time.Duration, step func(context.Context) error) error {
	ctx, cancel := context.WithTimeoutCause(ctx, budget, fmt.Errorf("%s took longer than its budget of %s", name, budget))
	defer cancel()
	start := e.Now()
	e.add(result.Event{Kind: result.PhaseStarted, Cell: e.cell.ID, Phase: name})
	err := e.within(ctx, func() error { return step(ctx) })
	if cause := context.Cause(ctx); err != nil && cause != nil && !errors.Is(err, cause) {
		err = fmt.Errorf("%w: %w", cause, err)
	}
	e.add(result.Event{Kind: result.PhaseEnded, Cell: e.cell.ID, Phase: name, Seconds: e.Now().Sub(start).Seconds()})
	return err
}

// within runs a step and waits for it, but not for ever: one that was told to
// stop and does not is left behind, so that a program that hangs cannot keep
// a run from its teardown and its verdict. A panic of the step is passed on.
func (e *execution) within(ctx context.Context, step func() error) error {
	var failure panicked
	done := make(chan error, 1)
	go func() {
		defer close(done)
		defer failure.keep()
		done <- step()
	}()
	finished := func(err error) error {
		failure.again()
		return err
	}
	select {
	case err := <-done:
		return finished(err)
	case <-ctx.Done():
	}
	patience := e.Linger
	if patience == 0 {
		patience = linger
	}
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case err := <-done:
		return finished(err)
	case <-timer.C:
		return fmt.Errorf("%w: %w", context.Cause(ctx), errHung)
	}
}
