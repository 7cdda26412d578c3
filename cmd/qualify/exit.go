package main

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/qualify-dev/qualify/internal/report"
	"github.com/qualify-dev/qualify/internal/run"
	"github.com/qualify-dev/qualify/internal/strict"
	"github.com/qualify-dev/qualify/matrix"
)

// The exit codes. The table in exitTable, which --help and the README show, is
// their meaning; tests hold the three together.
const (
	exitQualified    = 0
	exitNotQualified = 1
	exitUsage        = 2
	exitInconclusive = 3
	exitLeftovers    = 4
	exitSIGINT       = 130
	exitSIGTERM      = 143
)

const exitTable = `Exit codes:
  0    qualified: every required cell has complete, positive evidence
  1    not qualified: the release failed
  2    usage or configuration
  3    inconclusive: infrastructure error, missing or contradictory evidence, nothing tested
  4    the verdict would be 0, but resources are left over (they are listed)
  130  interrupted by SIGINT (143: by SIGTERM); never 0
`

// verdictError carries the exit code of a verdict out of a command. It has
// been shown already.
type verdictError struct{ code int }

// Error names the code.
func (e *verdictError) Error() string { return fmt.Sprintf("exit code %d", e.code) }

// usageError is a mistake of the user's: nothing was created.
type usageError struct{ err error }

// Error is the mistake.
func (e *usageError) Error() string { return e.err.Error() }

// Unwrap returns the cause.
func (e *usageError) Unwrap() error { return e.err }

func usagef(format string, args ...any) error { return &usageError{fmt.Errorf(format, args...)} }

// releaseError is a fault of the release's own, found before any cluster.
type releaseError struct{ err error }

// Error is the fault.
func (e *releaseError) Error() string { return e.err.Error() }

// Unwrap returns the cause.
func (e *releaseError) Unwrap() error { return e.err }

// exitCode says an error to the user, once, and maps it to its code. What is
// not known to be the user's or the release's fault proves nothing: 3.
func exitCode(ctx context.Context, stderr io.Writer, err error) int {
	if err == nil {
		return exitQualified
	}
	var verdict *verdictError
	if errors.As(err, &verdict) {
		return verdict.code
	}
	fmt.Fprintln(stderr, "qualify: "+report.Console(err.Error()))
	var interrupted run.Interrupted
	if errors.As(err, &interrupted) || errors.As(context.Cause(ctx), &interrupted) {
		return signalCode(interrupted.Signal)
	}
	if errors.Is(err, context.Canceled) {
		return exitSIGINT
	}
	var usage *usageError
	var unknown *matrix.UnknownValueError
	var problems strict.Problems
	var fault *releaseError
	switch {
	case errors.As(err, &usage), errors.As(err, &unknown), errors.As(err, &problems):
		return exitUsage
	case errors.As(err, &fault):
		return exitNotQualified
	}
	return exitInconclusive // doctor.ErrUnfit too
}

func signalCode(name string) int {
	if name == "SIGTERM" {
		return exitSIGTERM
	}
	return exitSIGINT
}
