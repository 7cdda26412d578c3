package specs

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/onsi/ginkgo/v2"
	"github.com/onsi/gomega"
	"k8s.io/client-go/kubernetes"
	"k8s.io/kubernetes/test/e2e/framework"
)

const (
	// poll is short because specs are: most waits end within a few seconds.
	poll = 300 * time.Millisecond
	// The limits are ten times what the steps take on a quiet machine of two
	// cores. They only matter where something is wrong, and a machine that is
	// busy with something else must not count against the release.

	// startup covers scheduling and starting a pod whose image is on the node,
	// and unpacking that image where it is the first.
	startup = 4 * time.Minute
	// converge covers what one control loop or kube-proxy does after a change.
	converge = 2 * time.Minute
)

// env is what a spec works with. All its assertions append the state of the
// namespace (pods, events, logs) to the failure, since the namespace is gone
// when somebody reads it.
type env struct {
	gomega.Gomega
	f     *framework.Framework
	image string
	// fail ends the spec. It is gomega's fail handler too.
	fail func(message string, callerSkip ...int)
}

func newEnv(f *framework.Framework, image string) *env {
	e := &env{f: f, image: image}
	e.fail = func(message string, callerSkip ...int) {
		skip := 1
		for _, s := range callerSkip {
			skip += s
		}
		framework.Fail(message+"\n\n"+describe(e.client(), e.namespace()), skip)
	}
	e.Gomega = gomega.NewGomega(e.fail)
	return e
}

func (e *env) client() kubernetes.Interface { return e.f.ClientSet }

func (e *env) namespace() string { return e.f.Namespace.Name }

// ok fails the spec when err is not nil. The message is the error's text alone:
// gomega would print the whole API error object.
func (e *env) ok(err error, doing string, args ...any) {
	ginkgo.GinkgoHelper()
	if err != nil {
		e.fail(fmt.Sprintf(doing, args...) + ": " + err.Error())
	}
}

// until says in the report what is waited for, and waits.
func (e *env) until(ctx context.Context, limit time.Duration, want string, check func(context.Context) error) {
	ginkgo.GinkgoHelper()
	ginkgo.By(want)
	e.wait(ctx, limit, want, check)
}

// wait polls check until it returns nil, and fails the spec with its last
// error after limit, or at once with an error made by final.
func (e *env) wait(ctx context.Context, limit time.Duration, want string, check func(context.Context) error) {
	ginkgo.GinkgoHelper()
	e.Eventually(ctx, check).WithTimeout(limit).WithPolling(poll).
		Should(holds{}, func() string { return "waiting for: " + want })
}

// finalError is what waiting cannot change.
type finalError string

func (f finalError) Error() string { return string(f) }

// final is an error that ends a wait. A check that returned gomega's own
// StopTrying would be reported with "a success at one point", by which gomega
// means an earlier, ordinary error of the check.
func final(format string, args ...any) error { return finalError(fmt.Sprintf(format, args...)) }

// holds matches a check that found nothing wrong. gomega's own Succeed prints
// the error as a Go value next to its text, several screens for an API error.
type holds struct{}

// Match implements gomega's matcher. Its error ends the wait.
func (holds) Match(actual any) (bool, error) {
	err, is := actual.(error)
	if is && isFinal(err) {
		return false, gomega.StopTrying(err.Error())
	}
	return actual == nil, nil
}

func isFinal(err error) bool {
	var end finalError
	return errors.As(err, &end)
}

// FailureMessage says what was wrong last.
func (holds) FailureMessage(actual any) string { return fmt.Sprintf("last seen: %v", actual) }

// NegatedFailureMessage is required by gomega; no check is negated.
func (holds) NegatedFailureMessage(any) string { return "nothing was wrong" }
