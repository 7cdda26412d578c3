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
	// startup covers scheduling and starting a pod whose image is on the node.
	startup = 60 * time.Second
	// converge covers what one control loop or kube-proxy does after a change.
	converge = 45 * time.Second
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
// error after limit. check may return gomega.StopTrying(...) to fail at once.
func (e *env) wait(ctx context.Context, limit time.Duration, want string, check func(context.Context) error) {
	ginkgo.GinkgoHelper()
	e.Eventually(ctx, func(ctx context.Context) (string, error) { return remark(check(ctx)) }).
		WithTimeout(limit).WithPolling(poll).
		Should(gomega.BeEmpty(), func() string { return "waiting for: " + want })
}

// remark turns a check's error into the text that until waits to see vanish,
// and passes on only the signal to stop.
func remark(err error) (string, error) {
	var signal gomega.PollingSignalError
	switch {
	case err == nil:
		return "", nil
	case errors.As(err, &signal):
		return "", err
	default:
		return err.Error(), nil
	}
}
